// Images bent by maps of positions: coordinates one by one, affine maps, perspective.
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/vision/sampling.h"

namespace phlox {
namespace {

Outside outside_for(const std::string& fill_mode, const char* operation) {
  if (fill_mode == "constant") return Outside::zero;
  if (fill_mode == "nearest") return Outside::nearest;
  if (fill_mode == "reflect") return Outside::reflect;
  if (fill_mode == "mirror") return Outside::mirror;
  if (fill_mode == "wrap") return Outside::wrap;
  fail<ValueError>(ErrorCode::invalid_value, "{}: fill_mode is '{}'", operation, fill_mode)
      .hint("\"constant\", \"nearest\", \"reflect\", \"mirror\" or \"wrap\"")
      .raise();
}

// As sample_grid(), with `fill` for neighbours outside.
Tensor sample_filled(GridRows grid, const std::vector<Tensor>& positions, int order, Outside outside,
                     double fill) {
  if (outside != Outside::zero || fill == 0) return sample_grid(grid, positions, order, outside);
  grid.rows = grid.rows - fill;
  return sample_grid(grid, positions, order, outside) + fill;
}

int order_of(const std::string& interpolation, const char* operation) {
  if (interpolation == "nearest") return 0;
  if (interpolation == "bilinear") return 1;
  fail<ValueError>(ErrorCode::invalid_value, "{}: interpolation is '{}'", operation, interpolation)
      .hint("\"nearest\" or \"bilinear\"")
      .raise();
}

// Images, with or without batch, at the positions where maps [batch or 1, 8] send the positions of the result.
Tensor transformed(const Tensor& images, const Tensor& transform, const std::string& interpolation,
                   const std::string& fill_mode, double fill_value, const char* operation) {
  const bool added = images.rank() == 3;
  const Tensor batched = added ? unsqueeze(images, 0) : images;
  if (batched.rank() != 4 || !is_floating(images.dtype()) || batched.size(2) < 1 || batched.size(3) < 1)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "{}: takes floating images [batch, channels, height, width] or without batch", operation)
        .detail("images", describe(images))
        .raise();
  if (transform.rank() != 2 || transform.size(1) != 8 ||
      (transform.size(0) != 1 && transform.size(0) != batched.size(0)))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: a map has 8 numbers; there is one, or one for each image",
                     operation)
        .detail("images", describe(images))
        .detail("transform", describe(transform))
        .raise();
  const std::int64_t height = batched.size(2), width = batched.size(3);
  const Tensor x = reshape(arange(0, width, 1, images.dtype(), images.device()), {1, 1, -1});
  const Tensor y = reshape(arange(0, height, 1, images.dtype(), images.device()), {1, -1, 1});
  const auto a = [&](int i) { return reshape(select(transform, 1, i), {-1, 1, 1}); };
  const Tensor scale = a(6) * x + a(7) * y + 1.0;
  const Shape shape{batched.size(0), height, width}, flat{batched.size(0), height * width};
  const auto place = [&](int i) {
    return reshape(expand((a(i) * x + a(i + 1) * y + a(i + 2)) / scale, shape), flat);
  };
  const Tensor samples =
      sample_filled(grid_rows(batched), {place(3), place(0)}, order_of(interpolation, operation),
                    outside_for(fill_mode, operation), fill_value);
  const Tensor result = images_from_samples(samples, {height, width});
  return added ? squeeze(result, 0) : result;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, map_coordinates,
    (const Tensor& input, const Tensor& coordinates, std::int64_t order = 1,
     const std::string& fill_mode = "constant", double fill_value = 0.0),
    .doc =
        "The tensor at real positions: coordinates [input.rank(), ...] give a result of their shape without the first dimension. `order` 1 interpolates linearly, 0 takes the nearest element. "
        "fill_mode says what is outside: \"constant\" (fill_value), \"nearest\", \"reflect\" (d c b a | a b c d), \"mirror\" (d c b | a b c d) or "
        "\"wrap\".",
    .family = Family::index, .home = "vision", .method = false,
    .samples =
        "map_coordinates(A(5, 6), A(2, 3, 4)); map_coordinates(A(7), A(1, 5), 0, 'nearest'); "
        "map_coordinates(A(3, 4, 5), A(3, 6), 1, 'wrap'); map_coordinates(A(4, 5), A(2, 3), fill_value=1.5)",
    .integers = false, .tolerance = 1e-4) {
  if (input.rank() < 1 || coordinates.rank() < 1 || coordinates.size(0) != input.rank() || input.numel() == 0)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "map_coordinates: coordinates have one row for each of the {} dimensions", input.rank())
        .detail("input", describe(input))
        .detail("coordinates", describe(coordinates))
        .raise();
  if (order != 0 && order != 1)
    fail<ValueError>(ErrorCode::invalid_value, "map_coordinates: order is {}, not 0 or 1", order).raise();
  std::vector<Tensor> positions;
  for (int d = 0; d < input.rank(); ++d) positions.push_back(select(coordinates, 0, d));
  const GridRows grid{reshape(input, {-1, 1}), input.shape(), {}};
  return squeeze(sample_filled(grid, positions, static_cast<int>(order),
                               outside_for(fill_mode, "map_coordinates"), fill_value),
                 -1);
}

PHLOX_OPERATION(
    Tensor, affine_transform,
    (const Tensor& images, const Tensor& transform, const std::string& interpolation = "bilinear",
     const std::string& fill_mode = "constant", double fill_value = 0.0),
    .doc =
        "Images [batch, channels, height, width], or one, under maps [8] or [batch, 8]: the element (x, y) of the result is the image at ((a0 x + a1 y + a2) / k, (a3 x + "
        "a4 y + a5) / k), where k = a6 x + a7 y + 1. Outside as in map_coordinates().",
    .family = Family::index, .home = "vision", .method = false,
    .samples =
        "affine_transform(A(2, 3, 4, 5), mul(A(2, 8), 0.1)); affine_transform(A(3, 4, 5), mul(A(8), 0.1), 'nearest', "
        "'reflect')",
    .integers = false, .tolerance = 1e-3) {
  return transformed(images, transform.rank() == 1 ? unsqueeze(transform, 0) : transform, interpolation,
                     fill_mode, fill_value, "affine_transform");
}

namespace {

// The matrix [batch, 3, 3], up to a factor, that takes the corners of a standard quadrilateral to four points
// [batch, 4, 2]: (1, 0, 0), (0, 1, 0) and (0, 0, 1) go to the first three, (1, 1, 1) to the fourth.
Tensor basis_of(const Tensor& points) {
  const Tensor homogeneous = cat({points, ones_like(narrow(points, 2, 0, 1))}, 2);
  const Tensor first = narrow(homogeneous, 1, 0, 3), fourth = select(homogeneous, 1, 3);
  // first.T @ weights = fourth, by Cramer's rule and up to the determinant.
  TensorList weights;
  for (int i = 0; i < 3; ++i) {
    const Tensor u = select(first, 1, (i + 1) % 3), v = select(first, 1, (i + 2) % 3);
    TensorList normal;
    for (int k = 0; k < 3; ++k) {
      const auto at = [](const Tensor& t, int j) { return select(t, 1, j % 3); };
      normal.push_back(at(u, k + 1) * at(v, k + 2) - at(u, k + 2) * at(v, k + 1));
    }
    weights.push_back(sum(stack(normal, 1) * fourth, DimList(1)));
  }
  return transpose(first * unsqueeze(stack(weights, 1), 2), 1, 2);
}

// The inverse of matrices [batch, 3, 3], up to a factor.
Tensor adjugate(const Tensor& m) {
  TensorList rows;
  for (int i = 0; i < 3; ++i) {
    TensorList row;
    for (int j = 0; j < 3; ++j) {
      const auto at = [&](int r, int c) { return select(select(m, 1, r % 3), 1, c % 3); };
      row.push_back(at(j + 1, i + 1) * at(j + 2, i + 2) - at(j + 1, i + 2) * at(j + 2, i + 1));
    }
    rows.push_back(stack(row, 1));
  }
  return stack(rows, 1);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, perspective_transform,
    (const Tensor& images, const Tensor& start_points, const Tensor& end_points,
     const std::string& interpolation = "bilinear", double fill_value = 0.0),
    .doc =
        "Images [batch, channels, height, width], or one, bent so that four start_points (x, y), [4, 2] or [batch, 4, 2], come to the end_points.",
    .source = "Heckbert 1989, Fundamentals of texture mapping and image warping", .family = Family::index,
    .home = "vision", .method = false,
    .samples =
        "perspective_transform(A(2, 3, 4, 5), add(tensor([[0, 0], [4, 0], [0, 3], [4, 3]]), mul(C(4, 2), 0.1)), "
        "add(tensor([[0, 0], [4, 1], [1, 3], [3, 3]]), mul(C(4, 2), 0.1)))",
    .integers = false, .tolerance = 1e-3) {
  const auto points = [&](const Tensor& p) { return p.rank() == 2 ? unsqueeze(p, 0) : p; };
  const Tensor start = points(start_points), end = points(end_points);
  if (start.rank() != 3 || start.size(1) != 4 || start.size(2) != 2 || end.shape() != start.shape())
    fail<ShapeError>(ErrorCode::sizes_differ, "perspective_transform: takes four points (x, y), [4, 2]")
        .detail("start_points", describe(start_points))
        .detail("end_points", describe(end_points))
        .raise();
  // Elements of the result look where the inverse map sends them.
  const Tensor map = matmul(basis_of(start.to(images.dtype())), adjugate(basis_of(end.to(images.dtype()))));
  const Tensor flat = reshape(map, {-1, 9});
  return transformed(images, narrow(flat, 1, 0, 8) / narrow(flat, 1, 8, 1), interpolation, "constant",
                     fill_value, "perspective_transform");
}

}  // namespace phlox
