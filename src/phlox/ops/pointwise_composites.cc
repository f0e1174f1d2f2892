// Operations that choose among pointwise ones by their arguments.
#include <limits>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

double largest_number(DType dtype) {
  switch (dtype) {
    case DType::float16: return 65504;
    case DType::bfloat16: return 0x1.fep127;
    case DType::float32: return std::numeric_limits<float>::max();
    default: return std::numeric_limits<double>::max();
  }
}

}  // namespace

PHLOX_OPERATION(
    Tensor, clamp, (const Tensor& input, const OptionalOperand& min = {}, const OptionalOperand& max = {}),
    .doc = "Elements below `min` become `min`, those above `max` become `max`; either bound may be left out.",
    .alias = "clip", .samples = "clamp(A(3, 4), -0.5, 0.5); clamp(A(3, 4), min=0.1); clamp(A(4), max=0.1)",
    .reference = "np.clip(input, min, max)", .in_place = true) {
  const auto is_number = [](const OptionalOperand& bound) {
    return bound && !bound->is_tensor() && bound->scalar().kind() != Scalar::Kind::complex;
  };
  if (is_floating(input.dtype()) && is_number(min) && is_number(max) &&
      min->scalar().real() <= max->scalar().real())
    return clamp_interval(input, min->scalar().real(), max->scalar().real());
  if (min && max) return clamp_range(input, *min, *max);
  if (min) return clamp_min(input, *min);
  if (max) return clamp_max(input, *max);
  fail<ValueError>(ErrorCode::invalid_value, "clamp: at least one of 'min' and 'max' must be given")
      .detail("input", describe(input))
      .hint("<input>.clamp(min=0)")
      .raise();
}

PHLOX_OPERATION(
    Tensor, nan_to_num,
    (const Tensor& input, OptionalDouble nan = {}, OptionalDouble posinf = {}, OptionalDouble neginf = {}),
    .doc =
        "Replaces NaN by `nan`, or 0, and the infinities by `posinf` and `neginf`, or the largest and the least "
        "number of the dtype. Of complex numbers both parts; integers and bool stay.",
    .samples = "nan_to_num(A(3, 4)); nan_to_num(A(3, 4), nan=1.5, posinf=2.0, neginf=-2.0); nan_to_num(Z(3))",
    .reference = "np.nan_to_num(input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)",
    .in_place = true, .complex = true) {
  if (is_complex(input.dtype())) return view_as_complex(nan_to_num(view_as_real(input), nan, posinf, neginf));
  if (!is_floating(input.dtype())) return clone(input);
  const double largest = largest_number(input.dtype());
  return replace_nonfinite(input, nan.value_or(0), posinf.value_or(largest), neginf.value_or(-largest));
}

PHLOX_OPERATION(Tensor, glu, (const Tensor& input, std::int64_t dim = -1),
                .doc = "The gated linear unit: the first half of a dimension times sigmoid of the second.",
                .source = "Dauphin et al. 2017, arXiv:1612.08083", .home = "nn.functional", .method = false,
                .samples = "glu(A(3, 4)); glu(A(4, 3), 0)",
                .reference = "np.split(input, 2, dim)[0] * scipy.special.expit(np.split(input, 2, dim)[1])",
                .integers = false) {
  if (input.rank() == 0 || input.size(dim) % 2 != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "glu: the dimension must have an even size")
        .detail("input", describe(input))
        .raise();
  const std::int64_t half = input.size(dim) / 2;
  return mul(narrow(input, dim, 0, half), sigmoid(narrow(input, dim, half, half)));
}

PHLOX_OPERATION(Tensor, prelu, (const Tensor& input, const Tensor& weight),
                .doc = "`input`, times `weight` where it is negative: one number, or one for each channel.",
                .source = "He et al. 2015, arXiv:1502.01852", .home = "nn.functional",
                .samples = "prelu(A(3, 4), A(1)); prelu(A(2, 3, 4), A(3))",
                .reference =
                    "np.where(input > 0, input, input * weight.reshape([-1 if d == min(1, input.ndim - 1) "
                    "else 1 for d in range(input.ndim)]))",
                .integers = false) {
  Tensor slope = weight;
  if (weight.numel() != 1) {
    const std::int64_t channels = input.rank() > 1 ? input.size(1) : input.rank() == 1 ? input.size(0) : 1;
    if (weight.rank() != 1 || weight.size(0) != channels)
      fail<ShapeError>(ErrorCode::sizes_differ, "prelu: {} slopes for {} channels", weight.numel(), channels)
          .detail("input", describe(input))
          .detail("weight", describe(weight))
          .raise();
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[input.rank() > 1 ? 1 : 0] = channels;
    slope = reshape(weight, shape);
  } else if (weight.rank() > input.rank()) {
    slope = reshape(weight, {});
  }
  return where(gt(input, 0), input, mul(input, slope));
}

PHLOX_OPERATION(
    Tensor, gelu, (const Tensor& input, const std::string& approximate = "none"),
    .doc =
        "Gaussian error linear unit: `x` times the normal distribution function; `approximate=\"tanh\"` "
        "takes the approximation with tanh.",
    .source = "Hendrycks, Gimpel 2016, arXiv:1606.08415", .home = "nn.functional",
    .samples = "gelu(A(3, 4)); gelu(A(5), approximate='none')",
    .reference = "input * scipy.special.ndtr(input)", .integers = false) {
  if (approximate == "tanh") return gelu_tanh(input);
  if (approximate == "none") return gelu_erf(input);
  fail<ValueError>(ErrorCode::invalid_value, "gelu: approximate is '{}'", approximate)
      .hint("approximate=\"none\" or approximate=\"tanh\"")
      .raise();
}

PHLOX_OPERATION(Tensor, bitwise_not, (const Tensor& input),
                .doc = "All bits of integers flipped; the negation of bool.", .alias = "invert",
                .samples = "bitwise_not(I(9, 3, 4))", .reference = "np.invert(input)",
                .differentiable = false) {
  return input.dtype() == DType::bool_ ? logical_not(input) : bitwise_invert(input);
}

PHLOX_OPERATION(Tensor, float_power, (const Tensor& input, const Operand& exponent),
                .doc = "`input` to the power of `exponent`, computed in f64 or c128.",
                .samples = "float_power(P(3, 4), 2.5); float_power(Z(3), 2)",
                .reference = "np.float_power(input, exponent)", .complex = true) {
  const auto widened = [](const Tensor& x) {
    return x.to(is_complex(x.dtype()) ? DType::complex128 : DType::float64);
  };
  if (!exponent.is_tensor()) return pow(widened(input), exponent);
  return pow(widened(input), widened(exponent.tensor()));
}

}  // namespace phlox
