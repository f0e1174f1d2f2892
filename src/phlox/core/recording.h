// How operations record themselves on the tape.
#pragma once

#include "phlox/core/gradient_node.h"
#include "phlox/core/tensor.h"

namespace phlox {

// True when a result of an operation on this tensor must be recorded.
inline bool needs_gradient(const Tensor& tensor) {
  const TensorImpl* impl = tensor.unsafe_impl();
  return impl && impl->autograd && impl->autograd->requires_grad && gradients_enabled();
}

// Where gradients of this tensor go: its node, or for a leaf the accumulator (made on first use); empty when it
// needs none.
Edge gradient_edge(const Tensor& tensor);

// Makes `node` the origin of `tensor`, as its result number `output`.
void set_history(const Tensor& tensor, const Reference<GradientNode>& node, int output = 0);

// Counts an in-place write.
inline void bump_version(const Tensor& tensor) {
  tensor.impl()->storage->version.fetch_add(1, std::memory_order_relaxed);
}

// Throws GradientError [E0603] when writing into the tensor in place would lose gradients: it is a leaf that
// requires them, or a view while gradients are recorded and the view or `value_needs_gradient` has some; and
// StateError when the memory is read-only.
void check_in_place_allowed(const Tensor& tensor, const char* operation, bool value_needs_gradient = false);

}  // namespace phlox
