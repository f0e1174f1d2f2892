#include "phlox/ops/primitives/gather.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/sum_to_shape.h"

namespace phlox {
namespace {

void check_integers(const Tensor& index, const char* operation) {
  if (is_integer(index.dtype())) return;
  fail<IndexError>(ErrorCode::bad_index, "{}: indices must be integers, not {}", operation,
                   info(index.dtype()).name)
      .detail("index", describe(index))
      .hint("<index>.to(px.int64)")
      .raise();
}

// Indices as the devices want them: int64, contiguous and from `lowest` to below `bound`.
Tensor checked_indices(const Tensor& index, std::int64_t lowest, std::int64_t bound, int dim,
                       const char* operation) {
  check_integers(index, operation);
  NoGrad no_grad;
  Tensor plain = index.to(DType::int64).contiguous();
  const std::int64_t bad = device_kernels(plain.device()).find_outside(*plain.impl(), lowest, bound);
  if (bad >= 0) {
    Shape at;
    std::int64_t rest = bad;
    for (int d = plain.rank() - 1; d >= 0; --d) {
      at.insert(0, rest % plain.impl()->sizes[d]);
      rest /= plain.impl()->sizes[d];
    }
    auto error = fail<IndexError>(ErrorCode::index_out_of_range,
                                  "{}: position {} is out of range for dimension {} of size {}", operation,
                                  plain.data<std::int64_t>()[bad], dim, bound);
    Description where = describe(index);
    if (plain.rank()) where += " at [" + to_string(at) + "]";
    error.detail("index", where);
    error.hint(bound ? fmt::format("allowed are {} to {}", lowest, bound - 1) : "the dimension is empty")
        .raise();
  }
  return plain;
}

// --- places by several index tensors

IndexPlaces checked_places(const Tensor& data, const IndexPlaces& places, const char* operation) {
  IndexPlaces checked{places.dims, places.position, {}};
  for (std::size_t k = 0; k < places.tensors.size(); ++k) {
    const int dim = static_cast<int>(places.dims[k]);
    if (dim >= data.rank())
      fail<ShapeError>(ErrorCode::wrong_rank, "{}: positions along dimension {} of {}", operation, dim,
                       data.rank())
          .detail("input", describe(data))
          .raise();
    const std::int64_t size = data.impl()->sizes[dim];
    checked.tensors.push_back(checked_indices(places.tensors[k], -size, size, dim, operation));
  }
  return checked;
}

Shape common_shape(const IndexPlaces& places, const char* operation) {
  Shape shape;
  for (const Tensor& tensor : places.tensors) shape = broadcast_shapes(shape, tensor.shape(), operation);
  return shape;
}

// The loop over the shape of the result, without `other`.
IndexedLoop loop_over(const Tensor& data, const IndexPlaces& places, const char* operation, Shape& shape) {
  const TensorImpl& d = *data.impl();
  const Shape common = common_shape(places, operation);
  IndexedLoop loop;
  loop.dtype = d.dtype;
  loop.data = static_cast<char*>(d.address());
  loop.index_count = static_cast<int>(places.tensors.size());
  Strides strides;
  for (int dim = 0; dim < d.rank; ++dim) {
    if (places.dims.contains(dim)) continue;
    shape.push_back(d.sizes[dim]);
    strides.push_back(d.strides[dim]);
  }
  const int begin = places.position;
  for (std::size_t i = 0; i < common.size(); ++i) {
    shape.insert(static_cast<std::size_t>(begin) + i, common[i]);
    strides.insert(static_cast<std::size_t>(begin) + i, 0);
  }
  loop.rank = shape.rank();
  for (int i = 0; i < loop.rank; ++i) {
    loop.sizes[i] = shape[static_cast<std::size_t>(i)];
    loop.count *= loop.sizes[i];
    loop.data_strides[i] = strides[static_cast<std::size_t>(i)];
  }
  for (int k = 0; k < loop.index_count; ++k) {
    const TensorImpl& index = *places.tensors[static_cast<std::size_t>(k)].impl();
    const auto dim = places.dims[static_cast<std::size_t>(k)];
    IndexedLoop::Index& to = loop.indices[k];
    to.values = static_cast<const std::int64_t*>(index.address());
    to.bound = d.sizes[dim];
    to.step = d.strides[dim];
    std::fill_n(to.strides, loop.rank, 0);
    const int first = begin + common.rank() - index.rank;
    for (int i = 0; i < index.rank; ++i) to.strides[first + i] = index.sizes[i] == 1 ? 0 : index.strides[i];
  }
  return loop;
}

void set_other(IndexedLoop& loop, const Tensor& other) {
  loop.other = static_cast<char*>(other.impl()->address());
  for (int d = 0; d < loop.rank; ++d) loop.other_strides[d] = other.impl()->strides[d];
}

struct IndexAttributes {
  Dims dims;
  int position = 0;
  ScatterMode mode = ScatterMode::assign;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dims", dims), v("position", position), v("mode", mode);
  }
};

// Indices in the form that the primitives keep for their gradients, for an interpreter to know them.
Tensor plain_index(const Tensor& index) { return index.to(DType::int64).contiguous(); }
TensorList plain_indices(const TensorList& indices, const char* operation) {
  TensorList plain;
  for (const Tensor& index : indices) {
    check_integers(index, operation);
    plain.push_back(plain_index(index));
  }
  return plain;
}

std::vector<Operand> operands_of(std::initializer_list<const Tensor*> first, const TensorList& rest) {
  std::vector<Operand> operands;
  for (const Tensor* tensor : first) operands.emplace_back(*tensor);
  for (const Tensor& tensor : rest) operands.emplace_back(tensor);
  return operands;
}

IndexPlaces places_from(std::span<const Operand> tensors, const IndexAttributes& a) {
  IndexPlaces places{a.dims, a.position, {}};
  for (const Operand& tensor : tensors) places.tensors.push_back(tensor.tensor());
  return places;
}

TensorList evaluate_index(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const IndexAttributes*>(attributes);
  return {apply_index(inputs[0].tensor(), places_from(inputs.subspan(1), a))};
}
PHLOX_PRIMITIVE(index, 25, evaluate_index, IndexAttributes);
// Inputs from `first` on are indices into the data.
void check_places(const PrimitiveCall& call, std::size_t first) {
  const Tensor& data = call.tensor(0);
  const auto& a = call.attributes<IndexAttributes>();
  call.require(call.count() == first + a.dims.size() && !a.dims.empty(), "{} dimensions for {} inputs",
               a.dims.size(), call.count());
  call.require_dims("dims", a.dims, data);
  call.require(std::is_sorted(a.dims.begin(), a.dims.end()), "dims do not ascend");
  Shape shape;
  for (std::size_t i = first; i < call.count(); ++i) {
    check_integers(call.tensor(i), "index");
    shape = broadcast_shapes(shape, call.tensor(i).shape(), "index");
  }
  for (int d = 0; d < data.rank(); ++d)
    if (!a.dims.contains(d)) shape.push_back(data.size(d));
  call.require_sizes("the result", shape);
  call.require(a.position >= 0 && a.position <= data.rank() - a.dims.rank(), "position is {}", a.position);
}

void check_index(const PrimitiveCall& call) { check_places(call, 1); }
PHLOX_PRIMITIVE_RULE(index, check_index);

TensorList evaluate_index_put(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const IndexAttributes*>(attributes);
  return {apply_index_put(inputs[0].tensor(), places_from(inputs.subspan(2), a), inputs[1].tensor(), a.mode)};
}
PHLOX_PRIMITIVE(index_put, 26, evaluate_index_put, IndexAttributes);
void check_index_put(const PrimitiveCall& call) {
  check_places(call, 2);
  call.require_computable(call.tensor(0).dtype());
  call.require_computable(call.tensor(1).dtype());
}
PHLOX_PRIMITIVE_RULE(index_put, check_index_put);

// The places of all samples in data that have the batch dimension. `indices` are inputs of the call from `first` on.
// `position` becomes that of the batch dimension in the result.
IndexPlaces places_behind_batch(const BatchedCall& call, const IndexAttributes& a, std::size_t first,
                                int& position) {
  IndexPlaces places{behind_batch(a.dims), a.position + 1, {}};
  position = 0;
  int rank = 0;
  bool differ = false;
  for (std::size_t i = first; i < call.inputs().size(); ++i) {
    rank = std::max(rank, call.rank(i));
    differ = differ || call.is_batched(i);
    places.tensors.push_back(call.tensor(i));
  }
  if (!differ) return places;
  // Each sample has places of its own: the batch dimension is indexed too, by the numbers of the samples.
  for (std::size_t k = 0; k < places.tensors.size(); ++k)
    if (call.is_batched(first + k)) places.tensors[k] = with_sample_rank(places.tensors[k], rank);
  const Tensor samples = arange(call.batch(), {}, 1, DType::int64, call.tensor(0).device());
  places.tensors.insert(places.tensors.begin(), with_sample_rank(samples, rank));
  places.dims.insert(0, 0);
  places.position = position = a.position;
  return places;
}

TensorList batch_index(const BatchedCall& call) {
  const auto& a = call.attributes_as<IndexAttributes>();
  if (call.is_batched(0)) {
    int position = 0;
    const IndexPlaces places = places_behind_batch(call, a, 1, position);
    return {movedim(apply_index(call.tensor(0), places), DimList(position), DimList(0))};
  }
  // Data that samples share: the places of all samples at once.
  int rank = 0;
  for (std::size_t i = 1; i < call.inputs().size(); ++i) rank = std::max(rank, call.rank(i));
  IndexPlaces places{a.dims, a.position, {}};
  for (std::size_t i = 1; i < call.inputs().size(); ++i)
    places.tensors.push_back(call.is_batched(i) ? with_sample_rank(call.tensor(i), rank) : call.tensor(i));
  return {movedim(apply_index(call.tensor(0), places), DimList(a.position), DimList(0))};
}
PHLOX_BATCHING_RULE(index, batch_index);

TensorList batch_index_put(const BatchedCall& call) {
  const auto& a = call.attributes_as<IndexAttributes>();
  const Tensor data = call.batched(0);
  int position = 0, rank = 0;
  for (std::size_t i = 2; i < call.inputs().size(); ++i) rank = std::max(rank, call.rank(i));
  const IndexPlaces places = places_behind_batch(call, a, 2, position);
  Tensor values = call.tensor(1);
  if (call.is_batched(1)) {
    values = with_sample_rank(values, call.rank(0) - a.dims.rank() + rank);
    values = movedim(values, DimList(0), DimList(position));
  } else if (position > 0) {
    values = movedim(with_sample_rank(call.batched(1), call.rank(0) - a.dims.rank() + rank), DimList(0),
                     DimList(position));
  }
  return {apply_index_put(data, places, values, a.mode)};
}
PHLOX_BATCHING_RULE(index_put, batch_index_put);

// Index tensors that a gradient needs. They are copies of its own unless the user's were int64 and
// contiguous.
class SavedPlaces {
 public:
  SavedPlaces(const IndexPlaces& places, const GradientNode* owner)
      : dims_(places.dims), position_(places.position) {
    for (const Tensor& tensor : places.tensors) tensors_.emplace_back(tensor, owner);
  }
  IndexPlaces get(GradientNode& owner) const {
    IndexPlaces places{dims_, position_, {}};
    for (const SavedTensor& tensor : tensors_) places.tensors.push_back(tensor.get(owner));
    return places;
  }
  void release() {
    for (SavedTensor& tensor : tensors_) tensor.release();
  }
  bool released() const { return !tensors_.empty() && tensors_[0].released(); }

 private:
  Dims dims_;
  int position_;
  std::vector<SavedTensor> tensors_;
};

Tensor zeros_for(const Tensor& gradient, const Shape& shape) {
  return zeros(shape, gradient.dtype(), gradient.device());
}

class IndexNode final : public GradientNode {
 public:
  IndexNode(const Tensor& data, const IndexPlaces& places)
      : GradientNode("index", 1), shape_(data.shape()), places_(places, this) {
    edges()[0] = gradient_edge(data);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (gradient.defined())
      input_gradients[0] =
          apply_index_put(zeros_for(gradient, shape_), places_.get(*this), gradient, ScatterMode::add);
  }
  void release_saved() override { places_.release(); }
  bool released() const override { return places_.released(); }

 private:
  Shape shape_;
  SavedPlaces places_;
};

[[noreturn]] void throw_no_gradient(const char* operation) {
  fail<NotSupportedError>(ErrorCode::not_supported, "{}: this way of combining values has no gradient",
                          operation)
      .hint("scatter_reduce() has gradients for all of its reductions")
      .raise();
}

class IndexPutNode final : public GradientNode {
 public:
  IndexPutNode(const Tensor& data, const IndexPlaces& places, const Tensor& values, ScatterMode mode)
      : GradientNode("index_put", 2),
        places_(places, this),
        values_shape_(values.shape()),
        values_dtype_(values.dtype()),
        mode_(mode) {
    edges()[0] = gradient_edge(data);
    edges()[1] = gradient_edge(values);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    const IndexPlaces places = places_.get(*this);
    if (wants(0))
      input_gradients[0] =
          mode_ == ScatterMode::add
              ? gradient
              : apply_index_put(gradient, places, zeros_for(gradient, {}), ScatterMode::assign);
    if (wants(1))
      input_gradients[1] = sum_to_shape(apply_index(gradient, places), values_shape_).to(values_dtype_);
  }
  void release_saved() override { places_.release(); }
  bool released() const override { return places_.released(); }

 private:
  SavedPlaces places_;
  Shape values_shape_;
  DType values_dtype_;
  ScatterMode mode_;
};

// The sum of halves is formed in float.
bool sums_halves(DType dtype, ScatterMode mode) {
  return mode == ScatterMode::add && (dtype == DType::float16 || dtype == DType::bfloat16);
}

void check_mode(DType dtype, ScatterMode mode, const char* operation) {
  if (is_complex(dtype) && (mode == ScatterMode::minimum || mode == ScatterMode::maximum))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: complex numbers have no order", operation).raise();
}

}  // namespace

Tensor apply_index(const Tensor& data, const IndexPlaces& places, const char* operation) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const IndexAttributes attributes{places.dims, places.position, ScatterMode::assign};
    const TensorList indices = plain_indices(places.tensors, operation);
    return interpret(index_primitive, operands_of({&data}, indices), &attributes)[0];
  }
  const IndexPlaces checked = checked_places(data, places, operation);
  Shape shape;
  IndexedLoop loop = loop_over(data, checked, operation, shape);
  Tensor result = make_tensor(shape, data.dtype(), data.device());
  set_other(loop, result);
  device_kernels(data.device()).gather(loop);
  if (needs_gradient(data)) set_history(result, Reference<GradientNode>::adopt(new IndexNode(data, checked)));
  return result;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  bool fits = from.rank() <= to.rank();
  for (int d = 1; fits && d <= from.rank(); ++d) {
    const std::int64_t size = from[static_cast<std::size_t>(from.rank() - d)];
    fits = size == 1 || size == to[static_cast<std::size_t>(to.rank() - d)];
  }
  return fits;
}

void index_put_data(const Tensor& target, const IndexPlaces& places, const Tensor& values, ScatterMode mode,
                    const char* operation) {
  check_mode(target.dtype(), mode, operation);
  const RecordedByNode scope(needs_gradient(target) || needs_gradient(values));
  if (thread_mode.interpreter_count) [[unlikely]]
    return copy_data(apply_index_put(target, places, values, mode, operation), target);
  if (sums_halves(target.dtype(), mode)) {
    const Tensor wide = target.to(DType::float32);
    index_put_data(wide, places, values.to(DType::float32), mode, operation);
    copy_data(wide, target);
    return;
  }
  const IndexPlaces checked = checked_places(target, places, operation);
  Shape shape;
  IndexedLoop loop = loop_over(target, checked, operation, shape);
  Tensor source = values.detach().to(target.dtype());
  if (source.shape() != shape) {
    if (!broadcasts_to(source.shape(), shape))
      fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "{}: values of [{}] do not fit the places [{}]",
                       operation, to_string(values.shape()), to_string(shape))
          .detail("input", describe(target))
          .detail("values", describe(values))
          .raise();
    source = broadcast_to(source, shape);
  }
  if (source.shares_storage_with(target)) source = source.clone();
  set_other(loop, source);
  device_kernels(target.device()).scatter(loop, mode);
}

Tensor apply_index_put(const Tensor& data, const IndexPlaces& places, const Tensor& values, ScatterMode mode,
                       const char* operation) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const IndexAttributes attributes{places.dims, places.position, mode};
    const TensorList indices = plain_indices(places.tensors, operation);
    return interpret(index_put_primitive, operands_of({&data, &values}, indices), &attributes)[0];
  }
  const Tensor result = data.detach().clone();
  index_put_data(result, places, values, mode, operation);
  if (needs_gradient(data) || needs_gradient(values)) {
    if (mode != ScatterMode::assign && mode != ScatterMode::add) throw_no_gradient(operation);
    set_history(result, Reference<GradientNode>::adopt(new IndexPutNode(data, places, values, mode)));
  }
  return result;
}

// --- places along one dimension

namespace {

struct GatherAttributes {
  int dim = 0;
  ScatterMode mode = ScatterMode::assign;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim), v("mode", mode);
  }
};

TensorList evaluate_gather(std::span<const Operand> inputs, const void* attributes) {
  return {apply_gather(inputs[0].tensor(), static_cast<const GatherAttributes*>(attributes)->dim,
                       inputs[1].tensor())};
}
PHLOX_PRIMITIVE(gather, 27, evaluate_gather, GatherAttributes);
void check_gather(const PrimitiveCall& call) {
  call.takes(2);
  call.require_dim("dim", call.attributes<GatherAttributes>().dim, call.tensor(0));
  check_integers(call.tensor(1), "gather");
}
PHLOX_PRIMITIVE_RULE(gather, check_gather);

TensorList evaluate_scatter(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const GatherAttributes*>(attributes);
  return {apply_scatter(inputs[0].tensor(), a.dim, inputs[1].tensor(), inputs[2].tensor(), a.mode)};
}
PHLOX_PRIMITIVE(scatter, 28, evaluate_scatter, GatherAttributes);
void check_scatter(const PrimitiveCall& call) {
  call.takes(3);
  call.require_dim("dim", call.attributes<GatherAttributes>().dim, call.tensor(0));
  check_integers(call.tensor(1), "scatter");
  call.require_computable(call.tensor(0).dtype());
  call.require_computable(call.tensor(2).dtype());
}
PHLOX_PRIMITIVE_RULE(scatter, check_scatter);

// One element is a row of one.
Tensor batch_of_rows(const BatchedCall& call, std::size_t input) {
  return with_sample_rank(call.batched(input), 1);
}

TensorList batch_gather(const BatchedCall& call) {
  const int dim = call.attributes_as<GatherAttributes>().dim + 1;
  const Tensor result = apply_gather(batch_of_rows(call, 0), dim, batch_of_rows(call, 1));
  return {call.rank(1) == 0 ? squeeze(result, 1) : result};
}
PHLOX_BATCHING_RULE(gather, batch_gather);

TensorList batch_scatter(const BatchedCall& call) {
  const auto& a = call.attributes_as<GatherAttributes>();
  const Tensor result = apply_scatter(batch_of_rows(call, 0), a.dim + 1, batch_of_rows(call, 1),
                                      batch_of_rows(call, 2), a.mode);
  return {call.rank(0) == 0 ? squeeze(result, 1) : result};
}
PHLOX_BATCHING_RULE(scatter, batch_scatter);

class GatherNode final : public GradientNode {
 public:
  GatherNode(const Tensor& data, int dim, const Tensor& index)
      : GradientNode("gather", 1), shape_(data.shape()), dim_(dim), index_(index, this) {
    edges()[0] = gradient_edge(data);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (gradient.defined())
      input_gradients[0] =
          apply_scatter(zeros_for(gradient, shape_), dim_, index_.get(*this), gradient, ScatterMode::add);
  }
  void release_saved() override { index_.release(); }
  bool released() const override { return index_.released(); }

 private:
  Shape shape_;
  int dim_;
  SavedTensor index_;
};

class ScatterNode final : public GradientNode {
 public:
  ScatterNode(const Tensor& data, int dim, const Tensor& index, const Tensor& values, ScatterMode mode)
      : GradientNode("scatter", 2),
        dim_(dim),
        index_(index, this),
        values_shape_(values.shape()),
        values_dtype_(values.dtype()),
        mode_(mode) {
    edges()[0] = gradient_edge(data);
    edges()[1] = gradient_edge(values);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    const Tensor index = index_.get(*this);
    if (wants(0))
      input_gradients[0] =
          mode_ == ScatterMode::add
              ? gradient
              : apply_scatter(gradient, dim_, index, zeros_for(gradient, index.shape()), ScatterMode::assign);
    if (!wants(1)) return;
    Tensor part = apply_gather(gradient, dim_, index);
    if (part.shape() != values_shape_) {  // values beyond the index were not used
      Integers counts;
      for (int d = part.rank() - 1; d >= 0; --d) {
        counts.push_back(0);
        counts.push_back(values_shape_[static_cast<std::size_t>(d)] - part.size(d));
      }
      part = pad(part, counts);
    }
    input_gradients[1] = part.to(values_dtype_);
  }
  void release_saved() override { index_.release(); }
  bool released() const override { return index_.released(); }

 private:
  int dim_;
  SavedTensor index_;
  Shape values_shape_;
  DType values_dtype_;
  ScatterMode mode_;
};

void check_ranks(const Tensor& data, int dim, const Tensor& index, bool bounded, const char* operation) {
  bool fits = data.rank() == index.rank() || (data.rank() <= 1 && index.rank() <= 1);
  for (int d = 0; d < data.rank() && fits && data.rank() == index.rank(); ++d)
    fits = (d == dim && !bounded) || index.impl()->sizes[d] <= data.impl()->sizes[d];
  if (bounded && data.rank() != index.rank()) fits = fits && index.numel() <= data.numel();
  if (fits) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: the index does not fit the tensor outside of dimension {}",
                   operation, dim)
      .detail(bounded ? "src" : "input", describe(data))
      .detail("index", describe(index))
      .hint("both have the same number of dimensions, and the index is nowhere larger")
      .raise();
}

// The loop over the elements of the index, without `other`.
IndexedLoop loop_along(const Tensor& data, int dim, const Tensor& index) {
  const TensorImpl &d = *data.impl(), &i = *index.impl();
  IndexedLoop loop;
  loop.dtype = d.dtype;
  loop.data = static_cast<char*>(d.address());
  loop.rank = i.rank;
  loop.index_count = 1;
  IndexedLoop::Index& to = loop.indices[0];
  to.values = static_cast<const std::int64_t*>(i.address());
  to.bound = d.rank ? d.sizes[dim] : 1;
  to.step = d.rank ? d.strides[dim] : 0;
  for (int e = 0; e < i.rank; ++e) {
    loop.sizes[e] = i.sizes[e];
    loop.count *= i.sizes[e];
    loop.data_strides[e] = e == dim || d.rank == 0 ? 0 : d.strides[e];
    to.strides[e] = i.strides[e];
  }
  return loop;
}

}  // namespace

Tensor apply_gather(const Tensor& data, int dim, const Tensor& index, const char* operation) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    check_integers(index, operation);
    const Tensor plain = plain_index(index);
    const Operand operands[] = {data, plain};
    const GatherAttributes attributes{dim, ScatterMode::assign};
    return interpret(gather_primitive, operands, &attributes)[0];
  }
  check_ranks(data, dim, index, false, operation);
  const Tensor checked = checked_indices(index, 0, data.rank() ? data.impl()->sizes[dim] : 1, dim, operation);
  IndexedLoop loop = loop_along(data, dim, checked);
  Tensor result = make_tensor(index.shape(), data.dtype(), data.device());
  set_other(loop, result);
  device_kernels(data.device()).gather(loop);
  if (needs_gradient(data))
    set_history(result, Reference<GradientNode>::adopt(new GatherNode(data, dim, checked)));
  return result;
}

void scatter_data(const Tensor& target, int dim, const Tensor& index, const Tensor& values, ScatterMode mode,
                  const char* operation) {
  check_mode(target.dtype(), mode, operation);
  NoGrad no_grad;
  if (thread_mode.interpreter_count) [[unlikely]]
    return copy_data(apply_scatter(target, dim, index, values, mode, operation), target);
  if (sums_halves(target.dtype(), mode)) {
    const Tensor wide = target.to(DType::float32);
    scatter_data(wide, dim, index, values.to(DType::float32), mode, operation);
    copy_data(wide, target);
    return;
  }
  check_ranks(target, dim, index, false, operation);
  check_ranks(values, dim, index, true, operation);
  const Tensor checked =
      checked_indices(index, 0, target.rank() ? target.impl()->sizes[dim] : 1, dim, operation);
  IndexedLoop loop = loop_along(target, dim, checked);
  Tensor source = values.detach().to(target.dtype());
  if (source.shares_storage_with(target)) source = source.clone();
  if (source.rank() < loop.rank) source = reshape(source, {1});
  set_other(loop, source);
  device_kernels(target.device()).scatter(loop, mode);
}

Tensor apply_scatter(const Tensor& data, int dim, const Tensor& index, const Tensor& values, ScatterMode mode,
                     const char* operation) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    check_integers(index, operation);
    const Tensor plain = plain_index(index);
    const Operand operands[] = {data, plain, values};
    const GatherAttributes attributes{dim, mode};
    return interpret(scatter_primitive, operands, &attributes)[0];
  }
  const Tensor result = data.detach().clone();
  scatter_data(result, dim, index, values, mode, operation);
  if (needs_gradient(data) || needs_gradient(values)) {
    const Tensor plain = index.to(DType::int64);
    const bool is_linear = mode == ScatterMode::assign || mode == ScatterMode::add;
    set_history(result, is_linear
                            ? Reference<GradientNode>::adopt(new ScatterNode(data, dim, plain, values, mode))
                            : scatter_reduction_node(data, dim, plain, values, result, mode));
  }
  return result;
}

// --- nonzero

namespace {
TensorList evaluate_nonzero(std::span<const Operand> inputs, const void*) {
  return {apply_nonzero(inputs[0].tensor())};
}
PHLOX_PRIMITIVE(nonzero, 29, evaluate_nonzero, NoAttributes);
void check_nonzero(const PrimitiveCall& call) {
  call.takes(1);
  call.require_computable(call.tensor(0).dtype());
}
PHLOX_PRIMITIVE_RULE(nonzero, check_nonzero);
}  // namespace

Tensor apply_nonzero(const Tensor& input) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return interpret(nonzero_primitive, {&operand, 1}, nullptr)[0];
  }
  NoGrad no_grad;
  const Tensor mask = input.detach().to(DType::bool_).contiguous();
  const DeviceKernels& kernels = device_kernels(input.device());
  Tensor result =
      make_tensor({kernels.count_nonzero(*mask.impl()), mask.rank()}, DType::int64, input.device());
  kernels.nonzero(*mask.impl(), *result.impl());
  return result;
}

}  // namespace phlox
