// Less memory for more time: what a part of a model saves for its gradients is dropped after the forward pass and
// computed again when backward() comes to it.
//
//   Tensor y = checkpoint([&](const Tensor& in) { return block(in); }, x);
//
// Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "phlox/core/tensor.h"

namespace phlox {

namespace autograd {

// Runs function(inputs). Gradients, also with respect to tensors that the function captures, are the same as without.
// The function is called a second time in the backward pass and must then do the same; otherwise backward() throws
// StateError, and GradientError (E0601) when an input was written in place since. With `same_random` the second call
// draws the numbers of the first from the default generator. A vmap that the function calls keeps what it saves.
TensorList checkpoint_list(std::function<TensorList(const TensorList&)> function, const TensorList& inputs,
                           bool same_random = true);

// For a function that returns a Tensor or a TensorList.
template <class F>
auto checkpoint(F function, const TensorList& inputs, bool same_random = true) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const TensorList&>, TensorList>) {
    return checkpoint_list(std::move(function), inputs, same_random);
  } else {
    return checkpoint_list([function](const TensorList& in) { return TensorList{function(in)}; }, inputs,
                           same_random)[0];
  }
}

}  // namespace autograd

// function(tensors...), a Tensor or a TensorList, without keeping what its gradients need: see checkpoint_list().
template <class F, class... Tensors>
  requires(std::is_convertible_v<const Tensors&, const Tensor&> && ...)
auto checkpoint(F function, const Tensors&... tensors) {
  return autograd::checkpoint(
      [function = std::move(function)](const TensorList& in) {
        return [&]<std::size_t... i>(std::index_sequence<i...>) {
          return function(in[i]...);
        }(std::make_index_sequence<sizeof...(Tensors)>());
      },
      TensorList{tensors...});
}

}  // namespace phlox
