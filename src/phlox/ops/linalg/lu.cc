// The LU factorisation with row exchanges, and equations with its factors.
#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

TensorTriple factorize(const char* operation, const Tensor& A, bool pivot, bool checked) {
  const Tensor a = as_matrices(operation, "A", A);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::lu, .pivot = pivot, .checked = checked, .operation = operation}, {a});
  return {results[0].to(A.dtype()), results[1], results[2]};
}

void check_pivots(const char* operation, const Tensor& LU, const Tensor& pivots) {
  check_matrix(operation, "LU", LU);
  Shape expected = batch_shape(LU);
  expected.push_back(std::min(LU.size(-1), LU.size(-2)));
  if (pivots.shape() != expected)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: needs a pivot for each row", operation)
        .detail("LU", describe(LU))
        .detail("pivots", describe(pivots))
        .raise();
  if (pivots.dtype() != DType::int32)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: pivots are int32, as lu_factor gives them", operation)
        .detail("pivots", describe(pivots))
        .hint("<pivots>.to(px.int32)")
        .raise();
}

// A square matrix with a 1 in column i of row rows[i].
Tensor permutation_matrix(const Tensor& rows, DType dtype) {
  const Tensor own = unsqueeze(arange(rows.size(-1), {}, 1, DType::int64, rows.device()), -1);
  return eq(own, unsqueeze(rows, -2)).to(dtype);
}

Tensor lower_factor(const Tensor& packed) {
  return unit_lower_triangle(narrow(packed, -1, 0, std::min(packed.size(-2), packed.size(-1))));
}
Tensor upper_factor(const Tensor& packed) {
  return triu(narrow(packed, -2, 0, std::min(packed.size(-2), packed.size(-1))));
}

Tensor solve_factored(const char* operation, const Tensor& LU, const Tensor& pivots, const Tensor& B,
                      bool left, bool is_adjoint) {
  check_pivots(operation, LU, pivots);
  check_square(operation, "LU", LU);
  check_matrix(operation, "B", B);
  // X op(A) = B is op(A)ᴴ Xᴴ = Bᴴ.
  const Tensor b = left ? B : adjoint(B);
  if (LU.size(-1) != b.size(-2)) throw_rows_differ(operation, LU, B);
  const auto [rows, inverse] = row_permutation(pivots, LU.size(-1));
  Tensor x;
  if (is_adjoint == left) {  // Aᴴ = Uᴴ Lᴴ Pᵀ
    x = solve_triangular(adjoint(LU), b, false);
    x = solve_triangular(adjoint(LU), x, true, true, true);
  }
  const Shape batch = broadcast_shapes(batch_shape(LU), batch_shape(b), operation);
  const auto own_rows = [&](const Tensor& r) { return with_batch_shape(r, batch, 1); };
  if (is_adjoint == left) {
    x = take_rows(x, own_rows(inverse));
  } else {
    x = take_rows(b, own_rows(rows));
    x = solve_triangular(LU, x, false, true, true);
    x = solve_triangular(LU, x, true);
  }
  return left ? x : adjoint(x);
}

}  // namespace

PHLOX_OPERATION(
    TensorPair, lu_factor, (const Tensor& A, bool pivot = true),
    .doc =
        "The LU factorisation of matrices [..., m, n] in compact form: U, below it L without its ones, and the "
        "row exchanges, int32 from 1. A singular matrix raises LinAlgError.",
    .source = "LAPACK getrf", .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "lu_factor(S(3)); lu_factor(S(2, 4)[:, :3]); lu_factor(S(4)[:, :2])",
    .reference =
        "(lambda f: (np.stack([x[0] for x in f]).reshape(A.shape), np.stack([x[1] + 1 for x in "
        "f]).reshape(*A.shape[:-2], -1)))([scipy.linalg.lu_factor(a) for a in A.reshape(-1, *A.shape[-2:])])",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "LU pivots") {
  const auto [factors, pivots, info] = factorize("lu_factor", A, pivot, true);
  return {factors, pivots};
}

PHLOX_OPERATION(
    TensorTriple, lu_factor_ex, (const Tensor& A, bool pivot = true, bool check_errors = false),
    .doc =
        "lu_factor() that does not raise: `info` int32[...] is 0, or the number of the first pivot that is 0.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "lu_factor_ex(S(2, 3)); lu_factor_ex(S(3)[:2], check_errors=True); lu_factor_ex(S(3), pivot=False)",
    .integers = false, .complex = true, .results = "LU pivots info") {
  return factorize("lu_factor_ex", A, pivot, check_errors);
}

PHLOX_OPERATION(
    TensorPair, lu, (const Tensor& A, bool pivot = true, bool get_infos = false),
    .doc =
        "lu_factor() under PyTorch's older name; with `get_infos` a singular matrix does not raise, and info comes as a third "
        "result. linalg.lu() gives the factors apart.",
    .source = "LAPACK getrf", .family = Family::linalg, .samples = "lu(S(3)); lu(S(2, 4)[:, :3])",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "LU pivots") {
  if (get_infos)
    fail<ValueError>(ErrorCode::invalid_value, "lu: gives two tensors")
        .hint("lu_with_infos gives info as well")
        .raise();
  return lu_factor(A, pivot);
}

PHLOX_OPERATION(TensorTriple, lu_with_infos, (const Tensor& A, bool pivot = true, bool get_infos = true),
                .doc = "lu() with info: 0, or the number of the first pivot that is 0.",
                .family = Family::linalg, .method = false, .samples = "lu_with_infos(S(3))",
                .integers = false, .complex = true, .results = "LU pivots info", .overload_of = "lu") {
  static_cast<void>(get_infos);  // tells this operation from lu in Python
  return lu_factor_ex(A, pivot, false);
}

PHLOX_OPERATION(
    TensorTriple, linalg_lu, (const Tensor& A, bool pivot = true),
    .doc =
        "P, L, U with A = P L U: P [..., m, m] a permutation, L [..., m, k] lower with ones on its diagonal, U "
        "[..., k, n] upper. Without `pivot`, P is empty and A = L U.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "linalg_lu(S(3)); linalg_lu(S(2, 4)[:, :3]); linalg_lu(S(4)[:, :2])",
    .reference = "scipy.linalg.lu(A)", .integers = false, .complex = true, .tolerance = 1e-4,
    .results = "P L U") {
  const auto [packed, pivots, info] = factorize("lu", A, pivot, false);
  Tensor p = zeros({0}, A.dtype(), A.device());
  if (pivot) p = permutation_matrix(std::get<0>(row_permutation(pivots, A.size(-2))), A.dtype());
  return {p, lower_factor(packed), upper_factor(packed)};
}

PHLOX_OPERATION(TensorTriple, lu_unpack,
                (const Tensor& LU_data, const Tensor& LU_pivots, bool unpack_data = true,
                 bool unpack_pivots = true),
                .doc = "P, L and U from what lu_factor() gives; those that are not asked for are empty.",
                .family = Family::linalg, .method = false,
                .samples =
                    "lu_unpack(lu_factor(S(3))[0], lu_factor(S(3))[1]); "
                    "lu_unpack(A(2, 3), lu_factor(S(3)[:2])[1], unpack_pivots=False)",
                .integers = false, .complex = true, .results = "P L U") {
  check_pivots("lu_unpack", LU_data, LU_pivots);
  const Tensor empty = zeros({0}, LU_data.dtype(), LU_data.device());
  return {unpack_pivots
              ? permutation_matrix(std::get<0>(row_permutation(LU_pivots, LU_data.size(-2))), LU_data.dtype())
              : empty,
          unpack_data ? lower_factor(LU_data) : empty, unpack_data ? upper_factor(LU_data) : empty};
}

PHLOX_OPERATION(
    Tensor, linalg_lu_solve,
    (const Tensor& LU, const Tensor& pivots, const Tensor& B, bool left = true, bool adjoint = false),
    .doc =
        "X with A X = B, or X A = B where not `left`, or with Aᴴ for `adjoint`, from the factorisation of A by "
        "lu_factor(). Batches broadcast.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_lu_solve(S(3), lu_factor(S(3))[1], A(3, 2)); "
        "linalg_lu_solve(S(3), lu_factor(S(3))[1], A(2, 3), left=False, adjoint=True)",
    .integers = false, .complex = true, .tolerance = 1e-3) {
  return solve_factored("lu_solve", LU, pivots, B, left, adjoint);
}

PHLOX_OPERATION(Tensor, lu_solve, (const Tensor& input, const Tensor& LU_data, const Tensor& LU_pivots),
                .doc = "X with A X = input, from the factorisation of A by lu_factor().",
                .family = Family::linalg, .samples = "lu_solve(A(3, 2), S(3), lu_factor(S(3))[1])",
                .integers = false, .complex = true, .tolerance = 1e-3) {
  return solve_factored("lu_solve", LU_data, LU_pivots, input, true, false);
}

}  // namespace phlox
