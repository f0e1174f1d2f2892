#include "phlox/nn/fold.h"

#include <fmt/format.h>

#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

std::string listed(const DimList& values) { return '(' + phlox::to_string(values) + ')'; }

std::string describe(const DimList& kernel, const FoldOptions& options) {
  return fmt::format("kernel={}, dilation={}, padding={}, stride={}", listed(kernel),
                     listed(options.dilation), listed(options.padding), listed(options.stride));
}

}  // namespace

Tensor Unfold::forward(Tensor input) {
  return im2col(input, kernel_, options_.dilation, options_.padding, options_.stride);
}
std::string Unfold::settings() const { return describe(kernel_, options_); }

Tensor Fold::forward(Tensor input) {
  return col2im(input, output_size_, kernel_, options_.dilation, options_.padding, options_.stride);
}
std::string Fold::settings() const {
  return fmt::format("output_size={}, {}", listed(output_size_), describe(kernel_, options_));
}

}  // namespace phlox::nn
