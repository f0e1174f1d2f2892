// What an operation needs in order to take part in gradients. A differentiable operation reads
//
//   Tensor result = compute(x, y);
//   if (needs_gradient(x) || needs_gradient(y)) {
//     auto node = Reference<GradientNode>::adopt(new MulBackward(x, y));   // saves what it needs
//     node->edges()[0] = gradient_edge(x);
//     node->edges()[1] = gradient_edge(y);
//     set_history(result, node);
//   }
//
// and one that writes in place into x: check_in_place_allowed() first, then the node and its edges from the old
// history, then the write, bump_version(), and rebase_history().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "phlox/core/gradient_node.h"
#include "phlox/core/mode.h"
#include "phlox/core/tensor.h"

namespace phlox {

namespace detail {
// Brings the history of a view up to date after a write in place. Throws GradientError where that cannot be done.
void check_view_history(const Tensor& view);
// Whether gradients can tell what a write through this view changes. In ops/view_history.cc, as the next.
bool can_write_through(const Tensor& view);
// Notes in the base of a view that its elements have been written with what comes along the edge.
void write_through_view(const Tensor& view, const Edge& written);
// Puts another history in the place of the old one.
void replace_history(const Tensor& target, const Reference<GradientNode>& node, int output = 0);
}  // namespace detail

// True when an operation on this tensor must be recorded in the present mode. Undefined tensors need nothing.
inline bool needs_gradient(const Tensor& tensor) {
  const TensorImpl* impl = tensor.unsafe_impl();
  if (!impl || thread_mode.gradients_off) return false;
  if (impl->is_view && impl->history != impl->storage->history.load(std::memory_order_relaxed)) [[unlikely]]
    detail::check_view_history(tensor);
  return impl->autograd && impl->autograd->requires_grad;
}

// Where the gradient of the tensor goes; null when it needs none. Several threads may ask for the same leaf.
Edge gradient_edge(const Tensor& tensor);

// Says that output `output` of `node` made the tensor. Integer and boolean results stay without history.
void set_history(const Tensor& result, const Reference<GradientNode>& node, int output = 0);
// The same for a tensor that was written in place, and for what it is a view of.
void rebase_history(const Tensor& target, const Reference<GradientNode>& node, int output = 0);

// Notes a write in place, so that a gradient that saved the old values is refused.
inline void bump_version(const Tensor& tensor) {
  tensor.impl()->storage->version.fetch_add(1, std::memory_order_relaxed);
}

// Throws GradientError for a leaf that requires gradients and for a view of one, and where gradients, that of the
// written value included, could not tell what a write through a view changes; StateError for read-only memory. With
// gradients off everything but the latter is allowed.
void check_in_place_allowed(const Tensor& target, const char* operation, bool value_needs_gradient = false);

// The same data under a new handle without gradient record.
Tensor shallow_alias(const Tensor& tensor);

// Adds the gradient into a leaf's grad(). Several backward passes may do so at once.
class AccumulateGradient final : public GradientNode {
 public:
  explicit AccumulateGradient(TensorImpl* leaf) : GradientNode("accumulate", RunsFirst{}), leaf_(leaf) {}

  // The engine calls accumulate() instead.
  void backward(std::span<const Tensor>, std::span<Tensor>) override {}
  void release_saved() override {}
  TensorImpl* leaf() const override { return leaf_.load(std::memory_order_acquire); }

  // Replaces the leaf's gradient by combine(old, leaf), where old may be undefined, and calls the hooks that wait for
  // it. Does nothing when the leaf has gone.
  void update(const std::function<Tensor(const Tensor& old, const TensorImpl& leaf)>& combine);
  // The leaf is about to be destroyed.
  void forget_leaf(const TensorImpl* leaf);

 private:
  std::recursive_mutex mutex_;  // keeps the leaf alive during an update; a hook may run another backward pass
  std::atomic<TensorImpl*> leaf_;
};

}  // namespace phlox
