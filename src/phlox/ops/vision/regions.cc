// Regions of images brought to one size: roi_align, roi_pool, their position-sensitive forms, crop_and_resize.
#include <algorithm>
#include <cmath>
#include <limits>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/vision/sampling.h"
#include "phlox/ops/signal/window_arguments.h"

namespace phlox {
namespace {

// Regions in positions of the images: one number a region.
struct Regions {
  Tensor image;  // int64[n]
  Tensor x1, y1, x2, y2;
  IntList output;
};

Regions regions(const Tensor& input, const Tensor& boxes, const DimList& output_size, double spatial_scale,
                const char* operation) {
  if (input.rank() != 4 || boxes.rank() != 2 || boxes.size(1) != 5)
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "{}: takes images [batch, channels, height, width] and boxes [n, 5]: image, x1, y1, x2, y2",
        operation)
        .detail("input", describe(input))
        .detail("boxes", describe(boxes))
        .raise();
  if (!is_floating(input.dtype()) || boxes.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: images and boxes are floating numbers of one dtype",
                     operation)
        .detail("input", describe(input))
        .detail("boxes", describe(boxes))
        .raise();
  const auto at = [&](int i) { return select(boxes, 1, i) * spatial_scale; };
  return {select(boxes.detach(), 1, 0).to(DType::int64),
          at(1),
          at(2),
          at(3),
          at(4),
          for_each_dimension(output_size, 2, 1, operation, "output_size")};
}

// Boxes of each image as one list [n, 5].
Tensor with_image_numbers(const TensorList& boxes, const char* operation) {
  TensorList parts;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].rank() != 2 || boxes[i].size(1) != 4)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: a list of boxes has [n, 4] for each image", operation)
          .detail("boxes", describe(boxes[i]))
          .raise();
    parts.push_back(
        cat({full({boxes[i].size(0), 1}, static_cast<std::int64_t>(i), boxes[i].dtype(), boxes[i].device()),
             boxes[i]},
            1));
  }
  if (parts.empty())
    fail<ValueError>(ErrorCode::invalid_value, "{}: the list of boxes is empty", operation).raise();
  return cat(parts, 0);
}

// Where samples lie along one dimension, [n, bins, samples], how many of them count in each region, [n] (undefined:
// all), and which, [n, 1, samples].
struct BinSamples {
  Tensor positions, count, counts;
};

// Samples at the middles of the parts of each bin. Without a ratio there are as many as the bin has positions.
BinSamples samples_of_bins(const Tensor& start, const Tensor& length, std::int64_t bins,
                           std::int64_t sampling_ratio) {
  const Tensor bin = length / static_cast<double>(bins);
  BinSamples result;
  std::int64_t most = sampling_ratio;
  Tensor count;
  if (sampling_ratio <= 0) {
    NoGrad no_gradient;
    count = clamp_min(ceil(bin.detach()), 1.0);
    most = count.numel() > 0 ? amax(count).to(DType::int64).item<std::int64_t>() : 1;
  }
  const DType dtype = start.dtype();
  const Tensor sample = arange(0, most, 1, dtype, start.device()) + 0.5;
  const Tensor size = reshape(bin, {-1, 1, 1});
  const Tensor within =
      count.defined() ? sample / reshape(count, {-1, 1, 1}) : sample / static_cast<double>(most);
  result.positions = reshape(start, {-1, 1, 1}) +
                     (reshape(arange(0, bins, 1, dtype, start.device()), {1, -1, 1}) + within) * size;
  if (count.defined()) {
    result.count = count;
    result.counts = lt(sample, reshape(count, {-1, 1, 1}));
  }
  return result;
}

// The mean of the samples of each bin: [n, channels, bins, bins]. firsts: the beginning of the image (and of the
// channels of the bin) in the table, int64, broadcasts with [n, bins, samples, bins, samples].
Tensor mean_of_samples(GridRows grid, const Tensor& firsts, const BinSamples& down,
                       const BinSamples& across) {
  const std::int64_t height = grid.sizes[0], width = grid.sizes[1];
  const auto inside = [](const Tensor& at, std::int64_t size) {
    return logical_and(ge(at, -1.0), le(at, static_cast<double>(size)));
  };
  const Tensor y = unsqueeze(unsqueeze(down.positions, 3), 4);
  const Tensor x = unsqueeze(unsqueeze(across.positions, 1), 1);
  Tensor valid = logical_and(inside(y.detach(), height), inside(x.detach(), width));
  if (down.counts.defined()) valid = logical_and(valid, unsqueeze(unsqueeze(down.counts, 3), 4));
  if (across.counts.defined()) valid = logical_and(valid, unsqueeze(unsqueeze(across.counts, 1), 1));
  const Shape shape = valid.shape();
  grid.firsts = firsts;
  const Tensor values = sample_grid(grid,
                                    {expand(clip_positions(y, static_cast<double>(height)), shape),
                                     expand(clip_positions(x, static_cast<double>(width)), shape)},
                                    1, Outside::nearest);
  Tensor total = sum(where(unsqueeze(valid, -1), values, 0), DimList{2, 4});
  if (down.count.defined()) total = total / reshape(down.count, {-1, 1, 1, 1});
  else total = total / static_cast<double>(down.positions.size(2));
  if (across.count.defined()) total = total / reshape(across.count, {-1, 1, 1, 1});
  else total = total / static_cast<double>(across.positions.size(2));
  return permute(total, {0, 3, 1, 2});
}

// Images whose channels belong to bins, [batch, outputs * rows * columns, height, width], as a table with `outputs`
// channels; `firsts` for regions [n, rows, 1, columns, 1].
GridRows position_sensitive_rows(const Tensor& input, const IntList& bins, const Tensor& image,
                                 Tensor& firsts, const char* operation) {
  const std::int64_t count = bins[0] * bins[1], height = input.size(2), width = input.size(3);
  if (input.size(1) % count != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} channels do not divide among {} x {} bins", operation,
                     input.size(1), bins[0], bins[1])
        .detail("input", describe(input))
        .raise();
  const std::int64_t outputs = input.size(1) / count;
  const Tensor parted = reshape(input, {input.size(0), outputs, count, height, width});
  GridRows grid;
  grid.sizes = {height, width};
  grid.rows = reshape(permute(parted, {0, 2, 3, 4, 1}), {-1, outputs});
  const Tensor bin = reshape(arange(0, count, 1, DType::int64, input.device()), {1, bins[0], 1, bins[1], 1});
  firsts = (reshape(image, {-1, 1, 1, 1, 1}) * count + bin) * (height * width);
  return grid;
}

// Whole positions that bins cover: true within [begin, end), [n, bins, size].
Tensor covered(const Tensor& begin, const Tensor& end, std::int64_t size) {
  const Tensor at = arange(0, size, 1, begin.dtype(), begin.device());
  return logical_and(ge(at, unsqueeze(begin, 2)), lt(at, unsqueeze(end, 2)));
}

struct BinRanges {
  Tensor begin, end;  // [n, bins]
};

// Bins of whole positions, as they have been since Fast R-CNN: overlapping where they do not divide evenly.
BinRanges whole_bins(const Tensor& start, const Tensor& length, std::int64_t bins, double limit) {
  const Tensor number = arange(0, bins, 1, start.dtype(), start.device());
  const Tensor size = unsqueeze(length / static_cast<double>(bins), 1), first = unsqueeze(start, 1);
  return {clamp_range(floor(number * size) + first, 0, limit),
          clamp_range(ceil((number + 1.0) * size) + first, 0, limit)};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, roi_align,
    (const Tensor& input, const Tensor& boxes, const DimList& output_size, double spatial_scale = 1.0,
     std::int64_t sampling_ratio = -1, bool aligned = false),
    .doc =
        "Regions of images [batch, channels, height, width] at one size [n, channels, *output_size]: the mean of sampling_ratio^2 interpolated points in each bin. boxes [n, 5] are "
        "image number and two corners, or a list of corners [n, 4] for each image, times `spatial_scale`. A sampling_ratio of 0 or less takes about one point for each element. "
        "With `aligned` positions are half an element lower, where they belong.",
    .source = "He et al. 2017, arXiv:1703.06870", .family = Family::index, .home = "vision", .method = false,
    .samples =
        "roi_align(A(2, 3, 6, 7), cumsum(sigmoid(C(2, 5)), 1), (2, 3), 1.5, 2); "
        "roi_align(A(1, 2, 6, 7), cumsum(sigmoid(C(1, 5)), 1), 2, sampling_ratio=1, aligned=True)",
    .integers = false, .reads_values = true, .tolerance = 1e-4) {
  const Regions r = regions(input, boxes, output_size, spatial_scale, "roi_align");
  const double offset = aligned ? 0.5 : 0;
  const double least = aligned ? -std::numeric_limits<double>::infinity() : 1;
  const BinSamples down =
      samples_of_bins(r.y1 - offset, clamp_min(r.y2 - r.y1, least), r.output[0], sampling_ratio);
  const BinSamples across =
      samples_of_bins(r.x1 - offset, clamp_min(r.x2 - r.x1, least), r.output[1], sampling_ratio);
  const Tensor firsts = reshape(r.image, {-1, 1, 1, 1, 1}) * (input.size(2) * input.size(3));
  return mean_of_samples(grid_rows(input), firsts, down, across);
}

PHLOX_OPERATION(
    Tensor, roi_align_of_lists,
    (const Tensor& input, const TensorList& boxes, const DimList& output_size, double spatial_scale = 1.0,
     std::int64_t sampling_ratio = -1, bool aligned = false),
    .doc = "roi_align() with the boxes [n, 4] of each image in a list.",
    .source = "He et al. 2017, arXiv:1703.06870", .family = Family::index, .home = "vision", .method = false,
    .samples =
        "roi_align_of_lists(A(2, 3, 6, 7), [cumsum(sigmoid(C(1, 4)), 1), cumsum(sigmoid(C(2, 4)), 1)], 2, 1.0, 2)",
    .integers = false, .reads_values = true, .tolerance = 1e-4, .overload_of = "roi_align") {
  return roi_align(input, with_image_numbers(boxes, "roi_align"), output_size, spatial_scale, sampling_ratio,
                   aligned);
}

PHLOX_OPERATION(
    Tensor, ps_roi_align,
    (const Tensor& input, const Tensor& boxes, const DimList& output_size, double spatial_scale = 1.0,
     std::int64_t sampling_ratio = -1),
    .doc =
        "roi_align() where each bin has channels of its own: images [batch, outputs * rows * columns, height, width] give [n, outputs, rows, columns].",
    .source = "Li et al. 2017, arXiv:1711.07264", .family = Family::index, .home = "vision", .method = false,
    .samples = "ps_roi_align(A(2, 8, 6, 7), cumsum(sigmoid(C(2, 5)), 1), 2, 1.0, 2)", .integers = false,
    .reads_values = true, .tolerance = 1e-4) {
  const Regions r = regions(input, boxes, output_size, spatial_scale, "ps_roi_align");
  const BinSamples down = samples_of_bins(r.y1 - 0.5, r.y2 - r.y1, r.output[0], sampling_ratio);
  const BinSamples across = samples_of_bins(r.x1 - 0.5, r.x2 - r.x1, r.output[1], sampling_ratio);
  Tensor firsts;
  const GridRows grid = position_sensitive_rows(input, r.output, r.image, firsts, "ps_roi_align");
  return mean_of_samples(grid, firsts, down, across);
}

PHLOX_OPERATION(
    Tensor, roi_pool,
    (const Tensor& input, const Tensor& boxes, const DimList& output_size, double spatial_scale = 1.0),
    .doc =
        "The largest element of each bin of regions rounded to whole positions, corners included: images [batch, channels, height, width] and "
        "boxes [n, 5] give [n, channels, *output_size]. Bins without elements are 0.",
    .source = "Girshick 2015, arXiv:1504.08083", .family = Family::index, .home = "vision", .method = false,
    .samples = "roi_pool(A(2, 3, 6, 7), cumsum(sigmoid(C(2, 5)), 1), 2)", .integers = false) {
  const Regions r = regions(input, boxes.detach(), output_size, spatial_scale, "roi_pool");
  const auto rounded = [](const Tensor& x) { return floor(x + 0.5); };
  const Tensor top = rounded(r.y1), left = rounded(r.x1);
  const auto bins = [&](const Tensor& start, const Tensor& end, int d) {
    const BinRanges range = whole_bins(start, clamp_min(rounded(end) - start + 1.0, 1.0), r.output[d],
                                       static_cast<double>(input.size(2 + d)));
    return covered(range.begin, range.end, input.size(2 + d));
  };
  const Tensor rows = bins(top, r.y2, 0), columns = bins(left, r.x2, 1);
  const Tensor images = index_select(input, 0, r.image);
  const double lowest = -std::numeric_limits<double>::infinity();
  TensorList result;
  // Row of bins by row of bins, so that only one row's choice is in memory.
  for (std::int64_t i = 0; i < r.output[0]; ++i) {
    const Tensor row = reshape(select(rows, 1, i), {-1, 1, input.size(2), 1});
    const Tensor tallest = amax(where(row, images, lowest), DimList(2), false);
    const Tensor of_bins = where(unsqueeze(columns, 1), unsqueeze(tallest, 2), lowest);
    const Tensor largest = amax(of_bins, DimList(3));
    const Tensor filled = logical_and(any(select(rows, 1, i), DimList(1), true), any(columns, DimList(2)));
    result.push_back(where(unsqueeze(filled, 1), largest, 0));
  }
  return stack(result, 2);
}

PHLOX_OPERATION(
    Tensor, ps_roi_pool,
    (const Tensor& input, const Tensor& boxes, const DimList& output_size, double spatial_scale = 1.0),
    .doc =
        "The mean of each bin of regions rounded to whole positions, where each bin has channels of its own: images [batch, outputs * rows * columns, "
        "height, width] give [n, outputs, rows, columns].",
    .source = "Dai et al. 2016, arXiv:1605.06409", .family = Family::index, .home = "vision", .method = false,
    .samples = "ps_roi_pool(A(2, 8, 6, 7), cumsum(sigmoid(C(2, 5)), 1), 2)", .integers = false) {
  const Regions r = regions(input, boxes.detach(), output_size, spatial_scale, "ps_roi_pool");
  const std::int64_t height = input.size(2), width = input.size(3), count = r.output[0] * r.output[1];
  if (input.size(1) % count != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "ps_roi_pool: {} channels do not divide among {} x {} bins",
                     input.size(1), r.output[0], r.output[1])
        .detail("input", describe(input))
        .raise();
  const auto bins = [&](const Tensor& first, const Tensor& last, int d) {
    const Tensor start = floor(first + 0.5);
    const BinRanges range = whole_bins(start, clamp_min(floor(last + 0.5) - start, 1.0), r.output[d],
                                       static_cast<double>(input.size(2 + d) - 1));
    return covered(range.begin, range.end, input.size(2 + d)).to(input.dtype());
  };
  const Tensor rows = bins(r.y1, r.y2, 0), columns = bins(r.x1, r.x2, 1);
  const Tensor images = reshape(index_select(input, 0, r.image),
                                {-1, input.size(1) / count, r.output[0], r.output[1], height, width});
  const Tensor across = sum(images * reshape(columns, {-1, 1, 1, r.output[1], 1, width}), DimList(-1));
  const Tensor total = sum(across * reshape(rows, {-1, 1, r.output[0], 1, height}), DimList(-1));
  const Tensor area = unsqueeze(sum(rows, DimList(2)), 2) * unsqueeze(sum(columns, DimList(2)), 1);
  return total / unsqueeze(clamp_min(area, 1.0), 1);
}

PHLOX_OPERATION(
    Tensor, crop_and_resize,
    (const Tensor& input, const Tensor& boxes, const Tensor& box_indices, const DimList& crop_size,
     const std::string& method = "bilinear", double extrapolation_value = 0.0),
    .doc =
        "Regions of images [batch, channels, height, width] at one size [n, channels, *crop_size]. boxes [n, 4] are (y1, x1, y2, x2) as parts of the image, 0 and 1 being the centres of "
        "the outermost elements, box_indices [n] the images; a box may be flipped. Outside is `extrapolation_value`. method is \"bilinear\" or "
        "\"nearest\".",
    .family = Family::index, .home = "vision", .method = false,
    .samples =
        "crop_and_resize(A(2, 3, 5, 6), sigmoid(A(3, 4)), I(2, 3), (3, 2)); crop_and_resize(A(1, 2, 5, 6), A(2, 4), "
        "I(1, 2), 2, 'nearest', 1.5)",
    .integers = false, .tolerance = 1e-4) {
  if (input.rank() != 4 || boxes.rank() != 2 || boxes.size(1) != 4 ||
      box_indices.shape() != Shape{boxes.size(0)})
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "crop_and_resize: takes images [batch, channels, height, width], boxes [n, 4] and image "
                     "numbers [n]")
        .detail("input", describe(input))
        .detail("boxes", describe(boxes))
        .detail("box_indices", describe(box_indices))
        .raise();
  if (method != "bilinear" && method != "nearest")
    fail<ValueError>(ErrorCode::invalid_value, "crop_and_resize: method is '{}'", method)
        .hint("\"bilinear\" or \"nearest\"")
        .raise();
  const IntList size = for_each_dimension(crop_size, 2, 1, "crop_and_resize", "crop_size");
  std::vector<Tensor> positions;
  Tensor inside;
  for (int d = 0; d < 2; ++d) {
    const auto last = static_cast<double>(input.size(2 + d) - 1);
    const Tensor begin = select(boxes, 1, d) * last, end = select(boxes, 1, 2 + d) * last;
    Tensor at = unsqueeze((begin + end) * 0.5, 1);
    if (size[d] > 1) {
      const Tensor share =
          arange(0, size[d], 1, boxes.dtype(), boxes.device()) / static_cast<double>(size[d] - 1);
      at = unsqueeze(begin, 1) + unsqueeze(end - begin, 1) * share;
    }
    at = unsqueeze(at, d == 0 ? 2 : 1);
    const Tensor within = logical_and(ge(at.detach(), 0), le(at.detach(), last));
    inside = inside.defined() ? logical_and(inside, within) : within;
    positions.push_back(at);
  }
  for (Tensor& at : positions) at = expand(at, inside.shape());
  GridRows grid = grid_rows(input);
  grid.firsts = reshape(box_indices.to(DType::int64), {-1, 1, 1}) * (input.size(2) * input.size(3));
  const Tensor values = sample_grid(grid, positions, method == "bilinear" ? 1 : 0, Outside::nearest);
  return permute(where(unsqueeze(inside, -1), values, extrapolation_value), {0, 3, 1, 2});
}

}  // namespace phlox
