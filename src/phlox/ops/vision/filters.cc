// Filters of images, how much images differ, and images cut into patches.
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

void require_images(const Tensor& images, const char* operation) {
  if (images.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: images have two dimensions or more, [..., height, width]",
                     operation)
        .detail("images", describe(images))
        .raise();
  if (!is_floating(images.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating numbers, not {}", operation,
                     info(images.dtype()).name)
        .detail("images", describe(images))
        .hint("<images>.to(px.float32)")
        .raise();
}

// The same filter along a dimension of every image, without padding.
Tensor filter_along(const Tensor& images, const Tensor& weights, int dim) {
  const Shape shape = images.shape();
  const std::int64_t n = weights.numel();
  const Tensor flat = reshape(images, {-1, 1, shape[shape.size() - 2], shape[shape.size() - 1]});
  const Tensor filtered = conv2d(flat, reshape(weights, dim == 0 ? Shape{1, 1, n, 1} : Shape{1, 1, 1, n}));
  Shape result = shape;
  result[shape.size() - 2] = filtered.size(2);
  result[shape.size() - 1] = filtered.size(3);
  return reshape(filtered, result);
}

// A sampled bell that adds up to 1.
Tensor gaussian(std::int64_t size, double sigma, const Tensor& like) {
  const Tensor x = arange(0, size, 1, DType::float64, like.device()) - static_cast<double>(size - 1) / 2;
  return softmax(x * x * (-0.5 / (sigma * sigma)), 0).to(like.dtype());
}

// Reflected at the border, which is not repeated: rows above and below, columns left and right.
Tensor reflect(const Tensor& images, std::int64_t rows, std::int64_t columns, const char* operation) {
  if (rows >= images.size(-2) || columns >= images.size(-1))
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: images of {} x {} are too small to be continued by {} x {} at the border",
                     operation, images.size(-2), images.size(-1), rows, columns)
        .detail("images", describe(images))
        .raise();
  const Tensor flat = reshape(images, {-1, 1, images.size(-2), images.size(-1)});
  const Tensor padded = pad(flat, {columns, columns, rows, rows}, "reflect");
  Shape shape = images.shape();
  shape[shape.size() - 2] += 2 * rows;
  shape[shape.size() - 1] += 2 * columns;
  return reshape(padded, shape);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, gaussian_blur,
    (const Tensor& images, const DimList& kernel_size, const std::optional<Doubles>& sigma = {}),
    .doc =
        "Images [..., height, width] smoothed with a bell of odd kernel_size (width, height) and deviation `sigma`, 0.15 size + 0.35 when not given. "
        "At the border images are reflected.",
    .family = Family::convolution, .home = "vision", .method = false,
    .samples = "gaussian_blur(A(3, 5, 6), 3); gaussian_blur(A(2, 1, 5, 7), (5, 3), [1.5, 0.8])",
    .integers = false, .tolerance = 1e-4) {
  require_images(images, "gaussian_blur");
  const IntList size = for_each_dimension(kernel_size, 2, 1, "gaussian_blur", "kernel_size");
  double deviations[2];
  for (int d = 0; d < 2; ++d) {
    if (size[d] % 2 == 0)
      fail<ValueError>(ErrorCode::invalid_value, "gaussian_blur: kernel_size {} is even", size[d]).raise();
    deviations[d] = sigma && !sigma->empty() ? (*sigma)[sigma->size() == 1 ? 0 : static_cast<std::size_t>(d)]
                                             : 0.15 * static_cast<double>(size[d]) + 0.35;
    if (!(deviations[d] > 0))
      fail<ValueError>(ErrorCode::invalid_value, "gaussian_blur: sigma {} is not positive", deviations[d])
          .raise();
  }
  const Tensor padded = reflect(images, size[1] / 2, size[0] / 2, "gaussian_blur");
  return filter_along(filter_along(padded, gaussian(size[1], deviations[1], images), 0),
                      gaussian(size[0], deviations[0], images), 1);
}

PHLOX_OPERATION(
    Tensor, sobel_edges, (const Tensor& images),
    .doc =
        "How images [..., height, width] change downwards and to the right, by Sobel's filters: [..., height, width, 2]. At the border images are "
        "reflected.",
    .source = "Sobel, Feldman 1968", .family = Family::convolution, .home = "vision", .method = false,
    .samples = "sobel_edges(A(2, 4, 5)); sobel_edges(A(3, 3))", .integers = false, .tolerance = 1e-4) {
  require_images(images, "sobel_edges");
  const Tensor smooth =
      from_values<float>(std::vector<float>{1, 2, 1}, {3}).to(images.dtype()).to(images.device());
  const Tensor change =
      from_values<float>(std::vector<float>{-1, 0, 1}, {3}).to(images.dtype()).to(images.device());
  const Tensor padded = reflect(images, 1, 1, "sobel_edges");
  return stack({filter_along(filter_along(padded, change, 0), smooth, 1),
                filter_along(filter_along(padded, smooth, 0), change, 1)},
               -1);
}

namespace {

void require_pair(const Tensor& a, const Tensor& b, double max_val, const char* operation) {
  if (a.rank() < 3 || a.shape() != b.shape() || !is_floating(a.dtype()) || !is_floating(b.dtype()))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: takes two floating images [..., channels, height, width]",
                     operation)
        .detail("img1", describe(a))
        .detail("img2", describe(b))
        .raise();
  if (!(max_val > 0))
    fail<ValueError>(ErrorCode::invalid_value, "{}: max_val is {}, not positive", operation, max_val).raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, psnr, (const Tensor& img1, const Tensor& img2, double max_val = 1.0),
    .doc =
        "Peak signal-to-noise ratio in decibels, 10 log10(max_val^2 / mean squared difference), of images [..., channels, height, width]: [...]. Equal images give "
        "infinity.",
    .family = Family::reduction, .home = "vision", .method = false,
    .samples = "psnr(A(2, 3, 4, 5), A(2, 3, 4, 5)); psnr(A(1, 3, 4), A(1, 3, 4), 255.0)",
    .reference = "10 * np.log10(max_val ** 2 / np.mean((img1 - img2) ** 2, axis=(-3, -2, -1)))",
    .integers = false) {
  require_pair(img1, img2, max_val, "psnr");
  return 20 * std::log10(max_val) - log10(mean(squared_difference(img1, img2), DimList{-3, -2, -1})) * 10.0;
}

PHLOX_OPERATION(
    Tensor, ssim,
    (const Tensor& img1, const Tensor& img2, double max_val = 1.0, std::int64_t filter_size = 11,
     double filter_sigma = 1.5, double k1 = 0.01, double k2 = 0.03, bool return_index_map = false),
    .doc =
        "Structural similarity of images [..., channels, height, width], 1 for equal ones: [...], the mean over windows with a bell of filter_size and filter_sigma. With "
        "return_index_map the means over channels, one for each window.",
    .source = "Wang et al. 2004, IEEE Transactions on Image Processing 13", .family = Family::reduction,
    .home = "vision", .method = false,
    .samples =
        "ssim(A(2, 3, 6, 7), A(2, 3, 6, 7), filter_size=5); ssim(A(1, 6, 6), A(1, 6, 6), 2.0, 3, 1.0, "
        "return_index_map=True)",
    .integers = false, .tolerance = 1e-3) {
  require_pair(img1, img2, max_val, "ssim");
  if (filter_size < 1 || filter_size > img1.size(-1) || filter_size > img1.size(-2))
    fail<ShapeError>(ErrorCode::sizes_differ, "ssim: a window of {} does not fit", filter_size)
        .detail("img1", describe(img1))
        .hint("a smaller filter_size")
        .raise();
  const Tensor bell = gaussian(filter_size, filter_sigma, img1);
  const auto local = [&](const Tensor& x) { return filter_along(filter_along(x, bell, 0), bell, 1); };
  const double c1 = std::pow(k1 * max_val, 2), c2 = std::pow(k2 * max_val, 2);
  const Tensor mean1 = local(img1), mean2 = local(img2);
  const Tensor product = mean1 * mean2 * 2.0, squares = square(mean1) + square(mean2);
  const Tensor luminance = (product + c1) / (squares + c1);
  const Tensor covariance = local(img1 * img2) * 2.0 - product;
  const Tensor variance = local(square(img1) + square(img2)) - squares;
  const Tensor index = luminance * ((covariance + c2) / (variance + c2));
  return return_index_map ? mean(index, DimList(-3)) : mean(index, DimList{-3, -2, -1});
}

PHLOX_OPERATION(
    Tensor, extract_patches,
    (const Tensor& images, const DimList& size, const OptionalDims& strides = {},
     const DimList& dilation_rate = 1, const std::string& padding = "valid"),
    .doc =
        "Patches of images [batch, channels, height, width] or without batch: [batch, height of a patch * width * channels, rows, columns], the elements of a patch in the order row, "
        "column, channel. Patches lie side by side when `strides` are not given; padding \"same\" adds zeros around so that every stride begins a patch.",
    .family = Family::convolution, .home = "vision", .method = false,
    .samples =
        "extract_patches(A(2, 3, 4, 6), 2); extract_patches(A(3, 5, 6), (2, 3), 2, padding='same'); "
        "extract_patches(A(1, 2, 6, 6), 2, 1, 2)") {
  bool added = false;
  Tensor batched = with_batch(images, 2, "extract_patches", added);
  const IntList window = for_each_dimension(size, 2, 1, "extract_patches", "size"),
                steps = for_each_dimension(strides.value_or(size), 2, 1, "extract_patches", "strides"),
                gaps = for_each_dimension(dilation_rate, 2, 1, "extract_patches", "dilation_rate");
  if (padding == "same") {
    Integers margins;
    for (int d = 1; d >= 0; --d) {
      const std::int64_t length = batched.size(2 + d), reach = gaps[d] * (window[d] - 1) + 1;
      const std::int64_t rows = (length + steps[d] - 1) / steps[d];
      const std::int64_t missing = std::max<std::int64_t>((rows - 1) * steps[d] + reach - length, 0);
      margins.push_back(missing / 2);
      margins.push_back(missing - missing / 2);
    }
    batched = pad(batched, margins);
  } else if (padding != "valid") {
    fail<ValueError>(ErrorCode::invalid_value, "extract_patches: padding is '{}'", padding)
        .hint("\"valid\" or \"same\"")
        .raise();
  }
  Tensor patches = batched;
  for (int d = 0; d < 2; ++d) {
    const std::int64_t reach = gaps[d] * (window[d] - 1) + 1;
    if (patches.size(2 + d) < reach)
      fail<ShapeError>(ErrorCode::sizes_differ, "extract_patches: a patch reaches over {} positions of {}",
                       reach, patches.size(2 + d))
          .detail("images", describe(images))
          .raise();
    patches = unfold(patches, 2 + d, reach, steps[d]);
  }
  patches = slice(slice(patches, 4, {}, {}, gaps[0]), 5, {}, {}, gaps[1]);
  const Tensor result =
      reshape(permute(patches, {0, 4, 5, 1, 2, 3}),
              {batched.size(0), window[0] * window[1] * batched.size(1), patches.size(2), patches.size(3)});
  return added ? squeeze(result, 0) : result;
}

}  // namespace phlox
