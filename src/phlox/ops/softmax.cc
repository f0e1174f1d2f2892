#include "phlox/ops/primitives/softmax.h"

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

namespace {

struct SoftmaxAttributes {
  int dim = 0;
  bool log = false;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim), v("log", log);
  }
};

TensorList evaluate_softmax(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SoftmaxAttributes*>(attributes);
  return {apply_softmax(inputs[0].tensor(), a.dim, a.log)};
}
PHLOX_PRIMITIVE(softmax, 70, evaluate_softmax, SoftmaxAttributes);
void check_softmax(const PrimitiveCall& call) {
  call.takes(1);
  call.require_floating("the input", call.tensor(0));
  call.require_dim("dim", call.attributes<SoftmaxAttributes>().dim, call.tensor(0));
}
PHLOX_PRIMITIVE_RULE(softmax, check_softmax);

Tensor softmax_gradient(const Tensor& result, const Tensor& gradient, int dim, bool log);

TensorList evaluate_softmax_gradient(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SoftmaxAttributes*>(attributes);
  return {softmax_gradient(inputs[0].tensor(), inputs[1].tensor(), a.dim, a.log)};
}
PHLOX_PRIMITIVE(softmax_gradient, 71, evaluate_softmax_gradient, SoftmaxAttributes);
void check_softmax_gradient(const PrimitiveCall& call) {
  call.takes(2);
  const Tensor &result = call.tensor(0), &gradient = call.tensor(1);
  call.require_floating("the result", result);
  call.require_floating("the gradient", gradient);
  call.require_shape("the gradient", gradient, result.shape());
  call.require_dim("dim", call.attributes<SoftmaxAttributes>().dim, result);
}
PHLOX_PRIMITIVE_RULE(softmax_gradient, check_softmax_gradient);

// One element is a row of one.
TensorList batch_softmax(const BatchedCall& call) {
  const auto& a = call.attributes_as<SoftmaxAttributes>();
  const Tensor& input = call.tensor(0);
  return {reshape(apply_softmax(with_sample_rank(input, 1), a.dim + 1, a.log), input.shape())};
}
PHLOX_BATCHING_RULE(softmax, batch_softmax);

TensorList batch_softmax_gradient(const BatchedCall& call) {
  const auto& a = call.attributes_as<SoftmaxAttributes>();
  const Tensor result = call.batched(0), gradient = call.batched(1);
  return {
      reshape(softmax_gradient(with_sample_rank(result, 1), with_sample_rank(gradient, 1), a.dim + 1, a.log),
              result.shape())};
}
PHLOX_BATCHING_RULE(softmax_gradient, batch_softmax_gradient);

// The gradient of the input, without a gradient of its own.
Tensor softmax_gradient(const Tensor& result, const Tensor& gradient, int dim, bool log) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {result, gradient};
    const SoftmaxAttributes attributes{dim, log};
    return interpret(softmax_gradient_primitive, operands, &attributes)[0];
  }
  const Tensor output = make_tensor_like(result, result.shape(), result.dtype());
  if (output.numel() > 0)
    device_kernels(result.device())
        .softmax_gradient({result.impl(), gradient.impl(), dim, log, output.impl()});
  return output;
}

class SoftmaxNode final : public GradientNode {
 public:
  SoftmaxNode(const Tensor& input, int dim, bool log)
      : GradientNode(log ? "log_softmax" : "softmax", 1), dim_(dim), log_(log) {
    edges()[0] = gradient_edge(input);
  }
  void save_result(const Tensor& result) { result_ = SavedTensor(result, this, true); }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined() || !wants(0)) return;
    const Tensor result = result_.get(*this);
    if (gradients_enabled()) {  // may be differentiated again
      const DimList dims(dim_);
      if (log_) input_gradients[0] = sub(gradient, mul(exp(result), sum(gradient, dims, true)));
      else input_gradients[0] = mul(result, sub(gradient, sum(mul(result, gradient), dims, true)));
      return;
    }
    input_gradients[0] = softmax_gradient(result, gradient, dim_, log_);
  }
  void release_saved() override { result_.release(); }
  bool released() const override { return result_.released(); }

 private:
  int dim_;
  bool log_;
  SavedTensor result_;
};

Tensor softmax_of(const Tensor& input, std::int64_t dim, OptionalDType dtype, bool log,
                  const char* operation) {
  if (is_complex(dtype.value_or(input.dtype())) || !is_computable(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  const DType wanted = dtype.value_or(is_floating(input.dtype()) ? input.dtype() : default_dtype());
  return apply_softmax(input.to(wanted), normalize_dim(dim, input.rank(), operation), log);
}

}  // namespace

Tensor apply_softmax(const Tensor& input, int dim, bool log) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    const SoftmaxAttributes attributes{dim, log};
    return interpret(softmax_primitive, {&operand, 1}, &attributes)[0];
  }
  const Tensor output = make_tensor_like(input, input.shape(), input.dtype());
  if (output.numel() > 0) device_kernels(input.device()).softmax({input.impl(), dim, log, output.impl()});
  if (needs_gradient(input)) {
    auto* node = new SoftmaxNode(input, dim, log);
    set_history(output, Reference<GradientNode>::adopt(node));
    node->save_result(output);
  }
  return output;
}

PHLOX_OPERATION(Tensor, softmax, (const Tensor& input, std::int64_t dim = -1, OptionalDType dtype = {}),
                .doc = "exp(input) divided by its sum along `dim`: positive numbers that add up to 1.",
                .source = "Bridle 1990; shifted by the maximum, so that nothing overflows",
                .family = Family::activation,
                .samples = "softmax(A(3, 4), dim=1); softmax(A(2, 3, 4), dim=1); softmax(A(5), dim=0)",
                .reference = "scipy.special.softmax(input * 1.0, axis=dim)") {
  return softmax_of(input, dim, dtype, false, "softmax");
}

PHLOX_OPERATION(
    Tensor, log_softmax, (const Tensor& input, std::int64_t dim = -1, OptionalDType dtype = {}),
    .doc = "The logarithm of softmax along `dim`, computed without loss of small probabilities.",
    .family = Family::activation,
    .samples = "log_softmax(A(3, 4), dim=1); log_softmax(A(2, 3, 4), dim=1); log_softmax(A(5), dim=0)",
    .reference = "scipy.special.log_softmax(input * 1.0, axis=dim)") {
  return softmax_of(input, dim, dtype, true, "log_softmax");
}

PHLOX_OPERATION(Tensor, softmin, (const Tensor& input, std::int64_t dim = -1, OptionalDType dtype = {}),
                .doc = "softmax(-input) along `dim`.", .family = Family::activation, .home = "nn.functional",
                .samples = "softmin(A(3, 4), dim=1)",
                .reference = "scipy.special.softmax(-input * 1.0, axis=dim)") {
  return softmax_of(neg(input), dim, dtype, false, "softmin");
}

PHLOX_OPERATION(Tensor, logsumexp, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
                .doc = "log(sum(exp(input))) over the dimensions `dim`, or over all, without overflow.",
                .family = Family::reduction,
                .samples = "logsumexp(A(3, 4), dim=1); logsumexp(A(2, 3, 4), dim=(0, 2), keepdim=True)",
                .reference = "scipy.special.logsumexp(input, axis=dim, keepdims=keepdim)", .complex = true) {
  const bool complex = is_complex(input.dtype());
  const Tensor x = is_floating(input.dtype()) || complex ? input : input.to(default_dtype());
  if (x.numel() == 0) return phlox::log(sum(exp(x), dim, keepdim));
  Tensor largest;
  {
    NoGrad no_gradient;
    largest = amax(complex ? real(x) : x, dim, true);
    largest = where(isfinite(largest), largest, 0);  // inf - inf would be NaN
  }
  const Tensor total = phlox::log(sum(exp(sub(x, largest)), dim, true));
  const Tensor result = add(total, largest);
  return keepdim ? result : reshape(result, sum(largest, dim).shape());
}

}  // namespace phlox
