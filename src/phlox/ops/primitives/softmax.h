// What a device does for softmax and cross-entropy, each an alternative to its definition by other primitives.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// Both dtypes are floating; the work is done in f32, or f64 when the input is. The row dimension is not empty.
struct SoftmaxCall {
  const TensorImpl* input;
  int dim;
  bool log;
  TensorImpl* output;
};

struct SoftmaxGradientCall {
  const TensorImpl* result;
  const TensorImpl* gradient;
  int dim;
  bool log;
  TensorImpl* output;
};

// The loss of each row of logits, f[rows..., classes], against its class.
struct CrossEntropyCall {
  const TensorImpl* logits;
  const TensorImpl* target;  // i64[rows], row-major; rows with ignore_index have loss and gradient 0
  const TensorImpl* weight;  // f[classes] of the working dtype, row-major; or null
  std::int64_t ignore_index;
  double smoothing;
  double weight_sum;       // of all classes
  TensorImpl* losses;      // [rows] of the working dtype (f32 or f64), row-major
  TensorImpl* statistics;  // [rows, 2] of the working dtype: maximum, log of the sum of shifted exponentials
  const TensorImpl* gradient;  // of the losses, row-major; for cross_entropy_gradient only
  TensorImpl* output;          // the gradient of the logits; for cross_entropy_gradient only
};

// softmax(input, dim), or its logarithm, in the dtype of the floating input.
Tensor apply_softmax(const Tensor& input, int dim, bool log);

}  // namespace phlox
