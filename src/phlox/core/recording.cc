#include "phlox/core/recording.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "phlox/core/strided.h"

#include "phlox/core/history_journal.h"

namespace phlox {

namespace detail {

void check_view_history(const Tensor& view) {
  if (renew_view(view.impl())) return;
  fail<GradientError>(ErrorCode::view_modified_in_place,
                      "a view is used whose base was later written in place with gradients")
      .detail("view", describe(view))
      .hint("make the view again after the write, or write out of place: y = y * 2 in place of y *= 2")
      .raise();
}

void replace_history(const Tensor& target, const Reference<GradientNode>& node, int output) {
  TensorImpl* impl = target.impl();
  // What belonged to the old value goes with it. A target that was a leaf may have an accumulator.
  std::unique_ptr<AutogradRecord> old(std::exchange(impl->autograd, nullptr));
  HistoryJournal* const journal = HistoryJournal::current();
  if (journal && (impl->has_data() || impl->storage->capture != thread_mode.capture)) [[unlikely]] {
    journal->keep(target, std::move(old));
    set_history(target, node, output);
    return;
  }
  if (old && old->accumulator) static_cast<AccumulateGradient*>(old->accumulator.get())->forget_leaf(impl);
  set_history(target, node, output);
  // What retain_grad() keeps is the gradient of the value that the tensor has at last.
  if (old && old->retained && impl->autograd) {
    std::erase_if(old->node->hooks().retained,
                  [&](const auto& entry) { return entry.second == old->retained; });
    impl->autograd->retained = old->retained;
    node->hooks().retained.emplace_back(impl->autograd->output, old->retained);
  }
}

}  // namespace detail

Edge gradient_edge(const Tensor& tensor) {
  const TensorImpl* impl = tensor.impl();
  // A view whose base was written since has another history than it had.
  if (impl->is_view && impl->history != impl->storage->history.load(std::memory_order_relaxed))
    detail::check_view_history(tensor);
  const AutogradRecord* record = impl->autograd;
  if (!record || !record->requires_grad) return {};
  if (record->node) return {record->node, record->output};
  return {record->accumulator, 0};
}

void set_history(const Tensor& result, const Reference<GradientNode>& node, int output) {
  TensorImpl* impl = result.impl();
  if (!is_differentiable(impl->dtype)) return;
  if (!impl->autograd) impl->autograd = new AutogradRecord;
  impl->autograd->node = node;
  impl->autograd->output = static_cast<std::uint32_t>(output);
  impl->autograd->requires_grad = true;
}

void rebase_history(const Tensor& target, const Reference<GradientNode>& node, int output) {
  TensorImpl* impl = target.impl();
  if (!is_differentiable(impl->dtype)) return;
  if (impl->is_view) detail::write_through_view(target, {node, static_cast<std::uint32_t>(output)});
  detail::replace_history(target, node, output);
  impl->history = 1 + impl->storage->history.fetch_add(1, std::memory_order_relaxed);
}

void check_in_place_allowed(const Tensor& target, const char* operation, bool value_needs_gradient) {
  TensorImpl* impl = target.impl();
  if (!has_separate_elements(*impl)) [[unlikely]]
    fail<StateError>(ErrorCode::invalid_value,
                     "{}: elements of the tensor share memory, so one write would undo another", operation)
        .detail("tensor", describe(target))
        .detail("strides", fmt::format("[{}]", to_string(target.strides())))
        .hint("write into a clone()")
        .raise();
  if (impl->storage->read_only) [[unlikely]]
    fail<StateError>(ErrorCode::invalid_value, "{}: the memory of the tensor is read-only", operation)
        .detail("tensor", describe(target))
        .hint("write into a clone()")
        .raise();
  if (thread_mode.gradients_off) return;
  if (impl->is_view && impl->history != impl->storage->history.load(std::memory_order_relaxed))
    detail::check_view_history(target);
  const bool requires_grad = target.requires_grad();
  if (!requires_grad && !(value_needs_gradient && is_differentiable(impl->dtype))) return;
  if (impl->inference)
    fail<GradientError>(ErrorCode::inference_tensor,
                        "{}: a tensor made in inference mode cannot take part in gradients", operation)
        .detail("tensor", describe(target))
        .hint("write into a clone() made outside inference mode")
        .raise();
  const auto is_leaf = [](const TensorImpl& t) {
    return t.autograd && t.autograd->requires_grad && !t.autograd->node;
  };
  if (is_leaf(*impl) || (impl->is_view && impl->base && is_leaf(*impl->base)))
    fail<GradientError>(ErrorCode::leaf_modified_in_place,
                        "{}: a leaf that requires gradients cannot be modified in place", operation)
        .detail(is_leaf(*impl) ? "tensor" : "view of a leaf", describe(target))
        .hint("with no_grad(): for updates and initialisation; else the form that returns a new tensor")
        .raise();
  if (impl->is_view && impl->is_cut_off)
    fail<GradientError>(
        ErrorCode::view_modified_in_place,
        "{}: a view that was made under no_grad() cannot be modified in place where gradients flow",
        operation)
        .detail("view", describe(target))
        .hint("make the view outside of no_grad()")
        .raise();
  if (impl->is_view && !detail::can_write_through(target))
    fail<GradientError>(ErrorCode::view_modified_in_place,
                        "{}: gradients cannot tell what a write through this view changes", operation)
        .detail("view", describe(target))
        .hint("write through the base (base[index] = value), or use the form that returns a new tensor")
        .raise();
}

Tensor shallow_alias(const Tensor& tensor) {
  const TensorImpl* from = tensor.impl();
  Tensor alias = make_view(tensor, tensor.shape(), tensor.strides(), from->offset);
  alias.impl()->forget_base();
  alias.impl()->inference = from->inference;
  return alias;
}

void AccumulateGradient::update(
    const std::function<Tensor(const Tensor& old, const TensorImpl& leaf)>& combine) {
  Tensor old;  // released after the lock: it may hold the last reference to the leaf
  std::lock_guard lock(mutex_);
  TensorImpl* impl = leaf_.load(std::memory_order_relaxed);
  if (!impl) return;
  if (thread_mode.interpreter_count) [[unlikely]]
    detail::note_gradient_access(Tensor(Reference<TensorImpl>::share(impl)), true);
  AutogradRecord& record = *impl->autograd;
  old = Tensor(Reference<TensorImpl>::share(record.gradient));
  Tensor replacement = combine(old, *impl);
  if (record.gradient) old = Tensor(Reference<TensorImpl>::adopt(std::exchange(record.gradient, nullptr)));
  Reference<TensorImpl> reference = replacement.reference();
  record.gradient = reference.detach();
  if (const Hooks* waiting = existing_hooks(); waiting && !waiting->after.empty()) {
    Tensor leaf(Reference<TensorImpl>::share(impl));
    const auto after = waiting->after;  // hooks may add or remove hooks
    for (const auto& [number, hook] : after) hook({&leaf, 1});
  }
}

void AccumulateGradient::forget_leaf(const TensorImpl* leaf) {
  std::lock_guard lock(mutex_);
  if (leaf_.load(std::memory_order_relaxed) == leaf) leaf_.store(nullptr, std::memory_order_release);
}

}  // namespace phlox
