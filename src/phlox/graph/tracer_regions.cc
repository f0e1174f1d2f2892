// Branches and loops while a function is captured: each function that they run is captured by a tracer of its own, and
// what these found around them is brought together into the operands and results of one node.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "phlox/autograd/gradient_presence.h"
#include "phlox/autograd/hooks_scope.h"
#include "phlox/core/history_journal.h"
#include "phlox/core/recording.h"
#include "phlox/core/origin.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/graph_gradient.h"
#include "phlox/graph/loop_gradient.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/detach.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/sequence.h"

namespace phlox::graph {
namespace {

bool same_source(const Source& a, const Source& b) {
  if (a.is_state() || b.is_state()) return a.generator == b.generator && a.effects == b.effects;
  return a.argument == b.argument && (a.argument >= 0 || a.tensor.unsafe_impl() == b.tensor.unsafe_impl());
}

int output_for_write(const Captured& part, const Source& source) {
  for (const Captured::Write& write : part.writes)
    if (same_source(part.sources[static_cast<std::size_t>(write.source)], source)) return write.output;
  return -1;
}

// What several parts found around them, each once; arguments of the parts come first.
class Surroundings {
 public:
  explicit Surroundings(std::span<const Captured* const> parts) {
    for (const Captured* part : parts)
      for (const Source& source : part->sources)
        if (source.argument < 0 && find(source) < 0) sources_.push_back(source);
    for (const Captured* part : parts)
      for (const Captured::Write& write : part->writes) {
        const Source& source = part->sources[static_cast<std::size_t>(write.source)];
        if (source.argument < 0 &&
            std::find(written_.begin(), written_.end(), find(source)) == written_.end())
          written_.push_back(find(source));
      }
    // Those that are written come first: in loops they are state.
    std::vector<Source> ordered;
    for (int i : written_) ordered.push_back(sources_[static_cast<std::size_t>(i)]);
    for (int i = 0; i < static_cast<int>(sources_.size()); ++i)
      if (std::find(written_.begin(), written_.end(), i) == written_.end())
        ordered.push_back(sources_[static_cast<std::size_t>(i)]);
    sources_ = std::move(ordered);
  }

  std::span<const Source> sources() const { return sources_; }
  // The first so many sources are written.
  std::size_t written() const { return written_.size(); }
  int find(const Source& source) const {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      if (same_source(sources_[i], source)) return static_cast<int>(i);
    return -1;
  }

 private:
  std::vector<Source> sources_;
  std::vector<int> written_;
};

// The value, or zeros, as a value of this type: what a number of the program or "anything" becomes.
Value fit_to(GraphBuilder& builder, std::optional<Value> value, const Type& type) {
  const auto node = [&](const char* primitive, std::vector<Input> inputs, auto&&... fields) {
    const Primitive& p = *find_primitive(primitive);
    Attributes attributes = Attributes::defaults(p);
    (attributes.set(fields.first, fields.second), ...);
    return Value{&builder.add(p, std::move(inputs), std::move(attributes)), 0};
  };
  using Field = std::pair<const char*, std::string>;
  const Field dtype{"dtype", std::string(info(type.dtype).short_name)};
  const Field sizes{"sizes", "[" + phlox::to_string(type.shape) + "]"};
  if (!value) return node("fill", {}, Field{"shape", sizes.second}, dtype, Field{"value", "0"});
  if (value->type().dtype != type.dtype) value = node("convert", {*value}, dtype);
  if (value->type().shape != type.shape) value = node("view", {*value}, Field{"kind", "expand"}, sizes);
  return *value;
}

// The graph of a part with inputs (arguments..., surroundings...) and outputs (results..., what is written..., truth values
// that are computed for the checks in them). The results are those of the choices, of the types given. `before` and
// `after` outputs that are true stand for the checks of other parts.
GraphPointer region_of(const Captured& part, const std::vector<Type>& arguments, const Surroundings& around,
                       std::span<const Type> around_types, std::span<const Tracer::Choice> choices,
                       std::span<const Type> result_types, bool with_writes = true, std::size_t before = 0,
                       std::size_t after = 0) {
  GraphBuilder builder;
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    inputs.push_back(builder.input(arguments[i], fmt::format("a{}", i)));
  for (std::size_t i = 0; i < around_types.size(); ++i)
    inputs.push_back(builder.input(around_types[i], fmt::format("x{}", i)));
  std::vector<Value> given;
  for (const Source& source : part.sources) {
    const int number =
        source.argument >= 0 ? source.argument : static_cast<int>(arguments.size()) + around.find(source);
    given.push_back(inputs[static_cast<std::size_t>(number)]);
  }
  const std::vector<Value> made = builder.add_graph(*part.graph, given);
  std::vector<Value> outputs;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    std::optional<Value> value;
    if (choices[i].result >= 0) {
      const int output = part.results[static_cast<std::size_t>(choices[i].result)].output;
      value = made[static_cast<std::size_t>(output)];
    }
    outputs.push_back(fit_to(builder, value, result_types[i]));
  }
  for (std::size_t i = 0; i < around.written() && with_writes; ++i) {
    const int output = output_for_write(part, around.sources()[i]);
    outputs.push_back(output >= 0 ? made[static_cast<std::size_t>(output)] : inputs[arguments.size() + i]);
  }
  const Type truth{DType::bool_, {}, Device{}};
  const auto add_true = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) outputs.push_back(fit_to(builder, std::nullopt, truth));
  };
  add_true(before);
  for (int output : part.required) outputs.push_back(made[static_cast<std::size_t>(output)]);
  add_true(after);
  return builder.finish(std::move(outputs));
}

const Type& result_type(const Captured& part, int result) {
  const int output = part.results[static_cast<std::size_t>(result)].output;
  return part.graph->outputs()[static_cast<std::size_t>(output)].type();
}

// Every result of a part, as it is.
std::vector<Tracer::Choice> all_results(const Captured& part) {
  std::vector<Tracer::Choice> choices;
  for (int i = 0; i < static_cast<int>(part.results.size()); ++i) choices.push_back({i, false});
  return choices;
}

std::vector<Type> types_of(const TensorList& tensors) {
  std::vector<Type> types;
  for (const Tensor& tensor : tensors) types.push_back(type_of(tensor));
  return types;
}

TensorList abstract_tensors(std::span<const Type> types) {
  TensorList tensors;
  for (const Type& type : types) tensors.push_back(abstract_tensor(type));
  return tensors;
}

// A branch that was chosen at run time. Its gradient is a branch of the gradients, for which each region is run again.
class CondNode final : public GraphNode {
 public:
  CondNode(const Tensor& condition, const TensorList& operands, std::span<const Edge> edges_of_operands,
           std::vector<GraphPointer> regions, int outputs)
      : GraphNode("cond", operands, edges_of_operands, outputs),
        condition_(condition),
        regions_(std::move(regions)) {}

 private:
  TensorList gradients(const TensorList& operands, const std::vector<bool>& wanted,
                       std::span<const Tensor> output_gradients) override {
    if (Tracer* tracer = active_tracer())
      return captured_gradients(*tracer, operands, wanted, output_gradients);
    return phlox::cond(
        condition_, [&] { return gradients_or_zeros(*regions_[0], operands, wanted, output_gradients); },
        [&] { return gradients_or_zeros(*regions_[1], operands, wanted, output_gradients); });
  }

  // Those that one side has and the other has not are marked: the graph gives zeros in their place.
  TensorList captured_gradients(Tracer& tracer, const TensorList& operands, const std::vector<bool>& wanted,
                                std::span<const Tensor> output_gradients) {
    using Presence = autograd::GradientPresence;
    struct Side {
      Captured part;
      std::vector<Presence::When> whens;
      std::vector<bool> found;
    } sides[2];
    const auto count = static_cast<int>(std::count(wanted.begin(), wanted.end(), true));
    for (int side = 0; side < 2; ++side) {
      Side& s = sides[side];
      // The gradients, and when they are there.
      s.part = tracer.capture_part({}, [&](const TensorList&) {
        TensorList all =
            gradients_of(*regions_[static_cast<std::size_t>(side)], operands, wanted, output_gradients);
        s.whens.clear();
        s.found.clear();
        for (std::size_t i = 0, next = 0; i < operands.size(); ++i) {
          if (!wanted[i]) continue;
          Tensor& gradient = all[next++];
          s.found.push_back(gradient.defined());
          s.whens.push_back(gradient.defined() && autograd::gradient_presence
                                ? autograd::gradient_presence->of(gradient)
                                : Presence::When{});
          if (!gradient.defined()) gradient = zero_gradient(operands[i]);
        }
        for (int i = 0; i < count; ++i) {
          const Tensor& condition = s.whens[static_cast<std::size_t>(i)].condition;
          all.push_back(condition.defined()
                            ? condition.clone()
                            : full({}, bool(s.found[static_cast<std::size_t>(i)]), DType::bool_));
        }
        return all;
      });
    }
    std::vector<Tracer::Choice> choices;
    for (int i = 0; i < count; ++i) choices.push_back({i, false});
    const auto is_sure = [&](int i) {
      const auto n = static_cast<std::size_t>(i);
      return std::all_of(std::begin(sides), std::end(sides),
                         [&](const Side& s) { return s.found[n] && s.whens[n].always(); });
    };
    for (int i = 0; i < count; ++i)
      if (!is_sure(i)) choices.push_back({count + i, false});
    TensorList results = tracer.add_cond(condition_, sides[0].part, choices, sides[1].part, choices);
    for (int i = 0, next = count; i < count; ++i) {
      if (is_sure(i)) continue;
      const auto n = static_cast<std::size_t>(i);
      const Tensor condition = results[static_cast<std::size_t>(next++)];
      if (!sides[0].found[n] && !sides[1].found[n]) results[n] = Tensor();
      else if (sides[0].whens[n].unknown || sides[1].whens[n].unknown)
        mark_presence(results[n], {.unknown = true});
      else mark_presence(results[n], {.condition = condition});
    }
    results.resize(static_cast<std::size_t>(count));
    return results;
  }

  Tensor condition_;
  std::vector<GraphPointer> regions_;
};

}  // namespace

Captured Tracer::capture_part(const TensorList& arguments,
                              const std::function<TensorList(const TensorList&)>& function, bool linked) {
  OutsideCapture outside;
  const autograd::HooksScope no_hooks(nullptr);
  Tracer tracer(arguments, this, linked);
  TensorList results;
  const HistoryJournal journal;
  {
    InterpreterScope active(tracer);
    thread_mode.capture = tracer.number();
    results = function(tracer.arguments());
  }
  Captured part = tracer.finish(results, true);
  if (!part.gradients.empty())
    fail_capture("backward() is called in a branch or loop that depends on a tensor",
                 "call it outside, or px.autograd.grad() inside");
  return part;
}

namespace {

// A tensor with a history of its own in this scope.
class LinkedForNow {
 public:
  explicit LinkedForNow(const Tensor& tensor)
      : tensor_(tensor), before_(std::exchange(tensor.impl()->autograd, nullptr)) {
    const Tensor origin = abstract_tensor(type_of(tensor));
    origin.set_requires_grad();
    with_history_of(tensor, origin);
  }
  ~LinkedForNow() {
    const std::unique_ptr<AutogradRecord> now(std::exchange(tensor_.impl()->autograd, before_.release()));
  }
  LinkedForNow(const LinkedForNow&) = delete;
  LinkedForNow& operator=(const LinkedForNow&) = delete;

 private:
  Tensor tensor_;
  std::unique_ptr<AutogradRecord> before_;
};

}  // namespace

Captured Tracer::capture_turn(const TensorList& arguments,
                              const std::function<TensorList(const TensorList&)>& function) {
  Captured turn = capture_part(arguments, function);
  const bool recorded =
      std::any_of(arguments.begin(), arguments.end(), needs_gradient) ||
      std::any_of(turn.sources.begin(), turn.sources.end(), [](const Source& source) {
        return source.argument < 0 && source.tensor.defined() && needs_gradient(source.tensor);
      });
  const bool all_linked = std::all_of(arguments.begin(), arguments.end(), [](const Tensor& argument) {
    return needs_gradient(argument) || !phlox::is_differentiable(argument.dtype());
  });
  // What a turn writes in place, gradients may flow to from the turn before.
  std::vector<std::unique_ptr<LinkedForNow>> written;
  for (const Captured::Write& write : turn.writes) {
    const Source& source = turn.sources[static_cast<std::size_t>(write.source)];
    if (source.argument >= 0 || source.is_state() || !phlox::is_differentiable(source.tensor.dtype()))
      continue;
    if (recorded && !needs_gradient(source.tensor))
      written.push_back(std::make_unique<LinkedForNow>(source.tensor));
  }
  return recorded && (!all_linked || !written.empty()) ? capture_part(arguments, function, true) : turn;
}

std::vector<Type> Tracer::result_types(const TensorList& arguments,
                                       const std::function<TensorList(const TensorList&)>& function) {
  const Captured part = capture_part(arguments, function);
  std::vector<Type> types;
  for (int i = 0; i < static_cast<int>(part.results.size()); ++i) types.push_back(result_type(part, i));
  return types;
}

// The primitive's operands (states..., around...), as the tape sees them: as they are now, whatever is written later.
TensorList Tracer::region_operands(const TensorList& state, std::span<const Source> around) {
  const auto as_it_is = [this](const Tensor& tensor) {
    return with_history_of(stand_for(used(tensor)), tensor);
  };
  TensorList operands;
  for (const Tensor& tensor : state) operands.push_back(as_it_is(tensor));
  for (const Source& source : around)
    operands.push_back(source.is_state() ? stand_for(stream_of(source.generator).state)
                                         : as_it_is(source.tensor));
  return operands;
}

TensorList Tracer::add_region_node(const char* primitive, const TensorList& leading, const TensorList& state,
                                   std::span<const Source> around, std::size_t written, std::size_t required,
                                   std::vector<GraphPointer> regions, const std::string& own_gradient) {
  for (std::size_t i = 0; i < written; ++i)
    for (std::size_t other = 0; other < i; ++other)
      if (!around[i].is_state() && !around[other].is_state() &&
          around[i].tensor.shares_storage_with(around[other].tensor))
        fail_capture("the sides of a branch on a tensor write one memory through different views",
                     "write the same tensor on both sides, or clone() one of the two before");
  const TensorList operands = region_operands(state, around);
  const bool recorded = std::any_of(operands.begin(), operands.end(), needs_gradient);
  if (recorded && !own_gradient.empty())
    fail_capture("gradients of a branch or loop that depends on a tensor do not go through " + own_gradient,
                 "call it outside of the branch or loop");
  TensorList given = leading;
  given.insert(given.end(), operands.begin(), operands.end());
  std::optional<Loop> loop;
  if (recorded && std::string_view(primitive) != "cond") {
    loop = Loop{!leading.empty(), state.size() + written, regions.back(), {}};
    std::vector<bool> reached(leading.size(), false);  // the number of the turn
    for (const Tensor& operand : operands) reached.push_back(needs_gradient(operand));
    loop->carries = states_with_gradients(*loop->body, std::move(reached), leading.size());
    TensorList nothing_yet(loop->states);
    for (Tensor& sequence : nothing_yet) sequence = apply_sequence_empty();
    nothing_yet.push_back(full({}, 0, DType::int64));
    given.insert(given.begin() + static_cast<std::ptrdiff_t>(leading.size() + loop->states),
                 nothing_yet.begin(), nothing_yet.end());
    if (leading.empty()) regions[0] = remembering_test(*regions[0], loop->states);
    regions.back() = remembering_body(*loop);
  }

  if (!recorded)
    for (GraphPointer& region : regions) region = drop_detach(region);
  std::vector<Input> inputs;
  for (const Tensor& tensor : given) inputs.emplace_back(used(tensor));
  const Primitive& p = *find_primitive(primitive);
  const Node& node =
      builder_.add(p, std::move(inputs), Attributes::defaults(p), {}, origin_of_call(), regions);
  TensorList results;
  for (int i = 0; i < static_cast<int>(node.types().size()); ++i) results.push_back(stand_for({&node, i}));
  mark_guessed(results);
  if (loop) {
    record_loop(*loop, operands, results);
    results.resize(loop->states);
  }

  for (std::size_t i = 0; i < required; ++i) required_.push_back(value_of(results[results.size() - 1 - i]));
  results.resize(results.size() - required);
  if (recorded && !loop) {
    std::vector<Edge> edges;
    std::vector<bool> reached;
    for (const Tensor& operand : operands) {
      edges.push_back(gradient_edge(operand));
      reached.push_back(needs_gradient(operand));
    }
    const std::vector<bool> if_true = outputs_with_gradients(*regions[0], reached),
                            if_false = outputs_with_gradients(*regions[1], reached);
    const auto history = Reference<GradientNode>::adopt(
        new CondNode(leading[0], operands, edges, std::move(regions), static_cast<int>(results.size())));
    // What is written keeps a history, as the one from before the write is not that of the new value.
    for (std::size_t i = 0, first = results.size() - written; i < results.size(); ++i)
      if (if_true[i] || if_false[i] ||
          (i >= first && !around[i - first].is_state() && needs_gradient(around[i - first].tensor)))
        set_history(results[i], history, static_cast<int>(i));
  }
  const std::size_t returned = results.size() - written;
  for (std::size_t i = 0; i < written; ++i) {
    if (around[i].is_state()) stream_of(around[i].generator).state = {&node, static_cast<int>(returned + i)};
    else replace_value(around[i].tensor, results[returned + i]);
  }
  results.resize(returned);
  return results;
}

TensorList Tracer::trace_cond(const Tensor& condition, const std::function<TensorList()>& if_true,
                              const std::function<TensorList()>& if_false) {
  const auto run = [](const std::function<TensorList()>& f) {
    return [&](const TensorList&) { return f(); };
  };
  const Captured yes = capture_part({}, run(if_true)), no = capture_part({}, run(if_false));
  return add_cond(condition, yes, all_results(yes), no, all_results(no));
}

TensorList Tracer::add_cond(const Tensor& condition, const Captured& yes, std::span<const Choice> of_yes,
                            const Captured& no, std::span<const Choice> of_no) {
  if (of_yes.size() != of_no.size())
    fail_capture("the two sides of a condition on a tensor give different numbers of results",
                 "give the same");
  std::vector<Type> results;
  for (std::size_t i = 0; i < of_yes.size(); ++i) {
    const Choice &a = of_yes[i], &b = of_no[i];
    const bool take_second = a.result < 0 || (a.weak && b.result >= 0);
    results.push_back(take_second ? result_type(no, b.result) : result_type(yes, a.result));
    if (a.result < 0 || b.result < 0) continue;
    const Type &first = result_type(yes, a.result), &second = result_type(no, b.result);
    if (first == second) continue;
    if (a.weak && b.weak) {
      results.back().dtype = promote(first.dtype, second.dtype);
      continue;
    }
    if (a.weak && keeps_kind(first.dtype, second.dtype)) continue;
    if (b.weak && keeps_kind(second.dtype, first.dtype)) continue;
    fail<GraphError>(ErrorCode::not_capturable,
                     "the two sides of a condition on a tensor give different types")
        .detail("if it holds", to_string(first))
        .detail("if not", to_string(second))
        .hint("give both sides the same shape and dtype")
        .raise();
  }
  const Captured* const parts[] = {&yes, &no};
  const Surroundings around(parts);
  const std::vector<Type> types = types_around(around.sources());
  TensorList given = add_region_node(
      "cond", {condition}, {}, around.sources(), around.written(), yes.required.size() + no.required.size(),
      {region_of(yes, {}, around, types, of_yes, results, true, 0, no.required.size()),
       region_of(no, {}, around, types, of_no, results, true, yes.required.size())},
      yes.own_gradient.empty() ? no.own_gradient : yes.own_gradient);
  note_aliases_of_branch(given, yes, of_yes);
  note_aliases_of_branch(given, no, of_no);
  return given;
}

namespace {

// Which variables of a loop are written in place by its body: these stay the tensors that they are. `skipped` arguments
// of the body are no variables.
std::vector<bool> written_state(const TensorList& state, const Captured& body, int skipped) {
  std::vector<bool> written(state.size(), false);
  for (const Captured::Write& write : body.writes) {
    const int argument = body.sources[static_cast<std::size_t>(write.source)].argument;
    if (argument < 0) continue;
    const auto i = static_cast<std::size_t>(argument - skipped);
    bool fits = argument >= skipped && body.results[i].source == write.source &&
                body.results[i].shape == state[i].shape() && body.results[i].offset == 0;
    for (std::size_t other = 0; other < state.size() && fits; ++other)
      fits = other == i || !state[other].shares_storage_with(state[i]);
    if (!fits)
      fail_capture(
          "a variable of a loop that depends on a tensor is written in place, and is another one later",
          "give it a new value: x = x + y in place of x += y");
    written[i] = true;
  }
  return written;
}

void check_state(const std::vector<Type>& before, const Captured& body) {
  if (body.results.size() != before.size())
    fail_capture("the body of a loop on a tensor gives another number of tensors than its state has",
                 "give the same");
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Type& after = result_type(body, static_cast<int>(i));
    if (after == before[i]) continue;
    fail<GraphError>(ErrorCode::not_capturable,
                     "a variable changes its type in a loop that depends on a tensor")
        .detail("before", to_string(before[i]))
        .detail("after a turn", to_string(after))
        .hint("begin with a tensor of the shape and dtype that it has later")
        .raise();
  }
}

}  // namespace

TensorList Tracer::trace_while(const std::function<Tensor(const TensorList&)>& test,
                               const std::function<TensorList(const TensorList&)>& body,
                               const TensorList& state) {
  const std::vector<Type> types = types_of(state);
  const Captured condition =
      capture_part(state, [&](const TensorList& s) -> TensorList { return {test(s)}; });
  Captured turn = capture_turn(state, body);
  check_state(types, turn);
  const std::vector<bool> in_place = written_state(state, turn, 0);
  const TensorList all = with_checks(state, turn);
  if (!condition.writes.empty())
    fail_capture("the test of a loop writes a tensor in place, draws random numbers or prints",
                 "do so in the body of the loop");
  const Captured* const parts[] = {&condition, &turn};
  const Surroundings around(parts);
  const std::vector<Type> others = types_around(around.sources());
  const std::vector<Type> truth{{DType::bool_, {}, Device{}}};
  if (!condition.required.empty())
    fail_capture("the test of a loop has an assertion", "assert in the body of the loop");
  TensorList last = keep_in_place(
      state, in_place,
      add_region_node(
          "while_loop", {}, all, around.sources(), around.written(), 0,
          {region_of(condition, types_of(all), around, others, all_results(condition), truth, false),
           region_of(turn, types_of(all), around, others, all_results(turn), types_of(all))},
          turn.own_gradient));
  note_aliases_of_loop(last, state, turn, around.sources(), 0);
  return last;
}

TensorList Tracer::trace_for(const Tensor& count,
                             const std::function<TensorList(const Tensor&, const TensorList&)>& body,
                             const TensorList& state) {
  const std::vector<Type> types = types_of(state);
  TensorList arguments = abstract_tensors(std::vector<Type>{{DType::int64, {}, count.device()}});
  arguments.insert(arguments.end(), state.begin(), state.end());
  Captured turn = capture_turn(
      arguments, [&](const TensorList& a) { return body(a[0], TensorList(a.begin() + 1, a.end())); });
  check_state(types, turn);
  const std::vector<bool> in_place = written_state(state, turn, 1);
  const Captured* const parts[] = {&turn};
  const Surroundings around(parts);
  const TensorList all = with_checks(state, turn);
  arguments.insert(arguments.end(), all.begin() + static_cast<std::ptrdiff_t>(state.size()), all.end());
  TensorList last = keep_in_place(
      state, in_place,
      add_region_node("for_loop", {count}, all, around.sources(), around.written(), 0,
                      {region_of(turn, types_of(arguments), around, types_around(around.sources()),
                                 all_results(turn), types_of(all))},
                      turn.own_gradient));
  note_aliases_of_loop(last, state, turn, around.sources(), 1);
  return last;
}

// Truth values that are computed for the checks in a loop go round with its state, so that each turn computes them.
TensorList Tracer::with_checks(const TensorList& state, Captured& body) {
  TensorList all = state;
  for (int output : body.required) {
    Captured::Result check;
    check.output = output;
    body.results.push_back(check);
    all.push_back(full({}, true, DType::bool_));
  }
  body.required.clear();
  return all;
}

void Tracer::replace_value(const Tensor& target, const Tensor& result) {
  // A leaf is written without gradients only, also in a branch that has some for others.
  const bool is_leaf = target.requires_grad() && target.is_leaf();
  std::optional<NoGrad> no_grad;
  if (is_leaf) no_grad.emplace();
  assign_whole(target, value_of(result));
  bump_version(target);
  if (is_leaf) return;
  if (const Edge edge = gradient_edge(result); edge.node)
    rebase_history(target, edge.node, static_cast<int>(edge.output));
}

TensorList Tracer::keep_in_place(const TensorList& state, const std::vector<bool>& in_place,
                                 TensorList results) {
  for (std::size_t i = state.size(); i < results.size(); ++i) required_.push_back(value_of(results[i]));
  results.resize(state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (!in_place[i]) continue;
    replace_value(state[i], results[i]);
    results[i] = state[i];
  }
  return results;
}

std::vector<Type> Tracer::types_around(std::span<const Source> sources) {
  std::vector<Type> types;
  for (const Source& source : sources)
    types.push_back(source.is_state() ? state_type(source) : value_of(source.tensor).type());
  return types;
}

}  // namespace phlox::graph
