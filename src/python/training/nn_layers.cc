// The layers: for each class its constructor with PyTorch's argument names. All else comes from the C++
// class.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "python/training/module_class.h"
#include "python/training/nn.h"
#include "phlox/nn/convolution.h"
#include "phlox/nn/dropout.h"
#include "phlox/nn/fold.h"
#include "phlox/nn/linear.h"
#include "phlox/nn/normalization.h"
#include "phlox/nn/padding.h"
#include "phlox/nn/pooling.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

using Integer = std::int64_t;

using Padding = std::variant<DimList, std::string>;

// One entry for each spatial dimension, as attributes and operations have them.
template <class Layer>
void add_convolution(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, Integer in_channels, Integer out_channels, DimList kernel_size,
         DimList stride, const Padding& padding, DimList dilation, Integer groups, bool bias,
         const std::string& padding_mode) {
        const auto amounts = std::visit([](const auto& given) { return nn::ConvPadding(given); }, padding);
        make(in_channels, out_channels,
             nn::ConvOptions{kernel_size, stride, amounts, dilation, groups, bias, padding_mode});
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
      "p"_a = 0.5, "inplace"_a = false)
      .def_prop_rw(
          "p", [](const Layer& self) { return self.p(); },
          [](nb::pointer_and_handle<Layer> self, double p) {
            self.p->set_p(p);
            self.h.attr("_arguments")["p"] = p;  // for its text form
          },
          "The probability; captured functions follow when it is set.");
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

// None is the size that the input has, -1 in C++.
using SizesToKeep = std::variant<DimList, std::vector<std::optional<std::int64_t>>>;
DimList sizes_of(const SizesToKeep& given) {
  if (const auto* sizes = std::get_if<DimList>(&given)) return *sizes;
  DimList sizes;
  for (const auto& size : std::get<1>(given)) sizes.push_back(size.value_or(-1));
  return sizes;
}

template <class Layer>
void add_adaptive_pool(nb::module_& m, const char* name, const char* documentation) {
  add_layer<Layer>(
      m, name, documentation,
      [](const Maker<Layer>& make, const SizesToKeep& output_size) { make(sizes_of(output_size)); },
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
      m, "Linear",
      "y = x W^T + b. Input [..., in_features], output [..., out_features].\n\n"
      "Weight [out_features, in_features], bias [out_features] or None.\n\n"
      "Example:\n"
      "    nn.Linear(3, 2)(px.zeros(8, 3)).shape  # [8, 2]",
      [](const Maker<nn::Linear>& make, Integer in_features, Integer out_features, bool bias) {
        make(in_features, out_features, nn::LinearOptions{bias});
      },
      "in_features"_a, "out_features"_a, "bias"_a = true)
      .def("reset_parameters", &nn::Linear::reset_parameters, "Draws new starting values.");
  add_layer<nn::Bilinear>(
      m, "Bilinear",
      "y = x1^T W x2 + b. Inputs [..., in1_features] and [..., in2_features], output [..., "
      "out_features].\n\n"
      "Example:\n"
      "    nn.Bilinear(3, 4, 2)(px.zeros(8, 3), px.zeros(8, 4)).shape  # [8, 2]",
      [](const Maker<nn::Bilinear>& make, Integer in1_features, Integer in2_features, Integer out_features,
         bool bias) { make(in1_features, in2_features, out_features, nn::LinearOptions{bias}); },
      "in1_features"_a, "in2_features"_a, "out_features"_a, "bias"_a = true)
      .def(
          "forward",
          [](nn::Bilinear& self, const Tensor& input1, const Tensor& input2) {
            return self.nn::Bilinear::forward(input1, input2);
          },
          "input1"_a, "input2"_a, "What the layer computes.");
  add_layer<nn::Embedding>(
      m, "Embedding",
      "Rows of a table by their index: int64[...] gives [..., embedding_dim].\n\n"
      "The row `padding_idx` starts as zeros and is not trained. Raises IndexError for an index that "
      "the table does not have.\n\n"
      "Example:\n"
      "    nn.Embedding(10, 3)(px.tensor([[0, 9]])).shape  # [1, 2, 3]",
      [](const Maker<nn::Embedding>& make, Integer num_embeddings, Integer embedding_dim,
         OptionalInt padding_idx) { make(num_embeddings, embedding_dim, nn::EmbeddingOptions{padding_idx}); },
      "num_embeddings"_a, "embedding_dim"_a, "padding_idx"_a.none() = nb::none());
  add_layer<nn::Identity>(m, "Identity",
                          "Gives its input, of any shape and dtype.\n\n"
                          "Example:\n"
                          "    nn.Identity()(px.zeros(2, 3)).shape  # [2, 3]",
                          [](const Maker<nn::Identity>& make) { make(); });
  add_layer<nn::Flatten>(
      m, "Flatten",
      "Joins the dimensions from start_dim to end_dim.\n\n"
      "Example:\n"
      "    nn.Flatten()(px.zeros(8, 3, 4)).shape  # [8, 12]",
      [](const Maker<nn::Flatten>& make, Integer start_dim, Integer end_dim) { make(start_dim, end_dim); },
      "start_dim"_a = 1, "end_dim"_a = -1);
  add_layer<nn::Unflatten>(
      m, "Unflatten",
      "Cuts dimension `dim` into several, of sizes unflattened_size. Raises ShapeError when their "
      "product differs.\n\n"
      "Example:\n"
      "    nn.Unflatten(1, (3, 4))(px.zeros(8, 12)).shape  # [8, 3, 4]",
      [](const Maker<nn::Unflatten>& make, Integer dim, DimList unflattened_size) {
        make(dim, Shape(unflattened_size));
      },
      "dim"_a, "unflattened_size"_a);
}

void add_normalisations(nb::module_& m) {
  PHLOX_LAYERS(add_batch_norm, BatchNorm,
               "Normalises each channel of [N, num_features, size...] over the batch and the other "
               "dimensions.\n\n"
               "In training with the batch's own mean and variance, of which running ones are kept; in "
               "evaluation with those. `momentum` None keeps the plain mean of all batches.\n\n"
               "Example:\n"
               "    nn.BatchNorm2d(3)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 4]\n\n"
               "Source: Ioffe, Szegedy 2015, arXiv:1502.03167.");
  PHLOX_LAYERS(add_instance_norm, InstanceNorm,
               "Normalises each channel of each example: input and output [N, num_features, size...].\n\n"
               "Example:\n"
               "    nn.InstanceNorm2d(3)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 4]\n\n"
               "Source: Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022.");
  add_layer<nn::LayerNorm>(
      m, "LayerNorm",
      "Normalises over the last dimensions, of sizes normalized_shape. Raises ShapeError for an input "
      "without them.\n\n"
      "Example:\n"
      "    nn.LayerNorm([3, 4])(px.zeros(8, 3, 4)).shape  # [8, 3, 4]\n\n"
      "Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.",
      [](const Maker<nn::LayerNorm>& make, DimList normalized_shape, double eps, bool elementwise_affine,
         bool bias) { make(normalized_shape, nn::LayerNormOptions{eps, elementwise_affine, bias}); },
      "normalized_shape"_a, "eps"_a = 1e-5, "elementwise_affine"_a = true, "bias"_a = true);
  add_layer<nn::RMSNorm>(
      m, "RMSNorm",
      "Divides by the root of the mean square over the last dimensions, of sizes normalized_shape.\n\n"
      "Example:\n"
      "    nn.RMSNorm(4)(px.zeros(8, 4)).shape  # [8, 4]\n\n"
      "Source: Zhang, Sennrich 2019, arXiv:1910.07467.",
      [](const Maker<nn::RMSNorm>& make, DimList normalized_shape, OptionalDouble eps,
         bool elementwise_affine) { make(normalized_shape, nn::RMSNormOptions{eps, elementwise_affine}); },
      "normalized_shape"_a, "eps"_a.none() = nb::none(), "elementwise_affine"_a = true);
  add_layer<nn::GroupNorm>(
      m, "GroupNorm",
      "Normalises groups of channels of each example: input and output [N, num_channels, size...].\n\n"
      "Raises ValueError unless num_groups divides num_channels.\n\n"
      "Example:\n"
      "    nn.GroupNorm(2, 6)(px.zeros(8, 6, 4, 4)).shape  # [8, 6, 4, 4]\n\n"
      "Source: Wu, He 2018, arXiv:1803.08494.",
      [](const Maker<nn::GroupNorm>& make, Integer num_groups, Integer num_channels, double eps,
         bool affine) { make(num_groups, num_channels, nn::GroupNormOptions{eps, affine}); },
      "num_groups"_a, "num_channels"_a, "eps"_a = 1e-5, "affine"_a = true);
}

}  // namespace

void add_layers(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  add_shape_layers(m);
  add_normalisations(m);
  PHLOX_LAYERS(
      add_convolution, Conv,
      "Convolution of [N, in_channels, size...] or of one example without N; gives [N, out_channels, "
      "size...].\n\n"
      "A size becomes (size + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1, rounded down. "
      "Raises ValueError unless `groups` divides both numbers of channels, ShapeError for other "
      "inputs.\n\n"
      "Example:\n"
      "    nn.Conv2d(1, 16, 3, padding=1)(px.zeros(8, 1, 28, 28)).shape  # [8, 16, 28, 28]\n\n"
      "Source: LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition.");
  PHLOX_LAYERS(
      add_transposed_convolution, ConvTranspose,
      "The transpose of a convolution: [N, in_channels, size...] gives [N, out_channels, size...].\n\n"
      "A size becomes (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + "
      "1.\n\n"
      "Example:\n"
      "    nn.ConvTranspose2d(3, 2, 2, stride=2)(px.zeros(8, 3, 4, 4)).shape  # [8, 2, 8, 8]\n\n"
      "Source: Zeiler et al. 2010, Deconvolutional networks.");
  PHLOX_LAYERS(
      add_dropout, Dropout,
      "In training, whole channels of [N, C, size...] become zero with probability p, and the others "
      "grow by 1 / (1 - p).\n\n"
      "In evaluation it gives its input. Raises ValueError unless 0 <= p <= 1.\n\n"
      "Example:\n"
      "    nn.Dropout2d(0.2)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 4]\n\n"
      "Source: Tompson et al. 2014, arXiv:1411.4280.");
  add_dropout<nn::Dropout>(
      m, "Dropout",
      "In training, values become zero with probability p, and the others grow by 1 / (1 - p); any "
      "shape.\n\n"
      "In evaluation it gives its input. Raises ValueError unless 0 <= p <= 1.\n\n"
      "Example:\n"
      "    nn.Dropout(0.2)(px.zeros(8, 3)).shape  # [8, 3]\n\n"
      "Source: Srivastava et al. 2014, JMLR 15.");
  PHLOX_LAYERS(add_max_pool, MaxPool,
               "The largest value of a moving window over [N, C, size...]. `stride` is kernel_size unless "
               "given.\n\n"
               "Example:\n"
               "    nn.MaxPool2d(2)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 2, 2]");
  PHLOX_LAYERS(add_avg_pool, AvgPool,
               "The mean of a moving window over [N, C, size...]. `stride` is kernel_size unless given.\n\n"
               "Example:\n"
               "    nn.AvgPool2d(2)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 2, 2]");
  PHLOX_LAYERS(add_adaptive_pool, AdaptiveMaxPool,
               "The largest value of windows over [N, C, size...], as many as output_size says.\n\n"
               "Example:\n"
               "    nn.AdaptiveMaxPool2d(2)(px.zeros(8, 3, 5, 7)).shape  # [8, 3, 2, 2]");
  PHLOX_LAYERS(add_adaptive_pool, AdaptiveAvgPool,
               "The mean of windows over [N, C, size...], as many as output_size says.\n\n"
               "Example:\n"
               "    nn.AdaptiveAvgPool2d(1)(px.zeros(8, 3, 5, 7)).shape  # [8, 3, 1, 1]");
  add_layer<nn::Unfold>(
      m, "Unfold",
      "The windows of images [N, C, height, width], or of one without N, as columns [N, C * window, number "
      "of windows].\n\n"
      "Raises ShapeError where a window does not fit.\n\n"
      "Example:\n"
      "    nn.Unfold(2)(px.zeros(8, 3, 4, 4)).shape  # [8, 12, 9]",
      [](const Maker<nn::Unfold>& make, DimList kernel_size, DimList dilation, DimList padding,
         DimList stride) { make(kernel_size, nn::FoldOptions{dilation, padding, stride}); },
      "kernel_size"_a, "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1);
  add_layer<nn::Fold>(
      m, "Fold",
      "The transpose of Unfold: columns [N, C * window, number of windows] added up to images [N, C, "
      "output_size...].\n\n"
      "Raises ShapeError for columns of other windows.\n\n"
      "Example:\n"
      "    nn.Fold(4, 2)(px.zeros(8, 12, 9)).shape  # [8, 3, 4, 4]",
      [](const Maker<nn::Fold>& make, DimList output_size, DimList kernel_size, DimList dilation,
         DimList padding,
         DimList stride) { make(output_size, kernel_size, nn::FoldOptions{dilation, padding, stride}); },
      "output_size"_a, "kernel_size"_a, "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1);
  PHLOX_LAYERS(add_padding, ZeroPad,
               "Zeros around the last dimensions; `padding` counts before and after each, from the last "
               "dimension on.\n\n"
               "Example:\n"
               "    nn.ZeroPad2d((1, 2, 0, 0))(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 7]");
  PHLOX_LAYERS(
      add_padding, ReflectionPad,
      "Reflections around the last dimensions; `padding` counts before and after each, from the last "
      "dimension on.\n\n"
      "Example:\n"
      "    nn.ReflectionPad2d((1, 2, 0, 0))(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 7]");
  PHLOX_LAYERS(
      add_padding, ReplicationPad,
      "The edges repeated around the last dimensions; `padding` counts before and after each, from the "
      "last dimension on.\n\n"
      "Example:\n"
      "    nn.ReplicationPad2d((1, 2, 0, 0))(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 7]");
  PHLOX_LAYERS(
      add_padding, CircularPad,
      "The other end around the last dimensions; `padding` counts before and after each, from the last "
      "dimension on.\n\n"
      "Example:\n"
      "    nn.CircularPad2d((1, 2, 0, 0))(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 7]");
  PHLOX_LAYERS(add_constant_padding, ConstantPad,
               "A value around the last dimensions; `padding` counts before and after each, from the last "
               "dimension on.\n\n"
               "Example:\n"
               "    nn.ConstantPad2d((1, 2, 0, 0), 0.5)(px.zeros(8, 3, 4, 4)).shape  # [8, 3, 4, 7]");
}

}  // namespace phlox::python
