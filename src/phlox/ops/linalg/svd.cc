// The singular value decomposition, and what is made of it.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

TensorTriple decompose(const char* operation, const Tensor& input, bool full) {
  const Tensor a = as_matrices(operation, "input", input);
  const TensorList results =
      apply_matrix_routine({.routine = MatrixRoutine::svd, .full = full, .operation = operation}, {a});
  const DType real = info(input.dtype()).real;
  return {results[0].to(input.dtype()), results[1].to(real), results[2].to(input.dtype())};
}

Tensor singular_values(const char* operation, const Tensor& input) {
  const Tensor a = as_matrices(operation, "input", input);
  return apply_matrix_routine({.routine = MatrixRoutine::svdvals, .operation = operation}, {a})[0].to(
      info(input.dtype()).real);
}

void check_driver(const char* operation, const OptionalString& driver) {
  if (!driver || *driver == "gesdd") return;
  fail<NotSupportedError>(ErrorCode::not_supported, "{}: there is no driver '{}' here", operation, *driver)
      .hint("leave `driver` out")
      .raise();
}

struct Tolerances {
  Tensor absolute, relative;  // of the real dtype
};

// The defaults of all operations with a rank: relative, rounding_unit * max(m, n), unless an absolute one is given.
Tolerances tolerances(const Tensor& a, const OptionalOperand& atol, const OptionalOperand& rtol) {
  const DType real = info(a.dtype()).real;
  const auto as_tensor = [&](const OptionalOperand& value, double otherwise) {
    if (!value) return full({}, otherwise, real, a.device());
    return value->is_tensor() ? value->tensor().detach().to(real)
                              : full({}, value->scalar().real(), real, a.device());
  };
  const double automatic = rounding_unit(a.dtype()) * static_cast<double>(std::max(a.size(-1), a.size(-2)));
  const Tensor absolute = as_tensor(atol, 0);
  if (!rtol && atol) return {absolute, where(gt(absolute, 0), 0.0, full({}, automatic, real, a.device()))};
  return {absolute, as_tensor(rtol, automatic)};
}

Tensor pseudo_inverse(const char* operation, const Tensor& input, const OptionalOperand& atol,
                      const OptionalOperand& rtol, bool hermitian) {
  const Tensor a =
      hermitian ? as_square_matrices(operation, "input", input) : as_matrices(operation, "input", input);
  const auto [absolute, relative] = tolerances(a, atol, rtol);
  Shape batch = broadcast_shapes(absolute.shape(), relative.shape(), operation);
  batch = broadcast_shapes(batch, batch_shape(a), operation);
  const Tensor both = stack({expand(absolute, batch), expand(relative, batch)}, -1);
  return apply_matrix_routine(
             {.routine = MatrixRoutine::pinv, .hermitian = hermitian, .operation = operation},
             {with_batch_shape(a, batch), both})[0]
      .to(input.dtype());
}

}  // namespace

PHLOX_OPERATION(
    TensorTriple, linalg_svd, (const Tensor& A, bool full_matrices = true, const OptionalString& driver = {}),
    .doc =
        "U, S, Vh with A = U diag(S) Vh: A [..., m, n] gives U [..., m, m], the singular values S [..., k] in "
        "descending order and Vh [..., n, n]; without `full_matrices` U [..., m, k] and Vh [..., k, n], k = min(m, n). "
        "Gradients of vectors grow without bound where singular values meet.",
    .source = "LAPACK gesdd", .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_svd(C(3, 3)); linalg_svd(C(4, 3)); linalg_svd(C(2, 3, 4), full_matrices=False); "
        "linalg_svd(C(0, 3))",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "U S Vh") {
  check_driver("svd", driver);
  return decompose("svd", A, full_matrices);
}

PHLOX_OPERATION(
    TensorTriple, svd, (const Tensor& input, bool some = true, bool compute_uv = true),
    .doc = "U, S, V with input = U diag(S) Vᴴ, reduced where `some`. Prefer linalg.svd, which gives Vᴴ.",
    .source = "LAPACK gesdd", .family = Family::linalg,
    .samples = "svd(C(3, 3)); svd(C(4, 3)); svd(C(2, 3, 4), some=False); svd(A(3, 4), compute_uv=False)",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "U S V") {
  if (!compute_uv) {
    check_matrix("svd", "input", input);
    Shape left = batch_shape(input, 2), right = left;
    for (int i = 0; i < 2; ++i) left.push_back(input.size(-2)), right.push_back(input.size(-1));
    return {zeros(left, input.dtype(), input.device()), singular_values("svd", input),
            zeros(right, input.dtype(), input.device())};
  }
  const auto [u, s, vh] = decompose("svd", input, !some);
  return {u, s, adjoint(vh)};
}

PHLOX_OPERATION(Tensor, svdvals, (const Tensor& A, const OptionalString& driver = {}),
                .doc = "The singular values of matrices [..., m, n], [..., min(m, n)] in descending order.",
                .source = "LAPACK gesdd", .family = Family::linalg, .home = "linalg", .method = false,
                .samples = "svdvals(A(3, 3)); svdvals(A(2, 4, 3)); svdvals(A(3, 4)); svdvals(A(3, 0))",
                .reference = "np.linalg.svd(A, compute_uv=False)", .integers = false, .complex = true,
                .tolerance = 1e-4) {
  check_driver("svdvals", driver);
  return singular_values("svdvals", A);
}

PHLOX_OPERATION(
    Tensor, pinv,
    (const Tensor& input, const OptionalOperand& rcond = {}, bool hermitian = false,
     const OptionalOperand& atol = {}, const OptionalOperand& rtol = {}),
    .doc =
        "The pseudo-inverse [..., n, m] of matrices [..., m, n]. Singular values count as 0 that are not larger than "
        "max(atol, rtol * the largest); rtol is by default the dtype's rounding unit times max(m, n), and 0 where "
        "only `atol` is given. `rcond` is another name of rtol. `hermitian` reads the lower triangle only.",
    .source = "Golub, Pereyra 1973 (gradient)", .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "pinv(S(3)); pinv(S(4)[:, :2]); pinv(S(2, 4)[:, :3]); pinv(S(3).detach(), hermitian=True); pinv(S(4)[:3], 1e-3); "
        "pinv(S(2, 4)[:, :3], atol=0.01, rtol=px.tensor([0.01, 0.001]))",
    .reference = "np.linalg.pinv(input)", .integers = false, .complex = true, .tolerance = 1e-3) {
  return pseudo_inverse("pinv", input, atol, rcond ? rcond : rtol, hermitian);
}

PHLOX_OPERATION(Tensor, pinverse, (const Tensor& input, double rcond = 1e-15),
                .doc = "linalg.pinv with a relative tolerance `rcond`.", .family = Family::linalg,
                .samples = "pinverse(S(4)[:, :2])", .reference = "np.linalg.pinv(input)", .integers = false,
                .complex = true, .tolerance = 1e-3) {
  return pseudo_inverse("pinverse", input, {}, Operand(rcond), false);
}

PHLOX_OPERATION(
    Tensor, matrix_rank,
    (const Tensor& input, const OptionalOperand& tol = {}, bool hermitian = false,
     const OptionalOperand& atol = {}, const OptionalOperand& rtol = {}),
    .doc =
        "The number of singular values larger than max(atol, rtol * the largest), int64[...]. Defaults as those of "
        "pinv(); `tol` is an absolute tolerance.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "matrix_rank(A(3, 4)); matrix_rank(A(2, 3, 3), 0.5); matrix_rank(S(3), hermitian=True)",
    .reference = "np.linalg.matrix_rank(input, tol)", .differentiable = false, .integers = false,
    .complex = true) {
  const char* const operation = "matrix_rank";
  Tensor a =
      hermitian ? as_square_matrices(operation, "input", input) : as_matrices(operation, "input", input);
  a = a.detach();
  const Tensor sizes = hermitian ? abs(eigvalsh(a)) : singular_values(operation, a);
  const OptionalOperand relative = tol ? OptionalOperand(Operand(0.0)) : rtol;
  const auto [absolute, factor] = tolerances(a, tol ? tol : atol, relative);
  if (sizes.size(-1) == 0) return zeros(batch_shape(a), DType::int64, a.device());
  const Tensor largest = amax(sizes, DimList(-1));
  return sum(gt(sizes, unsqueeze(maximum(absolute, mul(largest, factor)), -1)), DimList(-1));
}

PHLOX_OPERATION(
    TensorQuadruple, lstsq,
    (const Tensor& input, const Tensor& b, OptionalDouble rcond = {}, const OptionalString& driver = {}),
    .doc =
        "X that minimises |input X - b|, the one of least norm: input [..., m, n], b [..., m, k] or [..., m]. Drivers: "
        "\"gels\" for matrices of full rank; \"gelsy\" (the default), \"gelsd\" and \"gelss\" for any, by pinv() with the "
        "relative tolerance `rcond`, with the rank, and the last two with singular values. Residuals are the sums of "
        "|input X - b|² over rows, for m > n and drivers other than gelsy. What is not computed is empty.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "lstsq(S(4)[:, :3], A(4, 2)); lstsq(S(2, 4)[:, :3], A(2, 3, 1)); lstsq(S(5)[:, :3], A(5, 2), driver='gels'); "
        "lstsq(S(4)[:3], A(3, 2), driver='gels')",
    .integers = false, .complex = true, .tolerance = 1e-3,
    .results = "solution residuals rank singular_values") {
  const char* const operation = "lstsq";
  const std::string kind = driver.value_or("gelsy");
  if (kind != "gels" && kind != "gelsy" && kind != "gelsd" && kind != "gelss")
    fail<ValueError>(ErrorCode::invalid_value,
                     "lstsq: the driver is 'gels', 'gelsy', 'gelsd' or 'gelss', not '{}'", kind)
        .raise();
  check_matrix(operation, "input", input);
  Tensor a = input;
  const bool vector = b.rank() == 1 || (b.rank() == a.rank() - 1 && b.shape() == batch_shape(a, 1));
  Tensor right = vector ? unsqueeze(b, -1) : b;
  check_matrix(operation, "b", right);
  promote_matrices(operation, a, right);
  const std::int64_t m = a.size(-2), n = a.size(-1);
  if (right.size(-2) != m) throw_rows_differ(operation, input, b);
  broadcast_batches(operation, a, right);

  const DType real = info(a.dtype()).real;
  Tensor x, residuals, rank = zeros({0}, DType::int64, a.device()), values = zeros({0}, real, a.device());
  if (kind == "gels") {
    if (m >= n) {
      const auto [q, r] = linalg_qr(a);
      x = solve_triangular(r, matmul(adjoint(q), right), true);
    } else {
      const auto [q, r] = linalg_qr(adjoint(a));
      x = matmul(q, solve_triangular(adjoint(r), right, false));
    }
  } else {
    OptionalOperand tolerance;
    if (rcond) tolerance = Operand(*rcond);
    x = matmul(pinv(a, tolerance), right);
    rank = matrix_rank(a, {}, false, {}, tolerance);
    if (kind != "gelsy") values = singular_values(operation, a.detach());
  }
  if (m > n && kind != "gelsy") {
    const Tensor distances = abs(sub(matmul(a, x), right));
    residuals = sum(mul(distances, distances), DimList(-2));
  } else {
    residuals = abs(narrow(reshape(x, {-1}), 0, 0, 0));
  }
  return {vector ? squeeze(x, -1) : x, residuals, rank, values};
}

PHLOX_OPERATION(
    Tensor, cond, (const Tensor& input, const OptionalScalar& p = {}),
    .doc =
        "The condition number |A| |A⁻¹| in a norm of matrices: the 2-norm by default (the largest singular value by "
        "the smallest), -2, 1, -1, inf, -inf, \"fro\" or \"nuc\". Infinite for singular matrices.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "cond(S(3)); cond(S(2, 4)[:, :3], p=-2); cond(S(2, 3), p=1); cond(S(3), p=inf)",
    .reference = "np.linalg.cond(input, p)", .integers = false, .complex = true, .tolerance = 1e-3) {
  if (!p || std::abs(p->real()) == 2) {
    const Tensor s = singular_values("cond", input);
    if (s.size(-1) == 0) return zeros(batch_shape(input), s.dtype(), s.device());
    const Tensor largest = select(s, -1, 0), smallest = select(s, -1, -1);
    return p && p->real() < 0 ? div(smallest, largest) : div(largest, smallest);
  }
  const Tensor a = as_square_matrices("cond", "input", input);
  const Tensor inverse = unchecked_inverse(a);
  const Tensor product = mul(linalg_matrix_norm(a, *p), linalg_matrix_norm(inverse, *p));
  return product.to(info(input.dtype()).real);
}

PHLOX_OPERATION(Tensor, cond_named, (const Tensor& input, const std::string& p),
                .doc = "The condition number in the norm \"fro\" or \"nuc\".", .family = Family::linalg,
                .method = false, .samples = "cond_named(S(3), 'fro'); cond_named(S(2, 3), 'nuc')",
                .reference = "np.linalg.cond(input, p)", .integers = false, .complex = true,
                .tolerance = 1e-3, .overload_of = "cond") {
  const Tensor a = as_square_matrices("cond", "input", input);
  // The nuclear norm of an infinite matrix cannot be computed; the Frobenius norm says that it is one.
  const Tensor inverse = unchecked_inverse(a);
  const Tensor product = mul(linalg_matrix_norm_named(a, p), linalg_matrix_norm_named(inverse, p));
  return product.to(info(input.dtype()).real);
}

}  // namespace phlox
