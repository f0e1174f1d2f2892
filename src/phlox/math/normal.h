// erfcx, and the inverse and logarithm of the normal distribution function; at most 2 ULP, ndtri at most 4.
//
// erfcx(x) = e^(x^2) erfc(x) = W(t) / (1 + 2x) with t = (x - 4) / (x + 4), as erfc in special.h, and
// 2 e^(x^2) - erfcx(-x) below 0. Coefficients: tools/fit_special_functions.py.
#pragma once

#include "phlox/math/special.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

template <LoweredFloat D>
PHLOX_INLINE D erfcx(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return erfcx(v); }, x);
  } else {
    const D magnitude = abs(x);
    const D a = select(magnitude > 1e9, D(1e9), magnitude);
    const D t = (a - 4.0) / (a + 4.0);
    const D p = polynomial(t, 4.038006517338295216e-11, -1.373782662477863891e-10, -5.285852440566369532e-10,
                           1.789818149978002588e-9, 3.925114682733553020e-9, -1.470822407144523807e-8,
                           -2.182619909949437736e-8, 1.100954144944259526e-7, 7.883715429445705351e-8,
                           -8.249180186854392667e-7, 2.909764188405816236e-7, 5.709204938941586834e-6,
                           -0.00001122078812000568232, -0.00002439894409615636217, 0.0001506213191772417857,
                           -0.0001992567758805105029, -0.0007577732221828974712, 0.005031969992688716538,
                           -0.01619773406556906298, 0.03716751553592744932, -0.06633036581168149013,
                           0.09373283499843833023, -0.1010390660363235626, 0.06809705425469039100,
                           0.01537965210262001548, -0.1396211168405624964);
    const Pair<D> numerator = fast_two_sum(D(1.232995118625552509), t * p);
    const Pair<D> bottom = two_sum(D(1.0), a + a);
    const D quotient = numerator.first / bottom.first;
    const Pair<D> back = two_product(quotient, bottom.first);
    const D error =
        ((numerator.first - back.first) - back.second) + (numerator.second - quotient * bottom.second);
    const D middle = quotient + error / bottom.first;
    // The square in two parts; beyond 27 the result overflows.
    const D b = select(a > 27.0, D(27.0), a);
    const Pair<D> square = two_product(b, b);
    const D twice = exponential_of_parts(exponential_parts(square.first, square.second), 1);
    const D near =
        0.5 * twice * (1.0 - erf_of_small(select(a < 0.5, a, D(0.0))));  // t loses digits that count here
    const D positive =
        select(a < 0.5, near, select(magnitude > 1e9, 0.56418958354775628695 / magnitude, middle));
    return select(x < 0.0, twice - positive, positive);
  }
}

// ndtr(ndtri(x)) = x; infinite at 0 and 1, NaN outside.
template <LoweredFloat D>
PHLOX_INLINE D ndtri(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return ndtri(v); }, x);
  } else {
    // sqrt(2) erfinv(2 x - 1), from the nearer end, whose digits are all there.
    const auto upper = x > 0.5;
    const D near = select(upper, 1.0 - x, x);
    const D w = -log(4.0 * near * (1.0 - near)), root = sqrt(w);
    const D v = root - 6.0;
    const D p = polynomial(v, -7.271312911907149917e-15, -4.074176494229147428e-11, -9.338204763787683435e-9,
                           -4.472375467394256839e-7, 2.893164245291855908e-6, 0.0004936933998002784540,
                           0.009108525899640214890, 0.06162594835683889928, 0.1400868560537555263);
    const D q = polynomial(v, -1.227129997240679263e-11, -3.947946227433181137e-9, -2.839875457756423772e-7,
                           -2.952380281680505568e-6, 0.0002497948516667532256, 0.008118698455359218072,
                           0.09650925605507544699, 0.5084779005172531254, 1.000000000000000000);
    const D far = sqrt(2.0 * w) - 1.41421356237309504880 * (p / q);
    const D center = (1.0 - 2.0 * near) * erfinv_ratio(w, root) * 1.41421356237309504880;
    const D size = select(root < 6.0, center, far);
    const D result = select(near == 0.0, D(kInfinity), size);
    return select(near < 0.0, D(kNaN), select(upper, result, -result));
  }
}

// log(ndtr(x)) without underflow.
template <LoweredFloat D>
PHLOX_INLINE D log_ndtr(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return log_ndtr(v); }, x);
  } else {
    const auto low = x < -1.0;
    const D far = select(low, x, D(-1.0));
    const D tail = log(0.5 * erfcx(far * -0.70710678118654752440)) - 0.5 * far * far;
    const D half = ndtr(select(low, D(0.0), -abs(x)));
    const D rest = select(x < 0.0, log(half), log1p(-half));
    return select(x == -kInfinity, x, select(low, tail, rest));
  }
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
