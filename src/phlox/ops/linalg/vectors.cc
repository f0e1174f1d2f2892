// Products of vectors, distances between them, and parts and forms of matrices.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

Tensor cross_product(const Tensor& input, const Tensor& other, std::int64_t dim) {
  const Shape shape = broadcast_shapes(input.shape(), other.shape(), "cross");
  const int d = normalize_dim(dim, shape.rank(), "cross");
  const auto has_three = [&](const Tensor& x) {
    const int own = d - (shape.rank() - x.rank());
    return own >= 0 && x.size(own) == 3;
  };
  if (!has_three(input) || !has_three(other))
    fail<ShapeError>(ErrorCode::sizes_differ, "cross: dimension {} needs the size 3", dim)
        .detail("input", describe(input))
        .detail("other", describe(other))
        .raise();
  const Tensor a = expand(input, shape), b = expand(other, shape);
  const auto turned = [&](const Tensor& x, std::int64_t places) {
    return roll(x, DimList(-places), DimList(d));
  };
  return sub(mul(turned(a, 1), turned(b, 2)), mul(turned(a, 2), turned(b, 1)));
}

// The norms of rows; a row of nothing has all norms 0.
Tensor row_norms(const Tensor& rows, double p) { return norm(rows, rows.size(-1) ? p : 1.0, DimList(-1)); }

}  // namespace

PHLOX_OPERATION(
    Tensor, linalg_cross, (const Tensor& input, const Tensor& other, std::int64_t dim = -1),
    .doc = "The cross product along a dimension of size 3; the tensors broadcast.", .family = Family::linalg,
    .home = "linalg", .method = false,
    .samples = "linalg_cross(A(3), A(3)); linalg_cross(A(2, 3), A(3)); linalg_cross(A(3, 4), A(3, 4), dim=0)",
    .reference =
        "np.moveaxis(np.cross(np.moveaxis(np.broadcast_to(input, np.broadcast(input, "
        "other).shape), dim, -1), np.moveaxis(np.broadcast_to(other, np.broadcast(input, "
        "other).shape), dim, -1)), -1, dim)",
    .complex = true) {
  return cross_product(input, other, dim);
}

PHLOX_OPERATION(Tensor, cross, (const Tensor& input, const Tensor& other, OptionalDim dim = {}),
                .doc = "The cross product along `dim`, by default the first dimension of size 3.",
                .family = Family::linalg,
                .samples = "cross(A(4, 3), A(4, 3)); cross(A(3, 3), A(3, 3), dim=1)",
                .reference = "np.cross(input, other)", .complex = true) {
  if (dim) return cross_product(input, other, *dim);
  const Shape shape = broadcast_shapes(input.shape(), other.shape(), "cross");
  const auto found = std::find(shape.begin(), shape.end(), 3);
  if (found == shape.end())
    fail<ShapeError>(ErrorCode::sizes_differ, "cross: no dimension has the size 3")
        .detail("input", describe(input))
        .detail("other", describe(other))
        .raise();
  return cross_product(input, other, found - shape.begin());
}

PHLOX_OPERATION(Tensor, linalg_diagonal,
                (const Tensor& A, std::int64_t offset = 0, std::int64_t dim1 = -2, std::int64_t dim2 = -1),
                .doc = "The diagonals of matrices, as a view whose last dimension they are.",
                .family = Family::view, .home = "linalg", .method = false,
                .samples = "linalg_diagonal(A(2, 3, 4)); linalg_diagonal(A(3, 4), offset=1)",
                .reference = "np.diagonal(A, offset, dim1, dim2)", .complex = true) {
  return diagonal(A, offset, dim1, dim2);
}

PHLOX_OPERATION(
    Tensor, linalg_vander, (const Tensor& x, OptionalInt N = {}),
    .doc = "The powers from 0 to N - 1 of the elements: [..., n] gives [..., n, N], by default N = n.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "linalg_vander(A(3)); linalg_vander(A(2, 4), N=3); linalg_vander(P(3), 5)",
    .reference = "x[..., None] ** np.arange(x.shape[-1] if N is None else N)", .complex = true) {
  if (x.rank() == 0) return linalg_vander(unsqueeze(x, 0), N);
  const std::int64_t count = N.value_or(x.size(-1));
  if (count < 1) fail<ValueError>(ErrorCode::invalid_value, "vander: N is {}", count).raise();
  const Tensor column = unsqueeze(x, -1);
  TensorList powers{ones_like(column)};
  while (static_cast<std::int64_t>(powers.size()) < count) powers.push_back(mul(powers.back(), column));
  return cat(powers, -1);
}

PHLOX_OPERATION(
    Tensor, band_part, (const Tensor& input, std::int64_t num_lower, std::int64_t num_upper),
    .doc =
        "Matrices with zeros outside of a band of `num_lower` diagonals below and `num_upper` above the main one; "
        "negative numbers keep all.",
    .family = Family::linalg, .home = "linalg",
    .samples = "band_part(A(4, 5), 1, 0); band_part(A(2, 4, 4), -1, 1); band_part(A(3, 3), 0, -1)",
    .reference =
        "np.tril(np.triu(input, -num_lower if num_lower >= 0 else -input.shape[-2]), num_upper if num_upper >= 0 "
        "else input.shape[-1])",
    .complex = true) {
  check_matrix("band_part", "input", input);
  Tensor result = input;
  if (num_lower >= 0) result = triu(result, -num_lower);
  if (num_upper >= 0) result = tril(result, num_upper);
  return result;
}

PHLOX_OPERATION(
    Tensor, tridiagonal_solve, (const Tensor& diagonals, const Tensor& rhs),
    .doc =
        "X with T X = rhs for tridiagonal matrices: diagonals [..., 3, n] holds the one above (its last element is not "
        "read), the main one, and the one below (its first element is not read); rhs [..., n, k] or [..., n].",
    .source = "LAPACK gtsv", .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "tridiagonal_solve(add(P(3, 5), px.tensor([[0], [4], [0]])), A(5, 2)); "
        "tridiagonal_solve(add(P(2, 3, 4), px.tensor([[0], [4], [0]])), A(2, 4)); "
        "tridiagonal_solve(P(3, 1), A(1)); "
        "tridiagonal_solve(add(P(3, 4), px.tensor([[0], [4], [0]])), A(2, 4, 1))",
    .reference =
        "(lambda t: np.linalg.solve(t, rhs[..., None])[..., 0] if rhs.ndim == diagonals.ndim - 1 else "
        "np.linalg.solve(t, rhs))((lambda d: d[..., 1, :, None] * np.eye(d.shape[-1]) + d[..., 0, :, None] * "
        "np.eye(d.shape[-1], k=1) + d[..., 2, :, None] * np.eye(d.shape[-1], k=-1))(diagonals))",
    .integers = false, .complex = true, .tolerance = 1e-3) {
  const char* const operation = "tridiagonal_solve";
  check_matrix(operation, "diagonals", diagonals);
  if (rhs.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: rhs needs at least 1 dimension", operation)
        .detail("rhs", describe(rhs))
        .raise();
  const bool vector = rhs.rank() == diagonals.rank() - 1;
  Tensor d = diagonals, b = vector ? unsqueeze(rhs, -1) : rhs;
  check_matrix(operation, "rhs", b);
  if (d.size(-2) != 3 || d.size(-1) != b.size(-2))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: takes diagonals [..., 3, n] and rhs [..., n, k]",
                     operation)
        .detail("diagonals", describe(diagonals))
        .detail("rhs", describe(rhs))
        .raise();
  const DType result = promote(d.dtype(), b.dtype());
  promote_matrices(operation, d, b);
  broadcast_batches(operation, d, b);
  const Tensor x = apply_matrix_routine(
      {.routine = MatrixRoutine::tridiagonal, .checked = true, .operation = operation}, {d, b})[0];
  return (vector ? squeeze(x, -1) : x).to(result);
}

PHLOX_OPERATION(
    Tensor, cdist,
    (const Tensor& x1, const Tensor& x2, double p = 2.0, const OptionalString& compute_mode = {}),
    .doc =
        "The p-norms of the differences between all rows: [..., n, k] and [..., m, k] give [..., n, m]. With "
        "`compute_mode` \"use_mm_for_euclid_dist\" distances come from one product of matrices, fast and less accurate; "
        "by default this is done from 25 rows on, and with \"donot_use_mm_for_euclid_dist\" never.",
    .family = Family::linalg, .method = false,
    .samples =
        "cdist(A(3, 4), A(5, 4)); cdist(A(2, 3, 4), A(2, 2, 4), 1.0); cdist(A(3, 4), A(2, 4), inf); "
        "cdist(A(3, 2), A(2, 2), 0.5); cdist(A(30, 4), A(3, 4))",
    .reference = "np.linalg.norm(x1[..., :, None, :] - x2[..., None, :, :], ord=p, axis=-1)",
    .integers = false, .tolerance = 1e-4) {
  check_matrix("cdist", "x1", x1);
  check_matrix("cdist", "x2", x2);
  if (x1.size(-1) != x2.size(-1))
    fail<ShapeError>(ErrorCode::sizes_differ, "cdist: takes [..., n, k] and [..., m, k]")
        .detail("x1", describe(x1))
        .detail("x2", describe(x2))
        .raise();
  if (p < 0) fail<ValueError>(ErrorCode::invalid_value, "cdist: p is {}, less than 0", p).raise();
  const std::string mode = compute_mode.value_or("use_mm_for_euclid_dist_if_necessary");
  if (mode != "use_mm_for_euclid_dist_if_necessary" && mode != "use_mm_for_euclid_dist" &&
      mode != "donot_use_mm_for_euclid_dist")
    fail<ValueError>(ErrorCode::invalid_value, "cdist: unknown compute_mode '{}'", mode).raise();
  const bool by_product = mode == "use_mm_for_euclid_dist" ||
                          (mode != "donot_use_mm_for_euclid_dist" && (x1.size(-2) > 25 || x2.size(-2) > 25));
  if (p != 2 || !by_product) return row_norms(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), p);
  const Tensor squares1 = sum(mul(x1, x1), DimList(-1), true), squares2 = sum(mul(x2, x2), DimList(-1), true);
  const Tensor squares =
      add(add(squares1, matrix_transpose(squares2)), mul(matmul(x1, matrix_transpose(x2)), -2.0));
  const Tensor is_apart = gt(squares, 0);
  return where(is_apart, sqrt(where(is_apart, squares, 1)), 0);
}

}  // namespace phlox
