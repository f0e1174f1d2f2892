#include <algorithm>

#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"

namespace phlox::graph {
namespace {

bool is_detach(const Node& node) {
  return node.kind() == NodeKind::operation && std::string_view(node.primitive().name) == "detach";
}

bool has_detach(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const auto& node) {
    return is_detach(*node) || std::any_of(node->regions().begin(), node->regions().end(),
                                           [](const GraphPointer& region) { return has_detach(*region); });
  });
}

}  // namespace

GraphPointer drop_detach(const GraphPointer& graph) {
  if (!has_detach(*graph)) return graph;
  constexpr GraphPointer (*pass)(const GraphPointer&) = drop_detach;
  return rebuild(*graph, pass, [](Rebuilder&, const Candidate& candidate) -> Replacement {
    if (!candidate.applies("detach")) return std::nullopt;
    return {{*candidate.value(0)}};
  });
}

GraphPointer drop_detach(const GraphPointer& graph, const std::vector<bool>& carrying) {
  if (!has_detach(*graph)) return graph;
  std::vector<bool> carries(graph->nodes().size(), false);
  for (std::size_t i = 0; i < carrying.size(); ++i)
    carries[static_cast<std::size_t>(graph->inputs()[i].node->number())] = carrying[i];
  const auto input_carries = [&](const Node& node, std::size_t input) {
    const auto* value = input < node.inputs().size() ? std::get_if<Value>(&node.inputs()[input]) : nullptr;
    return value && carries[static_cast<std::size_t>(value->node->number())];
  };
  for (const auto& node : graph->nodes()) {
    if (node->kind() != NodeKind::operation) continue;
    bool any = false;
    for (std::size_t i = is_detach(*node) ? 1 : 0; i < node->inputs().size(); ++i)
      any = any || input_carries(*node, i);
    carries[static_cast<std::size_t>(node->number())] = any;
  }
  const auto as_it_is = [](const GraphPointer& region) { return region; };
  return rebuild(*graph, as_it_is, [&](Rebuilder& to, const Candidate& candidate) -> Replacement {
    if (!candidate.origin || !is_detach(*candidate.origin) || input_carries(*candidate.origin, 1))
      return std::nullopt;
    if (!input_carries(*candidate.origin, 0)) return {{*candidate.value(0)}};
    if (candidate.inputs.size() == 1) return std::nullopt;
    return {{to.make("detach", {candidate.inputs[0]}, nullptr, candidate.location)}};
  });
}

}  // namespace phlox::graph
