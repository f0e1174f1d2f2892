// sinh, cosh, tanh, asinh, acosh, atanh; at most 2 ULP.
//
// Method: near 0 a polynomial or rational function in x^2 (tools/fit_polynomial.py), else exp, and for the
// inverse functions log1p.
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/exponential.h"
#include "phlox/math/logarithm.h"
#include "phlox/math/rounding.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

template <LoweredFloat D>
PHLOX_INLINE D cosh(D x) {
  const D half = exp_scaled(abs(x), D(0.0), -1);
  return half + 0.25 / half;
}

template <LoweredFloat D>
PHLOX_INLINE D sinh(D x) {
  const D a = abs(x), z = x * x;
  const D half = exp_scaled(a, D(0.0), -1);
  D series;
  if constexpr (is_f32<D>) {
    series =
        polynomial(z, 2.755731922398589e-6, 1.984126984126984e-4, 8.333333333333333e-3, 0.1666666666666667);
  } else {
    series = polynomial(z, 2.8114572543455206e-15, 7.647163731819816e-13, 1.6059043836821613e-10,
                        2.505210838544172e-8, 2.7557319223985893e-6, 1.984126984126984e-4,
                        8.333333333333333e-3, 0.16666666666666666);
  }
  return select(a < 1.0, x + x * (z * series), copysign(half - 0.25 / half, x));
}

template <LoweredFloat D>
PHLOX_INLINE D tanh(D x) {
  const D a = abs(x), z = x * x;
  const auto small = a < 0.625;
  if constexpr (is_f32<D>) {
    const D series = polynomial(z, -5.70498872745E-3, 2.06390887954E-2, -5.37397155531E-2, 1.33314422036E-1,
                                -3.33332819422E-1);
    const D far = 1.0 - 2.0 / (exp(a + a) + 1.0);
    return copysign(select(small, a + (a * z) * series, far), x);
  } else {
    // One division serves both: a + a z P / Q and 1 - 2 / (e^2a + 1).
    const D p = polynomial(z, -1.746897449301761365e-8, -0.0002438196012976521555, -0.02142071609014918115,
                           -0.3333333333333333333);
    const D q = polynomial(z, 0.0002548879211912650461, 0.02453155620731018239, 0.4642621482704475407, 1.0);
    const D quotient = select(small, (a * z) * p, D(-2.0)) / select(small, q, exp(a + a) + 1.0);
    return copysign(select(small, a, D(1.0)) + quotient, x);
  }
}

template <LoweredFloat D>
PHLOX_INLINE D asinh(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return asinh(v); }, x);
  } else {
    const D a = abs(x);
    const auto large = a > 0x1p28;
    const D b = select(large, D(1.0), a);
    const D square = b * b;
    const D u = select(large, a - 1.0, b + square / (1.0 + sqrt(1.0 + square)));
    const D result = log1p(u) + select(large, D(0.693147180559945309), D(0.0));
    return copysign(select(a < 0x1p-28, a, result), x);
  }
}

template <LoweredFloat D>
PHLOX_INLINE D acosh(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return acosh(v); }, x);
  } else {
    const auto large = x > 0x1p28;
    const D t = x - 1.0;
    const D s = select(large, D(0.0), t);
    // sqrt(s (s + 2)) in two parts: near 1 it is nearly all of the result.
    const Pair<D> square = two_product(s, s + 2.0);
    const D root = sqrt(square.first);
    const Pair<D> back = two_product(root, root);
    const D root_low = ((square.first - back.first) - back.second + square.second) /
                       select(root == 0.0, D(1.0), root + root);
    const Pair<D> u = fast_two_sum(select(s > root, s, root), select(s > root, root, s));
    const D result = log1p_extended(select(large, t, u.first), select(large, D(0.0), u.second + root_low)) +
                     select(large, D(0.693147180559945309), D(0.0));
    return select(x < 1.0, D(kNaN), result);
  }
}

template <LoweredFloat D>
PHLOX_INLINE D atanh(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return atanh(v); }, x);
  } else {
    const D a = abs(x), twice = a + a;
    const D u = select(a < 0.5, twice + twice * a / (1.0 - a), twice / (1.0 - a));
    const D result = select(a > 1.0, D(kNaN), 0.5 * log1p(u));
    return copysign(select(a < 0x1p-28, a, result), x);
  }
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
