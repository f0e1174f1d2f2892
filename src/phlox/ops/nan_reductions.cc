// Reductions and scans that leave NaN out.
#include <cmath>

#include "phlox/ops/extreme_value.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

Tensor without_nan(const Tensor& input, const Scalar& instead) {
  return is_floating(input.dtype()) || is_complex(input.dtype()) ? where(isnan(input), instead, input)
                                                                 : input;
}

// NaN where there is nothing else; a slice of no elements is the error of amax().
Tensor nan_extremum(const Tensor& input, const OptionalDims& dim, bool keepdim, bool largest) {
  const auto reduce = [&](const Tensor& x) {
    return largest ? amax(x, dim, keepdim) : amin(x, dim, keepdim);
  };
  if (!is_floating(input.dtype())) return reduce(input);
  const Tensor found = reduce(without_nan(input, extreme_value(input.dtype(), !largest)));
  return where(all(isnan(input.detach()), dim, keepdim), NAN, found);
}

Tensor nan_position(const Tensor& input, OptionalDim dim, bool keepdim, bool largest) {
  if (!is_floating(input.dtype())) return largest ? argmax(input, dim, keepdim) : argmin(input, dim, keepdim);
  const Tensor missing = isnan(input.detach());
  // NaN must not win over an infinity behind it: among what equals the extremum the first number counts.
  const OptionalDims over = dim ? OptionalDims(DimList(*dim)) : OptionalDims();
  const Tensor values = where(missing, extreme_value(input.dtype(), !largest), input.detach());
  const Tensor best = largest ? amax(values, over, true) : amin(values, over, true);
  const Tensor found = argmax(logical_and(eq(values, best), logical_not(missing)), dim, keepdim);
  return where(all(missing, over, keepdim), -1, found);
}

}  // namespace

PHLOX_OPERATION(Tensor, nanmax, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
                .doc = "The largest element over `dim`, or of all, that is not NaN; NaN where there is none.",
                .family = Family::reduction,
                .samples = "nanmax(A(3, 4)); nanmax(A(3, 4), dim=1); nanmax(A(2, 3, 4), (0, 2), True)",
                .reference = "np.nanmax(input, axis=dim, keepdims=keepdim)") {
  return nan_extremum(input, dim, keepdim, true);
}

PHLOX_OPERATION(
    Tensor, nanmin, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc = "The smallest element over `dim`, or of all, that is not NaN; NaN where there is none.",
    .family = Family::reduction, .samples = "nanmin(A(3, 4)); nanmin(A(3, 4), dim=1)",
    .reference = "np.nanmin(input, axis=dim, keepdims=keepdim)") {
  return nan_extremum(input, dim, keepdim, false);
}

PHLOX_OPERATION(Tensor, nanprod,
                (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false,
                 OptionalDType dtype = {}),
                .doc = "The product over `dim`, or of all, where NaN counts as 1.",
                .family = Family::reduction, .samples = "nanprod(A(3, 4)); nanprod(A(3, 4), dim=1)",
                .reference = "np.nanprod(input, axis=dim, keepdims=keepdim)", .complex = true) {
  return prod(without_nan(input, 1), dim, keepdim, dtype);
}

PHLOX_OPERATION(
    Tensor, nanvar,
    (const Tensor& input, const OptionalDims& dim = {}, double correction = 1.0, bool keepdim = false),
    .doc =
        "The variance over `dim`, or of all, of the elements that are not NaN, divided by their number less "
        "`correction`; NaN where too few are left.",
    .family = Family::reduction, .samples = "nanvar(A(3, 4)); nanvar(A(3, 4), dim=1, correction=0)",
    .reference = "np.nanvar(input, axis=dim, ddof=correction, keepdims=keepdim)", .integers = false) {
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "nanvar: takes floats, not {}", info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("<input>.to(px.float32)")
        .raise();
  const Tensor x = widened(input);
  const Tensor missing = isnan(x.detach());
  const Tensor distance = where(missing, 0, sub(x, nanmean(x, dim, true)));
  const Tensor left = sub(sum(logical_not(missing), dim, keepdim).to(x.dtype()), correction);
  const Tensor squares = sum(square(distance), dim, keepdim);
  return where(gt(left, 0), div(squares, where(gt(left, 0), left, 1)), NAN).to(input.dtype());
}

PHLOX_OPERATION(Tensor, nanstd,
                (const Tensor& input, const OptionalDims& dim = {}, double correction = 1.0,
                 bool keepdim = false),
                .doc = "The square root of nanvar().", .family = Family::reduction,
                .samples = "nanstd(A(3, 4)); nanstd(A(3, 4), dim=1, correction=0)",
                .reference = "np.nanstd(input, axis=dim, ddof=correction, keepdims=keepdim)",
                .integers = false) {
  return sqrt(nanvar(input, dim, correction, keepdim));
}

PHLOX_OPERATION(Tensor, nancumsum, (const Tensor& input, std::int64_t dim, OptionalDType dtype = {}),
                .doc = "cumsum() in which NaN counts as 0.", .family = Family::scan,
                .samples = "nancumsum(A(3, 4), 1)", .reference = "np.nancumsum(input, axis=dim)",
                .complex = true) {
  return cumsum(without_nan(input, 0), dim, dtype);
}

PHLOX_OPERATION(Tensor, nancumprod, (const Tensor& input, std::int64_t dim, OptionalDType dtype = {}),
                .doc = "cumprod() in which NaN counts as 1.", .family = Family::scan,
                .samples = "nancumprod(A(3, 4), 1)", .reference = "np.nancumprod(input, axis=dim)") {
  return cumprod(without_nan(input, 1), dim, dtype);
}

PHLOX_OPERATION(
    Tensor, nanargmax, (const Tensor& input, OptionalDim dim = {}, bool keepdim = false),
    .doc =
        "The position of the largest element along `dim`, or in the flattened tensor, that is not NaN: the "
        "first one; -1 where all are NaN.",
    .family = Family::reduction, .samples = "nanargmax(A(3, 4)); nanargmax(A(3, 4), 1)",
    .reference = "np.nanargmax(input, axis=dim, keepdims=keepdim)", .differentiable = false) {
  return nan_position(input, dim, keepdim, true);
}

PHLOX_OPERATION(
    Tensor, nanargmin, (const Tensor& input, OptionalDim dim = {}, bool keepdim = false),
    .doc =
        "The position of the smallest element along `dim`, or in the flattened tensor, that is not NaN: the "
        "first one; -1 where all are NaN.",
    .family = Family::reduction, .samples = "nanargmin(A(3, 4)); nanargmin(A(3, 4), 1)",
    .reference = "np.nanargmin(input, axis=dim, keepdims=keepdim)", .differentiable = false) {
  return nan_position(input, dim, keepdim, false);
}

}  // namespace phlox
