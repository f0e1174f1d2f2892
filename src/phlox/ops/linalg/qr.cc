// The QR factorisation and products of Householder reflectors.
#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

TensorPair factorize(const Tensor& input, bool complete) {
  const Tensor a = as_matrices("qr", "input", input);
  const std::int64_t m = a.size(-2), n = a.size(-1);
  const auto run = [&](const Tensor& x) {
    const TensorList results = apply_matrix_routine(
        {.routine = MatrixRoutine::qr, .full = complete && m > n, .operation = "qr"}, {x});
    return TensorPair{results[0], results[1]};
  };
  if (m >= n) return run(a);
  // The columns behind the first m do not change Q.
  const auto [q, r] = run(narrow(a, -1, 0, m));
  return {q, cat({r, matmul(adjoint(q), narrow(a, -1, m, n - m))}, -1)};
}

// H₁ H₂ ... Hₖ = 1 - V T Vᴴ with Hᵢ = 1 - τᵢ vᵢ vᵢᴴ and T = (1 + D S)⁻¹ D, where D has τ on its diagonal and S is the
// strict upper triangle of Vᴴ V (Schreiber, Van Loan 1989).
struct Reflectors {
  Tensor v;  // [..., m, k]
  Tensor t;  // [..., k, k]
};
Reflectors reflectors(const Tensor& input, const Tensor& tau) {
  const std::int64_t k = tau.size(-1);
  const Tensor v = unit_lower_triangle(narrow(input, -1, 0, k));
  const Tensor d = diag_embed(tau);
  const Tensor overlaps = triu(matmul(adjoint(v), v), 1);
  const Tensor system = add(matmul(d, overlaps), eye(k, {}, v.dtype(), v.device()));
  return {v, solve_triangular(system, d, true, true, true)};
}

void check_tau(const char* operation, const Tensor& input, const Tensor& tau) {
  check_matrix(operation, "input", input);
  const std::int64_t m = input.size(-2), n = input.size(-1);
  if (tau.rank() != input.rank() - 1 || batch_shape(tau, 1) != batch_shape(input) ||
      tau.size(-1) > std::min(m, n))
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "{}: takes reflectors [..., m, n], and numbers tau [..., k] for at most min(m, n) of them", operation)
        .detail("input", describe(input))
        .detail("tau", describe(tau))
        .raise();
  if (tau.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: tau must have the dtype of the input", operation)
        .detail("input", describe(input))
        .detail("tau", describe(tau))
        .raise();
}

}  // namespace

PHLOX_OPERATION(
    TensorPair, linalg_qr, (const Tensor& A, const std::string& mode = "reduced"),
    .doc =
        "Q and R with A = Q R: Q has orthonormal columns, R is an upper triangle. A [..., m, n] gives for \"reduced\" "
        "[..., m, k] and [..., k, n], k = min(m, n); for \"complete\" [..., m, m] and [..., m, n]; for \"r\" an empty Q "
        "and the reduced R.",
    .source = "LAPACK geqrf, orgqr", .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_qr(S(3)); linalg_qr(S(4)[:, :3]); linalg_qr(S(2, 4)[:, :3]); linalg_qr(S(4)[:, :3].detach(), mode='complete'); "
        "linalg_qr(S(4)[:3], mode='complete')",
    .reference = "np.linalg.qr(A, mode)", .integers = false, .complex = true, .tolerance = 1e-4,
    .results = "Q R") {
  if (mode != "reduced" && mode != "complete" && mode != "r")
    fail<ValueError>(ErrorCode::invalid_value, "qr: the mode is 'reduced', 'complete' or 'r', not '{}'", mode)
        .raise();
  const auto [q, r] = factorize(A, mode == "complete");
  return {mode == "r" ? zeros({0}, A.dtype(), A.device()) : q.to(A.dtype()), r.to(A.dtype())};
}

PHLOX_OPERATION(TensorPair, qr, (const Tensor& input, bool some = true),
                .doc = "linalg.qr, reduced or, where not `some`, complete.", .family = Family::linalg,
                .samples = "qr(S(4)[:, :3]); qr(S(4)[:3]); qr(S(4)[:, :3].detach(), some=False)",
                .reference = "np.linalg.qr(input, 'reduced' if some else 'complete')", .integers = false,
                .complex = true, .tolerance = 1e-4, .results = "Q R") {
  const auto [q, r] = factorize(input, !some);
  return {q.to(input.dtype()), r.to(input.dtype())};
}

PHLOX_OPERATION(
    TensorPair, geqrf, (const Tensor& input),
    .doc =
        "The QR factorisation in LAPACK's compact form: R with the Householder reflectors below it, and their "
        "factors tau. Not differentiable; linalg.qr is.",
    .source = "LAPACK geqrf", .family = Family::linalg, .samples = "geqrf(A(4, 3)); geqrf(A(2, 3, 4))",
    .differentiable = false, .integers = false, .complex = true, .results = "a tau") {
  const TensorList results = apply_matrix_routine({.routine = MatrixRoutine::geqrf, .operation = "geqrf"},
                                                  {as_matrices("geqrf", "input", input)});
  return {results[0].to(input.dtype()), results[1].to(input.dtype())};
}

PHLOX_OPERATION(
    Tensor, householder_product, (const Tensor& input, const Tensor& tau),
    .doc =
        "The first n columns of the product of Householder reflectors 1 - tau v vᴴ, whose vectors v are the columns "
        "of the strict lower triangle of input [..., m, n] with a 1 above.",
    .source = "Schreiber, Van Loan 1989; LAPACK orgqr", .family = Family::linalg, .alias = "orgqr",
    .home = "linalg",
    .samples = "householder_product(A(4, 3), A(3)); householder_product(A(2, 3, 3), A(2, 2))",
    .reference =
        "np.stack([__import__('functools').reduce(np.matmul, [np.eye(len(a)) - t * np.outer(v, np.conj(v)) for "
        "t, v in zip(s, (np.tril(a, -1) + np.eye(*a.shape)).T)])[:, :a.shape[1]] for a, s in "
        "zip(input.reshape(-1, *input.shape[-2:]), tau.reshape(-1, tau.shape[-1]))]).reshape(input.shape)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  const char* const operation = "householder_product";
  check_tau(operation, input, tau);
  const DType dtype = matrix_dtype(operation, input);
  const std::int64_t m = input.size(-2), n = input.size(-1);
  if (n > m)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} columns of a product of size {}", operation, n, m)
        .detail("input", describe(input))
        .raise();
  const auto [v, t] = reflectors(input.to(dtype), tau.to(dtype));
  const Tensor change = matmul(v, matmul(t, adjoint(narrow(v, -2, 0, n))));
  return sub(eye(m, n, dtype, input.device()), change).to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, ormqr,
    (const Tensor& input, const Tensor& tau, const Tensor& other, bool left = true, bool transpose = false),
    .doc =
        "Q other, or other Q where not `left`, with Q (or Qᴴ for `transpose`) the whole [m, m] product of the "
        "reflectors of householder_product().",
    .source = "Schreiber, Van Loan 1989; LAPACK ormqr", .family = Family::linalg,
    .samples =
        "ormqr(A(4, 3), A(3), A(4, 2)); ormqr(A(4, 3), A(3), A(2, 4), left=False, transpose=True); "
        "ormqr(A(2, 3, 3), A(2, 2), A(2, 3, 1), transpose=True)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  const char* const operation = "ormqr";
  check_tau(operation, input, tau);
  check_matrix(operation, "other", other);
  if (other.size(left ? -2 : -1) != input.size(-2)) throw_rows_differ(operation, input, other);
  const DType dtype = matrix_dtype(operation, input);
  const Tensor c = other.to(dtype);
  const auto [v, factor] = reflectors(input.to(dtype), tau.to(dtype));
  const Tensor t = transpose ? adjoint(factor) : factor, vh = adjoint(v);
  const Tensor change = left ? matmul(v, matmul(t, matmul(vh, c))) : matmul(matmul(matmul(c, v), t), vh);
  return sub(c, change).to(input.dtype());
}

}  // namespace phlox
