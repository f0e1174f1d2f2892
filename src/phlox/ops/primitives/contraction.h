// The contraction primitive: products of matrices. Everything that multiplies and sums over a shared dimension
// (matmul, linear, einsum, attention, ...) is written with it.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// lhs [m, k] and rhs [k, n], or [batch, m, k] and [batch, k, n]; gives [m, n] or [batch, m, n], row-major. Any strides
// are taken as they are where the last two dimensions are row-major or transposed; others cost a copy. `bias` [n] is
// added to each row. Operands must have one dtype, numeric; float16 and bfloat16 sum in float32.
// Differentiable, also twice. The shapes are the caller's to check.
Tensor contract(const Tensor& lhs, const Tensor& rhs, const OptionalTensor& bias = {});

// What a device must do for this primitive.
struct ContractionCall {
  const TensorImpl* lhs;
  const TensorImpl* rhs;
  const TensorImpl* bias;  // or null
  TensorImpl* output;      // row-major
};

}  // namespace phlox
