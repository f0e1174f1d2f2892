// sin and cos of angles given in two parts, turned by an odd multiple of pi/4, for the oscillating Bessel and Airy
// functions.
#pragma once

#include "phlox/math/functions.h"

namespace phlox::math::elementwise {

struct Wave {
  double cosine, sine;
};

// At x + low - eighths pi/4, where `eighths` is odd.
inline Wave wave_of(double x, double low, int eighths) {
  using D = Scalar<double>;
  const ReducedAngle<D> first = reduce_angle(D(x));
  const ReducedAngle<D> second = reduce_angle(D(low));
  const Pair<D> sum = two_sum(first.angle, second.angle);
  // Towards the side of pi/4 that is nearer, so that nothing cancels in vain.
  int quarters =
      static_cast<int>(bits(first.quadrant + 0x1.8p52).value + bits(second.quadrant + 0x1.8p52).value);
  const bool down = sum.first.value >= 0;
  quarters -= (eighths + 1) / 2 - (down ? 1 : 0);
  const Pair<D> turned = two_sum(sum.first, D(down ? -0.78539816339744828 : 0.78539816339744828));
  const D rest = turned.second + (sum.second + first.angle_low + second.angle_low +
                                  (down ? -3.061616997868383e-17 : 3.061616997868383e-17));
  const Pair<D> angle = fast_two_sum(turned.first, rest);
  const double sine = sin_of_reduced(angle.first, angle.second).value;
  const Pair<D> parts = cos_of_reduced(angle.first, angle.second);
  const double cosine = (parts.first + parts.second).value;
  switch (quarters & 3) {
    case 0: return {cosine, sine};
    case 1: return {-sine, cosine};
    case 2: return {-cosine, -sine};
    default: return {sine, -cosine};
  }
}

}  // namespace phlox::math::elementwise
