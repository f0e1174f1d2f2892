// Applies a rule of update_rules.h in place, as one pass over memory.
#pragma once

#include <initializer_list>

#include "phlox/ops/primitives/pointwise.h"

namespace phlox::optim {

extern const PointwiseFunction& update_decayed_gradient;
extern const PointwiseFunction& update_momentum_buffer;
extern const PointwiseFunction& update_gradient_step;
extern const PointwiseFunction& update_nesterov_step;
extern const PointwiseFunction& update_first_moment;
extern const PointwiseFunction& update_second_moment;
extern const PointwiseFunction& update_adam_step;
extern const PointwiseFunction& update_scaled_momentum;
extern const PointwiseFunction& update_scaled_step;
extern const PointwiseFunction& update_square_sum;

// target = rule(target, inputs..., settings...).
void update(const PointwiseFunction& rule, const Tensor& target, std::initializer_list<Operand> inputs,
            std::initializer_list<double> settings);

}  // namespace phlox::optim
