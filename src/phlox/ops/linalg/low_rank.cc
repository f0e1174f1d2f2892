// Decompositions of large matrices of low rank by random projections, and a few extreme eigenvalues by iteration.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

void check_rank_asked(const char* operation, const Tensor& A, std::int64_t q) {
  const std::int64_t most = std::min(A.size(-1), A.size(-2));
  if (q >= 0 && q <= most) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: q is {}, not between 0 and {}", operation, q, most)
      .detail("A", describe(A))
      .raise();
}

// An orthonormal basis that nearly holds the range of A.
Tensor range_basis(const Tensor& A, std::int64_t q, std::int64_t niter) {
  const Tensor draw = randn({A.size(-1), q}, info(A.dtype()).real, A.device()).to(A.dtype());
  Tensor basis = std::get<0>(linalg_qr(matmul(A, draw)));
  for (std::int64_t i = 0; i < niter; ++i) {
    basis = std::get<0>(linalg_qr(matmul(adjoint(A), basis)));
    basis = std::get<0>(linalg_qr(matmul(A, basis)));
  }
  return basis;
}

TensorTriple decompose(const Tensor& A, std::int64_t q, std::int64_t niter) {
  if (A.size(-2) < A.size(-1)) {
    const auto [v, s, u] = decompose(adjoint(A), q, niter);
    return {u, s, v};
  }
  const Tensor basis = range_basis(A, q, niter);
  const auto [u, s, vh] = linalg_svd(matmul(adjoint(basis), A), false);
  return {matmul(basis, u), s, adjoint(vh)};
}

}  // namespace

PHLOX_OPERATION(
    TensorTriple, svd_lowrank,
    (const Tensor& A, OptionalInt q = 6, OptionalInt niter = 2, const OptionalTensor& M = {}),
    .doc =
        "U, S, V with A - M about U diag(S) Vᴴ, with q singular values, by random projections and `niter` subspace "
        "iterations: for matrices whose rank is much less than their size.",
    .source = "Halko, Martinsson, Tropp 2009, arXiv:0909.4061", .family = Family::linalg,
    .example = "svd_lowrank(px.diag(px.tensor([3.0, 2.0, 1.0])), q=2)[1]", .integers = false, .complex = true,
    .results = "U S V") {
  const std::int64_t rank = q.value_or(6);
  const Tensor a = as_matrices("svd_lowrank", "A", M ? sub(A, *M) : A);
  check_rank_asked("svd_lowrank", a, rank);
  return decompose(a, rank, niter.value_or(2));
}

PHLOX_OPERATION(
    TensorTriple, pca_lowrank,
    (const Tensor& A, OptionalInt q = {}, bool center = true, std::int64_t niter = 2),
    .doc =
        "The principal components of rows: U, S, V of svd_lowrank() of A with the mean of each column taken off where "
        "`center`. Column i of V is a direction, S[i]² / (m - 1) the variance along it. q is at most 6 by default.",
    .source = "Halko, Martinsson, Tropp 2009, arXiv:0909.4061", .family = Family::linalg,
    .example = "pca_lowrank(px.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]))[1]", .integers = false,
    .complex = true, .results = "U S V") {
  const Tensor a = as_matrices("pca_lowrank", "A", A);
  const std::int64_t rank = q.value_or(std::min({std::int64_t{6}, a.size(-1), a.size(-2)}));
  check_rank_asked("pca_lowrank", a, rank);
  return decompose(center ? sub(a, mean(a, DimList(-2), true)) : a, rank, niter);
}

PHLOX_OPERATION(
    TensorPair, lobpcg,
    (const Tensor& A, OptionalInt k = {}, const OptionalTensor& B = {}, const OptionalTensor& X = {},
     OptionalInt n = {}, const OptionalTensor& iK = {}, OptionalInt niter = {}, OptionalDouble tol = {},
     OptionalBool largest = {}),
    .doc =
        "The k largest (or, with largest=False, smallest) eigenvalues and their vectors of A x = λ B x for symmetric or "
        "Hermitian A and positive-definite B, by locally optimal block preconditioned conjugate gradients. X [m, n] is "
        "where it starts, iK a preconditioner, `tol` the size of residuals beside |A| |x| at which it ends. Not "
        "differentiable.",
    .source = "Knyazev 2001; Duersch et al. 2018, arXiv:1704.07458", .family = Family::linalg,
    .method = false, .example = "lobpcg(px.diag(px.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), k=2)[0]",
    .differentiable = false, .integers = false, .complex = true, .reads_values = true,
    .results = "eigenvalues eigenvectors") {
  const char* const operation = "lobpcg";
  const Tensor a = as_square_matrices(operation, "A", A).detach();
  const std::int64_t m = a.size(-1), count = k.value_or(X ? X->size(-1) : 1);
  const std::int64_t width = X ? X->size(-1) : n.value_or(count);
  if (count < 1 || width < count || 3 * width > m)
    fail<ValueError>(ErrorCode::invalid_value,
                     "lobpcg: {} vectors for {} eigenvalues of a matrix of size {}; 3 n must be at most m",
                     width, count, m)
        .detail("A", describe(A))
        .hint("linalg.eigh")
        .raise();
  const bool up = largest.value_or(true);
  const Tensor b = B ? B->to(a.dtype()).detach() : Tensor();
  const auto weighted = [&](const Tensor& x) { return b.defined() ? matmul(b, x) : x; };
  // Columns of x combined so that they are orthonormal in B.
  const auto orthonormal = [&](const Tensor& x) {
    const Tensor basis = std::get<0>(linalg_qr(x));
    if (!b.defined()) return basis;
    const Tensor factor = cholesky(matmul(adjoint(basis), weighted(basis)));
    return solve_triangular(adjoint(factor), basis, true, false);
  };
  struct Ritz {
    Tensor values, vectors;
  };
  const auto best = [&](const Tensor& space) {
    const auto [values, vectors] = eigh(matmul(adjoint(space), matmul(a, space)));
    const std::int64_t all = values.size(-1);
    const std::int64_t first = up ? all - width : 0;
    Tensor chosen = narrow(values, -1, first, width),
           combined = matmul(space, narrow(vectors, -1, first, width));
    if (up) chosen = flip(chosen, DimList(-1)), combined = flip(combined, DimList(-1));
    return Ritz{chosen, combined};
  };
  Shape start = batch_shape(a);
  start.push_back(m);
  start.push_back(width);
  const DType real = info(a.dtype()).real;
  const Tensor first = X ? X->to(a.dtype()).detach() : randn(start, real, a.device()).to(a.dtype());
  const double tolerance = tol.value_or(std::sqrt(rounding_unit(a.dtype())) * 1e-1);
  const Tensor size = linalg_matrix_norm_named(a, "fro");
  Ritz now = best(orthonormal(first));
  Tensor direction;
  const std::int64_t most = niter.value_or(1000);
  for (std::int64_t step = 0; step < most; ++step) {
    const Tensor residual =
        sub(matmul(a, now.vectors), mul(weighted(now.vectors), unsqueeze(now.values, -2)));
    const Tensor errors = narrow(linalg_vector_norm(residual, 2, DimList(-2)), -1, 0, count);
    if (all(le(errors, mul(unsqueeze(size, -1), tolerance))).item<bool>()) break;
    const Tensor correction = iK ? matmul(iK->to(a.dtype()).detach(), residual) : residual;
    TensorList parts{now.vectors, correction};
    if (direction.defined()) parts.push_back(direction);
    const Ritz next = best(orthonormal(cat(parts, -1)));
    // What the step added to the old vectors.
    direction = sub(next.vectors, matmul(now.vectors, matmul(adjoint(now.vectors), weighted(next.vectors))));
    now = next;
  }
  return {narrow(now.values, -1, 0, count), narrow(now.vectors, -1, 0, count)};
}

}  // namespace phlox
