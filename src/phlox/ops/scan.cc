// Running sums, products and extrema along a dimension.
#include "phlox/ops/complex_forms.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/order.h"

namespace phlox {

namespace {

Tensor checked(const Tensor& input, const char* operation) {
  if (!is_computable(input.dtype()) || is_complex(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  return input;
}

// result[i] = join(x[0], ..., x[i]) for an associative `join`, in log2(n) steps.
template <class Join>
Tensor scan_by_doubling(Tensor x, std::int64_t dim, const Join& join) {
  if (x.rank() == 0) return x;
  const std::int64_t n = x.size(dim);
  for (std::int64_t step = 1; step < n; step *= 2) {
    const Tensor joined = join(narrow(x, dim, 0, n - step), narrow(x, dim, step, n - step));
    x = cat({narrow(x, dim, 0, step), joined}, dim);
  }
  return x;
}

// Sums and products of integers and bool are int64.
Tensor accumulate(ScanKind kind, const Tensor& input, std::int64_t dim, OptionalDType dtype,
                  const char* operation) {
  if (kind == ScanKind::sum && is_complex(dtype.value_or(input.dtype()))) {
    if (input.rank() == 0) return input.to(dtype.value_or(input.dtype()));
    const Tensor parts = view_as_real(is_complex(input.dtype()) ? input : input.to(*dtype));
    const Tensor sums = accumulate(kind, parts, normalize_dim(dim, input.rank(), operation), {}, operation);
    const Tensor result = view_as_complex(sums);
    return dtype ? result.to(*dtype) : result;
  }
  // Complex products: twice as many elements are joined with those before in each step.
  if (kind == ScanKind::product && is_complex(dtype.value_or(input.dtype()))) {
    const Tensor x = input.to(dtype.value_or(input.dtype()));
    return scan_by_doubling(x, normalize_dim(dim, input.rank(), operation),
                            [](const Tensor& a, const Tensor& b) { return mul(a, b); });
  }
  checked(input, operation);
  const bool wide = is_floating(input.dtype()) || input.dtype() == DType::uint64;
  const DType result = dtype.value_or(wide ? input.dtype() : DType::int64);
  return std::get<0>(apply_scan(kind, input, normalize_dim(dim, input.rank(), operation), result));
}

}  // namespace

PHLOX_OPERATION(
    Tensor, cumsum, (const Tensor& input, std::int64_t dim, OptionalDType dtype = {}),
    .doc = "The sums of the elements along `dim` from the first to each. Integers and bool give int64.",
    .family = Family::scan, .samples = "cumsum(A(3, 4), 1); cumsum(A(3, 4), 0); cumsum(A(5), -1)",
    .reference = "np.cumsum(input, axis=dim)", .in_place = true, .complex = true) {
  return accumulate(ScanKind::sum, input, dim, dtype, "cumsum");
}

PHLOX_OPERATION(
    Tensor, cumprod, (const Tensor& input, std::int64_t dim, OptionalDType dtype = {}),
    .doc = "The products of the elements along `dim` from the first to each. Integers and bool give int64.",
    .family = Family::scan, .samples = "cumprod(A(3, 4), 1); cumprod(A(3, 4), 0)",
    .reference = "np.cumprod(input, axis=dim)", .in_place = true) {
  return accumulate(ScanKind::product, input, dim, dtype, "cumprod");
}

PHLOX_OPERATION(
    TensorPair, cummax, (const Tensor& input, std::int64_t dim),
    .doc =
        "The largest element along `dim` from the first to each, and where it stands: the last one of "
        "equals. NaN stays once it has come.",
    .family = Family::scan, .samples = "cummax(A(3, 4), 1); cummax(A(3, 4), 0)",
    .results = "values indices") {
  checked(input, "cummax");
  return apply_scan(ScanKind::maximum, input, normalize_dim(dim, input.rank(), "cummax"), input.dtype());
}

PHLOX_OPERATION(
    TensorPair, cummin, (const Tensor& input, std::int64_t dim),
    .doc =
        "The smallest element along `dim` from the first to each, and where it stands: the last one of "
        "equals. NaN stays once it has come.",
    .family = Family::scan, .samples = "cummin(A(3, 4), 1); cummin(A(3, 4), 0)",
    .results = "values indices") {
  checked(input, "cummin");
  return apply_scan(ScanKind::minimum, input, normalize_dim(dim, input.rank(), "cummin"), input.dtype());
}

PHLOX_OPERATION(Tensor, logcumsumexp, (const Tensor& input, std::int64_t dim),
                .doc = "log(cumsum(exp(input))) along `dim`, without overflow.", .family = Family::scan,
                .samples = "logcumsumexp(A(3, 4), 1); logcumsumexp(A(3, 4), 0)",
                .reference = "np.logaddexp.accumulate(input, axis=dim)", .integers = false) {
  if (is_complex(input.dtype()))
    return scan_by_doubling(input, normalize_dim(dim, input.rank(), "logcumsumexp"), complex_logaddexp);
  checked(input, "logcumsumexp");
  const DType result = is_floating(input.dtype()) ? input.dtype() : default_dtype();
  return std::get<0>(
      apply_scan(ScanKind::log_sum_exp, input, normalize_dim(dim, input.rank(), "logcumsumexp"), result));
}

PHLOX_OPERATION(
    Tensor, diff,
    (const Tensor& input, std::int64_t n = 1, std::int64_t dim = -1, const OptionalTensor& prepend = {},
     const OptionalTensor& append = {}),
    .doc =
        "The differences of neighbours along `dim`, `n` times over; `prepend` and `append` are joined on "
        "before.",
    .family = Family::scan, .samples = "diff(A(3, 4)); diff(A(5, 2), n=2, dim=0)",
    .reference = "np.diff(input, n, dim)", .complex = true) {
  const int d = normalize_dim(dim, input.rank(), "diff");
  if (input.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "diff: needs at least one dimension")
        .detail("input", describe(input))
        .raise();
  if (n < 0) fail<ValueError>(ErrorCode::invalid_value, "diff: n is {}", n).raise();
  if (n == 0) return input;
  Tensor x = input;
  if (prepend) x = cat({*prepend, x}, d);
  if (append) x = cat({x, *append}, d);
  for (std::int64_t i = 0; i < n && x.size(d) > 0; ++i) {
    const std::int64_t left = x.size(d) - 1;
    const Tensor later = narrow(x, d, 1, left), earlier = narrow(x, d, 0, left);
    x = x.dtype() == DType::bool_ ? logical_xor(later, earlier) : sub(later, earlier);
  }
  return x;
}

}  // namespace phlox
