#include "phlox/graph/passes/liveness.h"

#include <algorithm>
#include <string_view>

#include "phlox/graph/passes/passes.h"

namespace phlox::graph {
namespace {

bool is_look(const Node& node) {
  if (node.kind() != NodeKind::operation) return false;
  const std::string_view name = node.primitive().name;
  return name == "view" || name == "split" || name == "check";
}

}  // namespace

Liveness::Liveness(const Graph& graph)
    : owner(graph.nodes().size()), bytes(graph.nodes().size(), 0), last_use(graph.nodes().size(), -1) {
  const int count = static_cast<int>(graph.nodes().size());
  for (const auto& node : graph.nodes()) {
    const auto n = static_cast<std::size_t>(node->number());
    const auto* first = node->inputs().empty() ? nullptr : std::get_if<Value>(&node->inputs()[0]);
    owner[n] =
        is_look(*node) && first ? owner[static_cast<std::size_t>(first->node->number())] : node->number();
    if (node->kind() == NodeKind::operation && owner[n] == node->number())
      for (const Type& type : node->types()) bytes[n] += element_count(type.shape) * element_size(type.dtype);
    last_use[n] = node->number();
    for (const Input& input : node->inputs())
      if (const auto* value = std::get_if<Value>(&input))
        last_use[static_cast<std::size_t>(owner[static_cast<std::size_t>(value->node->number())])] =
            node->number();
  }
  for (const Value& output : graph.outputs())
    last_use[static_cast<std::size_t>(owner[static_cast<std::size_t>(output.node->number())])] = count;

  std::vector<std::int64_t> freed(static_cast<std::size_t>(count) + 1, 0);
  std::int64_t alive = 0;
  for (int n = 0; n < count; ++n) {
    const auto at = static_cast<std::size_t>(n);
    alive += bytes[at];
    freed[static_cast<std::size_t>(last_use[at])] += bytes[at];
    if (alive > peak) {
      peak = alive;
      peak_at = n;
    }
    alive -= freed[at];
  }
}

std::int64_t estimate_peak(const Graph& graph) { return Liveness(graph).peak; }

}  // namespace phlox::graph
