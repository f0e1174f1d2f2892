// Arithmetic, products, reductions and solutions with sparse tensors.
//
//   Tensor y = matmul(adjacency, features);          // gradients flow to both
//   SparseTensor attention = softmax(scores, 1);     // of the stored elements of each row
//   adjacency * 0.5 + other                          // sparse
//
// Results have the layout of the first sparse operand unless said otherwise, dtypes are promoted as for tensors, and
// shapes that do not fit are a ShapeError. All are written with operations, so their gradients, of any order, flow to
// values() and to dense operands.
#pragma once

#include "phlox/sparse/sparse_tensor.h"

namespace phlox {

// Matrix products: [m, k] with [k] or [k, n] gives a dense [m] or [m, n].
Tensor matmul(const SparseTensor& input, const Tensor& other);
// [k] or [n, k] with [k, m].
Tensor matmul(const Tensor& input, const SparseTensor& other);
// Sparse. Takes memory for each product of two stored elements, before they are added up.
SparseTensor matmul(const SparseTensor& input, const SparseTensor& other);
// beta input + alpha mat1 @ mat2.
Tensor addmm(const Tensor& input, const SparseTensor& mat1, const Tensor& mat2, const Scalar& beta = 1,
             const Scalar& alpha = 1);
// beta input + alpha mat1 @ mat2 where `input` stores elements; only these are computed. Not of blocks.
SparseTensor sampled_addmm(const SparseTensor& input, const Tensor& mat1, const Tensor& mat2,
                           const Scalar& beta = 1, const Scalar& alpha = 1);

// What is stored in one of them or both. Coordinates are only put one behind the other; see coalesce().
SparseTensor add(const SparseTensor& input, const SparseTensor& other, const Scalar& alpha = 1);
SparseTensor sub(const SparseTensor& input, const SparseTensor& other, const Scalar& alpha = 1);
// Dense.
Tensor add(const SparseTensor& input, const Tensor& other);
// What is stored in both.
SparseTensor mul(const SparseTensor& input, const SparseTensor& other);
// By a tensor that broadcasts to the shape of the sparse one, or a number.
SparseTensor mul(const SparseTensor& input, const Operand& other);
SparseTensor div(const SparseTensor& input, const Operand& other);
SparseTensor neg(const SparseTensor& input);

// The sum of all elements, 0-d.
Tensor sum(const SparseTensor& input);
// Over some dimensions: sparse in what sparse dimensions remain, in the layout coo. Throws ShapeError unless a sparse
// dimension remains; to_dense() or sum() of all serve then.
SparseTensor sum(const SparseTensor& input, const DimList& dim);

// Over the stored elements along `dim`; those not stored count as -inf, and stay unstored.
SparseTensor softmax(const SparseTensor& input, std::int64_t dim);
SparseTensor log_softmax(const SparseTensor& input, std::int64_t dim);

inline SparseTensor operator+(const SparseTensor& a, const SparseTensor& b) { return add(a, b); }
inline SparseTensor operator-(const SparseTensor& a, const SparseTensor& b) { return sub(a, b); }
inline SparseTensor operator*(const SparseTensor& a, const SparseTensor& b) { return mul(a, b); }
inline SparseTensor operator*(const SparseTensor& a, const Operand& b) { return mul(a, b); }
inline SparseTensor operator*(const Scalar& a, const SparseTensor& b) { return mul(b, Operand(a)); }
inline SparseTensor operator/(const SparseTensor& a, const Operand& b) { return div(a, b); }
inline SparseTensor operator-(const SparseTensor& a) { return neg(a); }

}  // namespace phlox
