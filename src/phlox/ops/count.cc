// What elements there are and how often: unique values, histograms, counts.
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

namespace {

// Values of runs of equal neighbours, the number of its run for each element, and the lengths of the runs.
struct Runs {
  Tensor values;
  Tensor number;
  Tensor counts;
};

// Whether an element is the first of its run. `x` is not empty.
Tensor run_starts(const Tensor& x) {
  const std::int64_t n = x.numel();
  const Tensor changes = ne(narrow(x, 0, 1, n - 1), narrow(x, 0, 0, n - 1));
  return cat({ones({1}, DType::bool_), changes}, 0);
}

Runs find_runs(const Tensor& x) {
  const std::int64_t n = x.numel();
  if (n == 0) return {x, zeros({0}, DType::int64), zeros({0}, DType::int64)};
  const Tensor starts = run_starts(x);
  const Tensor first = reshape(nonzero(starts), {-1});
  const Tensor ends = cat({narrow(first, 0, 1, first.size(0) - 1), full({1}, n, DType::int64)}, 0);
  return {index_select(x, 0, first), sub(cumsum(starts, 0), 1), sub(ends, first)};
}

// The same for values in order; numbers belong to the elements of `input` as they stand.
Runs find_unique(const Tensor& input) {
  const Tensor flat = reshape(input.detach(), {input.numel()});
  const auto [values, indices] = sort(flat, 0);
  Runs runs = find_runs(values);
  runs.number = reshape(scatter(zeros_like(indices), 0, indices, runs.number), input.shape());
  return runs;
}

// The same for slices of a dimension: `rows` is [n,m], in their order. Slices are equal where all their elements are.
Runs find_runs_of_rows(const Tensor& rows) {
  const std::int64_t n = rows.size(0);
  const Tensor all_positions = arange(n, {}, 1, DType::int64, rows.device());
  if (n == 0) return {all_positions, all_positions, all_positions};
  const Tensor changes = any(ne(narrow(rows, 0, 1, n - 1), narrow(rows, 0, 0, n - 1)), DimList(1));
  const Tensor starts = cat({ones({1}, DType::bool_, rows.device()), changes}, 0);
  const Tensor first = reshape(nonzero(starts), {-1});
  const Tensor ends = cat({narrow(first, 0, 1, first.size(0) - 1), full({1}, n, DType::int64)}, 0);
  return {first, sub(cumsum(starts, 0), 1), sub(ends, first)};
}

Tensor as_rows(const Tensor& input, std::int64_t dim, const char* operation) {
  if (input.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: a tensor of 0 dimensions has no slices", operation)
        .detail("input", describe(input))
        .raise();
  const int d = normalize_dim(dim, input.rank(), operation);
  return reshape(movedim(input.detach(), DimList(d), DimList(0)),
                 {input.size(d), input.size(d) ? input.numel() / input.size(d) : 0});
}

Runs find_consecutive(const Tensor& input) {
  Runs runs = find_runs(reshape(input.detach(), {input.numel()}));
  runs.number = reshape(runs.number, input.shape());
  return runs;
}

}  // namespace

PHLOX_OPERATION(Tensor, unique, (const Tensor& input),
                .doc = "The values that occur, in order, as a vector; NaN counts each time.",
                .family = Family::sort, .samples = "unique(I(4, 3, 4))", .reference = "np.unique(input)",
                .differentiable = false, .reads_values = true) {
  const Tensor values = std::get<0>(sort(reshape(input.detach(), {input.numel()}), 0));
  return values.numel() == 0 ? values : masked_select(values, run_starts(values));
}

PHLOX_OPERATION(
    TensorPair, unique_inverse, (const Tensor& input),
    .doc = "The values that occur, in order, and for each element the position of its value among them.",
    .family = Family::sort, .samples = "unique_inverse(I(4, 3, 4))", .differentiable = false,
    .reads_values = true, .results = "values inverse_indices") {
  const Runs runs = find_unique(input);
  return {runs.values, runs.number};
}

PHLOX_OPERATION(TensorPair, unique_counts, (const Tensor& input),
                .doc = "The values that occur, in order, and how often each does.", .family = Family::sort,
                .samples = "unique_counts(I(4, 3, 4))", .differentiable = false, .reads_values = true,
                .results = "values counts") {
  const Runs runs = find_unique(input);
  return {runs.values, runs.counts};
}

PHLOX_OPERATION(
    TensorTriple, unique_all, (const Tensor& input),
    .doc =
        "The values that occur, in order, for each element the position of its value among them, and how "
        "often each value occurs.",
    .family = Family::sort, .samples = "unique_all(I(4, 3, 4))", .differentiable = false,
    .reads_values = true, .results = "values inverse_indices counts") {
  const Runs runs = find_unique(input);
  return {runs.values, runs.number, runs.counts};
}

PHLOX_OPERATION(Tensor, unique_consecutive, (const Tensor& input),
                .doc = "The elements of the flattened input without those that equal the one before.",
                .family = Family::sort, .samples = "unique_consecutive(I(2, 12))", .differentiable = false,
                .reads_values = true) {
  const Tensor values = reshape(input.detach(), {input.numel()});
  return values.numel() == 0 ? values : masked_select(values, run_starts(values));
}

PHLOX_OPERATION(
    TensorTriple, unique_consecutive_all, (const Tensor& input),
    .doc =
        "As unique_consecutive(), with the number of its run for each element and the lengths of the runs.",
    .family = Family::sort, .samples = "unique_consecutive_all(I(2, 12))", .differentiable = false,
    .reads_values = true, .results = "values inverse_indices counts") {
  const Runs runs = find_consecutive(input);
  return {runs.values, runs.number, runs.counts};
}

PHLOX_OPERATION(
    TensorTriple, unique_dim, (const Tensor& input, std::int64_t dim),
    .doc =
        "The different slices of a dimension in lexicographic order, for each slice the position of its like among "
        "them, and how often each occurs.",
    .family = Family::sort, .method = false,
    .samples = "unique_dim(I(2, 8, 2), 0); unique_dim(I(2, 2, 8), 1)", .differentiable = false,
    .reads_values = true, .results = "values inverse_indices counts") {
  const Tensor rows = as_rows(input, dim, "unique_dim");
  Tensor order = arange(rows.size(0), {}, 1, DType::int64, input.device());
  for (std::int64_t c = rows.size(1); c-- > 0;)
    order = index_select(order, 0, argsort(index_select(select(rows, 1, c), 0, order)));
  Runs runs = find_runs_of_rows(index_select(rows, 0, order));
  const Tensor inverse = scatter(zeros_like(order), 0, order, runs.number);
  return {index_select(input.detach(), dim, index_select(order, 0, runs.values)), inverse, runs.counts};
}

PHLOX_OPERATION(
    TensorTriple, unique_consecutive_dim, (const Tensor& input, std::int64_t dim),
    .doc =
        "The slices of a dimension without those that equal the one before, with the number of its run "
        "for each slice and the lengths of the runs.",
    .family = Family::sort, .method = false, .samples = "unique_consecutive_dim(I(2, 8, 1), 0)",
    .differentiable = false, .reads_values = true, .results = "values inverse_indices counts") {
  const Runs runs = find_runs_of_rows(as_rows(input, dim, "unique_consecutive_dim"));
  return {index_select(input.detach(), dim, runs.values), runs.number, runs.counts};
}

PHLOX_OPERATION(
    TensorTriple, unique_with_counts, (const Tensor& input),
    .doc =
        "The values that occur, in the order in which they first do, for each element the position of its value among "
        "them, and how often each value occurs.",
    .family = Family::sort, .method = false, .samples = "unique_with_counts(I(4, 9))",
    .differentiable = false, .reads_values = true, .results = "values inverse_indices counts") {
  const Runs runs = find_unique(input);
  const std::int64_t count = runs.values.numel(), n = input.numel();
  const Tensor number = reshape(runs.number, {n});
  const Tensor positions = arange(n, {}, 1, DType::int64, input.device());
  const Tensor first =
      scatter_reduce(full({count}, n, DType::int64, input.device()), 0, number, positions, "amin");
  const Tensor order = argsort(first), rank = argsort(order);
  return {index_select(runs.values, 0, order), reshape(index_select(rank, 0, number), input.shape()),
          index_select(runs.counts, 0, order)};
}

PHLOX_OPERATION(
    Tensor, bincount, (const Tensor& input, const OptionalTensor& weights = {}, std::int64_t minlength = 0),
    .doc =
        "How often each number from 0 on occurs in a vector of integers, or the sum of their weights; at "
        "least `minlength` entries.",
    .family = Family::sort, .samples = "bincount(I(5, 12)); bincount(I(5, 12), minlength=8)",
    .reference = "np.bincount(input, weights, minlength)", .differentiable = false, .reads_values = true) {
  if (input.rank() != 1 || !is_integer(input.dtype()))
    fail<ShapeError>(ErrorCode::wrong_rank, "bincount: needs a vector of integers")
        .detail("input", describe(input))
        .raise();
  if (minlength < 0)
    fail<ValueError>(ErrorCode::invalid_value, "bincount: minlength is {}", minlength).raise();
  if (weights && weights->shape() != input.shape())
    fail<ShapeError>(ErrorCode::sizes_differ, "bincount: one weight for each element is needed")
        .detail("input", describe(input))
        .detail("weights", describe(*weights))
        .raise();
  std::int64_t length = minlength;
  if (input.numel() > 0) {
    const auto smallest = amin(input).item<std::int64_t>();
    if (smallest < 0)
      fail<ValueError>(ErrorCode::invalid_value, "bincount: {} is negative", smallest)
          .detail("input", describe(input))
          .raise();
    length = std::max(length, amax(input).item<std::int64_t>() + 1);
  }
  const Tensor positions = input.to(DType::int64);
  if (!weights) return scatter_add(zeros({length}, DType::int64), 0, positions, ones_like(positions));
  const DType dtype = weights->dtype() == DType::float32 ? DType::float32 : DType::float64;
  return scatter_add(zeros({length}, dtype), 0, positions, weights->detach().to(dtype));
}

PHLOX_OPERATION(
    Tensor, histc, (const Tensor& input, std::int64_t bins = 100, double min = 0.0, double max = 0.0),
    .doc =
        "How many elements fall into each of `bins` intervals of equal width from `min` to `max`, or over "
        "the range of the elements when both are equal; others do not count.",
    .family = Family::sort, .samples = "histc(A(3, 8), bins=4, min=-2.0, max=2.0)",
    .reference = "np.histogram(input, bins, (min, max))[0]", .differentiable = false, .integers = false,
    .reads_values = true) {
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "histc: takes floats, not {}", info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  if (bins < 1 || min > max || !std::isfinite(min) || !std::isfinite(max))
    fail<ValueError>(ErrorCode::invalid_value, "histc: {} bins from {} to {} cannot be", bins, min, max)
        .raise();
  const Tensor x = reshape(input.detach(), {input.numel()}).to(DType::float64);
  double low = min, high = max;
  if (low == high && x.numel() > 0) {
    low = amin(x).item<double>();
    high = amax(x).item<double>();
  }
  if (low == high) {
    low -= 1;
    high += 1;
  }
  if (!std::isfinite(low) || !std::isfinite(high))
    fail<ValueError>(ErrorCode::invalid_value, "histc: the elements reach from {} to {}", low, high).raise();
  const Tensor inside = logical_and(ge(x, low), le(x, high));
  const Tensor scaled = mul(sub(x, low), static_cast<double>(bins) / (high - low));
  const Tensor bin = clamp(floor(where(inside, scaled, 0)), 0, bins - 1).to(DType::int64);
  return scatter_add(zeros({bins}, DType::int64), 0, bin, inside.to(DType::int64)).to(input.dtype());
}

}  // namespace phlox
