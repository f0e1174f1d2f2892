// Determinants, powers and functions of matrices.
#include <limits>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

Tensor function_of(MatrixRoutine routine, const char* operation, const Tensor& input) {
  const Tensor a = as_square_matrices(operation, "input", input);
  return apply_matrix_routine({.routine = routine, .operation = operation}, {a})[0].to(input.dtype());
}

TensorPair sign_and_logarithm(const char* operation, const Tensor& A) {
  const Tensor a = as_square_matrices(operation, "A", A);
  const TensorList results =
      apply_matrix_routine({.routine = MatrixRoutine::slogdet, .operation = operation}, {a});
  return {results[0].to(A.dtype()), results[1].to(info(A.dtype()).real)};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, det, (const Tensor& A),
    .doc = "The determinants of square matrices [..., n, n]. The gradient is defined for singular ones too.",
    .source = "LAPACK getrf", .family = Family::linalg, .home = "linalg",
    .samples = "det(A(3, 3)); det(A(2, 4, 4)); det(A(1, 1)); det(A(0, 0))", .reference = "np.linalg.det(A)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  return function_of(MatrixRoutine::det, "det", A);
}

PHLOX_OPERATION(
    TensorPair, slogdet, (const Tensor& A),
    .doc =
        "The sign (a complex number of length 1 for complex matrices) and the logarithm of the absolute "
        "value of determinants; 0 and -inf for singular matrices.",
    .source = "LAPACK getrf", .family = Family::linalg, .home = "linalg",
    .samples = "slogdet(A(3, 3)); slogdet(A(2, 4, 4)); slogdet(A(0, 0))",
    .reference = "tuple(np.linalg.slogdet(A))", .integers = false, .complex = true, .tolerance = 1e-4,
    .results = "sign logabsdet") {
  return sign_and_logarithm("slogdet", A);
}

PHLOX_OPERATION(Tensor, logdet, (const Tensor& input),
                .doc = "The logarithm of determinants; NaN where a real one is negative, -inf where it is 0.",
                .family = Family::linalg, .samples = "logdet(S(3)); logdet(S(2, 4))",
                .reference = "np.log(np.linalg.det(input))", .integers = false, .complex = true,
                .tolerance = 1e-4) {
  const auto [sign, logarithm] = sign_and_logarithm("logdet", input);
  if (is_complex(input.dtype())) return add(logarithm, log(sign));
  return where(lt(sign, 0), std::numeric_limits<double>::quiet_NaN(), logarithm);
}

PHLOX_OPERATION(
    Tensor, matrix_power, (const Tensor& input, std::int64_t n),
    .doc = "The n-th power of square matrices [..., m, m]; a negative one is that of the inverse.",
    .family = Family::linalg, .home = "linalg",
    .samples = "matrix_power(A(3, 3), 3); matrix_power(A(2, 3, 3), 0); matrix_power(A(3, 3), 1)",
    .reference = "np.linalg.matrix_power(input, n)", .complex = true, .tolerance = 1e-4) {
  check_square("matrix_power", "input", input);
  if (n == 0)
    return where(full({}, false, DType::bool_, input.device()), input,
                 eye(input.size(-1), {}, input.dtype(), input.device()));
  Tensor power, square = n < 0 ? inv(input) : input;
  for (std::uint64_t rest = n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n);;) {
    if (rest & 1) power = power.defined() ? matmul(power, square) : square;
    rest >>= 1;
    if (rest == 0) break;
    square = matmul(square, square);
  }
  return power.shares_storage_with(input) ? power.clone() : power;
}

PHLOX_OPERATION(
    Tensor, matrix_exp, (const Tensor& input),
    .doc = "The exponential 1 + A + A²/2! + ... of square matrices, computed in double precision.",
    .source = "Higham 2005, scaling and squaring; Mathias 1996 (gradient)", .family = Family::linalg,
    .home = "linalg",
    .samples = "matrix_exp(A(3, 3)); matrix_exp(A(2, 4, 4)); matrix_exp(A(1, 1)); matrix_exp(A(0, 0))",
    .reference = "scipy.linalg.expm(input)", .integers = false, .complex = true, .tolerance = 1e-4) {
  return function_of(MatrixRoutine::exp, "matrix_exp", input);
}

PHLOX_OPERATION(
    Tensor, logm, (const Tensor& input),
    .doc =
        "The principal logarithm of square matrices, whose exponential is the input; computed in double precision. "
        "LinAlgError for the eigenvalue 0, and for real matrices with negative ones: convert these to complex.",
    .source = "Dieci, Morini, Papini 1996; Mathias 1996 (gradient)", .family = Family::linalg,
    .home = "linalg", .method = false, .samples = "logm(S(3)); logm(S(2, 4)); logm(S(1))",
    .reference =
        "np.stack([scipy.linalg.logm(a) for a in input.reshape(-1, *input.shape[-2:])]).reshape(input.shape)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  return function_of(MatrixRoutine::log, "logm", input);
}

PHLOX_OPERATION(
    Tensor, sqrtm, (const Tensor& input),
    .doc =
        "The principal square root of square matrices, whose product with itself is the input; computed in double "
        "precision. LinAlgError where there is none, and for real matrices with negative eigenvalues: convert these to "
        "complex.",
    .source = "Björck, Hammarling 1983; Mathias 1996 (gradient)", .family = Family::linalg, .home = "linalg",
    .method = false, .samples = "sqrtm(S(3)); sqrtm(S(2, 4)); sqrtm(S(1))",
    .reference =
        "np.stack([scipy.linalg.sqrtm(a) for a in input.reshape(-1, *input.shape[-2:])]).reshape(input.shape)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  return function_of(MatrixRoutine::sqrt, "sqrtm", input);
}

}  // namespace phlox
