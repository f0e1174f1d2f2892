// What integers need beyond their operators.
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/elementwise.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// Shifts by any count: at or beyond the width the bits are gone (to the right the sign remains).
template <LoweredInteger D>
PHLOX_INLINE D shift_left(D x, D count) {
  return x << count;
}
template <LoweredInteger D>
PHLOX_INLINE D shift_right(D x, D count) {
  return x >> count;
}

// By squaring. A negative exponent gives 0, except that powers of 1 and -1 are exact.
template <LoweredInteger D>
PHLOX_INLINE D pow(D x, D exponent) {
  using E = typename D::Element;
  const D zero = E(0), one = E(1);
  D result = one, power = x, rest = select(exponent < zero, zero, exponent);
  for (unsigned bit = 0; bit < sizeof(E) * 8; ++bit) {
    result = select((rest & one) != zero, result * power, result);
    power = power * power;
    rest = rest >> 1;
  }
  const D inverse = select(x == one, one, zero);
  if constexpr (std::is_signed_v<E>) {
    const D minus_one = E(-1);
    const D sign = select((exponent & one) != zero, minus_one, one);
    return select(exponent < zero, select(x == minus_one, sign, inverse), result);
  } else {
    return result;
  }
}

// The greatest common divisor, not negative; gcd(x, 0) == |x|.
template <LoweredInteger D>
PHLOX_INLINE D gcd(D x, D y) {
  using E = typename D::Element;
  using U = typename IntegerOfSize<sizeof(E)>::Unsigned;
  return by_element(
      [](E s, E t) {
        U a = s < 0 ? static_cast<U>(U(0) - static_cast<U>(s)) : static_cast<U>(s);
        U b = t < 0 ? static_cast<U>(U(0) - static_cast<U>(t)) : static_cast<U>(t);
        while (b != 0) {
          const U rest = static_cast<U>(a % b);
          a = b;
          b = rest;
        }
        return static_cast<E>(a);
      },
      x, y);
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
