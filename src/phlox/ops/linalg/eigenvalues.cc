// Eigenvalues and eigenvectors.
#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

bool is_upper(const char* operation, const std::string& UPLO) {
  if (UPLO == "L" || UPLO == "l") return false;
  if (UPLO == "U" || UPLO == "u") return true;
  fail<ValueError>(ErrorCode::invalid_value, "{}: UPLO is 'L' or 'U', not '{}'", operation, UPLO).raise();
}

DType complex_dtype(const Tensor& tensor) {
  return tensor.dtype() == DType::float64 || tensor.dtype() == DType::complex128 ? DType::complex128
                                                                                 : DType::complex64;
}

}  // namespace

PHLOX_OPERATION(
    TensorPair, eigh, (const Tensor& input, const std::string& UPLO = "L"),
    .doc =
        "Eigenvalues, real and ascending, and orthonormal eigenvectors (the columns) of symmetric or Hermitian "
        "matrices. Only the triangle UPLO is read. Signs (phases) of vectors are arbitrary; their gradient grows "
        "without bound where eigenvalues meet.",
    .source = "LAPACK syevd, heevd", .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "eigh(S(3).detach()); eigh(S(2, 3).detach(), UPLO='U'); eigh(S(1).detach()); eigh(S(0))",
    .integers = false, .complex = true, .tolerance = 1e-4, .results = "eigenvalues eigenvectors") {
  const Tensor a = as_square_matrices("eigh", "input", input);
  const TensorList results = apply_matrix_routine(
      {.routine = MatrixRoutine::eigh, .upper = is_upper("eigh", UPLO), .operation = "eigh"}, {a});
  if (is_complex(input.dtype())) return {results[0], results[1]};
  return {results[0].to(input.dtype()), results[1].to(input.dtype())};
}

PHLOX_OPERATION(Tensor, eigvalsh, (const Tensor& input, const std::string& UPLO = "L"),
                .doc = "The eigenvalues of symmetric or Hermitian matrices, real and ascending.",
                .source = "LAPACK syevd, heevd", .family = Family::linalg, .home = "linalg", .method = false,
                .samples = "eigvalsh(S(3).detach()); eigvalsh(S(2, 4).detach(), UPLO='U')",
                .reference = "np.linalg.eigvalsh(input, UPLO)", .integers = false, .complex = true,
                .tolerance = 1e-4) {
  const Tensor a = as_square_matrices("eigvalsh", "input", input);
  const Tensor values = apply_matrix_routine(
      {.routine = MatrixRoutine::eigvalsh, .upper = is_upper("eigvalsh", UPLO), .operation = "eigvalsh"},
      {a})[0];
  return is_complex(input.dtype()) ? values : values.to(input.dtype());
}

PHLOX_OPERATION(
    TensorPair, eig, (const Tensor& input),
    .doc =
        "Eigenvalues and eigenvectors (the columns, of length 1) of square matrices; both complex. Their order and "
        "the phases of vectors are arbitrary.",
    .source = "LAPACK geev", .family = Family::linalg, .home = "linalg", .method = false,
    .samples = "eig(C(3, 3)); eig(C(2, 4, 4)); eig(C(1, 1)); eig(A(0, 0))", .integers = false,
    .complex = true, .tolerance = 1e-3, .results = "eigenvalues eigenvectors") {
  const Tensor a = as_square_matrices("eig", "input", input);
  const TensorList results = apply_matrix_routine({.routine = MatrixRoutine::eig, .operation = "eig"}, {a});
  const DType dtype = complex_dtype(input);
  return {results[0].to(dtype), results[1].to(dtype)};
}

PHLOX_OPERATION(Tensor, eigvals, (const Tensor& input),
                .doc = "The eigenvalues of square matrices, complex, in an arbitrary order.",
                .source = "LAPACK geev", .family = Family::linalg, .home = "linalg", .method = false,
                .samples = "eigvals(S(3)); eigvals(A(2, 3, 3))", .integers = false, .complex = true,
                .tolerance = 1e-3) {
  const Tensor a = as_square_matrices("eigvals", "input", input);
  return apply_matrix_routine({.routine = MatrixRoutine::eigvals, .operation = "eigvals"}, {a})[0].to(
      complex_dtype(input));
}

}  // namespace phlox
