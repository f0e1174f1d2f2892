// The text form and the DOT picture of a graph.
#include <fmt/format.h>

#include "phlox/graph/graph.h"
#include "phlox/graph/lines.h"
#include "phlox/graph/text.h"
#include "phlox/ops/functions.h"

namespace phlox::graph {
namespace {

constexpr std::int64_t largest_written_constant = 16;

std::string values_of(const Tensor& constant) {
  std::string text;
  const Tensor flat = constant.rank() == 1 ? constant : reshape(constant, {-1});
  for (std::int64_t i = 0; i < flat.numel(); ++i) text += (i ? "," : "") + text_of(flat[i].item());
  return text;
}

std::string input_text(const Input& input, const std::function<std::string(const Value&)>& names) {
  if (const auto* value = std::get_if<Value>(&input)) return names(*value);
  if (const auto* number = std::get_if<Scalar>(&input)) return text_of(*number);
  return "none";
}

std::string text_of(const Graph& graph, const PrintOptions& options, const std::string& indentation,
                    int& named);

std::string join(std::span<const std::string> parts) { return fmt::format("{}", fmt::join(parts, ", ")); }

}  // namespace

bool is_named(const Node& constant) { return constant.constant().numel() > largest_written_constant; }

ValueNames::ValueNames(const Graph& graph) {
  for (std::size_t i = 0; i < graph.inputs().size(); ++i)
    inputs_[graph.inputs()[i].node] = graph.input_name(static_cast<int>(i));
  int next = 0;
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::input) continue;
    first_[node.get()] = next;
    next += std::max(1, static_cast<int>(node->types().size()));
  }
}

std::string ValueNames::operator()(const Value& value) const {
  const auto input = inputs_.find(value.node);
  if (input != inputs_.end()) return "%" + input->second;
  return fmt::format("%{}", first_.at(value.node) + value.output);
}

std::string line_of(const Node& node, const std::function<std::string(const Value&)>& names,
                    const std::string& constant) {
  std::vector<std::string> results, inputs;
  for (int i = 0; i < static_cast<int>(node.types().size()); ++i)
    results.push_back(
        fmt::format("{}: {}", names({&node, i}), to_string(node.types()[static_cast<std::size_t>(i)])));
  if (node.kind() == NodeKind::constant) {
    inputs.push_back(is_named(node) ? constant : values_of(node.constant()));
  } else {
    for (const Input& input : node.inputs()) inputs.push_back(input_text(input, names));
    if (std::string attributes = node.attributes().to_string(); !attributes.empty())
      inputs.push_back(std::move(attributes));
  }
  return fmt::format("{} = {}({})", join(results), node.name(), join(inputs));
}

std::string line_of(const Node& node, const ValueNames& names, const std::string& constant) {
  return line_of(node, std::function<std::string(const Value&)>(std::cref(names)), constant);
}

TensorList named_constants(const Graph& graph) {
  TensorList constants;
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::constant && is_named(*node)) constants.push_back(node->constant());
    for (const GraphPointer& region : node->regions())
      for (Tensor& constant : named_constants(*region)) constants.push_back(std::move(constant));
  }
  return constants;
}

std::string to_string(const Graph& graph, const PrintOptions& options) {
  int named = 0;
  return "graph" + text_of(graph, options, "", named) + "\n";
}

namespace {

// "(inputs) { nodes }", where each line begins with the indentation.
std::string text_of(const Graph& graph, const PrintOptions& options, const std::string& indentation,
                    int& named) {
  const ValueNames names(graph);
  std::vector<std::string> parts;
  for (const Value& input : graph.inputs())
    parts.push_back(fmt::format("{}: {}", names(input), to_string(input.type())));
  std::string text = fmt::format("({}) {{\n", join(parts));
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::input) continue;
    std::string constant;
    if (node->kind() == NodeKind::constant && is_named(*node)) constant = fmt::format("@{}", named++);
    text += fmt::format("{}  {}", indentation, line_of(*node, names, constant));
    for (const GraphPointer& region : node->regions())
      text += " " + text_of(*region, options, indentation + "  ", named);
    if (options.locations && !node->location().empty()) text += "  # " + node->location();
    text += '\n';
  }
  parts.clear();
  for (const Value& output : graph.outputs()) parts.push_back(names(output));
  return text + fmt::format("{0}  return {1}\n{0}}}", indentation, join(parts));
}

}  // namespace

std::string to_dot(const Graph& graph) {
  const auto escaped = [](std::string text) {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '"' || text[i] == '\\') text.insert(i++, 1, '\\');
    return text;
  };
  std::string text =
      "digraph {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n";
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value& input = graph.inputs()[i];
    text += fmt::format("  n{} [label=\"{}\\n{}\", shape=oval];\n", input.node->number(),
                        escaped(graph.input_name(static_cast<int>(i))), to_string(input.type()));
  }
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::input) continue;
    const std::string type = node->types().empty() ? "" : to_string(node->types()[0]);
    std::string attributes = node->kind() == NodeKind::operation ? node->attributes().to_string() : "";
    text += fmt::format("  n{} [label=\"{}\\n{}\", tooltip=\"{}\"];\n", node->number(), escaped(node->name()),
                        type, escaped(std::move(attributes)));
    for (const Input& input : node->inputs())
      if (const auto* value = std::get_if<Value>(&input))
        text += fmt::format("  n{} -> n{};\n", value->node->number(), node->number());
  }
  int number = 0;
  for (const Value& output : graph.outputs()) {
    text += fmt::format("  r{0} [label=\"result {0}\", shape=oval];\n  n{1} -> r{0};\n", number,
                        output.node->number());
    ++number;
  }
  return text + "}\n";
}

}  // namespace phlox::graph
