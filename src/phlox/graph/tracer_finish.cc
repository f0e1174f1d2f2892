// The end of a capture: what the function leaves behind.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "phlox/autograd/engine.h"
#include "phlox/autograd/function.h"
#include "phlox/autograd/vmap.h"
#include "phlox/core/history_journal.h"
#include "phlox/core/recording.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/convert.h"

namespace phlox::graph {

// A tensor with data that the function made itself is the same in the beginning of each call.
void Tracer::turn_literals_into_constants() {
  std::vector<Source> kept;
  std::vector<int> numbers(sources_.size(), -1);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (source.tensor.defined() && !source.gradient && source.tensor.impl()->has_data() &&
        source.tensor.impl()->storage->capture == number_) {
      Memory& memory = *memories_.at(source.tensor.impl()->storage);
      // A copy, since the program may go on with the tensor.
      const OutsideCapture outside;
      builder_.make_constant(memory.input, apply_convert(Tensor(memory.holder), memory.holder->dtype));
      memory.source = -1;
      continue;
    }
    numbers[i] = static_cast<int>(kept.size());
    kept.push_back(source);
  }
  for (auto& [storage, memory] : memories_)
    if (memory->source >= 0) {
      memory->source = numbers[static_cast<std::size_t>(memory->source)];
      for (Look& look : memory->looks)
        if (look.source >= 0) look.source = numbers[static_cast<std::size_t>(look.source)];
    }
  for (Stream& stream : streams_) stream.source = numbers[static_cast<std::size_t>(stream.source)];
  for (Captured::Argument& argument : argument_looks_)
    argument.source = numbers[static_cast<std::size_t>(argument.source)];
  sources_ = std::move(kept);
}

TensorList Tracer::find_new_histories() const {
  const HistoryJournal* const journal = parent_ ? nullptr : HistoryJournal::current();
  if (!journal) return {};
  TensorList found = journal->tensors();
  std::unordered_set<const TensorImpl*> all;
  for (const Tensor& tensor : found) all.insert(tensor.unsafe_impl());
  std::erase_if(found, [&](const Tensor& tensor) {
    const TensorImpl& t = *tensor.impl();
    const auto memory = memories_.find(t.storage);
    const bool is_written =
        memory != memories_.end() && memory->second->source >= 0 && memory->second->written;
    // A write through a view gives its base a new history; without one the view has only followed its base.
    const bool follows_base =
        t.is_view && t.base && (all.contains(t.base) || detail::can_write_through(tensor));
    return !is_written || follows_base || !tensor.requires_grad() || is_around(tensor) ||
           t.autograd->node->released();
  });
  // In the order of the program: the same function gives the same graph again.
  std::sort(found.begin(), found.end(), [](const Tensor& a, const Tensor& b) {
    return a.impl()->autograd->node->sequence() < b.impl()->autograd->node->sequence();
  });
  return found;
}

void Tracer::walk_tape(const TensorList& to, const std::function<void(GradientNode&)>& visit) const {
  std::unordered_set<GradientNode*> seen;
  std::vector<GradientNode*> next;
  const auto add = [&](GradientNode* node) {
    if (node && (node->leaf() || node->sequence() >= first_sequence_) && seen.insert(node).second)
      next.push_back(node);
  };
  for (const Tensor& tensor : to)
    if (const AutogradRecord* record = tensor.impl()->autograd) add(record->node.get());
  while (!next.empty()) {
    GradientNode* const node = next.back();
    next.pop_back();
    visit(*node);
    if (node->leaf()) continue;
    for (const Edge& edge : node->edges()) add(edge.node.get());
    for (const Edge& root : autograd::roots_of_vmap(*node)) add(root.node.get());
  }
}

std::string Tracer::find_own_gradient(const TensorList& differentiable) const {
  std::string own;
  bool through_vmap = false;
  walk_tape(differentiable, [&](GradientNode& node) {
    const GradientNode::Hooks* hooks = node.existing_hooks();
    const TensorImpl* leaf = node.leaf();
    const bool is_around = leaf && leaf->autograd->capture != number_;
    if (autograd::is_custom_function(node)) own = fmt::format("the function {}", node.name());
    else if (!is_around && hooks && (!hooks->before.empty() || !hooks->after.empty())) own = "a hook";
    through_vmap = through_vmap || !autograd::roots_of_vmap(node).empty();
  });
  return own.empty() && through_vmap ? "vmap()" : own;
}

void Tracer::refuse_hidden_leaves(const TensorList& differentiable) {
  if (parent_) return;
  walk_tape(differentiable, [&](GradientNode& node) {
    if (!node.leaf()) return;
    const Tensor leaf(Reference<TensorImpl>::share(node.leaf()));
    const auto memory = memories_.find(leaf.impl()->storage);
    if (memory == memories_.end() || memory->second->source < 0 || is_linked(leaf)) return;
    fail<GraphError>(ErrorCode::not_capturable,
                     "gradients flow to a tensor that shares memory with another that the function is given")
        .detail("tensor", describe(leaf))
        .hint("give clone() of one, or take the view inside of the function")
        .raise();
  });
}

// A result whose tape was used up inside is a number from now on.
bool Tracer::has_history(const Tensor& result) {
  const AutogradRecord* record = result.impl()->autograd;
  return record && record->requires_grad && (record->node ? !record->node->released() : is_linked(result));
}

void Tracer::follow_back(const TensorList& results) {
  if (parent_ || std::exchange(followed_back_, true)) return;
  const TensorList written = find_new_histories();
  TensorList followed;
  for (const Tensor& result : results) {
    memory_of(result);
    const bool is_written = std::any_of(written.begin(), written.end(), [&](const Tensor& tensor) {
      return tensor.unsafe_impl() == result.unsafe_impl();
    });
    if (!is_written && has_history(result)) followed.push_back(result);
  }
  followed.insert(followed.end(), written.begin(), written.end());
  if (find_own_gradient(followed) != "vmap()") return;

  turn_literals_into_constants();
  const std::size_t source_count = sources_.size();
  const std::vector<Value> values_around = current_values_around();
  const auto streams = streams_;
  const auto required = required_;
  const auto flags = expected_flags_;
  try {
    run_backwards(followed);
  } catch (const Error&) {
    own_gradients_.clear();  // who asks for them is told
  }
  // They are computed by later calls of backward(); this one leaves nothing behind.
  turn_literals_into_constants();
  streams_ = streams;
  required_ = required;
  expected_flags_ = flags;
  if (sources_.size() != source_count) own_gradients_.clear();
  sources_.erase(sources_.begin() + static_cast<std::ptrdiff_t>(source_count), sources_.end());
  for (auto& [storage, memory] : memories_)
    if (memory->source >= static_cast<int>(source_count)) memory->source = -1;
  if (current_values_around() != values_around)
    fail_capture("the gradient of what vmap() gives writes into tensors around the function",
                 "call backward() inside of the captured function");
}

// What memory and generators around the function hold now.
std::vector<Value> Tracer::current_values_around() const {
  std::vector<Value> values(sources_.size());
  for (const auto& [storage, memory] : memories_)
    if (memory->source >= 0) values[static_cast<std::size_t>(memory->source)] = memory->looks[0].value;
  for (const Stream& stream : streams_) values[static_cast<std::size_t>(stream.source)] = stream.state;
  return values;
}

void Tracer::run_backwards(const TensorList& followed) {
  const EnableGrad enable;
  std::vector<Edge> roots, targets;
  TensorList gradients;
  for (const Tensor& tensor : followed) {
    roots.push_back(gradient_edge(tensor));
    const Value input = builder_.input(type_of(tensor), fmt::format("output_gradient{}", gradients.size()));
    carries_[input.node] = false;
    gradients.push_back(stand_for(input));
  }
  std::vector<int> numbers;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    if (source.is_state() || source.gradient) continue;
    const Tensor& tensor = given_or_around(arguments_, source.argument, source.tensor);
    if (!tensor.requires_grad()) continue;
    if (!is_around(tensor)) return;  // it has been written, and what it was is not at hand
    targets.push_back(gradient_edge(tensor));
    numbers.push_back(static_cast<int>(i));
  }
  // With the gradients of all results, and of each alone: what no gradient comes to takes no part.
  const auto follow = [&](std::vector<bool> given) {
    TensorList some(gradients.size());
    for (std::size_t i = 0; i < given.size(); ++i)
      if (given[i]) some[i] = gradients[i];
    const TensorList found =
        autograd::grad_between(roots, some, targets, std::vector<bool>(targets.size(), true));
    OwnGradients own{std::move(given), {}, {}};
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i].defined()) continue;
      own.values.push_back(value_of(found[i]));
      own.sources.push_back(numbers[i]);
    }
    own_gradients_.push_back(std::move(own));
  };
  follow(std::vector<bool>(gradients.size(), true));
  for (std::size_t i = 0; i < gradients.size() && gradients.size() > 1; ++i) {
    std::vector<bool> alone(gradients.size(), false);
    alone[i] = true;
    follow(std::move(alone));
  }
}

// Gathers the outputs of the graph, and what is to be done with each.
class Tracer::Ending {
 public:
  Ending(Tracer& tracer, const TensorList& results, bool by_value)
      : tracer_(tracer), results_(results), by_value_(by_value) {}

  Captured captured;
  std::vector<Value> outputs;

  void count_uses();
  void add_results();
  void add_gradients();
  void add_writes();
  void add_histories();
  void note_state_around();
  // The graph. The parts that compute the program's own gradients become captured.own_gradients.
  GraphPointer build();

 private:
  int add_output(const Value& value) {
    outputs.push_back(value);
    return static_cast<int>(outputs.size()) - 1;
  }
  Captured::Result place(const Tensor& tensor, bool by_itself);

  Tracer& tracer_;
  const TensorList& results_;
  const bool by_value_;
  const TensorList new_histories_ = tracer_.find_new_histories();
  TensorList followed_back_;  // gradients flow to them from outside
  // Tensors that look at the same memory eagerly do so when the graph has run.
  struct Shared {
    int uses = 0, output = -1;
  };
  std::unordered_map<const Memory*, Shared> shared_;
  void add_origins(Captured::Result& result, const Storage* storage);
  std::unordered_map<const Storage*, int> memory_numbers_;
};

void Tracer::Ending::count_uses() {
  for (const Tensor& result : results_) ++shared_[&tracer_.memory_of(result)].uses;
  for (const GradientSlot& slot : tracer_.gradients_)
    if (const Tensor after = slot.leaf.grad();
        after.defined() && after.unsafe_impl() != slot.before.unsafe_impl())
      ++shared_[&tracer_.memory_of(after)].uses;
}

Captured::Result Tracer::Ending::place(const Tensor& tensor, bool by_itself) {
  Memory& memory = tracer_.fresh_memory_of(tensor);
  Captured::Result r{.source = memory.source,
                     .dtype = tensor.dtype(),
                     .shape = tensor.shape(),
                     .strides = tensor.strides(),
                     .offset = tensor.storage_offset()};
  if (by_value_) add_origins(r, tensor.impl()->storage);
  if (memory.source >= 0 && !by_value_ && !by_itself) {
    tracer_.sources_[static_cast<std::size_t>(memory.source)].exact = true;
  } else if (Shared& others = shared_[&memory]; others.uses > 1 && !by_itself) {
    if (others.output < 0) others.output = add_output(memory.looks[0].value);
    r.output = others.output;
    r.shared = true;
    r.memory_strides = Tensor(memory.holder).strides();
  } else {
    r.output = add_output(by_value_ ? tracer_.used(tensor)
                                    : tracer_.current(memory, tracer_.look_of(memory, tensor)));
  }
  return r;
}

void Tracer::Ending::add_origins(Captured::Result& result, const Storage* storage) {
  for (const Storage* origin : tracer_.origins_of(storage)) {
    const auto& arguments = tracer_.arguments_;
    const auto argument = std::find_if(arguments.begin(), arguments.end(),
                                       [&](const Tensor& given) { return given.impl()->storage == origin; });
    const auto memory = tracer_.memories_.find(origin);
    if (argument != arguments.end())
      result.may_be_arguments.push_back(static_cast<int>(argument - arguments.begin()));
    else if (memory != tracer_.memories_.end() && memory->second->source < 0)
      result.may_be_memories.push_back(
          memory_numbers_.try_emplace(origin, static_cast<int>(memory_numbers_.size())).first->second);
    else if (const Tensor holder = tracer_.holder_of(origin); holder.defined())
      result.may_be.push_back(holder);
  }
}

void Tracer::Ending::add_results() {
  if (by_value_) followed_back_ = results_;
  // A result through which gradients flow is a value of its own.
  for (const Tensor& result : results_) {
    const auto written =
        std::find_if(new_histories_.begin(), new_histories_.end(),
                     [&](const Tensor& tensor) { return tensor.unsafe_impl() == result.unsafe_impl(); });
    if (written != new_histories_.end()) {
      captured.results.push_back({.written_history = static_cast<int>(written - new_histories_.begin())});
      continue;
    }
    const bool differentiable = tracer_.has_history(result);
    if (differentiable) tracer_.refuse_detached_write(tracer_.memory_of(result), result);
    Captured::Result r = place(result, by_value_ || differentiable);
    r.differentiable = differentiable && r.output >= 0;
    if (r.differentiable && !by_value_) followed_back_.push_back(result);
    captured.results.push_back(std::move(r));
  }
}

void Tracer::Ending::add_gradients() {
  for (const GradientSlot& slot : tracer_.gradients_) {
    const int argument = tracer_.argument_of(slot.leaf);
    if (slot.read) {
      Captured::ExpectedGradient expected{slot.leaf, argument, slot.before.defined()};
      if (slot.before.defined())
        if (const auto known = tracer_.memories_.find(slot.before.impl()->storage);
            known != tracer_.memories_.end())
          expected.source = known->second->source;
      captured.expected_gradients.push_back(std::move(expected));
    }
    const Tensor after = slot.leaf.grad();
    // One that was cleared unseen is cleared at each call, though there was none at this one.
    const bool is_cleared = !slot.read && !after.defined();
    if (after.unsafe_impl() == slot.before.unsafe_impl() && !is_cleared) continue;
    captured.gradients.push_back({slot.leaf, argument});
    if (!after.defined()) continue;
    captured.gradients.back().after = place(after, by_value_);
    const autograd::GradientPresence::When when = tracer_.presence_of(after);
    if (when.condition.defined())
      captured.gradients.back().present = add_output(tracer_.value_of(when.condition));
  }
}

void Tracer::Ending::add_writes() {
  std::vector<const Memory*> written;
  for (const auto& [storage, memory] : tracer_.memories_)
    if (memory->source >= 0 && memory->written > 0) written.push_back(memory.get());
  // In the order of the program: the same function gives the same graph again.
  std::sort(written.begin(), written.end(),
            [](const Memory* a, const Memory* b) { return a->source < b->source; });
  for (const Memory* memory : written) {
    captured.writes.push_back({memory->source, add_output(memory->looks[0].value)});
    // Whether a reshape() is a view, through which is written, depends on the layout.
    if (memory->looks.size() > 1) tracer_.sources_[static_cast<std::size_t>(memory->source)].exact = true;
  }
}

void Tracer::Ending::add_histories() {
  for (const Tensor& tensor : new_histories_) {
    if (const int source = tracer_.memory_of(tensor).source;
        source >= 0 && tracer_.sources_[static_cast<std::size_t>(source)].gradient)
      fail_capture(
          "a value that gradients flow to is written into the gradient of a tensor around the function",
          "write value.detach(), or give the tensor a new gradient: leaf.grad = value");
    const Value value = tracer_.value_of(tensor);
    const auto known = std::find(outputs.begin(), outputs.end(), value);
    const int output = known == outputs.end() ? add_output(value) : static_cast<int>(known - outputs.begin());
    captured.written_histories.push_back({tensor, tracer_.argument_of(tensor), output});
    followed_back_.push_back(tensor);
  }
  tracer_.refuse_hidden_leaves(followed_back_);
  captured.own_gradient = tracer_.find_own_gradient(followed_back_);
}

void Tracer::Ending::note_state_around() {
  for (const Stream& stream : tracer_.streams_)
    captured.writes.push_back({stream.source, add_output(stream.state)});
  for (const Value& value : tracer_.required_) captured.required.push_back(add_output(value));
  const HistoryJournal* const journal = HistoryJournal::current();
  for (Source& source : tracer_.sources_)
    if (source.argument < 0 && source.tensor.defined())
      source.requires_grad = journal ? journal->required_grad(source.tensor) : source.tensor.requires_grad();
  for (const GradientSlot& slot : tracer_.gradients_)
    captured.expected_hooks.push_back(
        {slot.leaf, tracer_.argument_of(slot.leaf), number_of_hooks(slot.leaf)});
  captured.expected_flags = tracer_.expected_flags_;
}

GraphPointer Tracer::Ending::build() {
  const std::size_t count = outputs.size();
  for (const OwnGradients& own : tracer_.own_gradients_)
    outputs.insert(outputs.end(), own.values.begin(), own.values.end());
  const GraphPointer joint = tracer_.builder_.finish(std::move(outputs));
  const std::size_t sources = tracer_.sources_.size(), all = joint->inputs().size();
  if (all == sources) return joint;
  const auto part = [&](std::size_t inputs, std::size_t first, std::size_t last) {
    GraphBuilder builder;
    std::vector<Value> values;
    for (std::size_t i = 0; i < all; ++i) {
      const Type& type = joint->inputs()[i].type();
      values.push_back(i < inputs ? builder.input(type, joint->input_name(static_cast<int>(i)))
                                  : builder.constant(zeros({}, type.dtype).expand(type.shape)));
    }
    const std::vector<Value> results = builder.add_graph(*joint, values);
    return builder.finish({results.begin() + static_cast<std::ptrdiff_t>(first),
                           results.begin() + static_cast<std::ptrdiff_t>(last)});
  };
  auto gradients = std::make_shared<std::vector<Captured::OwnGradients>>();
  std::size_t first = count;
  for (OwnGradients& own : tracer_.own_gradients_) {
    const std::size_t last = first + own.values.size();
    gradients->push_back({std::move(own.given), drop_detach(part(all, first, last)), std::move(own.sources)});
    first = last;
  }
  if (!gradients->empty()) captured.own_gradients = std::move(gradients);
  return part(sources, 0, count);
}

Captured Tracer::finish(const TensorList& results, bool by_value) {
  for (const Tensor& argument : arguments_)
    if (!parent_) refuse_shared_history(memory_of(argument));
  // Leaves that the function made go when it ends, and their gradients with them.
  if (!parent_)
    std::erase_if(gradients_, [&](const GradientSlot& slot) {
      const TensorImpl& leaf = *slot.leaf.impl();
      return !leaf.has_data() || leaf.storage->capture == number_ || leaf.references.unique();
    });
  for (const Tensor& result : results) memory_of(result);
  for (const GradientSlot& slot : gradients_)
    if (const Tensor after = slot.leaf.grad(); after.defined()) memory_of(after);
  turn_literals_into_constants();
  if (!by_value) require_decisive_layouts(results);
  Ending ending(*this, results, by_value);
  ending.count_uses();
  ending.add_results();
  ending.add_gradients();
  ending.add_writes();
  ending.add_histories();
  ending.note_state_around();
  ending.captured.stale = stale_around();
  for (auto& [storage, memory] : memories_) {
    memory->taken.reset();
    memory->recorded = {};
  }
  restore();
  Captured& captured = ending.captured;
  captured.sources = sources_;
  captured.arguments = argument_looks_;
  std::vector<bool> carrying;  // inputs of the graph
  for (const Source& source : sources_) {
    const Tensor& tensor = given_or_around(arguments_, source.argument, source.tensor);
    carrying.push_back(tensor.defined() && !source.gradient && tensor.requires_grad());
  }
  const GraphPointer graph = ending.build();
  const bool followed = by_value || (captured.has_differentiable_outputs() && !captured.own_gradients);
  captured.set_graph(followed ? drop_detach(graph, carrying) : drop_detach(graph));
  return std::move(captured);
}

}  // namespace phlox::graph
