// The primitive `detach`: where gradients end that follow a captured program backwards.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// The values of `value`, through which no gradients flow; where `history` is given, they flow to that.
Tensor apply_detach(const Tensor& value, const Tensor& history = {});

// Gives `tensor` the history of `origin`, if that has one, with a place of its own in the tape; `tensor` itself.
Tensor with_history_of(const Tensor& tensor, const Tensor& origin);

}  // namespace phlox
