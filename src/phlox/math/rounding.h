// Signs, order and whole numbers: abs, copysign, sign, min, max, clamp, isnan, isinf, isfinite, signbit,
// floor, ceil, trunc, round, frac, fmod, remainder, floor_divide, nextafter. All exact.
//
// min and max give NaN when an argument is NaN. round takes ties to even, as NumPy and PyTorch do. remainder
// and floor_divide follow Python: the remainder has the sign of the divisor.
#pragma once

#include "phlox/math/domain.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

template <Lowered D>
PHLOX_INLINE D abs(D x) {
  if constexpr (LoweredFloat<D>) {
    return D::from_bits(bits(x) & Format<D>::magnitude_mask);
  } else if constexpr (std::is_signed_v<typename D::Element>) {
    return select(x < 0, -x, x);
  } else {
    return x;
  }
}

// The magnitude of `magnitude` with the sign of `sign`, zeros and NaN included.
template <class A, class B, LoweredFloat D = Common<A, B>>
PHLOX_INLINE D copysign(A magnitude, B sign) {
  return D::from_bits((bits(D(magnitude)) & Format<D>::magnitude_mask) |
                      (bits(D(sign)) & Format<D>::sign_mask));
}

// Whether the sign bit is set: also for -0.
template <Lowered D>
PHLOX_INLINE typename D::Mask signbit(D x) {
  if constexpr (LoweredFloat<D>) {
    using Bits = typename D::Bits;
    return mask_of<D>((bits(x) & Format<D>::sign_mask) != Bits(0));
  } else {
    return x < 0;
  }
}

template <Lowered D>
PHLOX_INLINE typename D::Mask isnan(D x) {
  return x != x;
}

template <Lowered D>
PHLOX_INLINE typename D::Mask isinf(D x) {
  if constexpr (LoweredFloat<D>) {
    return abs(x) == kInfinity;
  } else {
    return x != x;
  }
}

template <Lowered D>
PHLOX_INLINE typename D::Mask isfinite(D x) {
  if constexpr (LoweredFloat<D>) {
    return abs(x) < kInfinity;
  } else {
    return x == x;
  }
}

template <class A, class B, Lowered D = Common<A, B>>
PHLOX_INLINE D max(A x, B y) {
  const D a = x, b = y;
  return select((a < b) | (b != b), b, a);
}

template <class A, class B, Lowered D = Common<A, B>>
PHLOX_INLINE D min(A x, B y) {
  const D a = x, b = y;
  return select((b < a) | (b != b), b, a);
}

// b where it is above a (or below), else a, also where one is NaN: one instruction, which GCC does not find for AVX-512.
template <bool above, Lowered D>
PHLOX_INLINE D extreme(D a, D b) {
  if constexpr (requires { extreme_by_machine<above>(a, b); }) return extreme_by_machine<above>(a, b);
  else return select(above ? a < b : b < a, b, a);
}

// -1, 0 or 1; NaN for NaN, and zeros keep their sign.
template <Lowered D>
PHLOX_INLINE D sign(D x) {
  if constexpr (std::is_unsigned_v<typename D::Element>) {
    return select(x > 0, D(1), D(0));
  } else {
    return select(x > 0, D(1), select(x < 0, D(-1), x));
  }
}

// ---- Whole numbers

// To the nearest integer, ties to even.
template <Lowered D>
PHLOX_INLINE D round(D x) {
  if constexpr (LoweredFloat<D>) {
    const D spacing = Format<D>::integer_spacing;
    const D magnitude = abs(x);
    return select(magnitude < spacing, copysign((magnitude + spacing) - spacing, x), x);
  } else {
    return x;
  }
}

template <Lowered D>
PHLOX_INLINE D floor(D x) {
  if constexpr (LoweredFloat<D>) {
    const D nearest = round(x);
    return select(nearest > x, nearest - 1.0, nearest);
  } else {
    return x;
  }
}

template <Lowered D>
PHLOX_INLINE D ceil(D x) {
  if constexpr (LoweredFloat<D>) {
    return -floor(-x);
  } else {
    return x;
  }
}

template <Lowered D>
PHLOX_INLINE D trunc(D x) {
  if constexpr (LoweredFloat<D>) {
    return copysign(floor(abs(x)), x);
  } else {
    return x;
  }
}

// x - trunc(x), with the sign of x; 0 for infinities.
template <Lowered D>
PHLOX_INLINE D frac(D x) {
  if constexpr (LoweredFloat<D>) {
    return copysign(select(isinf(x), D(0.0), x - trunc(x)), x);
  } else {
    return D(0);
  }
}

// ---- Division with remainder

// x - trunc(x / y) * y without rounding, with the sign of x: C's fmod, and % of integers.
template <class A, class B, Lowered D = Common<A, B>>
PHLOX_INLINE D fmod(A dividend, B divisor) {
  const D x = dividend, y = divisor;
  if constexpr (LoweredFloat<D>) {
    // Where the quotient and all parts fit, the remainder is a difference without rounding.
    constexpr bool single = is_f32<D>;
    const D a = abs(x), b = abs(y);
    const D quotient = floor(a / b);
    const auto easy = (quotient < (single ? 0x1p22 : 0x1p50)) & (a < (single ? 0x1p100 : 0x1p900)) &
                      (b > (single ? 0x1p-60 : 0x1p-700)) & (b < (single ? 0x1p100 : 0x1p900));
    const Pair<D> product = two_product(select(easy, quotient, D(0.0)), b);
    D rest = (a - product.first) - product.second;
    rest = select(rest < 0.0, rest + b, rest);
    rest = select(rest >= b, rest - b, rest);
    rest = copysign(rest, x);
    if (any(!easy)) rest = select(easy, rest, fmod_exact(x, y));
    return rest;
  } else {
    return x % y;
  }
}

// x - floor(x / y) * y, with the sign of y: Python's %.
template <class A, class B, Lowered D = Common<A, B>>
PHLOX_INLINE D remainder(A dividend, B divisor) {
  const D x = dividend, y = divisor;
  const D rest = fmod(x, y);
  if constexpr (LoweredFloat<D>) {
    const D moved = select(signbit(rest) ^ signbit(y), rest + y, rest);
    return select(rest == 0.0, copysign(rest, y), moved);
  } else if constexpr (std::is_signed_v<typename D::Element>) {
    return select((rest != 0) & ((rest < 0) ^ (y < 0)), rest + y, rest);
  } else {
    return rest;
  }
}

// floor(x / y), exactly: the quotient that goes with remainder(). Where one is infinite, the limit, as in the Array API
// standard: inf // 1 is inf, -1 // inf is -0. Integers: 0 for y == 0.
template <class A, class B, Lowered D = Common<A, B>>
PHLOX_INLINE D floor_divide(A dividend, B divisor) {
  const D x = dividend, y = divisor;
  if constexpr (LoweredFloat<D>) {
    const D rest = fmod(x, y);
    const auto below = (rest != 0.0) & (signbit(rest) ^ signbit(y));
    const D quotient = (x - rest) / y;
    const D whole = round(select(below, quotient - 1.0, quotient));
    const D result = select(whole == 0.0, copysign(D(0.0), x / y), whole);
    return select((y == 0.0) | isinf(x) | isinf(y), x / y, result);
  } else {
    const D quotient = x / y, rest = x % y;
    if constexpr (std::is_signed_v<typename D::Element>) {
      return select((rest != 0) & ((rest < 0) ^ (y < 0)), quotient - 1, quotient);
    } else {
      return quotient;
    }
  }
}

// x = mantissa 2^exponent with 1/2 <= |mantissa| < 1; zeros, infinities and NaN are their own mantissa, exponent 0.
template <LoweredFloat D>
PHLOX_INLINE D frexp_mantissa(D x) {
  using Bits = typename D::Bits;
  using F = Format<D>;
  const D scaled = select(abs(x) < F::smallest_normal, x * (is_f32<D> ? 0x1p24 : 0x1p54), x);
  const Bits fraction = bits(scaled) & ((Bits(1) << F::mantissa_bits) - 1);
  const D mantissa = D::from_bits((bits(scaled) & F::sign_mask) | bits(D(0.5)) | fraction);
  return select((x == 0.0) | !isfinite(x), x, mantissa);
}
template <LoweredFloat D>
PHLOX_INLINE D frexp_exponent(D x) {
  using F = Format<D>;
  const auto tiny = abs(x) < F::smallest_normal;
  const D scaled = abs(select(tiny, x * (is_f32<D> ? 0x1p24 : 0x1p54), x));
  const D exponent = small_to_float<D>((bits(scaled) >> F::mantissa_bits) - (F::exponent_bias - 1));
  const D result = exponent - select(tiny, D(is_f32<D> ? 24.0 : 54.0), D(0.0));
  return select((x == 0.0) | !isfinite(x), D(0.0), result);
}

// The neighbour of x in the direction of y.
template <class A, class B, LoweredFloat D = Common<A, B>>
PHLOX_INLINE D nextafter(A from, B to) {
  using Bits = typename D::Bits;
  const D x = from, y = to;
  const auto away = mask_of<Bits>(!((x < y) ^ (x > 0.0)));
  const Bits pattern = bits(x);
  const D moved = D::from_bits(select(away, pattern + 1, pattern - 1));
  const D from_zero = copysign(D::from_bits(Bits(1)), y);
  return select(x == y, y, select(isnan(x) | isnan(y), x + y, select(x == 0.0, from_zero, moved)));
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
