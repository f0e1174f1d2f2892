#include "phlox/graph/evaluate.h"

#include <fmt/format.h>

#include <chrono>

#include "phlox/base/debug.h"
#include "phlox/core/mode.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/control_flow.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/watch.h"
#include "phlox/ops/value_statistics.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

// A view as graphs mean it: of elements, wherever they lie.
Tensor evaluate_view(const Tensor& input, const ViewAttributes& attributes) {
  if (attributes.kind == ViewKind::strided) {
    const Tensor row_major = input.contiguous();
    ViewAttributes moved = attributes;
    moved.offset += row_major.storage_offset();
    return apply_view(row_major, moved);
  }
  const Tensor result = apply_view(input, attributes);
  return result.defined()
             ? result
             : apply_view(apply_convert(input, input.dtype(), MemoryOrder::row_major), attributes);
}

// Says what runs and how long it takes, and from level 7 on what comes out.
TensorList evaluate_loudly(const Node& node, std::span<const Operand> operands, int level) {
  const auto start = std::chrono::steady_clock::now();
  TensorList results = evaluate(node, operands);
  const auto end = std::chrono::steady_clock::now();
  std::string line =
      fmt::format("{:>9.1f} us  %{} = {}", std::chrono::duration<double, std::micro>(end - start).count(),
                  node.number(), node.name());
  for (std::size_t i = 0; i < results.size(); ++i) {
    line += fmt::format("{} {}", i ? "," : ":", to_string(node.types()[i]));
    if (level >= 7 && is_computable(results[i].dtype()) && !thread_mode.interpreter_count)
      line += fmt::format(" {}", ValueStatistics(results[i].detach()).text());
  }
  if (!node.location().empty()) line += "   # " + node.location();
  debug_log(line);
  return results;
}

}  // namespace

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes().size(), 0);
  for (const auto& node : graph.nodes())
    for (const Input& input : node->inputs())
      if (const auto* value = std::get_if<Value>(&input))
        ++uses[static_cast<std::size_t>(value->node->number())];
  for (const Value& output : graph.outputs()) ++uses[static_cast<std::size_t>(output.node->number())];
  return uses;
}

TensorList joined(const TensorList& first, const TensorList& second) {
  TensorList all = first;
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

TensorList evaluate(const Primitive& primitive, const Attributes& attributes,
                    std::span<const Operand> operands) {
  static const Primitive* const view = find_primitive("view");
  if (&primitive != view) return primitive.evaluate(operands, attributes.get());
  return {evaluate_view(operands[0].tensor(), *static_cast<const ViewAttributes*>(attributes.get()))};
}

TensorList evaluate(const Node& node, std::span<const Operand> operands) {
  if (!node.regions().empty())
    return run_regions(node, operands, [](const GraphPointer& region, const TensorList& inputs) {
      return execute_recorded(*region, inputs);
    });
  return evaluate(node.primitive(), node.attributes(), operands);
}

TensorList execute(const Graph& graph, std::span<const Tensor> inputs) {
  NoGrad no_grad;
  return execute_recorded(graph, inputs);
}

std::vector<TensorList> evaluate_nodes(const Graph& graph, std::span<const Tensor> inputs, bool keep) {
  std::vector<TensorList> values(graph.nodes().size());
  std::vector<int> uses = count_uses(graph);
  std::size_t next_input = 0;
  const int level = debug_level();
  for (const auto& node : graph.nodes()) {
    TensorList& results = values[static_cast<std::size_t>(node->number())];
    if (node->kind() == NodeKind::input) {
      results = {inputs[next_input++]};
      continue;
    }
    if (node->kind() == NodeKind::constant) {
      results = {node->constant()};
      continue;
    }
    TensorList held(node->inputs().size());
    std::vector<Operand> operands;
    operands.reserve(held.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
      const Input& input = node->inputs()[i];
      if (const auto* number = std::get_if<Scalar>(&input)) {
        operands.emplace_back(*number);
        continue;
      }
      if (const auto* value = std::get_if<Value>(&input)) {
        const auto from = static_cast<std::size_t>(value->node->number());
        held[i] = values[from][static_cast<std::size_t>(value->output)];
        if (--uses[from] == 0 && !keep) values[from].clear();
      }
      operands.emplace_back(held[i]);
    }
    const NodeOrigin origin(node->location());
    if (level >= 6) {
      results = evaluate_loudly(*node, operands, level);
      continue;
    }
    results = evaluate(*node, operands);
  }
  return values;
}

TensorList execute_recorded(const Graph& graph, std::span<const Tensor> inputs) {
  const std::vector<TensorList> values = evaluate_nodes(graph, inputs, false);
  TensorList outputs;
  for (const Value& output : graph.outputs())
    outputs.push_back(
        values[static_cast<std::size_t>(output.node->number())][static_cast<std::size_t>(output.output)]);
  return outputs;
}

}  // namespace phlox::graph
