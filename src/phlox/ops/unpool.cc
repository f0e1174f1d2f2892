// Pooling with random windows, the inverse of max pooling, and the morphology of images.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

std::int64_t product_from(const Shape& shape, std::size_t first) {
  std::int64_t product = 1;
  for (std::size_t d = first; d < shape.size(); ++d) product *= shape[d];
  return product;
}

// The spatial sizes before max_pool: `output_size` where it is given, with or without batch and channels.
Shape sizes_before_pooling(const char* operation, int dims, const Tensor& input, const DimList& kernel_size,
                           const OptionalDims& stride, const DimList& padding,
                           const OptionalDims& output_size) {
  const IntList kernel = for_each_dimension(kernel_size, dims, 1, operation, "kernel_size");
  const IntList steps = stride ? for_each_dimension(*stride, dims, 1, operation, "stride") : kernel;
  const IntList margins = for_each_dimension(padding, dims, 0, operation, "padding");
  Shape sizes;
  for (int d = 0; d < dims; ++d)
    sizes.push_back((input.size(2 + d) - 1) * steps[d] - 2 * margins[d] + kernel[d]);
  if (!output_size) return sizes;
  const auto count = static_cast<int>(output_size->size());
  if (count < dims || count > dims + 2)
    fail<ValueError>(ErrorCode::invalid_value, "{}: output_size has {} numbers, not {}", operation, count,
                     dims)
        .raise();
  for (int d = 0; d < dims; ++d) {
    const std::int64_t wanted = (*output_size)[static_cast<std::size_t>(count - dims + d)];
    if (std::abs(wanted - sizes[d]) >= steps[d])
      fail<ValueError>(ErrorCode::invalid_value,
                       "{}: output_size {} in dimension {} is not between {} and {}", operation, wanted, d,
                       sizes[d] - steps[d] + 1, sizes[d] + steps[d] - 1)
          .detail("input", describe(input))
          .raise();
    sizes[d] = wanted;
  }
  return sizes;
}

Tensor unpool(const char* operation, int dims, const Tensor& input, const Tensor& indices,
              const DimList& kernel_size, const OptionalDims& stride, const DimList& padding,
              const OptionalDims& output_size) {
  if (indices.shape() != input.shape())
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: input and indices have different shapes", operation)
        .detail("input", describe(input))
        .detail("indices", describe(indices))
        .raise();
  if (indices.dtype() != DType::int64)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: indices are int64, not {}", operation,
                     info(indices.dtype()).name)
        .detail("indices", describe(indices))
        .raise();
  bool added;
  const Tensor batched = with_batch(input, dims, operation, added);
  const Shape sizes =
      sizes_before_pooling(operation, dims, batched, kernel_size, stride, padding, output_size);
  for (int d = 0; d < dims; ++d)
    if (batched.size(2 + d) < 1 || sizes[d] < 1)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: from size {} to {}", operation, batched.size(2 + d),
                       sizes[d])
          .detail("input", describe(input))
          .raise();
  const std::int64_t images = batched.size(0) * batched.size(1), places = product_from(sizes, 0);
  const std::int64_t count = product_from(batched.shape(), 2);
  const Tensor flat = scatter(zeros({images, places}, input.dtype(), input.device()), 1,
                              reshape(indices, {images, count}), reshape(batched, {images, count}));
  Shape shape{batched.size(0), batched.size(1)};
  for (std::int64_t size : sizes) shape.push_back(size);
  const Tensor result = reshape(flat, shape);
  return added ? squeeze(result, 0) : result;
}

// Windows of one dimension start at floor((i + u) a) - floor(u a) with a = (size - kernel) / (count - 1); the last one
// ends at the end.
Tensor window_starts(const Tensor& u, std::int64_t size, std::int64_t kernel, std::int64_t count) {
  const Tensor last = full({1}, size - kernel, DType::int64, u.device());
  Shape shape = u.shape();
  shape.push_back(1);
  const Tensor end = expand(last, shape);
  if (count == 1) return end;
  const double step = static_cast<double>(size - kernel) / static_cast<double>(count - 1);
  const Tensor i = arange(0, count - 1, 1, u.dtype(), u.device());
  const Tensor at = unsqueeze(u, -1);
  const Tensor starts = floor((at + i) * step) - floor(at * step);
  return cat({starts.to(DType::int64), end}, -1);
}

TensorPair fractional_max(const char* operation, int dims, const Tensor& input, const DimList& kernel_size,
                          const OptionalDims& output_size, const std::optional<Doubles>& output_ratio,
                          const OptionalTensor& samples, Generator* generator) {
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  if (output_size.has_value() == output_ratio.has_value())
    fail<ValueError>(ErrorCode::invalid_value, "{}: give either output_size or output_ratio", operation)
        .raise();
  bool added;
  const Tensor batched = with_batch(input, dims, operation, added);
  const IntList kernel = for_each_dimension(kernel_size, dims, 1, operation, "kernel_size");
  IntList count;
  if (output_size) {
    count = for_each_dimension(*output_size, dims, 1, operation, "output_size");
  } else {
    if (output_ratio->size() != 1 && output_ratio->size() != static_cast<std::size_t>(dims))
      fail<ValueError>(ErrorCode::invalid_value, "{}: output_ratio has {} numbers, not {}", operation,
                       output_ratio->size(), dims)
          .raise();
    for (int d = 0; d < dims; ++d) {
      const double ratio = (*output_ratio)[output_ratio->size() == 1 ? 0 : static_cast<std::size_t>(d)];
      if (!(ratio > 0 && ratio < 1))
        fail<ValueError>(ErrorCode::invalid_value, "{}: output_ratio {} is not between 0 and 1", operation,
                         ratio)
            .raise();
      count.push_back(static_cast<std::int64_t>(static_cast<double>(batched.size(2 + d)) * ratio));
    }
  }
  const std::int64_t batch = batched.size(0), channels = batched.size(1);
  for (int d = 0; d < dims; ++d)
    if (count[d] < 1 || count[d] + kernel[d] - 1 > batched.size(2 + d))
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} windows of {} do not fit into {} positions",
                       operation, count[d], kernel[d], batched.size(2 + d))
          .detail("input", describe(input))
          .raise();
  const DType drawn = input.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor u =
      samples ? samples->detach() : rand({batch, channels, dims}, drawn, input.device(), false, generator);
  if (u.shape() != Shape{batch, channels, dims})
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the random samples have the shape [{}], not [{}, {}, {}]",
                     operation, to_string(u.shape()), batch, channels, dims)
        .raise();
  if (batched.numel() == 0) {  // no images or no channels
    Shape shape{batch, channels};
    for (std::int64_t n : count) shape.push_back(n);
    if (added) shape.erase(0);
    return {reshape(input, shape), zeros(shape, DType::int64, input.device())};
  }
  // Row-major position of each element of each window: [batch, channels, windows..., kernel...].
  Tensor positions;
  for (int d = 0; d < dims; ++d) {
    // In two dimensions the first number belongs to the width, as in PyTorch.
    const Tensor which = select(u, 2, dims == 2 ? dims - 1 - d : d);
    const Tensor starts = window_starts(which, batched.size(2 + d), kernel[d], count[d]);
    Shape start_shape{batch, channels}, offset_shape;
    for (int other = 0; other < dims; ++other) start_shape.push_back(other == d ? count[d] : 1);
    for (int other = 0; other < dims; ++other) {
      start_shape.push_back(1);
      offset_shape.push_back(other == d ? kernel[d] : 1);
    }
    const Tensor offsets = reshape(arange(0, kernel[d], 1, DType::int64, input.device()), offset_shape);
    const Tensor along = reshape(starts, start_shape) + offsets;
    positions = positions.defined() ? positions * batched.size(2 + d) + along : along;
  }
  const std::int64_t windows = product_from(Shape(count), 0), size = product_from(Shape(kernel), 0);
  const Tensor places = reshape(positions, {batch, channels, windows * size});
  const Tensor elements = gather(reshape(batched, {batch, channels, -1}), 2, places);
  const auto [values, which] = max_dim(reshape(elements, {batch, channels, windows, size}), -1);
  const Tensor indices =
      squeeze(gather(reshape(places, {batch, channels, windows, size}), -1, unsqueeze(which, -1)), -1);
  Shape shape{batch, channels};
  for (std::int64_t n : count) shape.push_back(n);
  const Tensor first = reshape(values, shape), second = reshape(indices, shape);
  return added ? TensorPair(squeeze(first, 0), squeeze(second, 0)) : TensorPair(first, second);
}

}  // namespace

#define PHLOX_UNPOOL_DOC(before)                                                                           \
  "The inverse of max_pool as far as there is one: each element goes to the place in " before              \
  " that `indices` names, as max_pool with return_indices gives it; the rest is 0. `output_size` chooses " \
  "among the sizes that pooling maps to the same."

PHLOX_OPERATION(Tensor, max_unpool1d,
                (const Tensor& input, const Tensor& indices, const DimList& kernel_size,
                 const OptionalDims& stride = {}, const DimList& padding = 0,
                 const OptionalDims& output_size = {}),
                .doc = PHLOX_UNPOOL_DOC("[batch, channels, length]"),
                .source = "Zeiler, Taylor, Fergus 2011, ICCV", .family = Family::pooling,
                .home = "nn.functional", .method = false,
                .samples =
                    "max_unpool1d(A(2, 3), tensor([[0, 2, 5], [1, 3, 4]]), 2); "
                    "max_unpool1d(A(1, 2, 3), tensor([[[0, 2, 5], [1, 3, 4]]]), 2, output_size=[7])") {
  return unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size);
}

PHLOX_OPERATION(Tensor, max_unpool2d,
                (const Tensor& input, const Tensor& indices, const DimList& kernel_size,
                 const OptionalDims& stride = {}, const DimList& padding = 0,
                 const OptionalDims& output_size = {}),
                .doc = PHLOX_UNPOOL_DOC("[batch, channels, height, width]"),
                .source = "Zeiler, Taylor, Fergus 2011, ICCV", .family = Family::pooling,
                .home = "nn.functional", .method = false,
                .samples =
                    "max_unpool2d(A(1, 2, 2), tensor([[[0, 3], [9, 14]]]), 2); "
                    "max_unpool2d(A(1, 1, 2, 2), tensor([[[[0, 3], [9, 14]]]]), 2, stride=2, padding=0)") {
  return unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size);
}

PHLOX_OPERATION(Tensor, max_unpool3d,
                (const Tensor& input, const Tensor& indices, const DimList& kernel_size,
                 const OptionalDims& stride = {}, const DimList& padding = 0,
                 const OptionalDims& output_size = {}),
                .doc = PHLOX_UNPOOL_DOC("[batch, channels, depth, height, width]"),
                .source = "Zeiler, Taylor, Fergus 2011, ICCV", .family = Family::pooling,
                .home = "nn.functional", .method = false,
                .samples = "max_unpool3d(A(1, 1, 1, 2), tensor([[[[0, 3]]]]), 2)") {
  return unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size);
}
#undef PHLOX_UNPOOL_DOC

PHLOX_OPERATION(
    Tensor, fractional_max_pool2d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& output_size = {},
     const std::optional<Doubles>& output_ratio = {}, bool return_indices = false,
     const OptionalTensor& _random_samples = {}, Generator* generator = nullptr),
    .doc =
        "The largest element of windows whose places are drawn so that `output_size` of them, or `output_ratio` of the size, cover "
        "[batch, channels, height, width]. `_random_samples` [batch, channels, 2] are the numbers from 0 to 1 to use.",
    .source = "Graham 2014, arXiv:1412.6071", .family = Family::pooling, .home = "nn.functional",
    .method = false,
    .samples =
        "fractional_max_pool2d(A(1, 2, 6, 7), 2, output_size=(3, 4), _random_samples=clamp(C(1, 2, 2), 0.1, 0.9)); "
        "fractional_max_pool2d(A(2, 6, 7), 2, output_ratio=[0.5, 0.5], _random_samples=clamp(C(1, 2, 2), 0.1, "
        "0.9))",
    .integers = false) {
  if (return_indices)
    fail<ValueError>(ErrorCode::invalid_value, "fractional_max_pool2d: gives one tensor")
        .hint("fractional_max_pool2d_with_indices gives indices as well")
        .raise();
  return std::get<0>(fractional_max("fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio,
                                    _random_samples, generator));
}

PHLOX_OPERATION(
    TensorPair, fractional_max_pool2d_with_indices,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& output_size = {},
     const std::optional<Doubles>& output_ratio = {}, bool return_indices = true,
     const OptionalTensor& _random_samples = {}, Generator* generator = nullptr),
    .doc = "fractional_max_pool2d, and the row-major position of each maximum within its image.",
    .source = "Graham 2014, arXiv:1412.6071", .family = Family::pooling, .home = "nn.functional",
    .method = false,
    .samples =
        "fractional_max_pool2d_with_indices(A(1, 2, 6, 7), 2, output_size=3, _random_samples=clamp(C(1, 2, 2), 0.1, "
        "0.9))",
    .integers = false, .overload_of = "fractional_max_pool2d") {
  static_cast<void>(return_indices);  // tells this operation from fractional_max_pool2d in Python
  return fractional_max("fractional_max_pool2d_with_indices", 2, input, kernel_size, output_size,
                        output_ratio, _random_samples, generator);
}

PHLOX_OPERATION(
    Tensor, fractional_max_pool3d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& output_size = {},
     const std::optional<Doubles>& output_ratio = {}, bool return_indices = false,
     const OptionalTensor& _random_samples = {}, Generator* generator = nullptr),
    .doc =
        "fractional_max_pool2d over three dimensions of [batch, channels, depth, height, width]; `_random_samples` is [batch, "
        "channels, 3].",
    .source = "Graham 2014, arXiv:1412.6071", .family = Family::pooling, .home = "nn.functional",
    .method = false,
    .samples =
        "fractional_max_pool3d(A(1, 2, 4, 5, 4), 2, output_size=2, _random_samples=clamp(C(1, 2, 3), 0.1, 0.9))",
    .integers = false) {
  if (return_indices)
    fail<ValueError>(ErrorCode::invalid_value, "fractional_max_pool3d: gives one tensor")
        .hint("fractional_max_pool3d_with_indices gives indices as well")
        .raise();
  return std::get<0>(fractional_max("fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio,
                                    _random_samples, generator));
}

PHLOX_OPERATION(
    TensorPair, fractional_max_pool3d_with_indices,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& output_size = {},
     const std::optional<Doubles>& output_ratio = {}, bool return_indices = true,
     const OptionalTensor& _random_samples = {}, Generator* generator = nullptr),
    .doc = "fractional_max_pool3d, and the row-major position of each maximum within its image.",
    .source = "Graham 2014, arXiv:1412.6071", .family = Family::pooling, .home = "nn.functional",
    .method = false,
    .samples =
        "fractional_max_pool3d_with_indices(A(1, 2, 4, 5, 4), 2, output_size=2, _random_samples=clamp(C(1, 2, 3), "
        "0.1, 0.9))",
    .integers = false, .overload_of = "fractional_max_pool3d") {
  static_cast<void>(return_indices);  // tells this operation from fractional_max_pool3d in Python
  return fractional_max("fractional_max_pool3d_with_indices", 3, input, kernel_size, output_size,
                        output_ratio, _random_samples, generator);
}

namespace {

Tensor dilate(const char* operation, const Tensor& input, const Tensor& weight, const DimList& stride,
              const DimList& padding, const DimList& dilation) {
  bool added;
  const Tensor batched = with_batch(input, 2, operation, added);
  if (weight.rank() != 3 || weight.size(0) != batched.size(1))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the weight has the shape [{}, height, width]", operation,
                     batched.size(1))
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .raise();
  const IntList steps = for_each_dimension(stride, 2, 1, operation, "stride"),
                margins = for_each_dimension(padding, 2, 0, operation, "padding"),
                gaps = for_each_dimension(dilation, 2, 1, operation, "dilation");
  Tensor windows = batched;
  if (margins[0] > 0 || margins[1] > 0)
    windows = pad(windows, {margins[1], margins[1], margins[0], margins[0]}, "constant", -INFINITY);
  for (int d = 0; d < 2; ++d) {
    const std::int64_t reach = gaps[d] * (weight.size(1 + d) - 1) + 1;
    if (weight.size(1 + d) < 1 || windows.size(2 + d) < reach)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "{}: the window reaches over {} positions, the padded image has {}", operation, reach,
                       windows.size(2 + d))
          .detail("input", describe(input))
          .detail("weight", describe(weight))
          .raise();
    windows = unfold(windows, 2 + d, reach, steps[d]);
  }
  windows = slice(slice(windows, 4, {}, {}, gaps[0]), 5, {}, {}, gaps[1]);
  const Tensor shifted = windows + unsqueeze(unsqueeze(weight, 1), 1);
  const Tensor result = amax(shifted, DimList{-2, -1});
  return added ? squeeze(result, 0) : result;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, dilation2d,
    (const Tensor& input, const Tensor& weight, const DimList& stride = 1, const DimList& padding = 0,
     const DimList& dilation = 1),
    .doc =
        "Morphological dilation, a convolution with maximum for sum and sum for product: the largest of window + weight. input [batch, channels, height, width] or "
        "without batch, weight [channels, height, width]; padding never wins.",
    .source = "Serra 1982, Image analysis and mathematical morphology", .family = Family::pooling,
    .home = "nn.functional", .method = false,
    .samples = "dilation2d(A(2, 3, 5, 6), A(3, 2, 3)); dilation2d(A(1, 6, 7), A(1, 3, 3), 2, 1, 2)",
    .integers = false) {
  return dilate("dilation2d", input, weight, stride, padding, dilation);
}

PHLOX_OPERATION(
    Tensor, erosion2d,
    (const Tensor& input, const Tensor& weight, const DimList& stride = 1, const DimList& padding = 0,
     const DimList& dilation = 1),
    .doc =
        "Morphological erosion, the dual of dilation2d: the smallest of window - reflected weight, which is -dilation2d(-input, "
        "weight.flip(1, 2)).",
    .source = "Serra 1982, Image analysis and mathematical morphology", .family = Family::pooling,
    .home = "nn.functional", .method = false,
    .samples = "erosion2d(A(2, 3, 5, 6), A(3, 2, 3)); erosion2d(A(1, 6, 7), A(1, 3, 3), 2, 1, 2)",
    .integers = false) {
  const Tensor reflected = weight.rank() == 3 ? flip(weight, DimList{1, 2}) : weight;
  return -dilate("erosion2d", -input, reflected, stride, padding, dilation);
}

}  // namespace phlox
