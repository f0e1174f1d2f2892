// What training does to gradients and parameters as a whole.
#pragma once

#include <limits>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::nn {

// The joint norm of tensors, 0-d f32: 2 is the Euclidean norm, infinity the largest absolute value.
Tensor total_norm(const std::vector<Tensor>& tensors, double norm_type = 2);

// Scales the gradients of the parameters in place so that their joint norm is at most max_norm, and returns the norm
// before, 0-d f32. `norm_type` 2 is the Euclidean norm, infinity the largest absolute value. With
// `error_if_nonfinite` a norm that is NaN or infinite throws GradientError. Parameters without gradient are left out.
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type = 2,
                       bool error_if_nonfinite = false);
// Brings each gradient value into [-clip_value, clip_value], in place.
void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);

// Drops the gradients of the parameters, or fills them with zeros in place.
void zero_gradients(const std::vector<Tensor>& parameters, bool set_to_none = true);

// All values in one dimension, and back. vector_to_parameters throws ShapeError when the number does not fit.
Tensor parameters_to_vector(const std::vector<Tensor>& parameters);
void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace phlox::nn
