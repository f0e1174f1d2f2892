// Convolutions in one, two and three dimensions, and their transposes.
#pragma once

#include <string>

#include "phlox/nn/module.h"

namespace phlox::nn {

// How much to pad: numbers, or "same", which keeps the size, or "valid", nothing.
struct ConvPadding {
  DimList amounts = 0;  // one a dimension, or before and after for each
  std::string name;     // empty for numbers

  ConvPadding() = default;
  ConvPadding(std::int64_t amount) : amounts(amount) {}
  ConvPadding(int amount) : amounts(amount) {}
  ConvPadding(std::initializer_list<std::int64_t> list) : amounts(list) {}
  ConvPadding(const DimList& list) : amounts(list) {}
  ConvPadding(const char* padding) : name(padding) {}
  ConvPadding(const std::string& padding) : name(padding) {}
};

// One number stands for all dimensions: {.kernel = 3, .padding = 1}, or {.kernel = {3, 5}, .stride = {1, 2}}.
struct ConvOptions {
  DimList kernel = 1;
  DimList stride = 1;
  ConvPadding padding = 0;
  DimList dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  std::string padding_mode = "zeros";  // or "reflect", "replicate", "circular"
};

struct ConvTransposeOptions {
  DimList kernel = 1;
  DimList stride = 1;
  DimList padding = 0;
  DimList output_padding = 0;
  DimList dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

// Input [N, in_channels, spatial...] or without N; output [N, out_channels, spatial...] with
// (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1 along each spatial dimension. weight is
// [out, in / groups, kernel...], bias [out], both drawn from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
// Throws ValueError for channels that the groups do not divide, ShapeError for inputs that do not fit.
class ConvolutionBase : public Module {
 public:
  std::string settings() const override;
  void reset_parameters();

  Tensor weight, bias;
  const ConvOptions options;

 protected:
  ConvolutionBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                  const ConvOptions& options);
  // The input padded by hand where the mode is not zeros, and the padding left for the convolution.
  std::pair<Tensor, DimList> pad_input(const Tensor& input) const;
  OptionalTensor optional_bias() const { return bias.defined() ? OptionalTensor(bias) : OptionalTensor(); }
};

template <int dimensions>
class Conv : public ConvolutionBase {
 public:
  Conv(std::int64_t in_channels, std::int64_t out_channels, const ConvOptions& conv_options = {})
      : ConvolutionBase(dimensions, in_channels, out_channels, conv_options) {}
  Conv(Module* parent, const std::string& name, std::int64_t in_channels, std::int64_t out_channels,
       const ConvOptions& conv_options = {})
      : Conv(in_channels, out_channels, conv_options) {
    parent->register_module(name, *this);
  }
  Tensor forward(Tensor input) override;
};
struct Conv1d : Conv<1> {
  using Conv::Conv;
};
struct Conv2d : Conv<2> {
  using Conv::Conv;
};
struct Conv3d : Conv<3> {
  using Conv::Conv;
};

// The gradient of a convolution with respect to its input, as a layer. weight is [in, out / groups, kernel...]; the
// output has (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1 along each dimension.
class ConvTransposeBase : public Module {
 public:
  std::string settings() const override;
  void reset_parameters();

  Tensor weight, bias;
  const ConvTransposeOptions options;

 protected:
  ConvTransposeBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                    const ConvTransposeOptions& options);
  OptionalTensor optional_bias() const { return bias.defined() ? OptionalTensor(bias) : OptionalTensor(); }
};

template <int dimensions>
class ConvTranspose : public ConvTransposeBase {
 public:
  ConvTranspose(std::int64_t in_channels, std::int64_t out_channels,
                const ConvTransposeOptions& conv_options = {})
      : ConvTransposeBase(dimensions, in_channels, out_channels, conv_options) {}
  ConvTranspose(Module* parent, const std::string& name, std::int64_t in_channels, std::int64_t out_channels,
                const ConvTransposeOptions& conv_options = {})
      : ConvTranspose(in_channels, out_channels, conv_options) {
    parent->register_module(name, *this);
  }
  Tensor forward(Tensor input) override;
};
struct ConvTranspose1d : ConvTranspose<1> {
  using ConvTranspose::ConvTranspose;
};
struct ConvTranspose2d : ConvTranspose<2> {
  using ConvTranspose::ConvTranspose;
};
struct ConvTranspose3d : ConvTranspose<3> {
  using ConvTranspose::ConvTranspose;
};

}  // namespace phlox::nn
