#include "phlox/autograd/checkpoint.h"

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <vector>

#include "phlox/autograd/hooks_scope.h"
#include "phlox/core/random.h"
#include "phlox/core/recomputation.h"
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/generator_state.h"

namespace phlox::autograd {

namespace {

// Parameters live on by themselves: nothing is gained by computing them again.
bool lives_on(const Tensor& tensor) { return tensor.requires_grad() && tensor.is_leaf(); }

// What is drawn in this scope begins with the state; the default generator has its own back afterwards.
class RandomScope {
 public:
  explicit RandomScope(const Tensor& state) : active_(state.defined()) {
    if (!active_) return;
    before_ = generator_state(default_generator());
    set_generator_state(default_generator(), state);
  }
  ~RandomScope() {
    if (active_) set_generator_state(default_generator(), before_);
  }
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

 private:
  bool active_;
  Tensor before_;
};

// What the second run saves: it stays where it is, for gradients that the function itself asks for.
class Kept final : public PackedTensor {
 public:
  explicit Kept(const Tensor& tensor) : tensor_(shallow_alias(tensor)) {}
  Tensor unpack() override { return tensor_; }

 private:
  Tensor tensor_;
};

// One checkpointed call. The tensors that it saved are known by their order.
class Segment {
 public:
  Segment(std::function<TensorList(const TensorList&)> function, const TensorList& inputs, bool same_random)
      : function_(std::move(function)), inputs_(inputs) {
    for (const Tensor& input : inputs_) versions_.push_back(input.defined() ? input.version() : 0);
    if (same_random) random_ = generator_state(default_generator());
  }

  TensorList run() {
    TensorList results = function_(inputs_);
    std::lock_guard lock(mutex_);
    finished_ = true;
    tensors_.clear();
    return results;
  }
  std::size_t add() { return count_++; }

  Tensor get(std::size_t index) {
    std::lock_guard lock(mutex_);
    // While the first run goes on, a second one is of use up to the place that the first has reached.
    if (tensors_.empty() || (!finished_ && index >= reached_)) compute_again();
    return tensors_[index];
  }

  // The node that saved it has run.
  void drop(std::size_t index) {
    std::lock_guard lock(mutex_);
    if (index < tensors_.size()) tensors_[index] = {};
  }

 private:
  struct Collect final : SavedTensorHooks {
    std::vector<Tensor> tensors;
    std::unique_ptr<PackedTensor> pack(const Tensor& tensor) override {
      if (lives_on(tensor)) return nullptr;
      tensors.push_back(shallow_alias(tensor));
      return std::make_unique<Kept>(tensor);
    }
  };

  void compute_again() {
    for (std::size_t i = 0; i < versions_.size(); ++i)
      if (inputs_[i].defined() && inputs_[i].version() != versions_[i])
        fail<GradientError>(ErrorCode::modified_in_place,
                            "checkpoint: a tensor that the function was given was modified in place")
            .detail("tensor", fmt::format("{}, version {}, given at version {}", describe(inputs_[i]),
                                          inputs_[i].version(), versions_[i]))
            .hint("use the out-of-place form, or clone() the tensor before writing into it")
            .raise();
    Collect collect;
    reached_ = count_;
    {
      EnableGrad recording;
      HooksScope hooks(&collect);
      RandomScope random(random_);
      Recomputation recomputation;
      function_(inputs_);
    }
    if (finished_ ? collect.tensors.size() != count_ : collect.tensors.size() < reached_)
      fail<StateError>(ErrorCode::invalid_value, "checkpoint: the second run saved {} tensors, the first {}",
                       collect.tensors.size(), count_)
          .hint("the function must do the same each time: no changing state, no random numbers of its own")
          .raise();
    tensors_ = std::move(collect.tensors);
  }

  std::function<TensorList(const TensorList&)> function_;
  TensorList inputs_;
  std::vector<std::uint32_t> versions_;
  Tensor random_;  // the state of the default generator; undefined when it is not to be repeated
  std::size_t count_ = 0;
  std::size_t reached_ = 0;
  bool finished_ = false;
  std::mutex mutex_;
  std::vector<Tensor> tensors_;
};

class RecomputedTensor final : public PackedTensor {
 public:
  RecomputedTensor(std::shared_ptr<Segment> segment, std::size_t index, const Tensor& tensor)
      : segment_(std::move(segment)), index_(index), shape_(tensor.shape()), dtype_(tensor.dtype()) {}
  ~RecomputedTensor() override { segment_->drop(index_); }

  Tensor unpack() override {
    Tensor tensor = segment_->get(index_);
    if (tensor.shape() != shape_ || tensor.dtype() != dtype_)
      fail<StateError>(ErrorCode::invalid_value,
                       "checkpoint: the second run saved other tensors than the first")
          .detail("first", std::string(info(dtype_).short_name) + "[" + to_string(shape_) + "]")
          .detail("second", describe(tensor))
          .hint("the function must do the same each time: no changing state, no random numbers of its own")
          .raise();
    return tensor;
  }

 private:
  std::shared_ptr<Segment> segment_;
  std::size_t index_;
  Shape shape_;
  DType dtype_;
};

struct PackIntoSegment final : SavedTensorHooks {
  std::shared_ptr<Segment> segment;
  std::unique_ptr<PackedTensor> pack(const Tensor& tensor) override {
    if (lives_on(tensor)) return nullptr;
    return std::make_unique<RecomputedTensor>(segment, segment->add(), tensor);
  }
};

}  // namespace

TensorList checkpoint_list(std::function<TensorList(const TensorList&)> function, const TensorList& inputs,
                           bool same_random) {
  if (!gradients_enabled()) return function(inputs);
  PackIntoSegment hooks;
  hooks.segment = std::make_shared<Segment>(std::move(function), inputs, same_random);
  HooksScope scope(&hooks);
  return hooks.segment->run();
}

}  // namespace phlox::autograd
