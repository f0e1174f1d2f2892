#include "phlox/ops/primitives/convolution.h"

#include <limits>
#include <utility>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

// Computes one of input, weight and output from the other two. `lost` are the spatial sizes of the result that the
// other two do not determine.
Tensor compute(ConvolutionPart result, const Tensor& first, const Tensor& second, const OptionalTensor& bias,
               const Shape& lost, const ConvolutionGeometry& geometry);

const char* name_of(ConvolutionPart part) {
  switch (part) {
    case ConvolutionPart::output: return "convolution";
    case ConvolutionPart::input: return "convolution_data_gradient";
    default: return "convolution_weight_gradient";
  }
}

Shape spatial_sizes(const Tensor& t) {
  return Shape(std::span<const std::int64_t>(t.impl()->sizes + 2, t.rank() - 2));
}

// The operands of each map, in order: output(input, weight), input(output, weight), weight(output, input).
std::pair<ConvolutionPart, ConvolutionPart> operands_of(ConvolutionPart result) {
  switch (result) {
    case ConvolutionPart::output: return {ConvolutionPart::input, ConvolutionPart::weight};
    case ConvolutionPart::input: return {ConvolutionPart::output, ConvolutionPart::weight};
    default: return {ConvolutionPart::output, ConvolutionPart::input};
  }
}

// With <r, map(a, b)> trilinear in the three parts, the gradient of each operand is the map that computes its part
// from the result's gradient and the other operand.
class ConvolutionNode final : public GradientNode {
 public:
  ConvolutionNode(ConvolutionPart result, const Tensor& first, const Tensor& second,
                  const OptionalTensor& bias, const ConvolutionGeometry& geometry)
      : GradientNode(name_of(result), bias ? 3 : 2),
        result_(result),
        geometry_(geometry),
        sizes_{spatial_sizes(first), spatial_sizes(second)} {
    edges()[0] = gradient_edge(first);
    edges()[1] = gradient_edge(second);
    if (bias) edges()[2] = gradient_edge(*bias);
    if (wants(0)) saved_[1] = SavedTensor(second, this);
    if (wants(1)) saved_[0] = SavedTensor(first, this);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    Tensor gradient = output_gradients[0];
    // Both products want it in this order: once is enough.
    if (wants(0) && wants(1) && (gradient.rank() == 4 || gradient.rank() == 5) &&
        !gradient.is_channels_last())
      gradient = apply_convert(gradient, gradient.dtype(), MemoryOrder::channels_last);
    const auto [first, second] = operands_of(result_);
    if (wants(0)) input_gradients[0] = part(first, second, gradient, saved_[1].get(*this), sizes_[0]);
    if (wants(1)) input_gradients[1] = part(second, first, gradient, saved_[0].get(*this), sizes_[1]);
    if (input_count() == 3 && wants(2)) {
      DimList dims{0};
      for (int d = 2; d < gradient.rank(); ++d) dims.push_back(d);
      input_gradients[2] = sum(gradient, dims);
    }
  }

  void release_saved() override {
    saved_[0].release();
    saved_[1].release();
  }
  bool released() const override { return saved_[0].released() || saved_[1].released(); }

 private:
  Tensor part(ConvolutionPart wanted, ConvolutionPart other, const Tensor& gradient, const Tensor& value,
              const Shape& sizes) const {
    const auto [first, second] = operands_of(wanted);
    const bool in_order = second == other;
    return in_order ? compute(wanted, gradient, value, {}, sizes, geometry_)
                    : compute(wanted, value, gradient, {}, sizes, geometry_);
  }

  ConvolutionPart result_;
  ConvolutionGeometry geometry_;
  Shape sizes_[2];
  SavedTensor saved_[2];
};

struct ConvolutionAttributes {
  Shape lost;
  ConvolutionGeometry geometry;
  template <class Visitor>
  void visit(Visitor& v) {
    v("sizes", lost), geometry.visit(v);
  }
};

template <ConvolutionPart part>
TensorList evaluate(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ConvolutionAttributes*>(attributes);
  const OptionalTensor bias = inputs.size() > 2 ? OptionalTensor(inputs[2].tensor()) : OptionalTensor();
  return {compute(part, inputs[0].tensor(), inputs[1].tensor(), bias, a.lost, a.geometry)};
}
PHLOX_PRIMITIVE(convolution, 41, evaluate<ConvolutionPart::output>, ConvolutionAttributes);
PHLOX_PRIMITIVE(convolution_data_gradient, 42, evaluate<ConvolutionPart::input>, ConvolutionAttributes);
PHLOX_PRIMITIVE(convolution_weight_gradient, 43, evaluate<ConvolutionPart::weight>, ConvolutionAttributes);
void check_geometry(const PrimitiveCall& call, const ConvolutionGeometry& g, int dims) {
  constexpr std::int64_t largest = std::numeric_limits<std::int32_t>::max();
  const auto require_list = [&](const char* name, const IntList& list, std::int64_t least) {
    call.require(list.rank() == dims, "{} has {} numbers, not {}", name, list.rank(), dims);
    for (std::int64_t x : list) call.require(x >= least && x <= largest, "{} holds {}", name, x);
  };
  require_list("stride", g.stride, 1);
  require_list("padding_before", g.padding_before, 0);
  require_list("padding_after", g.padding_after, 0);
  require_list("dilation", g.dilation, 1);
  call.require(g.groups >= 1 && g.groups <= largest, "there are {} groups", g.groups);
}

template <ConvolutionPart part>
void check_convolution(const PrimitiveCall& call) {
  const auto& a = call.attributes<ConvolutionAttributes>();
  call.takes(2, part == ConvolutionPart::output ? 3 : 2);
  const Tensor &first = call.tensor(0), &second = call.tensor(1);
  const int dims = first.rank() - 2;
  call.require(dims >= 1 && dims <= 3 && second.rank() == first.rank(),
               "the inputs have {} and {} dimensions, not both 3, 4 or 5", first.rank(), second.rank());
  call.require_real("an input", first);
  call.require(first.dtype() != DType::bool_, "an input is bool");
  call.require_dtype("an input", second, first.dtype());
  check_geometry(call, a.geometry, dims);
  call.require(a.lost.rank() == dims, "sizes has {} numbers, not {}", a.lost.rank(), dims);
  call.require_sizes("sizes", a.lost);
  const std::int64_t groups = a.geometry.groups;
  switch (part) {
    case ConvolutionPart::output:
      call.require(second.size(0) % groups == 0, "{} channels are not {} groups", second.size(0), groups);
      call.require(first.size(1) % groups == 0 && first.size(1) / groups == second.size(1),
                   "{} channels meet weights for {} in {} groups", first.size(1), second.size(1), groups);
      if (const Tensor* bias = call.optional_tensor(2)) {
        call.require_shape("the bias", *bias, {second.size(0)});
        call.require_dtype("the bias", *bias, first.dtype());
      } else {
        call.require(call.count() == 2, "the bias is left out");
      }
      break;
    case ConvolutionPart::input:
      call.require(second.size(0) % groups == 0 && first.size(1) == second.size(0),
                   "{} channels meet weights that give {} in {} groups", first.size(1), second.size(0),
                   groups);
      break;
    case ConvolutionPart::weight:
      call.require(first.size(0) == second.size(0), "there are {} and {} samples", first.size(0),
                   second.size(0));
      call.require(first.size(1) % groups == 0 && second.size(1) % groups == 0,
                   "{} and {} channels are not {} groups", first.size(1), second.size(1), groups);
      break;
  }
}
PHLOX_PRIMITIVE_RULE(convolution, check_convolution<ConvolutionPart::output>);
PHLOX_PRIMITIVE_RULE(convolution_data_gradient, check_convolution<ConvolutionPart::input>);
PHLOX_PRIMITIVE_RULE(convolution_weight_gradient, check_convolution<ConvolutionPart::weight>);

const Primitive& primitive_of(ConvolutionPart part) {
  switch (part) {
    case ConvolutionPart::output: return convolution_primitive;
    case ConvolutionPart::input: return convolution_data_gradient_primitive;
    default: return convolution_weight_gradient_primitive;
  }
}

Tensor compute(ConvolutionPart result, const Tensor& first, const Tensor& second, const OptionalTensor& bias,
               const Shape& lost, const ConvolutionGeometry& geometry) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {first, second, bias ? Operand(*bias) : Operand(0)};
    const ConvolutionAttributes attributes{lost, geometry};
    return interpret(primitive_of(result), {inputs, bias ? std::size_t{3} : std::size_t{2}}, &attributes)[0];
  }
  Shape shape;
  switch (result) {
    case ConvolutionPart::output: shape = {first.size(0), second.size(0)}; break;
    case ConvolutionPart::input: shape = {first.size(0), second.size(1) * geometry.groups}; break;
    case ConvolutionPart::weight: shape = {first.size(1), second.size(1) / geometry.groups}; break;
  }
  for (std::size_t d = 0; d < lost.size(); ++d) shape.push_back(lost[d]);
  const Tensor computed = result == ConvolutionPart::weight
                              ? make_tensor(shape, first.dtype(), first.device())
                              : make_channels_last(shape, first.dtype(), first.device());
  ConvolutionCall call{};
  call.result = result;
  call.geometry = &geometry;
  call.bias = bias ? bias->impl() : nullptr;
  TensorImpl** places[] = {&call.output, &call.input, &call.weight};
  const auto [one, two] = operands_of(result);
  *places[static_cast<int>(one)] = first.impl();
  *places[static_cast<int>(two)] = second.impl();
  *places[static_cast<int>(result)] = computed.impl();
  device_kernels(first.device()).convolution(call);
  if (needs_gradient(first) || needs_gradient(second) || (bias && needs_gradient(*bias)))
    set_history(computed,
                Reference<GradientNode>::adopt(new ConvolutionNode(result, first, second, bias, geometry)));
  return computed;
}

// Samples as more images where they share the weight, else as more groups of channels.
TensorList batch_convolution(const BatchedCall& call, ConvolutionPart result) {
  const auto& a = call.attributes_as<ConvolutionAttributes>();
  const std::int64_t batch = call.batch();
  const bool shared_bias = call.has(2) && !call.is_batched(2);
  const auto add_bias = [&](const Tensor& sum) {
    if (!call.is_batched(2)) return sum;
    Shape shape(static_cast<std::size_t>(sum.rank()), 1);
    shape[0] = batch;
    shape[2] = sum.size(2);
    return add(sum, reshape(call.tensor(2), shape));
  };
  if (result != ConvolutionPart::weight && !call.is_batched(1)) {
    const OptionalTensor bias = shared_bias ? OptionalTensor(call.tensor(2)) : std::nullopt;
    const Tensor images = fold_batch(call.batched(0));
    return {add_bias(unfold_batch(compute(result, images, call.tensor(1), bias, a.lost, a.geometry), batch))};
  }
  // [batch, n, channels, ...] as [n, batch * channels, ...], and the reverse.
  const auto as_channels = [](const Tensor& images) {
    const Tensor moved = movedim(images, DimList(0), DimList(1));
    Shape shape = moved.shape();
    shape.erase(1);
    shape[1] *= moved.size(1);
    return reshape(moved, shape);
  };
  ConvolutionGeometry geometry = a.geometry;
  geometry.groups *= batch;
  const Tensor first = as_channels(call.batched(0));
  if (result == ConvolutionPart::weight)
    return {unfold_batch(compute(result, first, as_channels(call.batched(1)), {}, a.lost, geometry), batch)};
  const Tensor wide = compute(result, first, fold_batch(call.batched(1)), {}, a.lost, geometry);
  Shape shape = wide.shape();
  shape[1] /= batch;
  shape.insert(1, batch);
  Tensor sum = movedim(reshape(wide, shape), DimList(1), DimList(0));
  if (shared_bias) {
    Shape places(static_cast<std::size_t>(sum.rank()) - 1, 1);
    places[1] = sum.size(2);
    sum = add(sum, reshape(call.tensor(2), places));
  }
  return {add_bias(sum)};
}
template <ConvolutionPart part>
TensorList batch_part(const BatchedCall& call) {
  return batch_convolution(call, part);
}
PHLOX_BATCHING_RULE(convolution, batch_part<ConvolutionPart::output>);
PHLOX_BATCHING_RULE(convolution_data_gradient, batch_part<ConvolutionPart::input>);
PHLOX_BATCHING_RULE(convolution_weight_gradient, batch_part<ConvolutionPart::weight>);

}  // namespace

Tensor make_channels_last(const Shape& shape, DType dtype, Device device) {
  Tensor result = make_tensor(shape, dtype, device);
  TensorImpl* impl = result.impl();
  const int last = impl->rank - 1;
  std::int64_t stride = std::max<std::int64_t>(shape[1], 1);
  impl->strides[1] = 1;
  for (int d = last; d >= 2; --d) {
    impl->strides[d] = stride;
    stride *= std::max<std::int64_t>(shape[d], 1);
  }
  impl->strides[0] = stride;
  impl->update_layout();
  return result;
}

Tensor convolve(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                const ConvolutionGeometry& geometry) {
  Shape spatial;
  for (int d = 0; d < input.rank() - 2; ++d) {
    const std::int64_t reach = geometry.dilation[d] * (weight.size(d + 2) - 1) + 1;
    spatial.push_back((input.size(d + 2) + geometry.padding_before[d] + geometry.padding_after[d] - reach) /
                          geometry.stride[d] +
                      1);
  }
  return compute(ConvolutionPart::output, input, weight, bias, spatial, geometry);
}

Tensor convolution_data_gradient(const Tensor& output, const Tensor& weight, const Shape& spatial,
                                 const ConvolutionGeometry& geometry) {
  return compute(ConvolutionPart::input, output, weight, {}, spatial, geometry);
}

Tensor convolution_weight_gradient(const Tensor& output, const Tensor& input, const Shape& kernel,
                                   const ConvolutionGeometry& geometry) {
  return compute(ConvolutionPart::weight, output, input, {}, kernel, geometry);
}

}  // namespace phlox
