// A gradient of one's own beside a computation, without a class.
//
//   Tensor y = autograd::custom_gradient({x}, [](const TensorList& in) {
//     const Tensor e = exp(in[0]);
//     return autograd::WithGradient{{log(1 + e)}, [e](const TensorList& g) { return TensorList{g[0] * (1 - 1 / (1 + e))}; }};
//   })[0];
#pragma once

#include <functional>

#include "phlox/core/tensor.h"

namespace phlox::autograd {

// Results, and the function that makes gradients of the inputs from those of the results.
struct WithGradient {
  TensorList results;
  std::function<TensorList(const TensorList& gradients)> pull;
};

// Runs function(inputs) without recording; gradients of its results go through `pull`, which is written with operations, so
// its own gradient exists too.
TensorList custom_gradient(const TensorList& inputs,
                           const std::function<WithGradient(const TensorList&)>& function);

// The tensor cut off from gradients.
inline Tensor stop_gradient(const Tensor& input) { return input.detach(); }

}  // namespace phlox::autograd
