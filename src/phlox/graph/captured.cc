#include "phlox/graph/captured.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <unordered_set>

#include "phlox/autograd/gradient_presence.h"
#include "phlox/autograd/hooks_scope.h"
#include "phlox/base/debug.h"
#include "phlox/core/charged_bytes.h"
#include "phlox/core/history_journal.h"
#include "phlox/core/recording.h"
#include "phlox/graph/graph_gradient.h"
#include "phlox/graph/plan.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/effects.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox::graph {
namespace {

Tensor input_from(const Source& source, const TensorList& arguments) {
  if (source.generator) return state_tensor(source.generator->state());
  if (source.effects) return Tensor(Scalar(std::int64_t{0}));
  const Tensor& tensor = given_or_around(arguments, source.argument, source.tensor);
  if (!source.gradient) return source.flat ? flat_view(tensor) : tensor;
  const Tensor gradient = tensor.grad();
  return source.flat && gradient.defined() ? flat_view(gradient) : gradient;
}

void add_constants(const Graph& graph, std::vector<const Storage*>& storages) {
  for (const auto& node : graph.nodes()) {
    if (node->kind() == NodeKind::constant) storages.push_back(node->constant().impl()->storage);
    for (const GraphPointer& region : node->regions()) add_constants(*region, storages);
  }
}

// Whether a tensor of these strides has each element once, without gaps.
bool is_dense(const Shape& shape, const Strides& strides) {
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (shape[d] != 1) steps.emplace_back(strides[d], shape[d]);
  std::sort(steps.begin(), steps.end());
  std::int64_t expected = 1;
  for (const auto& [stride, size] : steps) {
    if (stride != expected) return false;
    expected *= size;
  }
  return true;
}

// The same values with these strides, in memory of just their size.
Tensor laid_out(const Tensor& value, const Strides& strides) {
  const TensorImpl& t = *value.impl();
  if (t.offset == 0 && std::equal(strides.begin(), strides.end(), t.strides) &&
      static_cast<std::size_t>(t.count * element_size(t.dtype)) == t.storage->bytes)
    return value;
  const Tensor flat = make_tensor({value.numel()}, value.dtype(), value.device());
  Tensor result = make_view(flat, value.shape(), strides, 0);
  result.impl()->forget_base();
  copy_data(value, result);
  return result;
}

// A result with memory of its own lies there as it did, or row-major where that would leave gaps or let elements share
// memory.
void lay_out(Captured::Result& result) {
  if (result.output >= 0 && !result.shared && !is_dense(result.shape, result.strides))
    result.strides = contiguous_strides(result.shape);
}

}  // namespace

std::vector<Donation> Captured::donations() const {
  std::vector<Donation> found;
  for (const Write& write : writes) {
    const auto uses = std::count_if(results.begin(), results.end(),
                                    [&](const Result& r) { return r.output == write.output; });
    if (uses == 0 && !sources[static_cast<std::size_t>(write.source)].is_state())
      found.push_back({write.output, write.source});
  }
  return found;
}

MemoryPlan Captured::memory_plan(const TensorList& given) const {
  return Plan(graph, inputs_for(given), donations(), Plan::Kind::memory).memory();
}

std::shared_ptr<Plan> Captured::plan_for(const TensorList& inputs) const {
  constexpr std::size_t most_layouts = 8;
  const bool watched = is_watched();
  std::shared_ptr<const Plans>& kept = watched ? watched_plans_ : plans_;
  const std::shared_ptr<const Plans> known = std::atomic_load(&kept);
  if (known)
    for (const std::shared_ptr<Plan>& plan : *known)
      if (plan->fits(inputs)) return plan;
  const auto plan = std::make_shared<Plan>(graph, inputs, donations(),
                                           watched ? Plan::Kind::watched : Plan::Kind::plain, workspace_);
  auto more = known ? std::make_shared<Plans>(*known) : std::make_shared<Plans>();
  if (more->size() >= most_layouts) more->erase(more->begin());
  more->push_back(plan);
  std::atomic_store(&kept, std::shared_ptr<const Plans>(std::move(more)));
  if (debug_level() >= 4)
    debug_log(fmt::format("plan: {} nodes as {} steps, {} in between", graph->nodes().size(),
                          plan->step_count(), readable_bytes(plan->arena_bytes())));
  if (debug_level() >= 5) debug_log(to_string(plan->memory()));
  return plan;
}

TensorList Captured::compute(const TensorList& inputs) const {
  const auto node_by_node = [&] {
    TensorList outputs = execute(*graph, inputs);
    give_memory(inputs, outputs, nullptr);
    return outputs;
  };
  if (interpreters() || debug_level() >= 6) return node_by_node();  // to see each primitive
  const std::shared_ptr<Plan> plan = plan_for(inputs);
  auto outputs = plan->run(inputs);
  if (!outputs) return node_by_node();  // another thread runs the plan
  // In its place already: the input itself.
  for (const Write& write : writes)
    if (plan->is_donated(write.output))
      (*outputs)[static_cast<std::size_t>(write.output)] = inputs[static_cast<std::size_t>(write.source)];
  if (!plan->has_fresh_outputs()) give_memory(inputs, *outputs, plan.get());
  return std::move(*outputs);
}

void Captured::give_memory(const TensorList& inputs, TensorList& outputs, const Plan* plan) const {
  NoGrad no_grad;
  std::unordered_set<const Storage*> taken(constants_.begin(), constants_.end());
  for (const Tensor& input : inputs) taken.insert(input.impl()->storage);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (plan && plan->is_donated(static_cast<int>(i))) continue;
    if (taken.contains(outputs[i].impl()->storage)) outputs[i] = outputs[i].clone();
    taken.insert(outputs[i].impl()->storage);
  }
}

TensorList Captured::collect(const TensorList& given) const {
  TensorList inputs;
  inputs.reserve(sources.size());
  if (given.size() == arguments.size())
    for (const Source& source : sources) inputs.push_back(input_from(source, given));
  return inputs;
}

TensorList Captured::inputs_for(const TensorList& given) const {
  TensorList inputs = collect(given);
  if (const auto misfit = find_misfit(given, inputs)) misfit->raise();
  return inputs;
}

TensorList Captured::run(const TensorList& given) const { return run_on(given, inputs_for(given)); }

std::optional<TensorList> Captured::run_if_fits(const TensorList& given) const {
  TensorList inputs = collect(given);
  if (find_misfit(given, inputs)) return {};
  return run_on(given, std::move(inputs));
}

TensorList Captured::run_on(const TensorList& given, TensorList inputs) const {
  const bool recording = gradients_enabled();
  if (interpreters())  // which must not take them for those of the program, with gradients
    for (Tensor& input : inputs) input = shallow_alias(input);
  const std::optional<Operands> operands = recording ? operands_for(given, inputs) : std::nullopt;
  TensorList outputs = compute(inputs);

  NoGrad no_grad;
  const auto output = [&](int i) -> Tensor& { return outputs[static_cast<std::size_t>(i)]; };
  for (const Write& write : writes) {
    if (Generator* generator = sources[static_cast<std::size_t>(write.source)].generator) {
      generator->set_state(state_from(output(write.output)));
      continue;
    }
    if (sources[static_cast<std::size_t>(write.source)].effects) continue;
    const Tensor& target = inputs[static_cast<std::size_t>(write.source)];
    if (output(write.output).unsafe_impl() != target.unsafe_impl()) copy_data(output(write.output), target);
    bump_version(target);
  }
  const auto place = [&](const Result& result) {
    if (result.written_history >= 0)
      return written_histories[static_cast<std::size_t>(result.written_history)].of(given);
    if (result.output >= 0 && !result.shared) return laid_out(output(result.output), result.strides);
    Tensor memory;
    std::int64_t offset = result.offset;
    if (result.shared) {
      Tensor& shared = output(result.output);
      memory = shared = laid_out(shared, is_dense(shared.shape(), result.memory_strides)
                                             ? result.memory_strides
                                             : contiguous_strides(shared.shape()));
    } else {
      const Source& source = sources[static_cast<std::size_t>(result.source)];
      memory = shallow_alias(inputs[static_cast<std::size_t>(result.source)]);
      // It may begin elsewhere in the memory of a larger tensor than it did.
      const std::int64_t moved = source.flat ? 0 : memory.storage_offset() - source.offset;
      offset += moved * element_size(memory.dtype()) / element_size(result.dtype);
    }
    Tensor view = make_view(memory, result.shape, result.strides, offset);
    view.impl()->dtype = result.dtype;
    return view;
  };
  for (const Gradient& gradient : gradients) {
    const Tensor& leaf = given_or_around(given, gradient.argument, gradient.leaf);
    const bool is_there = gradient.after && (gradient.present < 0 || output(gradient.present).item<bool>());
    leaf.set_grad(is_there ? place(*gradient.after) : Tensor());
  }
  TensorList returned;
  for (const Result& result : results) returned.push_back(place(result));
  if (operands) {
    EnableGrad enable;
    record(*operands, given, returned);
  }
  return returned;
}

namespace {

// A captured function in the tape.
class CallNode final : public GraphNode {
 public:
  CallNode(const Captured& captured, std::vector<int> outputs, const TensorList& inputs,
           std::span<const Edge> edges_of_inputs)
      : GraphNode("captured function", inputs, edges_of_inputs, static_cast<int>(outputs.size())),
        graph_(captured.graph),
        outputs_(std::move(outputs)),
        own_gradient_(captured.own_gradient),
        own_gradients_(captured.own_gradients) {}

 private:
  TensorList gradients(const TensorList& inputs, const std::vector<bool>& wanted,
                       std::span<const Tensor> output_gradients) override {
    if (!own_gradient_.empty()) return own_gradients(inputs, wanted, output_gradients);
    TensorList seeds(graph_->outputs().size());
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (!output_gradients[i].defined()) continue;
      Tensor& seed = seeds[static_cast<std::size_t>(outputs_[i])];  // several results may be one output
      seed = seed.defined() ? add(seed, output_gradients[i]) : output_gradients[i];
    }
    return gradients_of(*graph_, inputs, wanted, seeds);
  }

  TensorList own_gradients(const TensorList& inputs, const std::vector<bool>& wanted,
                           std::span<const Tensor> output_gradients) const {
    if (!own_gradients_)
      fail<GraphError>(ErrorCode::not_capturable, "gradients of a captured function do not go through {}",
                       own_gradient_)
          .hint("take them inside of the captured function: backward(), px.func.grad()")
          .raise();
    if (gradients_enabled())
      fail<GraphError>(ErrorCode::not_capturable,
                       "gradients of gradients of a captured function do not go through {}", own_gradient_)
          .detail("such as", "jvp(), jacfwd() and hessian(), which are computed so")
          .hint("take them inside of the captured function: px.jit(px.func.jacfwd(f))")
          .raise();
    const WithoutEffects again_for_gradients;
    TensorList given = inputs;
    std::vector<bool> is_given;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Type& type = graph_->outputs()[static_cast<std::size_t>(outputs_[i])].type();
      is_given.push_back(output_gradients[i].defined());
      given.push_back(is_given[i] ? output_gradients[i] : zeros({}, type.dtype).expand(type.shape));
    }
    TensorList of_inputs(inputs.size());
    const bool all = std::find(is_given.begin(), is_given.end(), false) == is_given.end();
    for (const Captured::OwnGradients& own : *own_gradients_) {
      const auto alone = std::find(own.given.begin(), own.given.end(), true) - own.given.begin();
      const bool is_for_all = &own == &own_gradients_->front();
      if (is_for_all ? !all : all || !is_given[static_cast<std::size_t>(alone)]) continue;
      const TensorList found = execute(*own.graph, given);
      for (std::size_t k = 0; k < found.size(); ++k) {
        Tensor& sum = of_inputs[static_cast<std::size_t>(own.sources[k])];
        // A gradient is nobody else's memory.
        sum = sum.defined() ? add(sum, found[k]) : found[k].clone();
      }
    }
    TensorList result;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (wanted[i]) result.push_back(of_inputs[i]);
    return result;
  }

  GraphPointer graph_;
  std::vector<int> outputs_;
  std::string own_gradient_;
  std::shared_ptr<const std::vector<Captured::OwnGradients>> own_gradients_;
};

}  // namespace

std::optional<Captured::Operands> Captured::operands_for(const TensorList& given,
                                                         const TensorList& inputs) const {
  if (!has_differentiable_outputs()) return {};
  TensorList operands;
  for (const Tensor& input : inputs)
    operands.push_back(input.impl()->autograd ? shallow_alias(input) : input);
  std::vector<Edge> edges(inputs.size());
  bool any = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    if (source.is_state() || source.gradient) continue;
    const Tensor& original = given_or_around(given, source.argument, source.tensor);
    if (!needs_gradient(original)) continue;
    if (source.flat)
      fail<GraphError>(ErrorCode::not_capturable,
                       "gradients of a captured function do not reach a view of a larger tensor")
          .detail("input", describe(original))
          .hint("<input>.clone() before the call")
          .raise();
    operands[i] = original;
    edges[i] = gradient_edge(original);
    any = true;
  }
  if (!any) return {};
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (overwritten_[i]) operands[i] = operands[i].clone();
  return Operands{std::move(operands), std::move(edges)};
}

bool Captured::has_differentiable_outputs() const {
  return !written_histories.empty() || std::any_of(results.begin(), results.end(), [](const Result& result) {
    return result.differentiable;
  });
}

std::vector<int> Captured::differentiable_outputs() const {
  std::vector<int> outputs;
  for (const Result& result : results)
    if (result.differentiable) outputs.push_back(result.output);
  for (const WrittenHistory& written : written_histories) outputs.push_back(written.output);
  return outputs;
}

void Captured::record(const Operands& operands, const TensorList& given, const TensorList& returned) const {
  const auto node = Reference<GradientNode>::adopt(
      new CallNode(*this, differentiable_outputs(), operands.tensors, operands.edges));
  int next = 0;
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].differentiable) set_history(returned[i], node, next++);
  for (const WrittenHistory& written : written_histories) rebase_history(written.of(given), node, next++);
}

Captured Captured::with_graph(GraphPointer other) const {
  Captured result = *this;
  result.set_graph(std::move(other));
  result.plans_ = result.watched_plans_ = nullptr;
  return result;
}

void Captured::use_workspace(std::shared_ptr<Workspace> workspace) {
  workspace_ = std::move(workspace);
  plans_ = watched_plans_ = nullptr;
}

void Captured::set_graph(GraphPointer other) {
  graph = std::move(other);
  if (!workspace_) workspace_ = std::make_shared<Workspace>();
  constants_.clear();
  add_constants(*graph, constants_);
  written_.assign(sources.size(), 0);
  for (const Write& write : writes) written_[static_cast<std::size_t>(write.source)] = 1;
  std::vector<bool> needed = inputs_needed(*graph, differentiable_outputs());
  if (own_gradients)
    for (const OwnGradients& own : *own_gradients) {
      std::vector<int> outputs(own.graph->outputs().size());
      std::iota(outputs.begin(), outputs.end(), 0);
      const std::vector<bool> also = inputs_needed(*own.graph, outputs);
      for (std::size_t i = 0; i < sources.size(); ++i) needed[i] = needed[i] || also[i];
    }
  overwritten_.assign(sources.size(), 0);
  for (std::size_t i = 0; i < sources.size(); ++i)
    overwritten_[i] = written_[i] && !sources[i].is_state() && needed[i];
  for (Result& result : results) lay_out(result);
  for (Gradient& gradient : gradients)
    if (gradient.after) lay_out(*gradient.after);
}

namespace {

class PresenceScope {
 public:
  explicit PresenceScope(autograd::GradientPresence& presence)
      : before_(std::exchange(autograd::gradient_presence, &presence)) {}
  ~PresenceScope() {
    *autograd::gradient_presence = {};  // it holds tensors of the capture
    autograd::gradient_presence = before_;
  }
  PresenceScope(const PresenceScope&) = delete;
  PresenceScope& operator=(const PresenceScope&) = delete;

 private:
  autograd::GradientPresence* before_;
};

}  // namespace

Captured trace(const std::function<TensorList(const TensorList&)>& function, const TensorList& examples) {
  const auto start = std::chrono::steady_clock::now();
  Tracer tracer(examples);
  Captured captured;
  autograd::GradientPresence presence;
  {
    const PresenceScope scope(presence);
    TensorList results;
    const HistoryJournal journal;
    const Configuration::Collector collector;
    const autograd::HooksScope no_hooks(nullptr);
    {
      InterpreterScope active(tracer);
      thread_mode.capture = tracer.number();
      results = function(tracer.arguments());
      tracer.follow_back(results);
    }
    captured = tracer.finish(results);
    captured.configurations = collector.used();
  }
  tracer.check_nothing_escaped();
  if (debug_level() >= 4)
    debug_log(fmt::format(
        "captured: {} nodes, {} inputs, {} outputs in {:.1f} ms", captured.graph->nodes().size(),
        captured.graph->inputs().size(), captured.graph->outputs().size(),
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count()));
  return captured;
}

}  // namespace phlox::graph
