#include "phlox/ops/primitives/pooling.h"

#include <algorithm>
#include <limits>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

PoolGeometry::Window PoolGeometry::window(int dim, std::int64_t position, std::int64_t size) const {
  if (adaptive) {
    const std::int64_t first = position * size / output[dim];
    const std::int64_t last = ((position + 1) * size + output[dim] - 1) / output[dim];
    return {first, last, 1, last - first};
  }
  const std::int64_t step = dilation.empty() ? 1 : dilation[dim];
  std::int64_t first = position * stride[dim] - padding[dim];
  const std::int64_t end = first + (kernel[dim] - 1) * step + 1;
  const std::int64_t padded = std::min(end, size + padding[dim]) - first;
  const std::int64_t last = std::min(end, size);
  if (first < 0) first += (-first + step - 1) / step * step;
  return {first, last, step, count_padding ? padded : last - first};
}

namespace {

Shape spatial_sizes(const Tensor& t) {
  return Shape(std::span<const std::int64_t>(t.impl()->sizes + 2, t.rank() - 2));
}

Shape with_spatial(const Tensor& like, const Shape& spatial) {
  Shape shape{like.size(0), like.size(1)};
  for (std::int64_t size : spatial) shape.push_back(size);
  return shape;
}

// Spatial sizes of the result, where that is the input of the pooling.
struct SizeAttributes {
  Shape spatial;
  template <class Visitor>
  void visit(Visitor& v) {
    v("spatial", spatial);
  }
};
struct SpreadAttributes {
  Shape spatial;
  PoolGeometry geometry;
  template <class Visitor>
  void visit(Visitor& v) {
    v("spatial", spatial), geometry.visit(v);
  }
};

// --- maximum: selection of elements, scatter and gather are each other's gradients

Tensor scatter_pooled(const Tensor& values, const Tensor& indices, const Shape& spatial);
Tensor gather_pooled(const Tensor& values, const Tensor& indices);

class MaxPoolNode final : public GradientNode {
 public:
  MaxPoolNode(const char* name, MaxPoolTask task, const Tensor& input, int outputs)
      : GradientNode(name, 1, outputs), task_(task), spatial_(spatial_sizes(input)) {
    edges()[0] = gradient_edge(input);
  }
  void save(const Tensor& indices) { indices_ = SavedTensor(indices, this); }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor indices = indices_.get(*this);
    input_gradients[0] = task_ == MaxPoolTask::scatter
                             ? gather_pooled(output_gradients[0], indices)
                             : scatter_pooled(output_gradients[0], indices, spatial_);
  }
  void release_saved() override { indices_.release(); }
  bool released() const override { return indices_.released(); }

 private:
  MaxPoolTask task_;
  Shape spatial_;
  SavedTensor indices_;
};

void record(const char* name, MaxPoolTask task, const Tensor& input, const Tensor& result,
            const Tensor& indices, int outputs) {
  if (!needs_gradient(input)) return;
  auto* node = new MaxPoolNode(name, task, input, outputs);
  set_history(result, Reference<GradientNode>::adopt(node));
  node->save(indices);
}

TensorList evaluate_max_pool(std::span<const Operand> inputs, const void* attributes) {
  auto [values, indices] = max_pool(inputs[0].tensor(), *static_cast<const PoolGeometry*>(attributes));
  return {values, indices};
}
TensorList evaluate_scatter(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SizeAttributes*>(attributes);
  return {scatter_pooled(inputs[0].tensor(), inputs[1].tensor(), a.spatial)};
}
TensorList evaluate_gather(std::span<const Operand> inputs, const void*) {
  return {gather_pooled(inputs[0].tensor(), inputs[1].tensor())};
}
PHLOX_PRIMITIVE(max_pool, 44, evaluate_max_pool, PoolGeometry);
PHLOX_PRIMITIVE(max_pool_scatter, 45, evaluate_scatter, SizeAttributes);
PHLOX_PRIMITIVE(max_pool_gather, 46, evaluate_gather, NoAttributes);
constexpr std::int64_t largest_size = std::numeric_limits<std::int32_t>::max();  // positions are int32

int check_images(const PrimitiveCall& call, const Tensor& images) {
  call.require(images.rank() >= 3 && images.rank() <= 5, "the input has {} dimensions, not 3 to 5",
               images.rank());
  call.require_real("the input", images);
  call.require(images.dtype() != DType::bool_, "the input is bool");
  return images.rank() - 2;
}

void require_spatial(const PrimitiveCall& call, const char* name, const IntList& sizes, int dims,
                     std::int64_t least) {
  call.require(sizes.rank() == dims, "{} has {} numbers, not {}", name, sizes.rank(), dims);
  call.require_sizes(name, sizes);
  for (std::int64_t size : sizes)
    call.require(size >= least && size <= largest_size, "{} holds {}", name, size);
}

// Windows over images of these spatial sizes.
void check_windows(const PrimitiveCall& call, const PoolGeometry& g, const Shape& spatial) {
  const int dims = spatial.rank();
  require_spatial(call, "the input", spatial, dims, 0);
  require_spatial(call, "output", g.output, dims, 0);
  if (g.adaptive) return;
  require_spatial(call, "kernel", g.kernel, dims, 1);
  require_spatial(call, "stride", g.stride, dims, 1);
  require_spatial(call, "padding", g.padding, dims, 0);
  if (!g.dilation.empty()) require_spatial(call, "dilation", g.dilation, dims, 1);
}

void check_max_pool(const PrimitiveCall& call) {
  call.takes(1);
  check_images(call, call.tensor(0));
  check_windows(call, call.attributes<PoolGeometry>(), spatial_sizes(call.tensor(0)));
}
PHLOX_PRIMITIVE_RULE(max_pool, check_max_pool);

void check_max_pool_scatter(const PrimitiveCall& call) {
  call.takes(2);
  const Tensor &values = call.tensor(0), &indices = call.tensor(1);
  require_spatial(call, "spatial", call.attributes<SizeAttributes>().spatial, check_images(call, values), 0);
  call.require_shape("indices", indices, values.shape());
  call.require_dtype("indices", indices, DType::int32);
}
PHLOX_PRIMITIVE_RULE(max_pool_scatter, check_max_pool_scatter);

void check_max_pool_gather(const PrimitiveCall& call) {
  call.takes(2);
  const Tensor &values = call.tensor(0), &indices = call.tensor(1);
  check_images(call, values);
  call.require(indices.rank() == values.rank() && indices.size(0) == values.size(0) &&
                   indices.size(1) == values.size(1),
               "indices are of other images");
  call.require_dtype("indices", indices, DType::int32);
}
PHLOX_PRIMITIVE_RULE(max_pool_gather, check_max_pool_gather);

// Samples are more images.
template <auto evaluate>
TensorList batch_images(const BatchedCall& call) {
  TensorList folded;
  for (std::size_t i = 0; i < call.inputs().size(); ++i) folded.push_back(fold_batch(call.batched(i)));
  const std::vector<Operand> operands(folded.begin(), folded.end());
  TensorList results = evaluate(operands, call.attributes());
  for (Tensor& result : results) result = unfold_batch(result, call.batch());
  return results;
}
PHLOX_BATCHING_RULE(max_pool, batch_images<evaluate_max_pool>);
PHLOX_BATCHING_RULE(max_pool_scatter, batch_images<evaluate_scatter>);
PHLOX_BATCHING_RULE(max_pool_gather, batch_images<evaluate_gather>);

Tensor scatter_pooled(const Tensor& values, const Tensor& indices, const Shape& spatial) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {values, indices};
    const SizeAttributes attributes{spatial};
    return interpret(max_pool_scatter_primitive, inputs, &attributes)[0];
  }
  const Tensor result = make_tensor_like(indices, with_spatial(values, spatial), values.dtype());
  device_kernels(values.device())
      .max_pool({MaxPoolTask::scatter, result.impl(), values.impl(), indices.impl(), nullptr});
  record("max_pool_scatter", MaxPoolTask::scatter, values, result, indices, 1);
  return result;
}

Tensor gather_pooled(const Tensor& values, const Tensor& indices) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {values, indices};
    return interpret(max_pool_gather_primitive, inputs, nullptr)[0];
  }
  const Tensor result = make_tensor_like(indices, indices.shape(), values.dtype());
  device_kernels(values.device())
      .max_pool({MaxPoolTask::gather, values.impl(), result.impl(), indices.impl(), nullptr});
  record("max_pool_gather", MaxPoolTask::gather, values, result, indices, 1);
  return result;
}

// --- mean: a linear map and its transpose

Tensor spread_pooled(const Tensor& values, const Shape& spatial, const PoolGeometry& geometry);

class AveragePoolNode final : public GradientNode {
 public:
  AveragePoolNode(bool transposed, const Tensor& input, const PoolGeometry& geometry)
      : GradientNode(transposed ? "average_pool_transpose" : "average_pool", 1),
        transposed_(transposed),
        spatial_(spatial_sizes(input)),
        geometry_(geometry) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    input_gradients[0] = transposed_ ? average_pool(output_gradients[0], geometry_)
                                     : spread_pooled(output_gradients[0], spatial_, geometry_);
  }
  void release_saved() override {}

 private:
  bool transposed_;
  Shape spatial_;
  PoolGeometry geometry_;
};

TensorList evaluate_average(std::span<const Operand> inputs, const void* attributes) {
  return {average_pool(inputs[0].tensor(), *static_cast<const PoolGeometry*>(attributes))};
}
TensorList evaluate_spread(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SpreadAttributes*>(attributes);
  return {spread_pooled(inputs[0].tensor(), a.spatial, a.geometry)};
}
PHLOX_PRIMITIVE(average_pool, 47, evaluate_average, PoolGeometry);
PHLOX_PRIMITIVE(average_pool_transpose, 48, evaluate_spread, SpreadAttributes);
void check_average_pool(const PrimitiveCall& call) {
  call.takes(1);
  check_images(call, call.tensor(0));
  call.require_floating("the input", call.tensor(0));
  check_windows(call, call.attributes<PoolGeometry>(), spatial_sizes(call.tensor(0)));
}
PHLOX_PRIMITIVE_RULE(average_pool, check_average_pool);

void check_average_pool_transpose(const PrimitiveCall& call) {
  call.takes(1);
  const auto& a = call.attributes<SpreadAttributes>();
  const int dims = check_images(call, call.tensor(0));
  call.require_floating("the input", call.tensor(0));
  require_spatial(call, "spatial", a.spatial, dims, 0);
  check_windows(call, a.geometry, a.spatial);
  call.require(spatial_sizes(call.tensor(0)) == a.geometry.output, "the input is not what pooling gives");
}
PHLOX_PRIMITIVE_RULE(average_pool_transpose, check_average_pool_transpose);
PHLOX_BATCHING_RULE(average_pool, batch_images<evaluate_average>);
PHLOX_BATCHING_RULE(average_pool_transpose, batch_images<evaluate_spread>);

Tensor spread_pooled(const Tensor& values, const Shape& spatial, const PoolGeometry& geometry) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {values};
    const SpreadAttributes attributes{spatial, geometry};
    return interpret(average_pool_transpose_primitive, inputs, &attributes)[0];
  }
  const Tensor result = make_tensor_like(values, with_spatial(values, spatial), values.dtype());
  device_kernels(values.device()).average_pool({true, result.impl(), values.impl(), &geometry});
  if (needs_gradient(values))
    set_history(result, Reference<GradientNode>::adopt(new AveragePoolNode(true, values, geometry)));
  return result;
}

}  // namespace

TensorPair max_pool(const Tensor& input, const PoolGeometry& geometry) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {input};
    TensorList results = interpret(max_pool_primitive, inputs, &geometry);
    return {results[0], results[1]};
  }
  const Shape shape = with_spatial(input, geometry.output);
  const Tensor values = make_tensor_like(input, shape, input.dtype());
  const Tensor indices = make_tensor_like(values, shape, DType::int32);
  device_kernels(input.device())
      .max_pool({MaxPoolTask::select, input.impl(), values.impl(), indices.impl(), &geometry});
  record("max_pool", MaxPoolTask::select, input, values, indices, 2);
  return {values, indices};
}

Tensor average_pool(const Tensor& input, const PoolGeometry& geometry) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {input};
    return interpret(average_pool_primitive, inputs, &geometry)[0];
  }
  const Tensor result = make_tensor_like(input, with_spatial(input, geometry.output), input.dtype());
  device_kernels(input.device()).average_pool({false, input.impl(), result.impl(), &geometry});
  if (needs_gradient(input))
    set_history(result, Reference<GradientNode>::adopt(new AveragePoolNode(false, input, geometry)));
  return result;
}

}  // namespace phlox
