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

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  NoGrad guard;
  const std::vector<Tensor> gradients = gradients_of(parameters);
  if (gradients.empty()) return zeros({});
  TensorList norms;
  for (const Tensor& gradient : gradients) norms.push_back(norm(gradient, norm_type).to(DType::float32));
  const Tensor total = norm(stack(norms), norm_type);
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
