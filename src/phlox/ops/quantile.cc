// Medians, quantiles and modes: what stands at a place of the sorted elements.
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {

namespace {

Tensor nan_of(const Tensor& like) { return Tensor(std::nan("")).to(like.dtype()); }

[[noreturn]] PHLOX_COLD void throw_empty(const Tensor& input, const char* operation) {
  fail<ShapeError>(ErrorCode::empty_reduction, "{}: no element to choose from", operation)
      .detail("input", describe(input))
      .raise();
}

// The lower median along `dim` and its position; both keep the dimension. Rows with NaN give NaN, or leave it out.
TensorPair median_of_rows(const Tensor& input, std::int64_t dim, bool leave_out_nan, const char* operation) {
  const int d = normalize_dim(dim, input.rank(), operation);
  if (input.rank() == 0) return {input.clone(), zeros({}, DType::int64)};
  const std::int64_t length = input.size(d);
  if (length == 0) throw_empty(input, operation);
  const auto [values, indices] = sort(input, d);
  if (!is_floating(input.dtype())) {
    const std::int64_t middle = (length - 1) / 2;
    return {narrow(values, d, middle, 1), narrow(indices, d, middle, 1)};
  }
  // NaN is sorted behind all numbers.
  const Tensor nans = sum(isnan(input.detach()), d, true);
  Tensor place = floor_divide(clamp_min(sub(length - 1, nans), 0), 2);
  if (!leave_out_nan) place = where(gt(nans, 0), sub(length, nans), place);
  return {gather(values, d, place), gather(indices, d, place)};
}

TensorPair without_dim(const TensorPair& pair, std::int64_t dim, bool keepdim) {
  const auto& [values, indices] = pair;
  if (keepdim || values.rank() == 0) return pair;
  return {squeeze(values, DimList(dim)), squeeze(indices, DimList(dim))};
}

Tensor median_of_all(const Tensor& input, bool leave_out_nan, const char* operation) {
  if (input.numel() == 0 && is_floating(input.dtype())) return nan_of(input);
  return reshape(std::get<0>(median_of_rows(reshape(input, {input.numel()}), 0, leave_out_nan, operation)),
                 {});
}

// Quantiles along the last dimension of sorted rows; the result has the shape of q in front.
Tensor quantile_of(const Tensor& input, const Operand& q, OptionalDim dim, bool keepdim,
                   const std::string& interpolation, bool leave_out_nan, const char* operation) {
  if (is_half(input.dtype()))
    return quantile_of(widened(input), q, dim, keepdim, interpolation, leave_out_nan, operation)
        .to(input.dtype());
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating tensors, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("<input>.to(px.float32)")
        .raise();
  Tensor points = q.is_tensor() ? q.tensor().to(input.dtype()) : Tensor(q.scalar(), {.dtype = input.dtype()});
  if (points.rank() > 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: q is a number or a vector", operation)
        .detail("q", describe(points))
        .raise();
  const Tensor outside = any(logical_or(lt(points, 0), gt(points, 1)));
  if (thread_mode.interpreter_count)
    points = apply_check(points, logical_not(outside), CheckError::value,
                         std::string(operation) + ": q lies between 0 and 1");
  else if (outside.item<bool>())
    fail<ValueError>(ErrorCode::invalid_value, "{}: q lies between 0 and 1", operation)
        .detail("q", describe(points))
        .raise();
  const Tensor rows = dim ? movedim(input, *dim, -1) : reshape(input, {input.numel()});
  const std::int64_t length = rows.rank() == 0 ? 1 : rows.size(-1);
  if (length == 0) throw_empty(input, operation);
  const Tensor values = std::get<0>(sort(rows.rank() == 0 ? reshape(rows, {1}) : rows, -1));
  const Tensor nans = sum(isnan(values.detach()), -1, true);

  // Places on the axis 0..n-1 of what is sorted: [rows..., points].
  const Tensor flat = reshape(points, {points.numel()});
  const Tensor last =
      (leave_out_nan ? clamp_min(sub(length - 1, nans), 0) : full_like(nans, length - 1)).to(input.dtype());
  Tensor place = mul(last, flat);
  if (!leave_out_nan) place = where(gt(nans, 0), static_cast<double>(length - 1), place);
  const Tensor below = floor(place), above = ceil(place);
  const auto at = [&](const Tensor& where_) { return gather(values, -1, where_.to(DType::int64)); };
  Tensor result;
  if (interpolation == "linear") {
    const Tensor low = at(below);
    result = add(low, mul(sub(at(above), low), sub(place, below)));
    result = where(eq(below, place), low, result);  // infinite elements differ by NaN
  } else if (interpolation == "midpoint") {
    result = mul(add(at(below), at(above)), 0.5);
  } else if (interpolation == "lower") {
    result = at(below);
  } else if (interpolation == "higher") {
    result = at(above);
  } else if (interpolation == "nearest") {
    result = at(round(place));
  } else {
    fail<ValueError>(ErrorCode::invalid_value, "{}: interpolation is '{}'", operation, interpolation)
        .hint("linear, lower, higher, midpoint or nearest")
        .raise();
  }
  // [rows..., points] to [points, rows...]
  result = movedim(result, -1, 0);
  if (keepdim) {
    if (input.rank() == 0) {
      result = reshape(result, {points.numel()});
    } else if (dim) {
      result = unsqueeze(result, normalize_dim(*dim, input.rank(), operation) + 1);
    } else {
      Shape shape(static_cast<std::size_t>(input.rank() + 1), 1);
      shape[0] = points.numel();
      result = reshape(result, shape);
    }
  }
  return points.rank() == 0 ? squeeze(result, DimList(0)) : result;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, median, (const Tensor& input),
    .doc = "The median of all elements: of two in the middle the smaller one. NaN if there is one.",
    .family = Family::sort, .samples = "median(A(3, 5))", .reference = "np.median(input)") {
  return median_of_all(input, false, "median");
}

PHLOX_OPERATION(TensorPair, median_dim, (const Tensor& input, std::int64_t dim, bool keepdim = false),
                .doc = "The medians along `dim`, of two in the middle the smaller one, and where they stand.",
                .family = Family::sort, .samples = "median_dim(A(3, 5), 1); median_dim(A(4, 3), 0, True)",
                .results = "values indices", .overload_of = "median") {
  return without_dim(median_of_rows(input, dim, false, "median"), dim, keepdim);
}

PHLOX_OPERATION(Tensor, nanmedian, (const Tensor& input),
                .doc = "The median of all elements that are not NaN: of two in the middle the smaller one.",
                .family = Family::sort, .samples = "nanmedian(A(3, 5))", .reference = "np.nanmedian(input)") {
  return median_of_all(input, true, "nanmedian");
}

PHLOX_OPERATION(TensorPair, nanmedian_dim, (const Tensor& input, std::int64_t dim, bool keepdim = false),
                .doc = "The medians along `dim` of the elements that are not NaN, and where they stand.",
                .family = Family::sort, .samples = "nanmedian_dim(A(3, 5), 1)", .results = "values indices",
                .overload_of = "nanmedian") {
  return without_dim(median_of_rows(input, dim, true, "nanmedian"), dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, quantile,
    (const Tensor& input, const Operand& q, OptionalDim dim = {}, bool keepdim = false,
     const std::string& interpolation = "linear"),
    .doc =
        "The q-th quantiles along `dim`, or of all elements, for `q` from 0 to 1, a number or a vector, "
        "whose dimension comes first in the result. Between two elements it is interpolated. NaN if a row "
        "has one.",
    .family = Family::sort,
    .samples =
        "quantile(A(3, 5), 0.3); quantile(A(3, 5), 0.25, dim=1); quantile(A(4, 3), 0.5, dim=0, keepdim=True)",
    .reference = "np.quantile(input, q, axis=dim, keepdims=keepdim)", .integers = false) {
  return quantile_of(input, q, dim, keepdim, interpolation, false, "quantile");
}

PHLOX_OPERATION(Tensor, nanquantile,
                (const Tensor& input, const Operand& q, OptionalDim dim = {}, bool keepdim = false,
                 const std::string& interpolation = "linear"),
                .doc = "As quantile(), of the elements that are not NaN.", .family = Family::sort,
                .samples = "nanquantile(A(3, 5), 0.3, dim=1)",
                .reference = "np.nanquantile(input, q, axis=dim, keepdims=keepdim)", .integers = false) {
  return quantile_of(input, q, dim, keepdim, interpolation, true, "nanquantile");
}

}  // namespace phlox
