// Colours. Images [..., 3, height, width]; `dim` is where the three channels are, values are from 0 to 1.
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

void require_colour(const Tensor& images, std::int64_t dim, const char* operation) {
  const std::int64_t d = dim < 0 ? dim + images.rank() : dim;
  if (d < 0 || d >= images.rank() || images.size(d) != 3)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: dimension {} holds the three colours", operation, dim)
        .detail("images", describe(images))
        .hint("dim=-1 for [height, width, 3]")
        .raise();
  if (!is_floating(images.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating numbers from 0 to 1, not {}", operation,
                     info(images.dtype()).name)
        .detail("images", describe(images))
        .hint("<images>.to(px.float32) / 255")
        .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, rgb_to_hsv, (const Tensor& images, std::int64_t dim = -3),
    .doc =
        "Red, green, blue as hue, saturation, value, all from 0 to 1; grey has hue 0, black saturation 0. The three channels are at `dim`.",
    .source = "Smith 1978, Color gamut transform pairs", .family = Family::pointwise, .home = "vision",
    .method = false, .samples = "rgb_to_hsv(sigmoid(A(3, 4, 5))); rgb_to_hsv(sigmoid(A(2, 4, 3)), dim=-1)",
    .integers = false, .tolerance = 1e-4) {
  require_colour(images, dim, "rgb_to_hsv");
  const Tensor red = select(images, dim, 0), green = select(images, dim, 1), blue = select(images, dim, 2);
  const Tensor value = maximum(maximum(red, green), blue);
  const Tensor range = value - minimum(minimum(red, green), blue);
  const Tensor grey = eq(range, 0), safe = where(grey, 1, range);
  const Tensor sector = where(eq(value, red), (green - blue) / safe,
                              where(eq(value, green), (blue - red) / safe + 2.0, (red - green) / safe + 4.0));
  const Tensor hue = sector / 6.0;
  const Tensor saturation = where(eq(value, 0), 0, range / where(eq(value, 0), 1, value));
  return stack({where(grey, 0, where(lt(hue, 0), hue + 1.0, hue)), saturation, value}, dim);
}

PHLOX_OPERATION(Tensor, hsv_to_rgb, (const Tensor& images, std::int64_t dim = -3),
                .doc = "Hue, saturation, value as red, green, blue: the inverse of rgb_to_hsv().",
                .source = "Smith 1978, Color gamut transform pairs", .family = Family::pointwise,
                .home = "vision", .method = false,
                .samples = "hsv_to_rgb(sigmoid(A(3, 4, 5))); hsv_to_rgb(sigmoid(A(2, 4, 3)), dim=-1)",
                .integers = false, .tolerance = 1e-4) {
  require_colour(images, dim, "hsv_to_rgb");
  const Tensor hue = select(images, dim, 0) * 6.0, saturation = select(images, dim, 1),
               value = select(images, dim, 2);
  const auto channel = [&](const Tensor& share) {
    return ((clamp_range(share, 0, 1) - 1.0) * saturation + 1.0) * value;
  };
  return stack({channel(abs(hue - 3.0) - 1.0), channel(2.0 - abs(hue - 2.0)), channel(2.0 - abs(hue - 4.0))},
               dim);
}

PHLOX_OPERATION(
    Tensor, rgb_to_grayscale, (const Tensor& images, std::int64_t dim = -3),
    .doc = "0.2989 red + 0.587 green + 0.114 blue, the brightness, as one channel at `dim`.",
    .source = "ITU-R BT.601", .family = Family::reduction, .home = "vision", .method = false,
    .samples = "rgb_to_grayscale(A(3, 4, 5)); rgb_to_grayscale(A(2, 4, 3), dim=-1)",
    .reference =
        "np.expand_dims(0.2989 * np.take(images, 0, dim) + 0.587 * np.take(images, 1, dim) + 0.114 * np.take(images, "
        "2, dim), dim)",
    .integers = false) {
  require_colour(images, dim, "rgb_to_grayscale");
  const auto channel = [&](int i) { return narrow(images, dim, i, 1); };
  return channel(0) * 0.2989 + channel(1) * 0.587 + channel(2) * 0.114;
}

}  // namespace phlox
