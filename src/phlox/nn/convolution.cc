#include "phlox/nn/convolution.h"

#include <fmt/format.h>

#include <cmath>

#include "phlox/nn/init.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

// One entry for each spatial dimension.
DimList spread(const char* setting, const DimList& values, int dimensions) {
  if (values.size() == static_cast<std::size_t>(dimensions)) return values;
  if (values.size() == 1) return DimList(IntList(static_cast<std::size_t>(dimensions), values[0]));
  fail<ValueError>(ErrorCode::invalid_value, "convolution: {} has {} numbers for {} dimensions", setting,
                   values.size(), dimensions)
      .raise();
}

void check_channels(std::int64_t in_channels, std::int64_t out_channels, std::int64_t groups) {
  if (groups > 0 && in_channels > 0 && out_channels > 0 && in_channels % groups == 0 &&
      out_channels % groups == 0) {
    return;
  }
  fail<ValueError>(ErrorCode::invalid_value,
                   "convolution: {} input and {} output channels cannot be cut into {} groups", in_channels,
                   out_channels, groups)
      .raise();
}

Tensor make_weight(std::int64_t first, std::int64_t second, const DimList& kernel) {
  Shape shape{first, second};
  for (std::int64_t size : kernel) shape.push_back(size);
  return make_parameter(make_tensor(shape, default_dtype()));
}

void draw(const Tensor& weight, const Tensor& bias) {
  const auto fan_in = static_cast<double>(std::max<std::int64_t>(init::calculate_fans(weight).in, 1));
  const double bound = 1 / std::sqrt(fan_in);
  init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}

ConvOptions spread_all(ConvOptions options, int dimensions) {
  options.kernel = spread("kernel", options.kernel, dimensions);
  options.stride = spread("stride", options.stride, dimensions);
  options.dilation = spread("dilation", options.dilation, dimensions);
  DimList& amounts = options.padding.amounts;
  const std::string& name = options.padding.name;
  if (name.empty()) {
    if (amounts.size() != 2 * static_cast<std::size_t>(dimensions))
      amounts = spread("padding", amounts, dimensions);
    return options;
  }
  if (name != "same" && name != "valid")
    fail<ValueError>(ErrorCode::unknown_name, "convolution: the padding \"{}\" is not known", name)
        .hint("\"same\", \"valid\" or numbers")
        .raise();
  amounts = DimList();
  for (std::size_t d = 0; d < static_cast<std::size_t>(dimensions); ++d) {
    if (name == "same" && options.stride[d] != 1)
      fail<ValueError>(ErrorCode::invalid_value, "convolution: padding=\"same\" needs a stride of 1").raise();
    const std::int64_t total = name == "same" ? options.dilation[d] * (options.kernel[d] - 1) : 0;
    amounts.push_back(total / 2);
    amounts.push_back(total - total / 2);
  }
  return options;
}

ConvTransposeOptions spread_all(ConvTransposeOptions options, int dimensions) {
  options.kernel = spread("kernel", options.kernel, dimensions);
  options.stride = spread("stride", options.stride, dimensions);
  options.padding = spread("padding", options.padding, dimensions);
  options.output_padding = spread("output_padding", options.output_padding, dimensions);
  options.dilation = spread("dilation", options.dilation, dimensions);
  return options;
}

std::string listed(const DimList& values) { return '(' + phlox::to_string(values) + ')'; }

}  // namespace

ConvolutionBase::ConvolutionBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                                 const ConvOptions& conv_options)
    : options(spread_all(conv_options, dimensions)) {
  check_channels(in_channels, out_channels, options.groups);
  const std::string& mode = options.padding_mode;
  if (mode != "zeros" && mode != "reflect" && mode != "replicate" && mode != "circular") {
    fail<ValueError>(ErrorCode::unknown_name, "convolution: the padding mode \"{}\" is not known", mode)
        .hint("zeros, reflect, replicate or circular")
        .raise();
  }
  weight = make_weight(out_channels, in_channels / options.groups, options.kernel);
  if (options.bias) bias = make_parameter(make_tensor({out_channels}, default_dtype()));
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
  reset_parameters();
}

void ConvolutionBase::reset_parameters() { draw(weight, bias); }

std::pair<Tensor, DimList> ConvolutionBase::pad_input(const Tensor& input) const {
  const DimList& padding = options.padding.amounts;
  if (options.padding_mode == "zeros") return {input, padding};
  Integers amounts;  // from the last dimension on, before and after
  const std::size_t dimensions = options.kernel.size(), sides = padding.size() / dimensions;
  for (std::size_t d = dimensions; d-- > 0;) {
    amounts.push_back(padding[d * sides]);
    amounts.push_back(padding[d * sides + sides - 1]);
  }
  return {phlox::pad(input, amounts, options.padding_mode), DimList(0)};
}

std::string ConvolutionBase::settings() const {
  std::string text =
      fmt::format("{}, {}, kernel={}, stride={}, padding={}", weight.size(1) * options.groups, weight.size(0),
                  listed(options.kernel), listed(options.stride),
                  options.padding.name.empty() ? listed(options.padding.amounts) : options.padding.name);
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!options.bias) text += ", bias=false";
  return text;
}

ConvTransposeBase::ConvTransposeBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                                     const ConvTransposeOptions& conv_options)
    : options(spread_all(conv_options, dimensions)) {
  check_channels(in_channels, out_channels, options.groups);
  weight = make_weight(in_channels, out_channels / options.groups, options.kernel);
  if (options.bias) bias = make_parameter(make_tensor({out_channels}, default_dtype()));
  register_parameter("weight", &weight);
  register_parameter("bias", &bias);
  reset_parameters();
}

void ConvTransposeBase::reset_parameters() { draw(weight, bias); }

std::string ConvTransposeBase::settings() const {
  std::string text =
      fmt::format("{}, {}, kernel={}, stride={}, padding={}", weight.size(0), weight.size(1) * options.groups,
                  listed(options.kernel), listed(options.stride), listed(options.padding));
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!options.bias) text += ", bias=false";
  return text;
}

template <int dimensions>
Tensor Conv<dimensions>::forward(Tensor input) {
  constexpr auto* operation = dimensions == 1 ? conv1d : dimensions == 2 ? conv2d : conv3d;
  const auto [padded, padding] = pad_input(input);
  return operation(padded, weight, optional_bias(), options.stride, padding, options.dilation,
                   options.groups);
}
template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

template <int dimensions>
Tensor ConvTranspose<dimensions>::forward(Tensor input) {
  constexpr auto* operation = dimensions == 1   ? conv_transpose1d
                              : dimensions == 2 ? conv_transpose2d
                                                : conv_transpose3d;
  return operation(input, weight, optional_bias(), options.stride, options.padding, options.output_padding,
                   options.groups, options.dilation);
}
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

}  // namespace phlox::nn
