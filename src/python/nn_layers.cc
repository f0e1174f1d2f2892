// The layers: for each class its constructor with PyTorch's argument names. All else comes from the C++
// class.

#include <array>

#include "module_class.h"
#include "nn.h"
#include "phlox/nn/convolution.h"
#include "phlox/nn/dropout.h"
#include "phlox/nn/linear.h"
#include "phlox/nn/normalization.h"
#include "phlox/nn/padding.h"
#include "phlox/nn/pooling.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

using Integer = std::int64_t;

// One entry for each spatial dimension, as attributes and operations have them.
template <class Layer>
void add_convolution(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, Integer in_channels, Integer out_channels, DimList kernel_size,
         DimList stride, DimList padding, DimList dilation, Integer groups, bool bias,
         const std::string& padding_mode) {
        make(in_channels, out_channels,
             nn::ConvOptions{kernel_size, stride, padding, dilation, groups, bias, padding_mode});
      },
      "in_channels"_a, "out_channels"_a, "kernel_size"_a, "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "groups"_a = 1, "bias"_a = true, "padding_mode"_a = "zeros")
      .def("reset_parameters", &Layer::reset_parameters, "Draws new starting values.");
}

template <class Layer>
void add_transposed_convolution(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, Integer in_channels, Integer out_channels, DimList kernel_size,
         DimList stride, DimList padding, DimList output_padding, Integer groups, bool bias,
         DimList dilation) {
        make(in_channels, out_channels,
             nn::ConvTransposeOptions{kernel_size, stride, padding, output_padding, dilation, groups, bias});
      },
      "in_channels"_a, "out_channels"_a, "kernel_size"_a, "stride"_a = 1, "padding"_a = 0,
      "output_padding"_a = 0, "groups"_a = 1, "bias"_a = true, "dilation"_a = 1)
      .def("reset_parameters", &Layer::reset_parameters, "Draws new starting values.");
}

template <class Layer>
void add_batch_norm(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, Integer num_features, double eps, OptionalDouble momentum, bool affine,
         bool track_running_stats) {
        make(num_features, nn::BatchNormOptions{eps, momentum, affine, track_running_stats});
      },
      "num_features"_a, "eps"_a = 1e-5, "momentum"_a.none() = 0.1, "affine"_a = true,
      "track_running_stats"_a = true);
}

template <class Layer>
void add_instance_norm(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, Integer num_features, double eps, double momentum, bool affine,
         bool track_running_stats) {
        make(num_features, nn::InstanceNormOptions{eps, momentum, affine, track_running_stats});
      },
      "num_features"_a, "eps"_a = 1e-5, "momentum"_a = 0.1, "affine"_a = false,
      "track_running_stats"_a = false);
}

template <class Layer>
void add_dropout(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation, [](const Maker<Layer>& make, double p, bool inplace) { make(p, inplace); },
      "p"_a = 0.5, "inplace"_a = false);
}

template <class Layer>
void add_max_pool(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, DimList kernel_size, OptionalDims stride, DimList padding,
         DimList dilation,
         bool ceil_mode) { make(kernel_size, nn::MaxPoolOptions{stride, padding, dilation, ceil_mode}); },
      "kernel_size"_a, "stride"_a.none() = nb::none(), "padding"_a = 0, "dilation"_a = 1,
      "ceil_mode"_a = false);
}

template <class Layer>
void add_avg_pool(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, DimList kernel_size, OptionalDims stride, DimList padding, bool ceil_mode,
         bool count_include_pad) {
        make(kernel_size, nn::AvgPoolOptions{stride, padding, ceil_mode, count_include_pad});
      },
      "kernel_size"_a, "stride"_a.none() = nb::none(), "padding"_a = 0, "ceil_mode"_a = false,
      "count_include_pad"_a = true);
}

template <class Layer>
void add_adaptive_pool(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation, [](const Maker<Layer>& make, DimList output_size) { make(output_size); },
      "output_size"_a);
}

template <class Layer>
void add_padding(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, DimList padding) { make(Integers(padding.begin(), padding.end())); },
      "padding"_a);
}

template <class Layer>
void add_constant_padding(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, DimList padding, double value) {
        make(Integers(padding.begin(), padding.end()), value);
      },
      "padding"_a, "value"_a);
}

// The variants for one, two and three spatial dimensions.
#define PHLOX_LAYERS(add, name, documentation)     \
  add<nn::name##1d>(m, #name "1d", documentation); \
  add<nn::name##2d>(m, #name "2d", documentation); \
  add<nn::name##3d>(m, #name "3d", documentation)

void add_shape_layers(nb::module_& m) {
  add_layer<nn::Linear>(
      m, "Linear", "y = x W^T + b. Input [..., in_features], output [..., out_features].",
      [](const Maker<nn::Linear>& make, Integer in_features, Integer out_features, bool bias) {
        make(in_features, out_features, nn::LinearOptions{bias});
      },
      "in_features"_a, "out_features"_a, "bias"_a = true)
      .def("reset_parameters", &nn::Linear::reset_parameters, "Draws new starting values.");
  add_layer<nn::Bilinear>(
      m, "Bilinear", "y = x1^T W x2 + b, for two inputs.",
      [](const Maker<nn::Bilinear>& make, Integer in1_features, Integer in2_features, Integer out_features,
         bool bias) { make(in1_features, in2_features, out_features, nn::LinearOptions{bias}); },
      "in1_features"_a, "in2_features"_a, "out_features"_a, "bias"_a = true)
      .def(
          "forward",
          [](nn::Bilinear& self, const Tensor& input1, const Tensor& input2) {
            return self.nn::Bilinear::forward(input1, input2);
          },
          "input1"_a, "input2"_a);
  add_layer<nn::Embedding>(
      m, "Embedding", "Rows of a table by their index: int64[...] gives [..., embedding_dim].",
      [](const Maker<nn::Embedding>& make, Integer num_embeddings, Integer embedding_dim,
         OptionalInt padding_idx) { make(num_embeddings, embedding_dim, nn::EmbeddingOptions{padding_idx}); },
      "num_embeddings"_a, "embedding_dim"_a, "padding_idx"_a.none() = nb::none());
  add_layer<nn::Identity>(m, "Identity", "Gives its input.", [](const Maker<nn::Identity>& make) { make(); });
  add_layer<nn::Flatten>(
      m, "Flatten", "Joins the dimensions from start_dim to end_dim.",
      [](const Maker<nn::Flatten>& make, Integer start_dim, Integer end_dim) { make(start_dim, end_dim); },
      "start_dim"_a = 1, "end_dim"_a = -1);
  add_layer<nn::Unflatten>(
      m, "Unflatten", "Cuts one dimension into several.",
      [](const Maker<nn::Unflatten>& make, Integer dim, DimList unflattened_size) {
        make(dim, Shape(unflattened_size));
      },
      "dim"_a, "unflattened_size"_a);
}

void add_normalisations(nb::module_& m) {
  PHLOX_LAYERS(add_batch_norm, BatchNorm,
               "Normalises each channel over the batch and the spatial dimensions.");
  PHLOX_LAYERS(add_instance_norm, InstanceNorm, "Normalises each channel of each example.");
  add_layer<nn::LayerNorm>(
      m, "LayerNorm", "Normalises over the last dimensions, of sizes normalized_shape.",
      [](const Maker<nn::LayerNorm>& make, DimList normalized_shape, double eps, bool elementwise_affine,
         bool bias) { make(normalized_shape, nn::LayerNormOptions{eps, elementwise_affine, bias}); },
      "normalized_shape"_a, "eps"_a = 1e-5, "elementwise_affine"_a = true, "bias"_a = true);
  add_layer<nn::RMSNorm>(
      m, "RMSNorm", "Divides by the root of the mean square over the last dimensions.",
      [](const Maker<nn::RMSNorm>& make, DimList normalized_shape, OptionalDouble eps,
         bool elementwise_affine) { make(normalized_shape, nn::RMSNormOptions{eps, elementwise_affine}); },
      "normalized_shape"_a, "eps"_a.none() = nb::none(), "elementwise_affine"_a = true);
  add_layer<nn::GroupNorm>(
      m, "GroupNorm", "Normalises groups of channels of each example.",
      [](const Maker<nn::GroupNorm>& make, Integer num_groups, Integer num_channels, double eps,
         bool affine) { make(num_groups, num_channels, nn::GroupNormOptions{eps, affine}); },
      "num_groups"_a, "num_channels"_a, "eps"_a = 1e-5, "affine"_a = true);
}

}  // namespace

void add_layers(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  add_shape_layers(m);
  add_normalisations(m);
  PHLOX_LAYERS(add_convolution, Conv, "Convolution of [N, in_channels, spatial...] or of one example.");
  PHLOX_LAYERS(add_transposed_convolution, ConvTranspose, "The transpose of a convolution.");
  PHLOX_LAYERS(add_dropout, Dropout, "In training, whole channels become zero with probability p.");
  add_dropout<nn::Dropout>(m, "Dropout", "In training, values become zero with probability p.");
  PHLOX_LAYERS(add_max_pool, MaxPool, "The largest value of a moving window.");
  PHLOX_LAYERS(add_avg_pool, AvgPool, "The mean of a moving window.");
  PHLOX_LAYERS(add_adaptive_pool, AdaptiveMaxPool, "The largest value of windows that give output_size.");
  PHLOX_LAYERS(add_adaptive_pool, AdaptiveAvgPool, "The mean of windows that give output_size.");
  PHLOX_LAYERS(add_padding, ZeroPad, "Zeros around the spatial dimensions.");
  PHLOX_LAYERS(add_padding, ReflectionPad, "Reflections around the spatial dimensions.");
  PHLOX_LAYERS(add_padding, ReplicationPad, "The edges repeated around the spatial dimensions.");
  PHLOX_LAYERS(add_padding, CircularPad, "The other end around the spatial dimensions.");
  PHLOX_LAYERS(add_constant_padding, ConstantPad, "A value around the spatial dimensions.");
}

}  // namespace phlox::python
