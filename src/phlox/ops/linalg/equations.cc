// Linear equations, inverses, and LDL factorisations.
#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// A vector on the right side, as NumPy had it: one dimension, or one less than the matrix and its batch.
bool is_vector_side(const Tensor& a, const Tensor& b) {
  if (b.rank() == 1) return true;
  if (b.rank() != a.rank() - 1) return false;
  const Shape batch = batch_shape(a, 1);
  return b.shape() == batch;
}

TensorPair solve_with_info(const char* operation, const Tensor& A, const Tensor& B, bool left, bool checked) {
  check_square(operation, "A", A);
  if (B.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: B needs at least 1 dimension", operation)
        .detail("B", describe(B))
        .raise();
  const DType result = promote(A.dtype(), B.dtype());
  const bool vector = is_vector_side(A, B);
  if (vector && !left)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: with left=False B must hold matrices", operation)
        .detail("A", describe(A))
        .detail("B", describe(B))
        .hint("<B>.unsqueeze(-2), a row")
        .raise();
  Tensor a = A, b = vector ? unsqueeze(B, -1) : B;
  promote_matrices(operation, a, b);
  if (!left) a = matrix_transpose(a), b = matrix_transpose(b);
  if (a.size(-1) != b.size(-2)) throw_rows_differ(operation, A, B);
  broadcast_batches(operation, a, b);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::solve, .checked = checked, .operation = operation}, {a, b});
  Tensor x = results[0];
  if (!left) x = matrix_transpose(x);
  if (vector) x = squeeze(x, -1);
  return {x.to(result), results[1]};
}

TensorPair inverse_with_info(const char* operation, const Tensor& A, bool checked) {
  const Tensor a = as_square_matrices(operation, "A", A);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::inverse, .checked = checked, .operation = operation}, {a});
  return {results[0].to(A.dtype()), results[1]};
}

TensorTriple ldl(const char* operation, const Tensor& input, bool hermitian, bool checked) {
  const Tensor a = as_square_matrices(operation, "input", input);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::ldl, .hermitian = hermitian, .checked = checked, .operation = operation},
      {a});
  return {results[0], results[1], results[2]};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, solve, (const Tensor& A, const Tensor& B, bool left = true),
    .doc =
        "X with A X = B, or X A = B where not `left`: A [..., n, n], B [..., n, k] or a vector [..., n]. Batches "
        "broadcast. A singular matrix raises LinAlgError.",
    .source = "LAPACK getrf, getrs", .family = Family::linalg, .home = "linalg",
    .samples =
        "solve(S(3), A(3, 2)); solve(S(2, 3), A(2, 3)); solve(S(3), A(3)); solve(S(2, 3), A(4, 1, 3, 2)); "
        "solve(S(3), A(2, 3), left=False); solve(S(3), A(3, 0))",
    .reference =
        "np.linalg.solve(A, B[..., None] if B.ndim == 1 or B.shape == A.shape[:-1] else B).reshape(B.shape if "
        "B.ndim == 1 or B.shape == A.shape[:-1] else np.broadcast_shapes(A.shape[:-2], B.shape[:-2]) + "
        "B.shape[-2:]) if left else np.swapaxes(np.linalg.solve(np.swapaxes(A, -1, -2), np.swapaxes(B, -1, -2)), "
        "-1, -2)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  return std::get<0>(solve_with_info("solve", A, B, left, true));
}

PHLOX_OPERATION(
    TensorPair, solve_ex, (const Tensor& A, const Tensor& B, bool left = true, bool check_errors = false),
    .doc =
        "solve() that does not raise: `info` int32[...] is 0, or the number of the first pivot that is 0, and then "
        "the result is not defined.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "solve_ex(S(2, 3), A(2, 3, 2)); solve_ex(S(3), A(3, 1), check_errors=True)",
    .reference = "(np.linalg.solve(A, B), np.zeros(A.shape[:-2], np.int32))", .integers = false,
    .complex = true, .tolerance = 1e-4, .results = "result info") {
  return solve_with_info("solve_ex", A, B, left, check_errors);
}

PHLOX_OPERATION(
    Tensor, solve_triangular,
    (const Tensor& input, const Tensor& B, bool upper, bool left = true, bool unitriangular = false),
    .doc =
        "X with A X = B, or X A = B where not `left`, for triangular matrices A: the other triangle is not read, "
        "and with `unitriangular` nor is the diagonal. Batches broadcast. A 0 on the diagonal gives infinities.",
    .source = "BLAS trsm", .family = Family::linalg, .home = "linalg",
    .samples =
        "solve_triangular(S(3), A(3, 2), upper=True); solve_triangular(S(2, 3), A(3, 2), upper=False); "
        "solve_triangular(S(3), A(2, 3), upper=True, left=False); "
        "solve_triangular(S(3), A(4, 3, 2), upper=False, unitriangular=True)",
    .reference =
        "(lambda t: np.linalg.solve(t, B) if left else np.swapaxes(np.linalg.solve(np.swapaxes(t, -1, -2), "
        "np.swapaxes(B, -1, -2)), -1, -2))((np.triu if upper else np.tril)(input) if not unitriangular else "
        "(np.triu(input, 1) if upper else np.tril(input, -1)) + np.eye(input.shape[-1]))",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  const char* const operation = "solve_triangular";
  check_square(operation, "A", input);
  check_matrix(operation, "B", B);
  const DType result = promote(input.dtype(), B.dtype());
  Tensor a = input, b = B;
  promote_matrices(operation, a, b);
  if (!left) a = matrix_transpose(a), b = matrix_transpose(b);
  if (a.size(-1) != b.size(-2)) throw_rows_differ(operation, input, B);
  broadcast_batches(operation, a, b);
  const Tensor x = apply_matrix_routine({.routine = MatrixRoutine::solve_triangular,
                                         .upper = upper == left,
                                         .unit = unitriangular,
                                         .operation = operation},
                                        {a, b})[0];
  return (left ? x : matrix_transpose(x)).to(result);
}

PHLOX_OPERATION(
    TensorPair, triangular_solve,
    (const Tensor& input, const Tensor& A, bool upper = true, bool transpose = false,
     bool unitriangular = false),
    .doc =
        "X with A X = input, or Aᵀ X = input, for triangular A; and a copy of A. Prefer solve_triangular().",
    .family = Family::linalg,
    .samples =
        "triangular_solve(A(3, 2), S(3)); triangular_solve(A(3, 2), S(3), upper=False, transpose=True)",
    .reference =
        "(lambda t: (np.linalg.solve(np.swapaxes(t, -1, -2) if transpose else t, input), A))((np.triu if upper "
        "else np.tril)(A))",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "solution cloned_coefficient") {
  check_square("triangular_solve", "A", A);
  check_matrix("triangular_solve", "input", input);
  Tensor a = A, b = input;
  broadcast_batches("triangular_solve", a, b);
  const Tensor x = transpose ? solve_triangular(matrix_transpose(a), b, !upper, true, unitriangular)
                             : solve_triangular(a, b, upper, true, unitriangular);
  return {x, a.clone()};
}

PHLOX_OPERATION(Tensor, inv, (const Tensor& A),
                .doc =
                    "The inverses of square matrices [..., n, n]. A singular matrix raises LinAlgError. "
                    "solve(A, B) is faster and more accurate than inv(A) @ B.",
                .source = "LAPACK getrf, getri", .family = Family::linalg, .alias = "inverse",
                .home = "linalg", .samples = "inv(S(3)); inv(S(2, 1, 4)); inv(S(0))",
                .reference = "np.linalg.inv(A)", .integers = false, .complex = true, .tolerance = 1e-4) {
  return std::get<0>(inverse_with_info("inv", A, true));
}

PHLOX_OPERATION(
    TensorPair, inv_ex, (const Tensor& A, bool check_errors = false),
    .doc =
        "inv() that does not raise: `info` int32[...] is 0, or the number of the first pivot that is 0; the result "
        "is infinite there.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "inv_ex(S(2, 3)); inv_ex(S(3), check_errors=True)",
    .reference = "(np.linalg.inv(A), np.zeros(A.shape[:-2], np.int32))", .integers = false, .complex = true,
    .tolerance = 1e-4, .results = "inverse info") {
  return inverse_with_info("inv_ex", A, check_errors);
}

PHLOX_OPERATION(
    TensorPair, ldl_factor, (const Tensor& input, bool hermitian = false),
    .doc =
        "The factorisation A = L D Lᵀ of symmetric matrices (complex ones too, or A = L D Lᴴ with `hermitian`) in "
        "LAPACK's compact form, for ldl_solve(). Not differentiable.",
    .source = "Bunch, Kaufman 1977; LAPACK sytrf, hetrf", .family = Family::linalg, .home = "linalg",
    .method = false, .samples = "ldl_factor(S(3)); ldl_factor(S(2, 4), hermitian=True)",
    .differentiable = false, .integers = false, .complex = true, .results = "LD pivots") {
  const auto [factors, pivots, info] = ldl("ldl_factor", input, hermitian, true);
  return {factors, pivots};
}

PHLOX_OPERATION(
    TensorTriple, ldl_factor_ex, (const Tensor& input, bool hermitian = false, bool check_errors = false),
    .doc =
        "ldl_factor() that does not raise: `info` int32[...] is 0, or the number of a block of D that is 0.",
    .family = Family::linalg, .home = "linalg", .method = false, .samples = "ldl_factor_ex(S(2, 3))",
    .differentiable = false, .integers = false, .complex = true, .results = "LD pivots info") {
  return ldl("ldl_factor_ex", input, hermitian, check_errors);
}

PHLOX_OPERATION(
    Tensor, ldl_solve, (const Tensor& LD, const Tensor& pivots, const Tensor& B, bool hermitian = false),
    .doc = "X with A X = B, from the factorisation of A by ldl_factor(). Differentiable with respect to B.",
    .source = "LAPACK sytrs, hetrs", .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "ldl_solve(ldl_factor(S(3))[0], ldl_factor(S(3))[1], A(3, 2))", .differentiable = false,
    .integers = false, .complex = true) {
  const char* const operation = "ldl_solve";
  check_square(operation, "LD", LD);
  check_matrix(operation, "B", B);
  if (LD.size(-1) != B.size(-2)) throw_rows_differ(operation, LD, B);
  if (pivots.shape() != batch_shape(LD, 1))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: needs a pivot for each row", operation)
        .detail("LD", describe(LD))
        .detail("pivots", describe(pivots))
        .raise();
  if (pivots.dtype() != DType::int32)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: pivots are int32", operation)
        .detail("pivots", describe(pivots))
        .raise();
  Tensor a = LD, b = B;
  promote_matrices(operation, a, b);
  broadcast_batches(operation, a, b);
  const Tensor own = with_batch_shape(pivots, batch_shape(a), 1);
  return apply_matrix_routine(
      {.routine = MatrixRoutine::ldl_solve, .hermitian = hermitian, .operation = operation}, {a, own, b})[0];
}

PHLOX_OPERATION(
    Tensor, tensorinv, (const Tensor& input, std::int64_t ind = 2),
    .doc =
        "The inverse of the linear map that tensordot(input, x, ind) is: the sizes before and behind dimension "
        "`ind` must have the same product.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "tensorinv(reshape(S(24), (4, 6, 8, 3))); tensorinv(reshape(S(6), (6, 3, 2)), ind=1)",
    .reference = "np.linalg.tensorinv(input, ind)", .integers = false, .complex = true, .tolerance = 1e-2) {
  if (ind <= 0 || ind > input.rank())
    fail<ValueError>(ErrorCode::invalid_value, "tensorinv: ind is {}, of {} dimensions", ind, input.rank())
        .detail("input", describe(input))
        .raise();
  Shape behind, before;
  std::int64_t rows = 1, columns = 1;
  for (int d = 0; d < input.rank(); ++d) {
    if (d < ind) before.push_back(input.size(d)), rows *= input.size(d);
    else behind.push_back(input.size(d)), columns *= input.size(d);
  }
  if (rows != columns)
    fail<ShapeError>(ErrorCode::sizes_differ, "tensorinv: {} rows and {} columns are not square", rows,
                     columns)
        .detail("input", describe(input))
        .raise();
  Shape shape = behind;
  for (std::int64_t size : before) shape.push_back(size);
  return reshape(inv(reshape(input, {rows, columns})), shape);
}

PHLOX_OPERATION(
    Tensor, tensorsolve, (const Tensor& input, const Tensor& other, const OptionalDims& dims = {}),
    .doc = "X with tensordot(input, X, X.rank()) = other; `dims` of the input are moved to its end before.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "tensorsolve(reshape(S(24), (6, 4, 2, 3, 4)), A(6, 4)); tensorsolve(reshape(S(6), (2, 3, 6)), A(2, 3))",
    .reference = "np.linalg.tensorsolve(input, other, dims)", .integers = false, .complex = true,
    .tolerance = 1e-3) {
  Tensor a = input;
  if (dims) {
    DimList last;
    for (std::size_t i = 0; i < dims->size(); ++i)
      last.push_back(static_cast<std::int64_t>(i) - static_cast<std::int64_t>(dims->size()));
    a = movedim(a, *dims, last);
  }
  Shape shape;
  std::int64_t columns = 1;
  for (int d = other.rank(); d < a.rank(); ++d) shape.push_back(a.size(d)), columns *= a.size(d);
  if (columns != other.numel() || a.numel() != columns * columns)
    fail<ShapeError>(ErrorCode::sizes_differ, "tensorsolve: {} equations for {} unknowns", other.numel(),
                     columns)
        .detail("input", describe(input))
        .detail("other", describe(other))
        .raise();
  return reshape(solve(reshape(a, {columns, columns}), reshape(other, {columns})), shape);
}

}  // namespace phlox
