#include "phlox/ops/view.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/sample_mode.h"
#include "phlox/core/watch_bit.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/sum_to_shape.h"
#include "phlox/ops/view_layout.h"

namespace phlox {
namespace {

void check_view(const PrimitiveCall& call) {
  call.takes(1);
  check_view_of(call, call.tensor(0), call.attributes<ViewAttributes>());
}

TensorList evaluate_view(std::span<const Operand> inputs, const void* attributes) {
  return {apply_view(inputs[0].tensor(), *static_cast<const ViewAttributes*>(attributes))};
}
PHLOX_PRIMITIVE(view, 20, evaluate_view, ViewAttributes);
PHLOX_PRIMITIVE_RULE(view, check_view);

// The view of each sample, of `rank` dimensions, as a view of the batch; not for those that go by strides.
ViewAttributes view_behind_batch(ViewAttributes v, std::int64_t batch, int rank) {
  const auto behind = [](std::int64_t& dim) { ++dim; };
  switch (v.kind) {
    case ViewKind::reshape:
    case ViewKind::expand: v.a.insert(0, batch); break;
    case ViewKind::permute: v.a = with_batch(0, behind_batch(v.a)); break;
    case ViewKind::select:
    case ViewKind::unfold: behind(v.a[0]); break;
    case ViewKind::slice:
      v.a.insert(0, batch);
      v.b.insert(0, 0);
      v.c.insert(0, 1);
      break;
    case ViewKind::diagonal:
      behind(v.a[1]);
      behind(v.a[2]);
      break;
    case ViewKind::strided:
    case ViewKind::real_pairs:
    case ViewKind::complex_pairs:
    case ViewKind::bits: break;
  }
  if (v.kind == ViewKind::unfold && rank == 0)  // of the only element, as if it were a row
    return {ViewKind::slice, {batch, v.a[1]}, {0, 0}, {1, 1}};
  return v;
}

TensorList batch_view(const BatchedCall& call) {
  const auto& v = call.attributes_as<ViewAttributes>();
  const Tensor& input = call.tensor(0);
  const bool grows =
      v.kind == ViewKind::expand || (v.kind == ViewKind::unfold && call.rank(0) == 0 && v.a.rank() > 0);
  const int rank = v.kind == ViewKind::expand ? v.a.rank() : 1;
  return {apply_view(grows ? with_sample_rank(input, rank) : input,
                     view_behind_batch(v, call.batch(), call.rank(0)))};
}
PHLOX_BATCHING_RULE(view, batch_view);

}  // namespace

// The gradient of as_strided: positions in a row-major tensor are picked by the same strides. The view may show elements
// of a larger tensor before and behind it, too.
Tensor strided_gradient(const Tensor& gradient, const Shape& shape, const ViewAttributes& v) {
  const std::int64_t count = element_count(shape);
  std::int64_t first = 0, end = count;
  if (gradient.numel() > 0) {
    std::int64_t lowest = v.offset, highest = v.offset;
    for (std::size_t d = 0; d < v.a.size(); ++d) {
      const std::int64_t reach = (v.a[d] - 1) * v.b[d];
      (reach < 0 ? lowest : highest) += reach;
    }
    first = std::min(first, lowest), end = std::max(end, highest + 1);
  }
  const Tensor positions =
      as_strided(arange(end - first, {}, 1, DType::int64, gradient.device()), v.a, v.b, v.offset - first);
  const Tensor all = zeros({end - first}, gradient.dtype(), gradient.device());
  const Tensor sums = index_add(all, 0, reshape(positions, {-1}), reshape(gradient, {-1}));
  return reshape(slice_dim(sums, 0, -first, count), shape);
}

namespace {

class ViewNode final : public GradientNode {
 public:
  ViewNode(const Tensor& input, const ViewAttributes& attributes)
      : GradientNode("view", 1), attributes_(attributes), shape_(input.shape()) {
    edges()[0] = gradient_edge(input);
    if (attributes.kind == ViewKind::strided) attributes_.offset -= input.storage_offset();
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    switch (attributes_.kind) {
      case ViewKind::reshape: input_gradients[0] = reshape(gradient, shape_); break;
      case ViewKind::expand: input_gradients[0] = sum_to_shape(gradient, shape_); break;
      case ViewKind::permute: {
        ViewAttributes inverse{ViewKind::permute, {}};
        inverse.a.resize(attributes_.a.size());
        for (std::size_t d = 0; d < attributes_.a.size(); ++d)
          inverse.a[static_cast<std::size_t>(attributes_.a[d])] = static_cast<std::int64_t>(d);
        input_gradients[0] = apply_view(gradient, inverse);
        break;
      }
      case ViewKind::strided: input_gradients[0] = strided_gradient(gradient, shape_, attributes_); break;
      default: input_gradients[0] = apply_view_gradient(gradient, shape_, attributes_);
    }
  }
  void release_saved() override {}

 private:
  ViewAttributes attributes_;
  Shape shape_;
};

// A view of a part of a tensor that shows elements beside the part, too: their gradients flow to the whole tensor.
class BesideViewNode final : public GradientNode {
 public:
  BesideViewNode(const Tensor& part, const Tensor& base, const ViewAttributes& from_base)
      : GradientNode("view", 2),
        attributes_(from_base),
        base_shape_(base.shape()),
        part_shape_(part.shape()),
        start_(part.storage_offset() - base.storage_offset()) {
    edges()[0] = gradient_edge(part);
    edges()[1] = gradient_edge(base);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor all = reshape(strided_gradient(output_gradients[0], base_shape_, attributes_), {-1});
    const std::int64_t count = element_count(part_shape_), end = start_ + count;
    if (wants(0)) input_gradients[0] = reshape(slice_dim(all, 0, start_, count), part_shape_);
    if (wants(1))
      input_gradients[1] =
          reshape(cat({slice_dim(all, 0, 0, start_), zeros({count}, all.dtype(), all.device()),
                       slice_dim(all, 0, end, all.numel() - end)}),
                  base_shape_);
  }
  void release_saved() override {}

 private:
  ViewAttributes attributes_;
  Shape base_shape_, part_shape_;
  std::int64_t start_;
};

// --- the gradient of a view as a primitive of its own

struct ViewGradientAttributes {
  Shape shape;
  ViewAttributes view;
  Scalar outside;
  template <class Visitor>
  void visit(Visitor& v) {
    view.visit(v), v("shape", shape), v("outside", outside);
  }
};

TensorList evaluate_view_gradient(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ViewGradientAttributes*>(attributes);
  return {apply_view_gradient(inputs[0].tensor(), a.shape, a.view, a.outside)};
}
PHLOX_PRIMITIVE(view_gradient, 21, evaluate_view_gradient, ViewGradientAttributes);

TensorList batch_view_gradient(const BatchedCall& call) {
  const auto& a = call.attributes_as<ViewGradientAttributes>();
  const Shape shape = with_batch(call.batch(), a.shape);
  if (a.view.kind == ViewKind::unfold && a.shape.empty()) {
    const Tensor row = apply_view_gradient(call.tensor(0), {call.batch(), 1},
                                           view_behind_batch(a.view, call.batch(), 0), a.outside);
    return {reshape(row, shape)};
  }
  return {apply_view_gradient(call.tensor(0), shape, view_behind_batch(a.view, call.batch(), a.shape.rank()),
                              a.outside)};
}
PHLOX_BATCHING_RULE(view_gradient, batch_view_gradient);

class ViewGradientNode final : public GradientNode {
 public:
  ViewGradientNode(const Tensor& input, const ViewAttributes& attributes)
      : GradientNode("view", 1), attributes_(attributes) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (output_gradients[0].defined()) input_gradients[0] = apply_view(output_gradients[0], attributes_);
  }
  void release_saved() override {}

 private:
  ViewAttributes attributes_;
};

Tensor view_of(const Tensor& input, const ViewAttributes& attributes) {
  ViewLayout layout;
  if (!layout_of(*input.impl(), attributes, layout)) return {};
  Tensor result = make_view(input, layout.sizes, layout.strides, layout.offset);
  result.impl()->dtype = viewed_dtype(attributes, input.dtype());
  return result;
}

void check_view_gradient(const PrimitiveCall& call) {
  call.takes(1);
  const auto& a = call.attributes<ViewGradientAttributes>();
  const Tensor& gradient = call.tensor(0);
  const ViewKind kind = a.view.kind;
  call.require(kind != ViewKind::reshape && kind != ViewKind::expand && kind != ViewKind::permute &&
                   kind != ViewKind::strided,
               "this kind of view has another gradient");
  call.require_sizes("shape", a.shape);
  call.require_computable(gradient.dtype());
  AbstractScope abstract;
  const Tensor origin = make_tensor(a.shape, origin_dtype(a.view, gradient.dtype()), gradient.device());
  check_view_of(call, origin, a.view);
  call.require_shape("the gradient", gradient, view_of(origin, a.view).shape());
  a.outside.check_fits(origin.dtype());
}
PHLOX_PRIMITIVE_RULE(view_gradient, check_view_gradient);

void check_view_put(const PrimitiveCall& call) {
  call.takes(2);
  const Tensor& base = call.tensor(0);
  const auto& v = call.attributes<ViewAttributes>();
  call.require(v.kind != ViewKind::reshape, "a reshape shows all elements");
  check_view_of(call, base, v);
  AbstractScope abstract;
  const Tensor place = view_of(make_tensor(base.shape(), base.dtype(), base.device()), v);
  call.require_shape("the value", call.tensor(1), place.shape());
}

}  // namespace

Tensor apply_view(const Tensor& input, const ViewAttributes& attributes) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return interpret(view_primitive, {&operand, 1}, &attributes)[0];
  }
  Tensor result = view_of(input, attributes);
  if (needs_gradient(input) && result.defined())
    set_history(result, Reference<GradientNode>::adopt(new ViewNode(input, attributes)));
  return result;
}

namespace {

TensorList evaluate_view_put(std::span<const Operand> inputs, const void* attributes) {
  return {apply_view_put(inputs[0].tensor(), inputs[1].tensor(),
                         *static_cast<const ViewAttributes*>(attributes))};
}
PHLOX_PRIMITIVE(view_put, 30, evaluate_view_put, ViewAttributes);
PHLOX_PRIMITIVE_RULE(view_put, check_view_put);

TensorList batch_view_put(const BatchedCall& call) {
  ViewAttributes v = call.attributes_as<ViewAttributes>();
  const Tensor base = call.batched(0), value = call.batched(1);
  if (v.kind == ViewKind::strided) {  // strides count elements of row-major samples
    v.a.insert(0, call.batch());
    v.b.insert(0, base.numel() / call.batch());
  } else {
    v = view_behind_batch(v, call.batch(), call.rank(0));
  }
  return {apply_view_put(base, value, v)};
}
PHLOX_BATCHING_RULE(view_put, batch_view_put);

class ViewPutNode final : public GradientNode {
 public:
  ViewPutNode(const Tensor& base, const Tensor& value, const ViewAttributes& attributes)
      : GradientNode("view_put", 2), attributes_(attributes) {
    if (value.numel() < base.numel()) edges()[0] = gradient_edge(base);  // else nothing is left of it
    edges()[1] = gradient_edge(value);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    const Tensor part = apply_view(gradient, attributes_);
    if (wants(0)) input_gradients[0] = apply_view_put(gradient, zeros_like(part), attributes_);
    if (wants(1)) input_gradients[1] = part;
  }
  void release_saved() override {}

 private:
  ViewAttributes attributes_;
};

}  // namespace

Tensor apply_view_put(const Tensor& base, const Tensor& value, const ViewAttributes& attributes) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {base, value};
    return interpret(view_put_primitive, operands, &attributes)[0];
  }
  // Strides count elements of a row-major tensor, and pairs lie side by side in one.
  const bool row_major = attributes.kind == ViewKind::strided || attributes.kind == ViewKind::complex_pairs ||
                         attributes.kind == ViewKind::bits;
  const MemoryOrder order = row_major ? MemoryOrder::row_major : MemoryOrder::keep;
  const bool recorded = needs_gradient(base) || needs_gradient(value);
  Tensor result;
  {
    NoGrad no_grad;
    result = apply_convert(base, base.dtype(), order);
    const Tensor place = view_of(result, attributes);
    device_kernels(base.device()).convert(*value.impl(), *place.impl());
  }
  if (recorded) set_history(result, Reference<GradientNode>::adopt(new ViewPutNode(base, value, attributes)));
  return result;
}

Tensor apply_view_gradient(const Tensor& gradient, const Shape& shape, const ViewAttributes& attributes,
                           const Scalar& outside) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(gradient);
    const ViewGradientAttributes all{shape, attributes, outside};
    return interpret(view_gradient_primitive, {&operand, 1}, &all)[0];
  }
  Tensor result = make_tensor(shape, origin_dtype(attributes, gradient.dtype()), gradient.device());
  const DeviceKernels& kernels = device_kernels(gradient.device());
  kernels.fill(*result.impl(), outside);
  {
    NoGrad no_grad;
    const Tensor target = view_of(result, attributes);
    const bool overlaps = attributes.kind == ViewKind::unfold && attributes.a[2] < attributes.a[1];
    if (!overlaps) {
      kernels.convert(*gradient.impl(), *target.impl());
    } else {
      // Each position within the windows at a time: these do not overlap.
      for (std::int64_t i = 0; i < attributes.a[1]; ++i) {
        const Tensor part = target.select(-1, i);
        part.add_(gradient.detach().select(-1, i));
      }
    }
  }
  if (needs_gradient(gradient))
    set_history(result, Reference<GradientNode>::adopt(new ViewGradientNode(gradient, attributes)));
  return result;
}

namespace {

// True when a view is only strides: nobody watches and no gradient is recorded.
bool is_unwatched(const Tensor& input) { return interpreters() == 0 && !needs_gradient(input); }

}  // namespace

namespace {

// A view written at once, because positions and slices are taken more often than anything else. `kept` tells the
// dimensions of `from` that stay, with size and stride.
template <class Kept>
Tensor direct_view(const TensorImpl& from, int rank, std::int64_t offset, const Kept& kept) {
  auto* impl = new (allocate(sizeof(TensorImpl))) TensorImpl;
  impl->dtype = from.dtype;
  impl->device = from.device;
  impl->rank = static_cast<std::uint8_t>(rank);
  impl->inference = thread_mode.inference || from.inference;
  impl->set_base(from);
  impl->offset = offset;
  impl->storage = from.storage;
  impl->storage->references.acquire();
  impl->history = impl->storage->history.load(std::memory_order_relaxed);
  std::int64_t expected = 1;
  bool dense = true;
  for (int d = rank - 1; d >= 0; --d) {
    kept(d, impl->sizes[d], impl->strides[d]);
    if (impl->sizes[d] != 1) dense &= impl->strides[d] == expected;
    expected *= impl->sizes[d];
  }
  impl->count = expected;
  impl->contiguous = dense || expected == 0;
  return Tensor(Reference<TensorImpl>::adopt(impl));
}

}  // namespace

Tensor select_dim(const Tensor& input, int dim, std::int64_t position) {
  if (!is_unwatched(input)) return apply_view(input, {ViewKind::select, {dim, position}});
  const TensorImpl& from = *input.impl();
  return direct_view(from, from.rank - 1, from.offset + position * from.strides[dim],
                     [&](int d, std::int64_t& size, std::int64_t& stride) {
                       const int source = d < dim ? d : d + 1;
                       size = from.sizes[source];
                       stride = from.strides[source];
                     });
}

Tensor slice_dim(const Tensor& input, int dim, std::int64_t start, std::int64_t size, std::int64_t step) {
  const TensorImpl& from = *input.impl();
  if (!is_unwatched(input)) {
    const auto rank = static_cast<std::size_t>(from.rank), d = static_cast<std::size_t>(dim);
    ViewAttributes v{ViewKind::slice, input.shape(), IntList(rank, 0), IntList(rank, 1)};
    v.a[d] = size;
    v.b[d] = start;
    v.c[d] = step;
    return apply_view(input, v);
  }
  // An empty slice may begin beyond the end.
  const std::int64_t offset = size > 0 ? from.offset + start * from.strides[dim] : from.offset;
  return direct_view(from, from.rank, offset, [&](int d, std::int64_t& to_size, std::int64_t& to_stride) {
    to_size = d == dim ? size : from.sizes[d];
    to_stride = d == dim ? from.strides[d] * step : from.strides[d];
  });
}

Shape infer_shape(const Shape& asked, std::int64_t count, const char* operation) {
  Shape shape = asked;
  int unknown = -1;
  std::int64_t known = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    const std::int64_t size = shape[static_cast<std::size_t>(d)];
    if (size == -1 && unknown < 0) unknown = d;
    else if (size < 0)
      fail<ShapeError>(ErrorCode::invalid_value, "{}: {} in [{}]", operation,
                       size == -1 ? "a second -1" : "a negative size", to_string(asked))
          .hint("one size may be -1, all others are counts")
          .raise();
    else known *= size;
  }
  if (unknown >= 0 && known != 0 && count % known == 0) {
    shape[static_cast<std::size_t>(unknown)] = count / known;
    return shape;
  }
  if (unknown >= 0 || known != count)
    fail<ShapeError>(ErrorCode::wrong_element_count, "{}: {} elements do not fill [{}]", operation, count,
                     to_string(asked))
        .hint("the product of the sizes must be the number of elements")
        .raise();
  return shape;
}

// --- shapes

PHLOX_OPERATION(
    Tensor, reshape, (const Tensor& input, const Shape& shape),
    .doc =
        "The same elements in another shape; one size may be -1. A view where the strides allow it, "
        "else a copy.",
    .family = Family::view,
    .samples = "reshape(A(2, 6), (3, 4)); reshape(A(2, 3, 4), (-1, 2)); reshape(A(0, 3), (3, 0))",
    .reference = "input.reshape(shape)") {
  const ViewAttributes v{ViewKind::reshape, infer_shape(shape, input.numel(), "reshape")};
  Tensor result = apply_view(input, v);
  return result.defined() ? view_or_copy(input, result) : apply_view(input.contiguous(), v);
}

PHLOX_OPERATION(
    Tensor, view, (const Tensor& input, const Shape& shape),
    .doc =
        "The same memory in another shape; one size may be -1. Throws ShapeError where the strides do "
        "not allow it; a channels-last tensor is copied.",
    .family = Family::view, .samples = "view(A(12), (3, 4)); view(A(12), (2, -1, 2)); view(A(0, 3), (3, 0))",
    .reference = "input.reshape(shape)") {
  const ViewAttributes v{ViewKind::reshape, infer_shape(shape, input.numel(), "view")};
  Tensor result = apply_view(input, v);
  if (result.defined()) return result;
  if (input.is_channels_last()) return apply_view(input.contiguous(), v);
  fail<ShapeError>(ErrorCode::not_viewable,
                   "view: [{}] with strides [{}] cannot be seen as [{}] without a copy",
                   to_string(input.shape()), to_string(input.strides()), to_string(v.a))
      .detail("input", describe(input))
      .hint("reshape() copies where it must")
      .raise();
}

PHLOX_OPERATION(Tensor, view_as, (const Tensor& input, const Tensor& other),
                .doc = "view() in the shape of `other`.", .family = Family::view,
                .samples = "view_as(A(12), A(3, 4))", .reference = "input.reshape(other.shape)") {
  return view(input, other.shape());
}

PHLOX_OPERATION(Tensor, reshape_as, (const Tensor& input, const Tensor& other),
                .doc = "reshape() to the shape of `other`.", .family = Family::view,
                .samples = "reshape_as(A(2, 6), A(3, 4))", .reference = "input.reshape(other.shape)") {
  return reshape(input, other.shape());
}

PHLOX_OPERATION(
    Tensor, expand, (const Tensor& input, const Shape& size),
    .doc = "A view in which sizes of 1 are stretched without copying; -1 keeps a size.",
    .family = Family::view,
    .samples = "expand(A(3, 1), (3, 4)); expand(A(1, 3), (2, -1, 3)); expand(A(), (2, 2))",
    .reference =
        "np.broadcast_to(input, [s if s >= 0 else input.shape[i - len(size)] for i, s in enumerate(size)])") {
  Shape sizes = size;
  const int added = size.rank() - input.rank();
  if (added < 0)
    fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "expand: [{}] has fewer dimensions than the tensor",
                     to_string(size))
        .detail("input", describe(input))
        .raise();
  for (int d = 0; d < size.rank(); ++d) {
    std::int64_t& wanted = sizes[static_cast<std::size_t>(d)];
    const std::int64_t have = d < added ? 1 : input.impl()->sizes[d - added];
    if (wanted == -1 && d >= added) wanted = have;
    if (wanted < 0 || (have != 1 && have != wanted))
      fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "expand: size {} of dimension {} cannot become {}",
                       have, d, wanted)
          .detail("input", describe(input))
          .detail("size", "[" + to_string(size) + "]")
          .hint("only sizes of 1 stretch")
          .raise();
  }
  element_count(sizes);  // throws when nobody can count them
  return apply_view(input, {ViewKind::expand, sizes});
}

PHLOX_OPERATION(Tensor, expand_as, (const Tensor& input, const Tensor& other),
                .doc = "expand() to the shape of `other`.", .family = Family::view,
                .samples = "expand_as(A(3, 1), A(3, 4))",
                .reference = "np.broadcast_to(input, other.shape)") {
  return expand(input, other.shape());
}

PHLOX_OPERATION(Tensor, broadcast_to, (const Tensor& input, const Shape& size),
                .doc = "The tensor stretched to a shape by NumPy's rules, without copying.",
                .family = Family::view,
                .samples = "broadcast_to(A(3, 1), (2, 3, 4)); broadcast_to(A(), (3,))",
                .reference = "np.broadcast_to(input, size)") {
  return expand(input, size);
}

PHLOX_OPERATION(TensorList, broadcast_tensors, (const TensorList& tensors),
                .doc = "All tensors stretched to their common shape.", .family = Family::view,
                .samples = "broadcast_tensors([A(3, 1), A(4)])",
                .reference = "list(np.broadcast_arrays(*tensors))") {
  Shape shape;
  for (const Tensor& tensor : tensors) shape = broadcast_shapes(shape, tensor.shape(), "broadcast_tensors");
  TensorList results;
  for (const Tensor& tensor : tensors) results.push_back(expand(tensor, shape));
  return results;
}

// --- order of dimensions

PHLOX_OPERATION(Tensor, permute, (const Tensor& input, const DimList& dims),
                .doc = "The dimensions in another order.", .family = Family::view,
                .samples = "permute(A(2, 3, 4), (2, 0, 1)); permute(A(2, 3), (-1, 0)); permute(A(), ())",
                .reference = "np.transpose(input, dims)") {
  const Dims order = normalize_dims(dims, input.rank(), "permute", false);
  if (order.rank() != input.rank())
    fail<ShapeError>(ErrorCode::wrong_rank, "permute: {} dimensions are named, the tensor has {}",
                     order.rank(), input.rank())
        .detail("input", describe(input))
        .raise();
  return apply_view(input, {ViewKind::permute, order});
}

PHLOX_OPERATION(Tensor, transpose, (const Tensor& input, std::int64_t dim0, std::int64_t dim1),
                .doc = "Two dimensions exchanged.", .family = Family::view, .alias = "swapaxes swapdims",
                .samples = "transpose(A(2, 3, 4), 0, 2); transpose(A(2, 3), -1, -2)",
                .reference = "np.swapaxes(input, dim0, dim1)") {
  const int first = normalize_dim(dim0, input.rank(), "transpose");
  const int second = normalize_dim(dim1, input.rank(), "transpose");
  ViewAttributes v{ViewKind::permute, {}};
  for (int d = 0; d < input.rank(); ++d) v.a.push_back(d == first ? second : d == second ? first : d);
  return apply_view(input, v);
}

PHLOX_OPERATION(Tensor, transpose_dims, (const Tensor& input, const DimList& axes),
                .doc = "The dimensions in another order, with NumPy's signature: permute().",
                .family = Family::view, .method = false,
                .samples = "transpose_dims(A(2, 3, 4), (2, 0, 1)); transpose_dims(A(2, 3), axes=(-1, 0))",
                .reference = "np.transpose(input, axes)", .overload_of = "transpose") {
  return permute(input, axes);
}

PHLOX_OPERATION(Tensor, t, (const Tensor& input),
                .doc = "The transpose of a matrix; other tensors of up to one dimension stay as they are.",
                .family = Family::view, .samples = "t(A(2, 3)); t(A(4))", .reference = "input.T") {
  if (input.rank() > 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "t: takes at most 2 dimensions, not {}", input.rank())
        .detail("input", describe(input))
        .hint("<input>.mT transposes the last two dimensions")
        .raise();
  return input.rank() < 2 ? apply_view(input, {ViewKind::permute, input.rank() ? IntList{0} : IntList{}})
                          : transpose(input, 0, 1);
}

PHLOX_OPERATION(Tensor, matrix_transpose, (const Tensor& input), .doc = "The last two dimensions exchanged.",
                .family = Family::view, .alias = "mT", .samples = "matrix_transpose(A(2, 3, 4))",
                .reference = "np.swapaxes(input, -1, -2)") {
  return transpose(input, -2, -1);
}

PHLOX_OPERATION(Tensor, movedim, (const Tensor& input, const DimList& source, const DimList& destination),
                .doc = "Moves dimensions to new places; the others keep their order.", .family = Family::view,
                .alias = "moveaxis",
                .samples = "movedim(A(2, 3, 4), 0, -1); movedim(A(2, 3, 4), (0, 1), (2, 0))",
                .reference = "np.moveaxis(input, source, destination)") {
  const Dims from = normalize_dims(source, input.rank(), "movedim", false);
  const Dims to = normalize_dims(destination, input.rank(), "movedim", false);
  if (from.size() != to.size())
    fail<ShapeError>(ErrorCode::sizes_differ, "movedim: {} dimensions go to {} places", from.size(),
                     to.size())
        .raise();
  ViewAttributes v{ViewKind::permute, IntList(static_cast<std::size_t>(input.rank()), -1)};
  for (std::size_t i = 0; i < from.size(); ++i) v.a[static_cast<std::size_t>(to[i])] = from[i];
  std::int64_t next = 0;
  for (std::int64_t& dim : v.a) {
    if (dim >= 0) continue;
    while (from.contains(next)) ++next;
    dim = next++;
  }
  return apply_view(input, v);
}

// --- dimensions of size 1, joined and cut dimensions

PHLOX_OPERATION(Tensor, squeeze, (const Tensor& input, const OptionalDims& dim = {}),
                .doc = "Without dimensions of size 1: all of them, or those named.", .family = Family::view,
                .samples = "squeeze(A(1, 3, 1)); squeeze(A(1, 3, 1), 0); squeeze(A(1, 3, 1), (0, 1))",
                .reference =
                    "np.squeeze(input, None if dim is None else tuple(d for d in np.atleast_1d(dim) if "
                    "input.shape[d] == 1))") {
  const Dims dims = dim ? normalize_dims(*dim, input.rank(), "squeeze", false) : Dims();
  ViewAttributes v{ViewKind::reshape, {}};
  for (int d = 0; d < input.rank(); ++d)
    if (input.impl()->sizes[d] != 1 || (dim && !dims.contains(d))) v.a.push_back(input.impl()->sizes[d]);
  return apply_view(input, v);
}

PHLOX_OPERATION(Tensor, unsqueeze, (const Tensor& input, std::int64_t dim),
                .doc = "With a dimension of size 1 inserted at `dim`.", .family = Family::view,
                .samples = "unsqueeze(A(3, 4), 0); unsqueeze(A(3, 4), -1); unsqueeze(A(), 0)",
                .reference = "np.expand_dims(input, dim)") {
  const int position = normalize_dim(dim, input.rank() + 1, "unsqueeze");
  ViewAttributes v{ViewKind::reshape, input.shape()};
  v.a.insert(static_cast<std::size_t>(position), 1);
  return apply_view(input, v);
}

PHLOX_OPERATION(
    Tensor, flatten, (const Tensor& input, std::int64_t start_dim = 0, std::int64_t end_dim = -1),
    .doc = "Dimensions start_dim to end_dim, both included, joined into one.", .family = Family::view,
    .samples = "flatten(A(2, 3, 4)); flatten(A(2, 3, 4), 1); flatten(A(2, 3, 4), 0, 1); flatten(A())",
    .reference =
        "input.reshape(input.shape[:start_dim] + (-1,) + input.shape[end_dim % max(input.ndim, 1) + 1:])") {
  const int first = normalize_dim(start_dim, input.rank(), "flatten");
  const int last = normalize_dim(end_dim, input.rank(), "flatten");
  if (first > last)
    fail<ShapeError>(ErrorCode::invalid_value, "flatten: start_dim {} comes after end_dim {}", start_dim,
                     end_dim)
        .raise();
  Shape shape;
  std::int64_t joined = 1;
  for (int d = 0; d < input.rank(); ++d) {
    if (d < first || d > last) shape.push_back(input.impl()->sizes[d]);
    else joined *= input.impl()->sizes[d];
    if (d == last) shape.push_back(joined);
  }
  if (input.rank() == 0) shape.push_back(1);
  return reshape(input, shape);
}

PHLOX_OPERATION(Tensor, ravel, (const Tensor& input), .doc = "All elements in one dimension.",
                .family = Family::view, .samples = "ravel(A(2, 3)); ravel(A())",
                .reference = "np.ravel(input)") {
  return reshape(input, {input.numel()});
}

PHLOX_OPERATION(Tensor, unflatten, (const Tensor& input, std::int64_t dim, const Shape& sizes),
                .doc = "One dimension cut into several; one size may be -1.", .family = Family::view,
                .samples = "unflatten(A(2, 12), 1, (3, 4)); unflatten(A(12, 2), 0, (-1, 4))",
                .reference = "input.reshape(input.shape[:dim] + tuple(sizes) + input.shape[dim + 1:])") {
  const int position = normalize_dim(dim, input.rank(), "unflatten");
  const Shape parts = infer_shape(sizes, input.size(position), "unflatten");
  Shape shape;
  for (int d = 0; d < input.rank(); ++d) {
    if (d != position) shape.push_back(input.impl()->sizes[d]);
    else
      for (std::int64_t size : parts) shape.push_back(size);
  }
  return reshape(input, shape);
}

PHLOX_OPERATION(TensorList, atleast_1d_each, (const TensorList& tensors),
                .doc = "atleast_1d() of each tensor of a list.", .family = Family::view, .method = false,
                .samples = "atleast_1d_each([A(), A(2)])", .reference = "list(np.atleast_1d(*tensors))",
                .complex = true, .overload_of = "atleast_1d") {
  TensorList results;
  for (const Tensor& tensor : tensors) results.push_back(atleast_1d(tensor));
  return results;
}

PHLOX_OPERATION(Tensor, atleast_1d, (const Tensor& input), .doc = "With at least one dimension.",
                .family = Family::view, .samples = "atleast_1d(A()); atleast_1d(A(2))",
                .reference = "np.atleast_1d(input)") {
  return input.rank() >= 1 ? input : reshape(input, {1});
}

PHLOX_OPERATION(TensorList, atleast_2d_each, (const TensorList& tensors),
                .doc = "atleast_2d() of each tensor of a list.", .family = Family::view, .method = false,
                .samples = "atleast_2d_each([A(), A(2)])", .reference = "list(np.atleast_2d(*tensors))",
                .complex = true, .overload_of = "atleast_2d") {
  TensorList results;
  for (const Tensor& tensor : tensors) results.push_back(atleast_2d(tensor));
  return results;
}

PHLOX_OPERATION(Tensor, atleast_2d, (const Tensor& input),
                .doc = "With at least two dimensions, new ones in front.", .family = Family::view,
                .samples = "atleast_2d(A()); atleast_2d(A(2))", .reference = "np.atleast_2d(input)") {
  return input.rank() >= 2 ? input : unsqueeze(atleast_1d(input), 0);
}

PHLOX_OPERATION(TensorList, atleast_3d_each, (const TensorList& tensors),
                .doc = "atleast_3d() of each tensor of a list.", .family = Family::view, .method = false,
                .samples = "atleast_3d_each([A(), A(2)])", .reference = "list(np.atleast_3d(*tensors))",
                .complex = true, .overload_of = "atleast_3d") {
  TensorList results;
  for (const Tensor& tensor : tensors) results.push_back(atleast_3d(tensor));
  return results;
}

PHLOX_OPERATION(Tensor, atleast_3d, (const Tensor& input),
                .doc = "With at least three dimensions, as NumPy adds them.", .family = Family::view,
                .samples = "atleast_3d(A()); atleast_3d(A(2)); atleast_3d(A(2, 3))",
                .reference = "np.atleast_3d(input)") {
  return input.rank() >= 3 ? input : unsqueeze(atleast_2d(input), -1);
}

PHLOX_OPERATION(
    Tensor, as_strided,
    (const Tensor& input, const Shape& size, const Shape& stride, OptionalInt storage_offset = {}),
    .doc =
        "A view of the storage with sizes, strides and offset of one's own, counted in elements. Throws "
        "ShapeError where it would reach outside of the storage.",
    .family = Family::view, .example = "as_strided(px.arange(6), (2, 3), (1, 2))") {
  const std::int64_t offset = storage_offset.value_or(input.storage_offset());
  if (size.size() != stride.size())
    fail<ShapeError>(ErrorCode::sizes_differ, "as_strided: {} sizes and {} strides", size.size(),
                     stride.size())
        .raise();
  std::int64_t low = offset, high = offset;
  const std::int64_t count = element_count(size);
  bool overflows = false;
  for (std::size_t d = 0; d < size.size(); ++d) {
    std::int64_t span = 0, &end = stride[d] < 0 ? low : high;
    overflows |= __builtin_mul_overflow(size[d] - 1, stride[d], &span);
    overflows |= __builtin_add_overflow(end, span, &end);
  }
  const auto capacity = static_cast<std::int64_t>(input.impl()->storage->bytes) / element_size(input.dtype());
  if (count > 0 && (overflows || low < 0 || high >= capacity))
    fail<ShapeError>(ErrorCode::not_viewable, "as_strided: elements {} to {} of a storage that holds {}", low,
                     high, capacity)
        .detail("input", describe(input))
        .raise();
  if (needs_gradient(input) && !input.is_contiguous())
    fail<NotSupportedError>(ErrorCode::not_supported, "as_strided: gradients need a contiguous tensor")
        .detail("input", describe(input))
        .hint("<input>.contiguous()")
        .raise();
  const Tensor result = apply_view(input, {ViewKind::strided, size, stride, {}, offset});
  const TensorImpl& part = *input.impl();
  const bool is_within = count == 0 || (low >= part.offset && high < part.offset + input.numel());
  if (is_within || !needs_gradient(input) || !part.is_view || !part.base || part.is_cut_off ||
      active_vmaps > 0)
    return result;
  const Tensor base(Reference<TensorImpl>::share(part.base));
  if (!base.is_contiguous()) return result;
  const ViewAttributes from_base{ViewKind::strided, size, stride, {}, offset - base.storage_offset()};
  set_history(result, Reference<GradientNode>::adopt(new BesideViewNode(input, base, from_base)));
  return result;
}

}  // namespace phlox
