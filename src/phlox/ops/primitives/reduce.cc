#include "phlox/ops/primitives/reduce.h"

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

Shape reduced_shape(const Shape& shape, const Dims& dims, bool keepdim) {
  Shape result;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!dims.contains(static_cast<std::int64_t>(d))) result.push_back(shape[d]);
    else if (keepdim) result.push_back(1);
  }
  return result;
}

DType comparison_dtype(DType dtype) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16: return DType::float32;
    case DType::bool_:
    case DType::uint8:
    case DType::uint64:
    case DType::float32:
    case DType::float64: return dtype;
    default: return DType::int64;
  }
}

namespace {

TensorList evaluate_reduce(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ReduceAttributes*>(attributes);
  return {apply_reduce(a.kind, inputs[0].tensor(), a.dims, a.keepdim, a.compute, a.result, a.operation)};
}
PHLOX_PRIMITIVE(reduce, 10, evaluate_reduce, ReduceAttributes);
void check_reduce(const PrimitiveCall& call) {
  call.takes(1);
  const Tensor& input = call.tensor(0);
  const auto& a = call.attributes<ReduceAttributes>();
  call.require_computable(input.dtype());
  call.require_computable(a.result);
  // A number may be reduced along dimension 0, as if it were a vector of one.
  if (input.rank() > 0 || a.dims != Dims{0}) call.require_dims("dims", a.dims, input);
  switch (a.compute) {
    case DType::float32:
    case DType::float64:
    case DType::int64:
    case DType::uint64:
    case DType::uint8:
    case DType::bool_: break;
    default: call.require(false, "it does not compute in {}", info(a.compute).name);
  }
  if (is_complex(input.dtype()) && a.compute != DType::bool_)
    call.require(a.kind == ReduceKind::sum && is_complex(a.result), "complex numbers have sums only");
  if (a.kind == ReduceKind::sum_of_squares)
    call.require(is_floating(input.dtype()) && is_floating(a.result), "sums of squares are those of floats");
}
PHLOX_PRIMITIVE_RULE(reduce, check_reduce);

TensorList batch_reduce(const BatchedCall& call) {
  const auto& a = call.attributes_as<ReduceAttributes>();
  return {apply_reduce(a.kind, call.tensor(0), behind_batch(a.dims), a.keepdim, a.compute, a.result,
                       a.operation)};
}
PHLOX_BATCHING_RULE(reduce, batch_reduce);

// The transpose of a sum: every element gets the gradient of its result. A view without memory of its own.
Tensor expand_to_input(const Tensor& gradient, const Shape& shape, const Dims& dims, bool keepdim) {
  if (keepdim) return expand(gradient, shape);
  return expand(reshape(gradient, reduced_shape(shape, dims, true)), shape);
}

class ReduceNode final : public GradientNode {
 public:
  ReduceNode(const ReduceAttributes& attributes, const Tensor& input)
      : GradientNode(attributes.operation, 1),
        attributes_(attributes),
        shape_(input.shape()),
        dtype_(input.dtype()) {
    edges()[0] = gradient_edge(input);
    if (attributes.kind != ReduceKind::sum) input_ = SavedTensor(input, this);
  }
  void save_result(const Tensor& result) {
    if (attributes_.kind != ReduceKind::sum && attributes_.kind != ReduceKind::sum_of_squares)
      result_ = SavedTensor(result, this, true);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined() || !wants(0)) return;
    const Tensor gradient = spread(output_gradients[0]);
    switch (attributes_.kind) {
      case ReduceKind::sum: input_gradients[0] = gradient.to(dtype_); break;
      case ReduceKind::sum_of_squares:
        input_gradients[0] = mul(gradient, mul(input_.get(*this), 2)).to(dtype_);
        break;
      case ReduceKind::product: input_gradients[0] = product_gradient(gradient).to(dtype_); break;
      default: input_gradients[0] = extremum_gradient(gradient).to(dtype_);
    }
  }
  void release_saved() override {
    released_ = true;
    input_.release();
    result_.release();
  }
  bool released() const override { return released_ && attributes_.kind != ReduceKind::sum; }

 private:
  Tensor spread(const Tensor& t) const {
    return expand_to_input(t, shape_, attributes_.dims, attributes_.keepdim);
  }

  // Shared equally among the elements that attain the extremum.
  Tensor extremum_gradient(const Tensor& gradient) {
    const Tensor chosen = eq(input_.get(*this), spread(result_.get(*this)));
    const Tensor ties = sum(chosen, DimList(attributes_.dims), true).to(dtype_);
    return phlox::where(chosen, div(gradient, ties), 0);
  }

  // gradient * product of all other elements. With one zero, only that element has any; with more, none.
  Tensor product_gradient(const Tensor& gradient) {
    const Tensor input = input_.get(*this);
    const Tensor is_zero = eq(input, 0);
    if (gradients_enabled() && (thread_mode.interpreter_count || any(is_zero).item<bool>()))
      return mul(gradient, products_of_others(input));
    const Tensor zeros = sum(is_zero, DimList(attributes_.dims), true);
    const Tensor nonzero = phlox::where(is_zero, 1, input);
    const Tensor others = div(prod(nonzero, DimList(attributes_.dims), true), nonzero);
    const Tensor counts = logical_or(eq(zeros, 0), logical_and(is_zero, eq(zeros, 1)));
    return phlox::where(counts, mul(gradient, others), 0);
  }

  // For each element the product of the others, without division, so that zeros keep their derivatives: the rows of a
  // square matrix in which each has a 1 in the place of its own.
  Tensor products_of_others(const Tensor& input) const {
    IntList order, back(static_cast<std::size_t>(input.rank()), 0);
    for (int d = 0; d < input.rank(); ++d)
      if (!attributes_.dims.contains(d)) order.push_back(d);
    const int kept = order.rank();
    for (int d = 0; d < input.rank(); ++d)
      if (attributes_.dims.contains(d)) order.push_back(d);
    for (int i = 0; i < order.rank(); ++i)
      back[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = i;
    const Tensor moved = permute(input, order);
    Shape flat;
    std::int64_t count = 1;
    for (int d = 0; d < moved.rank(); ++d) {
      if (d < kept) flat.push_back(moved.size(d));
      else count *= moved.size(d);
    }
    flat.push_back(count);
    const Tensor rows = unsqueeze(reshape(moved, flat), -2);
    const Tensor matrix = phlox::where(eye(count, {}, DType::bool_), 1, rows);
    return permute(reshape(prod(matrix, -1), moved.shape()), back);
  }

  ReduceAttributes attributes_;
  Shape shape_;
  DType dtype_;
  SavedTensor input_;
  SavedTensor result_;
  bool released_ = false;
};

[[noreturn]] PHLOX_COLD void throw_empty(const Tensor& input, const char* operation) {
  fail<ShapeError>(ErrorCode::empty_reduction, "{}: no element to choose from", operation)
      .detail("input", describe(input))
      .hint("reduce over dimensions that hold elements")
      .raise();
}

Scalar identity_of(ReduceKind kind, const Tensor& input, DType compute, const char* operation) {
  if (kind == ReduceKind::sum || kind == ReduceKind::sum_of_squares) return 0;
  if (kind == ReduceKind::product) return 1;
  if (compute != DType::bool_) throw_empty(input, operation);
  return kind == ReduceKind::minimum;
}

}  // namespace

Tensor apply_reduce(ReduceKind kind, const Tensor& input, const Dims& dims, bool keepdim, DType compute,
                    DType result, const char* operation) {
  const ReduceAttributes attributes{kind, dims, keepdim, compute, result, operation};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return interpret(reduce_primitive, {&operand, 1}, &attributes)[0];
  }
  const Tensor output = make_tensor(reduced_shape(input.shape(), dims, keepdim), result, input.device());
  if (output.numel() > 0) {
    if (input.numel() == 0) {
      device_kernels(input.device()).fill(*output.impl(), identity_of(kind, input, compute, operation));
    } else {
      ReduceCall call{kind, input.impl(), {}, compute, keepdim, output.impl()};
      for (std::int64_t d : dims) call.reduced[d] = true;
      device_kernels(input.device()).reduce(call);
    }
  }
  if (is_differentiable(result) && needs_gradient(input)) {
    auto* node = new ReduceNode(attributes, input);
    set_history(output, Reference<GradientNode>::adopt(node));
    node->save_result(output);
  }
  return output;
}

}  // namespace phlox
