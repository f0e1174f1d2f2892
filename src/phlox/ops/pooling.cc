// The pooling operations.
#include <cmath>

#include <fmt/format.h>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/pooling.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

[[noreturn]] void throw_wrong_dtype(const char* operation, const Tensor& input, const char* wants) {
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes {}, not {}", operation, wants, info(input.dtype()).name)
      .detail("input", describe(input))
      .hint("<input>.to(px.float32)")
      .raise();
}

// Windows of a sliding kernel. With ceil_mode the last window may hang over the end, but starts inside.
PoolGeometry sliding(const char* operation, int dims, const Tensor& input, const IntList& kernel,
                     const IntList& stride, const IntList& padding, const IntList& dilation, bool ceil_mode) {
  PoolGeometry g;
  g.kernel = for_each_dimension(kernel, dims, 1, operation, "kernel_size");
  g.stride = stride.empty() ? g.kernel : for_each_dimension(stride, dims, 1, operation, "stride");
  g.padding = for_each_dimension(padding, dims, 0, operation, "padding");
  g.dilation = for_each_dimension(dilation, dims, 1, operation, "dilation");
  for (int d = 0; d < dims; ++d) {
    const std::int64_t reach = g.dilation[d] * (g.kernel[d] - 1) + 1;
    const std::int64_t size = input.size(2 + d);
    if (2 * g.padding[d] > reach)
      fail<ValueError>(ErrorCode::invalid_value,
                       "{}: padding {} is more than half of the kernel's {} positions", operation,
                       g.padding[d], reach)
          .detail("kernel_size", to_string(g.kernel))
          .detail("padding", to_string(g.padding))
          .raise();
    const std::int64_t room = size + 2 * g.padding[d] - reach;
    if (room < 0 || size == 0)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "{}: the kernel reaches over {} positions, the padded input has {}", operation, reach,
                       size + 2 * g.padding[d])
          .detail("input", describe(input))
          .detail("kernel_size", to_string(g.kernel))
          .raise();
    std::int64_t count = room / g.stride[d] + 1;
    if (ceil_mode && room % g.stride[d] != 0 && count * g.stride[d] < size + g.padding[d]) ++count;
    g.output.push_back(count);
  }
  return g;
}

// A size of -1 keeps the input's, as None does in Python.
PoolGeometry adaptive(const char* operation, int dims, const Tensor& input, const IntList& output_size) {
  PoolGeometry g;
  g.adaptive = true;
  g.output = for_each_dimension(output_size, dims, -1, operation, "output_size");
  for (int d = 0; d < dims; ++d) {
    if (g.output[d] == -1) g.output[d] = input.size(2 + d);
    if (g.output[d] < 0)
      fail<ValueError>(ErrorCode::invalid_value, "{}: output_size is {}", operation, g.output[d])
          .detail("input", describe(input))
          .raise();
    if (input.size(2 + d) == 0)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: the input is empty", operation)
          .detail("input", describe(input))
          .raise();
  }
  return g;
}

template <class Find>
TensorPair maximum(const char* operation, int dims, const Tensor& input, const Find& find) {
  if (is_complex(input.dtype()) || is_boolean(input.dtype()))
    throw_wrong_dtype(operation, input, "real numbers");
  bool added;
  const Tensor batched = with_batch(input, dims, operation, added);
  auto [values, indices] = max_pool(batched, find(batched));
  return added ? TensorPair(squeeze(values, 0), squeeze(indices, 0)) : TensorPair(values, indices);
}

template <class Find>
Tensor average(const char* operation, int dims, const Tensor& input, const Find& find) {
  const bool whole = is_integer(input.dtype()) && !is_boolean(input.dtype());
  if (!is_floating(input.dtype()) && !whole) throw_wrong_dtype(operation, input, "real numbers");
  bool added;
  // Means of integers are cut to integers.
  const Tensor batched = with_batch(whole ? input.to(DType::float64) : input, dims, operation, added);
  Tensor result = average_pool(batched, find(batched));
  if (whole) result = trunc(result).to(input.dtype());
  return added ? squeeze(result, 0) : result;
}

TensorPair max_pool_of(const char* operation, int dims, const Tensor& input, const DimList& kernel,
                       const OptionalDims& stride, const DimList& padding, const DimList& dilation,
                       bool ceil_mode) {
  return maximum(operation, dims, input, [&](const Tensor& x) {
    return sliding(operation, dims, x, kernel, stride.value_or(DimList()), padding, dilation, ceil_mode);
  });
}

Tensor avg_pool_of(const char* operation, int dims, const Tensor& input, const DimList& kernel,
                   const OptionalDims& stride, const DimList& padding, bool ceil_mode, bool count_include_pad,
                   OptionalInt divisor_override = {}) {
  if (divisor_override && *divisor_override == 0)
    fail<ValueError>(ErrorCode::invalid_value, "{}: divisor_override must not be 0", operation).raise();
  return average(operation, dims, input, [&](const Tensor& x) {
    PoolGeometry g = sliding(operation, dims, x, kernel, stride.value_or(DimList()), padding, {1}, ceil_mode);
    g.count_padding = count_include_pad;
    g.divisor = static_cast<double>(divisor_override.value_or(0));
    return g;
  });
}

Tensor adaptive_avg_of(const char* operation, int dims, const Tensor& input, const DimList& output_size) {
  bool global = is_floating(input.dtype()) && !output_size.empty() &&
                (input.rank() == dims + 1 || input.rank() == dims + 2);
  for (std::int64_t size : output_size) global = global && size == 1;
  if (global && input.numel() > 0) {  // one window over everything
    DimList dims_to_reduce;
    for (int d = 1; d <= dims; ++d) dims_to_reduce.push_back(-d);
    return mean(input, dims_to_reduce, true);
  }
  return average(operation, dims, input,
                 [&](const Tensor& x) { return adaptive(operation, dims, x, output_size); });
}

TensorPair adaptive_max_of(const char* operation, int dims, const Tensor& input, const DimList& output_size) {
  return maximum(operation, dims, input,
                 [&](const Tensor& x) { return adaptive(operation, dims, x, output_size); });
}

// In Python the flag leads to the operation with two results.
void refuse_indices(bool return_indices, const char* operation) {
  if (!return_indices) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: gives one tensor", operation)
      .hint(fmt::format("{}_with_indices gives indices as well", operation))
      .raise();
}

TensorPair with_long_indices(TensorPair pair) {
  return {std::get<0>(pair), std::get<1>(pair).to(DType::int64)};
}

// The p-norm of each window: an average of powers without its divisor.
Tensor lp_pool_of(const char* operation, int dims, const Tensor& input, double norm_type,
                  const DimList& kernel, const OptionalDims& stride, bool ceil_mode) {
  const Tensor sums = avg_pool_of(operation, dims, pow(abs(input), norm_type), kernel, stride, 0, ceil_mode,
                                  true, OptionalInt(1));
  return pow(sums, 1 / norm_type);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, max_pool1d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
     bool return_indices = false),
    .doc =
        "The largest element of each window over one dimension of [batch, channels, length] or without batch; the stride is the "
        "kernel's size when it is not given.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "max_pool1d(A(2, 3, 8), 2); max_pool1d(A(3, 7), 3, stride=2, padding=1, ceil_mode=True)") {
  refuse_indices(return_indices, "max_pool1d");
  return std::get<0>(max_pool_of("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(TensorPair, max_pool1d_with_indices,
                (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
                 const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
                 bool return_indices = true),
                .doc = "max_pool1d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "max_pool1d_with_indices(A(2, 3, 8), 2, 1)", .overload_of = "max_pool1d") {
  static_cast<void>(return_indices);  // tells this operation from max_pool1d in Python
  return with_long_indices(
      max_pool_of("max_pool1d_with_indices", 1, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(
    Tensor, avg_pool1d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, bool ceil_mode = false, bool count_include_pad = true),
    .doc =
        "The mean of each window over one dimension of [batch, channels, length] or without batch; the stride "
        "is the kernel's size when it is not given.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "avg_pool1d(A(2, 3, 8), 2); avg_pool1d(A(3, 7), 3, stride=2, padding=1, ceil_mode=True)",
    .integers = false) {
  return avg_pool_of("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad);
}

PHLOX_OPERATION(
    Tensor, adaptive_avg_pool1d, (const Tensor& input, const DimList& output_size),
    .doc =
        "The mean of windows that divide one dimension of [batch, channels, length] or without batch into `output_size` parts; -1 "
        "keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_avg_pool1d(A(2, 3, 8), 2); adaptive_avg_pool1d(A(3, 7), 1)", .integers = false) {
  return adaptive_avg_of("adaptive_avg_pool1d", 1, input, output_size);
}

PHLOX_OPERATION(
    Tensor, adaptive_max_pool1d,
    (const Tensor& input, const DimList& output_size, bool return_indices = false),
    .doc =
        "The largest element of windows that divide one dimension of [batch, channels, length] or without batch into `output_size` "
        "parts; -1 keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_max_pool1d(A(2, 3, 8), 2); adaptive_max_pool1d(A(3, 7), 1)") {
  refuse_indices(return_indices, "adaptive_max_pool1d");
  return std::get<0>(adaptive_max_of("adaptive_max_pool1d", 1, input, output_size));
}

PHLOX_OPERATION(TensorPair, adaptive_max_pool1d_with_indices,
                (const Tensor& input, const DimList& output_size, bool return_indices = true),
                .doc = "adaptive_max_pool1d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "adaptive_max_pool1d_with_indices(A(2, 3, 8), 2)",
                .overload_of = "adaptive_max_pool1d") {
  static_cast<void>(return_indices);  // tells this operation from adaptive_max_pool1d in Python
  return with_long_indices(adaptive_max_of("adaptive_max_pool1d_with_indices", 1, input, output_size));
}

PHLOX_OPERATION(
    Tensor, lp_pool1d,
    (const Tensor& input, double norm_type, const DimList& kernel_size, const OptionalDims& stride = {},
     bool ceil_mode = false),
    .doc =
        "The p-norm of each window over one dimension of [batch, channels, length] or without batch, p being `norm_type`.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "lp_pool1d(A(2, 3, 8), 2.0, 2)", .integers = false) {
  return lp_pool_of("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode);
}

PHLOX_OPERATION(
    Tensor, max_pool2d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
     bool return_indices = false),
    .doc =
        "The largest element of each window over two dimensions of [batch, channels, height, width] or without batch; the stride is the "
        "kernel's size when it is not given.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples =
        "max_pool2d(A(2, 3, 6, 7), 2); max_pool2d(A(3, 5, 6), 3, stride=2, padding=1, ceil_mode=True)") {
  refuse_indices(return_indices, "max_pool2d");
  return std::get<0>(max_pool_of("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(TensorPair, max_pool2d_with_indices,
                (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
                 const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
                 bool return_indices = true),
                .doc = "max_pool2d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "max_pool2d_with_indices(A(2, 3, 6, 7), 2, 1)", .overload_of = "max_pool2d") {
  static_cast<void>(return_indices);  // tells this operation from max_pool2d in Python
  return with_long_indices(
      max_pool_of("max_pool2d_with_indices", 2, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(
    Tensor, avg_pool2d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
     OptionalInt divisor_override = {}),
    .doc =
        "The mean of each window over two dimensions of [batch, channels, height, width] or without batch; the stride is the kernel's size "
        "when it is not given. `divisor_override` takes the place of the window's size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples =
        "avg_pool2d(A(2, 3, 6, 7), 2); avg_pool2d(A(3, 5, 6), 3, stride=2, padding=1, ceil_mode=True, "
        "count_include_pad=False); avg_pool2d(A(2, 3, 6, 7), 2, divisor_override=3)",
    .integers = false) {
  return avg_pool_of("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                     divisor_override);
}

PHLOX_OPERATION(
    Tensor, adaptive_avg_pool2d, (const Tensor& input, const DimList& output_size),
    .doc =
        "The mean of windows that divide two dimensions of [batch, channels, height, width] or without batch into `output_size` parts; -1 "
        "keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_avg_pool2d(A(2, 3, 6, 7), [3, 2]); adaptive_avg_pool2d(A(3, 5, 6), 1)",
    .integers = false) {
  return adaptive_avg_of("adaptive_avg_pool2d", 2, input, output_size);
}

PHLOX_OPERATION(
    Tensor, adaptive_max_pool2d,
    (const Tensor& input, const DimList& output_size, bool return_indices = false),
    .doc =
        "The largest element of windows that divide two dimensions of [batch, channels, height, width] or without batch into `output_size` "
        "parts; -1 keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_max_pool2d(A(2, 3, 6, 7), [3, 2]); adaptive_max_pool2d(A(3, 5, 6), 1)") {
  refuse_indices(return_indices, "adaptive_max_pool2d");
  return std::get<0>(adaptive_max_of("adaptive_max_pool2d", 2, input, output_size));
}

PHLOX_OPERATION(TensorPair, adaptive_max_pool2d_with_indices,
                (const Tensor& input, const DimList& output_size, bool return_indices = true),
                .doc = "adaptive_max_pool2d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "adaptive_max_pool2d_with_indices(A(2, 3, 6, 7), [3, 2])",
                .overload_of = "adaptive_max_pool2d") {
  static_cast<void>(return_indices);  // tells this operation from adaptive_max_pool2d in Python
  return with_long_indices(adaptive_max_of("adaptive_max_pool2d_with_indices", 2, input, output_size));
}

PHLOX_OPERATION(
    Tensor, lp_pool2d,
    (const Tensor& input, double norm_type, const DimList& kernel_size, const OptionalDims& stride = {},
     bool ceil_mode = false),
    .doc =
        "The p-norm of each window over two dimensions of [batch, channels, height, width] or without batch, p being `norm_type`.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "lp_pool2d(A(2, 3, 6, 7), 2.0, 2)", .integers = false) {
  return lp_pool_of("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode);
}

PHLOX_OPERATION(
    Tensor, max_pool3d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
     bool return_indices = false),
    .doc =
        "The largest element of each window over three dimensions of [batch, channels, depth, height, width] or without batch; the stride is the "
        "kernel's size when it is not given.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples =
        "max_pool3d(A(2, 2, 4, 5, 4), 2); max_pool3d(A(2, 4, 4, 5), 3, stride=2, padding=1, ceil_mode=True)") {
  refuse_indices(return_indices, "max_pool3d");
  return std::get<0>(max_pool_of("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(TensorPair, max_pool3d_with_indices,
                (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
                 const DimList& padding = 0, const DimList& dilation = 1, bool ceil_mode = false,
                 bool return_indices = true),
                .doc = "max_pool3d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "max_pool3d_with_indices(A(2, 2, 4, 5, 4), 2, 1)", .overload_of = "max_pool3d") {
  static_cast<void>(return_indices);  // tells this operation from max_pool3d in Python
  return with_long_indices(
      max_pool_of("max_pool3d_with_indices", 3, input, kernel_size, stride, padding, dilation, ceil_mode));
}

PHLOX_OPERATION(
    Tensor, avg_pool3d,
    (const Tensor& input, const DimList& kernel_size, const OptionalDims& stride = {},
     const DimList& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
     OptionalInt divisor_override = {}),
    .doc =
        "The mean of each window over three dimensions of [batch, channels, depth, height, width] or without batch; the stride is the kernel's size "
        "when it is not given. `divisor_override` takes the place of the window's size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples =
        "avg_pool3d(A(2, 2, 4, 5, 4), 2); avg_pool3d(A(2, 4, 4, 5), 3, stride=2, padding=1, ceil_mode=True, "
        "count_include_pad=False); avg_pool3d(A(2, 2, 4, 5, 4), 2, divisor_override=3)",
    .integers = false) {
  return avg_pool_of("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                     divisor_override);
}

PHLOX_OPERATION(
    Tensor, adaptive_avg_pool3d, (const Tensor& input, const DimList& output_size),
    .doc =
        "The mean of windows that divide three dimensions of [batch, channels, depth, height, width] or without batch into `output_size` parts; -1 "
        "keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_avg_pool3d(A(2, 2, 4, 5, 4), [3, 2, 2]); adaptive_avg_pool3d(A(2, 4, 4, 5), 1)",
    .integers = false) {
  return adaptive_avg_of("adaptive_avg_pool3d", 3, input, output_size);
}

PHLOX_OPERATION(
    Tensor, adaptive_max_pool3d,
    (const Tensor& input, const DimList& output_size, bool return_indices = false),
    .doc =
        "The largest element of windows that divide three dimensions of [batch, channels, depth, height, width] or without batch into `output_size` "
        "parts; -1 keeps a size.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "adaptive_max_pool3d(A(2, 2, 4, 5, 4), [3, 2, 2]); adaptive_max_pool3d(A(2, 4, 4, 5), 1)") {
  refuse_indices(return_indices, "adaptive_max_pool3d");
  return std::get<0>(adaptive_max_of("adaptive_max_pool3d", 3, input, output_size));
}

PHLOX_OPERATION(TensorPair, adaptive_max_pool3d_with_indices,
                (const Tensor& input, const DimList& output_size, bool return_indices = true),
                .doc = "adaptive_max_pool3d, and the row-major position of each maximum within its image.",
                .family = Family::pooling, .home = "nn.functional", .method = false,
                .samples = "adaptive_max_pool3d_with_indices(A(2, 2, 4, 5, 4), [3, 2, 2])",
                .overload_of = "adaptive_max_pool3d") {
  static_cast<void>(return_indices);  // tells this operation from adaptive_max_pool3d in Python
  return with_long_indices(adaptive_max_of("adaptive_max_pool3d_with_indices", 3, input, output_size));
}

PHLOX_OPERATION(
    Tensor, lp_pool3d,
    (const Tensor& input, double norm_type, const DimList& kernel_size, const OptionalDims& stride = {},
     bool ceil_mode = false),
    .doc =
        "The p-norm of each window over three dimensions of [batch, channels, depth, height, width] or without batch, p being `norm_type`.",
    .family = Family::pooling, .home = "nn.functional", .method = false,
    .samples = "lp_pool3d(A(2, 2, 4, 5, 4), 2.0, 2)", .integers = false) {
  return lp_pool_of("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode);
}

}  // namespace phlox
