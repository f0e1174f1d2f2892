// Weighted means, ranges, moments, histograms, and other statistics that NumPy and PyTorch have.
#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

DType floating_or_default(DType dtype) { return is_differentiable(dtype) ? dtype : default_dtype(); }

// Sorted edges of bins of equal width: `bins` + 1 of them.
Tensor equal_edges(const Tensor& column, std::int64_t bins, const double* range, const char* operation) {
  if (bins < 1) fail<ValueError>(ErrorCode::invalid_value, "{}: {} bins", operation, bins).raise();
  double low = 0, high = 1;
  if (range) {
    low = range[0];
    high = range[1];
    if (!(low <= high))
      fail<ValueError>(ErrorCode::invalid_value, "{}: the range reaches from {} to {}", operation, low, high)
          .raise();
  } else if (column.numel() > 0) {
    low = amin(column).item<double>();
    high = amax(column).item<double>();
  }
  if (!std::isfinite(low) || !std::isfinite(high))
    fail<ValueError>(ErrorCode::invalid_value, "{}: the elements reach from {} to {}", operation, low, high)
        .hint("range=(low, high) leaves out what lies outside")
        .raise();
  if (low == high) {
    low -= 0.5;
    high += 0.5;
  }
  return linspace(low, high, bins + 1, column.dtype(), column.device());
}

void require_floating(const Tensor& input, const char* operation) {
  if (is_floating(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floats, not {}", operation, info(input.dtype()).name)
      .detail("input", describe(input))
      .hint("<input>.to(px.float32)")
      .raise();
}

void require_edges(const Tensor& edges, const char* operation) {
  if (edges.rank() == 1 && edges.numel() >= 2 &&
      all(ge(narrow(edges, 0, 1, edges.numel() - 1), narrow(edges, 0, 0, edges.numel() - 1))).item<bool>())
    return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: the edges of bins are a vector of two or more, in order",
                   operation)
      .detail("bins", describe(edges))
      .raise();
}

// The cell of each row of `points`, [n,d], on a grid; rows outside weigh nothing. The last bin holds its right end.
Tensor count_cells(const Tensor& points, const TensorList& edges, const OptionalTensor& weight, bool density,
                   const char* operation) {
  const std::int64_t n = points.size(0);
  Tensor weights = weight ? reshape(weight->detach(), {-1}).to(points.dtype())
                          : ones({n}, points.dtype(), points.device());
  if (weights.numel() != n)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} weights for {} elements", operation, weights.numel(), n)
        .raise();
  Shape shape;
  Tensor cell = zeros({n}, DType::int64, points.device());
  Tensor inside = ones({n}, DType::bool_, points.device());
  for (std::size_t d = 0; d < edges.size(); ++d) {
    const Tensor column = contiguous(select(points, 1, static_cast<std::int64_t>(d)));
    const Tensor along = edges[d].to(points.dtype());
    const std::int64_t bins = along.numel() - 1;
    shape.push_back(bins);
    const Tensor last = select(along, 0, bins);
    const Tensor place = sub(searchsorted(along, column, false, true), 1);
    const Tensor bin = where(eq(column, last), bins - 1, place);
    inside = logical_and(inside, logical_and(ge(column, select(along, 0, 0)), le(column, last)));
    cell = add(mul(cell, bins), clamp(bin, 0, bins - 1));
  }
  const std::int64_t cells = element_count(shape);
  Tensor counts = scatter_add(zeros({cells}, points.dtype(), points.device()), 0, where(inside, cell, 0),
                              where(inside, weights, 0));
  counts = reshape(counts, shape);
  if (!density) return counts;
  counts = div(counts, sum(counts));
  for (std::size_t d = 0; d < edges.size(); ++d) {
    Shape along(edges.size(), 1);
    along[d] = -1;
    const std::int64_t bins = edges[d].numel() - 1;
    const Tensor widths = sub(narrow(edges[d], 0, 1, bins), narrow(edges[d], 0, 0, bins));
    counts = div(counts, reshape(widths, along));
  }
  return counts;
}

const double* checked_range(const std::optional<Doubles>& range, std::size_t dims, const char* operation) {
  if (!range) return nullptr;
  if (range->size() != 2 * dims)
    fail<ValueError>(ErrorCode::invalid_value, "{}: range needs {} numbers, not {}", operation, 2 * dims,
                     range->size())
        .raise();
  return range->data();
}

}  // namespace

PHLOX_OPERATION(
    Tensor, average,
    (const Tensor& input, const OptionalDims& dim = {}, const OptionalTensor& weights = {},
     bool keepdim = false),
    .doc =
        "The mean over `dim`, or of all, in which each element counts `weights` times; weights broadcast, or "
        "are a vector along the one dimension.",
    .family = Family::reduction, .method = false,
    .samples =
        "average(A(3, 4)); average(A(3, 4), 1, P(4)); average(A(3, 4), 0, P(3)); average(A(3, 4), weights=P(3, 4))",
    .reference = "np.average(input, axis=dim, weights=weights)", .complex = true) {
  if (!weights) return mean(input, dim, keepdim);
  Tensor w = *weights;
  if (w.rank() == 1 && input.rank() != 1 && dim && dim->size() == 1) {
    const int d = normalize_dim((*dim)[0], input.rank(), "average");
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[static_cast<std::size_t>(d)] = -1;
    w = reshape(w, shape);
  }
  const Tensor wide = broadcast_to(w, input.shape());
  const DType dtype = floating_or_default(promote(input.dtype(), w.dtype()));
  return div(sum(mul(input, wide).to(dtype), dim, keepdim), sum(wide.to(dtype), dim, keepdim));
}

PHLOX_OPERATION(Tensor, ptp, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
                .doc = "The largest element less the smallest, over `dim` or of all.",
                .family = Family::reduction, .method = false,
                .samples = "ptp(A(3, 4)); ptp(A(3, 4), 1, True)",
                .reference = "np.ptp(input, axis=dim, keepdims=keepdim)") {
  return sub(amax(input, dim, keepdim), amin(input, dim, keepdim));
}

PHLOX_OPERATION(TensorPair, moments,
                (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
                .doc = "The mean and the variance, divided by the number of elements, over `dim` or of all.",
                .family = Family::reduction, .method = false,
                .samples = "moments(A(3, 4)); moments(A(2, 3, 4), (0, 2), True)", .integers = false,
                .results = "mean variance") {
  const auto [variance, center] = var_mean(input, dim, 0.0, keepdim);
  return {center, variance};
}

PHLOX_OPERATION(
    Tensor, percentile,
    (const Tensor& input, const Operand& q, OptionalDim dim = {}, bool keepdim = false,
     const std::string& interpolation = "linear"),
    .doc = "quantile() for `q` from 0 to 100.", .family = Family::sort, .method = false,
    .samples = "percentile(A(3, 5), 30); percentile(A(3, 5), 25, 1); percentile(A(4, 3), 50, 0, True)",
    .reference = "np.percentile(input, q, axis=dim, keepdims=keepdim)", .integers = false) {
  return quantile(input, q.is_tensor() ? Operand(div(q.tensor(), 100)) : Operand(q.scalar().real() / 100),
                  dim, keepdim, interpolation);
}

PHLOX_OPERATION(
    Tensor, renorm, (const Tensor& input, double p, std::int64_t dim, double maxnorm),
    .doc =
        "Slices along `dim` whose p-norm is larger than `maxnorm` are scaled down to it; the others stay as "
        "they are.",
    .family = Family::reduction, .samples = "renorm(A(3, 4), 2.0, 0, 1.0); renorm(A(3, 4, 2), 1.0, -1, 0.5)",
    .reference =
        "input * np.where((n := (np.abs(input) ** p).sum(tuple(d for d in range(input.ndim) if d != dim % "
        "input.ndim), keepdims=True) ** (1 / p)) > maxnorm, maxnorm / (n + 1e-7), 1)",
    .integers = false, .in_place = true, .complex = true) {
  if (!(p > 0)) fail<ValueError>(ErrorCode::invalid_value, "renorm: p is {}", p).raise();
  if (!(maxnorm >= 0)) fail<ValueError>(ErrorCode::invalid_value, "renorm: maxnorm is {}", maxnorm).raise();
  if (input.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "renorm: needs 2 dimensions or more, not {}", input.rank())
        .detail("input", describe(input))
        .raise();
  const int d = normalize_dim(dim, input.rank(), "renorm");
  DimList others;
  for (int e = 0; e < input.rank(); ++e)
    if (e != d) others.push_back(e);
  const Tensor size = norm(input, p, others, true);
  const Tensor factor = where(gt(size, maxnorm), div(maxnorm, add(size, 1e-7)), 1.0);
  return mul(input, factor.to(size.dtype())).to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, cumulative_trapezoid,
    (const Tensor& y, const OptionalTensor& x = {}, double dx = 1.0, std::int64_t dim = -1),
    .doc =
        "The integral of samples `y` along `dim` from the first to each by the trapezoidal rule, at points `x` "
        "or `dx` apart; one element less than samples.",
    .family = Family::scan, .method = false,
    .samples =
        "cumulative_trapezoid(A(3, 4)); cumulative_trapezoid(A(4), P(4)); cumulative_trapezoid(A(3, 4), dx=0.5, "
        "dim=0)",
    .reference = "__import__('scipy.integrate').integrate.cumulative_trapezoid(y, x, dx, axis=dim)",
    .complex = true) {
  const std::int64_t d = normalize_dim(dim, y.rank(), "cumulative_trapezoid");
  const std::int64_t n = y.size(d);
  const auto pairs = [](const Tensor& t, std::int64_t along, bool later) {
    return narrow(t, along, later && t.size(along) > 0 ? 1 : 0, std::max<std::int64_t>(t.size(along) - 1, 0));
  };
  const Tensor heights = add(pairs(y, d, true), pairs(y, d, false));
  if (!x) return cumsum(mul(heights, 0.5 * dx), d);
  Tensor points = *x;
  if (points.rank() == 1) {
    if (points.size(0) != n)
      fail<ShapeError>(ErrorCode::sizes_differ, "cumulative_trapezoid: {} points for {} samples",
                       points.size(0), n)
          .detail("x", describe(points))
          .detail("y", describe(y))
          .raise();
    Shape shape(static_cast<std::size_t>(y.rank()), 1);
    shape[static_cast<std::size_t>(d)] = n;
    points = reshape(points, shape);
  }
  // Dimensions that one of both lacks are in front.
  const std::int64_t along = d + points.rank() - y.rank();
  const Tensor widths = sub(pairs(points, along, true), pairs(points, along, false));
  return mul(cumsum(mul(widths, heights), std::max<std::int64_t>(along, d)), 0.5);
}

PHLOX_OPERATION(
    TensorPair, histogram,
    (const Tensor& input, std::int64_t bins, const std::optional<Doubles>& range = {},
     const OptionalTensor& weight = {}, bool density = false),
    .doc =
        "How many elements fall into each of `bins` intervals of equal width over their range, or over `range`, and the "
        "edges of the intervals. Intervals hold their left end, the last one both. Elements may have weights; "
        "`density` makes the integral 1.",
    .family = Family::sort, .samples = "histogram(A(3, 8), 4); histogram(A(9), 3, (-1.0, 1.0), density=True)",
    .differentiable = false, .integers = false, .reads_values = true, .results = "hist bin_edges") {
  require_floating(input, "histogram");
  const Tensor points = reshape(input.detach(), {-1, 1});
  const Tensor edges = equal_edges(points, bins, checked_range(range, 1, "histogram"), "histogram");
  return {count_cells(points, {edges}, weight, density, "histogram"), edges};
}

PHLOX_OPERATION(TensorPair, histogram_at,
                (const Tensor& input, const Tensor& bins, const OptionalTensor& weight = {},
                 bool density = false),
                .doc = "histogram() with given edges of the intervals, a vector in order.",
                .family = Family::sort, .method = false, .samples = "histogram_at(A(3, 8), msort(A(5)))",
                .differentiable = false, .integers = false, .reads_values = true, .results = "hist bin_edges",
                .overload_of = "histogram") {
  require_floating(input, "histogram");
  require_edges(bins, "histogram");
  return {count_cells(reshape(input.detach(), {-1, 1}), {bins}, weight, density, "histogram"), bins};
}

PHLOX_OPERATION(
    TensorList, histogramdd_grid,
    (const Tensor& input, const Integers& bins, const std::optional<Doubles>& range = {},
     const OptionalTensor& weight = {}, bool density = false),
    .doc =
        "How many points, the last dimension, fall into each cell of a grid: the counts, and for each dimension the "
        "edges. `bins` is the number of intervals along each dimension, `range` two numbers for each.",
    .family = Family::sort, .method = false, .samples = "histogramdd_grid(A(9, 2), (3, 2))",
    .differentiable = false, .integers = false, .reads_values = true) {
  require_floating(input, "histogramdd");
  const std::int64_t dims = input.rank() > 0 ? input.size(-1) : 0;
  if (input.rank() < 2 || static_cast<std::int64_t>(bins.size()) != dims)
    fail<ShapeError>(ErrorCode::sizes_differ, "histogramdd: {} numbers of bins for {} dimensions",
                     bins.size(), dims)
        .detail("input", describe(input))
        .raise();
  const double* ends = checked_range(range, bins.size(), "histogramdd");
  const Tensor points = reshape(input.detach(), {-1, dims});
  TensorList result(1);
  for (std::size_t d = 0; d < bins.size(); ++d)
    result.push_back(equal_edges(select(points, 1, static_cast<std::int64_t>(d)), bins[d],
                                 ends ? ends + 2 * d : nullptr, "histogramdd"));
  result[0] = count_cells(points, {result.begin() + 1, result.end()}, weight, density, "histogramdd");
  return result;
}

PHLOX_OPERATION(TensorList, histogramdd_at,
                (const Tensor& input, const TensorList& bins, const OptionalTensor& weight = {},
                 bool density = false),
                .doc = "histogramdd_grid() with given edges along each dimension.", .family = Family::sort,
                .method = false, .samples = "histogramdd_at(A(9, 2), [msort(A(4)), msort(A(3))])",
                .differentiable = false, .integers = false, .reads_values = true) {
  require_floating(input, "histogramdd");
  const std::int64_t dims = input.rank() > 0 ? input.size(-1) : 0;
  if (input.rank() < 2 || static_cast<std::int64_t>(bins.size()) != dims)
    fail<ShapeError>(ErrorCode::sizes_differ, "histogramdd: edges along {} dimensions for {}", bins.size(),
                     dims)
        .detail("input", describe(input))
        .raise();
  for (const Tensor& edges : bins) require_edges(edges, "histogramdd");
  TensorList result{count_cells(reshape(input.detach(), {-1, dims}), bins, weight, density, "histogramdd")};
  result.insert(result.end(), bins.begin(), bins.end());
  return result;
}

}  // namespace phlox
