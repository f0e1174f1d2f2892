#include "phlox/graph/passes/memory_order.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

constexpr int deepest = 16;  // what lies further back is not known

bool row_major(const Value& value, int depth) {
  const Node& node = *value.node;
  if (node.kind() == NodeKind::constant) return node.constant().is_contiguous();
  if (node.kind() == NodeKind::input || depth == deepest) return false;
  const std::string_view name = node.primitive().name;
  static constexpr std::array always{"contraction", "reduce", "arg_reduce", "index",  "gather",
                                     "fill",        "arange", "random",     "search", "view_gradient"};
  if (std::find(always.begin(), always.end(), name) != always.end()) return true;
  const auto* first = node.inputs().empty() ? nullptr : std::get_if<Value>(&node.inputs()[0]);
  const auto first_is = [&] { return first && row_major(*first, depth + 1); };
  if (name == "view") {
    const auto& view = *static_cast<const ViewAttributes*>(node.attributes().get());
    return view.kind == ViewKind::reshape && first_is();
  }
  if (name == "convert") {
    const auto& convert = *static_cast<const ConvertAttributes*>(node.attributes().get());
    return convert.order == MemoryOrder::row_major || (convert.order == MemoryOrder::keep && first_is());
  }
  if (name == "check" || name == "softmax" || name == "scan" || name == "sort") return first_is();
  if (name != "pointwise") return false;
  // The result lies as the first input of its shape does.
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const Input& input) {
    const auto* v = std::get_if<Value>(&input);
    return !v || v->type().shape != value.type().shape || row_major(*v, depth + 1);
  });
}

}  // namespace

bool lies_densely(const Value& value) {
  const Node& node = *value.node;
  if (node.kind() == NodeKind::constant) return node.constant().is_contiguous();
  if (node.kind() == NodeKind::input) return true;
  const std::string_view name = node.primitive().name;
  if (name == "check") return lies_densely(std::get<Value>(node.inputs()[0]));
  if (name == "view") return lies_row_major(value);
  return name != "split" && node.regions().empty();  // regions may give views
}

bool lies_row_major(const Value& value) { return row_major(value, 0); }

}  // namespace phlox::graph
