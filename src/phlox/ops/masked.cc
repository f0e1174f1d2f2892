// Reductions, scans and normalisations in which only the elements count where a mask is true: px.masked.
#include <cmath>

#include "phlox/ops/extreme_value.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// The mask for each element; all true without one.
Tensor mask_of(const Tensor& input, const OptionalTensor& mask, const char* operation) {
  if (!mask) return ones(input.shape(), DType::bool_, input.device());
  if (mask->rank() > input.rank())
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the mask has {} dimensions, the input {}", operation,
                     mask->rank(), input.rank())
        .detail("input", describe(input))
        .detail("mask", describe(*mask))
        .raise();
  const Tensor truth = mask->dtype() == DType::bool_ ? *mask : ne(*mask, 0);
  return broadcast_to(truth, input.shape());
}

// Elements outside of the mask hold `instead`.
Tensor filled(const Tensor& input, const OptionalTensor& mask, const Scalar& instead, const char* operation) {
  return mask
             ? where(mask_of(input, mask, operation), input, full({}, instead, input.dtype(), input.device()))
             : input;
}

Tensor in_dtype(const Tensor& input, OptionalDType dtype) { return dtype ? input.to(*dtype) : input; }

DType floating_dtype_of(const Tensor& input, OptionalDType dtype) {
  return dtype.value_or(is_differentiable(input.dtype()) ? input.dtype() : default_dtype());
}

Tensor element_counts(const Tensor& input, const OptionalDims& dim, bool keepdim, const OptionalTensor& mask,
                      const char* operation) {
  return sum(mask_of(input, mask, operation), dim, keepdim);
}

// An empty list of dimensions reduces none of them here, as torch.masked has it.
bool reduces_nothing(const OptionalDims& dim) { return dim && dim->empty(); }

Tensor variance(const Tensor& input, const OptionalDims& dim, OptionalBool unbiased,
                OptionalDouble correction, bool keepdim, OptionalDType dtype, const OptionalTensor& mask,
                const char* operation) {
  if (unbiased && correction)
    fail<ValueError>(ErrorCode::invalid_value, "{}: either unbiased or correction", operation).raise();
  const double lost = correction.value_or(unbiased && !*unbiased ? 0.0 : 1.0);
  const DType kind = floating_dtype_of(input, dtype);
  const Tensor x = input.to(kind);
  const Tensor counts = element_counts(x, dim, true, mask, operation).to(info(kind).real);
  const Tensor center = div(sum(filled(x, mask, 0, operation), dim, true), counts);
  const Tensor distance = filled(sub(x, center), mask, 0, operation);
  const Tensor squares =
      is_complex(kind) ? add(square(real(distance)), square(imag(distance))) : square(distance);
  const Tensor total = sum(squares, dim, true);
  const Tensor left = lost == 0 ? counts : clamp_min(sub(counts, lost), 0);
  const Tensor result = div(total, left);
  return keepdim ? result : reshape(result, sum(squares, dim, false).shape());
}

// What lies outside of the mask has no share.
Tensor share(const Tensor& input, std::int64_t dim, OptionalDType dtype, const OptionalTensor& mask, bool log,
             bool smallest, const char* operation) {
  const Tensor x = input.to(floating_dtype_of(input, dtype));
  const Tensor y = filled(smallest ? neg(x) : x, mask, -INFINITY, operation);
  return log ? log_softmax(y, dim) : softmax(y, dim);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, masked_sum,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The sum over `dim`, or of all, of the elements where the mask, which broadcasts, is true; 0 of none.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples =
        "masked_sum(A(3, 4), 1, mask=B(3, 4)); masked_sum(A(3, 4), mask=B(4)); masked_sum(A(3, 4), (0, 1), True)",
    .reference = "np.sum(input, axis=dim, keepdims=keepdim, where=True if mask is None else mask)",
    .complex = true) {
  const Tensor x = filled(in_dtype(input, dtype), mask, 0, "masked.sum");
  return reduces_nothing(dim) ? x.to(sum(zeros({0}, x.dtype())).dtype()) : sum(x, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_prod,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc = "The product over `dim`, or of all, of the elements where the mask is true; 1 of none.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_prod(A(3, 4), 1, mask=B(3, 4)); masked_prod(A(3, 4))",
    .reference = "np.prod(input, axis=dim, keepdims=keepdim, where=True if mask is None else mask)",
    .complex = true) {
  const Tensor x = filled(in_dtype(input, dtype), mask, 1, "masked.prod");
  return reduces_nothing(dim) ? x.to(prod(zeros({0}, x.dtype())).dtype()) : prod(x, dim, keepdim);
}

PHLOX_OPERATION(Tensor, masked_cumsum,
                (const Tensor& input, std::int64_t dim, OptionalDType dtype = {},
                 const OptionalTensor& mask = {}),
                .doc = "cumsum() in which elements where the mask is not true count as 0.",
                .family = Family::scan, .home = "masked", .method = false,
                .samples = "masked_cumsum(A(3, 4), 1, mask=B(3, 4))",
                .reference = "np.cumsum(np.where(mask, input, 0), axis=dim)", .complex = true) {
  return cumsum(filled(in_dtype(input, dtype), mask, 0, "masked.cumsum"), dim);
}

PHLOX_OPERATION(Tensor, masked_cumprod,
                (const Tensor& input, std::int64_t dim, OptionalDType dtype = {},
                 const OptionalTensor& mask = {}),
                .doc = "cumprod() in which elements where the mask is not true count as 1.",
                .family = Family::scan, .home = "masked", .method = false,
                .samples = "masked_cumprod(A(3, 4), 1, mask=B(3, 4))",
                .reference = "np.cumprod(np.where(mask, input, 1), axis=dim)", .complex = true) {
  return cumprod(filled(in_dtype(input, dtype), mask, 1, "masked.cumprod"), dim);
}

PHLOX_OPERATION(
    Tensor, masked_amax,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The largest element over `dim`, or of all, where the mask is true; of none the smallest value of the dtype, "
        "-inf for floats.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_amax(A(3, 4), 1, mask=B(3, 4)); masked_amax(A(3, 4), keepdim=True)",
    .reference =
        "np.max(input, axis=dim, keepdims=keepdim, where=True if mask is None else mask, initial=-np.inf)",
    .integers = false) {
  const Tensor x = in_dtype(input, dtype);
  const Tensor values = filled(x, mask, extreme_value(x.dtype(), false), "masked.amax");
  return reduces_nothing(dim) ? values : amax(values, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_amin,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The smallest element over `dim`, or of all, where the mask is true; of none the largest value of the dtype, "
        "inf for floats.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_amin(A(3, 4), 1, mask=B(3, 4))",
    .reference =
        "np.min(input, axis=dim, keepdims=keepdim, where=True if mask is None else mask, initial=np.inf)",
    .integers = false) {
  const Tensor x = in_dtype(input, dtype);
  const Tensor values = filled(x, mask, extreme_value(x.dtype(), true), "masked.amin");
  return reduces_nothing(dim) ? values : amin(values, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_argmax,
    (const Tensor& input, OptionalDim dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The position of the largest element along `dim`, or in the flattened tensor, where the mask is "
        "true; 0 where it never is.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_argmax(A(3, 4), 1, mask=B(3, 4)); masked_argmax(A(3, 4))",
    .reference = "np.argmax(input if mask is None else np.where(mask, input, -np.inf), axis=dim)",
    .differentiable = false, .integers = false) {
  const Tensor x = in_dtype(input, dtype);
  return argmax(filled(x, mask, extreme_value(x.dtype(), false), "masked.argmax"), dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_argmin,
    (const Tensor& input, OptionalDim dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The position of the smallest element along `dim`, or in the flattened tensor, where the mask is "
        "true; 0 where it never is.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_argmin(A(3, 4), 1, mask=B(3, 4))",
    .reference = "np.argmin(np.where(mask, input, np.inf), axis=dim)", .differentiable = false,
    .integers = false) {
  const Tensor x = in_dtype(input, dtype);
  return argmin(filled(x, mask, extreme_value(x.dtype(), true), "masked.argmin"), dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_mean,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc = "The mean over `dim`, or of all, of the elements where the mask is true; NaN of none.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_mean(A(3, 4), 1, mask=B(3, 4)); masked_mean(A(3, 4))",
    .reference = "np.mean(input, axis=dim, keepdims=keepdim, where=True if mask is None else mask)",
    .integers = false, .complex = true) {
  const Tensor x = input.to(floating_dtype_of(input, dtype));
  if (reduces_nothing(dim))
    return div(filled(x, mask, 0, "masked.mean"), mask_of(x, mask, "masked.mean").to(x.dtype()));
  return div(sum(filled(x, mask, 0, "masked.mean"), dim, keepdim),
             element_counts(x, dim, keepdim, mask, "masked.mean"));
}

PHLOX_OPERATION(
    Tensor, masked_median,
    (const Tensor& input, std::int64_t dim = -1, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The median along `dim` of the elements where the mask is true, of two in the middle the smaller one; NaN of "
        "none.",
    .family = Family::sort, .home = "masked", .method = false,
    .samples = "masked_median(A(3, 5), 1, mask=B(3, 5))", .integers = false) {
  const Tensor x = input.to(floating_dtype_of(input, dtype));
  const Tensor values = filled(x, mask, NAN, "masked.median");
  return std::get<0>(nanmedian_dim(values, dim, keepdim));
}

PHLOX_OPERATION(
    Tensor, masked_var,
    (const Tensor& input, const OptionalDims& dim = {}, OptionalBool unbiased = {},
     OptionalDouble correction = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The variance over `dim`, or of all, of the elements where the mask is true, divided by their number less "
        "`correction`, by default 1, or 0 with unbiased=False.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_var(P(3, 4), 1); masked_var(A(3, 4), 0, False, mask=B(3, 1))", .integers = false,
    .complex = true) {
  return variance(input, dim, unbiased, correction, keepdim, dtype, mask, "masked.var");
}

PHLOX_OPERATION(Tensor, masked_std,
                (const Tensor& input, const OptionalDims& dim = {}, OptionalBool unbiased = {},
                 OptionalDouble correction = {}, bool keepdim = false, OptionalDType dtype = {},
                 const OptionalTensor& mask = {}),
                .doc = "The square root of masked.var().", .family = Family::reduction, .home = "masked",
                .method = false, .samples = "masked_std(P(3, 4), 1); masked_std(A(3, 4), 0, correction=0)",
                .integers = false, .complex = true) {
  return sqrt(variance(input, dim, unbiased, correction, keepdim, dtype, mask, "masked.std"));
}

PHLOX_OPERATION(
    Tensor, masked_norm,
    (const Tensor& input, double ord = 2.0, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}, const OptionalTensor& mask = {}),
    .doc = "The p-norm, p = `ord`, over `dim`, or of all, of the elements where the mask is true; as norm().",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_norm(A(3, 4), 2, 1, mask=B(3, 4)); masked_norm(A(3, 4), 1)", .integers = false,
    .complex = true) {
  const Tensor x = in_dtype(input, dtype);
  const bool smallest = std::isinf(ord) && ord < 0;
  const Tensor values = filled(x, mask, smallest ? Scalar(INFINITY) : Scalar(0), "masked.norm");
  return reduces_nothing(dim) ? norm(unsqueeze(values, -1), ord, DimList(-1))
                              : norm(values, ord, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_normalize,
    (const Tensor& input, double ord, std::int64_t dim, double eps = 1e-12, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc =
        "The elements where the mask is true divided by their p-norm along `dim`, or by `eps` where that is larger; 0 elsewhere.",
    .family = Family::normalization, .home = "masked", .method = false,
    .samples = "masked_normalize(A(3, 4), 2.0, 1, mask=B(3, 4))", .integers = false, .complex = true) {
  const Tensor x = in_dtype(input, dtype);
  const Tensor size = masked_norm(x, ord, DimList(dim), true, {}, mask);
  return div(filled(x, mask, 0, "masked.normalize"), clamp_min(size, eps));
}

PHLOX_OPERATION(
    Tensor, masked_softmax,
    (const Tensor& input, std::int64_t dim, OptionalDType dtype = {}, const OptionalTensor& mask = {}),
    .doc =
        "softmax() along `dim` among the elements where the mask is true; 0 elsewhere, NaN where there is "
        "none.",
    .family = Family::activation, .home = "masked", .method = false,
    .samples = "masked_softmax(A(3, 4), 1); masked_softmax(A(3, 4), 1, mask=eye(3, 4))", .integers = false) {
  return share(input, dim, dtype, mask, false, false, "masked.softmax");
}

PHLOX_OPERATION(Tensor, masked_log_softmax,
                (const Tensor& input, std::int64_t dim, OptionalDType dtype = {},
                 const OptionalTensor& mask = {}),
                .doc = "The logarithm of masked.softmax(): -inf where the mask is not true.",
                .family = Family::activation, .home = "masked", .method = false,
                .samples = "masked_log_softmax(A(3, 4), 1)", .integers = false) {
  return share(input, dim, dtype, mask, true, false, "masked.log_softmax");
}

PHLOX_OPERATION(Tensor, masked_softmin,
                (const Tensor& input, std::int64_t dim, OptionalDType dtype = {},
                 const OptionalTensor& mask = {}),
                .doc = "masked.softmax() of -input.", .family = Family::activation, .home = "masked",
                .method = false, .samples = "masked_softmin(A(3, 4), 1)", .integers = false) {
  return share(input, dim, dtype, mask, false, true, "masked.softmin");
}

PHLOX_OPERATION(
    Tensor, masked_logsumexp,
    (const Tensor& input, const OptionalDims& dim = {}, bool keepdim = false, OptionalDType dtype = {},
     const OptionalTensor& mask = {}),
    .doc = "logsumexp() over `dim`, or of all, of the elements where the mask is true; -inf of none.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_logsumexp(A(3, 4), 1); masked_logsumexp(A(3, 4))", .integers = false,
    .complex = true) {
  const Tensor x = input.to(floating_dtype_of(input, dtype));
  const Tensor values = filled(x, mask, -INFINITY, "masked.logsumexp");
  return reduces_nothing(dim) ? values : logsumexp(values, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, masked_logaddexp,
    (const Tensor& input, const Tensor& other, OptionalDType dtype = {},
     const OptionalTensor& input_mask = {}, const OptionalTensor& other_mask = {}),
    .doc = "logaddexp() in which elements where their mask is not true count as -inf.",
    .family = Family::reduction, .home = "masked", .method = false,
    .samples = "masked_logaddexp(A(3, 4), A(3, 4)); masked_logaddexp(A(3, 4), A(3, 4), input_mask=eye(3, 4))",
    .integers = false) {
  return logaddexp(filled(in_dtype(input, dtype), input_mask, -INFINITY, "masked.logaddexp"),
                   filled(in_dtype(other, dtype), other_mask, -INFINITY, "masked.logaddexp"));
}

}  // namespace phlox
