#include "phlox/ops/registry/pointwise_definition.h"
#include "phlox/optim/update.h"

// The rules are no operations that users call, so they make no entry in the registry.
#undef PHLOX_POINTWISE
#define PHLOX_POINTWISE(rule_name, B)                                                                    \
  static constinit PointwiseFunction rule_name##_function = make_function<B>(#rule_name, nullptr);       \
  static constexpr PointwiseEntry rule_name##_pointwise PHLOX_TABLE_ENTRY(phlox_pointwise_functions) = { \
      &rule_name##_function};                                                                            \
  const PointwiseFunction& rule_name##_reference = rule_name##_function;

#include "phlox/optim/update_rules.h"

namespace phlox::optim {

const PointwiseFunction& update_decayed_gradient = definitions::update_decayed_gradient_reference;
const PointwiseFunction& update_momentum_buffer = definitions::update_momentum_buffer_reference;
const PointwiseFunction& update_gradient_step = definitions::update_gradient_step_reference;
const PointwiseFunction& update_nesterov_step = definitions::update_nesterov_step_reference;
const PointwiseFunction& update_first_moment = definitions::update_first_moment_reference;
const PointwiseFunction& update_second_moment = definitions::update_second_moment_reference;
const PointwiseFunction& update_adam_step = definitions::update_adam_step_reference;
const PointwiseFunction& update_scaled_momentum = definitions::update_scaled_momentum_reference;
const PointwiseFunction& update_scaled_step = definitions::update_scaled_step_reference;
const PointwiseFunction& update_square_sum = definitions::update_square_sum_reference;

void update(const PointwiseFunction& rule, const Tensor& target, std::initializer_list<Operand> inputs,
            std::initializer_list<double> settings) {
  Operand operands[max_pointwise_inputs] = {target, 0.0, 0.0, 0.0, 0.0, 0.0};
  KernelScalar scalars[max_pointwise_scalars];
  std::size_t operand_count = 1, scalar_count = 0;
  for (const Operand& input : inputs) operands[operand_count++] = input;
  for (double setting : settings) scalars[scalar_count++] = kernel_scalar(setting);
  apply_pointwise_into(rule, std::span(operands, operand_count), std::span(scalars, scalar_count), target,
                       true);
}

}  // namespace phlox::optim
