// Normalisations that give their statistics as well, with the parameters that PyTorch's interpreter has for them.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

struct MeanAndFactor {
  Tensor mean, factor;  // 1 / sqrt(variance + eps)
};

MeanAndFactor statistics(const Tensor& input, const DimList& dims, double eps, bool keepdim) {
  const Tensor x = widened(input);
  return {mean(x, dims, keepdim), rsqrt(add(var(x, dims, 0.0, keepdim), eps))};
}

}  // namespace

PHLOX_OPERATION(
    TensorTriple, native_layer_norm,
    (const Tensor& input, const DimList& normalized_shape, const OptionalTensor& weight,
     const OptionalTensor& bias, double eps),
    .doc =
        "layer_norm() with the mean and 1 / sqrt(variance + eps) that were used, of size 1 in the dimensions that "
        "were normalised.",
    .source = "Ba et al. 2016, arXiv:1607.06450", .family = Family::normalization, .method = false,
    .samples =
        "native_layer_norm(A(2, 3, 5), [5], A(5), A(5), 1e-5); native_layer_norm(A(2, 3, 5), [3, 5], "
        "None, None, 0.1)",
    .integers = false, .tolerance = 1e-4) {
  const Tensor result = layer_norm(input, normalized_shape, weight, bias, eps);
  DimList dims;
  for (int d = 1; d <= normalized_shape.rank(); ++d) dims.push_back(-d);
  const auto [center, factor] = statistics(input, dims, eps, true);
  return {result, center, factor};
}

PHLOX_OPERATION(
    TensorTriple, native_group_norm,
    (const Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias, std::int64_t N,
     std::int64_t C, std::int64_t HxW, std::int64_t group, double eps),
    .doc =
        "group_norm() of `group` groups with the mean and 1 / sqrt(variance + eps) that were used, [batch, groups]. N, C and HxW "
        "are the batch, the channels and the places of the input.",
    .source = "Wu, He 2018, arXiv:1803.08494", .family = Family::normalization, .method = false,
    .samples = "native_group_norm(A(2, 6, 5), A(6), A(6), 2, 6, 5, 3, 1e-5)", .integers = false,
    .tolerance = 1e-4) {
  if (input.rank() < 2 || input.size(0) != N || input.size(1) != C || input.numel() != N * C * HxW)
    fail<ShapeError>(ErrorCode::sizes_differ, "native_group_norm: the input is not one of {} x {} x {}", N, C,
                     HxW)
        .detail("input", describe(input))
        .raise();
  const Tensor result = group_norm(input, group, weight, bias, eps);
  const auto [center, factor] =
      statistics(reshape(input, {N, group, group ? C / group * HxW : 0}), DimList(2), eps, false);
  return {result, center, factor};
}

PHLOX_OPERATION(
    TensorTriple, native_batch_norm,
    (const Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
     const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training, double momentum,
     double eps),
    .doc =
        "batch_norm() with the mean and 1 / sqrt(variance + eps) of each channel of the batch; both are empty outside "
        "training.",
    .source = "Ioffe, Szegedy 2015, arXiv:1502.03167", .family = Family::normalization, .method = false,
    .samples =
        "native_batch_norm(A(4, 3, 5), A(3), A(3), A(3), P(3), False, 0.1, 1e-5); native_batch_norm(A(4, 3), "
        "None, None, None, None, True, 0.1, 1e-5)",
    .integers = false, .tolerance = 1e-4) {
  const Tensor result = batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps);
  if (!training) {
    const Tensor nothing = zeros({0}, widened(input.dtype()), input.device());
    return {result, nothing, nothing};
  }
  DimList dims{0};
  for (int d = 2; d < input.rank(); ++d) dims.push_back(d);
  const auto [center, factor] = statistics(input, dims, eps, false);
  return {result, center, factor};
}

}  // namespace phlox
