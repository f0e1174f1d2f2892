#include "phlox/graph/plan.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <unordered_map>

#include "phlox/core/charged_bytes.h"
#include "phlox/core/parallel.h"
#include "phlox/core/recording.h"
#include "phlox/graph/arena.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/lines.h"
#include "phlox/graph/plan_look.h"
#include "phlox/graph/plan_stages.h"
#include "phlox/graph/plan_steps.h"
#include "phlox/graph/region_plans.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox::graph {
namespace {

// Where a tensor of the plan gets its memory from.
enum class Home : std::uint8_t { arena, input, output, result };

// Memory in the plan; a storage without data stands for it while the plan is made.
struct Memory {
  Home home = Home::arena;
  int number = 0;        // of the input
  bool donated = false;  // an output in the memory of the input
  std::size_t bytes = 0;
  int first = -1, last = -1;  // steps that use it
  std::size_t place = 0;      // in the arena
  Device device = {};
  const Node* maker = nullptr;                                // the node that makes it, or looks at it first
  std::vector<std::pair<TensorImpl*, std::int64_t>> lookers;  // tensors in it, with their offsets
};

// The same elements in the same places.
bool same_layout(const TensorImpl& a, const TensorImpl& b) {
  if (a.dtype != b.dtype || a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d)
    if (a.sizes[d] != b.sizes[d] || (a.sizes[d] != 1 && a.strides[d] != b.strides[d])) return false;
  return true;
}

}  // namespace

struct Plan::Implementation {
  GraphPointer graph;
  std::deque<TensorImpl> tensors;
  std::vector<Memory> memories;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<StepUse> step_uses;
  std::vector<Stage> stages;
  std::vector<Strides> input_strides;
  std::vector<int> input_memories;
  struct Output {
    TensorImpl* tensor = nullptr;
    int memory = 0;
    bool donated = false;
  };
  std::vector<Output> outputs;
  bool fresh_outputs = false;
  std::vector<std::pair<int, Memory*>> bound_inputs;  // and the inputs whose memory they are
  std::vector<Memory*> bound_outputs;
  std::vector<std::pair<int, Tensor>> constants;  // and their memories
  TensorList results;                             // of nodes evaluated as they come; in a run
  // For each step, the memory of inputs that it reads exactly where it writes; for pointwise steps only.
  std::vector<std::vector<int>> elementwise;
  Storage* arena = nullptr;
  std::vector<Storage*> arena_parts;
  std::size_t arena_bytes = 0;
  std::atomic_flag running;  // and no lock: a callback may call the function that it is part of

  ~Implementation() {
    for (Storage* part : arena_parts)
      if (part->references.release()) destroy(part);
    if (arena && arena->references.release()) destroy(arena);
  }

  template <class AnyRecorder>
  void add_outputs(AnyRecorder& recorder, const std::vector<TensorList>& values);
  void accept(std::span<const Donation> donations);
  void find_stages(int threads);
  void place(bool with_memory);
  void run(const Stage& stage);

  void bind(Memory& memory, Storage* storage, std::int64_t base) {
    for (auto& [tensor, offset] : memory.lookers) {
      tensor->storage = storage;
      tensor->offset = base + offset;
    }
  }
};

namespace {

// Notes what primitives ask of the device while they are evaluated without data.
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
    Memory& m = plan_.memories[static_cast<std::size_t>(number)];
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
      current_ = nullptr;
    }

   private:
    AbstractEvaluation saved_;
  };

 private:
  static constexpr std::int64_t most_in_one_thread = 32768;

  Plan::Implementation& plan_;
  StepUse next_;
  std::unordered_map<Storage*, int> numbers_;
  bool is_copy_ = false;
  static PHLOX_THREAD_LOCAL Recorder* current_;
};
PHLOX_THREAD_LOCAL Recorder* Recorder::current_ = nullptr;

// The call again, on the plan's tensors, when its step runs.
template <auto verb, class Call, class... Members>
void record(const Call& call, Members... members) {
  Recorder& recorder = *Recorder::current();
  Call copy = call;
  (recorder.replace(copy.*members), ...);
  recorder.add([copy] { (device_kernels(Device{}).*verb)(copy); });
}

void needs_values() { abstract_evaluation.needs_values = true; }
constexpr DeviceKernels recording_kernels = {
    .pointwise =
        [](const PointwiseCall& call) {
          Recorder& recorder = *Recorder::current();
          PointwiseCall copy = call;
          for (int i = 0; i < copy.input_count; ++i) recorder.replace(copy.inputs[i]);
          recorder.replace(copy.output);
          recorder.note_elementwise(call);
          recorder.note_elements(call.output->count, *call.output);
          if (auto direct = direct_pointwise(copy)) recorder.add_step(std::move(direct));
          else recorder.add([copy] { device_kernels(Device{}).pointwise(copy); });
        },
    .convert =
        [](const TensorImpl& source, TensorImpl& target) {
          Recorder& recorder = *Recorder::current();
          if (recorder.take_for_copy(source, target)) return;
          const TensorImpl* from = recorder.tensor(source);
          TensorImpl* to = recorder.tensor(target);
          recorder.note_elements(target.count, target);
          if (auto direct = direct_convert(*from, *to)) return recorder.add_step(std::move(direct));
          recorder.add([from, to] { device_kernels(Device{}).convert(*from, *to); });
        },
    .fill =
        [](TensorImpl& target, const Scalar& value) {
          Recorder& recorder = *Recorder::current();
          TensorImpl* to = recorder.tensor(target);
          recorder.note_elements(target.count, target);
          recorder.add([to, value] { device_kernels(Device{}).fill(*to, value); });
        },
    .arange =
        [](TensorImpl& target, const Scalar& start, const Scalar& step) {
          Recorder& recorder = *Recorder::current();
          TensorImpl* to = recorder.tensor(target);
          recorder.add([to, start, step] { device_kernels(Device{}).arange(*to, start, step); });
        },
    .gather = [](const IndexedLoop&) { needs_values(); },
    .scatter = [](const IndexedLoop&, ScatterMode) { needs_values(); },
    .find_outside = [](const TensorImpl&, std::int64_t,
                       std::int64_t) { return needs_values(), std::int64_t{-1}; },
    .count_nonzero = [](const TensorImpl&) { return needs_values(), std::int64_t{0}; },
    .nonzero = [](const TensorImpl&, TensorImpl&) { needs_values(); },
    .random = [](const RandomCall&, TensorImpl&) { needs_values(); },
    .dropout = [](const TensorImpl&, TensorImpl&, double, const GeneratorState&) { needs_values(); },
    .reduce =
        [](const ReduceCall& call) {
          Recorder::current()->note_elements(call.input->count, *call.output);
          record<&DeviceKernels::reduce>(call, &ReduceCall::input, &ReduceCall::output);
        },
    .contraction =
        [](const ContractionCall& call) {
          // Above this threads share out a product (device/cpu/contraction.cc).
          constexpr double most_products = 300e3;
          const double products = static_cast<double>(call.output->count) *
                                  static_cast<double>(call.lhs->sizes[call.lhs->rank - 1]);
          const DType dtype = call.output->dtype;
          if (products <= most_products && (dtype == DType::float32 || dtype == DType::float64))
            Recorder::current()->note_cost(100 + products / 100, *call.output);
          record<&DeviceKernels::contraction>(call, &ContractionCall::lhs, &ContractionCall::rhs,
                                              &ContractionCall::bias, &ContractionCall::output);
        },
    .convolution =
        [](const ConvolutionCall& call) {
          Recorder& recorder = *Recorder::current();
          ConvolutionCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.weight), recorder.replace(copy.output);
          recorder.replace(copy.bias);
          recorder.add([copy, geometry = *call.geometry]() mutable {
            copy.geometry = &geometry;
            device_kernels(Device{}).convolution(copy);
          });
        },
    .max_pool =
        [](const MaxPoolCall& call) {
          Recorder& recorder = *Recorder::current();
          MaxPoolCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.output), recorder.replace(copy.indices);
          recorder.add([copy, geometry = call.geometry ? *call.geometry : PoolGeometry{},
                        has = call.geometry != nullptr]() mutable {
            copy.geometry = has ? &geometry : nullptr;
            device_kernels(Device{}).max_pool(copy);
          });
        },
    .average_pool =
        [](const AveragePoolCall& call) {
          Recorder& recorder = *Recorder::current();
          AveragePoolCall copy = call;
          recorder.replace(copy.input), recorder.replace(copy.output);
          recorder.add([copy, geometry = *call.geometry]() mutable {
            copy.geometry = &geometry;
            device_kernels(Device{}).average_pool(copy);
          });
        },
    .arg_reduce =
        [](const ArgReduceCall& call) {
          record<&DeviceKernels::arg_reduce>(call, &ArgReduceCall::input, &ArgReduceCall::output);
        },
    .scan =
        [](const ScanCall& call) {
          record<&DeviceKernels::scan>(call, &ScanCall::input, &ScanCall::output, &ScanCall::indices);
        },
    .sort =
        [](const SortCall& call) {
          record<&DeviceKernels::sort>(call, &SortCall::input, &SortCall::values, &SortCall::indices);
        },
    .search =
        [](const SearchCall& call) {
          record<&DeviceKernels::search>(call, &SearchCall::sorted, &SearchCall::values, &SearchCall::output);
        },
    .softmax =
        [](const SoftmaxCall& call) {
          record<&DeviceKernels::softmax>(call, &SoftmaxCall::input, &SoftmaxCall::output);
        },
    .softmax_gradient =
        [](const SoftmaxGradientCall& call) {
          record<&DeviceKernels::softmax_gradient>(call, &SoftmaxGradientCall::result,
                                                   &SoftmaxGradientCall::gradient,
                                                   &SoftmaxGradientCall::output);
        },
    .cross_entropy =
        [](const CrossEntropyCall& call) {
          record<&DeviceKernels::cross_entropy>(call, &CrossEntropyCall::logits, &CrossEntropyCall::target,
                                                &CrossEntropyCall::weight, &CrossEntropyCall::losses,
                                                &CrossEntropyCall::statistics, &CrossEntropyCall::gradient,
                                                &CrossEntropyCall::output);
        },
    .cross_entropy_gradient =
        [](const CrossEntropyCall& call) {
          record<&DeviceKernels::cross_entropy_gradient>(
              call, &CrossEntropyCall::logits, &CrossEntropyCall::target, &CrossEntropyCall::weight,
              &CrossEntropyCall::losses, &CrossEntropyCall::statistics, &CrossEntropyCall::gradient,
              &CrossEntropyCall::output);
        },
    .normalize =
        [](const NormalizationCall& call) {
          record<&DeviceKernels::normalize>(call, &NormalizationCall::input, &NormalizationCall::weight,
                                            &NormalizationCall::bias, &NormalizationCall::output,
                                            &NormalizationCall::mean, &NormalizationCall::variance,
                                            &NormalizationCall::inverse);
        },
    .normalize_gradient =
        [](const NormalizationGradientCall& call) {
          record<&DeviceKernels::normalize_gradient>(
              call, &NormalizationGradientCall::input, &NormalizationGradientCall::gradient,
              &NormalizationGradientCall::mean, &NormalizationGradientCall::inverse,
              &NormalizationGradientCall::weight, &NormalizationGradientCall::input_gradient,
              &NormalizationGradientCall::weight_gradient, &NormalizationGradientCall::bias_gradient);
        },
    .fft = [](const FftCall& call) { record<&DeviceKernels::fft>(call, &FftCall::input, &FftCall::output); },
    .sample = [](const SampleCall&) { needs_values(); },
    .gamma_gradient = [](const TensorImpl&, const TensorImpl&, TensorImpl&) { needs_values(); },
    .linear_algebra =
        [](const MatrixCall& call) {
          record<&DeviceKernels::linear_algebra>(call, &MatrixCall::inputs, &MatrixCall::results);
        },
};

Recorder::Scope::Scope(Recorder& recorder) : saved_(abstract_evaluation) {
  abstract_evaluation = {&recording_kernels, false};
  current_ = &recorder;
}

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

}  // namespace

template <class AnyRecorder>
void Plan::Implementation::add_outputs(AnyRecorder& recorder, const std::vector<TensorList>& values) {
  for (const Value& value : graph->outputs()) {
    const Tensor& tensor =
        values[static_cast<std::size_t>(value.node->number())][static_cast<std::size_t>(value.output)];
    Output output;
    output.tensor = recorder.tensor(*tensor.impl());
    output.memory = recorder.memory(tensor.impl()->storage);
    Memory& memory = memories[static_cast<std::size_t>(output.memory)];
    if (memory.home == Home::arena) memory.home = Home::output;
    outputs.push_back(output);
  }
}

// A donation is taken when the output is made after the last look at the input, or by a pointwise step that looks at
// each element just before it writes it, and when nobody else keeps either of them.
void Plan::Implementation::accept(std::span<const Donation> donations) {
  std::vector<int> uses(memories.size(), 0);
  for (const Output& output : outputs) ++uses[static_cast<std::size_t>(output.memory)];
  const int end = static_cast<int>(steps.size());
  for (const Donation& donation : donations) {
    Output& output = outputs[static_cast<std::size_t>(donation.output)];
    Memory& made = memories[static_cast<std::size_t>(output.memory)];
    const int given_number = input_memories[static_cast<std::size_t>(donation.input)];
    const Memory& given = memories[static_cast<std::size_t>(given_number)];
    const Type& type = graph->inputs()[static_cast<std::size_t>(donation.input)].type();
    if (made.home != Home::output || uses[static_cast<std::size_t>(output.memory)] != 1) continue;
    if (uses[static_cast<std::size_t>(given_number)] != 0 || made.first < 0 || made.first == end) continue;
    const TensorImpl& t = *output.tensor;
    const Strides& strides = input_strides[static_cast<std::size_t>(donation.input)];
    bool fits = t.dtype == type.dtype && t.offset == 0 && t.rank == type.shape.rank() &&
                made.bytes == static_cast<std::size_t>(t.count * element_size(t.dtype));
    for (int d = 0; d < t.rank && fits; ++d)
      fits = t.sizes[d] == type.shape[static_cast<std::size_t>(d)] &&
             (t.sizes[d] == 1 || t.strides[d] == strides[static_cast<std::size_t>(d)]);
    bool apart = given.last < made.first;
    if (given.last == made.first && static_cast<std::size_t>(made.first) < elementwise.size()) {
      const auto& same = elementwise[static_cast<std::size_t>(made.first)];
      apart = std::find(same.begin(), same.end(), given_number) != same.end();
    }
    if (!fits || !apart) continue;
    made.home = Home::input;
    made.donated = true;
    made.number = donation.input;
    output.donated = true;
    ++uses[static_cast<std::size_t>(given_number)];
  }
}

// Memory that lanes use is used by all of their stage at once.
void Plan::Implementation::find_stages(int threads) {
  // Outputs in the memory of an input are in the same memory as that.
  for (StepUse& use : step_uses) {
    const auto place = [&](int number) {
      const Memory& memory = memories[static_cast<std::size_t>(number)];
      return memory.home == Home::input && memory.number >= 0
                 ? input_memories[static_cast<std::size_t>(memory.number)]
                 : number;
    };
    for (int& number : use.memories) number = place(number);
    if (use.written >= 0) use.written = place(use.written);
  }
  stages = make_stages(step_uses, threads);
  for (const Stage& stage : stages) {
    if (stage.lanes.empty()) continue;
    for (Memory& memory : memories) {
      const auto within = [&](int step) { return step >= stage.first && step < stage.last; };
      if (within(memory.first)) memory.first = stage.first;
      if (within(memory.last)) memory.last = stage.last - 1;
    }
  }
  step_uses.clear();
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

// Gives intermediate values their places, and all that stays where it is its memory.
void Plan::Implementation::place(bool with_memory) {
  Arena places;
  const int count = static_cast<int>(steps.size());
  std::vector<std::vector<Memory*>> begin(static_cast<std::size_t>(count)),
      end(static_cast<std::size_t>(count));
  for (Memory& memory : memories) {
    if (memory.home != Home::arena || memory.first < 0 || memory.first >= count) continue;
    begin[static_cast<std::size_t>(memory.first)].push_back(&memory);
    end[static_cast<std::size_t>(std::min(memory.last, count - 1))].push_back(&memory);
  }
  for (std::size_t step = 0; step < steps.size(); ++step) {
    for (Memory* memory : begin[step]) memory->place = places.take(memory->bytes);
    for (Memory* memory : end[step]) places.give_back(memory->place, memory->bytes);
  }
  std::vector<int> uses(memories.size(), 0);
  for (const Output& output : outputs) ++uses[static_cast<std::size_t>(output.memory)];
  fresh_outputs = std::all_of(outputs.begin(), outputs.end(), [&](const Output& output) {
    const auto number = static_cast<std::size_t>(output.memory);
    return output.donated || (memories[number].home == Home::output && uses[number] == 1);
  });
  for (Memory& memory : memories) {
    if (memory.home == Home::input && memory.number >= 0) bound_inputs.emplace_back(memory.number, &memory);
    if (memory.home == Home::output) bound_outputs.push_back(&memory);
  }
  arena_bytes = places.size();
  if (!with_memory) return;
  thread_mode.abstract = false;
  arena = make_storage(arena_bytes);
  for (auto& from : begin) {
    for (Memory* memory : from) {
      Storage* part = wrap_storage(static_cast<char*>(arena->data) + memory->place, memory->bytes, nullptr,
                                   nullptr, false);
      part->device = memory->device;
      arena_parts.push_back(part);
      bind(*memory, part, 0);
    }
  }
  for (const auto& [number, constant] : constants)
    bind(memories[static_cast<std::size_t>(number)], constant.impl()->storage, constant.storage_offset());
  thread_mode.abstract = true;
}

namespace {

// Looks at the results of a node, whose steps begin at `mark`. What it has read is there then, but for what it overwrites.
void add_look(Plan::Implementation& p, Recorder& recorder, std::size_t mark, const Node& node,
              const TensorList& operands, const TensorList& results) {
  if (std::none_of(results.begin(), results.end(),
                   [](const Tensor& t) { return may_be_nonfinite(*t.impl()); }))
    return;
  std::vector<Operand> inputs;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const auto* number = std::get_if<Scalar>(&node.inputs()[i]);
    inputs.push_back(number ? Operand(*number) : Operand(operands[i]));
  }
  if (!needs_look({node.primitive(), inputs, node.attributes().get(), results})) return;
  // With a single step, the look is a part of it.
  std::unique_ptr<Step> step;
  if (p.steps.size() == mark + 1) {
    step = recorder.take_step();
  }
  std::vector<TensorImpl*> given, made;
  for (const Tensor& operand : operands) {
    if (!operand.defined()) {
      given.push_back(nullptr);
      continue;
    }
    const int number = recorder.memory(operand.impl()->storage);
    const bool stays = p.memories[static_cast<std::size_t>(number)].home == Home::input;
    given.push_back(recorder.tensor(*operand.impl(), !stays));
  }
  for (const Tensor& result : results)
    if (may_be_nonfinite(*result.impl())) made.push_back(recorder.tensor(*result.impl()));
  recorder.add_step(looking_step(std::move(step), node, std::move(given), std::move(made)));
}

}  // namespace

Plan::Plan(GraphPointer graph, std::span<const Tensor> inputs, std::span<const Donation> donations, Kind kind)
    : self_(std::make_unique<Implementation>()) {
  Implementation& p = *self_;
  p.graph = std::move(graph);
  AbstractScope abstract;
  NoGrad no_grad;
  thread_mode.interpreter_count = 0;
  Recorder recorder(p);
  Recorder::Scope recording(recorder);

  const Primitive* const convert_primitive = find_primitive("convert");
  std::vector<TensorList> values(p.graph->nodes().size());  // kept, so that no storage is taken for another
  std::size_t next_input = 0;
  for (const auto& node : p.graph->nodes()) {
    TensorList& results = values[static_cast<std::size_t>(node->number())];
    if (node->kind() != NodeKind::operation) {
      const bool is_input = node->kind() == NodeKind::input;
      const Tensor& actual = is_input ? inputs[next_input] : node->constant();
      results = {abstract_like(actual)};
      const int number = recorder.memory(results[0].impl()->storage);
      Memory& memory = p.memories[static_cast<std::size_t>(number)];
      memory.home = Home::input;
      memory.number = is_input ? static_cast<int>(next_input++) : -1;
      if (is_input) {
        p.input_strides.push_back(actual.strides());
        p.input_memories.push_back(number);
      } else {
        p.constants.emplace_back(number, actual);
      }
      continue;
    }
    TensorList held(node->inputs().size());
    std::vector<Operand> operands;
    for (std::size_t i = 0; i < held.size(); ++i) {
      const Input& input = node->inputs()[i];
      if (const auto* scalar = std::get_if<Scalar>(&input)) {
        operands.emplace_back(*scalar);
        continue;
      }
      if (const auto* value = std::get_if<Value>(&input))
        held[i] =
            values[static_cast<std::size_t>(value->node->number())][static_cast<std::size_t>(value->output)];
      operands.emplace_back(held[i]);
    }
    const std::size_t mark = recorder.mark();
    recorder.expect_copy(&node->primitive() == convert_primitive);
    abstract_evaluation.needs_values = false;
    if (node->regions().empty()) {
      results = evaluate(*node, operands);
    } else {
      for (const Type& type : node->types())
        results.push_back(make_tensor(type.shape, type.dtype, type.device));
      abstract_evaluation.needs_values = true;
    }
    if (!abstract_evaluation.needs_values) {
      if (kind == Kind::watched) add_look(p, recorder, mark, *node, held, results);
      continue;
    }

    // Evaluated as it comes: operands get handles, results their memory.
    recorder.drop_steps(mark);
    struct Place {
      TensorImpl* tensor;
      int memory;
      bool own;  // not that of an operand
    };
    std::vector<TensorImpl*> given;
    for (const Tensor& tensor : held)
      given.push_back(tensor.defined() ? recorder.tensor(*tensor.impl()) : nullptr);
    std::vector<Place> made;
    for (const Tensor& result : results) {
      const bool own = std::none_of(held.begin(), held.end(), [&](const Tensor& t) {
        return t.defined() && t.shares_storage_with(result);
      });
      TensorImpl* tensor = recorder.tensor(*result.impl());
      const int number = recorder.memory(result.impl()->storage);
      if (own) p.memories[static_cast<std::size_t>(number)].home = Home::result;
      made.push_back({tensor, number, own});
    }
    // A sequence may keep what it is given, whose memory is another's soon.
    const bool keeps = std::any_of(results.begin(), results.end(),
                                   [](const Tensor& result) { return result.dtype() == DType::sequence; });
    recorder.add([&p, node = node.get(), given, made, keeps, region_plans = std::make_shared<RegionPlans>()] {
      const auto run_region = [&](const GraphPointer& region, const TensorList& region_inputs) {
        return region_plans->run(region, region_inputs);
      };
      TensorList handles(given.size());
      std::vector<Operand> arguments;
      for (std::size_t i = 0; i < given.size(); ++i) {
        if (const auto* scalar = std::get_if<Scalar>(&node->inputs()[i])) {
          arguments.emplace_back(*scalar);
          continue;
        }
        if (given[i]) handles[i] = handle_of(*given[i]);
        if (keeps && given[i] && given[i]->dtype != DType::sequence) handles[i] = handles[i].clone();
        arguments.emplace_back(handles[i]);
      }
      const NodeOrigin origin(node->location());
      // Watched primitives are seen one by one.
      TensorList found = node->regions().empty() || is_watched() ? evaluate(*node, arguments)
                                                                 : run_regions(*node, arguments, run_region);
      for (std::size_t i = 0; i < found.size(); ++i) {
        if (!made[i].own) continue;
        Tensor result = found[i];
        // A loop without turns gives what it got, whose memory is another's soon.
        const bool is_operand = std::any_of(handles.begin(), handles.end(), [&](const Tensor& handle) {
          return handle.defined() && handle.shares_storage_with(result);
        });
        // The sides of a branch may give other memory orders.
        const bool is_elsewhere = !same_layout(*result.impl(), *made[i].tensor);
        if ((is_operand && result.dtype() != DType::sequence) || is_elsewhere)
          result = apply_convert(result, result.dtype(), MemoryOrder::row_major);
        if (!same_layout(*result.impl(), *made[i].tensor))
          fail<GraphError>(ErrorCode::bad_graph, "{}: a result lies in memory otherwise than planned",
                           node->name())
              .detail("result", describe(result))
              .raise();
        p.bind(p.memories[static_cast<std::size_t>(made[i].memory)], result.impl()->storage,
               result.storage_offset());
        p.results.push_back(std::move(result));
      }
    });
  }
  p.add_outputs(recorder, values);
  p.accept(donations);
  for (const auto& node : p.graph->nodes())
    for (const Tensor& value : values[static_cast<std::size_t>(node->number())]) {
      Memory& memory = p.memories[static_cast<std::size_t>(recorder.memory(value.impl()->storage))];
      if (!memory.maker) memory.maker = node.get();
    }
  p.find_stages(kind == Kind::watched ? 1 : thread_count());  // what watches belongs to this thread
  p.place(kind != Kind::memory);
}

Plan::~Plan() = default;

bool Plan::has_fresh_outputs() const { return self_->fresh_outputs; }
bool Plan::is_donated(int output) const { return self_->outputs[static_cast<std::size_t>(output)].donated; }
std::size_t Plan::arena_bytes() const { return self_->arena_bytes; }
std::size_t Plan::step_count() const { return self_->steps.size(); }

MemoryPlan Plan::memory() const {
  constexpr std::size_t shown = 10;
  MemoryPlan plan;
  plan.intermediate = charged_bytes(self_->arena_bytes);
  std::vector<const Memory*> made;
  for (const Memory& memory : self_->memories) {
    const std::size_t bytes = charged_bytes(memory.bytes);
    switch (memory.home) {
      case Home::input:
        if (!memory.donated) (memory.number < 0 ? plan.constants : plan.inputs) += bytes;
        break;
      case Home::output: plan.outputs += bytes; break;
      case Home::result: plan.evaluated += bytes; break;
      case Home::arena: break;
    }
    if (memory.home != Home::input && memory.maker && memory.first >= 0) made.push_back(&memory);
  }
  std::stable_sort(made.begin(), made.end(),
                   [](const Memory* a, const Memory* b) { return a->bytes > b->bytes; });
  if (made.size() > shown) made.resize(shown);
  const ValueNames names(*self_->graph);
  for (const Memory* memory : made)
    plan.largest.push_back({memory->bytes, line_of(*memory->maker, names), memory->maker->location()});
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
  for (Memory* memory : p.bound_outputs) {
    Storage* storage = make_storage(memory->bytes);
    storage->device = memory->device;
    release.storages.push_back(storage);
    p.bind(*memory, storage, 0);
  }
  for (const Stage& stage : p.stages) p.run(stage);
  TensorList outputs;
  outputs.reserve(p.outputs.size());
  for (const Implementation::Output& output : p.outputs)
    outputs.push_back(output.donated ? Tensor() : handle_of(*output.tensor));
  return outputs;
}

}  // namespace phlox::graph
