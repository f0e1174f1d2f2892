#include "phlox/core/saved_tensor.h"

#include <fmt/format.h>

#include "phlox/core/recording.h"

namespace phlox {

namespace {

PHLOX_THREAD_LOCAL SavedTensorHooks* current_hooks = nullptr;

// A handle to the same data whose gradient goes along `edge`.
Tensor with_history(const Tensor& tensor, const Edge& edge) {
  Tensor alias = shallow_alias(tensor);
  auto* record = new AutogradRecord;
  alias.impl()->autograd = record;
  record->requires_grad = true;
  if (edge.node->leaf()) {
    record->accumulator = edge.node;
  } else {
    record->node = edge.node;
    record->output = edge.output;
  }
  return alias;
}

// What to keep of an input. A view keeps its base alive, and a later write in place gives the base a history that may
// lead to the node that saves: a cycle of references, unless the view is kept without its base. A leaf that requires
// gradients gets no such history.
Tensor kept_input(const Tensor& tensor) {
  const TensorImpl& impl = *tensor.impl();
  if (!impl.is_view || !impl.base) return tensor;
  const AutogradRecord* base = impl.base->autograd;
  if (base && base->requires_grad && !base->node) return tensor;
  const Edge edge = tensor.requires_grad() ? gradient_edge(tensor) : Edge();
  return edge.node ? with_history(tensor, edge) : shallow_alias(tensor);
}

}  // namespace

SavedTensorHooks* SavedTensorHooks::current() { return current_hooks; }

SavedTensorHooks* SavedTensorHooks::set_current(SavedTensorHooks* hooks) {
  return std::exchange(current_hooks, hooks);
}

struct SavedTensor::Packed {
  std::unique_ptr<PackedTensor> content;
  Edge edge;  // of an input
};

void SavedTensor::drop_packed() {
  delete packed_;
  packed_ = nullptr;
}

SavedTensor::SavedTensor(const Tensor& tensor, const GradientNode* owner, bool is_result) {
  if (!tensor.defined()) return;
  state_ = is_result ? State::result : State::input;
  const AutogradRecord* record = tensor.impl()->autograd;
  if (is_result && record && record->node.get() == owner)
    output_ = static_cast<std::uint16_t>(record->output);
  if (current_hooks) [[unlikely]] {
    if (auto content = current_hooks->pack(tensor)) {
      packed_ = new Packed;
      packed_->content = std::move(content);
      if (!is_result) packed_->edge = gradient_edge(tensor);
      return;
    }
  }
  tensor_ = is_result ? shallow_alias(tensor) : kept_input(tensor);
  version_ = tensor.version();
}

Tensor SavedTensor::get(GradientNode& owner) const {
  if (state_ == State::empty) return {};
  if (state_ == State::released)
    fail<GradientError>(ErrorCode::backward_twice,
                        "{}: gradients were computed before, and what they need was freed", owner.name())
        .hint("backward(retain_graph=True) the first time, or run the forward computation again")
        .raise();
  Tensor tensor = tensor_;
  if (packed_) {
    tensor = packed_->content->unpack();
  } else if (tensor.version() != version_) {
    std::string where = owner.where();
    auto error =
        fail<GradientError>(ErrorCode::modified_in_place,
                            "{}: a tensor needed for the gradient was modified in place", owner.name());
    error.detail("tensor", fmt::format("{}, version {}, saved at version {}", describe(tensor),
                                       tensor.version(), version_));
    if (!where.empty()) error.detail("where", where);
    error.hint("use the out-of-place form, or clone() the tensor before writing into it").raise();
  }
  if (thread_mode.gradients_off) return tensor;
  // The gradient is itself recorded: what was saved needs its history back.
  if (state_ == State::result) return with_history(tensor, {Reference<GradientNode>::share(&owner), output_});
  if (packed_) return packed_->edge.node ? with_history(tensor, packed_->edge) : tensor.detach();
  return tensor;
}

void SavedTensor::release() {
  if (state_ == State::empty) return;
  state_ = State::released;
  tensor_ = {};
  drop_packed();
}

}  // namespace phlox
