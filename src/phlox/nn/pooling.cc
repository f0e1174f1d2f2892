#include "phlox/nn/pooling.h"

#include <fmt/format.h>

#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

std::string listed(const DimList& values) { return '(' + phlox::to_string(values) + ')'; }

template <class Options>
std::string window_settings(const DimList& kernel, const Options& options) {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel),
                     listed(options.stride.value_or(kernel)), listed(options.padding));
}

// The operation for a number of dimensions.
template <int dimensions, class Function>
constexpr Function* choose(Function* one, Function* two, Function* three) {
  return dimensions == 1 ? one : dimensions == 2 ? two : three;
}

}  // namespace

template <int dimensions>
Tensor MaxPool<dimensions>::forward(Tensor input) {
  return choose<dimensions>(max_pool1d, max_pool2d, max_pool3d)(
      input, kernel_, options_.stride, options_.padding, options_.dilation, options_.ceil_mode, false);
}
template <int dimensions>
std::string MaxPool<dimensions>::settings() const {
  return window_settings(kernel_, options_);
}

template <int dimensions>
Tensor AvgPool<dimensions>::forward(Tensor input) {
  const auto run = [&](auto* operation, auto... divisor) {
    return operation(input, kernel_, options_.stride, options_.padding, options_.ceil_mode,
                     options_.count_include_pad, divisor...);
  };
  if constexpr (dimensions == 1) return run(avg_pool1d);
  else return run(dimensions == 2 ? avg_pool2d : avg_pool3d, OptionalInt());
}
template <int dimensions>
std::string AvgPool<dimensions>::settings() const {
  return window_settings(kernel_, options_);
}

template <int dimensions>
Tensor AdaptiveMaxPool<dimensions>::forward(Tensor input) {
  return choose<dimensions>(adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d)(
      input, output_size_, false);
}
template <int dimensions>
std::string AdaptiveMaxPool<dimensions>::settings() const {
  return "output_size=" + listed(output_size_);
}

template <int dimensions>
Tensor AdaptiveAvgPool<dimensions>::forward(Tensor input) {
  return choose<dimensions>(adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)(input,
                                                                                           output_size_);
}
template <int dimensions>
std::string AdaptiveAvgPool<dimensions>::settings() const {
  return "output_size=" + listed(output_size_);
}

#define PHLOX_POOLING(dimensions)             \
  template class MaxPool<dimensions>;         \
  template class AvgPool<dimensions>;         \
  template class AdaptiveMaxPool<dimensions>; \
  template class AdaptiveAvgPool<dimensions>;
PHLOX_POOLING(1)
PHLOX_POOLING(2)
PHLOX_POOLING(3)
#undef PHLOX_POOLING

}  // namespace phlox::nn
