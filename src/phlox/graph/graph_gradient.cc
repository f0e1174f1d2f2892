#include "phlox/graph/graph_gradient.h"

#include <algorithm>

#include "phlox/autograd/engine.h"
#include "phlox/core/mode.h"
#include "phlox/core/recording.h"
#include "phlox/graph/evaluate.h"
#include "phlox/ops/effects.h"
#include "phlox/ops/primitives/detach.h"
#include "phlox/ops/primitives/sequence.h"

namespace phlox::graph {
Tensor recorded_alias(const Tensor& tensor) { return with_history_of(shallow_alias(tensor), tensor); }

TensorList gradients_of(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                        std::span<const Tensor> output_gradients) {
  const bool again = gradients_enabled();
  EnableGrad enable;
  TensorList given, targets;
  // One input may have been made from another, but gradients of the graph end at its inputs.
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor input = again ? recorded_alias(inputs[i]) : inputs[i].detach();
    if (wanted[i]) {
      if (!input.requires_grad()) input.set_requires_grad();
      targets.push_back(input);
    }
    given.push_back(input);
  }
  const TensorList outputs = [&] {
    const WithoutEffects again_for_gradients;
    return execute_recorded(graph, given);
  }();
  TensorList ends, seeds;
  for (std::size_t i = 0; i < outputs.size() && i < output_gradients.size(); ++i) {
    if (!output_gradients[i].defined() || !outputs[i].requires_grad()) continue;
    ends.push_back(outputs[i]);
    seeds.push_back(output_gradients[i]);
  }
  Gradients found(targets.size());
  if (!ends.empty()) found = autograd::grad(ends, targets, seeds, std::nullopt, again, true);
  return found;
}

TensorList gradients_or_zeros(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                              std::span<const Tensor> output_gradients) {
  TensorList found = gradients_of(graph, inputs, wanted, output_gradients);
  for (std::size_t i = 0, next = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    if (!found[next].defined()) found[next] = zero_gradient(inputs[i]);
    ++next;
  }
  return found;
}

namespace {

std::vector<bool> outputs_with_gradients(const Node& node, std::vector<bool> inputs) {
  const std::string_view name = node.primitive().name;
  const auto regions = node.regions();
  if (regions.empty()) {
    const bool is_detach = name == "detach";
    const bool any = std::find(inputs.begin() + (is_detach ? 1 : 0), inputs.end(), true) != inputs.end();
    return std::vector<bool>(node.types().size(), any);
  }
  if (name != "cond")
    return states_with_gradients(*regions.back(), std::move(inputs), name == "while_loop" ? 0 : 1);
  inputs.erase(inputs.begin());  // the condition
  std::vector<bool> either = outputs_with_gradients(*regions[0], inputs);
  const std::vector<bool> other = outputs_with_gradients(*regions[1], inputs);
  for (std::size_t i = 0; i < either.size(); ++i) either[i] = either[i] || other[i];
  return either;
}

}  // namespace

std::vector<bool> outputs_with_gradients(const Graph& graph, const std::vector<bool>& inputs) {
  std::vector<std::vector<bool>> known(graph.nodes().size());
  const auto of = [&](const Value& value) {
    return is_differentiable(value.type().dtype) &&
           known[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)];
  };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    known[static_cast<std::size_t>(graph.inputs()[i].node->number())] = {inputs[i]};
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::input) continue;
    std::vector<bool>& found = known[static_cast<std::size_t>(node->number())];
    found.assign(node->types().size(), false);
    if (node->kind() == NodeKind::constant) continue;
    std::vector<bool> given;
    for (const Input& input : node->inputs()) {
      const auto* value = std::get_if<Value>(&input);
      given.push_back(value && of(*value));
    }
    if (!given.empty()) found = outputs_with_gradients(*node, std::move(given));
  }
  std::vector<bool> outputs;
  for (const Value& output : graph.outputs()) outputs.push_back(of(output));
  return outputs;
}

std::vector<bool> states_with_gradients(const Graph& body, std::vector<bool> inputs, std::size_t skipped) {
  const std::size_t count = body.outputs().size();
  for (bool changed = true; changed;) {
    changed = false;
    const std::vector<bool> after = outputs_with_gradients(body, inputs);
    for (std::size_t i = 0; i < count; ++i) {
      if (!after[i] || inputs[skipped + i]) continue;
      inputs[skipped + i] = changed = true;
    }
  }
  return {inputs.begin() + static_cast<std::ptrdiff_t>(skipped),
          inputs.begin() + static_cast<std::ptrdiff_t>(skipped + count)};
}

void mark_presence(const Tensor& gradient, const autograd::GradientPresence::When& when) {
  if (autograd::gradient_presence) autograd::gradient_presence->set(gradient, when);
}

GraphNode::GraphNode(const char* name, const TensorList& operands, std::span<const Edge> edges_of_operands,
                     int outputs)
    : GradientNode(name, static_cast<int>(operands.size()), outputs) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    edges()[i] = edges_of_operands[i];
    operands_.emplace_back(operands[i], this);
  }
}

void GraphNode::backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) {
  TensorList operands;
  std::vector<bool> wanted;
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    operands.push_back(operands_[i].get(*this));
    wanted.push_back(wants(static_cast<int>(i)));
  }
  TensorList found = gradients(operands, wanted, output_gradients);
  for (std::size_t i = 0, next = 0; i < operands.size(); ++i)
    if (wanted[i]) input_gradients[i] = std::move(found[next++]);
}

bool GraphNode::released() const {
  return std::any_of(operands_.begin(), operands_.end(),
                     [](const SavedTensor& operand) { return operand.released(); });
}

void GraphNode::release_saved() {
  for (SavedTensor& operand : operands_) operand.release();
}

}  // namespace phlox::graph
