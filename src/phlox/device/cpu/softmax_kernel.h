// What softmax.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// How one row of logits enters the cross-entropy loss.
struct CrossEntropyRow {
  std::int64_t target;  // the class
  double weight;        // of the target's class
  double smoothing;     // label smoothing
  double weight_sum;    // of all classes
};

// On rows of consecutive elements of one dtype.
struct SoftmaxFunctions {
  void (*softmax)(const void* input, void* output, std::int64_t count);
  // input - maximum - logarithm of the sum, from the statistics of log_softmax_sum; in place or not.
  void (*log_softmax)(const void* input, const void* statistics, void* output, std::int64_t count);
  // As `statistics` the maximum and the sum of exp(input - maximum).
  void (*log_softmax_sum)(const void* input, void* statistics, std::int64_t count);
  // From the result and the gradient of a row.
  void (*softmax_gradient)(const void* result, const void* gradient, void* output, std::int64_t count);
  void (*log_softmax_gradient)(const void* result, const void* gradient, void* output, std::int64_t count);
  // The same statistics; `scratch` has room for a row.
  void (*cross_entropy_sum)(const void* input, void* scratch, void* statistics, std::int64_t count);
  // In place. Many at once take not much longer than one.
  void (*logarithms)(void* values, std::int64_t count);
  // The loss, from these statistics with the logarithm of the sum. `weights` of the classes may be null.
  void (*cross_entropy)(const void* input, const CrossEntropyRow& row, const void* weights, void* scratch,
                        const void* statistics, void* loss, std::int64_t count);
  void (*cross_entropy_gradient)(const void* input, const CrossEntropyRow& row, const void* weights,
                                 const void* statistics, double gradient, void* output, std::int64_t count);
};

struct SoftmaxKernels {
  const char* instruction_set;
  SoftmaxFunctions float32;
  SoftmaxFunctions float64;
};

}  // namespace phlox::cpu
