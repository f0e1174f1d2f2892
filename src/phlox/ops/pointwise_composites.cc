// Operations that choose among pointwise ones by their arguments.
#include "phlox/ops/functions.h"
#include "phlox/ops/operation.h"

namespace phlox {

PHLOX_OPERATION(
    Tensor, clamp, (const Tensor& input, const OptionalOperand& min = {}, const OptionalOperand& max = {}),
    .doc = "Elements below `min` become `min`, those above `max` become `max`; either bound may be left out.",
    .alias = "clip", .samples = "clamp(A(3, 4), -0.5, 0.5); clamp(A(3, 4), min=0.1); clamp(A(4), max=0.1)",
    .reference = "np.clip(input, min, max)") {
  if (min && max) return clamp_range(input, *min, *max);
  if (min) return clamp_min(input, *min);
  if (max) return clamp_max(input, *max);
  fail<ValueError>(ErrorCode::invalid_value, "clamp: at least one of 'min' and 'max' must be given")
      .detail("input", describe(input))
      .hint("<input>.clamp(min=0)")
      .raise();
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
                .doc = "`input` to the power of `exponent`, computed in f64.",
                .samples = "float_power(P(3, 4), 2.5)", .reference = "np.float_power(input, exponent)") {
  return pow(input.to(DType::float64), exponent);
}

}  // namespace phlox
