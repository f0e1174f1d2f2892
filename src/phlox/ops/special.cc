// Special functions that are composed of pointwise ones.
#include <cmath>
#include <numbers>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(Tensor, polygamma, (std::int64_t n, const Tensor& input),
                .doc = "Derivative number `n` of digamma: 0 gives digamma itself.", .source = "DLMF 5.15",
                .samples = "polygamma(0, P(3, 4)); polygamma(1, P(3, 4)); polygamma(3, P(4))",
                .reference = "scipy.special.polygamma(n, input)") {
  if (n < 0)
    fail<ValueError>(ErrorCode::invalid_value, "polygamma: n is {}, and there is no such derivative", n)
        .detail("input", describe(input))
        .hint("n must be at least 0")
        .raise();
  return n == 0 ? digamma(input) : polygamma_of_order(input, n);
}

PHLOX_OPERATION(
    Tensor, mvlgamma, (const Tensor& input, std::int64_t p),
    .doc =
        "The logarithm of the multivariate gamma function of dimension `p`: `p (p - 1) / 4 log(pi)` and the sum of "
        "`lgamma(input - j / 2)` for j from 0 to p - 1.",
    .source = "DLMF 35.3", .alias = "multigammaln",
    .samples = "mvlgamma(add(P(3, 4), 2.0), 3); mvlgamma(P(4), 1)",
    .reference = "np.vectorize(lambda x: scipy.special.multigammaln(x, p))(input)", .in_place = true) {
  if (p < 1)
    fail<ValueError>(ErrorCode::invalid_value, "mvlgamma: p is {}; it must be at least 1", p)
        .detail("input", describe(input))
        .raise();
  const Tensor x = is_floating(input.dtype()) ? input : input.to(default_dtype());
  const double constant =
      static_cast<double>(p) * static_cast<double>(p - 1) / 4 * std::log(std::numbers::pi);
  const Tensor steps = mul(arange(p, {}, 1, x.dtype(), x.device()), -0.5);
  return add(sum(lgamma(add(unsqueeze(x, -1), steps)), -1), constant);
}

PHLOX_OPERATION(
    TensorPair, frexp, (const Tensor& input),
    .doc =
        "Mantissa and exponent: `input == mantissa * 2 ** exponent` with mantissas from 1/2 to 1 in "
        "size. Zeros, infinities and NaN are their own mantissa with exponent 0. Exponents are i32.",
    .source = "ISO C, frexp", .samples = "frexp(A(3, 4))", .reference = "np.frexp(input)",
    .results = "mantissa exponent") {
  return {frexp_mantissa(input), frexp_exponent(input).to(DType::int32)};
}

PHLOX_OPERATION(Tensor, logit_clamped, (const Tensor& input, OptionalDouble eps),
                .doc = "logit() of the elements after clamping them to [eps, 1 - eps].",
                .samples = "logit_clamped(A(3, 4), 0.1); logit_clamped(sigmoid(A(3, 4)), None)",
                .reference = "scipy.special.logit(input if eps is None else np.clip(input, eps, 1 - eps))",
                .integers = false, .in_place = true, .overload_of = "logit") {
  return eps ? logit(clamp(input, *eps, 1 - *eps)) : logit(input);
}

}  // namespace phlox
