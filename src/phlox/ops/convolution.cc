// The operations conv1d to conv3d and their transposes.
#include "phlox/ops/primitives/convolution.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

struct Operands {
  Tensor input, weight;
  OptionalTensor bias;
  bool unbatched = false;
};

// Brings the operands to one dtype and checks what does not depend on the direction.
Operands prepare(const char* operation, int dims, const Tensor& input, const Tensor& weight,
                 const OptionalTensor& bias, std::int64_t groups, std::int64_t channels,
                 std::int64_t out_channels) {
  Operands operands;
  operands.input = with_batch(input, dims, operation, operands.unbatched);
  if (weight.rank() != dims + 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: weight needs {} dimensions, not {}", operation, dims + 2,
                     weight.rank())
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .raise();
  if (groups < 1)
    fail<ValueError>(ErrorCode::invalid_value, "{}: groups must be at least 1, not {}", operation, groups)
        .raise();
  if (weight.size(0) % groups != 0)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: the {} channels of the weight do not divide into {} groups", operation,
                     weight.size(0), groups)
        .detail("weight", describe(weight))
        .raise();
  if (operands.input.size(1) != channels)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: input has {} channels, the weight takes {}{}", operation,
                     operands.input.size(1), channels, groups > 1 ? fmt::format(" in {} groups", groups) : "")
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .hint("channels are dimension 1; <input>.permute(0, 3, 1, 2) moves them there from the end")
        .raise();
  if (bias && (bias->rank() != 1 || bias->size(0) != out_channels))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: bias needs the shape [{}]", operation, out_channels)
        .detail("weight", describe(weight))
        .detail("bias", describe(*bias))
        .raise();
  for (int d = 2; d < weight.rank(); ++d)
    if (weight.size(d) == 0)
      fail<ShapeError>(ErrorCode::invalid_value, "{}: a kernel of size 0", operation)
          .detail("weight", describe(weight))
          .raise();
  DType dtype = promote(input.dtype(), weight.dtype());
  if (bias) dtype = promote(dtype, bias->dtype());
  if (dtype == DType::bool_ || is_complex(dtype) || !is_computable(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation, info(dtype).name)
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .hint("<input>.to(px.float32)")
        .raise();
  operands.input = operands.input.to(dtype);
  operands.weight = weight.to(dtype);
  if (bias) operands.bias = bias->to(dtype);
  return operands;
}

Tensor without_batch(const Tensor& result, const Operands& operands) {
  return operands.unbatched ? squeeze(result, 0) : result;
}

// Convolution is linear in both operands: a complex one is four real ones.
template <class Convolve>
Tensor of_complex_parts(const Tensor& input, const Tensor& weight, const OptionalTensor& bias, int dims,
                        const Convolve& convolve_real) {
  const DType dtype = bias ? promote(promote(input.dtype(), weight.dtype()), bias->dtype())
                           : promote(input.dtype(), weight.dtype());
  const Tensor x = input.to(dtype), w = weight.to(dtype);
  const Tensor a = real(x), b = imag(x), c = real(w), d = imag(w);
  Tensor result = phlox::complex(sub(convolve_real(a, c), convolve_real(b, d)),
                                 add(convolve_real(a, d), convolve_real(b, c)));
  if (!bias) return result;
  Shape channels(static_cast<std::size_t>(dims) + 1, 1);
  channels[0] = bias->numel();
  return add(result, reshape(bias->to(dtype), channels));
}

bool any_complex(const Tensor& input, const Tensor& weight, const OptionalTensor& bias) {
  return is_complex(input.dtype()) || is_complex(weight.dtype()) || (bias && is_complex(bias->dtype()));
}

Tensor conv(const char* operation, int dims, const Tensor& input, const Tensor& weight,
            const OptionalTensor& bias, const DimList& stride, const DimList& padding,
            const DimList& dilation, std::int64_t groups) {
  if (any_complex(input, weight, bias))
    return of_complex_parts(input, weight, bias, dims, [&](const Tensor& x, const Tensor& w) {
      return conv(operation, dims, x, w, {}, stride, padding, dilation, groups);
    });
  const Operands operands =
      prepare(operation, dims, input, weight, bias, groups, weight.rank() > 1 ? weight.size(1) * groups : 0,
              weight.rank() ? weight.size(0) : 0);
  ConvolutionGeometry geometry;
  geometry.groups = groups;
  geometry.stride = for_each_dimension(stride, dims, 1, operation, "stride");
  geometry.dilation = for_each_dimension(dilation, dims, 1, operation, "dilation");
  if (padding.rank() == 2 * dims && dims > 1) {  // before and after differ
    for (int d = 0; d < dims; ++d) {
      geometry.padding_before.push_back(padding[2 * d]);
      geometry.padding_after.push_back(padding[2 * d + 1]);
    }
    for_each_dimension(geometry.padding_before, dims, 0, operation, "padding");
    for_each_dimension(geometry.padding_after, dims, 0, operation, "padding");
  } else if (padding.rank() == 2 && dims == 1) {
    geometry.padding_before = for_each_dimension({padding[0]}, 1, 0, operation, "padding");
    geometry.padding_after = for_each_dimension({padding[1]}, 1, 0, operation, "padding");
  } else {
    geometry.padding_before = for_each_dimension(padding, dims, 0, operation, "padding");
    geometry.padding_after = geometry.padding_before;
  }
  for (int d = 0; d < dims; ++d) {
    const std::int64_t padded =
        operands.input.size(2 + d) + geometry.padding_before[d] + geometry.padding_after[d];
    const std::int64_t reach = geometry.dilation[d] * (weight.size(2 + d) - 1) + 1;
    if (padded < reach)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "{}: the kernel reaches over {} positions, the padded input has {}", operation, reach,
                       padded)
          .detail("input", describe(input))
          .detail("weight", describe(weight))
          .hint("a smaller kernel or dilation, or more padding")
          .raise();
  }
  return without_batch(convolve(operands.input, operands.weight, operands.bias, geometry), operands);
}

Tensor conv_transpose(const char* operation, int dims, const Tensor& input, const Tensor& weight,
                      const OptionalTensor& bias, const DimList& stride, const DimList& padding,
                      const DimList& output_padding, std::int64_t groups, const DimList& dilation) {
  if (any_complex(input, weight, bias))
    return of_complex_parts(input, weight, bias, dims, [&](const Tensor& x, const Tensor& w) {
      return conv_transpose(operation, dims, x, w, {}, stride, padding, output_padding, groups, dilation);
    });
  const std::int64_t out_channels = weight.rank() > 1 ? weight.size(1) * groups : 0;
  const Operands operands =
      prepare(operation, dims, input, weight, bias, groups, weight.rank() ? weight.size(0) : 0, out_channels);
  ConvolutionGeometry geometry;
  geometry.groups = groups;
  geometry.stride = for_each_dimension(stride, dims, 1, operation, "stride");
  geometry.dilation = for_each_dimension(dilation, dims, 1, operation, "dilation");
  geometry.padding_before = for_each_dimension(padding, dims, 0, operation, "padding");
  geometry.padding_after = geometry.padding_before;
  const IntList extra = for_each_dimension(output_padding, dims, 0, operation, "output_padding");
  Shape spatial;
  for (int d = 0; d < dims; ++d) {
    if (extra[d] >= std::max(geometry.stride[d], geometry.dilation[d]))
      fail<ValueError>(ErrorCode::invalid_value,
                       "{}: output_padding {} must be smaller than stride or dilation", operation, extra[d])
          .detail("stride", to_string(geometry.stride))
          .detail("dilation", to_string(geometry.dilation))
          .raise();
    spatial.push_back((operands.input.size(2 + d) - 1) * geometry.stride[d] - 2 * geometry.padding_before[d] +
                      geometry.dilation[d] * (weight.size(2 + d) - 1) + extra[d] + 1);
    if (extra[d] >= geometry.stride[d]) geometry.padding_after[d] -= extra[d];
    if (spatial[d] < 0)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: the padding leaves a result of size {}", operation,
                       spatial[d])
          .detail("input", describe(input))
          .detail("weight", describe(weight))
          .hint("less padding")
          .raise();
  }
  Tensor result = convolution_data_gradient(operands.input, operands.weight, spatial, geometry);
  if (operands.bias) {
    Shape shape(static_cast<std::size_t>(dims) + 2, 1);
    shape[1] = out_channels;
    result = add(result, reshape(*operands.bias, shape));
  }
  return without_batch(result, operands);
}

// "valid": none; "same": as much as keeps the size, one more at the end where it is odd.
DimList named_padding(const char* operation, const std::string& name, int dims, const Tensor& weight,
                      const DimList& stride, const DimList& dilation) {
  if (name == "valid") return 0;
  if (name != "same")
    fail<ValueError>(ErrorCode::unknown_name, "{}: the padding \"{}\" is not known", operation, name)
        .hint("\"same\", \"valid\" or numbers")
        .raise();
  const IntList steps = for_each_dimension(stride, dims, 1, operation, "stride"),
                gaps = for_each_dimension(dilation, dims, 1, operation, "dilation");
  DimList amounts;
  for (int d = 0; d < dims && d + 2 < weight.rank(); ++d) {
    if (steps[d] != 1)
      fail<ValueError>(ErrorCode::invalid_value, "{}: padding=\"same\" needs a stride of 1", operation)
          .raise();
    const std::int64_t total = gaps[d] * (weight.size(d + 2) - 1);
    amounts.push_back(total / 2);
    amounts.push_back(total - total / 2);
  }
  return amounts;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, conv1d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& dilation = 1, std::int64_t groups = 1),
    .doc =
        "Convolution over one dimension. input [batch, channels, length] or without batch, weight [out, "
        "channels / groups, kernel], bias [out]; gives [batch, out, length]. `padding` is one number, or one "
        "before and one after.",
    .source = "LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition",
    .family = Family::convolution, .home = "nn.functional", .method = false,
    .samples =
        "conv1d(A(2, 3, 8), A(4, 3, 3), A(4)); conv1d(A(4, 9), A(6, 2, 3), stride=2, padding=1, "
        "groups=2); conv1d(A(1, 2, 9), A(2, 2, 3), dilation=2, padding=[2, 1])",
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups);
}

PHLOX_OPERATION(
    Tensor, conv2d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& dilation = 1, std::int64_t groups = 1),
    .doc =
        "Convolution over two dimensions. input [batch, channels, height, width] or without batch, weight "
        "[out, channels / groups, kernel height, kernel width], bias [out]; gives [batch, out, height, "
        "width]. `padding` is one number, one a dimension, or before and after for each dimension.",
    .source = "LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition",
    .family = Family::convolution, .home = "nn.functional", .method = false,
    .samples =
        "conv2d(A(2, 3, 6, 5), A(4, 3, 3, 2), A(4), stride=2, padding=1); conv2d(A(4, 5, 5), A(4, 1, "
        "3, 3), groups=4); conv2d(A(1, 2, 7, 6), A(2, 2, 2, 3), dilation=[2, 1], padding=[1, 0, 2, 1])",
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups);
}

PHLOX_OPERATION(
    Tensor, conv3d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& dilation = 1, std::int64_t groups = 1),
    .doc =
        "Convolution over three dimensions. input [batch, channels, depth, height, width] or without batch, "
        "weight [out, channels / groups, kernel...], bias [out]; gives [batch, out, depth, height, width]. "
        "`padding` is one number, one a dimension, or before and after for each dimension.",
    .source = "Ji et al. 2010, 3D convolutional neural networks for human action recognition",
    .family = Family::convolution, .home = "nn.functional", .method = false,
    .samples =
        "conv3d(A(2, 2, 4, 5, 4), A(3, 2, 2, 3, 2), A(3), padding=1, stride=2); conv3d(A(2, 4, 4, 4), "
        "A(2, 1, 2, 2, 2), groups=2)",
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups);
}

PHLOX_OPERATION(
    Tensor, conv_transpose1d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& output_padding = 0, std::int64_t groups = 1,
     const DimList& dilation = 1),
    .doc =
        "The transpose of a convolution over one dimension, which undoes its change of shape. input [batch, "
        "channels, length], weight [channels, out / groups, kernel], bias [out].",
    .source = "Zeiler et al. 2010, Deconvolutional networks", .family = Family::convolution,
    .home = "nn.functional", .method = false,
    .samples = "conv_transpose1d(A(2, 3, 5), A(3, 4, 3), A(4), stride=2, padding=1, output_padding=1)",
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
                        dilation);
}

PHLOX_OPERATION(
    Tensor, conv_transpose2d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& output_padding = 0, std::int64_t groups = 1,
     const DimList& dilation = 1),
    .doc =
        "The transpose of a convolution over two dimensions, which undoes its change of shape. input "
        "[batch, channels, height, width], weight [channels, out / groups, kernel...], bias [out].",
    .source = "Zeiler et al. 2010, Deconvolutional networks", .family = Family::convolution,
    .home = "nn.functional", .method = false,
    .samples =
        "conv_transpose2d(A(2, 4, 3, 4), A(4, 2, 3, 3), A(4), stride=2, padding=1, output_padding=1, "
        "groups=2); conv_transpose2d(A(3, 3, 3), A(3, 2, 2, 2), dilation=2)",
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
                        dilation);
}

PHLOX_OPERATION(
    Tensor, conv_transpose3d,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& output_padding = 0, std::int64_t groups = 1,
     const DimList& dilation = 1),
    .doc =
        "The transpose of a convolution over three dimensions, which undoes its change of shape. input "
        "[batch, channels, depth, height, width], weight [channels, out / groups, kernel...], bias [out].",
    .source = "Zeiler et al. 2010, Deconvolutional networks", .family = Family::convolution,
    .home = "nn.functional", .method = false,
    .samples = "conv_transpose3d(A(2, 2, 2, 3, 2), A(2, 3, 2, 2, 2), A(3), stride=2)", .tolerance = 1e-4,
    .autocast = AutocastClass::lower_precision) {
  return conv_transpose("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
                        dilation);
}

PHLOX_OPERATION(Tensor, conv1d_named_padding,
                (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {},
                 const DimList& stride = 1, const std::string& padding = "valid", const DimList& dilation = 1,
                 std::int64_t groups = 1),
                .doc = "conv1d() with `padding` by name: \"same\" keeps the size, \"valid\" pads nothing.",
                .family = Family::convolution, .home = "nn.functional", .method = false,
                .samples = "conv1d_named_padding(A(2, 3, 8), A(4, 3, 4), padding='same')", .tolerance = 1e-4,
                .autocast = AutocastClass::lower_precision, .overload_of = "conv1d") {
  return conv1d(input, weight, bias, stride, named_padding("conv1d", padding, 1, weight, stride, dilation),
                dilation, groups);
}

PHLOX_OPERATION(Tensor, conv2d_named_padding,
                (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {},
                 const DimList& stride = 1, const std::string& padding = "valid", const DimList& dilation = 1,
                 std::int64_t groups = 1),
                .doc = "conv2d() with `padding` by name: \"same\" keeps the size, \"valid\" pads nothing.",
                .family = Family::convolution, .home = "nn.functional", .method = false,
                .samples = "conv2d_named_padding(A(2, 3, 6, 5), A(4, 3, 3, 2), padding='same', dilation=2)",
                .tolerance = 1e-4, .autocast = AutocastClass::lower_precision, .overload_of = "conv2d") {
  return conv2d(input, weight, bias, stride, named_padding("conv2d", padding, 2, weight, stride, dilation),
                dilation, groups);
}

PHLOX_OPERATION(Tensor, conv3d_named_padding,
                (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {},
                 const DimList& stride = 1, const std::string& padding = "valid", const DimList& dilation = 1,
                 std::int64_t groups = 1),
                .doc = "conv3d() with `padding` by name: \"same\" keeps the size, \"valid\" pads nothing.",
                .family = Family::convolution, .home = "nn.functional", .method = false,
                .samples = "conv3d_named_padding(A(1, 2, 3, 4, 3), A(2, 2, 2, 1, 3), padding='valid')",
                .tolerance = 1e-4, .autocast = AutocastClass::lower_precision, .overload_of = "conv3d") {
  return conv3d(input, weight, bias, stride, named_padding("conv3d", padding, 3, weight, stride, dilation),
                dilation, groups);
}

namespace {

Tensor conv_of_any_rank(const char* operation, const Tensor& input, const Tensor& weight,
                        const OptionalTensor& bias, const DimList& stride, const DimList& padding,
                        const DimList& dilation, std::int64_t groups) {
  const int dims = weight.rank() - 2;
  if (dims < 1 || dims > 3)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the weight has 1 to 3 spatial dimensions, not {}", operation,
                     dims)
        .detail("weight", describe(weight))
        .raise();
  return conv(operation, dims, input, weight, bias, stride, padding, dilation, groups);
}

// The channels of [batch, channels, spatial...] or without batch.
std::int64_t channels_of(const Tensor& input, const Tensor& weight) {
  return input.rank() > weight.rank() - 2 ? input.size(input.rank() - weight.rank() + 1) : 0;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, depthwise_conv,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}, const DimList& stride = 1,
     const DimList& padding = 0, const DimList& dilation = 1),
    .doc =
        "Convolution of each channel by itself, over 1 to 3 dimensions: input [batch, channels, ...] or without batch, weight [channels * multiplier, 1, kernel...].",
    .source = "Chollet 2016, arXiv:1610.02357", .family = Family::convolution, .home = "nn.functional",
    .method = false,
    .samples =
        "depthwise_conv(A(2, 3, 7), A(6, 1, 3)); depthwise_conv(A(1, 2, 5, 6), A(2, 1, 2, 3), A(2), stride=2, "
        "padding=1)") {
  if (weight.rank() < 3 || weight.rank() > input.rank() + 1)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "depthwise_conv: takes a weight [channels * multiplier, 1, kernel...]")
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .raise();
  return conv_of_any_rank("depthwise_conv", input, weight, bias, stride, padding, dilation,
                          channels_of(input, weight));
}

PHLOX_OPERATION(
    Tensor, separable_conv,
    (const Tensor& input, const Tensor& depthwise_weight, const Tensor& pointwise_weight,
     const OptionalTensor& bias = {}, const DimList& stride = 1, const DimList& padding = 0,
     const DimList& dilation = 1),
    .doc =
        "depthwise_conv() and then a convolution with `pointwise_weight` [out, channels * multiplier, 1...], which mixes channels.",
    .source = "Chollet 2016, arXiv:1610.02357", .family = Family::convolution, .home = "nn.functional",
    .method = false,
    .samples =
        "separable_conv(A(2, 3, 7), A(6, 1, 3), A(4, 6, 1)); separable_conv(A(1, 2, 5, 6), A(2, 1, 2, 3), "
        "A(3, 2, 1, 1), A(3), stride=2, padding=1)") {
  const Tensor channelwise = depthwise_conv(input, depthwise_weight, {}, stride, padding, dilation);
  return conv_of_any_rank("separable_conv", channelwise, pointwise_weight, bias, 1, 0, 1, 1);
}

}  // namespace phlox
