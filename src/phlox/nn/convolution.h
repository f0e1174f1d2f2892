// Convolutions in one, two and three dimensions, and their transposes.
#pragma once

#include <string>

#include "phlox/nn/module.h"

namespace phlox::nn {

// How much to pad: numbers, or "same", which keeps the size, or "valid", nothing.
struct ConvPadding {
  DimList amounts = 0;  // one a dimension, or before and after for each
  std::string name;     // empty for numbers

  // No padding.
  ConvPadding() = default;
  // The same on all sides.
  ConvPadding(std::int64_t amount) : amounts(amount) {}
  // The same on all sides.
  ConvPadding(int amount) : amounts(amount) {}
  // One amount for each spatial dimension.
  ConvPadding(std::initializer_list<std::int64_t> list) : amounts(list) {}
  // One amount for each spatial dimension.
  ConvPadding(const DimList& list) : amounts(list) {}
  // "same" or "valid".
  ConvPadding(const char* padding) : name(padding) {}
  // "same" or "valid".
  ConvPadding(const std::string& padding) : name(padding) {}
};

// One number stands for all dimensions: {.kernel = 3, .padding = 1}, or {.kernel = {3, 5}, .stride = {1, 2}}.
struct ConvOptions {
  DimList kernel = 1;                  // size of the window
  DimList stride = 1;                  // step from window to window
  ConvPadding padding = 0;             // zeros, or what padding_mode says, around the input
  DimList dilation = 1;                // distance of the elements of a window
  std::int64_t groups = 1;             // parts of the channels that do not see each other
  bool bias = true;                    // whether a number is added to each channel
  std::string padding_mode = "zeros";  // or "reflect", "replicate", "circular"
};

// Settings of transposed convolutions, by the convolution that they are the transpose of.
struct ConvTransposeOptions {
  DimList kernel = 1;          // size of the window
  DimList stride = 1;          // step between the places of neighbouring inputs in the output
  DimList padding = 0;         // what is cut off the output on each side
  DimList output_padding = 0;  // what is added to the output at the end, to choose among sizes
  DimList dilation = 1;        // distance of the elements of a window
  std::int64_t groups = 1;     // parts of the channels that do not see each other
  bool bias = true;            // whether a number is added to each channel
};

// Input [N, in_channels, spatial...] or without N; output [N, out_channels, spatial...] with
// (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1 along each spatial dimension. weight is
// [out, in / groups, kernel...], bias [out], both drawn from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
// Throws ValueError for channels that the groups do not divide, ShapeError for inputs that do not fit.
class ConvolutionBase : public Module {
 public:
  std::string settings() const override;
  // Draws weight and bias anew.
  void reset_parameters();

  Tensor weight, bias;        // bias is undefined without one
  const ConvOptions options;  // as they were given

 protected:
  ConvolutionBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                  const ConvOptions& options);
  // The input padded by hand where the mode is not zeros, and the padding left for the convolution.
  std::pair<Tensor, DimList> pad_input(const Tensor& input) const;
  OptionalTensor optional_bias() const { return bias.defined() ? OptionalTensor(bias) : OptionalTensor(); }
};

// A convolution over `dimensions` spatial dimensions.
template <int dimensions>
class Conv : public ConvolutionBase {
 public:
  // {.kernel = 3} is the least that one gives.
  Conv(std::int64_t in_channels, std::int64_t out_channels, const ConvOptions& conv_options = {})
      : ConvolutionBase(dimensions, in_channels, out_channels, conv_options) {}
  Conv(Module* parent, const std::string& name, std::int64_t in_channels, std::int64_t out_channels,
       const ConvOptions& conv_options = {})
      : Conv(in_channels, out_channels, conv_options) {
    parent->register_module(name, *this);
  }
  Tensor forward(Tensor input) override;
};
// Over signals [N, C, length].
struct Conv1d : Conv<1> {
  using Conv::Conv;
};
// Over images [N, C, height, width].
struct Conv2d : Conv<2> {
  using Conv::Conv;
};
// Over volumes [N, C, depth, height, width].
struct Conv3d : Conv<3> {
  using Conv::Conv;
};

// The gradient of a convolution with respect to its input, as a layer. weight is [in, out / groups, kernel...]; the
// output has (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1 along each dimension.
class ConvTransposeBase : public Module {
 public:
  std::string settings() const override;
  // Draws weight and bias anew.
  void reset_parameters();

  Tensor weight, bias;                 // bias is undefined without one
  const ConvTransposeOptions options;  // as they were given

 protected:
  ConvTransposeBase(int dimensions, std::int64_t in_channels, std::int64_t out_channels,
                    const ConvTransposeOptions& options);
  OptionalTensor optional_bias() const { return bias.defined() ? OptionalTensor(bias) : OptionalTensor(); }
};

// A transposed convolution over `dimensions` spatial dimensions.
template <int dimensions>
class ConvTranspose : public ConvTransposeBase {
 public:
  // {.kernel = 2, .stride = 2} doubles the size.
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
// To signals [N, C, length].
struct ConvTranspose1d : ConvTranspose<1> {
  using ConvTranspose::ConvTranspose;
};
// To images [N, C, height, width].
struct ConvTranspose2d : ConvTranspose<2> {
  using ConvTranspose::ConvTranspose;
};
// To volumes [N, C, depth, height, width].
struct ConvTranspose3d : ConvTranspose<3> {
  using ConvTranspose::ConvTranspose;
};

}  // namespace phlox::nn
