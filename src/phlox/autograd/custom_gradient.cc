#include "phlox/autograd/custom_gradient.h"

#include <memory>

#include "phlox/autograd/function.h"

namespace phlox::autograd {

TensorList custom_gradient(const TensorList& inputs,
                           const std::function<WithGradient(const TensorList&)>& function) {
  const auto pull = std::make_shared<std::function<TensorList(const TensorList&)>>();
  return apply_function(
      "custom_gradient", inputs,
      [&](Context&) {
        WithGradient made = function(inputs);
        *pull = std::move(made.pull);
        return std::move(made.results);
      },
      [pull](Context&, const Gradients& gradients) { return Gradients((*pull)(gradients)); });
}

}  // namespace phlox::autograd
