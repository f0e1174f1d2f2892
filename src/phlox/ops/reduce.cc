// Reductions: sums, means, products, extrema, tests.
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/reduce.h"
#include "phlox/ops/widened.h"

namespace phlox {

namespace {

void check_computable(const Tensor& input, const char* operation, bool complex = false) {
  if (is_computable(input.dtype()) && (complex || !is_complex(input.dtype()))) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes {}, not {}", operation,
                   complex ? "dtypes one can compute with" : "real numbers", info(input.dtype()).name)
      .detail("input", describe(input))
      .hint(is_complex(input.dtype()) ? "px.view_as_real(x)" : "x.to(px.float32)")
      .raise();
}

Dims dims_of(const Tensor& input, const OptionalDims& dim, const char* operation) {
  return normalize_dims(dim ? Dims(*dim) : Dims(), input.rank(), operation);
}

// What a sum or product is computed in.
DType accumulation_dtype(DType result) {
  switch (result) {
    case DType::float64:
    case DType::complex128: return DType::float64;
    case DType::float16:
    case DType::bfloat16:
    case DType::float32:
    case DType::complex64: return DType::float32;
    case DType::uint64: return DType::uint64;
    default: return DType::int64;
  }
}

DType sum_dtype(DType input) {
  if (is_floating(input) || is_complex(input)) return input;
  return input == DType::uint64 ? input : DType::int64;
}

// Complex numbers are multiplied in halves, as a tree: few steps, and gradients without a division.
Tensor complex_product(Tensor x, const Dims& dims, bool keepdim) {
  for (std::int64_t d : dims) {
    if (x.size(d) == 0) x = ones_like(sum(x, DimList{d}, true));
    while (x.size(d) > 1) {
      const std::int64_t half = x.size(d) / 2;
      const Tensor pairs = mul(narrow(x, d, 0, half), narrow(x, d, half, half));
      x = x.size(d) % 2 ? cat({pairs, narrow(x, d, 2 * half, 1)}, d) : pairs;
    }
  }
  return keepdim ? x : reshape(x, reduced_shape(x.shape(), dims, false));
}

Tensor sum_or_product(ReduceKind kind, const Tensor& input, const Dims& dims, bool keepdim,
                      OptionalDType dtype, const char* operation) {
  check_computable(input, operation, true);
  const DType result = dtype.value_or(sum_dtype(input.dtype()));
  if (is_complex(result) != is_complex(input.dtype()))
    return sum_or_product(kind, input.to(result), dims, keepdim, dtype, operation);
  if (kind == ReduceKind::product && is_complex(result))
    return complex_product(input.to(result), dims, keepdim);
  return apply_reduce(kind, input, dims, keepdim, accumulation_dtype(result), result, operation);
}

Tensor extremum(ReduceKind kind, const Tensor& input, const OptionalDims& dim, bool keepdim,
                const char* operation) {
  check_computable(input, operation);
  return apply_reduce(kind, input, dims_of(input, dim, operation), keepdim, comparison_dtype(input.dtype()),
                      input.dtype(), operation);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, sum,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {}),
    .doc =
        "The sum over the dimensions `dim`, or over all elements. Integers and bool give int64; f16 and "
        "bf16 are added up in f32.",
    .family = Family::reduction,
    .samples = "sum(A(3, 4)); sum(A(3, 4), dim=1); sum(A(2, 3, 4), dim=(0, 2), keepdim=True); sum(A())",
    .reference = "np.sum(input, axis=dim, keepdims=keepdim)", .complex = true) {
  return sum_or_product(ReduceKind::sum, input, dims_of(input, dim, "sum"), keepdim, dtype, "sum");
}

PHLOX_OPERATION(
    Tensor, mean,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {}),
    .doc =
        "The arithmetic mean over the dimensions `dim`, or over all elements. Integers give the default "
        "dtype; over no elements it is NaN.",
    .family = Family::reduction,
    .samples = "mean(A(3, 4)); mean(A(3, 4), dim=1); mean(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.mean(input, axis=dim, keepdims=keepdim)", .complex = true) {
  const Dims dims = dims_of(input, dim, "mean");
  const DType result = dtype.value_or(is_differentiable(input.dtype()) ? input.dtype() : default_dtype());
  if (!is_differentiable(result))
    fail<DTypeError>(ErrorCode::wrong_dtype, "mean: of dtype {} it would have no fraction", info(result).name)
        .detail("input", describe(input))
        .hint(fmt::format("<input>.mean().to(px.{}), which cuts the fraction off afterwards",
                          info(result).name))
        .raise();
  std::int64_t count = 1;
  for (std::int64_t d : dims) count *= input.size(d);
  // The sum of halves could overflow.
  const Tensor total = sum_or_product(ReduceKind::sum, input, dims, keepdim, widened(result), "mean");
  return div(total, static_cast<double>(count)).to(result);
}

PHLOX_OPERATION(
    Tensor, prod,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {}),
    .doc = "The product over the dimensions `dim`, or over all elements. Integers and bool give int64.",
    .family = Family::reduction,
    .samples = "prod(A(3, 4)); prod(A(3, 4), dim=1); prod(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.prod(input, axis=dim, keepdims=keepdim)", .complex = true) {
  return sum_or_product(ReduceKind::product, input, dims_of(input, dim, "prod"), keepdim, dtype, "prod");
}

PHLOX_OPERATION(
    Tensor, amax, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc =
        "The largest element over the dimensions `dim`, or of all. NaN wins; the gradient is shared "
        "equally among equals. Raises ShapeError over no elements.",
    .family = Family::reduction,
    .samples = "amax(A(3, 4)); amax(A(3, 4), dim=1); amax(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.amax(input, axis=dim, keepdims=keepdim)") {
  return extremum(ReduceKind::maximum, input, dim, keepdim, "amax");
}

PHLOX_OPERATION(
    Tensor, amin, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc =
        "The smallest element over the dimensions `dim`, or of all. NaN wins; the gradient is shared "
        "equally among equals. Raises ShapeError over no elements.",
    .family = Family::reduction,
    .samples = "amin(A(3, 4)); amin(A(3, 4), dim=1); amin(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.amin(input, axis=dim, keepdims=keepdim)") {
  return extremum(ReduceKind::minimum, input, dim, keepdim, "amin");
}

PHLOX_OPERATION(
    Tensor, any, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc = "Whether an element over the dimensions `dim`, or any at all, is not zero; NaN is not.",
    .family = Family::reduction,
    .samples = "any(B(3, 4)); any(B(3, 4), dim=1); any(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.any(input, axis=dim, keepdims=keepdim)", .differentiable = false, .complex = true) {
  check_computable(input, "any", true);
  return apply_reduce(ReduceKind::maximum, input, dims_of(input, dim, "any"), keepdim, DType::bool_,
                      DType::bool_, "any");
}

PHLOX_OPERATION(
    Tensor, all, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc = "Whether all elements over the dimensions `dim`, or all at all, are not zero; NaN is not.",
    .family = Family::reduction,
    .samples = "all(B(3, 4)); all(B(3, 4), dim=1); all(A(2, 3, 4), dim=(0, 2), keepdim=True)",
    .reference = "np.all(input, axis=dim, keepdims=keepdim)", .differentiable = false, .complex = true) {
  check_computable(input, "all", true);
  return apply_reduce(ReduceKind::minimum, input, dims_of(input, dim, "all"), keepdim, DType::bool_,
                      DType::bool_, "all");
}

PHLOX_OPERATION(
    Tensor, count_nonzero, (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false),
    .doc = "The number of elements that are not zero, over the dimensions `dim` or of all, in int64.",
    .family = Family::reduction, .samples = "count_nonzero(B(3, 4)); count_nonzero(A(3, 4), dim=1)",
    .reference = "np.count_nonzero(input, axis=dim, keepdims=keepdim)", .differentiable = false,
    .complex = true) {
  return sum(ne(input, 0), dim, keepdim);
}

}  // namespace phlox
