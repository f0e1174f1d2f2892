#include "phlox/ops/indexing.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/sum_to_shape.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

using Indices = std::span<const Index>;

struct Range {
  std::int64_t first, count;
};

// What a slice means in a dimension of the given size.
Range range_of(const Slice& slice, std::int64_t size, int dim) {
  if (slice.step == 0)
    fail<IndexError>(ErrorCode::bad_index, "index: the step of the slice in dimension {} is 0", dim).raise();
  const auto bound = [&](std::int64_t position, std::int64_t low, std::int64_t high) {
    return std::clamp(position < 0 ? position + size : position, low, high);
  };
  if (slice.step > 0) {
    const std::int64_t first = slice.start ? bound(*slice.start, 0, size) : 0;
    const std::int64_t last = slice.stop ? bound(*slice.stop, 0, size) : size;
    if (slice.step == 1) return {first, std::max<std::int64_t>(last - first, 0)};  // without a division
    return {first, last > first ? (last - first - 1) / slice.step + 1 : 0};
  }
  const std::int64_t first = slice.start ? bound(*slice.start, -1, size - 1) : size - 1;
  const std::int64_t last = slice.stop ? bound(*slice.stop, -1, size - 1) : -1;
  return {first, first > last ? (first - last - 1) / -slice.step + 1 : 0};
}

std::int64_t position_of(std::int64_t index, std::int64_t size, int dim) {
  if (index < -size || index >= size) [[unlikely]]
    fail<IndexError>(ErrorCode::index_out_of_range,
                     "index: position {} is out of range for dimension {} of size {}", index, dim, size)
        .hint(size ? fmt::format("allowed are {} to {}", -size, size - 1) : "the dimension is empty")
        .raise();
  return index < 0 ? index + size : index;
}

// How many dimensions an index uses up.
int dims_used(const Index& index) {
  if (std::holds_alternative<Ellipsis>(index) || std::holds_alternative<NewAxis>(index)) return 0;
  const Tensor* tensor = std::get_if<Tensor>(&index);
  return tensor && tensor->dtype() == DType::bool_ ? tensor->rank() : 1;
}

// An index taken apart: a view of the input, then places in that view when tensors take part.
struct Plan {
  Tensor view;
  bool advanced = false;
  IndexPlaces places;
};

void check_count(const Tensor& input, Indices indices, int& used) {
  used = 0;
  int ellipses = 0;
  for (const Index& index : indices) {
    used += dims_used(index);
    ellipses += std::holds_alternative<Ellipsis>(index);
  }
  if (ellipses > 1)
    fail<IndexError>(ErrorCode::bad_index, "index: `...` stands twice")
        .hint("write `:` for single dimensions")
        .raise();
  if (used > input.rank())
    fail<IndexError>(ErrorCode::too_many_indices, "index: {} dimensions are indexed, the tensor has {}", used,
                     input.rank())
        .detail("input", describe(input))
        .raise();
}

// The dimensions of the view that a mask stands for become places.
void add_mask(Plan& plan, const Tensor& mask, const Tensor& input, int dim, int& view_dim) {
  for (int d = 0; d < mask.rank(); ++d)
    // A size of 0 fits any, as in NumPy and the Array API standard: the mask has no element that is true.
    if (mask.impl()->sizes[d] != input.impl()->sizes[dim + d] && mask.impl()->sizes[d] != 0)
      fail<IndexError>(ErrorCode::index_out_of_range,
                       "index: the mask has size {} where dimension {} has size {}", mask.impl()->sizes[d],
                       dim + d, input.impl()->sizes[dim + d])
          .detail("input", describe(input))
          .detail("mask", describe(mask))
          .raise();
  const Tensor positions = apply_nonzero(mask);
  for (int d = 0; d < mask.rank(); ++d) {
    plan.places.dims.push_back(view_dim++);
    plan.places.tensors.push_back(positions.select(1, d));
  }
}

Plan plan_index(const Tensor& input, Indices indices) {
  int used;
  check_count(input, indices, used);
  const bool advanced = std::any_of(indices.begin(), indices.end(),
                                    [](const Index& i) { return std::holds_alternative<Tensor>(i); });
  const auto rank = static_cast<std::size_t>(input.rank());
  ViewAttributes cut{ViewKind::slice, input.shape(), IntList(rank, 0), IntList(rank, 1)};
  Shape shape;  // of the view: without selected dimensions, with new ones
  bool sliced = false, reshaped = false;
  Plan plan;
  // Where tensors stand: side by side unless something else comes between.
  int first_place = -1, last_item = -1, item = 0;
  bool side_by_side = true;
  const auto note_place = [&](int view_dim) {
    if (first_place < 0) first_place = view_dim;
    else if (item != last_item + 1) side_by_side = false;
    last_item = item;
  };

  int dim = 0;
  int view_dim = 0;
  for (const Index& index : indices) {
    const std::int64_t size = dim < input.rank() ? input.impl()->sizes[dim] : 0;
    const auto d = static_cast<std::size_t>(dim);
    if (const auto* position = std::get_if<std::int64_t>(&index)) {
      if (advanced) {
        note_place(view_dim);
        plan.places.dims.push_back(view_dim++);
        plan.places.tensors.push_back(
            Tensor(Scalar(position_of(*position, size, dim)), {.dtype = DType::int64}));
        shape.push_back(size);
      } else {
        cut.b[d] = position_of(*position, size, dim);
        cut.a[d] = 1;
        sliced = reshaped = true;
      }
      ++dim;
    } else if (const auto* slice = std::get_if<Slice>(&index)) {
      const Range range = range_of(*slice, size, dim);
      cut.a[d] = range.count;
      cut.b[d] = range.first;
      cut.c[d] = slice->step;
      sliced |= range.count != size || slice->step != 1;
      shape.push_back(range.count);
      ++view_dim;
      ++dim;
    } else if (std::holds_alternative<Ellipsis>(index)) {
      for (int skipped = input.rank() - used; skipped > 0; --skipped) {
        shape.push_back(input.impl()->sizes[dim++]);
        ++view_dim;
      }
    } else if (std::holds_alternative<NewAxis>(index)) {
      shape.push_back(1);
      ++view_dim;
      reshaped = true;
    } else {
      const Tensor& tensor = std::get<Tensor>(index);
      note_place(view_dim);
      if (tensor.dtype() == DType::bool_) {
        if (tensor.rank() == 0) {  // a new dimension of size 1 or 0
          reshaped = true;
          shape.push_back(1);
          plan.places.dims.push_back(view_dim++);
          plan.places.tensors.push_back(zeros({tensor.item<bool>() ? 1 : 0}, DType::int64));
        }
        for (int e = 0; e < tensor.rank(); ++e) shape.push_back(input.impl()->sizes[dim + e]);
        add_mask(plan, tensor, input, dim, view_dim);
        dim += tensor.rank();
      } else {
        if (!is_integer(tensor.dtype()))
          fail<IndexError>(ErrorCode::bad_index, "index: a tensor of {} cannot index dimension {}",
                           info(tensor.dtype()).name, dim)
              .detail("index", describe(tensor))
              .hint("integers are positions, bool is a mask; cast with .to(px.int64)")
              .raise();
        plan.places.dims.push_back(view_dim++);
        plan.places.tensors.push_back(tensor);
        shape.push_back(size);
        ++dim;
      }
    }
    ++item;
  }
  for (; dim < input.rank(); ++dim) shape.push_back(input.impl()->sizes[dim]);

  plan.view = sliced ? apply_view(input, cut) : input;
  if (reshaped) plan.view = apply_view(plan.view, {ViewKind::reshape, shape});
  plan.advanced = advanced;
  plan.places.position = side_by_side ? std::max(first_place, 0) : 0;
  return plan;
}

Tensor get(const Tensor& input, Indices indices) {
  if (indices.size() == 1) {  // the commonest forms
    const Index& only = indices[0];
    if (const auto* position = std::get_if<std::int64_t>(&only); position && input.rank() > 0)
      return apply_view(input, {ViewKind::select, {0, position_of(*position, input.impl()->sizes[0], 0)}});
    if (const auto* slice = std::get_if<Slice>(&only); slice && input.rank() > 0) {
      const Range range = range_of(*slice, input.impl()->sizes[0], 0);
      return slice_dim(input, 0, range.first, range.count, slice->step);
    }
  }
  const Plan plan = plan_index(input, indices);
  if (plan.advanced) return apply_index(plan.view, plan.places);
  if (plan.view.impl() != input.impl()) return plan.view;
  return apply_view(input, {ViewKind::expand, input.shape()});  // x[...] is a new view
}

// The places of x[mask] as they lie in x, where a mask is all there is; else none. One value is written there, and its
// gradient read, without asking how many they are.
Tensor only_mask(Indices indices, const Tensor& input) {
  const Tensor* mask = indices.size() == 1 ? std::get_if<Tensor>(&indices[0]) : nullptr;
  if (!mask || mask->dtype() != DType::bool_ || mask->rank() == 0 || mask->rank() > input.rank()) return {};
  Shape shape = input.shape();
  for (int d = 0; d < input.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (d >= mask->rank()) shape[i] = 1;
    else if (shape[i] != mask->size(d)) return {};
  }
  return reshape(*mask, shape);
}

// NumPy lets leading dimensions of size 1 of the value fall away.
Shape without_leading_ones(Shape shape, int rank) {
  while (shape.rank() > rank && shape[0] == 1) shape.erase(0);
  return shape;
}

// Values written to indexed places: what was there gets no gradient, the values get theirs.
class SetIndexNode final : public GradientNode {
 public:
  SetIndexNode(const Tensor& input, Indices indices, const Tensor& value)
      : GradientNode("setitem", 2),
        indices_(indices.begin(), indices.end()),
        shape_(value.shape()),
        dtype_(value.dtype()) {
    edges()[0] = gradient_edge(input);
    edges()[1] = gradient_edge(value);
    for (Index& index : indices_)
      if (const Tensor* tensor = std::get_if<Tensor>(&index)) {
        saved_.emplace_back(*tensor, this);
        index = Index(0);
      } else {
        saved_.emplace_back();
      }
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    std::vector<Index> indices = indices_;
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (Tensor tensor = saved_[i].get(*this); tensor.defined()) indices[i] = Index(tensor);
    if (wants(0)) {
      input_gradients[0] = clone(gradient);
      set_index(input_gradients[0], indices, 0);
    }
    if (!wants(1)) return;
    if (const Tensor mask = shape_.empty() ? only_mask(indices, gradient) : Tensor(); mask.defined()) {
      input_gradients[1] = sum_to_shape(masked_fill(gradient, logical_not(mask), 0), shape_).to(dtype_);
      return;
    }
    const Tensor places = index(gradient, indices);
    const Shape shape = without_leading_ones(shape_, places.rank());
    input_gradients[1] = reshape(sum_to_shape(places, shape), shape_).to(dtype_);
  }
  void release_saved() override {
    for (SavedTensor& tensor : saved_)
      if (tensor.saved()) tensor.release();
  }
  bool released() const override {
    return std::any_of(saved_.begin(), saved_.end(), [](const SavedTensor& t) { return t.released(); });
  }

 private:
  std::vector<Index> indices_;
  std::vector<SavedTensor> saved_;  // the tensors among the indices
  Shape shape_;
  DType dtype_;
};

// The value must broadcast to the places that it is written to.
void check_fits(const Tensor& input, const Tensor& value, const Shape& places) {
  const Shape shape = without_leading_ones(value.shape(), places.rank());
  if (broadcasts_to(shape, places)) return;
  fail<ShapeError>(ErrorCode::shapes_do_not_broadcast,
                   "setitem: a value of [{}] does not fit into places of [{}]", to_string(value.shape()),
                   to_string(places))
      .detail("input", describe(input))
      .detail("value", describe(value))
      .hint("sizes must be those of the places, or 1, counted from the last dimension")
      .raise();
}

// x[index] += y is: view = x[index]; view += y; x[index] = view. The last step has nothing left to do.
bool is_already_there(const Tensor& input, Indices indices, const Tensor& value) {
  const TensorImpl& from = *value.impl();
  const TensorImpl& to = *input.impl();
  const TensorImpl* base = to.is_view ? to.base : &to;
  if (!from.is_view || from.is_cut_off || !base || from.base != base || from.storage != to.storage)
    return false;
  NoGrad no_grad;
  const Plan plan = plan_index(input.detach(), indices);
  if (plan.advanced) return false;
  return plan.view.storage_offset() == from.offset && plan.view.shape() == value.shape() &&
         plan.view.strides() == value.strides() && plan.view.dtype() == from.dtype;
}

void set(const Tensor& input, Indices indices, const Operand& operand) {
  if (!operand.is_tensor()) operand.scalar().check_fits(input.dtype());
  const Tensor value = operand.is_tensor()
                           ? operand.tensor()
                           : Tensor(operand.scalar(), {.dtype = input.dtype(), .device = input.device()});
  if (is_already_there(input, indices, value)) return;
  const bool recorded = needs_gradient(input) || needs_gradient(value);
  check_in_place_allowed(input, "setitem", needs_gradient(value));
  Reference<GradientNode> node;
  if (recorded) node = Reference<GradientNode>::adopt(new SetIndexNode(input, indices, value));
  bool is_whole = false;  // nothing is left of what was there
  {
    const RecordedByNode scope(recorded);
    // A captured value is converted before it is broadcast, so that its gradient is summed as SetIndexNode does.
    const Tensor target = is_captured() ? input : input.detach(),
                 given = is_captured() ? value.to(input.dtype()) : value.detach();
    const Tensor mask = value.numel() == 1 && value.rank() == 0 ? only_mask(indices, target) : Tensor();
    const Plan plan = mask.defined() ? Plan{} : plan_index(target, indices);
    if (mask.defined()) {
      copy_data(where(mask, given.to(target.device()).to(target.dtype()), target), target);
    } else if (plan.advanced) {
      index_put_data(plan.view, plan.places, given, ScatterMode::assign, "setitem");
    } else {
      const Tensor source =
          reshape(given.to(input.device()), without_leading_ones(given.shape(), plan.view.rank()));
      check_fits(input, value, plan.view.shape());
      copy_data(broadcast_to(source, plan.view.shape()), plan.view);
      is_whole = plan.view.numel() == input.numel();
    }
  }
  bump_version(input);
  if (!recorded) return;
  if (is_whole) node->edges()[0] = {};
  rebase_history(input, node);
}

}  // namespace

Tensor index(const Tensor& input, const std::vector<Index>& indices) { return get(input, indices); }

void set_index(const Tensor& input, const std::vector<Index>& indices, const Operand& value) {
  set(input, indices, value);
}

Tensor Tensor::operator[](std::initializer_list<Index> indices) const {
  return get(*this, {indices.begin(), indices.size()});
}

Tensor Tensor::operator[](std::int64_t index) const {
  if (rank() == 0)
    fail<IndexError>(ErrorCode::too_many_indices,
                     "index: a tensor of 0 dimensions cannot be indexed by position")
        .raise();
  return select_dim(*this, 0, position_of(index, impl()->sizes[0], 0));
}

Tensor Tensor::operator[](const Tensor& indices) const {
  const Index index(indices);
  return get(*this, {&index, 1});
}

void Tensor::set(std::initializer_list<Index> indices, const Operand& value) const {
  phlox::set(*this, {indices.begin(), indices.size()}, value);
}

}  // namespace phlox
