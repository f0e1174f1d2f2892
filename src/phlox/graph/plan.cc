#include "phlox/graph/plan.h"

#include <algorithm>

#include "phlox/core/charged_bytes.h"
#include "phlox/core/parallel.h"
#include "phlox/core/recording.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/evaluated_step.h"
#include "phlox/graph/lines.h"
#include "phlox/graph/plan_implementation.h"
#include "phlox/graph/plan_look.h"
#include "phlox/graph/plan_recorder.h"
#include "phlox/graph/evaluated_memory.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox::graph {
namespace {

// A tensor without data that lies in memory as `like` does.
Tensor abstract_like(const Tensor& like) {
  const TensorImpl& from = *like.impl();
  std::int64_t extent = from.count > 0 ? 1 : 0;
  for (int d = 0; d < from.rank && from.count > 0; ++d)
    extent += std::abs(from.strides[d]) * (from.sizes[d] - 1);
  const Tensor memory = make_tensor({extent}, from.dtype, from.device);
  Tensor result = make_view(memory, like.shape(), like.strides(), 0);
  result.impl()->forget_base();
  return result;
}

// The operands of a node: tensors, undefined where there are none.
std::vector<Operand> operands_of(const Node& node, const TensorList& tensors) {
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto* number = std::get_if<Scalar>(&node.inputs()[i]);
    operands.push_back(number ? Operand(*number) : Operand(tensors[i]));
  }
  return operands;
}

// Evaluates the nodes of a graph without data, and notes the steps that they take.
class Planner {
 public:
  Planner(Plan::Implementation& plan, std::span<const Tensor> inputs, Plan::Kind kind)
      : plan_(plan), inputs_(inputs), kind_(kind), recorder_(plan), values_(plan.graph->nodes().size()) {}

  void add_nodes() {
    const Recorder::Scope recording(recorder_);
    for (const auto& node : plan_.graph->nodes()) {
      if (node->kind() == NodeKind::operation) add_operation(*node);
      else add_source(*node);
    }
    add_outputs();
  }

  // Notes which node made each value, for those that list them.
  void name_makers() {
    for (const auto& node : plan_.graph->nodes())
      for (const Tensor& value : values_[static_cast<std::size_t>(node->number())]) {
        PlannedMemory& memory = memory_of(value);
        if (!memory.maker) memory.maker = node.get();
      }
  }

 private:
  PlannedMemory& memory_of(const Tensor& tensor) {
    return plan_.memories[static_cast<std::size_t>(recorder_.memory(tensor.impl()->storage))];
  }
  TensorList& values_of(const Node& node) { return values_[static_cast<std::size_t>(node.number())]; }
  const Tensor& value(const Value& v) { return values_of(*v.node)[static_cast<std::size_t>(v.output)]; }

  // An input or a constant.
  void add_source(const Node& node) {
    const bool is_input = node.kind() == NodeKind::input;
    const auto next_input = plan_.input_memories.size();
    const Tensor& actual = is_input ? inputs_[next_input] : node.constant();
    values_of(node) = {abstract_like(actual)};
    const int number = recorder_.memory(values_of(node)[0].impl()->storage);
    PlannedMemory& memory = plan_.memories[static_cast<std::size_t>(number)];
    memory.home = Home::input;
    memory.number = is_input ? static_cast<int>(next_input) : -1;
    if (is_input) {
      plan_.input_strides.push_back(actual.strides());
      plan_.input_memories.push_back(number);
    } else {
      plan_.constants.emplace_back(number, actual);
    }
  }

  void add_operation(const Node& node) {
    static const Primitive* const convert = find_primitive("convert");
    TensorList tensors(node.inputs().size());
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (const auto* v = std::get_if<Value>(&node.inputs()[i])) tensors[i] = value(*v);
    TensorList& results = values_of(node);
    const std::size_t mark = recorder_.mark();
    recorder_.expect_copy(&node.primitive() == convert);
    abstract_evaluation.needs_values = false;
    if (node.regions().empty()) {
      results = evaluate(node, operands_of(node, tensors));
    } else {
      for (const Type& type : node.types())
        results.push_back(make_tensor(type.shape, type.dtype, type.device));
      abstract_evaluation.needs_values = true;
    }
    if (abstract_evaluation.needs_values) {
      recorder_.drop_steps(mark);
      recorder_.add_step(evaluated_step(plan_, recorder_, node, tensors, results));
      if (kind_ == Plan::Kind::memory) count_evaluated(plan_.evaluated, node, tensors);
    } else if (kind_ == Plan::Kind::watched) {
      add_look(node, mark, tensors, results);
    }
  }

  // Looks at the results of a node, whose steps begin at `mark`. What it has read is there then, but for what it
  // overwrites.
  void add_look(const Node& node, std::size_t mark, const TensorList& tensors, const TensorList& results) {
    const auto is_looked_at = [](const Tensor& t) { return may_be_nonfinite(*t.impl()); };
    if (std::none_of(results.begin(), results.end(), is_looked_at)) return;
    const std::vector<Operand> operands = operands_of(node, tensors);
    if (!needs_look({node.primitive(), operands, node.attributes().get(), results}, false)) return;
    // With a single step, the look is a part of it.
    std::unique_ptr<Step> step;
    if (plan_.steps.size() == mark + 1) step = recorder_.take_step();
    std::vector<TensorImpl*> given, made;
    for (const Tensor& tensor : tensors) {
      const bool stays = tensor.defined() && memory_of(tensor).home == Home::input;
      given.push_back(tensor.defined() ? recorder_.tensor(*tensor.impl(), !stays) : nullptr);
    }
    for (const Tensor& result : results)
      if (is_looked_at(result)) made.push_back(recorder_.tensor(*result.impl()));
    recorder_.add_step(looking_step(std::move(step), node, std::move(given), std::move(made)));
  }

  void add_outputs() {
    for (const Value& v : plan_.graph->outputs()) {
      const Tensor& tensor = value(v);
      TensorImpl* const output = recorder_.tensor(*tensor.impl());
      PlannedMemory& memory = memory_of(tensor);
      if (memory.home == Home::arena) memory.home = Home::output;
      plan_.outputs.push_back({output, recorder_.memory(tensor.impl()->storage)});
    }
  }

  Plan::Implementation& plan_;
  std::span<const Tensor> inputs_;
  Plan::Kind kind_;
  Recorder recorder_;
  std::vector<TensorList> values_;  // kept, so that no storage is taken for another
};

}  // namespace

Plan::Plan(GraphPointer graph, std::span<const Tensor> inputs, std::span<const Donation> donations, Kind kind,
           std::shared_ptr<Workspace> workspace)
    : self_(std::make_unique<Implementation>(std::move(graph), std::move(workspace))) {
  AbstractScope abstract;
  NoGrad no_grad;
  thread_mode.interpreter_count = 0;
  Planner planner(*self_, inputs, kind);
  planner.add_nodes();
  self_->accept(donations);
  planner.name_makers();
  self_->find_stages(kind == Kind::watched ? 1 : thread_count());  // what watches belongs to this thread
  self_->place();
}

Plan::~Plan() = default;

bool Plan::has_fresh_outputs() const { return self_->fresh_outputs; }
bool Plan::is_donated(int output) const { return self_->outputs[static_cast<std::size_t>(output)].donated; }
std::size_t Plan::arena_bytes() const { return self_->arena_bytes; }
std::size_t Plan::step_count() const { return self_->steps.size(); }

MemoryPlan Plan::memory() const {
  constexpr std::size_t shown = 10;
  MemoryPlan plan;
  std::vector<const PlannedMemory*> made;
  for (const PlannedMemory& memory : self_->memories) {
    const std::size_t bytes = charged_bytes(memory.bytes);
    switch (memory.home) {
      case Home::input:
        if (!memory.donated) (memory.number < 0 ? plan.constants : plan.inputs) += bytes;
        break;
      case Home::output: plan.outputs += bytes; break;
      case Home::result:
      case Home::arena: break;
    }
    if (memory.home != Home::input && memory.maker && memory.first >= 0) made.push_back(&memory);
  }
  const EvaluatedMemory& evaluated = self_->evaluated;
  plan.constants += evaluated.constants;
  plan.evaluated = evaluated.most;
  plan.kept = evaluated.kept;
  plan.kept_by_turn = evaluated.kept_by_turn;
  plan.blocks = {self_->arena_bytes};
  plan.blocks.insert(plan.blocks.end(), evaluated.blocks.begin(), evaluated.blocks.end());

  const auto larger = [](const auto& a, const auto& b) { return a.bytes > b.bytes; };
  std::stable_sort(made.begin(), made.end(), [&](const auto* a, const auto* b) { return larger(*a, *b); });
  if (made.size() > shown) made.resize(shown);
  const ValueNames names(*self_->graph);
  for (const PlannedMemory* memory : made)
    plan.largest.push_back({memory->bytes, line_of(*memory->maker, names), memory->maker->location()});
  plan.largest.insert(plan.largest.end(), evaluated.largest.begin(), evaluated.largest.end());
  std::stable_sort(plan.largest.begin(), plan.largest.end(), larger);
  if (plan.largest.size() > shown) plan.largest.resize(shown);
  return plan;
}

bool Plan::fits(std::span<const Tensor> inputs) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorImpl& t = *inputs[i].impl();
    for (int d = 0; d < t.rank; ++d)
      if (t.sizes[d] != 1 && t.strides[d] != self_->input_strides[i][static_cast<std::size_t>(d)])
        return false;
  }
  return true;
}

void Plan::Implementation::run(const Stage& stage) {
  if (stage.lanes.empty()) {
    for (int step = stage.first; step < stage.last; ++step) steps[static_cast<std::size_t>(step)]->run();
    return;
  }
  parallel_for(0, static_cast<std::int64_t>(stage.lanes.size()), 1,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t lane = first; lane < last; ++lane)
                   for (const int step : stage.lanes[static_cast<std::size_t>(lane)])
                     steps[static_cast<std::size_t>(step)]->run();
               });
}

std::optional<TensorList> Plan::run(std::span<const Tensor> inputs) {
  Implementation& p = *self_;
  if (p.running.test_and_set(std::memory_order_acquire)) return std::nullopt;
  NoGrad no_grad;
  struct Release {
    Implementation& plan;
    std::vector<Storage*> storages;
    ~Release() {
      for (Storage* storage : storages)
        if (storage->references.release()) destroy(storage);
      plan.results.clear();
      plan.running.clear(std::memory_order_release);
    }
  } release{p, {}};
  for (const auto& [number, memory] : p.bound_inputs) {
    const TensorImpl& input = *inputs[static_cast<std::size_t>(number)].impl();
    p.bind(*memory, input.storage, input.offset);
  }
  release.storages.reserve(p.bound_outputs.size());
  for (PlannedMemory* memory : p.bound_outputs) {
    Storage* storage = make_storage(memory->bytes);
    storage->device = memory->device;
    release.storages.push_back(storage);
    p.bind(*memory, storage, 0);
  }
  std::optional<Workspace::Loan> block;
  if (p.arena_bytes > 0) {
    block.emplace(*p.workspace, p.arena_bytes);
    p.use_arena(block->data());
  }
  for (const Stage& stage : p.stages) p.run(stage);
  TensorList outputs;
  outputs.reserve(p.outputs.size());
  for (const Implementation::Output& output : p.outputs)
    outputs.push_back(output.donated ? Tensor() : handle_of(*output.tensor));
  return outputs;
}

}  // namespace phlox::graph
