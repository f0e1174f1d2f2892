// The gradient of broadcasting.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// Sums over the dimensions that broadcasting `shape` to the tensor's shape has added or stretched.
Tensor sum_to_shape(const Tensor& tensor, const Shape& shape);

}  // namespace phlox
