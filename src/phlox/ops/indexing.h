// Indexing as in NumPy: x[{1, Slice{0, 5}, ellipsis, newaxis, mask}].
//
//   Tensor rows = index(x, {Slice{0, 10, 2}});          a view
//   Tensor picked = index(x, {tensor({0, 2, 5})});      a copy
//   set_index(x, {mask}, 0.0);                          in place
//
// Integer tensors broadcast together; where integers and tensors stand side by side, their common shape takes
// the place of the first, else it comes first. A boolean tensor stands for the positions of its true
// elements. Throws IndexError: E0501 out of range, E0502 more indices than dimensions, E0503 an index of the
// wrong kind.
#pragma once

#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

Tensor index(const Tensor& input, const std::vector<Index>& indices);
// Writes `value`, broadcast and cast to the places. Gradients of the tensor then flow to `value` there.
void set_index(const Tensor& input, const std::vector<Index>& indices, const Operand& value);

}  // namespace phlox
