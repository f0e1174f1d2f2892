// Changing the size of images: interpolate() as PyTorch has it, resize_image() with the filters of image programs.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

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

// Keys 1981. PyTorch has a = -0.75, image programs and antialiased forms -0.5.
double cubic_weight(double distance, double a) {
  const double x = std::abs(distance);
  if (x >= 2) return 0;
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

Stencil cubic_stencil(std::int64_t size, std::int64_t target, double step, bool align_corners) {
  Stencil s{4, std::vector<std::int64_t>(static_cast<std::size_t>(4 * target)),
            std::vector<double>(static_cast<std::size_t>(4 * target))};
  for (std::int64_t i = 0; i < target; ++i) {
    const double at = source_coordinate(i, size, target, step, align_corners);
    const auto left = static_cast<std::int64_t>(std::floor(at));
    for (int tap = 0; tap < 4; ++tap) {
      s.positions[tap * target + i] = std::clamp<std::int64_t>(left - 1 + tap, 0, size - 1);
      s.weights[tap * target + i] = cubic_weight(at - static_cast<double>(left - 1 + tap), -0.75);
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
    const Tensor part = index_select(input, dim, positions.to(input.device()));
    if (s.taps == 1) return part;
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[static_cast<std::size_t>(dim)] = target;
    const Tensor weights = from_values<double>(std::span(s.weights).subspan(first, count), shape)
                               .to(input.dtype())
                               .to(input.device());
    result = result.defined() ? addcmul(result, part, weights) : mul(part, weights);
  }
  return result;
}

// A filter: its weight at a distance, and how far it reaches.
struct Filter {
  double (*weight)(double distance);
  double reach;
};

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }
double keys(double x) { return cubic_weight(x, -0.5); }
template <int radius>
double lanczos(double x) {
  if (x == 0) return 1;
  if (std::abs(x) >= radius) return 0;
  const double angle = std::numbers::pi * x;
  return radius * std::sin(angle) * std::sin(angle / radius) / (angle * angle);
}
double bell(double x) { return std::abs(x) < 1.5 ? std::exp(-2 * x * x) : 0; }
double mitchell(double distance) {
  const double x = std::abs(distance);
  if (x >= 2) return 0;
  return x < 1 ? (7 * x - 12) * x * x / 6 + 8.0 / 9 : ((-7.0 / 18 * x + 2) * x - 10.0 / 3) * x + 16.0 / 9;
}

// The weights [target, size] of a filter, each row adding up to 1. Antialiasing widens it where images shrink.
Tensor filter_matrix(const Filter& filter, std::int64_t size, std::int64_t target, double step,
                     bool align_corners, bool antialias) {
  const double scale = antialias ? std::max(step, 1.0) : 1;
  std::vector<double> weights(static_cast<std::size_t>(target * size), 0.0);
  for (std::int64_t i = 0; i < target; ++i) {
    const double at = source_coordinate(i, size, target, step, align_corners && !antialias);
    double* row = &weights[static_cast<std::size_t>(i * size)];
    double total = 0;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(at - filter.reach * scale) - 1);
    const auto last =
        std::min<std::int64_t>(size - 1, static_cast<std::int64_t>(at + filter.reach * scale) + 1);
    for (std::int64_t j = first; j <= last; ++j)
      total += row[j] = filter.weight((static_cast<double>(j) - at) / scale);
    if (total == 0) row[std::clamp<std::int64_t>(std::llround(at), 0, size - 1)] = total = 1;
    for (std::int64_t j = first; j <= last; ++j) row[j] /= total;
  }
  return from_values<double>(weights, {target, size});
}

// How much of each input element lies within the part of the output.
Tensor area_matrix(std::int64_t size, std::int64_t target) {
  const double step = static_cast<double>(size) / static_cast<double>(target);
  std::vector<double> weights(static_cast<std::size_t>(target * size), 0.0);
  for (std::int64_t i = 0; i < target; ++i) {
    const double begin = static_cast<double>(i) * step, end = begin + step;
    for (auto j = static_cast<std::int64_t>(begin); j < size && static_cast<double>(j) < end; ++j)
      weights[static_cast<std::size_t>(i * size + j)] =
          std::max(0.0, std::min(end, static_cast<double>(j + 1)) - std::max(begin, static_cast<double>(j))) /
          step;
  }
  return from_values<double>(weights, {target, size});
}

// The product of a matrix with every line along a dimension.
Tensor apply_matrix(const Tensor& input, int dim, const Tensor& matrix) {
  const Tensor weights = matrix.to(input.dtype()).to(input.device());
  if (dim == input.rank() - 1) return matmul(input, transpose(weights, 0, 1));
  return transpose(matmul(transpose(input, dim, -1), transpose(weights, 0, 1)), dim, -1);
}

void need_rank(const char* operation, const Tensor& input, int rank) {
  if (input.rank() >= rank) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: input needs at least {} dimensions, not {}", operation, rank,
                   input.rank())
      .detail("input", describe(input))
      .raise();
}

// Halves are resized in f32. Integers are resized as numbers and rounded, kept within their dtype.
template <class Resize>
Tensor with_integers(const Tensor& input, const Resize& resize) {
  if (is_floating(input.dtype())) return resize(widened(input)).to(input.dtype());
  const Tensor result = round(resize(input.to(DType::float32)));
  const auto limits = [&](const Tensor& x) {
    const int bits = std::min(info(input.dtype()).bits - (is_unsigned(input.dtype()) ? 0 : 1), 31);
    const double high = std::ldexp(1.0, bits) - 1, low = is_unsigned(input.dtype()) ? 0 : -high - 1;
    return clamp_range(x, low, high);
  };
  return limits(result).to(input.dtype());
}

}  // namespace

PHLOX_OPERATION(
    Tensor, interpolate,
    (const Tensor& input, const OptionalDims& size = {}, const std::optional<Doubles>& scale_factor = {},
     const std::string& mode = "nearest", OptionalBool align_corners = {},
     OptionalBool recompute_scale_factor = {}, bool antialias = false),
    .doc =
        "Resizes the spatial dimensions of [batch, channels, ...] to `size` or by `scale_factor`. Modes: "
        "nearest, nearest-exact, linear, bilinear, trilinear, bicubic, lanczos, area. With align_corners the corner "
        "elements of both grids coincide; `antialias`, for bilinear, bicubic and lanczos, smooths what shrinks.",
    .source = "Keys 1981, Cubic convolution interpolation for digital image processing (bicubic)",
    .family = Family::pooling, .alias = "upsample", .home = "nn.functional", .method = false,
    .samples =
        "interpolate(A(2, 3, 4), size=6); interpolate(A(1, 2, 3, 4), size=[5, 3], mode='bilinear'); "
        "interpolate(A(1, 2, 3, 4), size=[5, 7], mode='bicubic', align_corners=True); "
        "interpolate(A(1, 2, 4, 4), scale_factor=[2.0], mode='bilinear'); "
        "interpolate(A(1, 2, 6, 5), size=[3, 7], mode='bicubic', antialias=True)",
    .integers = false) {
  need_rank("interpolate", input, 3);
  const int dims = input.rank() - 2;
  if (size.has_value() == scale_factor.has_value())
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: give either size or scale_factor").raise();
  if (size && recompute_scale_factor.value_or(false))
    fail<ValueError>(ErrorCode::invalid_value,
                     "interpolate: recompute_scale_factor has no meaning where the size is given")
        .raise();
  const std::size_t given = size ? size->size() : scale_factor->size();
  if (given != 1 && given != static_cast<std::size_t>(dims))
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: needs 1 or {} sizes or scales, not {}", dims,
                     given)
        .detail("input", describe(input))
        .raise();
  const bool is_linear = (mode == "linear" && dims == 1) || (mode == "bilinear" && dims == 2) ||
                         (mode == "trilinear" && dims == 3);
  const bool is_cubic = mode == "bicubic" && dims == 2, is_lanczos = mode == "lanczos" && dims == 2;
  const bool is_nearest = mode == "nearest" || mode == "nearest-exact";
  if (!is_linear && !is_cubic && !is_nearest && !is_lanczos && mode != "area")
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: there is no mode '{}' for {} spatial dimensions",
                     mode, dims)
        .detail("input", describe(input))
        .hint(
            "nearest, nearest-exact or area; linear (1-d), bilinear, bicubic or lanczos (2-d), trilinear (3-d)")
        .raise();
  if (align_corners && !is_linear && !is_cubic)
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: align_corners has no meaning for mode '{}'",
                     mode)
        .raise();
  if (antialias && (dims != 2 || is_nearest || mode == "area"))
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: antialias has no meaning for mode '{}'", mode)
        .hint("mode=\"bilinear\", \"bicubic\" or \"lanczos\", of images [batch, channels, height, width]")
        .raise();
  if (is_lanczos && !antialias)
    fail<ValueError>(ErrorCode::invalid_value, "interpolate: mode 'lanczos' needs antialias=true").raise();
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
  const auto resize = [&](const Tensor& image) {
    Tensor result = image;
    // Shrinking first, and among equals the dimension of neighbours in memory, whose elements are picked one by one: while
    // there are few of them.
    std::vector<int> order(static_cast<std::size_t>(dims));
    for (int d = 0; d < dims; ++d) order[static_cast<std::size_t>(d)] = dims - 1 - d;
    const Strides strides = image.strides();
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      const std::int64_t left = targets[a] * input.size(2 + b), right = targets[b] * input.size(2 + a);
      return left != right ? left < right : std::abs(strides[2 + a]) < std::abs(strides[2 + b]);
    });
    for (int d : order) {
      const std::int64_t from = input.size(2 + d), to = targets[d];
      const bool use_scale = scale_factor && !recompute_scale_factor.value_or(false);
      const double step = use_scale ? 1 / (*scale_factor)[given == 1 ? 0 : static_cast<std::size_t>(d)]
                                    : static_cast<double>(from) / static_cast<double>(to);
      const bool align = align_corners.value_or(false);
      if (antialias) {
        const Filter filter = is_linear  ? Filter{triangle, 1}
                              : is_cubic ? Filter{keys, 2}
                                         : Filter{lanczos<3>, 3};
        const double ratio =
            align ? (to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0) : step;
        result = apply_matrix(result, 2 + d, filter_matrix(filter, from, to, ratio, align, true));
        continue;
      }
      result = resample(result, 2 + d, to,
                        is_nearest  ? nearest(from, to, step, mode == "nearest-exact")
                        : is_linear ? linear_stencil(from, to, step, align)
                                    : cubic_stencil(from, to, step, align));
    }
    return result;
  };
  return is_nearest ? resize(input) : with_integers(input, resize);
}

PHLOX_OPERATION(Tensor, upsample_nearest,
                (const Tensor& input, const OptionalDims& size = {},
                 const std::optional<Doubles>& scale_factor = {}),
                .doc = "interpolate() with mode=\"nearest\".", .family = Family::pooling,
                .home = "nn.functional", .method = false,
                .samples = "upsample_nearest(A(1, 2, 3, 4), scale_factor=[2.0])", .integers = false) {
  return interpolate(input, size, scale_factor, "nearest");
}

PHLOX_OPERATION(Tensor, upsample_bilinear,
                (const Tensor& input, const OptionalDims& size = {},
                 const std::optional<Doubles>& scale_factor = {}),
                .doc = "interpolate() with mode=\"bilinear\" and align_corners.", .family = Family::pooling,
                .home = "nn.functional", .method = false,
                .samples = "upsample_bilinear(A(1, 2, 3, 4), size=[5, 3])", .integers = false) {
  return interpolate(input, size, scale_factor, "bilinear", true);
}

PHLOX_OPERATION(
    Tensor, resize_image,
    (const Tensor& images, const DimList& size, const std::string& interpolation = "bilinear",
     bool antialias = false),
    .doc =
        "Images [..., height, width] at another `size` (height, width). interpolation: \"nearest\", \"bilinear\", \"bicubic\", \"lanczos3\", \"lanczos5\", \"gaussian\", \"mitchellcubic\" or "
        "\"area\"; `antialias` smooths what shrinks. Corners of images coincide; integers are rounded.",
    .source = "Turkowski 1990, Filters for common resampling tasks", .family = Family::pooling,
    .home = "vision", .method = false,
    .samples =
        "resize_image(A(2, 3, 4, 6), (3, 9)); resize_image(A(6, 7), 4, 'bicubic', antialias=True); resize_image(A(1, "
        "6, 7), 4, 'lanczos3'); resize_image(A(4, 6), (3, 9), 'area')",
    .integers = false, .tolerance = 1e-4) {
  need_rank("resize_image", images, 2);
  if (size.size() < 1 || size.size() > 2)
    fail<ValueError>(ErrorCode::invalid_value, "resize_image: the size is height and width").raise();
  const std::int64_t targets[] = {size[0], size[size.size() - 1]};
  Filter filter{triangle, 1};
  if (interpolation == "bicubic") filter = {keys, 2};
  else if (interpolation == "lanczos3") filter = {lanczos<3>, 3};
  else if (interpolation == "lanczos5") filter = {lanczos<5>, 5};
  else if (interpolation == "gaussian") filter = {bell, 1.5};
  else if (interpolation == "mitchellcubic") filter = {mitchell, 2};
  else if (interpolation != "bilinear" && interpolation != "nearest" && interpolation != "area")
    fail<ValueError>(ErrorCode::invalid_value, "resize_image: there is no interpolation '{}'", interpolation)
        .hint(
            "\"nearest\", \"bilinear\", \"bicubic\", \"lanczos3\", \"lanczos5\", \"gaussian\", \"mitchellcubic\" or "
            "\"area\"")
        .raise();
  const auto resize = [&](const Tensor& image) {
    Tensor result = image;
    for (int d = 0; d < 2; ++d) {
      const int dim = image.rank() - 2 + d;
      const std::int64_t from = image.size(dim), to = targets[d];
      if (from < 1 || to < 1)
        fail<ShapeError>(ErrorCode::sizes_differ, "resize_image: from size {} to {}", from, to)
            .detail("images", describe(images))
            .raise();
      const double step = static_cast<double>(from) / static_cast<double>(to);
      if (interpolation == "nearest") result = resample(result, dim, to, nearest(from, to, step, true));
      else if (interpolation == "area") result = apply_matrix(result, dim, area_matrix(from, to));
      else result = apply_matrix(result, dim, filter_matrix(filter, from, to, step, false, antialias));
    }
    return result;
  };
  return interpolation == "nearest" ? resize(images) : with_integers(images, resize);
}

}  // namespace phlox
