// The primitive of linear algebra: factorisations, equations and functions of matrices, and of batches of them.
//
// All routines are one primitive with a kind. Matrices stand in the last two dimensions; what comes before is the
// batch, the same for all inputs. Dtypes are f32, f64, complex64 and complex128. Gradients are in
// ops/linalg/gradients.cc, written with operations.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// Inputs -> results. A is [..., m, n], or [..., n, n] where a square one is needed; k = min(m, n); info is int32[...],
// 0 where all went well.
enum class MatrixRoutine : std::uint8_t {
  cholesky,          // A -> L (or U), info
  lu,                // A -> LU [m, n], pivots int32[k], info
  permutation,       // pivots int32[k] -> rows int64[size], and their inverse
  qr,                // A -> Q [m, k or m], R [k or m, n]
  geqrf,             // A -> reflectors and R [m, n], tau [k]
  eigh,              // A -> eigenvalues [n] (real, ascending), eigenvectors [n, n]
  eigvalsh,          // A -> eigenvalues
  eig,               // A -> eigenvalues [n], eigenvectors [n, n], both complex
  eigvals,           // A -> eigenvalues
  svd,               // A -> U [m, k or m], S [k] (real, descending), Vh [k or n, n]
  svdvals,           // A -> S
  ldl,               // A -> LD, pivots int32[n], info
  ldl_solve,         // LD, pivots, B [n, r] -> X
  solve,             // A, B [n, r] -> X, info
  solve_triangular,  // A, B [n, r] -> X
  tridiagonal,       // diagonals [3, n], B [n, r] -> X, info
  inverse,           // A -> X, info
  det,               // A -> number
  slogdet,           // A -> sign, logarithm of the absolute value (real)
  pinv,              // A, tolerances (real) [..., 2]: absolute, relative -> X [n, m]
  exp,               // A -> X
  log,               // A -> X
  sqrt,              // A -> X
};
inline std::span<const char* const> names_of(MatrixRoutine) {
  static constexpr const char* names[] = {
      "cholesky",    "lu",       "permutation", "qr",      "geqrf",
      "eigh",        "eigvalsh", "eig",         "eigvals", "svd",
      "svdvals",     "ldl",      "ldl_solve",   "solve",   "solve_triangular",
      "tridiagonal", "inverse",  "det",         "slogdet", "pinv",
      "exp",         "log",      "sqrt"};
  return names;
}

inline constexpr bool has_matrix_routines(DType dtype) {
  return dtype == DType::float32 || dtype == DType::float64 || is_complex(dtype);
}

struct MatrixAttributes {
  MatrixRoutine routine = MatrixRoutine::cholesky;
  bool upper = false;               // cholesky, eigh, solve_triangular: which triangle is read or made
  bool unit = false;                // solve_triangular: the diagonal counts as ones
  bool full = false;                // qr, svd: square Q, U, Vh
  bool hermitian = false;           // ldl: A = L D Lᴴ instead of L D Lᵀ; pinv: the lower triangle tells all
  bool pivot = true;                // lu: rows are exchanged
  bool checked = false;             // an info that is not 0 is an error
  std::int64_t size = 0;            // permutation: the number of rows
  const char* operation = nullptr;  // for messages
  template <class Visitor>
  void visit(Visitor& v) {
    v("routine", routine), v("upper", upper), v("unit", unit), v("full", full), v("hermitian", hermitian),
        v("pivot", pivot), v("checked", checked), v("size", size);
  }
};

// What a device must do. Results are row-major; `info` may be left out (null) where `checked`.
struct MatrixCall {
  static constexpr int most = 3;
  MatrixAttributes attributes;
  const TensorImpl* inputs[most];
  TensorImpl* results[most];

  const char* operation() const {
    return attributes.operation ? attributes.operation
                                : names_of(MatrixRoutine{})[static_cast<std::size_t>(attributes.routine)];
  }
};

// Inputs are what the enumeration says; shapes and dtypes are the caller's to check. Differentiable, also twice, but
// for ldl, geqrf, complete QR of tall matrices, and the factors that ldl_solve gets.
// Throws LinAlgError, which names the matrix, where `checked` and a matrix is singular or not positive-definite, where
// an iteration does not converge, and where eigenvalues or singular values of NaN or infinities are asked for.
TensorList apply_matrix_routine(const MatrixAttributes& attributes, const TensorList& inputs);

// The gradient of a routine. An undefined gradient stands for zero.
struct MatrixGradient {
  const MatrixAttributes& attributes;
  std::span<const Tensor> inputs;
  std::span<const Tensor> results;
  std::span<const Tensor> gradients;  // of the results
  bool wants_second;                  // whether that of the second input is wanted, too
};
// Gradients of the first and the second input.
TensorPair matrix_gradient(const MatrixGradient& call);

}  // namespace phlox
