// Extrema with their positions.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/order.h"

namespace phlox {

namespace {

void check_ordered(const Tensor& input, const char* operation) {
  if (is_computable(input.dtype()) && !is_complex(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation,
                   info(input.dtype()).name)
      .detail("input", describe(input))
      .raise();
}

// The position with the reduced dimension of size 1.
Tensor position(const Tensor& input, std::int64_t dim, bool maximum, const char* operation) {
  check_ordered(input, operation);
  return apply_arg_reduce(input, normalize_dim(dim, input.rank(), operation), maximum, operation);
}

Tensor arg_extremum(const Tensor& input, OptionalDim dim, bool keepdim, bool maximum, const char* operation) {
  if (!dim) {
    const Tensor found = position(reshape(input, {input.numel()}), 0, maximum, operation);
    return reshape(found, keepdim ? Shape(static_cast<std::size_t>(input.rank()), 1) : Shape());
  }
  const Tensor found = position(input, *dim, maximum, operation);
  return keepdim || input.rank() == 0 ? found : squeeze(found, DimList(*dim));
}

TensorPair extremum_with_position(const Tensor& input, std::int64_t dim, bool keepdim, bool maximum,
                                  const char* operation) {
  const Tensor found = position(input, dim, maximum, operation);
  if (input.rank() == 0) return {input.clone(), found};
  const Tensor values = gather(input, dim, found);
  if (keepdim) return {values, found};
  return {squeeze(values, DimList(dim)), squeeze(found, DimList(dim))};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, argmax, (const Tensor& input, OptionalDim dim = {}, bool keepdim = false),
    .doc =
        "The position of the largest element along `dim`, or in the flattened tensor: the first one; NaN "
        "counts as the largest. int64. Raises ShapeError where there is no element.",
    .family = Family::reduction,
    .samples = "argmax(A(3, 4)); argmax(A(3, 4), dim=1); argmax(A(3, 4), 0, True)",
    .reference = "np.argmax(input, axis=dim, keepdims=keepdim)", .differentiable = false) {
  return arg_extremum(input, dim, keepdim, true, "argmax");
}

PHLOX_OPERATION(
    Tensor, argmin, (const Tensor& input, OptionalDim dim = {}, bool keepdim = false),
    .doc =
        "The position of the smallest element along `dim`, or in the flattened tensor: the first one; NaN "
        "counts as the smallest. int64. Raises ShapeError where there is no element.",
    .family = Family::reduction,
    .samples = "argmin(A(3, 4)); argmin(A(3, 4), dim=1); argmin(A(3, 4), 0, True)",
    .reference = "np.argmin(input, axis=dim, keepdims=keepdim)", .differentiable = false) {
  return arg_extremum(input, dim, keepdim, false, "argmin");
}

PHLOX_OPERATION(Tensor, max, (const Tensor& input),
                .doc = "The largest of all elements; NaN wins. The gradient is shared equally among equals.",
                .family = Family::reduction, .samples = "max(A(3, 4))", .reference = "np.max(input)") {
  return amax(input);
}

PHLOX_OPERATION(Tensor, min, (const Tensor& input),
                .doc = "The smallest of all elements; NaN wins. The gradient is shared equally among equals.",
                .family = Family::reduction, .samples = "min(A(3, 4))", .reference = "np.min(input)") {
  return amin(input);
}

PHLOX_OPERATION(
    TensorPair, max_dim, (const Tensor& input, std::int64_t dim, bool keepdim = false),
    .doc =
        "The largest elements along `dim` and their positions, as argmax() gives them. The gradient goes "
        "to these positions.",
    .family = Family::reduction, .samples = "max_dim(A(3, 4), 1); max_dim(A(3, 4), 0, True)",
    .results = "values indices", .overload_of = "max") {
  return extremum_with_position(input, dim, keepdim, true, "max");
}

PHLOX_OPERATION(
    TensorPair, min_dim, (const Tensor& input, std::int64_t dim, bool keepdim = false),
    .doc =
        "The smallest elements along `dim` and their positions, as argmin() gives them. The gradient goes "
        "to these positions.",
    .family = Family::reduction, .samples = "min_dim(A(3, 4), 1); min_dim(A(3, 4), 0, True)",
    .results = "values indices", .overload_of = "min") {
  return extremum_with_position(input, dim, keepdim, false, "min");
}

}  // namespace phlox
