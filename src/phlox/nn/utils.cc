#include "phlox/nn/utils.h"

#include <cmath>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

std::vector<Tensor> gradients_of(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : parameters) {
    if (Tensor gradient = parameter.grad(); gradient.defined()) gradients.push_back(std::move(gradient));
  }
  return gradients;
}

}  // namespace

Tensor total_norm(const std::vector<Tensor>& tensors, double norm_type) {
  if (tensors.empty()) return zeros({});
  TensorList norms;
  for (const Tensor& tensor : tensors) norms.push_back(norm(tensor, norm_type).to(DType::float32));
  return norm(stack(norms), norm_type);
}

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  NoGrad guard;
  const std::vector<Tensor> gradients = gradients_of(parameters);
  const Tensor total = total_norm(gradients, norm_type);
  if (gradients.empty()) return total;
  if (error_if_nonfinite && !std::isfinite(total.item<double>())) {
    fail<GradientError>(ErrorCode::nonfinite_gradient, "clip_grad_norm_: the norm of the gradients is {}",
                        total.item<double>())
        .hint("error_if_nonfinite = false to scale anyway")
        .raise();
  }
  // Multiplied in any case, so that no value must be read back: the factor is 1 where nothing is to be done.
  const Tensor factor = clamp_max(div(max_norm, add(total, 1e-6)), 1.0);
  for (const Tensor& gradient : gradients) gradient.mul_(factor.to(gradient.dtype()));
  return total;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
  NoGrad guard;
  for (const Tensor& gradient : gradients_of(parameters)) gradient.clamp_range_(-clip_value, clip_value);
}

void zero_gradients(const std::vector<Tensor>& parameters, bool set_to_none) {
  NoGrad guard;
  for (const Tensor& parameter : parameters) {
    if (set_to_none) {
      parameter.set_grad({});
      continue;
    }
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (gradient.is_leaf()) fill_(gradient, 0.0);
    else parameter.set_grad(zeros_like(gradient));  // others may still need what is recorded
  }
}

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  TensorList flat;
  for (const Tensor& parameter : parameters) flat.push_back(reshape(parameter, {-1}));
  return cat(flat);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  std::int64_t total = 0;
  for (const Tensor& parameter : parameters) total += parameter.numel();
  if (vector.rank() != 1 || vector.numel() != total) {
    fail<ShapeError>(ErrorCode::wrong_element_count, "vector_to_parameters: the parameters have {} elements",
                     total)
        .detail("vector", describe(vector))
        .raise();
  }
  NoGrad guard;
  std::int64_t start = 0;
  for (const Tensor& parameter : parameters) {
    copy_(parameter, reshape(narrow(vector, 0, start, parameter.numel()), parameter.shape()));
    start += parameter.numel();
  }
}

}  // namespace phlox::nn
