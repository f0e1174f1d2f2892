#include "phlox/optim/adam.h"

#include "phlox/ops/functions.h"
#include "phlox/optim/update.h"

namespace phlox::optim {
namespace {

AdamOptions common(const AdamWOptions& o) {
  return {.lr = o.lr,
          .betas = o.betas,
          .eps = o.eps,
          .weight_decay = o.weight_decay,
          .amsgrad = o.amsgrad,
          .maximize = o.maximize};
}

}  // namespace

Adam::Adam(const std::vector<Tensor>& parameters, const AdamOptions& options) {
  add_param_group(parameters, options);
}

Adam::Adam(ParameterGroups groups) {
  for (const auto& [parameters, options] : groups) add_param_group(parameters, options);
}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options) : Adam(true) {
  add_param_group(parameters, common(options));
}

AdamW::AdamW(ParameterGroups groups) : Adam(true) {
  for (const auto& [parameters, options] : groups) add_param_group(parameters, common(options));
}

void Adam::add_param_group(const std::vector<Tensor>& parameters, const AdamOptions& o) {
  const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
  if (!is_beta(o.betas.first) || !is_beta(o.betas.second) || !(o.eps >= 0) || !(o.weight_decay >= 0)) {
    fail<ValueError>(ErrorCode::invalid_value,
                     "Adam: betas {} and {} must lie in [0, 1), eps {} and weight_decay {} "
                     "must not be negative",
                     o.betas.first, o.betas.second, o.eps, o.weight_decay)
        .raise();
  }
  add(parameters, o);
}

void Adam::update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                            const Tensor& gradient) {
  const AdamOptions& o = options_[group];
  const Tensor& beta1 = momentum_tensor(group);
  const double beta2 = o.betas.second;
  const DType dtype = parameter.dtype();
  AdamState& state = states_[index];
  if (!state.step.defined()) {
    const OutsideCapture outside;
    state.step = zeros({}, DType::float32);
    state.exp_avg = zeros_like(parameter);
    state.exp_avg_sq = zeros_like(parameter);
    if (o.amsgrad) state.max_exp_avg_sq = zeros_like(parameter);
  }
  state.step.add_(1);

  const Tensor g = o.maximize ? neg(gradient) : gradient;
  const double penalty = decoupled_ ? 0 : o.weight_decay;
  update(update_first_moment, state.exp_avg, {g, parameter, complement_in_dtype(beta1, dtype)}, {penalty});
  update(update_second_moment, state.exp_avg_sq, {g, parameter}, {beta2, 1 - beta2, penalty});
  if (o.amsgrad) state.max_exp_avg_sq.maximum_(state.exp_avg_sq);

  // Single numbers, in f64, that follow from the step and the learning rate.
  const Tensor step = state.step.to(DType::float64);
  const Tensor& lr = lr_tensor(group);
  const Tensor rate = div(lr, sub(1.0, pow(beta1, step)));
  const Tensor correction = sqrt(sub(1.0, pow(beta2, step)));
  const Tensor kept = sub(1.0, mul(lr, decoupled_ ? o.weight_decay : 0.0));
  update(update_adam_step, parameter,
         {state.exp_avg, o.amsgrad ? state.max_exp_avg_sq : state.exp_avg_sq, rate.to(dtype),
          correction.to(dtype), kept.to(dtype)},
         {o.eps});
}

}  // namespace phlox::optim
