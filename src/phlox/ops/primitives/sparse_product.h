// The primitive `sparse_product`: a matrix of which some elements are stored, times a dense one.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// What a device gets: row-major tensors. Sums go from the first stored element of a row of the result to the last.
struct SparseProductCall {
  const TensorImpl* positions;  // int64[2, stored]: rows and columns, in any order
  const TensorImpl* values;     // [stored], float32 or float64, as are the matrices
  const TensorImpl* matrix;     // [k, n]
  TensorImpl* output;           // [rows, n]
};

// result[positions[0][i]] += values[i] * matrix[positions[1][i]] for all i, from zeros [rows, n]. All are float32 or
// float64. Throws IndexError (E0501) for positions outside of the matrices.
Tensor apply_sparse_product(const Tensor& positions, const Tensor& values, const Tensor& matrix,
                            std::int64_t rows);

}  // namespace phlox
