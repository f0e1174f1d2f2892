#include "phlox/optim/sgd.h"

#include "phlox/core/watch_bit.h"
#include "phlox/ops/functions.h"
#include "phlox/optim/update.h"

namespace phlox::optim {
namespace {

const SGDOptions& checked(const SGDOptions& options) {
  if (!(options.momentum >= 0) || !(options.weight_decay >= 0)) {
    fail<ValueError>(ErrorCode::invalid_value, "SGD: momentum and weight_decay must not be negative").raise();
  }
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0)) {
    fail<ValueError>(ErrorCode::invalid_value, "SGD: nesterov needs a momentum and no dampening").raise();
  }
  return options;
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& parameters, const SGDOptions& options) {
  add_param_group(parameters, options);
}

SGD::SGD(ParameterGroups groups) {
  for (const auto& [parameters, options] : groups) add_param_group(parameters, options);
}

void SGD::add_param_group(const std::vector<Tensor>& parameters, const SGDOptions& options) {
  add(parameters, checked(options));
}

void SGD::update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                           const Tensor& gradient) {
  const SGDOptions& o = options_[group];
  const Tensor g = o.maximize ? neg(gradient) : gradient;
  const Tensor rate = in_dtype(lr_tensor(group), parameter.dtype());
  // A schedule may bring the momentum to zero for a while; the buffer goes on then.
  if (o.momentum == 0 && !states_[index].momentum_buffer.defined()) {
    update(update_gradient_step, parameter, {g, rate}, {o.weight_decay});
    return;
  }
  const Tensor momentum = in_dtype(momentum_tensor(group), parameter.dtype());
  Tensor& buffer = states_[index].momentum_buffer;
  if (!buffer.defined()) {
    if (interpreters())
      fail<GraphError>(ErrorCode::first_call_eager,
                       "SGD: the first step with momentum differs from the others")
          .hint("call the function once before it is captured")
          .raise();
    buffer = clone(g);
    update(update_decayed_gradient, buffer, {parameter}, {o.weight_decay});
  } else {
    update(update_momentum_buffer, buffer, {g, parameter, momentum}, {1 - o.dampening, o.weight_decay});
  }
  if (o.nesterov) {
    update(update_nesterov_step, parameter, {g, buffer, rate, momentum}, {o.weight_decay});
  } else {
    update(update_gradient_step, parameter, {buffer, rate}, {0.0});
  }
}

}  // namespace phlox::optim
