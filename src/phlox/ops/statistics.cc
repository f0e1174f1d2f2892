// Statistics and norms, composed of sums, products and extrema.
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/primitives/reduce.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {

namespace {

void check_floating(const Tensor& input, const char* operation) {
  if (is_floating(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floats, not {}", operation, info(input.dtype()).name)
      .detail("input", describe(input))
      .hint("<input>.to(px.float32)")
      .raise();
}

std::int64_t reduced_count(const Tensor& input, const OptionalDims& dim, const char* operation) {
  std::int64_t count = 1;
  for (std::int64_t d : normalize_dims(dim ? Dims(*dim) : Dims(), input.rank(), operation))
    count *= input.size(d);
  return count;
}

// Of float32 and float64, in one pass.
Tensor sum_of_squares(const Tensor& x, const OptionalDims& dim, bool keepdim, const char* operation) {
  return apply_reduce(ReduceKind::sum_of_squares, x,
                      normalize_dims(dim ? Dims(*dim) : Dims(), x.rank(), operation), keepdim, x.dtype(),
                      x.dtype(), operation);
}

struct Moments {
  Tensor variance;
  Tensor mean;
};

// Two passes: the mean, then the mean of squared distances from it.
Moments moments(const Tensor& input, const OptionalDims& dim, OptionalDouble correction, bool keepdim,
                const char* operation) {
  if (is_complex(input.dtype())) {  // squared distances in the plane
    const Moments x = moments(real(input), dim, correction, keepdim, operation);
    const Moments y = moments(imag(input), dim, correction, keepdim, operation);
    return {add(x.variance, y.variance), complex(x.mean, y.mean)};
  }
  check_floating(input, operation);
  const double count = static_cast<double>(reduced_count(input, dim, operation));
  const Tensor x = widened(input);
  const Tensor center = mean(x, dim, true);
  const Tensor squares = sum_of_squares(sub(x, center), dim, keepdim, operation);
  return {div(squares, std::max(0.0, count - correction.value_or(1.0))),
          keepdim ? center : reshape(center, squares.shape())};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, var,
    (const Tensor& input, const OptionalDims& dim = {}, OptionalDouble correction = 1.0,
     bool keepdim = false),
    .doc =
        "The variance over the dimensions `dim`, or over all: squared distances from the mean, divided by "
        "the number of elements less `correction`.",
    .family = Family::reduction,
    .samples = "var(A(3, 4)); var(A(3, 4), dim=1); var(A(2, 3, 4), dim=(0, 2), correction=0, keepdim=True)",
    .reference = "np.var(input, axis=dim, ddof=correction, keepdims=keepdim)", .integers = false,
    .complex = true) {
  return moments(input, dim, correction, keepdim, "var").variance.to(info(input.dtype()).real);
}

PHLOX_OPERATION(Tensor, std,
                (const Tensor& input, const OptionalDims& dim = {}, OptionalDouble correction = 1.0,
                 bool keepdim = false),
                .doc = "The standard deviation: the square root of var().", .family = Family::reduction,
                .samples = "std(A(3, 4)); std(A(3, 4), dim=1, correction=0)",
                .reference = "np.std(input, axis=dim, ddof=correction, keepdims=keepdim)", .integers = false,
                .complex = true) {
  return sqrt(moments(input, dim, correction, keepdim, "std").variance).to(info(input.dtype()).real);
}

PHLOX_OPERATION(TensorPair, var_mean,
                (const Tensor& input, const OptionalDims& dim = {}, OptionalDouble correction = 1.0,
                 bool keepdim = false),
                .doc = "The variance, as var() gives it, and the mean.", .family = Family::reduction,
                .samples = "var_mean(A(3, 4), dim=1)", .integers = false, .complex = true,
                .results = "variance mean") {
  const Moments m = moments(input, dim, correction, keepdim, "var_mean");
  return {m.variance.to(info(input.dtype()).real), m.mean.to(input.dtype())};
}

PHLOX_OPERATION(
    Tensor, var_unbiased, (const Tensor& input, bool unbiased = true),
    .doc =
        "The variance of all elements, divided by their number less 1, or by their number when not `unbiased`.",
    .family = Family::reduction, .method = false,
    .samples = "var_unbiased(A(3, 4)); var_unbiased(A(3, 4), False)",
    .reference = "np.var(input, ddof=int(unbiased))", .integers = false, .complex = true,
    .overload_of = "var") {
  return var(input, {}, unbiased ? 1.0 : 0.0);
}

PHLOX_OPERATION(
    Tensor, std_unbiased, (const Tensor& input, bool unbiased = true),
    .doc =
        "The standard deviation of all elements, divided by their number less 1, or by their number when not `unbiased`.",
    .family = Family::reduction, .method = false,
    .samples = "std_unbiased(A(3, 4)); std_unbiased(A(3, 4), False)",
    .reference = "np.std(input, ddof=int(unbiased))", .integers = false, .complex = true,
    .overload_of = "std") {
  return std(input, {}, unbiased ? 1.0 : 0.0);
}

PHLOX_OPERATION(
    TensorPair, var_mean_unbiased, (const Tensor& input, bool unbiased = true),
    .doc =
        "The variance and the mean of all elements, divided by their number less 1, or by their number when not `unbiased`.",
    .family = Family::reduction, .method = false,
    .samples = "var_mean_unbiased(A(3, 4)); var_mean_unbiased(A(3, 4), False)", .integers = false,
    .complex = true, .results = "variance mean", .overload_of = "var_mean") {
  return var_mean(input, {}, unbiased ? 1.0 : 0.0);
}

PHLOX_OPERATION(
    TensorPair, std_mean_unbiased, (const Tensor& input, bool unbiased = true),
    .doc =
        "The standard deviation and the mean of all elements, divided by their number less 1, or by their number when not `unbiased`.",
    .family = Family::reduction, .method = false,
    .samples = "std_mean_unbiased(A(3, 4)); std_mean_unbiased(A(3, 4), False)", .integers = false,
    .complex = true, .results = "deviation mean", .overload_of = "std_mean") {
  return std_mean(input, {}, unbiased ? 1.0 : 0.0);
}

PHLOX_OPERATION(TensorPair, std_mean,
                (const Tensor& input, const OptionalDims& dim = {}, OptionalDouble correction = 1.0,
                 bool keepdim = false),
                .doc = "The standard deviation, as std() gives it, and the mean.",
                .family = Family::reduction, .samples = "std_mean(A(3, 4), dim=1)", .integers = false,
                .complex = true, .results = "deviation mean") {
  const Moments m = moments(input, dim, correction, keepdim, "std_mean");
  return {sqrt(m.variance).to(info(input.dtype()).real), m.mean.to(input.dtype())};
}

PHLOX_OPERATION(
    Tensor, norm,
    (const Tensor& input, double p = 2.0, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc =
        "The p-norm of the elements over the dimensions `dim`, or of all: (sum |x|^p)^(1/p); p = inf gives "
        "the largest, -inf the smallest |x|, 0 the number of elements that are not zero. The gradient "
        "at 0 is 0.",
    .family = Family::reduction,
    .samples =
        "norm(A(3, 4)); norm(A(3, 4), dim=1); norm(A(3, 4), 1.0, dim=0); norm(A(3, 4), 3.0, dim=1, keepdim=True)",
    .reference = "(np.abs(input) ** p).sum(axis=dim, keepdims=keepdim) ** (1 / p)", .integers = false,
    .complex = true) {
  if (is_complex(input.dtype())) return norm(abs(input), p, dim, keepdim, dtype);
  check_floating(input, "norm");
  const DType result = dtype.value_or(input.dtype());
  const Tensor x = widened(input.to(result));
  if (p == 0) return sum(where(ne(x, 0), 1, mul(x, 0)), dim, keepdim).to(result);
  if (std::isinf(p)) return (p > 0 ? amax(abs(x), dim, keepdim) : amin(abs(x), dim, keepdim)).to(result);
  if (p == 1) return sum(abs(x), dim, keepdim).to(result);
  // The slope of |x|^p at 0 is infinite for p below 1; 0 is taken for it.
  const auto steep_powers = [&] {
    const Tensor none = eq(x, 0);
    return where(none, 0, pow(abs(where(none, 1, x)), p));
  };
  const Tensor powers = p == 2 ? sum_of_squares(x, dim, keepdim, "norm")
                               : sum(p > 0 && p < 1 ? steep_powers() : pow(abs(x), p), dim, keepdim);
  // The root is taken of 1 where the sum is 0, so that no gradient is infinite or NaN.
  const Tensor is_zero = eq(powers, 0);
  const Tensor safe = where(is_zero, 1, powers);
  const Tensor root = p == 2 ? sqrt(safe) : pow(safe, 1 / p);
  return where(is_zero, 0, root).to(result);
}

PHLOX_OPERATION(Tensor, nansum,
                (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false,
                 OptionalDType dtype = {}),
                .doc = "The sum over `dim`, or of all, where NaN counts as 0.", .family = Family::reduction,
                .samples = "nansum(A(3, 4), dim=1)",
                .reference = "np.nansum(input, axis=dim, keepdims=keepdim)") {
  return sum(is_floating(input.dtype()) ? where(isnan(input), 0, input) : input, dim, keepdim, dtype);
}

PHLOX_OPERATION(Tensor, nanmean,
                (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false,
                 OptionalDType dtype = {}),
                .doc = "The mean over `dim`, or of all, of the elements that are not NaN.",
                .family = Family::reduction, .samples = "nanmean(A(3, 4), dim=1)",
                .reference = "np.nanmean(input, axis=dim, keepdims=keepdim)", .integers = false) {
  check_floating(input, "nanmean");
  const DType result = dtype.value_or(input.dtype());
  const Tensor x = widened(input.to(result));
  return div(nansum(x, dim, keepdim), sum(logical_not(isnan(x)), dim, keepdim)).to(result);
}

PHLOX_OPERATION(TensorPair, aminmax, (const Tensor& input, OptionalDim dim = {}, bool keepdim = false),
                .doc = "The smallest and the largest element along `dim`, or of all; as amin() and amax().",
                .family = Family::reduction, .samples = "aminmax(A(3, 4)); aminmax(A(3, 4), dim=1)",
                .results = "min max") {
  const OptionalDims dims = dim ? OptionalDims(DimList(*dim)) : OptionalDims();
  return {amin(input, dims, keepdim), amax(input, dims, keepdim)};
}

PHLOX_OPERATION(
    Tensor, trapezoid,
    (const Tensor& y, const OptionalTensor& x = {}, double dx = 1.0, std::int64_t dim = -1),
    .doc = "The integral of samples `y` along `dim` by the trapezoidal rule, at points `x` or `dx` apart.",
    .family = Family::reduction, .alias = "trapz", .method = false,
    .samples = "trapezoid(A(3, 4)); trapezoid(A(4), P(4)); trapezoid(A(3, 4), dx=0.5, dim=0)",
    .reference = "np.trapezoid(y, x, dx, axis=dim)") {
  const std::int64_t d = normalize_dim(dim, y.rank(), "trapezoid");
  const std::int64_t n = y.size(d);
  if (n < 2) return sum(mul(y, 0.0), d);
  const Tensor heights = add(narrow(y, d, 1, n - 1), narrow(y, d, 0, n - 1));
  if (!x) return mul(sum(heights, d), 0.5 * dx);
  Tensor points = *x;
  std::int64_t along = d;
  if (points.rank() == 1) {
    Shape shape(static_cast<std::size_t>(y.rank()), 1);
    shape[static_cast<std::size_t>(d)] = points.size(0);
    points = reshape(points, shape);
  }
  const Tensor widths = sub(narrow(points, along, 1, n - 1), narrow(points, along, 0, n - 1));
  return mul(sum(mul(heights, widths), d), 0.5);
}

PHLOX_OPERATION(
    Tensor, cov,
    (const Tensor& input, std::int64_t correction = 1, const OptionalTensor& fweights = {},
     const OptionalTensor& aweights = {}),
    .doc =
        "The covariance matrix of variables in rows and observations in columns, which may be counted "
        "`fweights` times and weighted by `aweights`.",
    .family = Family::reduction, .samples = "cov(A(3, 5)); cov(A(6), correction=0)",
    .reference = "np.cov(input, ddof=correction)", .integers = false, .complex = true, .tolerance = 1e-4) {
  if (!is_differentiable(input.dtype()))
    return cov(input.to(default_dtype()), correction, fweights, aweights);
  if (input.rank() > 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "cov: needs at most 2 dimensions, not {}", input.rank())
        .detail("input", describe(input))
        .raise();
  const Tensor x = widened(input.rank() == 2 ? input : reshape(input, {1, input.numel()}));
  for (const OptionalTensor* given : {&fweights, &aweights})
    if (*given && (*given)->shape() != Shape{x.size(1)})
      fail<ShapeError>(ErrorCode::sizes_differ, "cov: one weight for each of {} observations is needed",
                       x.size(1))
          .detail("input", describe(input))
          .detail("weights", describe(**given))
          .raise();
  if (fweights && !is_integer(fweights->dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "cov: fweights count observations, so they are integers")
        .detail("fweights", describe(*fweights))
        .hint("aweights takes any numbers")
        .raise();
  const DType number = info(x.dtype()).real;
  Tensor weights;
  if (fweights) weights = fweights->to(number);
  if (aweights) weights = weights.defined() ? mul(weights, *aweights) : aweights->to(number);
  if (weights.defined())
    weights = apply_check(weights, all(ge(weights, 0)), CheckError::value, "cov: a weight is negative");
  const auto observations = static_cast<double>(x.size(1));
  Tensor centered, denominator;
  if (weights.defined()) {
    const Tensor total = sum(weights);
    centered = sub(x, div(sum(mul(x, weights), 1, true), total));
    const Tensor lost = aweights ? div(sum(mul(weights, *aweights)), total) : ones({}, number);
    denominator = clamp_min(sub(total, mul(lost, static_cast<double>(correction))), 0.0);
  } else {
    centered = sub(x, mean(x, 1, true));
    denominator = full({}, std::max(0.0, observations - static_cast<double>(correction)), number);
  }
  const Tensor scaled = weights.defined() ? mul(centered, weights) : centered;
  Tensor product = div(matmul(scaled, conj(transpose(centered, 0, 1))), denominator);
  if (is_half(input.dtype()))
    product = product.to(aweights ? promote(input.dtype(), aweights->dtype()) : input.dtype());
  return x.size(0) == 1 ? reshape(product, {}) : product;
}

PHLOX_OPERATION(
    Tensor, corrcoef, (const Tensor& input),
    .doc =
        "The matrix of Pearson's correlation coefficients of variables in rows and observations in "
        "columns.",
    .family = Family::reduction, .samples = "corrcoef(A(3, 5))", .reference = "np.corrcoef(input)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  const Tensor c = cov(input);
  if (c.rank() == 0) return div(c, c);
  const bool complex_numbers = is_complex(c.dtype());
  const Tensor deviation = sqrt(complex_numbers ? real(diagonal(c)) : diagonal(c));
  const Tensor result = div(div(c, unsqueeze(deviation, 1)), unsqueeze(deviation, 0));
  const auto bounded = [](const Tensor& x) { return clamp(x, -1.0, 1.0); };
  return complex_numbers ? complex(bounded(real(result)), bounded(imag(result))) : bounded(result);
}

PHLOX_OPERATION(bool, equal, (const Tensor& input, const Tensor& other),
                .doc = "Whether both tensors have the same shape and elements; NaN equals nothing.",
                .family = Family::reduction, .samples = "equal(A(3, 4), A(3, 4))",
                .reference = "np.array_equal(input, other)", .differentiable = false) {
  return input.shape() == other.shape() && all(eq(input, other)).item<bool>();
}

PHLOX_OPERATION(bool, allclose,
                (const Tensor& input, const Tensor& other, double rtol = 1e-5, double atol = 1e-8,
                 bool equal_nan = false),
                .doc = "Whether |input - other| <= atol + rtol * |other| holds for all elements.",
                .family = Family::reduction, .samples = "allclose(A(3, 4), A(3, 4))",
                .reference = "np.allclose(input, other, rtol, atol, equal_nan)", .differentiable = false) {
  Tensor close = isclose(input, other, rtol, atol);
  if (equal_nan) close = logical_or(close, logical_and(isnan(input), isnan(other)));
  return all(close).item<bool>();
}

}  // namespace phlox
