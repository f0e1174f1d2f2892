#include "phlox/optim/rmsprop.h"

#include "phlox/ops/functions.h"
#include "phlox/optim/update.h"

namespace phlox::optim {

RMSprop::RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options) {
  add_param_group(parameters, options);
}

RMSprop::RMSprop(ParameterGroups groups) {
  for (const auto& [parameters, options] : groups) add_param_group(parameters, options);
}

void RMSprop::add_param_group(const std::vector<Tensor>& parameters, const RMSpropOptions& o) {
  if (!(o.alpha >= 0) || !(o.eps >= 0) || !(o.weight_decay >= 0) || !(o.momentum >= 0)) {
    fail<ValueError>(ErrorCode::invalid_value, "RMSprop: no setting may be negative").raise();
  }
  add(parameters, o);
}

void RMSprop::update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                               const Tensor& gradient) {
  const RMSpropOptions& o = options_[group];
  const DType dtype = parameter.dtype();
  RMSpropState& state = states_[index];
  if (!state.step.defined()) {
    const OutsideCapture outside;
    state.step = zeros({}, DType::float32);
    state.square_avg = zeros_like(parameter);
    if (o.momentum > 0) state.momentum_buffer = zeros_like(parameter);
    if (o.centered) state.grad_avg = zeros_like(parameter);
  }
  state.step.add_(1);

  const Tensor g = o.maximize ? neg(gradient) : gradient;
  update(update_second_moment, state.square_avg, {g, parameter}, {o.alpha, 1 - o.alpha, o.weight_decay});
  if (o.centered) update(update_first_moment, state.grad_avg, {g, parameter, 1 - o.alpha}, {o.weight_decay});
  const Operand mean = o.centered ? Operand(state.grad_avg) : Operand(0.0);
  const Tensor rate = in_dtype(lr_tensor(group), dtype);
  if (state.momentum_buffer.defined()) {
    update(update_scaled_momentum, state.momentum_buffer,
           {g, parameter, state.square_avg, mean, in_dtype(momentum_tensor(group), dtype)},
           {o.eps, o.weight_decay});
    update(update_gradient_step, parameter, {state.momentum_buffer, rate}, {0.0});
  } else {
    update(update_scaled_step, parameter, {g, state.square_avg, mean, rate}, {o.eps, o.weight_decay});
  }
}

Adagrad::Adagrad(const std::vector<Tensor>& parameters, const AdagradOptions& options) {
  add_param_group(parameters, options);
}

Adagrad::Adagrad(ParameterGroups groups) {
  for (const auto& [parameters, options] : groups) add_param_group(parameters, options);
}

void Adagrad::add_param_group(const std::vector<Tensor>& parameters, const AdagradOptions& o) {
  if (!(o.lr_decay >= 0) || !(o.eps >= 0) || !(o.weight_decay >= 0) || !(o.initial_accumulator_value >= 0)) {
    fail<ValueError>(ErrorCode::invalid_value, "Adagrad: no setting may be negative").raise();
  }
  add(parameters, o);
}

void Adagrad::update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                               const Tensor& gradient) {
  const AdagradOptions& o = options_[group];
  AdagradState& state = states_[index];
  if (!state.step.defined()) {
    const OutsideCapture outside;
    state.step = zeros({}, DType::float32);
    state.sum = full_like(parameter, o.initial_accumulator_value);
  }
  const Tensor g = o.maximize ? neg(gradient) : gradient;
  // The step before this one counts here.
  const Tensor slowed = phlox::add(1.0, mul(state.step.to(DType::float64), o.lr_decay));
  const Tensor rate = div(lr_tensor(group), slowed).to(parameter.dtype());
  state.step.add_(1);
  update(update_square_sum, state.sum, {g, parameter}, {o.weight_decay});
  update(update_scaled_step, parameter, {g, state.sum, 0.0, rate}, {o.eps, o.weight_decay});
}

}  // namespace phlox::optim
