#include "phlox/graph/passes/rebuild.h"

#include <fmt/format.h>

#include "phlox/ops/primitives/pointwise.h"

namespace phlox::graph {
namespace {

constexpr std::int64_t largest_shared_constant = 64;  // elements

// Null for constants that are too large to compare.
std::string key_of_constant(const Tensor& tensor) {
  if (tensor.numel() > largest_shared_constant || !tensor.is_contiguous()) return {};
  const auto* bytes = static_cast<const char*>(tensor.impl()->address());
  return to_string(type_of(tensor)) + ':' +
         std::string(bytes, static_cast<std::size_t>(tensor.numel() * element_size(tensor.dtype())));
}

bool has_name(const Primitive& primitive, const Attributes& attributes, std::string_view name) {
  const std::string_view own = primitive.name;
  if (own == "pointwise") {
    // The full name of a gradient is longer, and is not asked for.
    const auto& function = *static_cast<const PointwiseAttributes*>(attributes.get())->function;
    return function.gradient_of < 0 && name == function.name;
  }
  if (!name.starts_with(own)) return false;
  return name.size() == own.size() ||
         (name[own.size()] == '.' && attributes.kind() == name.substr(own.size() + 1));
}

}  // namespace

bool Candidate::is(std::string_view name) const { return has_name(primitive, attributes, name); }

const Value* Candidate::value(std::size_t input) const {
  return input < inputs.size() ? std::get_if<Value>(&inputs[input]) : nullptr;
}

const Node* Candidate::made_by(std::size_t input, std::string_view name) const {
  const Value* found = value(input);
  if (!found || found->node->kind() != NodeKind::operation) return nullptr;
  return has_name(found->node->primitive(), found->node->attributes(), name) ? found->node : nullptr;
}

std::vector<Value> Rebuilder::add(Candidate candidate) {
  if (rewrite_) {
    if (Replacement replacement = rewrite_(*this, candidate)) {
      bool fits = replacement->size() == candidate.types.size();
      for (std::size_t i = 0; i < candidate.types.size() && fits; ++i)
        fits = (*replacement)[i].type() == candidate.types[i];
      if (!fits)
        fail<GraphError>(ErrorCode::bad_graph, "a pass replaces {} by values of other types",
                         candidate.primitive.name)
            .raise();
      return std::move(*replacement);
    }
  }
  const Node& node =
      builder_.add(candidate.primitive, std::move(candidate.inputs), std::move(candidate.attributes),
                   std::move(candidate.types), std::move(candidate.location), std::move(candidate.regions));
  std::vector<Value> values;
  for (std::size_t i = 0; i < node.types().size(); ++i) values.push_back({&node, static_cast<int>(i)});
  return values;
}

Value Rebuilder::make(std::string_view primitive, std::vector<Input> inputs, const void* attributes,
                      const std::string& location) {
  const Primitive& found = *find_primitive(primitive);
  Attributes own(found, attributes);
  std::vector<Type> types = infer_types(found, inputs, own);
  return add({found, std::move(inputs), std::move(own), std::move(types), location})[0];
}

Value Rebuilder::make_pointwise(std::string_view function, std::vector<Input> inputs,
                                const std::string& location) {
  const PointwiseAttributes attributes{find_pointwise_function(function), {}};
  return make("pointwise", std::move(inputs), &attributes, location);
}

Value Rebuilder::constant(const Tensor& tensor) {
  const std::string key = key_of_constant(tensor);
  if (key.empty()) return builder_.constant(tensor);
  const auto [entry, is_new] = constants_.try_emplace(key);
  if (is_new) entry->second = builder_.constant(tensor);
  return entry->second;
}

GraphPointer Rebuilder::run(const Graph& graph) {
  std::vector<std::vector<Value>> made(graph.nodes().size());
  const auto renewed = [&](const Value& value) {
    return made[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)];
  };
  int next_input = 0;
  for (const auto& node : graph.nodes()) {
    std::vector<Value>& values = made[static_cast<std::size_t>(node->number())];
    switch (node->kind()) {
      case NodeKind::input:
        values = {builder_.input(node->types()[0], graph.input_name(next_input++))};
        break;
      case NodeKind::constant: values = {constant(node->constant())}; break;
      case NodeKind::operation: {
        std::vector<Input> inputs(node->inputs().begin(), node->inputs().end());
        for (Input& input : inputs)
          if (const auto* value = std::get_if<Value>(&input)) input = renewed(*value);
        std::vector<GraphPointer> regions;
        for (const GraphPointer& region : node->regions()) regions.push_back(pass_(region));
        values = add({node->primitive(),
                      std::move(inputs),
                      node->attributes(),
                      {node->types().begin(), node->types().end()},
                      node->location(),
                      std::move(regions),
                      node.get()});
      }
    }
  }
  std::vector<Value> outputs;
  for (const Value& output : graph.outputs()) outputs.push_back(renewed(output));
  return builder_.finish(std::move(outputs));
}

}  // namespace phlox::graph
