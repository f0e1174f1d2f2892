#include "phlox/autograd/vmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "phlox/autograd/batched_storage.h"
#include "phlox/autograd/engine.h"
#include "phlox/autograd/hooks_scope.h"
#include "phlox/core/random.h"
#include "phlox/core/recording.h"
#include "phlox/core/sample_mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/view.h"

namespace phlox::autograd {
namespace {

// Something that gradients flow to: `inner` in the record of the function, `outer` in that around it.
struct Target {
  Edge inner, outer;
  OptionalDim dim;  // of the batch around the function; none for a tensor that samples share
};

bool same_edge(const Edge& a, const Edge& b) { return a.node.get() == b.node.get() && a.output == b.output; }

// No interpreter sees what happens, and nothing is computed but shapes, dtypes and gradient records.
struct SampleScope : ModeGuard {
  SampleScope() {
    thread_mode.interpreter_count = 0;
    thread_mode.top = nullptr;
    thread_mode.abstract = true;
  }
};

// For the time in which a vmap is not active because it runs itself.
struct BelowVmap {
  BelowVmap() { --active_vmaps; }
  ~BelowVmap() { ++active_vmaps; }
};

Tensor moved(const Tensor& tensor, std::int64_t from, std::int64_t to) {
  return from == to ? tensor : movedim(tensor, DimList(from), DimList(to));
}

// The batch dimension in front of a tensor that all samples share; no memory is taken.
Tensor expanded(const Tensor& tensor, std::int64_t batch) {
  return apply_view(tensor, {ViewKind::expand, with_batch(batch, tensor.shape())});
}

// Tensors inside of the function are those of a sample: they have no data, and their gradient records are made by
// evaluating each primitive abstractly. The real tensor, with the batch dimension in front, hangs on the storage
// (BatchedStorage), and is not recorded: to the record around the function the whole call is one node, VmapNode.
class Vmap final : public Interpreter, public std::enable_shared_from_this<Vmap> {
 public:
  Vmap(std::int64_t batch, Randomness randomness)
      : level_(BatchedStorage::new_level()), batch_(batch), randomness_(randomness) {}

  // One run of the function, or of its gradient.
  struct Run {
    std::vector<Target> targets;
    std::vector<std::pair<Tensor, Tensor>>
        gradients;  // of leaves that were looked at, and what they were before
  };
  // Puts the vmap on top for a scope.
  class Scope {
   public:
    Scope(Vmap& vmap, Run& run) : vmap_(vmap), before_(std::exchange(vmap.run_, &run)), active_(vmap) {
      ++active_vmaps;
    }
    ~Scope() {
      --active_vmaps;
      vmap_.run_ = before_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Vmap& vmap_;
    Run* before_;
    InterpreterScope active_;
    HooksScope no_hooks_{nullptr};  // what a checkpoint around the call gets back is of another call
  };

  // The tensor of a sample for a real one. Gradients flow to `outer` if that is an edge.
  Tensor enter(const Tensor& real, std::int64_t dim, const Edge& outer, Run& run);
  // Results as they are around the function, each with the batch dimension in its place, and recorded there.
  TensorList leave(const TensorList& results, const BatchDims& dims, const Run& run);

  TensorList run(const Primitive& primitive, std::span<const Operand> inputs,
                 const void* attributes) override;
  void write(const Tensor& target, const Tensor& source) override;
  Tensor draw(Generator& generator, std::int64_t blocks) override;
  void gradient_access(const Tensor& leaf, bool reads) override;
  // What is done to the batch below tells by itself.
  void layout_decided(const Tensor&, const Tensor&) override {}
  void meet(const Tensor& tensor) override {
    if (!batched(tensor)) note_shared_target(tensor);
  }
  void check_gradients(const Run& run) const;

 private:
  BatchedStorage* batched(const Tensor& tensor) const {
    BatchedStorage* record = BatchedStorage::find(tensor, level_);
    return record && record->is_batched() ? record : nullptr;
  }
  TensorList compute(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes,
                     const TensorList& results) const;
  void note_shared_target(const Tensor& tensor);

  std::uint64_t level_;
  std::int64_t batch_;
  Randomness randomness_;
  Run* run_ = nullptr;
};

// The record of a call around it: its gradient is the vmap of the gradient of the function.
class VmapNode final : public GradientNode {
 public:
  VmapNode(std::shared_ptr<Vmap> vmap, std::vector<Edge> roots, BatchDims dims, std::vector<Target> targets)
      : GradientNode("vmap", static_cast<int>(targets.size()), static_cast<int>(roots.size())),
        vmap_(std::move(vmap)),
        roots_(std::move(roots)),
        dims_(std::move(dims)),
        targets_(std::move(targets)) {
    for (std::size_t i = 0; i < targets_.size(); ++i) edges()[i] = targets_[i].outer;
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const std::shared_ptr<Vmap> vmap = vmap_;
    Vmap::Run run{targets_, {}};
    TensorList samples;
    for (std::size_t i = 0; i < output_gradients.size(); ++i) {
      const Tensor& gradient = output_gradients[i];
      samples.push_back(gradient.defined()
                            ? vmap->enter(gradient, *dims_[i],
                                          needs_gradient(gradient) ? gradient_edge(gradient) : Edge(), run)
                            : Tensor());
    }
    std::vector<Edge> inner;
    std::vector<bool> is_shared;
    for (const Target& target : targets_) {
      inner.push_back(target.inner);
      is_shared.push_back(!target.dim);
    }
    TensorList found;
    {
      Vmap::Scope scope(*vmap, run);
      found = grad_between(roots_, samples, inner, is_shared);
    }
    TensorList given;
    BatchDims places{std::initializer_list<OptionalDim>{}};
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i].defined()) continue;
      given.push_back(found[i]);
      places.push_back(targets_[i].dim.value_or(0));
      numbers.push_back(i);
    }
    given = vmap->leave(given, places, run);
    for (std::size_t k = 0; k < given.size(); ++k) {
      const std::size_t i = numbers[k];
      input_gradients[i] = targets_[i].dim ? given[k] : sum(given[k], 0);
    }
  }
  void release_saved() override {
    released_ = true;
    roots_.clear();
    vmap_.reset();
  }
  bool released() const override { return released_; }
  const std::vector<Edge>& roots() const { return roots_; }

 private:
  std::shared_ptr<Vmap> vmap_;
  std::vector<Edge> roots_;
  BatchDims dims_;
  std::vector<Target> targets_;
  bool released_ = false;
};

Tensor Vmap::enter(const Tensor& real, std::int64_t dim, const Edge& outer, Run& run) {
  NoGrad no_grad;
  const Tensor front = moved(real.detach(), dim, 0);
  Shape shape = front.shape();
  shape.erase(0);
  Tensor sample;
  {
    SampleScope scope;
    sample = make_tensor(shape, front.dtype(), front.device());
  }
  TensorImpl* impl = sample.impl();
  std::copy_n(front.impl()->strides + 1, impl->rank, impl->strides);
  impl->offset = front.storage_offset();
  impl->update_layout();
  BatchedStorage::attach(sample, level_).add(sample, front);
  if (outer.node) {
    EnableGrad grad;
    sample.set_requires_grad();
    run.targets.push_back({gradient_edge(sample), outer, dim});
  }
  return sample;
}

TensorList Vmap::leave(const TensorList& results, const BatchDims& dims, const Run& run) {
  TensorList given;
  std::vector<Edge> roots;
  BatchDims root_dims{std::initializer_list<OptionalDim>{}};
  std::vector<std::size_t> recorded;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Tensor& result = results[i];
    const OptionalDim dim = dims.size() == 1 ? dims[0] : dims[i];
    BatchedStorage* record = batched(result);
    if (!record) {
      // The same for all samples: recorded as any tensor is.
      if (dim)
        given.push_back(
            moved(expanded(result, batch_), 0, normalize_dim(*dim, result.rank() + 1, "vmap")).clone());
      else given.push_back(result);
      continue;
    }
    if (!dim)
      fail<ValueError>(ErrorCode::invalid_value,
                       "vmap: result {} differs between samples, and its out_dims is None", i)
          .detail("result", describe(result))
          .hint("out_dims=0, or a result that does not depend on what is mapped")
          .raise();
    const int place = normalize_dim(*dim, result.rank() + 1, "vmap");
    {
      NoGrad no_grad;
      const Tensor real = record->real(result);
      given.push_back(shallow_alias(moved(record->is_argument ? real.clone() : real, 0, place)));
    }
    if (needs_gradient(result)) {
      roots.push_back(gradient_edge(result));
      root_dims.push_back(place);
      recorded.push_back(i);
    }
  }
  if (!roots.empty() && !run.targets.empty()) {
    const auto node =
        Reference<GradientNode>::adopt(new VmapNode(shared_from_this(), roots, root_dims, run.targets));
    for (std::size_t k = 0; k < recorded.size(); ++k)
      set_history(given[recorded[k]], node, static_cast<int>(k));
  }
  return given;
}

void Vmap::note_shared_target(const Tensor& tensor) {
  if (!needs_gradient(tensor)) return;
  const Edge edge = gradient_edge(tensor);
  for (const Target& target : run_->targets)
    if (same_edge(target.inner, edge)) return;
  run_->targets.push_back({edge, edge, {}});
  interpret_meeting(tensor);
}

TensorList Vmap::run(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  const BelowVmap below;
  const auto is_batched = [&](const Operand& input) {
    return input.is_tensor() && input.tensor().defined() && batched(input.tensor());
  };
  if (std::none_of(inputs.begin(), inputs.end(), is_batched)) {
    TensorList results = primitive.evaluate(inputs, attributes);
    // What is made here may be written into, also with what differs between samples.
    for (const Tensor& result : results) {
      if (!result.defined() || BatchedStorage::find(result, level_)) continue;
      const bool is_new = std::none_of(inputs.begin(), inputs.end(), [&](const Operand& input) {
        return input.is_tensor() && input.tensor().defined() && input.tensor().shares_storage_with(result);
      });
      if (is_new) BatchedStorage::attach(result, level_);
    }
    return results;
  }
  TensorList results;
  {
    SampleScope scope;
    results = primitive.evaluate(inputs, attributes);
  }
  if (std::string_view(primitive.name) == "view" && !results[0].defined()) return results;
  for (const Operand& input : inputs)
    if (input.is_tensor() && input.tensor().defined() && !batched(input.tensor()))
      note_shared_target(input.tensor());
  NoGrad no_grad;
  const TensorList reals = compute(primitive, inputs, attributes, results);
  if (reals.size() == 1 && !reals[0].defined()) return {Tensor()};
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].defined()) continue;
    if (BatchedStorage* record = batched(results[i])) {  // a view
      record->add(results[i], reals[i]);
      continue;
    }
    BatchedStorage::separate(results[i], inputs);
    BatchedStorage::attach(results[i], level_).add(results[i], reals[i]);
  }
  return results;
}

// What the primitive gives for the whole batch. `results` are those of a sample.
TensorList Vmap::compute(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes,
                         const TensorList& results) const {
  if (std::string_view(primitive.name) == "view" &&
      static_cast<const ViewAttributes*>(attributes)->kind == ViewKind::strided)
    return {batched(results[0])->real(results[0])};
  TensorList held(inputs.size());
  std::vector<Operand> operands(inputs.begin(), inputs.end());
  std::vector<bool> flags(inputs.size());
  const BatchedStorage* states = nullptr;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].is_tensor() || !inputs[i].tensor().defined()) continue;
    BatchedStorage* record = batched(inputs[i].tensor());
    if (!record) continue;
    if (record->first_state.defined()) states = record;
    held[i] = record->real(inputs[i].tensor());
    operands[i] = Operand(held[i]);
    flags[i] = true;
  }
  TensorList reals;
  if (batch_ == 0) {
    for (const Tensor& result : results)
      reals.push_back(result.defined() ? zeros(with_batch(0, result.shape()), result.dtype(), result.device())
                                       : Tensor());
    return reals;
  }
  BatchedCall call(primitive, batch_, operands, flags, attributes);
  if (states) {
    call.first_state = states->first_state;
    call.blocks = states->blocks;
  }
  const BatchingFunction rule = find_batching_rule(primitive);
  reals = rule ? rule(call) : run_each_sample(call);
  for (std::size_t i = 0; i < results.size(); ++i)
    if (reals[i].defined() && (reals[i].shape() != with_batch(batch_, results[i].shape()) ||
                               reals[i].dtype() != results[i].dtype()))
      fail<StateError>(ErrorCode::not_supported,
                       "vmap: the batching rule of {} gives another result than a sample", primitive.name)
          .detail("sample", describe(results[i]))
          .detail("batch", describe(reals[i]))
          .raise();
  return reals;
}

void Vmap::write(const Tensor& target, const Tensor& source) {
  const BelowVmap below;
  BatchedStorage* to = batched(target);
  const bool from_batch = batched(source) != nullptr;
  if (!to) {
    BatchedStorage* made_here = BatchedStorage::find(target, level_);
    if (!made_here)
      fail<NotSupportedError>(
          ErrorCode::not_supported,
          "vmap: the function writes in place into a tensor that was not made by its operations")
          .detail("target", describe(target))
          .hint("the form that returns a new tensor, or a clone() made inside of the function")
          .raise();
    if (!from_batch) return copy_data(source, target);
    NoGrad no_grad;
    made_here->spread(target, batch_);
    to = made_here;
  }
  NoGrad no_grad;
  const Tensor place = to->real(target);
  copy_data(from_batch ? batched(source)->real(source) : expanded(source, batch_), place);
  bump_version(place);
}

Tensor Vmap::draw(Generator& generator, std::int64_t blocks) {
  const BelowVmap below;
  if (randomness_ == Randomness::error)
    fail<ValueError>(ErrorCode::invalid_value,
                     "vmap: random numbers are drawn, and it is not said whether samples share them")
        .hint("randomness=\"different\", or \"same\"")
        .raise();
  NoGrad no_grad;
  const bool differ = randomness_ == Randomness::different;
  const std::int64_t counters = differ ? blocks * batch_ : blocks;
  const Tensor first = thread_mode.interpreter_count
                           ? interpret_draw(generator, counters)
                           : state_tensor(generator.reserve(static_cast<std::uint64_t>(counters)));
  if (!differ) return first;
  const auto numbers = [](std::int64_t count) { return arange(count, {}, 1, DType::int64, Device{}); };
  const Tensor steps = mul(unsqueeze(numbers(batch_), 1), mul(eq(numbers(3), 2).to(DType::int64), blocks));
  Run ignored;
  Tensor state = enter(add(first, steps), 0, {}, ignored);
  BatchedStorage* record = batched(state);
  record->first_state = first;
  record->blocks = blocks;
  return state;
}

void Vmap::gradient_access(const Tensor& leaf, bool) {
  if (batched(leaf)) return;
  for (const auto& [known, before] : run_->gradients)
    if (known.unsafe_impl() == leaf.unsafe_impl()) return;
  run_->gradients.emplace_back(leaf, leaf.grad());
}

// A leaf around the function would keep a gradient that is a tensor of a sample.
void Vmap::check_gradients(const Run& run) const {
  for (const auto& [leaf, before] : run.gradients) {
    const Tensor after = leaf.grad();
    if (!after.defined() || after.unsafe_impl() == before.unsafe_impl()) continue;
    leaf.set_grad(before);
    if (leaf.impl()->references.unique()) continue;  // a leaf of the function
    fail<GradientError>(ErrorCode::not_supported,
                        "vmap: backward() gives a gradient to a tensor around the function")
        .detail("tensor", describe(leaf))
        .hint("px.func.grad or px.autograd.grad, which return gradients")
        .raise();
  }
}

}  // namespace

std::span<const Edge> roots_of_vmap(const GradientNode& node) {
  const auto* call = node.name() == std::string_view("vmap") ? dynamic_cast<const VmapNode*>(&node) : nullptr;
  return call ? std::span<const Edge>(call->roots()) : std::span<const Edge>();
}

TensorList run_vmap(const ListFunction& function, const TensorList& arguments, const BatchDims& in_dims,
                    const BatchDims& out_dims, Randomness randomness) {
  std::vector<OptionalDim> places;
  std::int64_t batch = -1;
  std::size_t first = 0;
  if (in_dims.size() != 1 && in_dims.size() != arguments.size())
    fail<ValueError>(ErrorCode::invalid_value, "vmap: {} in_dims for {} arguments", in_dims.size(),
                     arguments.size())
        .raise();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    OptionalDim dim = in_dims.size() == 1 ? in_dims[0] : in_dims[i];
    if (dim) {
      const Tensor& argument = arguments[i];
      const std::int64_t rank = argument.rank();
      if (*dim < -rank || *dim >= rank)
        fail<ShapeError>(ErrorCode::dimension_out_of_range,
                         "vmap: argument {} has no dimension {} to map over", i, *dim)
            .detail("argument", describe(argument))
            .hint(rank ? fmt::format("in_dims from {} to {}, or None for a tensor that samples share", -rank,
                                     rank - 1)
                       : "in_dims=None for a tensor that samples share")
            .raise();
      if (*dim < 0) *dim += rank;
      const std::int64_t size = argument.size(*dim);
      if (batch >= 0 && size != batch)
        fail<ShapeError>(ErrorCode::sizes_differ, "vmap: sizes of the batch differ, {} and {}", batch, size)
            .detail(fmt::format("argument {}", first), describe(arguments[first]))
            .detail(fmt::format("argument {}", i), describe(argument))
            .hint("mapped dimensions must have one size; in_dims=None shares a tensor")
            .raise();
      if (batch < 0) first = i;
      batch = size;
    }
    places.push_back(dim);
  }
  if (batch < 0)
    fail<ValueError>(ErrorCode::invalid_value, "vmap: no argument is mapped")
        .hint("a tensor argument with in_dims=0")
        .raise();
  const auto vmap = std::make_shared<Vmap>(batch, randomness);
  Vmap::Run run;
  TensorList samples;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Tensor& argument = arguments[i];
    if (!places[i]) {
      samples.push_back(argument);
      continue;
    }
    interpret_meeting(argument);
    samples.push_back(
        vmap->enter(argument, *places[i], needs_gradient(argument) ? gradient_edge(argument) : Edge(), run));
    BatchedStorage::argument(samples.back());
  }
  TensorList results;
  {
    Vmap::Scope scope(*vmap, run);
    results = function(samples);
  }
  vmap->check_gradients(run);
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (places[i] && samples[i].requires_grad() && !samples[i].is_leaf())
      fail<NotSupportedError>(ErrorCode::not_supported,
                              "vmap: the function writes in place into an argument where gradients flow")
          .detail("argument", describe(arguments[i]))
          .hint("write into a clone() of it")
          .raise();
  if (out_dims.size() != 1 && out_dims.size() != results.size())
    fail<ValueError>(ErrorCode::invalid_value, "vmap: {} out_dims for {} results", out_dims.size(),
                     results.size())
        .raise();
  return vmap->leave(results, out_dims, run);
}

}  // namespace phlox::autograd
