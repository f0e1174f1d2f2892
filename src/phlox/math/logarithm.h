// log, log2, log10, log1p and log1pexp (softplus); at most 2 ULP.
//
// Method: x = 2^k m with m in [sqrt(1/2), sqrt(2)), log x = k ln 2 + log m. In f64 log m comes from
// s = (m - 1) / (m + 1) and an odd series in s, arranged as in fdlibm's e_log.c and e_log2.c (Sun
// Microsystems 1993, coefficients published there); in f32 from a polynomial in m - 1 (Cephes, Moshier 1989).
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/exponential.h"
#include "phlox/math/rounding.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for positive finite x.
template <LoweredFloat D>
struct LogarithmParts {
  D k, f;
};

template <LoweredFloat D>
PHLOX_INLINE LogarithmParts<D> logarithm_parts(D x) {
  using Bits = typename D::Bits;
  using F = Format<D>;
  const auto tiny = x < F::smallest_normal;
  const D normal = select(tiny, x * (is_f32<D> ? 0x1p23 : 0x1p54), x);
  const Bits sqrt_half = is_f32<D> ? 0x3f3504f3u : 0x3fe6a09e667f3bcdu;
  // The exponent of normal / sqrt(1/2), offset so that it is positive before the logical shift.
  const Bits offset_bits = Bits(bits(D(1.0))) - sqrt_half;
  const Bits exponent = ((bits(normal) + offset_bits) >> F::mantissa_bits) - F::exponent_bias;
  const D f = D::from_bits(bits(normal) - (exponent << F::mantissa_bits)) - 1.0;
  const D k = small_to_float<D>(exponent) - select(tiny, D(is_f32<D> ? 23.0 : 54.0), D(0.0));
  return {k, f};
}

// log(1 + f) - f + f^2 / 2 in f32.
template <LoweredFloat D>
PHLOX_INLINE D log_tail_f32(D f) {
  return polynomial(f, 7.0376836292E-2, -1.1514610310E-1, 1.1676998740E-1, -1.2420140846E-1, 1.4249322787E-1,
                    -1.6668057665E-1, 2.0000714765E-1, -2.4999993993E-1, 3.3333331174E-1) *
         (f * (f * f));
}

// s (f^2/2 + R) with s = f / (2 + f), so that log(1 + f) = f - (f^2/2 - that), in f64.
template <LoweredFloat D>
PHLOX_INLINE D log_tail_f64(D f) {
  const D s = f / (2.0 + f), z = s * s, w = z * z;
  const D even =
      w * polynomial(w, 1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01);
  const D odd = z * polynomial(w, 1.479819860511658591e-01, 1.818357216161805012e-01,
                               2.857142874366239149e-01, 6.666666666666735130e-01);
  return s * (f * f * 0.5 + (even + odd));
}

// k ln 2 + log(1 + f) + correction, for a correction far below the sum.
template <LoweredFloat D>
PHLOX_INLINE D log_of_parts(D k, D f, D correction) {
  const D half_square = f * f * 0.5;
  if constexpr (is_f32<D>) {
    const D low = (log_tail_f32(f) + (k * -2.12194440054690583e-4 + correction)) - half_square;
    return k * 0.693359375 + (f + low);
  } else {
    const D low = log_tail_f64(f) + (k * 1.90821492927058770002e-10 + correction);
    return k * 6.93147180369123816490e-01 - ((half_square - low) - f);
  }
}

// What a logarithm is where x is not positive and finite.
template <LoweredFloat D>
PHLOX_INLINE D log_edges(D x, D result) {
  result = select(x == 0.0, D(-kInfinity), result);
  result = select(x < 0.0, D(kNaN), result);
  return select((x == kInfinity) | (x != x), x, result);
}

template <LoweredFloat D>
PHLOX_INLINE D log(D x) {
  const auto parts = logarithm_parts(x);
  return log_edges(x, log_of_parts(parts.k, parts.f, D(0.0)));
}

// (k ln 2 + log(1 + f)) / ln(base), by 1 / ln(base) and log(base, 2) in two parts each.
template <LoweredFloat D>
PHLOX_INLINE D log_in_base(D x, double inverse_high, double inverse_low, double log2_high, double log2_low) {
  const auto parts = logarithm_parts(x);
  const D f = parts.f, k = parts.k;
  const D half_square = f * f * 0.5;
  const D high = upper_half(f - half_square);
  const D tail = is_f32<D> ? log_tail_f32(f) : log_tail_f64(f);
  const D low = ((f - high) - half_square) + tail;
  const D main = high * inverse_high;
  const Pair<D> sum = fast_two_sum(k * log2_high, main);
  const D rest = k * log2_low + ((low + high) * inverse_low + low * inverse_high);
  return log_edges(x, sum.first + (rest + sum.second));
}

template <LoweredFloat D>
PHLOX_INLINE D log2(D x) {
  if constexpr (is_f32<D>) {
    return log_in_base(x, 1.44287109375, -0.00017605285393074155, 1.0, 0.0);
  } else {
    return log_in_base(x, 1.4426950514316559, -1.0542692476429138e-08, 1.0, 0.0);
  }
}

template <LoweredFloat D>
PHLOX_INLINE D log10(D x) {
  if constexpr (is_f32<D>) {
    return log_in_base(x, 0.434326171875, -3.168997136526741e-05, 0.30103302001953125,
                       -3.024355464731343e-06);
  } else {
    return log_in_base(x, 0.4342944845557213, -2.6524694553078553e-09, 0.30102999566395283,
                       2.8363394551044964e-14);
  }
}

// log(1 + x + low)
template <LoweredFloat D>
PHLOX_INLINE D log1p_extended(D x, D low) {
  const D u = 1.0 + x;
  // What u lost, relative to u: log(u + lost) = log u + lost / u.
  const D lost = select(x > 1.0, 1.0 - (u - x), x - (u - 1.0)) + low;
  const auto parts = logarithm_parts(u);
  D result = log_of_parts(parts.k, parts.f, lost / u);
  result = log_edges(u, result);
  return select((abs(x) < (is_f32<D> ? 0x1p-25 : 0x1p-54)) | (u == kInfinity), x, result);
}

template <LoweredFloat D>
PHLOX_INLINE D log1p(D x) {
  return log1p_extended(x, D(0.0));
}

// log(x / (1 - x)), from the nearer end, whose digits are all there; NaN outside of [0, 1].
template <LoweredFloat D>
PHLOX_INLINE D logit(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return logit(v); }, x);
  } else {
    const D near = select(x < 0.5, x, 1.0 - x);
    const auto small = near < 0.25;
    // near / (1 - near) = u + lost, which is close to 1 where near is not small.
    const D from_one = (2.0 * near - 1.0) / (1.0 - near);
    const D u = select(small, near / (1.0 - near), 1.0 + from_one);
    const D lost = select(small, D(0.0), from_one - (u - 1.0));
    const auto parts = logarithm_parts(u);
    const D result = log_edges(u, log_of_parts(parts.k, parts.f, lost / u));
    return select(x < 0.5, result, 0.0 - result);
  }
}

// log(1 + e^x) without overflow: softplus.
template <LoweredFloat D>
PHLOX_INLINE D log1pexp(D x) {
  return max(x, D(0.0)) + log1p(exp(-abs(x)));
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
