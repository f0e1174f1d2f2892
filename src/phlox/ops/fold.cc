// Windows of images as columns of a matrix, and back.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

// Where windows lie on an image of two dimensions.
struct Windows {
  IntList kernel, dilation, padding, stride;
  Shape padded{0, 0}, count{0, 0};

  Windows(const DimList& kernel_size, const DimList& dilations, const DimList& paddings,
          const DimList& strides, std::int64_t height, std::int64_t width, const char* operation)
      : kernel(for_each_dimension(kernel_size, 2, 1, operation, "kernel_size")),
        dilation(for_each_dimension(dilations, 2, 1, operation, "dilation")),
        padding(for_each_dimension(paddings, 2, 0, operation, "padding")),
        stride(for_each_dimension(strides, 2, 1, operation, "stride")) {
    for (std::size_t d = 0; d < 2; ++d) {
      padded[d] = (d == 0 ? height : width) + 2 * padding[d];
      count[d] = padded[d] < reach(d) ? 0 : (padded[d] - reach(d)) / stride[d] + 1;
      if (count[d] == 0)
        fail<ShapeError>(ErrorCode::sizes_differ,
                         "{}: the window reaches over {} positions, the padded image has {}", operation,
                         reach(d), padded[d])
            .hint("a smaller kernel_size or dilation, or more padding")
            .raise();
    }
  }
  std::int64_t reach(std::size_t d) const { return dilation[d] * (kernel[d] - 1) + 1; }
};

}  // namespace

PHLOX_OPERATION(
    Tensor, im2col,
    (const Tensor& input, const DimList& kernel_size, const DimList& dilation = 1, const DimList& padding = 0,
     const DimList& stride = 1),
    .doc =
        "The windows of images [batch, channels, height, width], or without batch, as columns [batch, "
        "channels * window, number of windows]. `nn.functional.unfold` and `nn.Unfold` in Python.",
    .family = Family::convolution, .home = "nn.functional", .method = false,
    .samples =
        "im2col(A(2, 3, 5, 4), 2); im2col(A(1, 2, 6, 5), (3, 2), 2, 1, (2, 1)); im2col(A(2, 4, 4), 3)") {
  bool added = false;
  const Tensor image = with_batch(input, 2, "unfold", added);
  const Windows w(kernel_size, dilation, padding, stride, image.size(2), image.size(3), "unfold");
  Tensor windows = pad(image, {w.padding[1], w.padding[1], w.padding[0], w.padding[0]});
  windows = unfold(unfold(windows, 2, w.reach(0), w.stride[0]), 3, w.reach(1), w.stride[1]);
  windows = slice(slice(windows, 4, {}, {}, w.dilation[0]), 5, {}, {}, w.dilation[1]);
  const Tensor columns =
      reshape(permute(windows, {0, 1, 4, 5, 2, 3}),
              {image.size(0), image.size(1) * w.kernel[0] * w.kernel[1], w.count[0] * w.count[1]});
  return added ? squeeze(columns, 0) : columns;
}

PHLOX_OPERATION(
    Tensor, col2im,
    (const Tensor& input, const DimList& output_size, const DimList& kernel_size, const DimList& dilation = 1,
     const DimList& padding = 0, const DimList& stride = 1),
    .doc =
        "Adds columns [batch, channels * window, number of windows], or without batch, up to images of "
        "`output_size`: the transpose of im2col.",
    .family = Family::convolution, .alias = "fold", .home = "nn.functional", .method = false,
    .samples = "col2im(A(2, 12, 12), (5, 4), 2); col2im(A(12, 10), (6, 5), (3, 2), 2, 1, (2, 1))",
    .integers = false) {
  const IntList size = for_each_dimension(output_size, 2, 1, "fold", "output_size");
  const Windows w(kernel_size, dilation, padding, stride, size[0], size[1], "fold");
  const std::int64_t window = w.kernel[0] * w.kernel[1], count = w.count[0] * w.count[1];
  if (input.rank() < 2 || input.rank() > 3 || input.size(-2) % window != 0 || input.size(-1) != count)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "fold: needs [batch, channels * {}, {}] for these windows of an image of [{}]", window,
                     count, to_string(size))
        .detail("input", describe(input))
        .raise();
  const std::int64_t batch = input.rank() == 3 ? input.size(0) : 1, channels = input.size(-2) / window;
  Tensor windows =
      permute(reshape(input, {batch, channels, w.kernel[0], w.kernel[1], w.count[0], w.count[1]}),
              {0, 1, 4, 5, 2, 3});
  // The steps of im2col in reverse, each by the gradient of its view.
  Shape shape = windows.shape();
  const auto undo_slice = [&](std::size_t d, std::int64_t step, std::int64_t reach) {
    ViewAttributes v{ViewKind::slice, shape, IntList(6, 0), IntList(6, 1)};
    v.c[d] = step;
    shape[d] = reach;
    windows = apply_view_gradient(windows, shape, v);
  };
  undo_slice(5, w.dilation[1], w.reach(1));
  undo_slice(4, w.dilation[0], w.reach(0));
  windows = apply_view_gradient(windows, {batch, channels, w.count[0], w.padded[1], w.reach(0)},
                                {ViewKind::unfold, {3, w.reach(1), w.stride[1]}});
  Tensor image = apply_view_gradient(windows, {batch, channels, w.padded[0], w.padded[1]},
                                     {ViewKind::unfold, {2, w.reach(0), w.stride[0]}});
  image = narrow(narrow(image, 2, w.padding[0], size[0]), 3, w.padding[1], size[1]);
  return input.rank() == 3 ? image : squeeze(image, 0);
}

}  // namespace phlox
