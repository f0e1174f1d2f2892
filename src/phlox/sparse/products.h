// The two products that everything sparse is made of; each is the gradient of the other.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// The rows of a dense matrix [k, n] at positions[1], times the values [stored], added up in the rows at positions[0] of
// a result [rows, n].
Tensor sparse_product(const Tensor& positions, const Tensor& values, const Tensor& matrix, std::int64_t rows);

// The products of the rows of `a` [m, k] at positions[0] with the rows of `b` [n, k] at positions[1]: [stored].
Tensor sampled_product(const Tensor& positions, const Tensor& a, const Tensor& b);

}  // namespace phlox
