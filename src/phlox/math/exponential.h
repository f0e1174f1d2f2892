// exp, exp2, expm1 and sigmoid; at most 2 ULP.
//
// Method: x = n ln 2 + r with |r| <= ln(2) / 2 (Cody and Waite 1980), e^r = 1 + r + r^2 P(r), e^x = 2^n e^r.
// What r and the sum 1 + r lose to rounding is carried along. Coefficients: tools/fit_polynomial.py.
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/rounding.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// e^x = 2^n (1 + main + rest), rest much smaller than main or 1.
template <LoweredFloat D>
struct ExponentialParts {
  D main, rest;
  typename D::Bits n;
};

// e^r - 1 - r for |r| <= 0.3469.
template <LoweredFloat D>
PHLOX_INLINE D exponential_tail(D r) {
  if constexpr (is_f32<D>) {
    return (r * r) * polynomial(r, 0.0001991413014226857645, 0.001394072646061440492, 0.008333273214107438788,
                                0.04166635974820395, 0.1666666681578098495, 0.5000000044410855701);
  } else {
    return (r * r) * polynomial(r, 2.092435092361140548e-9, 2.510893814221445384e-8, 2.755724314942147457e-7,
                                2.755724455598256465e-6, 0.00002480158735995464857, 0.0001984126988570548382,
                                0.001388888888886725062, 0.008333333333321835839, 0.04166666666666670017,
                                0.1666666666666667625, 0.4999999999999999999);
  }
}

// For |x| below 2^15 (f32: 2^13); `low` is added to x.
template <LoweredFloat D>
PHLOX_INLINE ExponentialParts<D> exponential_parts(D x, D low) {
  const auto n = nearest_small(x * 1.442695040888963407);
  // ln 2 in two parts, the first with enough trailing zeros for an exact product.
  const D main = x - n.value * (is_f32<D> ? 0.693359375 : 6.93147180369123816490e-01);
  const D correction = low - n.value * (is_f32<D> ? -2.12194440054690583e-4 : 1.90821492927058770002e-10);
  return {main, correction + exponential_tail(main + correction), n.integer};
}

// (1 + main + rest) 2^(n + shift)
template <LoweredFloat D>
PHLOX_INLINE D exponential_of_parts(ExponentialParts<D> parts, int shift) {
  const Pair<D> sum = fast_two_sum(D(1.0), parts.main);
  return scale_by_power_of_two(sum.first + (sum.second + parts.rest), parts.n + shift);
}

template <LoweredFloat D>
PHLOX_INLINE D clamp_exponent(D x, double low, double high) {
  return select(x > high, D(high), select(x < low, D(low), x));  // NaN stays
}

// e^(x + low) 2^shift, for |shift| <= 2.
template <LoweredFloat D>
PHLOX_INLINE D exp_scaled(D x, D low, int shift) {
  const D y = is_f32<D> ? clamp_exponent(x, -106.0, 91.0) : clamp_exponent(x, -748.0, 712.0);
  return exponential_of_parts(exponential_parts(y, low), shift);
}

template <LoweredFloat D>
PHLOX_INLINE D exp(D x) {
  return exp_scaled(x, D(0.0), 0);
}

template <LoweredFloat D>
PHLOX_INLINE D exp2(D x) {
  const D y = is_f32<D> ? clamp_exponent(x, -152.0, 129.0) : clamp_exponent(x, -1077.0, 1025.0);
  const auto n = nearest_small(y);
  const D f = y - n.value;  // exact
  // f ln 2 in two parts.
  const Pair<D> product = two_product(f, D(0.693147180559945309));
  const D low = product.second + f * (is_f32<D> ? -1.904654299957767878e-9 : 2.319046813846299558e-17);
  return exponential_of_parts<D>({product.first, low + exponential_tail(product.first), n.integer}, 0);
}

template <LoweredFloat D>
PHLOX_INLINE D expm1(D x) {
  const D y = is_f32<D> ? clamp_exponent(x, -20.0, 89.0) : clamp_exponent(x, -40.0, 710.0);
  const auto parts = exponential_parts(y, D(0.0));
  const D half_scale = power_of_two<D>(parts.n - 1);  // 2^n itself may overflow
  const Pair<D> sum = two_sum(half_scale - 0.5, half_scale * parts.main);
  const D result = (sum.first + (sum.second + half_scale * parts.rest)) * 2.0;
  return select(abs(x) < (is_f32<D> ? 0x1p-25 : 0x1p-54), x, result);
}

// e^y, rounded a little less carefully than exp(): for y from -106 to 0 (f64: -748).
template <LoweredFloat D>
PHLOX_INLINE D exp_of_negative(D y) {
  if constexpr (is_f32<D>) {
    const auto n = nearest_small(y * 1.442695040888963407);
    const D r = (y - n.value * 0.693359375) + n.value * 2.12194440054690583e-4;
    const D tail = (r * r) * polynomial(r, 0.001381447556909008706, 0.008368776302469598411,
                                        0.0416683938118233142, 0.1666652014172890477, 0.4999999341478797317);
    return scale_by_power_of_two(1.0 + (r + tail), n);
  } else {
    return exponential_of_parts(exponential_parts(y, D(0.0)), 0);
  }
}

// 1 / (1 + e^-x), from q = e^-|x| / (1 + e^-|x|), which is at most 1/2: 1 - q, or e^-|x| (1 - q) for negative x. What
// rounding does to q weighs little in both.
template <LoweredFloat D>
PHLOX_INLINE D sigmoid(D x) {
  const D e = exp_of_negative(extreme<true>(-abs(x), D(is_f32<D> ? -106.0 : -748.0)));
  const D other = e / (1.0 + e), top = select(x < 0.0, e, D(1.0));
  return top - top * other;
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
