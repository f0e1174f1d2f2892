#include "phlox/nn/normalization.h"

#include <fmt/format.h>

#include "phlox/core/mode.h"
#include "phlox/core/recomputation.h"
#include "phlox/nn/init.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

Tensor filled_parameter(const Shape& shape, double value) {
  Tensor tensor = make_tensor(shape, default_dtype());
  init::constant_(tensor, value);
  return make_parameter(tensor);
}

Tensor filled_buffer(const Shape& shape, double value, DType dtype = default_dtype()) {
  Tensor tensor = make_tensor(shape, dtype);
  init::constant_(tensor, value);
  return tensor;
}

OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : OptionalTensor();
}

void check_channels(const std::string& layer, std::int64_t channels) {
  if (channels > 0) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: the number of channels must be positive, not {}", layer,
                   channels)
      .raise();
}

}  // namespace

ChannelNorm::ChannelNorm(const char* layer, std::int64_t channels, bool affine, bool track_running_stats)
    : channels_(channels) {
  check_channels(layer, channels);
  if (affine) {
    weight = filled_parameter({channels}, 1);
    bias = filled_parameter({channels}, 0);
  }
  if (track_running_stats) {
    running_mean = filled_buffer({channels}, 0);
    running_var = filled_buffer({channels}, 1);
    num_batches_tracked = filled_buffer({}, 0, DType::int64);
  }
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
  register_buffer("running_mean", &running_mean);
  register_buffer("running_var", &running_var);
  register_buffer("num_batches_tracked", &num_batches_tracked);
}

std::string ChannelNorm::settings_with(double eps, bool affine) const {
  return fmt::format("{}, eps={}, affine={}", channels_, eps, affine);
}

BatchNormBase::BatchNormBase(std::int64_t channels, const BatchNormOptions& norm_options, int min_rank,
                             int max_rank)
    : ChannelNorm("BatchNorm", channels, norm_options.affine, norm_options.track_running_stats),
      options(norm_options),
      min_rank_(min_rank),
      max_rank_(max_rank) {}

Tensor BatchNormBase::forward(Tensor input) {
  if (input.rank() < min_rank_ || input.rank() > max_rank_) {
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the input has {} dimensions", type_name(), input.rank())
        .detail("input", describe(input))
        .hint(min_rank_ == max_rank_ ? fmt::format("{} dimensions", min_rank_)
                                     : fmt::format("{} or {} dimensions", min_rank_, max_rank_))
        .raise();
  }
  double momentum = options.momentum.value_or(0);
  if (training() && num_batches_tracked.defined()) {
    NoGrad guard;
    if (!is_recomputing()) num_batches_tracked.add_(1);
    if (!options.momentum) momentum = 1 / num_batches_tracked.item<double>();
  }
  return batch_norm(input, optional(running_mean), optional(running_var), optional(weight), optional(bias),
                    uses_own_statistics(), momentum, options.eps);
}

InstanceNorm::InstanceNorm(std::int64_t channels, InstanceNormOptions norm_options)
    : ChannelNorm("InstanceNorm", channels, norm_options.affine, norm_options.track_running_stats),
      options(norm_options) {}

InstanceNorm::InstanceNorm(Module* parent, const std::string& name, std::int64_t channels,
                           InstanceNormOptions norm_options)
    : InstanceNorm(channels, norm_options) {
  parent->register_module(name, *this);
}

Tensor InstanceNorm::forward(Tensor input) {
  return instance_norm(input, optional(running_mean), optional(running_var), optional(weight), optional(bias),
                       uses_own_statistics(), options.momentum, options.eps);
}

LayerNorm::LayerNorm(const DimList& normalized, LayerNormOptions norm_options)
    : shape(normalized), options(norm_options) {
  if (options.affine) {
    weight = filled_parameter(shape, 1);
    if (options.bias) bias = filled_parameter(shape, 0);
  }
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
}

LayerNorm::LayerNorm(Module* parent, const std::string& name, const DimList& normalized,
                     LayerNormOptions norm_options)
    : LayerNorm(normalized, norm_options) {
  parent->register_module(name, *this);
}

Tensor LayerNorm::forward(Tensor input) {
  return layer_norm(input, shape, optional(weight), optional(bias), options.eps);
}

std::string LayerNorm::settings() const {
  return fmt::format("({}), eps={}, affine={}", phlox::to_string(shape), options.eps, options.affine);
}

RMSNorm::RMSNorm(const DimList& normalized, RMSNormOptions norm_options)
    : shape(normalized), options(norm_options) {
  if (options.affine) weight = filled_parameter(shape, 1);
  register_parameter("weight", &weight);
}

RMSNorm::RMSNorm(Module* parent, const std::string& name, const DimList& normalized,
                 RMSNormOptions norm_options)
    : RMSNorm(normalized, norm_options) {
  parent->register_module(name, *this);
}

Tensor RMSNorm::forward(Tensor input) { return rms_norm(input, shape, optional(weight), options.eps); }

std::string RMSNorm::settings() const {
  return fmt::format("({}), affine={}", phlox::to_string(shape), options.affine);
}

GroupNorm::GroupNorm(std::int64_t group_count, std::int64_t channels, GroupNormOptions norm_options)
    : groups(group_count), options(norm_options), channels_(channels) {
  check_channels("GroupNorm", channels);
  if (groups < 1 || channels % groups != 0) {
    fail<ValueError>(ErrorCode::invalid_value, "GroupNorm: {} channels cannot be cut into {} groups",
                     channels, groups)
        .raise();
  }
  if (options.affine) {
    weight = filled_parameter({channels}, 1);
    bias = filled_parameter({channels}, 0);
  }
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
}

GroupNorm::GroupNorm(Module* parent, const std::string& name, std::int64_t group_count, std::int64_t channels,
                     GroupNormOptions norm_options)
    : GroupNorm(group_count, channels, norm_options) {
  parent->register_module(name, *this);
}

Tensor GroupNorm::forward(Tensor input) {
  return group_norm(input, groups, optional(weight), optional(bias), options.eps);
}

std::string GroupNorm::settings() const {
  return fmt::format("{}, {}, eps={}, affine={}", groups, channels_, options.eps, options.affine);
}

}  // namespace phlox::nn
