#include "phlox/graph/loop_gradient.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/graph_gradient.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/primitives/sequence.h"

namespace phlox::graph {
namespace {

const Type sequence_type{DType::sequence, {}, Device{}};
const Type count_type{DType::int64, {}, Device{}};

// Inputs like those of `graph`, with a sequence for each of its `states` and a count behind these, which begin at `first`.
struct RememberingInputs {
  std::vector<Value> of_graph, remembered;
  Value turns;

  RememberingInputs(GraphBuilder& builder, const Graph& graph, std::size_t first, std::size_t states) {
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      if (i == first + states) add_remembered(builder, states);
      of_graph.push_back(builder.input(graph.inputs()[i].type(), graph.input_name(static_cast<int>(i))));
    }
    if (graph.inputs().size() == first + states) add_remembered(builder, states);
  }

 private:
  void add_remembered(GraphBuilder& builder, std::size_t states) {
    for (std::size_t i = 0; i < states; ++i)
      remembered.push_back(builder.input(sequence_type, "turns_of_" + std::to_string(i)));
    turns = builder.input(count_type, "turns");
  }
};

// A tensor without values: its place in lists matters, and its type.
TensorList abstract_states(const Loop& loop) {
  TensorList states;
  for (const Value& output : loop.body->outputs()) states.push_back(abstract_tensor(output.type()));
  return states;
}

class LoopNode final : public GraphNode {
 public:
  LoopNode(const Loop& loop, const TensorList& operands, const std::vector<Edge>& edges_of_operands,
           const Tensor& turns)
      : GraphNode("loop", operands, edges_of_operands, static_cast<int>(2 * loop.states)),
        loop_(loop),
        states_(abstract_states(loop)),
        turns_(turns) {}
  // After set_history().
  void save(std::span<const Tensor> remembered) {
    for (const Tensor& sequence : remembered)
      remembered_.emplace_back(sequence, this, sequence.requires_grad());
  }
  void release_saved() override {
    GraphNode::release_saved();
    for (SavedTensor& sequence : remembered_) sequence.release();
  }

 private:
  TensorList gradients(const TensorList& operands, const std::vector<bool>& wanted,
                       std::span<const Tensor> output_gradients) override;

  Loop loop_;
  TensorList states_;
  Tensor turns_;
  std::vector<SavedTensor> remembered_;
};

Tensor sum_of(const Tensor& a, const Tensor& b) {
  return a.dtype() == DType::sequence ? apply_sequence_add(a, b) : add(a, b);
}

// The state of the backward loop, one list behind the other.
struct BackwardState {
  TensorList remembered;              // of each state
  TensorList of_states;               // gradients of those states that have one,
  TensorList of_others;               // of the other operands that are wanted,
  TensorList remembered_of_gradient;  // and of what was remembered, where that has one
  TensorList reached;  // whether an operand has got its gradient, where that depends on the turn

  TensorList joined() const {
    TensorList all = remembered;
    for (const TensorList* part : {&of_states, &of_others, &remembered_of_gradient, &reached})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }
  // The same parts, of a list that joined() gave.
  BackwardState split(const TensorList& all) const {
    BackwardState result;
    auto next = all.begin();
    const auto take = [&](const TensorList& like) {
      const auto begin = std::exchange(next, next + static_cast<std::ptrdiff_t>(like.size()));
      return TensorList(begin, next);
    };
    result.remembered = take(remembered);
    result.of_states = take(of_states);
    result.of_others = take(of_others);
    result.remembered_of_gradient = take(remembered_of_gradient);
    result.reached = take(reached);
    return result;
  }
};

TensorList LoopNode::gradients(const TensorList& operands, const std::vector<bool>& wanted,
                               std::span<const Tensor> output_gradients) {
  const std::size_t count = loop_.states, skipped = loop_.has_index ? 1 : 0;
  const TensorList others(operands.begin() + static_cast<std::ptrdiff_t>(count), operands.end());
  const std::vector<bool>& carries = loop_.carries;
  std::vector<bool> in_body(skipped, false);
  BackwardState start;
  for (std::size_t i = 0; i < count; ++i) {
    start.remembered.push_back(remembered_[i].get(*this));
    in_body.push_back(carries[i]);
    if (!carries[i]) continue;
    const Tensor& given = output_gradients[i];
    start.of_states.push_back(given.defined() ? given : zero_gradient(states_[i]));
    if (const Tensor& of_remembered = output_gradients[count + i]; of_remembered.defined())
      start.remembered_of_gradient.push_back(of_remembered);
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    in_body.push_back(wanted[count + i]);
    if (wanted[count + i]) start.of_others.push_back(zero_gradient(others[i]));
  }

  using When = autograd::GradientPresence::When;
  std::vector<When> whens;             // of the gradients that a turn finds,
  std::vector<bool> present;           // and whether it finds them at all
  std::vector<std::size_t> depending;  // other operands that have one in some turns only
  const auto turn = [&](const Tensor& number, const TensorList& all) {
    present.clear();
    BackwardState state = start.split(all);
    TensorList inputs;
    if (loop_.has_index) inputs.push_back(sub(sub(turns_, 1), number));
    for (std::size_t i = 0; i < count; ++i) {
      Popped popped = apply_sequence_pop(state.remembered[i], states_[i]);
      state.remembered[i] = std::move(popped.below);
      inputs.push_back(std::move(popped.top));
    }
    inputs.insert(inputs.end(), others.begin(), others.end());
    TensorList seeds(count);
    for (std::size_t i = 0, next = 0; i < count; ++i)
      if (carries[i]) seeds[i] = state.of_states[next++];
    TensorList found = gradients_of(*loop_.body, inputs, in_body, seeds);
    whens.clear();
    for (std::size_t i = 0, n = 0; i < inputs.size(); ++i) {
      if (!in_body[i]) continue;
      Tensor& gradient = found[n++];
      whens.push_back(gradient.defined() && autograd::gradient_presence
                          ? autograd::gradient_presence->of(gradient)
                          : When{});
      present.push_back(gradient.defined());
      if (!gradient.defined()) gradient = zero_gradient(inputs[i]);
    }
    std::size_t next = 0, next_remembered = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!carries[i]) continue;
      Tensor gradient = found[next];
      if (output_gradients[count + i].defined()) {
        Tensor& sequence = state.remembered_of_gradient[next_remembered++];
        Popped popped = apply_sequence_pop(sequence, states_[i]);
        sequence = std::move(popped.below);
        gradient = sum_of(gradient, popped.top);
      }
      state.of_states[next++] = std::move(gradient);
    }
    for (std::size_t i = 0; i < state.of_others.size(); ++i)
      state.of_others[i] = sum_of(state.of_others[i], found[next + i]);
    for (std::size_t i = 0; i < state.reached.size(); ++i)
      if (const Tensor& condition = whens[next + depending[i]].condition; condition.defined())
        state.reached[i] = logical_or(state.reached[i], condition);
    return state.joined();
  };
  Tracer* const tracer = autograd::gradient_presence ? active_tracer() : nullptr;
  if (tracer) {
    const TensorList all = start.joined();
    TensorList trial{full({}, 0, DType::int64)};
    trial.insert(trial.end(), all.begin(), all.end());
    tracer->capture_part(trial, [&](const TensorList& given) {
      return turn(given[0], TensorList(given.begin() + 1, given.end()));
    });
    for (std::size_t i = 0, first = start.of_states.size(); i < start.of_others.size(); ++i) {
      if (whens[first + i].always() || !present[first + i]) continue;
      depending.push_back(i);
      start.reached.push_back(full({}, false, DType::bool_));
    }
  }
  BackwardState last = start.split(for_loop(turns_, turn, start.joined()));

  TensorList result;
  for (std::size_t i = 0, next = 0; i < count; ++i) {
    if (wanted[i]) result.push_back(last.of_states[next]);
    if (carries[i]) ++next;
  }
  result.insert(result.end(), last.of_others.begin(), last.of_others.end());
  if (!tracer) return result;
  // Without a turn there are the gradients of the results only.
  const Tensor any_turn = gt(turns_, 0), no_turn = logical_not(any_turn);
  for (std::size_t i = 0, next = 0, at = 0; i < operands.size(); ++i) {
    const bool is_state = i < count;
    if (is_state ? !carries[i] : !wanted[i]) continue;
    const std::size_t n = next++;
    if (!wanted[i]) continue;
    const Tensor& gradient = result[at++];
    const bool given = is_state && output_gradients[i].defined();
    const auto depends = std::find(depending.begin(), depending.end(), n - start.of_states.size());
    if (!is_state && depends != depending.end())
      mark_presence(gradient,
                    {.condition = last.reached[static_cast<std::size_t>(depends - depending.begin())]});
    else if (!whens[n].always() && present[n]) mark_presence(gradient, {.unknown = true});
    else if (present[n] && !given) mark_presence(gradient, {.condition = any_turn});
    else if (!present[n] && given) mark_presence(gradient, {.condition = no_turn});
    else if (!present[n]) result[at - 1] = Tensor();
  }
  return result;
}

}  // namespace

GraphPointer remembering_body(const Loop& loop) {
  GraphBuilder builder;
  const std::size_t first = loop.has_index ? 1 : 0;
  const RememberingInputs inputs(builder, *loop.body, first, loop.states);
  const auto node = [&](const char* name, std::vector<Input> arguments, Attributes attributes) {
    return Value{&builder.add(*find_primitive(name), std::move(arguments), std::move(attributes)), 0};
  };
  std::vector<Value> outputs = builder.add_graph(*loop.body, inputs.of_graph);
  const Primitive& push = *find_primitive("sequence_push");
  for (std::size_t i = 0; i < loop.states; ++i)
    outputs.push_back(node("sequence_push", {inputs.remembered[i], inputs.of_graph[first + i]},
                           Attributes::defaults(push)));
  const PointwiseAttributes addition{find_pointwise_function("add"), {}};
  outputs.push_back(node("pointwise", {inputs.turns, Scalar(std::int64_t{1})},
                         Attributes(*find_primitive("pointwise"), &addition)));
  return builder.finish(std::move(outputs));
}

GraphPointer remembering_test(const Graph& test, std::size_t states) {
  GraphBuilder builder;
  const RememberingInputs inputs(builder, test, 0, states);
  return builder.finish(builder.add_graph(test, inputs.of_graph));
}

void record_loop(const Loop& loop, const TensorList& operands, const TensorList& results) {
  std::vector<Edge> edges;
  TensorList saved;  // of the states in the beginning, the types are enough
  for (std::size_t i = 0; i < operands.size(); ++i) {
    edges.push_back(gradient_edge(operands[i]));
    saved.push_back(i < loop.states ? Tensor() : operands[i]);
  }
  auto* loop_node = new LoopNode(loop, saved, edges, results.back());
  const auto node = Reference<GradientNode>::adopt(loop_node);
  // What was remembered of a state without gradients has none either.
  for (std::size_t i = 0; i < 2 * loop.states; ++i)
    if (loop.carries[i % loop.states]) set_history(results[i], node, static_cast<int>(i));
  loop_node->save(std::span(results).subspan(loop.states, loop.states));
}

}  // namespace phlox::graph
