// Images at positions that a grid gives: grid_sample, and the grids of affine maps.
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/vision/sampling.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

// Positions reflected at two borders until they lie between them.
Tensor reflected(const Tensor& positions, double low, double high) {
  const double span = high - low;
  if (span <= 0) return positions * 0.0;
  const Tensor away = abs(positions - low);
  const Tensor turns = floor(away.detach() / span), rest = away - turns * span;
  return where(eq(remainder(turns, 2.0), 0), rest + low, high - rest);
}

// From [-1, 1] to positions of elements: the corners of the grid are the centres of corner elements or their corners.
Tensor positions_from(const Tensor& coordinates, std::int64_t size, const std::string& padding_mode,
                      bool align_corners, bool clip) {
  const auto n = static_cast<double>(size);
  const Tensor at =
      align_corners ? (coordinates + 1.0) * ((n - 1) / 2) : ((coordinates + 1.0) * n - 1.0) * 0.5;
  if (padding_mode == "zeros" || !clip) return at;
  if (padding_mode == "border") return clip_positions(at, n);
  return clip_positions(align_corners ? reflected(at, 0, n - 1) : reflected(at, -0.5, n - 0.5), n);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, grid_sample,
    (const Tensor& input, const Tensor& grid, const std::string& mode = "bilinear",
     const std::string& padding_mode = "zeros", OptionalBool align_corners = {}),
    .doc =
        "The images [batch, channels, height, width] at the positions (x, y) of the grid [batch, rows, columns, 2], where -1 and 1 are the borders: "
        "[batch, channels, rows, columns]; or volumes with a grid [batch, slices, rows, columns, 3] of (x, y, z). mode is \"bilinear\", \"nearest\" or, for images, \"bicubic\"; "
        "outside are \"zeros\", the \"border\" or its \"reflection\". With align_corners the borders are the centres of the outermost elements.",
    .source = "Jaderberg et al. 2015, arXiv:1506.02025", .family = Family::index, .home = "nn.functional",
    .method = false,
    .samples =
        "grid_sample(A(2, 3, 4, 5), A(2, 3, 2, 2)); grid_sample(A(1, 2, 4, 5), A(1, 3, 2, 2), "
        "padding_mode='border', align_corners=True); grid_sample(A(1, 2, 4, 5), A(1, 3, 2, 2), mode='bicubic', "
        "padding_mode='reflection'); grid_sample(A(1, 2, 3, 4, 5), A(1, 2, 3, 2, 3))",
    .integers = false, .tolerance = 1e-4) {
  const int dims = input.rank() - 2;
  if ((dims != 2 && dims != 3) || grid.rank() != input.rank() || grid.size(0) != input.size(0) ||
      grid.size(-1) != dims)
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "grid_sample: takes [batch, channels, height, width] and a grid [batch, rows, columns, 2], or "
        "one dimension more in each")
        .detail("input", describe(input))
        .detail("grid", describe(grid))
        .raise();
  for (int d = 1; d < input.rank(); ++d)
    if (input.size(d) == 0 && d > 1)
      fail<ShapeError>(ErrorCode::sizes_differ, "grid_sample: the images are empty")
          .detail("input", describe(input))
          .raise();
  if (input.dtype() != grid.dtype() || !is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype,
                     "grid_sample: images and grid are floating numbers of one dtype, not {} and {}",
                     info(input.dtype()).name, info(grid.dtype()).name)
        .detail("input", describe(input))
        .detail("grid", describe(grid))
        .raise();
  const bool cubic = mode == "bicubic";
  if ((mode != "bilinear" && mode != "nearest" && !cubic) || (cubic && dims == 3))
    fail<ValueError>(ErrorCode::invalid_value, "grid_sample: there is no mode '{}' for {} dimensions", mode,
                     dims)
        .hint("\"bilinear\", \"nearest\", or \"bicubic\" for images")
        .raise();
  if (padding_mode != "zeros" && padding_mode != "border" && padding_mode != "reflection")
    fail<ValueError>(ErrorCode::invalid_value, "grid_sample: padding_mode is '{}'", padding_mode)
        .hint("\"zeros\", \"border\" or \"reflection\"")
        .raise();
  const bool align = align_corners.value_or(false);
  // Positions in f32 at least: those of a half would miss elements of large images.
  const DType exact = grid.dtype() == DType::float64 ? DType::float64 : DType::float32;
  Shape spatial;
  for (int d = 0; d < dims; ++d) spatial.push_back(grid.size(1 + d));
  const Tensor coordinates = reshape(grid.to(exact), {grid.size(0), -1, dims});
  const GridRows images = grid_rows(widened(input));
  std::vector<Tensor> positions;
  for (int d = 0; d < dims; ++d)
    positions.push_back(
        positions_from(select(coordinates, 2, dims - 1 - d), input.size(2 + d), padding_mode, align, !cubic));
  if (!cubic) {
    const Outside outside = padding_mode == "zeros" ? Outside::zero : Outside::nearest;
    const Tensor result =
        images_from_samples(sample_grid(images, positions, mode == "bilinear" ? 1 : 0, outside), spatial)
            .to(input.dtype());
    if (mode == "bilinear" || !needs_gradient(grid)) return result;
    // The nearest element does not depend on the position nearby: a gradient of zeros, not none.
    const Tensor still = unsqueeze(select(grid, -1, 0), 1);
    return where(zeros(still.shape(), DType::bool_, grid.device()), still, result);
  }
  const Outside outside = padding_mode == "zeros"    ? Outside::zero
                          : padding_mode == "border" ? Outside::nearest
                          : align                    ? Outside::mirror
                                                     : Outside::reflect;
  return images_from_samples(sample_grid_cubic(images, positions, outside), spatial).to(input.dtype());
}

namespace {

// The numbers that PyTorch's interpreter has for modes.
Tensor grid_sampler_of(const char* operation, int rank, const Tensor& input, const Tensor& grid,
                       std::int64_t interpolation_mode, std::int64_t padding_mode, bool align_corners) {
  static constexpr const char* modes[] = {"bilinear", "nearest", "bicubic"};
  static constexpr const char* paddings[] = {"zeros", "border", "reflection"};
  if (interpolation_mode < 0 || interpolation_mode > 2 || padding_mode < 0 || padding_mode > 2)
    fail<ValueError>(ErrorCode::invalid_value, "{}: modes are 0, 1 or 2, not {} and {}", operation,
                     interpolation_mode, padding_mode)
        .hint("grid_sample takes their names")
        .raise();
  if (input.rank() != rank)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: takes {} dimensions, not {}", operation, rank, input.rank())
        .detail("input", describe(input))
        .raise();
  return grid_sample(input, grid, modes[interpolation_mode], paddings[padding_mode], align_corners);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, grid_sampler_2d,
    (const Tensor& input, const Tensor& grid, std::int64_t interpolation_mode, std::int64_t padding_mode,
     bool align_corners),
    .doc =
        "grid_sample() of images with numbers for modes: 0, 1, 2 are bilinear, nearest, bicubic, and zeros, border, "
        "reflection.",
    .family = Family::index, .method = false,
    .samples = "grid_sampler_2d(A(2, 3, 4, 5), A(2, 3, 2, 2), 0, 1, False)", .integers = false,
    .tolerance = 1e-4) {
  return grid_sampler_of("grid_sampler_2d", 4, input, grid, interpolation_mode, padding_mode, align_corners);
}

PHLOX_OPERATION(Tensor, grid_sampler_3d,
                (const Tensor& input, const Tensor& grid, std::int64_t interpolation_mode,
                 std::int64_t padding_mode, bool align_corners),
                .doc = "grid_sample() of volumes with numbers for modes, as grid_sampler_2d() has them.",
                .family = Family::index, .method = false,
                .samples = "grid_sampler_3d(A(1, 2, 3, 4, 5), A(1, 2, 3, 2, 3), 0, 2, True)",
                .integers = false, .tolerance = 1e-4) {
  return grid_sampler_of("grid_sampler_3d", 5, input, grid, interpolation_mode, padding_mode, align_corners);
}

PHLOX_OPERATION(
    Tensor, affine_grid, (const Tensor& theta, const Shape& size, OptionalBool align_corners = {}),
    .doc =
        "The grid for grid_sample() of the affine maps `theta` [batch, 2, 3] for images of the `size` [batch, channels, height, width], or [batch, "
        "3, 4] for volumes.",
    .source = "Jaderberg et al. 2015, arXiv:1506.02025", .family = Family::index, .home = "nn.functional",
    .method = false,
    .samples =
        "affine_grid(A(2, 2, 3), (2, 1, 3, 4)); affine_grid(A(1, 3, 4), (1, 1, 2, 3, 2), align_corners=True)",
    .integers = false) {
  const auto dims = static_cast<int>(size.size()) - 2;
  if ((dims != 2 && dims != 3) || theta.rank() != 3 || theta.size(0) != size[0] || theta.size(1) != dims ||
      theta.size(2) != dims + 1)
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "affine_grid: takes maps [batch, 2, 3] and a size of 4 numbers, or [batch, 3, 4] and 5 numbers")
        .detail("theta", describe(theta))
        .detail("size", to_string(size))
        .raise();
  if (!is_floating(theta.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "affine_grid: takes floating numbers, not {}",
                     info(theta.dtype()).name)
        .detail("theta", describe(theta))
        .raise();
  for (std::int64_t n : size)
    if (n < 1)
      fail<ValueError>(ErrorCode::invalid_value, "affine_grid: the size [{}] is not positive",
                       to_string(size))
          .raise();
  const bool align = align_corners.value_or(false);
  Shape spatial;
  for (int d = 0; d < dims; ++d) spatial.push_back(size[static_cast<std::size_t>(2 + d)]);
  Tensor result;
  // theta [x, y, 1]: columns of theta times coordinates that vary along one dimension each.
  for (int d = 0; d < dims; ++d) {
    const std::int64_t n = spatial[static_cast<std::size_t>(d)];
    Tensor line =
        n > 1 ? linspace(-1, 1, n, theta.dtype(), theta.device()) : zeros({1}, theta.dtype(), theta.device());
    if (!align) line = line * (static_cast<double>(n - 1) / static_cast<double>(n));
    Shape along(static_cast<std::size_t>(dims) + 2, 1);
    along[static_cast<std::size_t>(d) + 1] = n;
    Shape column(static_cast<std::size_t>(dims) + 2, 1);
    column[0] = size[0];
    column[static_cast<std::size_t>(dims) + 1] = dims;
    const Tensor part = reshape(line, along) * reshape(select(theta, 2, dims - 1 - d), column);
    result = result.defined() ? result + part : part;
  }
  Shape column(static_cast<std::size_t>(dims) + 2, 1);
  column[0] = size[0];
  column[static_cast<std::size_t>(dims) + 1] = dims;
  return result + reshape(select(theta, 2, dims), column);
}

}  // namespace phlox
