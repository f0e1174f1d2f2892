// Sequences of tensors as values of graphs: what loops remember of their turns, and what they gather.
//
// A sequence is a tensor of dtype `sequence` and shape []. It is a stack that never changes: pushing and popping give
// another one, at the cost of one cell. Below the elements lie zeros without end. So the gradient of a sequence is a
// sequence, an empty one is zero, and the gradients of push are pop, of pop push, of stack unstack.
//
// Programs do not meet sequences: they have lists, and loops that give stacked tensors (graph/control_flow.h).
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

Tensor apply_sequence_empty();
// `element` on top; an element may be a sequence.
Tensor apply_sequence_push(const Tensor& sequence, const Tensor& element);

struct Popped {
  Tensor below, top;
};
// The element on top is as `like` in dtype, shape and device. Throws GraphError if it is not.
Popped apply_sequence_pop(const Tensor& sequence, const Tensor& like);

// Zeros, or an empty sequence: the gradient of something that nothing depends on.
Tensor zero_gradient(const Tensor& like);
// Element by element from the top: the sum of two gradients.
Tensor apply_sequence_add(const Tensor& a, const Tensor& b);

// The uppermost `count` elements, each as `like`, as a tensor [count, ...]; the top is the last.
Tensor apply_sequence_stack(const Tensor& sequence, std::int64_t count, const Tensor& like);
// The rows of a tensor [count, ...], the last on top.
Tensor apply_sequence_unstack(const Tensor& tensor);

}  // namespace phlox
