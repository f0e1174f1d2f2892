// What writes in place through views mean for gradients. All views of a tensor share its memory, so a write through
// one of them is a new value of the whole: the base gets a node that takes the gradient of the written elements from
// the write and that of all others from the old value. Other views, made before, then no longer tell how their
// elements came about; when they are used next, they become views of the new value.

#include "phlox/ops/view_history.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "phlox/core/recording.h"
#include "phlox/core/strided.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

// Where the elements of a view lie in its base, seen row-major: base.permute(order) is contiguous.
struct Place {
  Dims order;
  Shape base_shape;  // permuted
  ViewAttributes view;

  Place() : view(ViewKind::strided, {}) {}
  Tensor to_row_major(const Tensor& gradient) const { return contiguous(permute(gradient, order)); }
  Tensor from_row_major(const Tensor& gradient) const { return permute(gradient, inverse_order(order)); }
};

bool place_in_base(const TensorImpl& view, Place& place) {
  const TensorImpl* base = view.base;
  if (!base || base->storage != view.storage || base->dtype != view.dtype) return false;
  if (!dense_order(*base, place.order)) return false;
  for (const std::int64_t d : place.order) place.base_shape.push_back(base->sizes[d]);
  for (int d = 0; d < view.rank; ++d) {
    place.view.a.push_back(view.sizes[d]);
    place.view.b.push_back(view.strides[d]);
  }
  place.view.offset = view.count > 0 ? view.offset - base->offset : 0;
  if (view.count == 0) return true;
  // as_strided() of a part may show elements beside the base.
  std::int64_t lowest = place.view.offset, highest = place.view.offset;
  for (int d = 0; d < view.rank; ++d) {
    const std::int64_t reach = (view.sizes[d] - 1) * view.strides[d];
    (reach < 0 ? lowest : highest) += reach;
  }
  return lowest >= 0 && highest < base->count;
}

Tensor view_in(const Tensor& row_major, const Place& place) {
  return make_view(row_major, place.view.a, place.view.b, row_major.storage_offset() + place.view.offset);
}

// The value of a base after a write through a view. Input 0 is the base before, input 1 what was written.
class WrittenViewNode final : public GradientNode {
 public:
  WrittenViewNode(const Place& place, const Edge& base, const Edge& written)
      : GradientNode("write through a view", 2), place_(place) {
    edges()[0] = base;
    edges()[1] = written;
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor gradient = place_.to_row_major(output_gradients[0]);
    if (wants(0)) {
      Tensor written = zeros(place_.base_shape, DType::bool_, gradient.device());
      {
        NoGrad no_grad;
        fill_(view_in(written, place_), true);
      }
      input_gradients[0] = place_.from_row_major(masked_fill(gradient, written, 0));
    }
    if (wants(1))
      input_gradients[1] =
          as_strided(gradient, place_.view.a, place_.view.b, gradient.storage_offset() + place_.view.offset);
  }
  void release_saved() override {}

 private:
  Place place_;
};

// A view whose base has been written since the view was made.
class RenewedViewNode final : public GradientNode {
 public:
  RenewedViewNode(const Place& place, const Edge& base) : GradientNode("view", 1), place_(place) {
    edges()[0] = base;
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (output_gradients[0].defined())
      input_gradients[0] =
          place_.from_row_major(strided_gradient(output_gradients[0], place_.base_shape, place_.view));
  }
  void release_saved() override {}

 private:
  Place place_;
};

}  // namespace

bool is_renewed_view(const GradientNode& node) { return dynamic_cast<const RenewedViewNode*>(&node); }

namespace detail {

bool can_write_through(const Tensor& view) {
  Place place;
  return place_in_base(*view.impl(), place) && has_separate_elements(*view.impl());
}

void write_through_view(const Tensor& view, const Edge& written) {
  Place place;
  if (!place_in_base(*view.impl(), place)) return;  // nobody else sees the memory through its base
  const Tensor base(Reference<TensorImpl>::share(view.impl()->base));
  // Of a base that is written as a whole, nothing is left.
  const Edge before = view.numel() == base.numel() ? Edge{} : gradient_edge(base);
  replace_history(base, Reference<GradientNode>::adopt(new WrittenViewNode(place, before, written)));
}

bool renew_view(TensorImpl* view) {
  const std::uint32_t now = view->storage->history.load(std::memory_order_relaxed);
  const AutogradRecord* record = view->autograd;
  if (record && record->requires_grad && !record->node) return false;  // a leaf of its own
  Place place;
  if (!place_in_base(*view, place)) return false;
  const Tensor base(Reference<TensorImpl>::share(view->base));
  const Edge edge = gradient_edge(base);
  if (edge.node && view->is_cut_off) return false;
  const Tensor handle(Reference<TensorImpl>::share(view));
  if (edge.node) replace_history(handle, Reference<GradientNode>::adopt(new RenewedViewNode(place, edge)));
  view->history = now;
  return true;
}

}  // namespace detail
}  // namespace phlox
