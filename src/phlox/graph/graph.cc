#include "phlox/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox::graph {

Type type_of(const Tensor& tensor) { return {tensor.dtype(), tensor.shape(), tensor.device()}; }

std::string to_string(const Type& type) {
  std::string text = fmt::format("{}[{}]", info(type.dtype).short_name, to_string(type.shape));
  if (type.device != Device{}) text += "@" + to_string(type.device);
  return text;
}

const Type& Value::type() const { return node->types()[static_cast<std::size_t>(output)]; }

std::string Node::name() const {
  switch (kind_) {
    case NodeKind::input: return "input";
    case NodeKind::constant: return "constant";
    case NodeKind::operation: break;
  }
  if (primitive_ == find_primitive("pointwise"))
    return full_name(*static_cast<const PointwiseAttributes*>(attributes_.get())->function);
  const std::string kind = attributes_.kind();
  return kind.empty() ? primitive_->name : fmt::format("{}.{}", primitive_->name, kind);
}

namespace {

std::string key_of(const Primitive& primitive, std::span<const Input> inputs, const Attributes& attributes,
                   std::span<const GraphPointer> regions) {
  std::string key = primitive.name;
  if (key == "pointwise")
    key = full_name(*static_cast<const PointwiseAttributes*>(attributes.get())->function);
  for (const Input& input : inputs) {
    key += ',';
    if (const auto* value = std::get_if<Value>(&input)) {
      key += fmt::format("%{}.{}", value->node->number(), value->output);
    } else if (const auto* number = std::get_if<Scalar>(&input)) {
      key += fmt::format("{}:{}:{:a}:{:a}", static_cast<int>(number->kind()), number->integer(),
                         number->real(), number->imaginary());
    }
  }
  key += ';' + attributes.kind() + ';' + attributes.to_string();
  for (const GraphPointer& region : regions)
    key += fmt::format(";{}", static_cast<const void*>(region.get()));
  return key;
}

}  // namespace

Tensor abstract_tensor(const Type& type) {
  AbstractScope abstract;
  return make_tensor(type.shape, type.dtype, type.device);
}

std::vector<Type> infer_types(const Primitive& primitive, std::span<const Input> inputs,
                              const Attributes& attributes, std::span<const GraphPointer> regions) {
  if (!regions.empty()) return types_of_regions(primitive, inputs, regions);
  AbstractScope abstract;
  NoGrad no_grad;
  thread_mode.interpreter_count = 0;
  TensorList tensors;
  tensors.reserve(inputs.size());
  std::vector<Operand> operands;
  for (const Input& input : inputs) {
    if (const auto* number = std::get_if<Scalar>(&input)) {
      operands.emplace_back(*number);
      continue;
    }
    const auto* value = std::get_if<Value>(&input);
    operands.emplace_back(tensors.emplace_back(value ? abstract_tensor(value->type()) : Tensor()));
  }
  check_call(primitive, operands, attributes.get());
  std::vector<Type> types;
  for (const Tensor& result : primitive.evaluate(operands, attributes.get())) {
    if (result.numel() > max_elements)
      fail<GraphError>(ErrorCode::bad_graph, "{}: more elements than a tensor can have", primitive.name)
          .raise();
    types.push_back(type_of(result));
  }
  return types;
}

Value GraphBuilder::input(const Type& type, std::string name) {
  auto node = std::make_unique<Node>();
  node->kind_ = NodeKind::input;
  node->types_ = {type};
  node->number_ = static_cast<int>(graph_->nodes_.size());
  const Value value{node.get(), 0};
  graph_->nodes_.push_back(std::move(node));
  graph_->inputs_.push_back(value);
  graph_->input_names_.push_back(std::move(name));
  return value;
}

Value GraphBuilder::constant(const Tensor& tensor) {
  auto node = std::make_unique<Node>();
  node->kind_ = NodeKind::constant;
  node->constant_ = tensor;
  node->types_ = {type_of(tensor)};
  node->number_ = static_cast<int>(graph_->nodes_.size());
  const Value value{node.get(), 0};
  graph_->nodes_.push_back(std::move(node));
  return value;
}

void GraphBuilder::make_constant(const Value& input, const Tensor& data) {
  Node& node = *graph_->nodes_[static_cast<std::size_t>(input.node->number())];
  node.kind_ = NodeKind::constant;
  node.constant_ = data;
  const auto place = std::find(graph_->inputs_.begin(), graph_->inputs_.end(), input);
  graph_->input_names_.erase(graph_->input_names_.begin() + (place - graph_->inputs_.begin()));
  graph_->inputs_.erase(place);
}

const Node& GraphBuilder::add(const Primitive& primitive, std::vector<Input> inputs, Attributes attributes,
                              std::vector<Type> types, std::string location,
                              std::vector<GraphPointer> regions) {
  const auto [entry, is_new] = known_.try_emplace(key_of(primitive, inputs, attributes, regions), nullptr);
  if (!is_new) return *entry->second;
  auto node = std::make_unique<Node>();
  node->primitive_ = &primitive;
  node->types_ = types.empty() ? infer_types(primitive, inputs, attributes, regions) : std::move(types);
  node->inputs_ = std::move(inputs);
  node->attributes_ = std::move(attributes);
  node->regions_ = std::move(regions);
  node->number_ = static_cast<int>(graph_->nodes_.size());
  node->location_ = std::move(location);
  entry->second = node.get();
  graph_->nodes_.push_back(std::move(node));
  return *entry->second;
}

std::vector<Value> GraphBuilder::add_graph(const Graph& graph, std::span<const Value> inputs) {
  std::vector<std::vector<Value>> values(graph.nodes().size());
  const auto at = [&](const Value& v) {
    return values[static_cast<std::size_t>(v.node->number())][static_cast<std::size_t>(v.output)];
  };
  std::size_t next_input = 0;
  for (const auto& node : graph.nodes()) {
    std::vector<Value>& results = values[static_cast<std::size_t>(node->number())];
    if (node->kind() == NodeKind::input) {
      results = {inputs[next_input++]};
    } else if (node->kind() == NodeKind::constant) {
      results = {constant(node->constant())};
    } else {
      std::vector<Input> arguments;
      for (const Input& input : node->inputs()) {
        if (const auto* value = std::get_if<Value>(&input)) arguments.emplace_back(at(*value));
        else arguments.push_back(input);
      }
      const Node& copy = add(node->primitive(), std::move(arguments), node->attributes(),
                             {node->types().begin(), node->types().end()}, node->location(),
                             {node->regions().begin(), node->regions().end()});
      for (int i = 0; i < static_cast<int>(copy.types().size()); ++i) results.push_back({&copy, i});
    }
  }
  std::vector<Value> outputs;
  for (const Value& output : graph.outputs()) outputs.push_back(at(output));
  return outputs;
}

const Node& GraphBuilder::add_again(const Node& node, std::vector<Input> inputs) {
  auto copy = std::make_unique<Node>(node);
  copy->inputs_ = std::move(inputs);
  copy->number_ = static_cast<int>(graph_->nodes_.size());
  graph_->nodes_.push_back(std::move(copy));
  return *graph_->nodes_.back();
}

GraphPointer GraphBuilder::finish(std::vector<Value> outputs) {
  std::vector<bool> needed(graph_->nodes_.size(), false);
  for (const Value& value : outputs) needed[static_cast<std::size_t>(value.node->number())] = true;
  for (std::size_t i = graph_->nodes_.size(); i-- > 0;) {
    const Node& node = *graph_->nodes_[i];
    if (node.kind() == NodeKind::input) needed[i] = true;
    if (!needed[i]) continue;
    for (const Input& input : node.inputs())
      if (const auto* value = std::get_if<Value>(&input))
        needed[static_cast<std::size_t>(value->node->number())] = true;
  }
  std::vector<std::unique_ptr<Node>> kept;
  for (std::size_t i = 0; i < graph_->nodes_.size(); ++i) {
    if (!needed[i]) continue;
    graph_->nodes_[i]->number_ = static_cast<int>(kept.size());
    kept.push_back(std::move(graph_->nodes_[i]));
  }
  // Inputs first, in their order.
  std::stable_partition(kept.begin(), kept.end(), [](const auto& n) { return n->kind() == NodeKind::input; });
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i]->number_ = static_cast<int>(i);
  graph_->nodes_ = std::move(kept);
  graph_->outputs_ = std::move(outputs);
  known_.clear();
  return std::exchange(graph_, std::make_shared<Graph>());
}

std::vector<bool> inputs_needed(const Graph& graph, const std::vector<int>& outputs) {
  std::vector<bool> needed(graph.nodes().size(), false);
  const auto need = [&](const Value& value) {
    needed[static_cast<std::size_t>(value.node->number())] = true;
  };
  for (const int output : outputs) need(graph.outputs()[static_cast<std::size_t>(output)]);
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node)
    if (needed[static_cast<std::size_t>((*node)->number())])
      for (const Input& input : (*node)->inputs())
        if (const auto* value = std::get_if<Value>(&input)) need(*value);
  std::vector<bool> inputs;
  for (const Value& input : graph.inputs())
    inputs.push_back(needed[static_cast<std::size_t>(input.node->number())]);
  return inputs;
}

}  // namespace phlox::graph
