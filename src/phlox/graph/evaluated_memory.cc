#include "phlox/graph/evaluated_memory.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "phlox/core/charged_bytes.h"

namespace phlox::graph {
namespace {

std::size_t bytes_of(const Type& type) {
  return charged_bytes(static_cast<std::size_t>(element_count(type.shape) * element_size(type.dtype)));
}

// How often the body of a loop runs, where the graph says so.
std::optional<std::size_t> turns_of(const Node& node) {
  if (std::string_view(node.primitive().name) != "for_loop") return {};
  const auto* count = std::get_if<Value>(&node.inputs()[0]);
  if (!count || count->node->kind() != NodeKind::constant) return {};
  return static_cast<std::size_t>(std::max<std::int64_t>(
      0, *static_cast<const std::int64_t*>(count->node->constant().impl()->address())));
}

}  // namespace

void count_evaluated(EvaluatedMemory& all, const Node& node, const TensorList& operands) {
  const auto is_sequence = [](const Type& type) { return type.dtype == DType::sequence; };
  if (node.regions().empty() && std::any_of(node.types().begin(), node.types().end(), is_sequence))
    for (const Input& input : node.inputs())
      if (const auto* value = std::get_if<Value>(&input); value && !is_sequence(value->type()))
        all.kept += bytes_of(value->type());
  std::size_t results = 0;
  for (const Type& type : node.types()) results += bytes_of(type);
  all.results += results;

  const bool is_cond = std::string_view(node.primitive().name) == "cond";
  const TensorList inputs(operands.begin() + (is_cond ? 1 : 0), operands.end());
  const std::optional<std::size_t> turns = is_cond ? 1 : turns_of(node);
  std::size_t most = 0, kept = 0, kept_by_turn = 0;
  for (const GraphPointer& region : node.regions()) {
    MemoryPlan plan = Plan(region, inputs, {}, Plan::Kind::memory).memory();
    all.constants += plan.constants;
    most = std::max(most, plan.outputs + plan.evaluated);
    kept = std::max(kept, plan.kept);
    kept_by_turn = std::max(kept_by_turn, plan.kept_by_turn);
    all.blocks.resize(std::max(all.blocks.size(), plan.blocks.size()), 0);
    for (std::size_t i = 0; i < plan.blocks.size(); ++i)
      all.blocks[i] = std::max(all.blocks[i], plan.blocks[i]);
    std::move(plan.largest.begin(), plan.largest.end(), std::back_inserter(all.largest));
  }
  all.kept += kept * turns.value_or(1);
  all.kept_by_turn += turns ? kept_by_turn * *turns : kept;
  // The results of a branch are among the most; those of a loop are the state of another turn than the present one.
  if (is_cond) most -= std::min(most, results);
  all.most = std::max(all.most, all.results + most);
}

}  // namespace phlox::graph
