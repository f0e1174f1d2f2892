// Notes what primitives ask of the device while they are evaluated without data: the steps of a plan.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "phlox/graph/plan_implementation.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox::graph {

class Recorder {
 public:
  explicit Recorder(Plan::Implementation& plan) : plan_(plan) {}
  ~Recorder() {
    for (auto& [storage, number] : numbers_)
      if (storage->references.release()) destroy(storage);
  }

  static Recorder* current() { return current_; }

  // The plan's tensor for an abstract one; with `uses`, the step that comes next uses its memory.
  TensorImpl* tensor(const TensorImpl& from, bool uses = true) {
    TensorImpl& t = plan_.tensors.emplace_back();
    t.dtype = from.dtype;
    t.device = from.device;
    t.rank = from.rank;
    t.contiguous = from.contiguous;
    t.count = from.count;
    t.offset = from.offset;
    std::copy_n(from.sizes, from.rank, t.sizes);
    std::copy_n(from.strides, from.rank, t.strides);
    const int number = memory(from.storage);
    if (uses) use(number);
    next_.memories.push_back(number);
    plan_.memories[static_cast<std::size_t>(number)].lookers.emplace_back(&t, from.offset);
    return &t;
  }
  // A pointer to a tensor, or several. Null stays null.
  template <class Field>
  void replace(Field& field) {
    if constexpr (std::is_array_v<Field>) std::for_each(field, std::end(field), [&](auto& f) { replace(f); });
    else if (field) field = tensor(*field);
  }

  int memory(Storage* storage) {
    const auto [entry, is_new] = numbers_.try_emplace(storage, static_cast<int>(plan_.memories.size()));
    if (is_new) {
      storage->references.acquire();  // so that no other gets its address
      plan_.memories.push_back({});
      plan_.memories.back().bytes = storage->bytes;
      plan_.memories.back().device = storage->device;
    }
    return entry->second;
  }
  void use(int number) {
    PlannedMemory& m = plan_.memories[static_cast<std::size_t>(number)];
    const int now = static_cast<int>(plan_.steps.size());
    if (m.first < 0) m.first = now;
    m.last = now;
  }

  template <class Function>
  void add(Function function) {
    add_step(std::make_unique<StepOf<Function>>(std::move(function)));
  }
  void add_step(std::unique_ptr<Step> step) {
    plan_.steps.push_back(std::move(step));
    plan_.step_uses.push_back(std::exchange(next_, {}));
  }
  // Of the step that comes next: it writes this tensor alone, in about so many nanoseconds, and in one thread.
  void note_cost(double nanoseconds, const TensorImpl& output) {
    next_.cost = nanoseconds;
    next_.written = memory(output.storage);
  }
  // The same for a step that handles so many elements one by one; threads share out the work on many.
  void note_elements(std::int64_t count, const TensorImpl& output) {
    if (count <= most_in_one_thread) note_cost(20 + 0.1 * static_cast<double>(count), output);
  }

  // Of the step that comes next.
  void note_elementwise(const PointwiseCall& call) {
    plan_.elementwise.resize(plan_.steps.size() + 1);
    std::vector<int> same, other;
    for (int i = 0; i < call.input_count; ++i)
      if (call.inputs[i])
        (same_layout(*call.inputs[i], *call.output) ? same : other)
            .push_back(memory(call.inputs[i]->storage));
    for (int number : same)
      if (std::find(other.begin(), other.end(), number) == other.end())
        plan_.elementwise.back().push_back(number);
  }

  // Whether the node that is evaluated gives a copy, and does nothing else with it.
  void expect_copy(bool is_copy) { is_copy_ = is_copy; }
  // A copy that lies as what it is made of does can be that: values never change. False where it cannot.
  bool take_for_copy(const TensorImpl& source, const TensorImpl& target) {
    if (!is_copy_ || !same_layout(source, target) || source.offset != target.offset ||
        source.storage->bytes != target.storage->bytes || numbers_.contains(target.storage))
      return false;
    const int number = memory(source.storage);
    if (plan_.memories[static_cast<std::size_t>(number)].home != Home::arena) return false;
    target.storage->references.acquire();
    numbers_.emplace(target.storage, number);
    return true;
  }

  // The last step, to be put into another.
  std::unique_ptr<Step> take_step() {
    std::unique_ptr<Step> step = std::move(plan_.steps.back());
    plan_.steps.pop_back();
    plan_.step_uses.pop_back();
    return step;
  }

  std::size_t mark() const { return plan_.steps.size(); }
  // Forgets steps; memory that only they used is used by nothing then.
  void drop_steps(std::size_t from) {
    plan_.steps.resize(from);
    plan_.step_uses.resize(from);
    next_ = {};
    plan_.elementwise.resize(std::min(plan_.elementwise.size(), from));
  }

  class Scope {
   public:
    explicit Scope(Recorder& recorder);
    ~Scope() {
      abstract_evaluation = saved_;
      current_ = outer_;
    }

   private:
    AbstractEvaluation saved_;
    Recorder* outer_;
  };

 private:
  static constexpr std::int64_t most_in_one_thread = 32768;

  Plan::Implementation& plan_;
  StepUse next_;
  std::unordered_map<Storage*, int> numbers_;
  bool is_copy_ = false;
  static PHLOX_THREAD_LOCAL Recorder* current_;
};

}  // namespace phlox::graph
