// Reductions over segments: elements with the same number, or ranges of a dimension.
#include <string>

#include "phlox/ops/checked_positions.h"
#include "phlox/ops/extreme_value.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// What an empty segment holds.
Scalar neutral_element(const std::string& reduce, DType dtype, const char* operation) {
  if (reduce == "sum" || reduce == "mean") return 0;
  if (reduce == "prod") return 1;
  if (reduce == "max" || reduce == "min") {
    if (is_complex(dtype))
      fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation, info(dtype).name)
          .raise();
    return extreme_value(dtype, reduce == "min");
  }
  fail<ValueError>(ErrorCode::unknown_name, "{}: reduce is '{}'", operation, reduce)
      .hint("\"sum\", \"mean\", \"max\", \"min\" or \"prod\"")
      .raise();
}

// Combines the rows of `rows`, [n,...], into the rows `places`, int64[n], of `base`.
Tensor combine_rows(const Tensor& base, const Tensor& places, const Tensor& rows, const std::string& reduce) {
  if (reduce == "sum" || reduce == "mean")
    return apply_index_put(base, {{0}, 0, {places}}, rows, ScatterMode::add, "segment_reduce");
  Shape shape(static_cast<std::size_t>(rows.rank()), 1);
  shape[0] = -1;
  const std::string mode = reduce == "max" ? "amax" : reduce == "min" ? "amin" : reduce;
  return scatter_reduce(base, 0, expand(reshape(places, shape), rows.shape()), rows, mode);
}

// How many elements each of `count` segments has, as a column that broadcasts with rows of this rank.
Tensor segment_sizes(const Tensor& places, std::int64_t count, int rank) {
  const Tensor sizes =
      scatter_add(zeros({count}, DType::int64, places.device()), 0, places, ones_like(places));
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[0] = count;
  return reshape(sizes, shape);
}

// Numbers of segments for the leading dimensions of the input; where negative ones are left out, they go to a segment
// of their own that is cut off again.
Tensor reduce_segments(const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments,
                       bool leave_out_negative, const std::string& reduce, const char* operation) {
  const Shape lead = segment_ids.shape(), all_sizes = input.shape();
  if (lead.empty() || lead.rank() > all_sizes.rank() ||
      !std::equal(lead.begin(), lead.end(), all_sizes.begin()))
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: segment_ids have the leading dimensions of the input, a number for each slice",
                     operation)
        .detail("input", describe(input))
        .detail("segment_ids", describe(segment_ids))
        .raise();
  if (num_segments && *num_segments < 0)
    fail<ValueError>(ErrorCode::invalid_value, "{}: num_segments is {}", operation, *num_segments).raise();
  std::int64_t count = 0;
  if (num_segments) count = *num_segments;
  else if (segment_ids.numel() > 0) count = amax(segment_ids.detach()).item<std::int64_t>() + 1;
  element_count({count, input.numel()});  // throws where the result could not be addressed
  const std::int64_t least = leave_out_negative ? std::numeric_limits<std::int64_t>::min() : 0;
  Tensor places = reshape(checked_positions(segment_ids, least, count, "segment_ids", operation), {-1});
  Shape shape{places.numel()};
  for (int d = segment_ids.rank(); d < input.rank(); ++d) shape.push_back(input.size(d));
  const Tensor rows = reshape(input, shape);
  shape[0] = count;
  if (leave_out_negative) {
    places = where(lt(places, 0), count, places);
    ++shape[0];
  }
  Tensor result = combine_rows(
      full(shape, neutral_element(reduce, input.dtype(), operation), input.dtype(), input.device()), places,
      rows, reduce);
  if (reduce == "mean") {
    const Tensor sizes = clamp_min(segment_sizes(places, shape[0], result.rank()), 1);
    result = is_integer(input.dtype()) ? floor_divide(result, sizes) : div(result, sizes).to(input.dtype());
  }
  return leave_out_negative ? narrow(result, 0, 0, count) : result;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, segment_sum, (const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments = {}),
    .doc =
        "Sums of the slices with the same number: result[k] is the sum of input[i] where segment_ids[i] is k. "
        "The numbers may stand in any order, and have the leading dimensions of the input. Without "
        "num_segments there are as many as the largest number says. An empty segment is 0. Raises IndexError "
        "for a number outside of 0 to num_segments - 1.",
    .family = Family::index, .method = false,
    .samples = "segment_sum(A(6, 3), I(4, 6), 4); segment_sum(A(2, 3), I(4, 2, 3), 4)", .complex = true) {
  return reduce_segments(input, segment_ids, num_segments, false, "sum", "segment_sum");
}

PHLOX_OPERATION(Tensor, segment_mean,
                (const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments = {}),
                .doc = "Means of the slices with the same number, as segment_sum(). An empty segment is 0.",
                .family = Family::index, .method = false, .samples = "segment_mean(A(6, 3), I(4, 6), 4)",
                .complex = true) {
  return reduce_segments(input, segment_ids, num_segments, false, "mean", "segment_mean");
}

PHLOX_OPERATION(
    Tensor, segment_max, (const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments = {}),
    .doc =
        "The largest elements of the slices with the same number, as segment_sum(). An empty segment holds "
        "the smallest value of the dtype, -inf for floats.",
    .family = Family::index, .method = false,
    .samples = "segment_max(A(6, 3), floor_divide(arange(6), 2), 3)", .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, false, "max", "segment_max");
}

PHLOX_OPERATION(
    Tensor, segment_min, (const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments = {}),
    .doc =
        "The smallest elements of the slices with the same number, as segment_sum(). An empty segment holds "
        "the largest value of the dtype, inf for floats.",
    .family = Family::index, .method = false,
    .samples = "segment_min(A(6, 3), floor_divide(arange(6), 2), 3)", .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, false, "min", "segment_min");
}

PHLOX_OPERATION(
    Tensor, segment_prod, (const Tensor& input, const Tensor& segment_ids, OptionalInt num_segments = {}),
    .doc = "Products of the slices with the same number, as segment_sum(). An empty segment is 1.",
    .family = Family::index, .method = false, .samples = "segment_prod(P(6, 3), I(4, 6), 4)",
    .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, false, "prod", "segment_prod");
}

PHLOX_OPERATION(
    Tensor, unsorted_segment_sum, (const Tensor& input, const Tensor& segment_ids, std::int64_t num_segments),
    .doc =
        "segment_sum() with a given number of segments, in which slices with a negative number do not count.",
    .family = Family::index, .method = false, .samples = "unsorted_segment_sum(A(6, 3), I(4, 6), 4)",
    .complex = true) {
  return reduce_segments(input, segment_ids, num_segments, true, "sum", "unsorted_segment_sum");
}

PHLOX_OPERATION(Tensor, unsorted_segment_mean,
                (const Tensor& input, const Tensor& segment_ids, std::int64_t num_segments),
                .doc = "segment_mean() in which slices with a negative number do not count.",
                .family = Family::index, .method = false,
                .samples = "unsorted_segment_mean(A(6, 3), I(4, 6), 4)", .complex = true) {
  return reduce_segments(input, segment_ids, num_segments, true, "mean", "unsorted_segment_mean");
}

PHLOX_OPERATION(Tensor, unsorted_segment_max,
                (const Tensor& input, const Tensor& segment_ids, std::int64_t num_segments),
                .doc = "segment_max() in which slices with a negative number do not count.",
                .family = Family::index, .method = false,
                .samples = "unsorted_segment_max(A(6, 3), floor_divide(arange(6), 2), 3)",
                .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, true, "max", "unsorted_segment_max");
}

PHLOX_OPERATION(Tensor, unsorted_segment_min,
                (const Tensor& input, const Tensor& segment_ids, std::int64_t num_segments),
                .doc = "segment_min() in which slices with a negative number do not count.",
                .family = Family::index, .method = false,
                .samples = "unsorted_segment_min(A(6, 3), floor_divide(arange(6), 2), 3)",
                .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, true, "min", "unsorted_segment_min");
}

PHLOX_OPERATION(Tensor, unsorted_segment_prod,
                (const Tensor& input, const Tensor& segment_ids, std::int64_t num_segments),
                .doc = "segment_prod() in which slices with a negative number do not count.",
                .family = Family::index, .method = false,
                .samples = "unsorted_segment_prod(P(6, 3), I(4, 6), 4)", .integers = false) {
  return reduce_segments(input, segment_ids, num_segments, true, "prod", "unsorted_segment_prod");
}

PHLOX_OPERATION(
    Tensor, segment_reduce,
    (const Tensor& data, const std::string& reduce, const OptionalTensor& lengths = {},
     const OptionalTensor& indices = {}, const OptionalTensor& offsets = {}, std::int64_t axis = 0,
     bool unsafe = false, OptionalScalar initial = {}),
    .doc =
        "Reduces consecutive segments of the dimension `axis` by \"sum\", \"mean\", \"max\", \"min\" or "
        "\"prod\". Their lengths are given, or the positions where they begin with the end behind them; both "
        "may have the dimensions before `axis` in front. An empty segment is `initial`, which takes part in "
        "all others too, or the neutral element; the mean of none is NaN. `unsafe` leaves out the check that "
        "the segments fill the dimension.",
    .family = Family::index, .method = false,
    .samples =
        "segment_reduce(A(6, 3), 'sum', offsets=arange(0, 9, 3)); segment_reduce(A(6, 3), 'mean', "
        "offsets=arange(0, 8, 2)); segment_reduce(A(6), 'max', lengths=full((2,), 3)); segment_reduce(P(2, 6), "
        "'prod', lengths=full((2, 3), 2), axis=1, initial=1)",
    .integers = false) {
  const char* operation = "segment_reduce";
  if (indices)
    fail<NotSupportedError>(ErrorCode::not_supported, "segment_reduce: takes lengths or offsets, not indices")
        .hint("segment_sum(data, numbers) takes the number of the segment of each slice")
        .raise();
  if (lengths.has_value() == offsets.has_value())
    fail<ValueError>(ErrorCode::invalid_value, "segment_reduce: needs either lengths or offsets").raise();
  const int d = normalize_dim(axis, data.rank(), operation);
  const Tensor& given = lengths ? *lengths : *offsets;
  const char* name = lengths ? "lengths" : "offsets";
  bool fits = data.rank() > 0 && given.rank() == d + 1;
  for (int e = 0; e < d && fits; ++e) fits = given.size(e) == data.size(e);
  if (!fits || (offsets && given.size(d) < 1))
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "segment_reduce: {} have the dimensions of the data before axis {}, and one more", name,
                     d)
        .detail("data", describe(data))
        .detail(name, describe(given))
        .raise();
  const std::int64_t size = data.size(d);
  Tensor ends =
      checked_positions(given, unsafe ? std::numeric_limits<std::int64_t>::min() : 0,
                        unsafe ? std::numeric_limits<std::int64_t>::max() : size + 1, name, operation);
  if (lengths) {
    ends = cumsum(ends, d);
  } else {
    if (!unsafe)
      ends = require_true(ends, all(eq(narrow(ends, d, 0, 1), 0)), operation, "the first offset is not 0");
    ends = narrow(ends, d, 1, ends.size(d) - 1);
  }
  const std::int64_t count = ends.size(d);
  if (!unsafe && count > 0)
    ends = require_true(ends, all(eq(narrow(ends, d, count - 1, 1), size)), operation,
                        fmt::format("the segments do not end at {}, the size of dimension {}", size, d));

  // The number of the segment for each position along the axis: how many segments end at it or before.
  Shape positions_shape = ends.shape();
  positions_shape[static_cast<std::size_t>(d)] = size;
  const Tensor positions = broadcast_to(arange(size, {}, 1, DType::int64, data.device()), positions_shape);
  Tensor numbers = searchsorted(ends, contiguous(positions), false, true);
  while (numbers.rank() < data.rank()) numbers = unsqueeze(numbers, -1);
  numbers = expand(numbers, data.shape());
  Shape shape = data.shape();
  shape[static_cast<std::size_t>(d)] = count;
  const Tensor base = full(shape, initial ? *initial : neutral_element(reduce, data.dtype(), operation),
                           data.dtype(), data.device());
  if (count == 0) return base;
  const bool adds = reduce == "sum" || reduce == "mean";
  const Tensor result = adds ? scatter_add(base, d, numbers, data)
                             : scatter_reduce(base, d, numbers, data,
                                              reduce == "max"   ? "amax"
                                              : reduce == "min" ? "amin"
                                                                : reduce);
  if (reduce != "mean") return result;
  const Tensor sizes = scatter_add(zeros(shape, DType::int64, data.device()), d, numbers,
                                   ones(data.shape(), DType::int64, data.device()));
  const Tensor mean = div(result, sizes).to(data.dtype());
  return initial ? where(eq(sizes, 0), base, mean) : mean;
}

}  // namespace phlox
