// The primitive `detach`: where gradients end that follow a captured program backwards.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// The values of `value`, through which no gradients flow; where `history` is given, they flow to that.
Tensor apply_detach(const Tensor& value, const Tensor& history = {});

}  // namespace phlox
