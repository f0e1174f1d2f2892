// sin, cos, tan, asin, acos, atan, atan2; at most 2 ULP, for every finite argument.
//
// Method: x = n pi/2 + r. Below 1.6e6 pi/2 is subtracted in parts whose products with n are exact (Cody and
// Waite); above, x is multiplied with the bits of 2/pi that matter (Payne and Hanek 1983). f32 reduces in
// f64. Polynomials on
// [-pi/4, pi/4] and the rational functions of asin and acos are those of fdlibm (Sun Microsystems 1993) in
// f64; those of sin and cos in f32, and of atan, are Cephes' (Moshier 1989).
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/rounding.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// ---- Reduction

// The bits of 2 / pi after 64 zeros.
inline constexpr uint64_t kTwoOverPi[] = {0,
                                          0xa2f9836e4e441529,
                                          0xfc2757d1f534ddc0,
                                          0xdb6295993c439041,
                                          0xfe5163abdebbc561,
                                          0xb7246e3a424dd2e0,
                                          0x06492eea09d1921c,
                                          0xfe1deb1cb129a73e,
                                          0xe88235f52ebb4484,
                                          0xe99c7026b45f7e41,
                                          0x3991d639835339f4,
                                          0x9c845f8bbdf9283b,
                                          0x1ff897ffde05980f,
                                          0xef2f118b5a0a6d1f,
                                          0x6d367ecf27cb09b7,
                                          0x4f463f669e5fea2d,
                                          0x7527bac7ebe5f17b,
                                          0x3d0739f78a5292ea,
                                          0x6bfb5fb11f8d5d08,
                                          0x56033046fc7b6bab,
                                          0xf0cfbc209af4361d};

// x = quadrant * pi/2 + angle + angle_low, |angle| <= pi/4, the quadrant known modulo 4.
template <LoweredFloat D>
struct ReducedAngle {
  D angle, angle_low, quadrant;
};

// The upper 64 bits of a product, for a below 2^53.
template <LoweredInteger B>
PHLOX_INLINE B multiply_high(B a, B b) {
  const B half_mask = 0xffffffffu;
  const B a_high = a >> 32, a_low = a & half_mask, b_high = b >> 32, b_low = b & half_mask;
  const B middle_1 = a_high * b_low, middle_2 = a_low * b_high;
  const B carry = ((a_low * b_low) >> 32) + (middle_1 & half_mask) + (middle_2 & half_mask);
  return a_high * b_high + (middle_1 >> 32) + (middle_2 >> 32) + (carry >> 32);
}

// An integer below 2^32 as a double.
template <LoweredFloat D>
PHLOX_INLINE D double_of_u32(typename D::Bits b) {
  return D::from_bits(b | bits(D(0x1p52))) - 0x1p52;
}

// Payne and Hanek, for finite |x| >= 2^20. Only 192 bits of 2 / pi matter: those before give multiples of 2
// pi, those after less than 2^-137.
template <LoweredFloat D>
PHLOX_INLINE ReducedAngle<D> reduce_large_angle(D x) {
  using Bits = typename D::Bits;
  const Bits pattern = bits(abs(x));
  const Bits mantissa = (pattern & 0x000fffffffffffffu) | 0x0010000000000000u;
  const Bits position = (pattern >> 52) - 1013;  // of the first bit used: exponent - 1075 - 1 + 63
  const Bits word = position >> 6, shift = position & 63;
  const Bits w0 = lookup(kTwoOverPi, word), w1 = lookup(kTwoOverPi, word + 1),
             w2 = lookup(kTwoOverPi, word + 2), w3 = lookup(kTwoOverPi, word + 3);
  const Bits rest = 63 - shift;
  const Bits a = (w0 << shift) | ((w1 >> 1) >> rest);
  const Bits b = (w1 << shift) | ((w2 >> 1) >> rest);
  const Bits c = (w2 << shift) | ((w3 >> 1) >> rest);
  // mantissa * (a, b, c) modulo 2^192; the upper two bits are the quadrant.
  const Bits p0 = mantissa * c;
  const Bits c_high = multiply_high(mantissa, c);
  const Bits p1 = c_high + mantissa * b;
  const Bits carry = select(p1 < c_high, Bits(1), Bits(0));
  const Bits p2 = mantissa * a + multiply_high(mantissa, b) + carry;
  const Bits quadrant = ((p2 + 0x2000000000000000u) >> 62) & 3;
  // The fraction in two's complement, -1/2 <= fraction < 1/2, in pieces of 32 bits.
  const Bits f2 = (p2 << 2) | (p1 >> 62), f1 = (p1 << 2) | (p0 >> 62);
  const Bits low_word = 0xffffffffu;
  const D first = (double_of_u32<D>((f2 ^ 0x8000000000000000u) >> 32) - 0x1p31) * 0x1p-32;
  Pair<D> sum = two_sum(first, double_of_u32<D>(f2 & low_word) * 0x1p-64);
  D low = sum.second;
  sum = two_sum(sum.first, double_of_u32<D>(f1 >> 32) * 0x1p-96);
  low = low + sum.second;
  sum = two_sum(sum.first, double_of_u32<D>(f1 & low_word) * 0x1p-128);
  low = low + sum.second;
  const Pair<D> product = two_product(sum.first, D(1.5707963267948966));
  const D product_low = product.second + (sum.first * 6.123233995736766e-17 + low * 1.5707963267948966);
  const Pair<D> angle = fast_two_sum(product.first, product_low);
  const auto negative = x < 0.0;
  const D number = double_of_u32<D>(quadrant);
  return {select(negative, -angle.first, angle.first), select(negative, -angle.second, angle.second),
          select(negative, -number, number)};
}

// From here on the parts of pi/2 are not exact any more.
inline constexpr double kLargeAngle = 0x1p20;

template <LoweredFloat D>
PHLOX_INLINE ReducedAngle<D> reduce_angle(D x) {
  static_assert(!is_f32<D>, "f32 reduces in f64: in_double");
  const auto large = !(abs(x) < kLargeAngle);
  const D small = select(large, D(0.0), x);
  const D n = nearest_small(small * 0.636619772367581343).value;
  // pi/2 in three parts of 33 bits, and the rest.
  const D first = small - n * 1.5707963267341256;
  const Pair<D> second = two_sum(first, n * -6.077100506303966e-11);
  const Pair<D> third = two_sum(second.first, n * -2.0222662487111665e-21);
  const D low = (second.second + third.second) - n * 8.4784276603689e-32;
  const Pair<D> angle = fast_two_sum(third.first, low);
  ReducedAngle<D> result = {angle.first, angle.second, n};
  if (any(large)) {
    const auto use = large & (abs(x) < kInfinity);
    const ReducedAngle<D> far = reduce_large_angle(select(use, x, D(kLargeAngle)));
    result.angle = select(use, far.angle, select(large, x - x, result.angle));  // NaN for infinities
    result.angle_low = select(use, far.angle_low, result.angle_low);
    result.quadrant = select(use, far.quadrant, result.quadrant);
  }
  return result;
}

// As much as f32 needs: first = angle, second = quadrant.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> reduce_angle_of_float(D x) {
  const auto large = !(abs(x) < kLargeAngle);
  const D n = nearest_small(x * 0.636619772367581343).value;
  D angle = (x - n * 1.5707963267341256) - n * 6.077100506506192e-11;
  D quadrant = n;
  if (any(large)) {
    const auto use = large & (abs(x) < kInfinity);
    const ReducedAngle<D> far = reduce_large_angle(select(use, x, D(kLargeAngle)));
    angle = select(use, far.angle, select(large, x - x, angle));  // NaN for infinities
    quadrant = select(large, far.quadrant, quadrant);
  }
  return {angle, quadrant};
}

// ---- On [-pi/4, pi/4]

template <LoweredFloat D>
PHLOX_INLINE D sin_of_reduced(D x, D low) {
  const D z = x * x;
  if constexpr (is_f32<D>) {
    return x + (x * z) * polynomial(z, -1.9515295891E-4, 8.3321608736E-3, -1.6666654611E-1);
  } else {
    const D tail =
        polynomial(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06,
                   -1.98412698298579493134e-04, 8.33333333332248946124e-03);
    const D cube = z * x;
    return x - ((z * (0.5 * low - cube * tail) - low) - cube * -1.66666666666666324348e-01);
  }
}

// cos as a large part 1 - z/2 (first) and the rest (second).
template <LoweredFloat D>
PHLOX_INLINE Pair<D> cos_of_reduced(D x, D low) {
  const D z = x * x, half = 0.5 * z;
  const D main = 1.0 - half;
  if constexpr (is_f32<D>) {
    const D tail = polynomial(z, 2.443315711809948E-5, -1.388731625493765E-3, 4.166664568298827E-2);
    return {main, ((1.0 - main) - half) + z * z * tail};
  } else {
    const D tail =
        polynomial(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07,
                   2.48015872894767294178e-05, -1.38888888888741095749e-03, 4.16666666666666019037e-02);
    return {main, ((1.0 - main) - half) + (z * (z * tail) - x * low)};
  }
}

// sin(x + quarter_turns * pi/2)
template <LoweredFloat D>
PHLOX_INLINE D sin_of_quarter(D x, int quarter_turns) {
  using Bits = typename D::Bits;
  D angle, low = 0.0, quadrant;
  if constexpr (is_f32<D>) {
    const auto reduced =
        in_double([](auto v) __attribute__((always_inline)) { return reduce_angle_of_float(v); }, x);
    angle = reduced.first;
    quadrant = reduced.second;
  } else {
    const auto reduced = reduce_angle(x);
    angle = reduced.angle;
    low = reduced.angle_low;
    quadrant = reduced.quadrant;
  }
  const Bits turns = bits(quadrant + Format<D>::round_shift) + quarter_turns;
  const D sine = sin_of_reduced(angle, low);
  const Pair<D> cosine = cos_of_reduced(angle, low);
  const auto odd = mask_of<D>((turns & 1) != Bits(0));
  const D magnitude = select(odd, cosine.first + cosine.second, sine);
  return D::from_bits(bits(magnitude) ^ ((turns >> 1) << (Format<D>::mantissa_bits == 23 ? 31 : 63)));
}

template <LoweredFloat D>
PHLOX_INLINE D sin(D x) {
  return select(x == 0.0, x, sin_of_quarter(x, 0));  // keeps -0
}

template <LoweredFloat D>
PHLOX_INLINE D cos(D x) {
  return sin_of_quarter(x, 1);
}

// tan in f64 with the digits that f32 needs.
template <LoweredFloat D>
PHLOX_INLINE D tan_for_f32(D x) {
  using Bits = typename D::Bits;
  const Pair<D> reduced = reduce_angle_of_float(x);
  const D angle = reduced.first, z = angle * angle;
  const D p = polynomial(z, 0.001075158916752322506, -0.1113615010834194694, 1.000000000022113802);
  const D q = polynomial(z, 0.01597341653829833205, -0.4446948327532218521, 1.000000000000000000);
  const D top = angle * p;
  const auto odd = mask_of<D>((bits(reduced.second + Format<D>::round_shift) & 1) != Bits(0));
  return select(odd, -q, top) / select(odd, top, q);
}

template <LoweredFloat D>
PHLOX_INLINE D tan(D x) {
  if constexpr (is_f32<D>) {
    const D result = in_double([](auto v) __attribute__((always_inline)) { return tan_for_f32(v); }, x);
    return select(x == 0.0, x, result);  // keeps -0
  } else {
    using Bits = typename D::Bits;
    const auto reduced = reduce_angle(x);
    const Pair<D> cosine_parts = cos_of_reduced(reduced.angle, reduced.angle_low);
    const Pair<D> cosine = fast_two_sum(cosine_parts.first, cosine_parts.second);
    const D z = reduced.angle * reduced.angle;
    const D tail =
        polynomial(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06,
                   -1.98412698298579493134e-04, 8.33333333332248946124e-03);
    const D cube = z * reduced.angle;
    const D rest = (reduced.angle_low - z * (0.5 * reduced.angle_low - cube * tail)) +
                   cube * -1.66666666666666324348e-01;
    const Pair<D> sine = fast_two_sum(reduced.angle, rest);
    const auto odd = mask_of<D>((bits(reduced.quadrant + Format<D>::round_shift) & 1) != Bits(0));
    const D top = select(odd, -cosine.first, sine.first), top_low = select(odd, -cosine.second, sine.second);
    const D bottom = select(odd, sine.first, cosine.first),
            bottom_low = select(odd, sine.second, cosine.second);
    const D quotient = top / bottom;
    const Pair<D> product = two_product(quotient, bottom);
    const D error = ((top - product.first) - product.second) + (top_low - quotient * bottom_low);
    return select(abs(x) < 0x1p-27, x, quotient + error / bottom);
  }
}

// ---- Inverse functions

// (asin(sqrt(z)) - sqrt(z)) / sqrt(z) for z <= 1/4
template <LoweredFloat D>
PHLOX_INLINE D asin_ratio(D z) {
  const D top =
      z * polynomial(z, 3.47933107596021167570e-05, 7.91534994289814532176e-04, -4.00555345006794114027e-02,
                     2.01212532134862925881e-01, -3.25565818622400915405e-01, 1.66666666666666657415e-01);
  const D bottom = polynomial(z, 7.70381505559019352791e-02, -6.88283971605453293030e-01,
                              2.02094576023350569471e+00, -2.40339491173441421878e+00, 1.0);
  return top / bottom;
}

template <LoweredFloat D>
PHLOX_INLINE D asin(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return asin(v); }, x);
  } else {
    const D a = abs(x);
    const auto small = a < 0.5;
    const D z = select(small, a * a, (1.0 - a) * 0.5);
    const D ratio = asin_ratio(z);
    const D root = sqrt(z);
    // pi/2 - 2 asin(root), with root in two parts.
    const D root_high = upper_half(root);
    const D root_low = (z - root_high * root_high) / (root + root_high);
    const D near_one = 0.7853981633974483 - ((2.0 * root * ratio - (6.123233995736766e-17 - 2.0 * root_low)) -
                                             (0.7853981633974483 - 2.0 * root_high));
    const D result = select(small, a + a * ratio, select(a == 1.0, D(1.5707963267948966), near_one));
    return copysign(select(a > 1.0, D(kNaN), result), x);
  }
}

template <LoweredFloat D>
PHLOX_INLINE D acos(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return acos(v); }, x);
  } else {
    const D a = abs(x);
    const auto small = a < 0.5;
    const D z = select(small, a * a, (1.0 - a) * 0.5);
    const D ratio = asin_ratio(z);
    const D root = sqrt(z);
    const D root_high = upper_half(root);
    const D root_low = select(root == 0.0, D(0.0), (z - root_high * root_high) / (root + root_high));
    const D center = 1.5707963267948966 - (x - (6.123233995736766e-17 - x * ratio));
    const D positive = 2.0 * (root_high + (ratio * root + root_low));
    const D negative = 3.141592653589793 - 2.0 * (root + (ratio * root - 6.123233995736766e-17));
    const D result = select(small, center, select(x < 0.0, negative, positive));
    return select(a > 1.0, D(kNaN), result);
  }
}

// atan(y / x) for x, y >= 0, the quotient never formed where it would lose digits.
template <LoweredFloat D>
PHLOX_INLINE D atan_of_quotient(D y, D x) {
  static_assert(!is_f32<D>, "f32 computes in f64: in_double");
  const auto steep = y > 2.414213562373095 * x, middle = y > 0.66 * x;
  const D top = select(steep, -x, select(middle, y - x, y));
  const D bottom = select(steep, y, select(middle, y + x, x));
  const D t = top / bottom;
  const D z = t * t;
  const D p = polynomial(z, -8.750608600031904122785E-1, -1.615753718733365076637E1,
                         -7.500855792314704667340E1, -1.228866684490136173410E2, -6.485021904942025371773E1);
  const D q = polynomial(z, 1.0, 2.485846490142306297962E1, 1.650270098316988542046E2,
                         4.328810604912902668951E2, 4.853903996359136964868E2, 1.945506571482613964425E2);
  const D series = t * (z * p / q);
  const D base = select(steep, D(1.5707963267948966), select(middle, D(0.7853981633974483), D(0.0)));
  const D base_low =
      select(steep, D(6.123233995736766e-17), select(middle, D(3.061616997868383e-17), D(0.0)));
  return base + (t + (series + base_low));
}

template <LoweredFloat D>
PHLOX_INLINE D atan(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return atan(v); }, x);
  } else {
    const D a = abs(x);
    const D result = select(a == kInfinity, D(1.5707963267948966), atan_of_quotient(a, D(1.0)));
    return copysign(select(a < 0x1p-27, a, result), x);
  }
}

// The angle of the point (x, y), from -pi to pi, with all special cases of C99.
template <class A, class B, LoweredFloat D = Common<A, B>>
PHLOX_INLINE D atan2(A ordinate, B abscissa) {
  const D y = ordinate, x = abscissa;
  if constexpr (is_f32<D>) {
    return in_double([](auto a, auto b) __attribute__((always_inline)) { return atan2(a, b); }, y, x);
  } else {
    const D a = abs(y), b = abs(x);
    // Infinities as finite points of the same angle, and nothing that overflows or loses digits below.
    const auto both = isinf(a) & isinf(b);
    const D scale =
        select(max(a, b) > 0x1p1000, D(0x1p-200), select(max(a, b) < 0x1p-800, D(0x1p200), D(1.0)));
    const D top = select(both, D(1.0), select(isinf(b), D(0.0), a * scale));
    const D bottom = select(both, D(1.0), select(isinf(a), D(0.0), b * scale));
    const auto zero = top == 0.0;
    const D quotient = select(zero, D(0.0), atan_of_quotient(top, select(zero, D(1.0), bottom)));
    const D result = select(signbit(x), 3.141592653589793 - (quotient - 1.2246467991473532e-16), quotient);
    return select(isnan(x) | isnan(y), x + y,
                  copysign(select(isinf(a) & !isinf(b), D(1.5707963267948966), result), y));
  }
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
