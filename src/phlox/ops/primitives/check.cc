#include "phlox/ops/primitives/check.h"

#include "phlox/core/recording.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/detach.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

struct CheckAttributes {
  CheckError error = CheckError::value;
  std::string message;
  template <class Visitor>
  void visit(Visitor& v) {
    v("error", error), v("message", message);
  }
};

TensorList evaluate_check(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const CheckAttributes*>(attributes);
  return {apply_check(inputs[0].tensor(), inputs[1].tensor(), a.error, a.message)};
}
PHLOX_PRIMITIVE(check, 5, evaluate_check, CheckAttributes);
void check_check(const PrimitiveCall& call) {
  call.takes(2);
  call.tensor(0);
  call.require_dtype("the condition", call.tensor(1), DType::bool_);
  call.require(call.tensor(1).numel() == 1, "the condition is not one truth value");
}
PHLOX_PRIMITIVE_RULE(check, check_check);

TensorList batch_check(const BatchedCall& call) {
  const auto& a = call.attributes_as<CheckAttributes>();
  const Tensor& condition = call.tensor(1);
  return {apply_check(call.batched(0), call.is_batched(1) ? all(condition) : condition, a.error, a.message)};
}
PHLOX_BATCHING_RULE(check, batch_check);

}  // namespace

Tensor apply_check(const Tensor& value, const Tensor& condition, CheckError error,
                   const std::string& message) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {value, condition};
    const CheckAttributes attributes{error, message};
    return interpret(check_primitive, operands, &attributes)[0];
  }
  if (thread_mode.abstract) {
    abstract_evaluation.needs_values = true;
  } else if (!condition.item<bool>()) {
    if (error == CheckError::index) fail<IndexError>(ErrorCode::index_out_of_range, "{}", message).raise();
    if (error == CheckError::assertion)
      fail<AssertionError>(ErrorCode::assertion_failed, "{}", message).raise();
    fail<ValueError>(ErrorCode::invalid_value, "{}", message).raise();
  }
  return with_history_of(shallow_alias(value), value);
}

}  // namespace phlox
