#include "phlox/graph/graph_gradient.h"

#include "phlox/autograd/engine.h"
#include "phlox/core/mode.h"
#include "phlox/graph/evaluate.h"
#include "phlox/ops/functions.h"

namespace phlox::graph {

TensorList gradients_of(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                        std::span<const Tensor> output_gradients) {
  const bool again = gradients_enabled();
  EnableGrad enable;
  TensorList given, targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor input = again ? inputs[i] : inputs[i].detach();
    if (wanted[i]) {
      if (!input.requires_grad()) input.set_requires_grad();
      targets.push_back(input);
    }
    given.push_back(input);
  }
  const TensorList outputs = execute_recorded(graph, given);
  TensorList ends, seeds;
  for (std::size_t i = 0; i < outputs.size() && i < output_gradients.size(); ++i) {
    if (!output_gradients[i].defined() || !outputs[i].requires_grad()) continue;
    ends.push_back(outputs[i]);
    seeds.push_back(output_gradients[i]);
  }
  Gradients found(targets.size());
  if (!ends.empty()) found = autograd::grad(ends, targets, seeds, std::nullopt, again, true);
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!found[i].defined()) found[i] = zeros_like(targets[i]);
  return found;
}

}  // namespace phlox::graph
