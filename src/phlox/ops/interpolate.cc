// Changing the size of images, and moving elements between channels and space.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// What one output position takes of an input along one dimension: positions with weights, `taps` of each.
struct Stencil {
  int taps;
  std::vector<std::int64_t> positions;  // tap by tap
  std::vector<double> weights;
};

double source_coordinate(std::int64_t position, std::int64_t size, std::int64_t target, double step,
                         bool align_corners) {
  if (align_corners)
    return target > 1 ? static_cast<double>(position * (size - 1)) / static_cast<double>(target - 1) : 0;
  return (static_cast<double>(position) + 0.5) * step - 0.5;
}

Stencil nearest(std::int64_t size, std::int64_t target, double step, bool exact) {
  Stencil s{1, {}, {}};
  for (std::int64_t i = 0; i < target; ++i) {
    // float32, as the peers compute it: a ratio just below a whole number would pick another element in float64.
    const float at = exact ? (static_cast<float>(i) + 0.5F) * static_cast<float>(step)
                           : static_cast<float>(i) * static_cast<float>(step);
    s.positions.push_back(std::min(static_cast<std::int64_t>(std::floor(at)), size - 1));
    s.weights.push_back(1);
  }
  return s;
}

Stencil linear_stencil(std::int64_t size, std::int64_t target, double step, bool align_corners) {
  Stencil s{2, std::vector<std::int64_t>(static_cast<std::size_t>(2 * target)),
            std::vector<double>(static_cast<std::size_t>(2 * target))};
  for (std::int64_t i = 0; i < target; ++i) {
    const double at = std::max(source_coordinate(i, size, target, step, align_corners), 0.0);
    const std::int64_t left = std::min(static_cast<std::int64_t>(at), size - 1);
    const double fraction = at - static_cast<double>(left);
    s.positions[i] = left;
    s.weights[i] = 1 - fraction;
    s.positions[target + i] = std::min(left + 1, size - 1);
    s.weights[target + i] = fraction;
  }
  return s;
}

// Keys 1981, with a = -0.75.
Stencil cubic_stencil(std::int64_t size, std::int64_t target, double step, bool align_corners) {
  constexpr double a = -0.75;
  Stencil s{4, std::vector<std::int64_t>(static_cast<std::size_t>(4 * target)),
            std::vector<double>(static_cast<std::size_t>(4 * target))};
  for (std::int64_t i = 0; i < target; ++i) {
    const double at = source_coordinate(i, size, target, step, align_corners);
    const auto left = static_cast<std::int64_t>(std::floor(at));
    for (int tap = 0; tap < 4; ++tap) {
      const double x = std::abs(at - static_cast<double>(left - 1 + tap));
      s.positions[tap * target + i] = std::clamp<std::int64_t>(left - 1 + tap, 0, size - 1);
      s.weights[tap * target + i] =
          x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
  }
  return s;
}

Tensor resample(const Tensor& input, int dim, std::int64_t target, const Stencil& s) {
  Tensor result;
  for (int tap = 0; tap < s.taps; ++tap) {
    const auto first = static_cast<std::size_t>(tap * target), count = static_cast<std::size_t>(target);
    const Tensor positions =
        from_values<std::int64_t>(std::span(s.positions).subspan(first, count), {target});
    Tensor part = index_select(input, dim, positions.to(input.device()));
    if (s.taps > 1) {
      Shape shape(static_cast<std::size_t>(input.rank()), 1);
      shape[static_cast<std::size_t>(dim)] = target;
      const Tensor weights = from_values<double>(std::span(s.weights).subspan(first, count), shape);
      part = mul(part, weights.to(input.dtype()).to(input.device()));
    }
    result = result.defined() ? add(result, part) : part;
  }
  return result;
}

void need_rank(const char* operation, const Tensor& input, int rank) {
  if (input.rank() >= rank) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: input needs at least {} dimensions, not {}", operation, rank,
                   input.rank())
      .detail("input", describe(input))
      .raise();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, interpolate,
    (const Tensor& input, const OptionalDims& size = {}, const std::optional<Doubles>& scale_factor = {},
     const std::string& mode = "nearest", OptionalBool align_corners = {},
     OptionalBool recompute_scale_factor = {}),
    .doc =
        "Resizes the spatial dimensions of [batch, channels, ...] to `size` or by `scale_factor`. Modes: "
        "nearest, nearest-exact, linear, bilinear, trilinear, bicubic, area. With align_corners the corner "
        "elements of both grids coincide.",
    .source = "Keys 1981, Cubic convolution interpolation for digital image processing (bicubic)",
    .family = Family::pooling, .alias = "upsample", .home = "nn.functional", .method = false,
    .samples =
        "interpolate(A(2, 3, 4), size=6); interpolate(A(1, 2, 3, 4), size=[5, 3], mode='bilinear'); "
        "interpolate(A(1, 2, 3, 4), size=[5, 7], mode='bicubic', align_corners=True); "
        "interpolate(A(1, 2, 4, 4), scale_factor=[2.0], mode='bilinear')",
    .integers = false) {
  need_rank("interpolate", input, 3);
  const int dims = input.rank() - 2;
  if (size.has_value() == scale_factor.has_value())
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: give either size or scale_factor").raise();
  const std::size_t given = size ? size->size() : scale_factor->size();
  if (given != 1 && given != static_cast<std::size_t>(dims))
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: needs 1 or {} sizes or scales, not {}", dims,
                     given)
        .detail("input", describe(input))
        .raise();
  const bool is_linear = (mode == "linear" && dims == 1) || (mode == "bilinear" && dims == 2) ||
                         (mode == "trilinear" && dims == 3);
  const bool is_cubic = mode == "bicubic" && dims == 2;
  const bool is_nearest = mode == "nearest" || mode == "nearest-exact";
  if (!is_linear && !is_cubic && !is_nearest && mode != "area")
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: there is no mode '{}' for {} spatial dimensions",
                     mode, dims)
        .detail("input", describe(input))
        .hint("nearest, nearest-exact or area; linear (1-d), bilinear or bicubic (2-d), trilinear (3-d)")
        .raise();
  if (align_corners && !is_linear && !is_cubic)
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: align_corners has no meaning for mode '{}'",
                     mode)
        .raise();
  Shape targets;
  for (int d = 0; d < dims; ++d) {
    const std::size_t i = given == 1 ? 0 : static_cast<std::size_t>(d);
    targets.push_back(size ? (*size)[i]
                           : static_cast<std::int64_t>(
                                 std::floor(static_cast<double>(input.size(2 + d)) * (*scale_factor)[i])));
    if (targets[d] < 1 || input.size(2 + d) < 1)
      fail<ShapeError>(ErrorCode::sizes_differ, "interpolate: from size {} to {}", input.size(2 + d),
                       targets[d])
          .detail("input", describe(input))
          .raise();
  }
  if (mode == "area")
    return dims == 1   ? adaptive_avg_pool1d(input, targets)
           : dims == 2 ? adaptive_avg_pool2d(input, targets)
                       : adaptive_avg_pool3d(input, targets);
  Tensor result = input;
  for (int d = 0; d < dims; ++d) {
    const std::int64_t from = input.size(2 + d), to = targets[d];
    const bool use_scale = scale_factor && !recompute_scale_factor.value_or(false);
    const double step = use_scale ? 1 / (*scale_factor)[given == 1 ? 0 : static_cast<std::size_t>(d)]
                                  : static_cast<double>(from) / static_cast<double>(to);
    const bool align = align_corners.value_or(false);
    result = resample(result, 2 + d, to,
                      is_nearest  ? nearest(from, to, step, mode == "nearest-exact")
                      : is_linear ? linear_stencil(from, to, step, align)
                                  : cubic_stencil(from, to, step, align));
  }
  return result;
}

PHLOX_OPERATION(
    Tensor, pixel_shuffle, (const Tensor& input, std::int64_t upscale_factor),
    .doc =
        "Moves channels into space: [..., channels r², height, width] becomes [..., channels, height r, width "
        "r].",
    .source = "Shi et al. 2016, arXiv:1609.05158", .family = Family::view, .home = "nn.functional",
    .method = false, .samples = "pixel_shuffle(A(2, 8, 2, 3), 2)") {
  need_rank("pixel_shuffle", input, 3);
  const std::int64_t r = upscale_factor, channels = input.size(-3), height = input.size(-2),
                     width = input.size(-1);
  if (r < 1 || channels % (r * r) != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "pixel_shuffle: {} channels do not divide by {}²", channels, r)
        .detail("input", describe(input))
        .raise();
  const Tensor parts = reshape(input, {-1, channels / (r * r), r, r, height, width});
  Shape shape = input.shape();
  shape[shape.size() - 3] = channels / (r * r);
  shape[shape.size() - 2] = height * r;
  shape[shape.size() - 1] = width * r;
  return reshape(permute(parts, {0, 1, 4, 2, 5, 3}), shape);
}

PHLOX_OPERATION(Tensor, pixel_unshuffle, (const Tensor& input, std::int64_t downscale_factor),
                .doc = "Moves space into channels, the inverse of pixel_shuffle.",
                .source = "Shi et al. 2016, arXiv:1609.05158", .family = Family::view,
                .home = "nn.functional", .method = false, .samples = "pixel_unshuffle(A(2, 3, 4, 6), 2)") {
  need_rank("pixel_unshuffle", input, 3);
  const std::int64_t r = downscale_factor, channels = input.size(-3), height = input.size(-2),
                     width = input.size(-1);
  if (r < 1 || height % r != 0 || width % r != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "pixel_unshuffle: height and width do not divide by {}", r)
        .detail("input", describe(input))
        .raise();
  const Tensor parts = reshape(input, {-1, channels, height / r, r, width / r, r});
  Shape shape = input.shape();
  shape[shape.size() - 3] = channels * r * r;
  shape[shape.size() - 2] = height / r;
  shape[shape.size() - 1] = width / r;
  return reshape(permute(parts, {0, 1, 3, 5, 2, 4}), shape);
}

PHLOX_OPERATION(Tensor, channel_shuffle, (const Tensor& input, std::int64_t groups),
                .doc = "Interleaves groups of channels of [batch, channels, ...].",
                .source = "Zhang et al. 2017, arXiv:1707.01083", .family = Family::view,
                .home = "nn.functional", .method = false, .samples = "channel_shuffle(A(2, 6, 3), 2)") {
  need_rank("channel_shuffle", input, 2);
  if (groups < 1 || input.size(1) % groups != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "channel_shuffle: {} channels do not divide into {} groups",
                     input.size(1), groups)
        .detail("input", describe(input))
        .raise();
  Shape parts = input.shape();
  parts[1] = groups;
  parts.insert(2, input.size(1) / groups);
  return reshape(transpose(reshape(input, parts), 1, 2), input.shape());
}

}  // namespace phlox
