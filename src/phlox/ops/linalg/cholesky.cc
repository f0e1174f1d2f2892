// The Cholesky factorisation, and equations with its factors.
#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

TensorPair factorize(const char* operation, const Tensor& input, bool upper, bool checked) {
  const Tensor a = as_square_matrices(operation, "input", input);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::cholesky, .upper = upper, .checked = checked, .operation = operation}, {a});
  return {results[0].to(input.dtype()), results[1]};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, cholesky, (const Tensor& input, bool upper = false),
    .doc =
        "The lower triangle L with input = L Lᴴ, or the upper U with input = Uᴴ U, of symmetric or Hermitian "
        "positive-definite matrices [..., n, n]. Only one triangle of the input is read. Others raise "
        "LinAlgError.",
    .source = "LAPACK potrf", .family = Family::linalg, .home = "linalg",
    .samples =
        "cholesky(S(3).detach()); cholesky(S(2, 4).detach(), upper=True); cholesky(S(1).detach()); cholesky(S(0))",
    .reference = "np.linalg.cholesky(input, upper=upper)", .integers = false, .complex = true,
    .tolerance = 1e-4) {
  return std::get<0>(factorize("cholesky", input, upper, true));
}

PHLOX_OPERATION(
    TensorPair, cholesky_ex, (const Tensor& input, bool upper = false, bool check_errors = false),
    .doc =
        "cholesky() that does not raise: `info` int32[...] is 0, or the order of the first leading minor that is "
        "not positive.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "cholesky_ex(S(2, 3).detach()); cholesky_ex(S(3).detach(), upper=True, check_errors=True)",
    .reference = "(np.linalg.cholesky(input, upper=upper), np.zeros(input.shape[:-2], np.int32))",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "L info") {
  return factorize("cholesky_ex", input, upper, check_errors);
}

PHLOX_OPERATION(
    Tensor, cholesky_solve, (const Tensor& input, const Tensor& L, bool upper = false),
    .doc = "X with L Lᴴ X = input, from the factor L (or U with Uᴴ U) of cholesky(); batches broadcast.",
    .family = Family::linalg,
    .samples =
        "cholesky_solve(A(3, 2), cholesky(S(3))); cholesky_solve(A(2, 3, 1), cholesky(S(3), True), True)",
    .reference =
        "np.linalg.solve(np.conj(np.swapaxes(L, -1, -2)) @ L if upper else L @ np.conj(np.swapaxes(L, -1, -2)), "
        "input)",
    .integers = false, .complex = true, .tolerance = 1e-3) {
  check_matrix("cholesky_solve", "input", input);
  if (upper) return solve_triangular(L, solve_triangular(adjoint(L), input, false), true);
  return solve_triangular(adjoint(L), solve_triangular(L, input, false), true);
}

PHLOX_OPERATION(
    Tensor, cholesky_inverse, (const Tensor& input, bool upper = false),
    .doc = "The inverse of the matrices whose Cholesky factor is given.", .family = Family::linalg,
    .samples = "cholesky_inverse(cholesky(S(3))); cholesky_inverse(cholesky(S(2, 3), True), True)",
    .reference =
        "np.linalg.inv(np.conj(np.swapaxes(input, -1, -2)) @ input if upper else input @ "
        "np.conj(np.swapaxes(input, -1, -2)))",
    .integers = false, .complex = true, .tolerance = 1e-3) {
  const Tensor factor = as_square_matrices("cholesky_inverse", "input", input);
  return cholesky_solve(eye(factor.size(-1), {}, factor.dtype(), factor.device()), factor, upper)
      .to(input.dtype());
}

}  // namespace phlox
