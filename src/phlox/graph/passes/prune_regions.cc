// Leaves out of branches and loops what nothing needs: results, states that only make themselves, operands.
#include <algorithm>

#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"
#include "phlox/ops/primitives/fill.h"

namespace phlox::graph {
namespace {

using Places = std::vector<std::size_t>;  // of inputs or outputs, in order

// Which inputs an output of a graph depends on.
std::vector<bool> inputs_of(const Graph& graph, const Places& outputs) {
  std::vector<bool> needed(graph.nodes().size(), false);
  for (std::size_t output : outputs)
    needed[static_cast<std::size_t>(graph.outputs()[output].node->number())] = true;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    if (!needed[static_cast<std::size_t>((*node)->number())]) continue;
    for (const Input& input : (*node)->inputs())
      if (const auto* value = std::get_if<Value>(&input))
        needed[static_cast<std::size_t>(value->node->number())] = true;
  }
  std::vector<bool> found;
  for (const Value& input : graph.inputs())
    found.push_back(needed[static_cast<std::size_t>(input.node->number())]);
  return found;
}

// The graph with these of its inputs, in this order, and these of its outputs, which need no other inputs.
GraphPointer restricted(const Graph& graph, const Places& inputs, const Places& outputs) {
  GraphBuilder builder;
  std::vector<std::vector<Value>> made(graph.nodes().size());
  const auto at = [&](const Node* node) -> std::vector<Value>& {
    return made[static_cast<std::size_t>(node->number())];
  };
  for (std::size_t input : inputs)
    at(graph.inputs()[input].node) = {
        builder.input(graph.inputs()[input].type(), graph.input_name(static_cast<int>(input)))};
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::input) continue;
    if (node->kind() == NodeKind::constant) {
      at(node.get()) = {builder.constant(node->constant())};
      continue;
    }
    std::vector<Input> arguments(node->inputs().begin(), node->inputs().end());
    bool is_possible = true;
    for (Input& argument : arguments) {
      const auto* value = std::get_if<Value>(&argument);
      if (!value) continue;
      const std::vector<Value>& known = at(value->node);
      is_possible = is_possible && !known.empty();
      if (is_possible) argument = known[static_cast<std::size_t>(value->output)];
    }
    if (!is_possible) continue;  // it needs an input that is left out, so nothing needs it
    const Node& copy = builder.add(node->primitive(), std::move(arguments), node->attributes(),
                                   {node->types().begin(), node->types().end()}, node->location(),
                                   {node->regions().begin(), node->regions().end()});
    for (int i = 0; i < static_cast<int>(copy.types().size()); ++i) at(node.get()).push_back({&copy, i});
  }
  std::vector<Value> results;
  for (std::size_t output : outputs) {
    const Value& old = graph.outputs()[output];
    results.push_back(at(old.node)[static_cast<std::size_t>(old.output)]);
  }
  return builder.finish(std::move(results));
}

Value zero(Rebuilder& to, const Type& type) {
  if (type.dtype == DType::sequence) return to.make("sequence_empty", {}, nullptr, {});
  const FillAttributes attributes{type.shape, 0, type.dtype, type.device};
  return to.make("fill", {}, &attributes, {});
}

class Pruner {
 public:
  explicit Pruner(const Graph& graph) {
    used_.resize(graph.nodes().size());
    for (const auto& node : graph.nodes())
      used_[static_cast<std::size_t>(node->number())].resize(node->types().size(), false);
    const auto use = [&](const Value& value) {
      used_[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)] = true;
    };
    for (const auto& node : graph.nodes())
      for (const Input& input : node->inputs())
        if (const auto* value = std::get_if<Value>(&input)) use(*value);
    for (const Value& output : graph.outputs()) use(output);
  }

  Replacement operator()(Rebuilder& to, const Candidate& candidate) const {
    if (candidate.regions.empty() || !candidate.origin) return std::nullopt;
    return candidate.applies("cond") ? prune_branch(to, candidate) : prune_loop(to, candidate);
  }

 private:
  const std::vector<bool>& used(const Candidate& candidate) const {
    return used_[static_cast<std::size_t>(candidate.origin->number())];
  }

  // The node with these of its inputs, behind the first `leading`, and these of its outputs; an output that it does not
  // have any more is `otherwise(output)`.
  template <class Function>
  static std::vector<Value> narrowed(Rebuilder& to, const Candidate& candidate, std::size_t leading,
                                     const Places& inputs, const Places& outputs,
                                     std::vector<GraphPointer> regions, Function otherwise) {
    Candidate smaller{candidate.primitive, {},     candidate.attributes, {}, candidate.location,
                      std::move(regions),  nullptr};
    smaller.inputs.assign(candidate.inputs.begin(),
                          candidate.inputs.begin() + static_cast<std::ptrdiff_t>(leading));
    for (std::size_t input : inputs) smaller.inputs.push_back(candidate.inputs[leading + input]);
    for (std::size_t output : outputs) smaller.types.push_back(candidate.types[output]);
    const std::vector<Value> made = to.add(std::move(smaller));
    std::vector<Value> results;
    for (std::size_t output = 0, next = 0; output < candidate.types.size(); ++output) {
      const bool is_kept = next < outputs.size() && outputs[next] == output;
      results.push_back(is_kept ? made[next++] : otherwise(output));
    }
    return results;
  }

  Replacement prune_branch(Rebuilder& to, const Candidate& candidate) const {
    Places outputs, inputs;
    for (std::size_t i = 0; i < candidate.types.size(); ++i)
      if (used(candidate)[i]) outputs.push_back(i);
    const std::vector<bool> yes = inputs_of(*candidate.regions[0], outputs),
                            no = inputs_of(*candidate.regions[1], outputs);
    for (std::size_t i = 0; i < yes.size(); ++i)
      if (yes[i] || no[i]) inputs.push_back(i);
    if (outputs.empty() || (outputs.size() == candidate.types.size() && inputs.size() == yes.size()))
      return std::nullopt;
    return narrowed(to, candidate, 1, inputs, outputs,
                    {restricted(*candidate.regions[0], inputs, outputs),
                     restricted(*candidate.regions[1], inputs, outputs)},
                    // Nobody looks at it; any value of the type will do.
                    [&](std::size_t output) { return zero(to, candidate.types[output]); });
  }

  Replacement prune_loop(Rebuilder& to, const Candidate& candidate) const {
    const bool is_while = candidate.applies("while_loop");
    const std::size_t leading = is_while ? 0 : 1;  // the count, and in the region the index
    const std::size_t states = candidate.types.size(), all = candidate.inputs.size() - leading;
    const Graph& body = *candidate.regions.back();
    const auto is_unchanged = [&](std::size_t state) {
      return body.outputs()[state] == body.inputs()[leading + state];
    };
    std::vector<bool> needed(all, false);  // inputs
    const auto need = [&](const std::vector<bool>& inputs, std::size_t skipped) {
      bool more = false;
      for (std::size_t i = 0; i < all; ++i) {
        more = more || (inputs[skipped + i] && !needed[i]);
        needed[i] = needed[i] || inputs[skipped + i];
      }
      return more;
    };
    if (is_while) need(inputs_of(*candidate.regions[0], {0}), 0);
    for (std::size_t i = 0; i < states; ++i)
      if (used(candidate)[i] && !is_unchanged(i)) needed[i] = true;
    for (bool more = true; more;) {
      more = false;
      for (std::size_t i = 0; i < states; ++i)
        if (needed[i] && !is_unchanged(i)) more = need(inputs_of(body, {i}), leading) || more;
    }
    Places kept, inputs;
    for (std::size_t i = 0; i < states; ++i)
      if (needed[i] && !is_unchanged(i)) kept.push_back(i);
    inputs = kept;
    for (std::size_t i = 0; i < all; ++i)
      if (needed[i] && (i >= states || is_unchanged(i))) inputs.push_back(i);
    if (kept.size() == states && inputs.size() == all) return std::nullopt;
    Places of_body;  // inputs
    if (leading) of_body.push_back(0);
    for (std::size_t input : inputs) of_body.push_back(leading + input);
    std::vector<GraphPointer> regions;
    if (is_while) regions.push_back(restricted(*candidate.regions[0], inputs, {0}));
    regions.push_back(restricted(body, of_body, kept));
    // A state that does not change is what it was; at others nobody looks.
    const auto otherwise = [&](std::size_t output) {
      return std::get<Value>(candidate.inputs[leading + output]);
    };
    if (kept.empty()) {
      std::vector<Value> results;
      for (std::size_t i = 0; i < states; ++i) results.push_back(otherwise(i));
      return results;
    }
    return narrowed(to, candidate, leading, inputs, kept, std::move(regions), otherwise);
  }

  std::vector<std::vector<bool>> used_;  // of each node, which results
};

}  // namespace

GraphPointer prune_regions(const GraphPointer& graph) {
  return rebuild(*graph, prune_regions, Pruner(*graph));
}

}  // namespace phlox::graph
