// What integers need beyond their operators.
#pragma once

#include "phlox/math/domain.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// Shifts by any count: at or beyond the width the bits are gone (to the right the sign remains).
template <LoweredInteger D>
PHLOX_INLINE D shift_left(D x, D count) {
  using E = typename D::Element;
  constexpr E width = static_cast<E>(sizeof(E) * 8);
  const auto fits = (count >= D(E(0))) & (count < D(width));
  return select(fits, x << select(fits, count, D(E(0))), D(E(0)));
}
template <LoweredInteger D>
PHLOX_INLINE D shift_right(D x, D count) {
  using E = typename D::Element;
  constexpr E last = static_cast<E>(sizeof(E) * 8 - 1);
  const auto fits = (count >= D(E(0))) & (count <= D(last));
  const D beyond = select(x < D(E(0)), D(static_cast<E>(~E(0))), D(E(0)));
  return select(fits, x >> select(fits, count, D(E(0))), beyond);
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

}  // namespace PHLOX_ISA
}  // namespace phlox::math
