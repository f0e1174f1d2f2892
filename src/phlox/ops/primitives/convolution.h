// The convolution primitives. A convolution is bilinear in its input and its weight, so its two gradients are maps of
// the same kind, and the three are closed under differentiation: double backward needs nothing more.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// All lists have one entry a spatial dimension.
struct ConvolutionGeometry {
  IntList stride, padding_before, padding_after, dilation;
  std::int64_t groups = 1;
  template <class Visitor>
  void visit(Visitor& v) {
    v("stride", stride), v("padding_before", padding_before), v("padding_after", padding_after);
    v("dilation", dilation), v("groups", groups);
  }
};

// input [batch, channels, spatial...] of 1 to 3 spatial dimensions, weight [out, channels / groups, kernel...];
// gives [batch, out, spatial...], channels-last in memory. `bias` [out] is added. Shapes are the caller's to check.
Tensor convolve(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                const ConvolutionGeometry& geometry);
// The gradient with respect to the input, whose spatial sizes are `spatial`; also the transposed convolution of `output`.
Tensor convolution_data_gradient(const Tensor& output, const Tensor& weight, const Shape& spatial,
                                 const ConvolutionGeometry& geometry);
// The gradient with respect to the weight, whose kernel sizes are `kernel`; row-major.
Tensor convolution_weight_gradient(const Tensor& output, const Tensor& input, const Shape& kernel,
                                   const ConvolutionGeometry& geometry);

// [batch, channels, spatial...] with the channels innermost in memory; uninitialised.
Tensor make_channels_last(const Shape& shape, DType dtype, Device device);

enum class ConvolutionPart : std::uint8_t { output, input, weight };

// What a device must do: compute the one of the three tensors that `result` names from the two others.
struct ConvolutionCall {
  ConvolutionPart result;
  TensorImpl* input;
  TensorImpl* weight;
  TensorImpl* output;
  const TensorImpl* bias;  // or null; only when the result is the output
  const ConvolutionGeometry* geometry;
};

}  // namespace phlox
