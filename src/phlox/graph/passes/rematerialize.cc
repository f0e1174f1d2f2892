// Recomputing what is cheap, in place of keeping it.
// Source of the idea: Jain et al. 2020, "Checkmate", arXiv:1910.02653; greedy here.
#include <algorithm>
#include <array>
#include <string_view>

#include "phlox/graph/passes/liveness.h"
#include "phlox/graph/passes/passes.h"

namespace phlox::graph {
namespace {

bool is_cheap(const Node& node) {
  if (node.kind() != NodeKind::operation) return false;
  static constexpr std::array names{"pointwise", "convert", "fill", "arange"};
  const std::string_view name = node.primitive().name;
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Value* value_of(const Input& input) { return std::get_if<Value>(&input); }

// A node that is computed again just before the node `place`, with the looks at it that are needed from there on, and
// with the cheap nodes it is made from where these are gone by then.
struct Again {
  int node = -1;
  int place = -1;
  std::vector<int> before = {};
};

class Search {
 public:
  explicit Search(const Graph& graph) : graph_(graph), live_(graph) {}
  std::int64_t peak() const { return live_.peak; }

  // What frees the most memory for the longest time at the peak; node -1 when nothing can.
  Again find() const {
    Again best;
    double gain = 0;
    for (int n = 0; n < live_.peak_at; ++n) {
      const auto at = static_cast<std::size_t>(n);
      if (live_.bytes[at] == 0 || live_.last_use[at] <= live_.peak_at || !is_cheap(*graph_.nodes()[at]))
        continue;
      const int place = next_use(n);
      std::vector<int> before;
      if (place < 0 || !can_be_made(n, place, before)) continue;
      const double found = static_cast<double>(live_.bytes[at]) * (place - n);
      if (found <= gain) continue;
      gain = found;
      best = {n, place, std::move(before)};
    }
    return best;
  }

 private:
  int owner_of(const Value& value) const {
    return live_.owner[static_cast<std::size_t>(value.node->number())];
  }

  // The first use of the memory behind the peak; -1 when it is used at the peak.
  int next_use(int owner) const {
    for (std::size_t n = static_cast<std::size_t>(live_.peak_at); n < graph_.nodes().size(); ++n)
      for (const Input& input : graph_.nodes()[n]->inputs())
        if (const Value* value = value_of(input); value && owner_of(*value) == owner)
          return static_cast<int>(n) == live_.peak_at ? -1 : static_cast<int>(n);
    return static_cast<int>(graph_.nodes().size());  // an output
  }

  // Whether the inputs are alive at the place anyway, or made from what is by cheap nodes, which join `before`.
  bool can_be_made(int node, int place, std::vector<int>& before) const {
    constexpr std::size_t longest = 4;
    for (const Input& input : graph_.nodes()[static_cast<std::size_t>(node)]->inputs()) {
      const Value* value = value_of(input);
      if (!value) continue;
      const int owner = owner_of(*value);
      if (graph_.nodes()[static_cast<std::size_t>(owner)]->kind() != NodeKind::operation) continue;
      if (live_.last_use[static_cast<std::size_t>(owner)] >= place) continue;
      if (value->node->number() != owner || !is_cheap(*value->node) || before.size() == longest) return false;
      before.push_back(owner);
      if (!can_be_made(owner, place, before)) return false;
    }
    return true;
  }

  const Graph& graph_;
  Liveness live_;
};

// The graph with one node computed twice.
class Copier {
 public:
  Copier(const Graph& graph, const Again& again) : graph_(graph), again_(again), live_(graph) {}

  GraphPointer run() {
    made_.resize(graph_.nodes().size());
    int next_input = 0;
    for (const auto& node : graph_.nodes()) {
      if (node->number() == again_.place) repeat();
      const Node*& made = made_[static_cast<std::size_t>(node->number())];
      switch (node->kind()) {
        case NodeKind::input:
          made = builder_.input(node->types()[0], graph_.input_name(next_input++)).node;
          break;
        case NodeKind::constant: made = builder_.constant(node->constant()).node; break;
        case NodeKind::operation: made = copy(*node);
      }
    }
    if (again_.place == static_cast<int>(graph_.nodes().size())) repeat();
    std::vector<Value> outputs;
    for (const Value& output : graph_.outputs()) outputs.push_back(renewed(output));
    return builder_.finish(std::move(outputs));
  }

 private:
  Value renewed(const Value& value) const {
    return {made_[static_cast<std::size_t>(value.node->number())], value.output};
  }
  const Node* copy(const Node& node) {
    std::vector<Input> inputs(node.inputs().begin(), node.inputs().end());
    for (Input& input : inputs)
      if (const Value* value = value_of(input)) input = renewed(*value);
    return &builder_.add_again(node, std::move(inputs));
  }
  // From here on the copies stand for the node and for the looks at it. Those that nobody needs are left out in the end.
  void repeat() {
    for (int n = 0; n < again_.place; ++n)
      if (live_.owner[static_cast<std::size_t>(n)] == again_.node ||
          std::find(again_.before.begin(), again_.before.end(), n) != again_.before.end())
        made_[static_cast<std::size_t>(n)] = copy(*graph_.nodes()[static_cast<std::size_t>(n)]);
  }

  const Graph& graph_;
  const Again again_;
  const Liveness live_;
  GraphBuilder builder_;
  std::vector<const Node*> made_;
};

}  // namespace

GraphPointer rematerialize(const GraphPointer& graph, std::int64_t memory_budget) {
  GraphPointer best = graph;
  // Each round shortens the life of one value; the limit is for graphs that are out of the ordinary.
  for (std::size_t round = 0; round < 4 * graph->nodes().size(); ++round) {
    const Search search(*best);
    if (search.peak() <= memory_budget) break;
    const Again again = search.find();
    if (again.node < 0) break;
    GraphPointer next = Copier(*best, again).run();
    if (estimate_peak(*next) > search.peak()) break;
    best = std::move(next);
  }
  return best;
}

}  // namespace phlox::graph
