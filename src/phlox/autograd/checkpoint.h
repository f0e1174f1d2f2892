// Less memory for more time: what a part of a model saves for its gradients is dropped after the forward pass and
// computed again when backward() comes to it.
//
//   Tensor y = autograd::checkpoint([&](const TensorList& in) { return block(in[0]); }, {x});
//
// Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "phlox/core/tensor.h"

namespace phlox::autograd {

// Runs function(inputs). Gradients, also with respect to tensors that the function captures, are the same as
// without; random numbers from the default generator repeat. The function is called a second time in the backward
// pass and must then do the same; otherwise backward() throws StateError.
TensorList checkpoint_list(std::function<TensorList(const TensorList&)> function, const TensorList& inputs);

// For a function that returns a Tensor or a TensorList.
template <class F>
auto checkpoint(F function, const TensorList& inputs) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const TensorList&>, TensorList>) {
    return checkpoint_list(std::move(function), inputs);
  } else {
    return checkpoint_list([function](const TensorList& in) { return TensorList{function(in)}; }, inputs)[0];
  }
}

}  // namespace phlox::autograd
