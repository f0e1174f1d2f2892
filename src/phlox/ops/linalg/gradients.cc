// Gradients of the matrix routines, written with operations, so that they can be differentiated again.
//
// G stands for the gradient of a result in the conjugate Wirtinger convention, so that the change of the loss is
// Re tr(Gᴴ dX). Each formula is the adjoint of the differential of its routine (Giles 2008, "Collected matrix derivative
// results for forward and reverse mode algorithmic differentiation", and what follows from it for complex matrices).
#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"

namespace phlox {
namespace {

Tensor strict_lower(const Tensor& x) { return tril(x, -1); }

// 1 / (s_j - s_i) off the diagonal, 0 on it.
Tensor reciprocal_gaps(const Tensor& s) {
  const Tensor gaps = sub(unsqueeze(s, -2), unsqueeze(s, -1));
  const Tensor diagonal_mask = eye(s.size(-1), {}, DType::bool_, s.device());
  return where(diagonal_mask, 0, reciprocal(where(diagonal_mask, 1, gaps)));
}

Tensor real_diagonal(const Tensor& x) { return real(diagonal(x, 0, -2, -1)); }

// A solution of op(A) X = B with a triangular A, where op is the adjoint.
Tensor solve_adjoint(const Tensor& triangle, const Tensor& b, bool upper, bool unit = false) {
  return solve_triangular(adjoint(triangle), b, !upper, true, unit);
}
// B op(A)⁻¹ with a triangular A.
Tensor divide_by_adjoint(const Tensor& b, const Tensor& triangle, bool upper, bool unit = false) {
  return solve_triangular(adjoint(triangle), b, !upper, false, unit);
}

// dL = L Φ(L⁻¹ dA L⁻ᴴ), where Φ takes the lower triangle with half of the diagonal.
Tensor cholesky_gradient(const Tensor& factor, const Tensor& gradient, bool upper) {
  const Tensor lower = upper ? adjoint(factor) : factor;
  const Tensor g = upper ? adjoint(gradient) : gradient;
  const Tensor inner = tril(matmul(adjoint(lower), g));
  const Tensor symmetric = mul(add(inner, adjoint(strict_lower(inner))), 0.5);
  return solve_triangular(lower, solve_adjoint(lower, symmetric, false), false, false);
}

Tensor lu_gradient(const MatrixGradient& call) {
  const Tensor &packed = call.results[0], &gradient = call.gradients[0];
  const std::int64_t m = packed.size(-2), n = packed.size(-1), k = std::min(m, n);
  const auto block = [&](const Tensor& x, std::int64_t row, std::int64_t rows, std::int64_t column,
                         std::int64_t columns) {
    return narrow(narrow(x, -2, row, rows), -1, column, columns);
  };
  const Tensor square = block(packed, 0, k, 0, k), square_gradient = block(gradient, 0, k, 0, k);
  const Tensor unit_lower = unit_lower_triangle(square), upper = triu(square);
  Tensor below = matmul(adjoint(unit_lower), strict_lower(square_gradient));
  Tensor above = matmul(triu(square_gradient), adjoint(upper));
  if (n > k)
    below = sub(below, matmul(block(gradient, 0, k, k, n - k), adjoint(block(packed, 0, k, k, n - k))));
  if (m > k)
    above = sub(above, matmul(adjoint(block(packed, k, m - k, 0, k)), block(gradient, k, m - k, 0, k)));
  const Tensor inner = add(strict_lower(below), triu(above));
  Tensor result = divide_by_adjoint(solve_adjoint(unit_lower, inner, false, true), upper, true);
  if (n > k)
    result = cat({result, solve_adjoint(unit_lower, block(gradient, 0, k, k, n - k), false, true)}, -1);
  if (m > k) result = cat({result, divide_by_adjoint(block(gradient, k, m - k, 0, k), upper, true)}, -2);
  const auto [rows, inverse] = row_permutation(call.results[1], m);
  return take_rows(result, inverse);
}

// For as many rows as columns or more; wide matrices are put together from this (ops/linalg/qr.cc).
Tensor qr_gradient(const MatrixGradient& call) {
  const Tensor &q = call.results[0], &r = call.results[1];
  if (q.size(-1) != r.size(-1))
    fail<NotSupportedError>(ErrorCode::not_supported,
                            "qr: the complete Q of a matrix with more rows than columns has no gradient")
        .detail("Q", describe(q))
        .hint("mode=\"reduced\"")
        .raise();
  const Tensor &q_gradient = call.gradients[0], &r_gradient = call.gradients[1];
  Tensor inner;
  if (r_gradient.defined()) inner = matmul(r_gradient, adjoint(r));
  if (q_gradient.defined()) {
    const Tensor part = matmul(adjoint(q), q_gradient);
    inner = inner.defined() ? sub(inner, part) : neg(part);
  }
  inner = triu(inner);
  const Tensor above = triu(inner, 1);
  const Tensor hermitian = add(add(above, adjoint(above)), diag_embed(real_diagonal(inner)));
  Tensor result = matmul(q, hermitian);
  if (q_gradient.defined()) result = add(result, q_gradient);
  return divide_by_adjoint(result, r, true);
}

Tensor eigh_gradient(const Tensor& values, const Tensor& vectors, const Tensor& values_gradient,
                     const Tensor& vectors_gradient) {
  Tensor inner;
  if (vectors_gradient.defined())
    inner = mul(matmul(adjoint(vectors), vectors_gradient), reciprocal_gaps(values));
  if (values_gradient.defined()) {
    if (!inner.defined()) return matmul(mul(vectors, unsqueeze(values_gradient, -2)), adjoint(vectors));
    inner = add(inner, diag_embed(values_gradient));
  }
  const Tensor result = matmul(matmul(vectors, inner), adjoint(vectors));
  // Both triangles stand for the same numbers.
  return mul(add(result, adjoint(result)), 0.5);
}

// Eigenvectors have length 1; the part of their gradient along themselves that lengthens them does not count.
Tensor eig_gradient(const Tensor& input, const Tensor& values, const Tensor& vectors,
                    const Tensor& values_gradient, const Tensor& vectors_gradient) {
  Tensor inner;
  if (vectors_gradient.defined()) {
    const Tensor along = matmul(adjoint(vectors), vectors_gradient);
    const Tensor lengths = unsqueeze(real_diagonal(along), -2);
    const Tensor free = sub(along, mul(matmul(adjoint(vectors), vectors), lengths));
    inner = mul(free, conj(reciprocal_gaps(values)));
  }
  if (values_gradient.defined()) {
    const Tensor diagonal_part = diag_embed(values_gradient);
    inner = inner.defined() ? add(inner, diagonal_part) : diagonal_part;
  }
  const Tensor result = solve(adjoint(vectors), matmul(inner, adjoint(vectors)));
  return is_complex(input.dtype()) ? result : real(result).clone();
}

Tensor svd_gradient(const MatrixGradient& call) {
  const Tensor& s = call.results[1];
  const std::int64_t k = s.size(-1);
  const Tensor u = narrow(call.results[0], -1, 0, k), vh = narrow(call.results[2], -2, 0, k);
  const bool complex_numbers = is_complex(u.dtype());
  const Tensor column = unsqueeze(s, -1), row = unsqueeze(s, -2);
  const auto skew = [](const Tensor& x) { return sub(x, adjoint(x)); };
  Tensor inner, gu, gv, phases;
  if (call.gradients[1].defined()) inner = diag_embed(call.gradients[1].to(u.dtype()));
  const auto gather_part = [&](const Tensor& part) { inner = inner.defined() ? add(inner, part) : part; };
  // 1 / (s_j² - s_i²) as a product, which loses less.
  const Tensor sums = add(row, column);
  const Tensor gaps = div(reciprocal_gaps(s), where(eq(sums, 0), 1, sums));
  if (call.gradients[0].defined()) {
    gu = narrow(call.gradients[0], -1, 0, k);
    const Tensor rotation = skew(matmul(adjoint(u), gu));
    gather_part(mul(mul(rotation, gaps), row));
    if (complex_numbers) phases = div(diagonal(rotation, 0, -2, -1), mul(s, 2));
  }
  if (call.gradients[2].defined()) {
    gv = adjoint(narrow(call.gradients[2], -2, 0, k));
    const Tensor rotation = skew(matmul(vh, gv));
    gather_part(mul(column, mul(rotation, gaps)));
  }
  if (phases.defined()) gather_part(diag_embed(phases));
  Tensor result = matmul(matmul(u, inner), vh);
  if (gu.defined() && u.size(-2) > k) {
    const Tensor scaled = div(gu, row);
    result = add(result, matmul(sub(scaled, matmul(u, matmul(adjoint(u), scaled))), vh));
  }
  if (gv.defined() && vh.size(-1) > k) {
    const Tensor scaled = adjoint(div(gv, row));
    result = add(result, matmul(u, sub(scaled, matmul(matmul(scaled, adjoint(vh)), vh))));
  }
  return result;
}

// A⁻ᴴ multiplied with the determinant, also where that is 0: a pivot of 0 counts as one that is small beside the
// largest, as the product without it is what remains.
Tensor conjugate_cofactors(const Tensor& input) {
  if (input.numel() == 0) return zeros_like(input);
  const TensorList factors = apply_matrix_routine({.routine = MatrixRoutine::lu}, {input});
  const Tensor pivots = diagonal(factors[0], 0, -2, -1);
  const Tensor sizes = abs(pivots.detach());
  const double tiny = rounding_unit(input.dtype());
  const Tensor largest = amax(sizes, DimList(-1), true);
  const Tensor substitute = mul(where(eq(largest, 0), 1, largest), tiny);
  const Tensor correction = where(eq(sizes, 0), substitute, 0).to(input.dtype());
  const Tensor upper = add(triu(factors[0]), diag_embed(correction));
  const auto [rows, inverse] = row_permutation(factors[1], input.size(-1));
  const Tensor determinant =
      mul(prod(diagonal(upper, 0, -2, -1), -1), permutation_sign(factors[1]).to(input.dtype()));
  const Tensor product = unsqueeze(unsqueeze(conj(determinant), -1), -1);
  const Tensor identity = eye(input.size(-1), {}, input.dtype(), input.device());
  Tensor x = solve_adjoint(upper, mul(product, identity), true);
  x = solve_adjoint(unit_lower_triangle(factors[0]), x, false, true);
  return take_rows(x, inverse);
}

// Golub, Pereyra 1973: the derivative of the pseudo-inverse at constant rank.
Tensor pinv_gradient(const Tensor& a, const Tensor& x, const Tensor& gradient) {
  const Tensor g = adjoint(gradient), xh = adjoint(x);
  if (a.size(-2) <= a.size(-1)) {
    const Tensor k = matmul(g, x), kx = matmul(k, xh);
    return add(sub(sub(kx, adjoint(matmul(x, k))), matmul(matmul(a, x), kx)),
               matmul(matmul(xh, x), sub(g, matmul(k, a))));
  }
  const Tensor k = matmul(x, g), xk = matmul(xh, k);
  return add(sub(sub(xk, adjoint(matmul(k, x))), matmul(xk, matmul(x, a))),
             matmul(sub(g, matmul(a, k)), matmul(x, xh)));
}

// The adjoint of a tridiagonal matrix, in the same form.
Tensor tridiagonal_adjoint(const Tensor& diagonals) {
  const std::int64_t n = diagonals.size(-1);
  if (n == 0) return diagonals;
  const TensorList rows = unbind(conj(diagonals), -2);
  return stack(
      {pad(narrow(rows[2], -1, 1, n - 1), {0, 1}), rows[1], pad(narrow(rows[0], -1, 0, n - 1), {1, 0})}, -2);
}

// f of [[Aᴴ, G], [0, Aᴴ]] holds in its corner the derivative of f at Aᴴ towards G (Mathias 1996).
Tensor function_gradient(const MatrixAttributes& attributes, const Tensor& a, const Tensor& gradient) {
  const std::int64_t n = a.size(-1);
  const Tensor ah = adjoint(a);
  const Tensor above = cat({ah, gradient}, -1), below = cat({zeros_like(ah), ah}, -1);
  const Tensor whole = apply_matrix_routine(attributes, {cat({above, below}, -2)})[0];
  return narrow(narrow(whole, -2, 0, n), -1, n, n);
}

}  // namespace

TensorPair matrix_gradient(const MatrixGradient& call) {
  const Tensor& a = call.inputs[0];
  const Tensor& x = call.results[0];
  const Tensor& g = call.gradients[0];
  const auto& attributes = call.attributes;
  const auto second = [&] { return call.gradients.size() > 1 ? call.gradients[1] : Tensor(); };
  switch (attributes.routine) {
    case MatrixRoutine::cholesky: return {cholesky_gradient(x, g, attributes.upper), {}};
    case MatrixRoutine::lu: return {lu_gradient(call), {}};
    case MatrixRoutine::qr: return {qr_gradient(call), {}};
    case MatrixRoutine::eigh: return {eigh_gradient(x, call.results[1], g, second()), {}};
    case MatrixRoutine::eigvalsh: {
      MatrixAttributes with_vectors = attributes;
      with_vectors.routine = MatrixRoutine::eigh;
      return {eigh_gradient(x, apply_matrix_routine(with_vectors, {a})[1], g, {}), {}};
    }
    case MatrixRoutine::eig: return {eig_gradient(a, x, call.results[1], g, second()), {}};
    case MatrixRoutine::eigvals: {
      MatrixAttributes with_vectors = attributes;
      with_vectors.routine = MatrixRoutine::eig;
      return {eig_gradient(a, x, apply_matrix_routine(with_vectors, {a})[1], g, {}), {}};
    }
    case MatrixRoutine::svd: return {svd_gradient(call), {}};
    case MatrixRoutine::svdvals: {
      MatrixAttributes with_vectors = attributes;
      with_vectors.routine = MatrixRoutine::svd;
      const TensorList factors = apply_matrix_routine(with_vectors, {a});
      return {matmul(mul(factors[0], unsqueeze(g, -2)), factors[2]), {}};
    }
    case MatrixRoutine::ldl_solve: {
      // The adjoint of a Hermitian matrix is itself; that of a symmetric one its conjugate.
      const Tensor right = attributes.hermitian ? g : conj(g);
      const Tensor solution = apply_matrix_routine(attributes, {a, call.inputs[1], right})[0];
      return {Tensor(), attributes.hermitian ? solution : conj(solution)};
    }
    case MatrixRoutine::solve: {
      const Tensor right = solve(adjoint(a), g);
      return {neg(matmul(right, adjoint(x))), right};
    }
    case MatrixRoutine::solve_triangular: {
      const Tensor right = solve_adjoint(a, g, attributes.upper, attributes.unit);
      const Tensor whole = neg(matmul(right, adjoint(x)));
      const int offset = attributes.unit ? 1 : 0;
      return {attributes.upper ? triu(whole, offset) : tril(whole, -offset), right};
    }
    case MatrixRoutine::tridiagonal: {
      const Tensor right = tridiagonal_solve(tridiagonal_adjoint(a), g);
      // The diagonals of -G Xᴴ.
      const Tensor xh = conj(x);
      const std::int64_t n = x.size(-2);
      const auto row_sums = [&](const Tensor& rows, const Tensor& columns) {
        return neg(sum(mul(rows, columns), DimList(-1)));
      };
      const auto part = [&](const Tensor& of, std::int64_t first) { return narrow(of, -2, first, n - 1); };
      if (n == 0) return {zeros_like(a), right};
      const Tensor above = row_sums(part(right, 0), part(xh, 1)),
                   below = row_sums(part(right, 1), part(xh, 0));
      return {stack({pad(above, {0, 1}), row_sums(right, xh), pad(below, {1, 0})}, -2), right};
    }
    case MatrixRoutine::inverse: {
      const Tensor xh = adjoint(x);
      return {neg(matmul(xh, matmul(g, xh))), {}};
    }
    case MatrixRoutine::det: return {mul(unsqueeze(unsqueeze(g, -1), -1), conjugate_cofactors(a)), {}};
    case MatrixRoutine::slogdet: {
      Tensor weight = call.gradients[1].defined() ? call.gradients[1] : Tensor();
      if (is_complex(a.dtype()) && g.defined()) {
        // The sign turns by the imaginary part of tr(A⁻¹ dA).
        const Tensor turn = imag(mul(conj(x), g));
        weight = complex(weight.defined() ? weight : zeros_like(turn), turn);
      }
      if (!weight.defined()) return {zeros_like(a), {}};
      return {mul(unsqueeze(unsqueeze(weight, -1), -1), adjoint(unchecked_inverse(a))), {}};
    }
    case MatrixRoutine::pinv: return {pinv_gradient(a, x, g), {}};
    case MatrixRoutine::exp:
    case MatrixRoutine::log:
    case MatrixRoutine::sqrt: return {function_gradient(attributes, a, g), {}};
    default: return {};
  }
}

}  // namespace phlox
