#include "phlox/ops/primitives/sampling.h"

#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

struct SampleAttributes {
  SampleKind kind = SampleKind::gamma;
  template <class Visitor>
  void visit(Visitor& v) {
    v("kind", kind);
  }
};

Tensor sample_from(const Tensor& state, const Tensor& first, const Tensor& second, SampleKind kind);

TensorList evaluate_sample(std::span<const Operand> inputs, const void* attributes) {
  return {sample_from(inputs[0].tensor(), inputs[1].tensor(), inputs[2].tensor(),
                      static_cast<const SampleAttributes*>(attributes)->kind)};
}
PHLOX_PRIMITIVE(sample, 63, evaluate_sample, SampleAttributes);

Tensor run_sample(const GeneratorState& state, const Tensor& first, const Tensor& second, SampleKind kind) {
  const Tensor a = first.detach().contiguous(), b = second.detach().contiguous();
  const Tensor result = make_tensor(a.shape(), DType::float64, a.device());
  if (result.numel() > 0)
    device_kernels(a.device()).sample({kind, a.impl(), b.impl(), result.unsafe_impl(), state});
  return result;
}

Tensor sample_from(const Tensor& state, const Tensor& first, const Tensor& second, SampleKind kind) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {state, first, second};
    const SampleAttributes attributes{kind};
    return interpret(sample_primitive, operands, &attributes)[0];
  }
  return run_sample(state_from(state), first, second, kind);
}

void check_sample(const PrimitiveCall& call) {
  call.takes(3);
  call.require_shape("the state", call.tensor(0), {3});
  call.require_dtype("the state", call.tensor(0), DType::int64);
  for (int i : {1, 2}) call.require_dtype("a parameter", call.tensor(i), DType::float64);
  call.require_shape("the second parameter", call.tensor(2), call.tensor(1).shape());
}
PHLOX_PRIMITIVE_RULE(sample, check_sample);

// One draw for all samples: an element takes one counter, so those of a sample follow those of the one before.
TensorList batch_sample(const BatchedCall& call) {
  if (!call.first_state.defined()) return run_each_sample(call);
  return {sample_from(call.first_state, call.batched(1), call.batched(2),
                      call.attributes_as<SampleAttributes>().kind)};
}
PHLOX_BATCHING_RULE(sample, batch_sample);

TensorList evaluate_gamma_gradient(std::span<const Operand> inputs, const void*) {
  return {apply_gamma_gradient(inputs[0].tensor(), inputs[1].tensor())};
}
PHLOX_PRIMITIVE(gamma_gradient, 64, evaluate_gamma_gradient, NoAttributes);
void check_gamma_gradient(const PrimitiveCall& call) {
  call.takes(2);
  for (int i : {0, 1}) call.require_dtype("an input", call.tensor(i), DType::float64);
  call.require_shape("the sample", call.tensor(1), call.tensor(0).shape());
}
PHLOX_PRIMITIVE_RULE(gamma_gradient, check_gamma_gradient);
TensorList batch_gamma_gradient(const BatchedCall& call) {
  return {apply_gamma_gradient(call.batched(0), call.batched(1))};
}
PHLOX_BATCHING_RULE(gamma_gradient, batch_gamma_gradient);

class GammaGradientNode final : public GradientNode {
 public:
  GammaGradientNode(const Tensor& shape_parameter, const Tensor& sample) : GradientNode("gamma_gradient", 2) {
    edges()[0] = gradient_edge(shape_parameter);
    edges()[1] = gradient_edge(sample);
  }
  void backward(std::span<const Tensor>, std::span<Tensor>) override {
    fail<NotSupportedError>(ErrorCode::not_supported,
                            "gamma: numbers that are drawn have no second derivative by the shape parameter")
        .raise();
  }
  void release_saved() override {}
};

}  // namespace

Tensor apply_sample(SampleKind kind, const Tensor& first, const Tensor& second, Generator* generator) {
  Generator& from = generator ? *generator : default_generator();
  const std::int64_t blocks = first.numel();
  if (thread_mode.interpreter_count) [[unlikely]]
    return sample_from(interpret_draw(from, blocks), first.detach(), second.detach(), kind);
  return run_sample(from.reserve(static_cast<std::uint64_t>(blocks)), first, second, kind);
}

Tensor apply_gamma_gradient(const Tensor& shape_parameter, const Tensor& sample) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {shape_parameter, sample};
    const NoAttributes none;
    return interpret(gamma_gradient_primitive, operands, &none)[0];
  }
  const Tensor a = shape_parameter.detach().contiguous(), z = sample.detach().contiguous();
  const Tensor result = make_tensor(a.shape(), DType::float64, a.device());
  if (result.numel() > 0)
    device_kernels(a.device()).gamma_gradient(*a.impl(), *z.impl(), *result.unsafe_impl());
  if (needs_gradient(shape_parameter) || needs_gradient(sample))
    set_history(result, Reference<GradientNode>::adopt(new GammaGradientNode(shape_parameter, sample)));
  return result;
}

}  // namespace phlox
