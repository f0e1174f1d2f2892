#include "phlox/ops/primitives/detach.h"

#include "phlox/core/recording.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

TensorList evaluate_detach(std::span<const Operand> inputs, const void*) {
  return {apply_detach(inputs[0].tensor(), inputs.size() > 1 ? inputs[1].tensor() : Tensor())};
}
PHLOX_PRIMITIVE(detach, 8, evaluate_detach, NoAttributes);

void check_detach(const PrimitiveCall& call) {
  call.takes(1, 2);
  const Tensor& value = call.tensor(0);
  if (const Tensor* history = call.optional_tensor(1)) {
    call.require_shape("the history", *history, value.shape());
    call.require_dtype("the history", *history, value.dtype());
  }
}
PHLOX_PRIMITIVE_RULE(detach, check_detach);

TensorList batch_detach(const BatchedCall& call) { return {call.batched(0).detach()}; }
PHLOX_BATCHING_RULE(detach, batch_detach);

class SameNode final : public GradientNode {
 public:
  explicit SameNode(const Tensor& origin) : GradientNode("same", 1) { edges()[0] = gradient_edge(origin); }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    input_gradients[0] = output_gradients[0];
  }
  void release_saved() override {}
};

}  // namespace

Tensor apply_detach(const Tensor& value, const Tensor& history) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {value, history};
    const NoAttributes none;
    return interpret(detach_primitive, std::span(operands, history.defined() ? 2 : 1), &none)[0];
  }
  return history.defined() ? with_history_of(value.detach(), history) : value.detach();
}

Tensor with_history_of(const Tensor& tensor, const Tensor& origin) {
  if (needs_gradient(origin)) set_history(tensor, Reference<GradientNode>::adopt(new SameNode(origin)));
  return tensor;
}

}  // namespace phlox
