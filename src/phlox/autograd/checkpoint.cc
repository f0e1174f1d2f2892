#include "phlox/autograd/checkpoint.h"

#include <memory>
#include <mutex>
#include <vector>

#include "phlox/core/random.h"
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"

namespace phlox::autograd {

namespace {

// Parameters live on by themselves: nothing is gained by computing them again.
bool lives_on(const Tensor& tensor) { return tensor.requires_grad() && tensor.is_leaf(); }

struct HooksScope {
  explicit HooksScope(SavedTensorHooks* hooks) : previous(SavedTensorHooks::set_current(hooks)) {}
  ~HooksScope() { SavedTensorHooks::set_current(previous); }
  SavedTensorHooks* previous;
};

struct RandomScope {
  explicit RandomScope(const GeneratorState& state) : previous(default_generator().state()) {
    default_generator().set_state(state);
  }
  ~RandomScope() { default_generator().set_state(previous); }
  GeneratorState previous;
};

// Stands in for what the second run saves; nobody asks for it.
struct Nothing final : PackedTensor {
  Tensor unpack() override { return {}; }
};

// One checkpointed call. The tensors that it saved are known by their order.
class Segment {
 public:
  Segment(std::function<TensorList(const TensorList&)> function, const TensorList& inputs)
      : function_(std::move(function)), inputs_(inputs), random_(default_generator().state()) {}

  TensorList run() { return function_(inputs_); }
  std::size_t add() { return count_++; }

  Tensor get(std::size_t index) {
    std::lock_guard lock(mutex_);
    if (tensors_.empty()) compute_again();
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
      return std::make_unique<Nothing>();
    }
  };

  void compute_again() {
    Collect collect;
    {
      EnableGrad recording;
      HooksScope hooks(&collect);
      RandomScope random(random_);
      function_(inputs_);
    }
    if (collect.tensors.size() != count_)
      fail<StateError>(ErrorCode::invalid_value, "checkpoint: the second run saved {} tensors, the first {}",
                       collect.tensors.size(), count_)
          .hint("the function must do the same each time: no changing state, no random numbers of its own")
          .raise();
    tensors_ = std::move(collect.tensors);
  }

  std::function<TensorList(const TensorList&)> function_;
  TensorList inputs_;
  GeneratorState random_;
  std::size_t count_ = 0;
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

TensorList checkpoint_list(std::function<TensorList(const TensorList&)> function, const TensorList& inputs) {
  if (!gradients_enabled()) return function(inputs);
  PackIntoSegment hooks;
  hooks.segment = std::make_shared<Segment>(std::move(function), inputs);
  HooksScope scope(&hooks);
  return hooks.segment->run();
}

}  // namespace phlox::autograd
