#include "phlox/nn/pooling.h"

#include <fmt/format.h>

#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

std::string listed(const DimList& values) { return '(' + phlox::to_string(values) + ')'; }

}  // namespace

Tensor MaxPool1d::forward(Tensor input) {
  return max_pool1d(input, kernel_, options_.stride, options_.padding, options_.dilation, options_.ceil_mode);
}
std::string MaxPool1d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor AvgPool1d::forward(Tensor input) {
  return avg_pool1d(input, kernel_, options_.stride, options_.padding, options_.ceil_mode,
                    options_.count_include_pad);
}
std::string AvgPool1d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor MaxPool2d::forward(Tensor input) {
  return max_pool2d(input, kernel_, options_.stride, options_.padding, options_.dilation, options_.ceil_mode);
}
std::string MaxPool2d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor AvgPool2d::forward(Tensor input) {
  return avg_pool2d(input, kernel_, options_.stride, options_.padding, options_.ceil_mode,
                    options_.count_include_pad);
}
std::string AvgPool2d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor MaxPool3d::forward(Tensor input) {
  return max_pool3d(input, kernel_, options_.stride, options_.padding, options_.dilation, options_.ceil_mode);
}
std::string MaxPool3d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor AvgPool3d::forward(Tensor input) {
  return avg_pool3d(input, kernel_, options_.stride, options_.padding, options_.ceil_mode,
                    options_.count_include_pad);
}
std::string AvgPool3d::settings() const {
  return fmt::format("kernel={}, stride={}, padding={}", listed(kernel_),
                     listed(options_.stride.value_or(kernel_)), listed(options_.padding));
}

Tensor AdaptiveMaxPool1d::forward(Tensor input) { return adaptive_max_pool1d(input, output_size_); }
std::string AdaptiveMaxPool1d::settings() const { return "output_size=" + listed(output_size_); }

Tensor AdaptiveAvgPool1d::forward(Tensor input) { return adaptive_avg_pool1d(input, output_size_); }
std::string AdaptiveAvgPool1d::settings() const { return "output_size=" + listed(output_size_); }

Tensor AdaptiveMaxPool2d::forward(Tensor input) { return adaptive_max_pool2d(input, output_size_); }
std::string AdaptiveMaxPool2d::settings() const { return "output_size=" + listed(output_size_); }

Tensor AdaptiveAvgPool2d::forward(Tensor input) { return adaptive_avg_pool2d(input, output_size_); }
std::string AdaptiveAvgPool2d::settings() const { return "output_size=" + listed(output_size_); }

Tensor AdaptiveMaxPool3d::forward(Tensor input) { return adaptive_max_pool3d(input, output_size_); }
std::string AdaptiveMaxPool3d::settings() const { return "output_size=" + listed(output_size_); }

Tensor AdaptiveAvgPool3d::forward(Tensor input) { return adaptive_avg_pool3d(input, output_size_); }
std::string AdaptiveAvgPool3d::settings() const { return "output_size=" + listed(output_size_); }

}  // namespace phlox::nn
