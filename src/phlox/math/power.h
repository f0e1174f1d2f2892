// sqrt, rsqrt, cbrt, hypot, pow. sqrt is correctly rounded, the others at most 2 ULP.
//
// pow takes the logarithm with about 65 digits and has all special cases of C99; integer powers that can be
// represented come out exact. cbrt: a polynomial and Halley's iteration, arranged as in fdlibm's s_cbrt.c.
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/exponential.h"
#include "phlox/math/logarithm.h"
#include "phlox/math/rounding.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// sqrt(x) is an operation of the domain.

template <LoweredFloat D>
PHLOX_INLINE D rsqrt(D x) {
  return 1.0 / sqrt(x);
}

template <LoweredFloat D>
PHLOX_INLINE D cbrt(D x) {
  using Bits = typename D::Bits;
  const auto parts = logarithm_parts(abs(x));
  const auto third = nearest_small(parts.k * 0.333333333333333333);
  const D rest = parts.k - 3.0 * third.value;  // -1, 0 or 1
  const D m = (1.0 + parts.f) * select(rest < 0.0, D(0.5), select(rest > 0.0, D(2.0), D(1.0)));
  D y = polynomial(m, -0.01957942271127842279, 0.1535160953350374672, -0.4743227806474619864,
                   0.8987796982865673171, 0.4434477415151484006);
  if constexpr (!is_f32<D>) {
    const D cube = y * y * y;
    y = y * (cube + 2.0 * m) / (2.0 * cube + m);
  }
  y = upper_half(y);  // so that its square is exact
  const D quotient = m / (y * y);
  y = y + y * ((quotient - y) / (2.0 * y + quotient));
  const D result = y * power_of_two<D>(Bits(third.integer));
  return select((x == 0.0) | !isfinite(x), x, copysign(result, x));
}

// sqrt(x^2 + y^2) without overflow; infinite if either is, even with NaN.
template <class A, class B, LoweredFloat D = Common<A, B>>
PHLOX_INLINE D hypot(A first, B second) {
  const D x = first, y = second;
  const D a = abs(x), b = abs(y);
  D result;
  if constexpr (is_f32<D>) {
    result =
        in_double([](auto v, auto w) __attribute__((always_inline)) { return sqrt(v * v + w * w); }, x, y);
  } else {
    const D largest = max(a, b);
    const auto huge = largest > 0x1p500, tiny = largest < 0x1p-500;
    const D scale = select(huge, D(0x1p-600), select(tiny, D(0x1p600), D(1.0)));
    const D back = select(huge, D(0x1p600), select(tiny, D(0x1p-600), D(1.0)));
    const D v = a * scale, w = b * scale;
    result = sqrt(v * v + w * w) * back;
  }
  return select((a == kInfinity) | (b == kInfinity), D(kInfinity), result);
}

// log(x) with about 65 digits, for positive finite x.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> log_extended(D x) {
  const auto parts = logarithm_parts(x);
  const D f = parts.f;
  // s = f / (2 + f); log(1 + f) = 2 s (1 + z T), z = s^2, T = 1/3 + z/5 + z^2/7 + ...
  const Pair<D> bottom = fast_two_sum(D(2.0), f);
  const D s = f / bottom.first;
  const Pair<D> back = two_product(s, bottom.first);
  const D s_low = (((f - back.first) - back.second) - s * bottom.second) / bottom.first;
  Pair<D> z = two_product(s, s);
  z.second = z.second + 2.0 * s * s_low;
  const D series = polynomial(z.first, 0.05861920376766944679, 0.05853085633145756663, 0.06667403600106003271,
                              0.07692297457389265914, 0.09090909167929089088, 0.1111111111082686641,
                              0.1428571428571468498, 0.1999999999999999991);
  const Pair<D> t = fast_two_sum(D(0.333333333333333315), z.first * series + 1.850371707708594235e-17);
  Pair<D> zt = two_product(z.first, t.first);
  zt.second = zt.second + (z.first * t.second + z.second * t.first);
  const D twice = s + s;
  Pair<D> product = two_product(twice, zt.first);
  product.second = product.second + (twice * zt.second + 2.0 * s_low * zt.first);
  const Pair<D> log_m = fast_two_sum(twice, product.first);
  const D log_m_low = log_m.second + (product.second + 2.0 * s_low);
  const Pair<D> sum = fast_two_sum(parts.k * 6.93147180369123816490e-01, log_m.first);
  return fast_two_sum(sum.first, sum.second + (log_m_low + parts.k * 1.90821492927058770002e-10));
}

// x^y in f64 with the digits that f32 needs, for positive x that are normal in f64.
template <LoweredFloat D>
PHLOX_INLINE D pow_for_f32(D x, D y) {
  using Bits = typename D::Bits;
  const Bits offset = 0x3ff0000000000000u - 0x3fe6a09e667f3bcdu;
  const Bits exponent = ((bits(x) + offset) >> 52) - 1023;
  const D m = D::from_bits(bits(x) - (exponent << 52));
  const D s = (m - 1.0) / (m + 1.0), z = s * s;
  const D series = polynomial(z, 0.2829086468850140948, 0.3199051347874168473, 0.4122092652538878852,
                              0.5770779422462296737, 0.9617966941137179948, 2.885390081777849810);
  const D logarithm = small_to_float<D>(exponent) + s * series;
  const D product = clamp_exponent(y * logarithm, -400.0, 400.0);
  const auto n = nearest_small(product);
  const D r = product - n.value;
  const D p = polynomial(r, 0.00001520193132512416571, 0.0001546929142207861188, 0.001333392253041370142,
                         0.009618027252274422573, 0.05550410353470753412, 0.2402265119818159610,
                         0.6931471807284488040, 0.9999999999616707509);
  return p * power_of_two<D>(n.integer);
}

// x^y for x > 0, finite, not 1.
template <LoweredFloat D>
PHLOX_INLINE D pow_of_positive(D x, D y) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v, auto w) __attribute__((always_inline)) { return pow_for_f32(v, w); }, x, y);
  } else {
    // Beyond 2^64 every power of x != 1 overflows or vanishes.
    const D exponent = select(abs(y) > 0x1p64, copysign(D(0x1p64), y), y);
    const Pair<D> logarithm = log_extended(x);
    const Pair<D> product = two_product(logarithm.first, exponent);
    const auto saturated = abs(product.first) > 800.0;
    const D low = select(saturated, D(0.0), product.second + logarithm.second * exponent);
    return exp_scaled(product.first, low, 0);
  }
}

template <class A, class B, LoweredFloat D = Common<A, B>>
PHLOX_INLINE D pow(A base, B power) {
  const D x = base, y = power;
  const D a = abs(x);
  const auto whole = floor(y) == y;
  const auto odd = whole & (floor(y * 0.5) != y * 0.5);
  D result = pow_of_positive(a, y);
  result = select(a == 0.0, select(y > 0.0, D(0.0), D(kInfinity)), result);
  result = select(a == kInfinity, select(y > 0.0, D(kInfinity), D(0.0)), result);
  result = select(signbit(x) & odd, -result, result);
  result = select((x < 0.0) & !whole & (a < kInfinity), D(kNaN), result);
  result = select(isnan(x) | isnan(y), x + y, result);
  result = select((a == 1.0) & isinf(y), D(1.0), result);
  return select((x == 1.0) | (y == 0.0), D(1.0), result);
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
