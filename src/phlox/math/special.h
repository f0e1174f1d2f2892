// erf, erfc, erfinv, ndtr, lgamma, digamma, trigamma. erf, erfc and ndtr at most 2 ULP; the others at most 4 away from
// their zeros other than those at 0, 1 and 2, and near these an absolute error of a few rounding units.
//
// Coefficients: tools/fit_polynomial.py. erfc(x) = e^(-x^2) W(t) / (1 + 2x) with t = (x - 4) / (x + 4), which
// makes W nearly constant on all of x >= 0 (after Schonfelder 1978). erfinv is x times a function of -log(1 -
// x^2) (after Giles 2012).
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/exponential.h"
#include "phlox/math/logarithm.h"
#include "phlox/math/power.h"
#include "phlox/math/rounding.h"
#include "phlox/math/trigonometric.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

// erf(x) for 0 <= x <= 1.
template <LoweredFloat D>
PHLOX_INLINE D erf_of_small(D x) {
  static_assert(!is_f32<D>);
  const D z = x * x;
  const D series = polynomial(z, -4.222894090238811869e-12, 8.703794250610696860e-11,
                              -1.216304501303420989e-9, 1.479214660987226575e-8, -1.636461455475286017e-7,
                              1.646204342082623780e-6, -0.00001492564746595648529, 0.0001205533289939388259,
                              -0.0008548327021854213736, 0.005223977625422103999, -0.02686617064512973542,
                              0.1128379167095511975, -0.3761263890318375237);
  return x + x * (0.128379167095512574 + z * series);
}

// erfc(x + low) for x >= 0.
template <LoweredFloat D>
PHLOX_INLINE D erfc_of_positive(D x, D low) {
  static_assert(!is_f32<D>, "f32 computes in f64: in_double");
  const D a = select(x > 27.5, D(27.5), x);
  // W = 1.23... + t P(t) as N, 1 + 2x as B, e^(-x^2) as E, each in two parts.
  const D t = (a - 4.0) / (a + 4.0);
  const D p = polynomial(t, 2.717865788180098460e-10, 2.045094967583050755e-9, 1.692980755139047878e-9,
                         -1.643895958215104061e-8, -1.901511491643814386e-8, 1.130705567773904999e-7,
                         7.685831426426213756e-8, -8.276177377048080734e-7, 2.918030179973521373e-7,
                         5.710713910704553627e-6, -0.00001122098610592217438, -0.00002439949315183570381,
                         0.0001506213399988384526, -0.0001992566440957072977, -0.0007577732207198525782,
                         0.005031969972160991067, -0.01619773406625142312, 0.03716751553790578798,
                         -0.06633036581160586779, 0.09373283499833099161, -0.1010390660363270472,
                         0.06809705425469311264, 0.01537965210262007188, -0.1396211168405625170);
  const Pair<D> numerator = fast_two_sum(D(1.232995118625552509), t * p);
  const Pair<D> bottom = two_sum(D(1.0), a + a);
  const Pair<D> square = two_product(a, a);
  const auto parts =
      exponential_parts(-square.first, -(square.second + (a + a) * select(x > 27.5, D(0.0), low)));
  const Pair<D> sum = fast_two_sum(D(1.0), parts.main);
  const Pair<D> e = fast_two_sum(sum.first, sum.second + parts.rest);
  // E N / B with the remainder of the division.
  const Pair<D> top = two_product(e.first, numerator.first);
  const D quotient = top.first / bottom.first;
  const Pair<D> back = two_product(quotient, bottom.first);
  const D error =
      ((top.first - back.first) - back.second) +
      (top.second + (e.first * numerator.second + e.second * numerator.first) - quotient * bottom.second);
  return scale_by_power_of_two(quotient + error / bottom.first, parts.n);
}

// e^(-square) (main + rest) / (a + offset) in f32: what erfc and the normal distribution have in common far
// out.
template <LoweredFloat D>
PHLOX_INLINE D normal_tail_f32(Pair<D> square, D a, double offset, double main, D rest) {
  const double main_low = main - static_cast<double>(static_cast<float>(main));
  // Every factor in two parts; those of the quotient with so few digits that products are exact.
  const Pair<D> w = fast_two_sum(D(main), rest + main_low);
  const D w_high = upper_half(w.first), w_low = (w.first - w_high) + w.second;
  const Pair<D> bottom = two_sum(a, D(offset));
  const D bottom_high = upper_half(bottom.first), bottom_low = (bottom.first - bottom_high) + bottom.second;
  const D inverse = upper_half(1.0 / bottom.first);
  const D error = (1.0 - inverse * bottom_high) - inverse * bottom_low;
  const D inverse_low = inverse * (error + error * error);
  const D quotient = inverse * w_high;
  const D quotient_low = inverse * w_low + inverse_low * w.first;
  const auto parts = exponential_parts(-square.first, -square.second);
  const Pair<D> sum = fast_two_sum(D(1.0), parts.main);
  const D low = (sum.second + parts.rest) * (quotient + quotient_low) + sum.first * quotient_low;
  return scale_by_power_of_two(sum.first * quotient + low, parts.n);
}

// erfc(x) for x >= 0, in f32.
template <LoweredFloat D>
PHLOX_INLINE D erfc_of_positive_f32(D x) {
  const D a = select(x > 10.2, D(10.2), x);
  const Pair<D> square = two_product(a, a);
  const D near = polynomial(square.first, 0.004698883188441124890, -0.02674861928873783648,
                            0.1128270508531100563, -0.3761260352594180198, 1.128379165241384949);
  const D t = (a - 2.5) / (a + 2.5);
  const D p = polynomial(t, 0.0002684808512265977180, 0.0002052561050634704421, -0.002175285565155648659,
                         0.0004795753874839608667, 0.01637805007849262160, -0.05148541760546290431,
                         0.07881512082260918884, -0.04951217772590970090, -0.06117838501317543064);
  const D far = normal_tail_f32(square, a, 0.5, 0.6324190914707830118, t * p);
  return select(a < 0.4, 1.0 - a * near, far);
}

template <LoweredFloat D>
PHLOX_INLINE D erfc(D x) {
  const D a = abs(x);
  D positive;
  if constexpr (is_f32<D>) {
    positive = erfc_of_positive_f32(a);
  } else {
    positive = select(a < 0.5, 1.0 - erf_of_small(a), erfc_of_positive(a, D(0.0)));
  }
  return select(x < 0.0, 2.0 - positive, positive);
}

template <LoweredFloat D>
PHLOX_INLINE D erf(D x) {
  const D a = abs(x);
  if constexpr (is_f32<D>) {
    const D z = x * x;
    D r = multiply_add(D(-1.72853470e-5), a, D(3.83197126e-4));
    r = multiply_add(r, z, multiply_add(D(-3.88396438e-3), a, D(2.42546219e-2)));
    r = multiply_add(r, a, D(-1.06777877e-1));
    r = multiply_add(r, a, D(-6.34846687e-1));
    r = multiply_add(r, a, D(-1.28717512e-1));
    r = multiply_add(r, a, -a);
    const D far = select(a > 4.0, D(1.0), 1.0 - exp(r));
    const D p = polynomial(z, -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1,
                           1.28379166e-1);
    return select(isnan(x), x, copysign(select(a > 0.927734375, far, a + a * p), x));
  } else {
    return copysign(select(a < 1.0, erf_of_small(a), 1.0 - erfc_of_positive(a, D(0.0))), x);
  }
}

// The distribution function of the standard normal distribution.
template <LoweredFloat D>
PHLOX_INLINE D ndtr(D x) {
  const D magnitude = abs(x);
  D positive;
  if constexpr (is_f32<D>) {
    const D a = select(magnitude > 14.5, D(14.5), magnitude);
    Pair<D> square = two_product(a, a);
    const D near = polynomial(square.first, 0.0001040425016621791225, -0.001182324055973911416,
                              0.009972649597040911101, -0.06649032211739328259, 0.3989422798057706758);
    square = {0.5 * square.first, 0.5 * square.second};
    const D t = (a - 3.5) / (a + 3.5);
    const D p = polynomial(t, 0.0001917270142505546500, 0.00009125997104788333037, -0.001525274847180566435,
                           0.0006730258714592778814, 0.01083524531359975439, -0.03584095252227492427,
                           0.05610155877220020810, -0.03607528456878647351, -0.04290062204537445790);
    const D far = normal_tail_f32(square, a, 0.707106769084930419921875, 0.4474054154554912465, t * p);
    positive = select(a < 0.6, 0.5 - a * near, far);
  } else {
    // erfc(-x / sqrt(2)) / 2, with the digits that the product loses.
    const Pair<D> product = two_product(magnitude, D(0.70710678118654757));
    const D b = product.first, low = product.second + magnitude * -4.833646656726457e-17;
    positive = 0.5 * select(b < 0.5, 1.0 - erf_of_small(b), erfc_of_positive(b, low));
  }
  return select(x > 0.0, 1.0 - positive, positive);
}

// erfinv(x) / x as a function of w = -log(1 - x^2) <= 37 and its root.
template <LoweredFloat D>
PHLOX_INLINE D erfinv_ratio(D w, D root) {
  const D center = polynomial(w - 3.125, -2.828857172575224081e-23, -3.411543638482786030e-22,
                              4.916856752828049881e-21, 1.892696340574185164e-20, -3.935049124877122002e-19,
                              6.348566937451502527e-19, 1.622599477194311723e-17, -1.225597025892656792e-16,
                              -4.649015273073594650e-17, 6.525105628094559377e-15, -3.997311523968380311e-14,
                              -8.074256340613773756e-14, 2.630316615712941523e-12, -1.297870931672948249e-11,
                              -5.414240008661295759e-11, 1.051223116399475998e-9, -4.112661680646770661e-9,
                              -2.907039082719238111e-8, 4.234788183317623060e-7, -1.365469176333872549e-6,
                              -0.00001388252339498269910, 0.0001867342080200507391, -0.0007407025341543205528,
                              -0.006033670871426900173, 0.2401581824255883124, 1.653654562683102714);
  const D middle = polynomial(
      root - 3.25, 7.646137745594912084e-9, -1.528358182685764812e-8, -2.082011847994085527e-8,
      1.315284747276230639e-7, -2.456092075785529462e-7, -2.755188961298979728e-8, 1.481669899679898879e-6,
      -3.985745993915144525e-6, 2.932550225607545682e-6, 0.00001246504282184749479,
      -0.00004732067384859850205, 0.00006828711417793405487, 0.00002403151186783291460,
      -0.0003550378133696218522, 0.0009532893416628739066, -0.001688275535477946435, 0.002491442097953440345,
      -0.003751208508223809119, 0.005370914553555090091, 1.005258967694165374, 3.083885610492220676);
  const D tail = polynomial(root - 5.0, 5.091747705561389823e-12, -2.051006477837838010e-11,
                            1.851918813005564432e-11, 7.010237711082964697e-11, -3.884178900756648171e-10,
                            1.315006659219763415e-9, -3.525735361897477396e-9, 7.822405740630808241e-9,
                            -1.521914766303255187e-8, 2.901809579671219819e-8, -6.757058008364593734e-8,
                            2.290530043737210580e-7, -9.930259925615719718e-7, 4.526052490128911150e-6,
                            -0.00001968177113386950067, 0.00007599527810031682191, -0.0002150301198026945167,
                            -0.0001387193183802824066, 1.010300464864544920, 4.849906401408584343);
  return select(w < 6.25, center, select(root < 4.0, middle, tail));
}

// erf(erfinv(x)) = x; infinite at +-1, NaN beyond.
template <LoweredFloat D>
PHLOX_INLINE D erfinv(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return erfinv(v); }, x);
  } else {
    const D a = abs(x);
    const D w = -log((1.0 - a) * (1.0 + a));
    return copysign(select(a == 1.0, D(kInfinity), a * erfinv_ratio(w, sqrt(w))), x);
  }
}

// ---- The gamma function

// lgamma(1 + y) for 0 <= y <= 3/2, with its zeros at 0 and 1 as factors.
template <LoweredFloat D>
PHLOX_INLINE D lgamma_near(D y) {
  const D p = polynomial(y, -0.00009425073160534826573, -0.003766642598303623398, -0.04026784929108341910,
                         -0.1642695621544209479, -0.2615140219806384461, -0.06060067541788049580,
                         0.2115100300780052875, 0.1397156649015328603);
  const D q = polynomial(y, 0.0002201236506267556492, 0.01051486795619266605, 0.1473497595613798885,
                         0.8891442555347632575, 2.674567521847706866, 4.192414687250393200,
                         3.269221092155244907, 1.000000000000000000);
  return y * (y - 1.0) * (0.4375 + p / q);
}

// lgamma(a) for a > 0.
template <LoweredFloat D>
PHLOX_INLINE D lgamma_of_positive(D a) {
  const auto below_one = a < 1.0, large = a >= 2.5;
  const Pair<D> logarithm = log_extended(a);
  // lgamma(a) = lgamma(1 + a) - log a below 1.
  const D near = lgamma_near(select(large, D(0.0), select(below_one, a, a - 1.0)));
  // Stirling's formula, with a function of 1 / a^2.
  const D inverse = 1.0 / a, z = select(large, inverse * inverse, D(0.0));
  const D u = polynomial(z, 0.09321313495118647585, 1.909655785243525981, 5.361491005719589627,
                         4.232229079709608454, 1.106263560545061212, 0.08333333333333333174);
  const D v = polynomial(z, 1.568815928626495690, 24.71053333832221248, 65.92564873156658950,
                         51.22084168233563516, 13.30849605987402584, 1.000000000000000000);
  const D far =
      (a - 0.5) * ((logarithm.first - 1.0) + logarithm.second) + (0.41893853320467274 + inverse * (u / v));
  const D result = select(large, far, select(below_one, near - logarithm.first, near));
  return select(a == kInfinity, a, result + 0.0);  // lgamma(1) = +0
}

// sin(pi r) and cos(pi r) for |r| <= 1/2.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> sin_cos_pi(D r) {
  const D a = abs(r);
  const auto steep = a > 0.25;
  const D b = select(steep, 0.5 - a, a);
  const Pair<D> angle = two_product(b, D(3.141592653589793));
  const D low = angle.second + b * 1.2246467991473532e-16;
  const D sine = sin_of_reduced(angle.first, low);
  const Pair<D> parts = cos_of_reduced(angle.first, low);
  const D cosine = parts.first + parts.second;
  return {copysign(select(steep, cosine, sine), r), select(steep, sine, cosine)};
}

// sin(pi x) and cos(pi x), with the digits of x; NaN at infinity.
template <LoweredFloat D>
PHLOX_INLINE D sinpi(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return sinpi(v); }, x);
  } else {
    const D whole = round(x);
    const D sine = sin_cos_pi(x - whole).first;
    const auto odd = round(0.5 * whole) * 2.0 != whole;
    return select(x == 0.0, x, select(odd, -sine, sine));
  }
}
template <LoweredFloat D>
PHLOX_INLINE D cospi(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return cospi(v); }, x);
  } else {
    const D whole = round(x);
    const D cosine = sin_cos_pi(x - whole).second;
    const auto odd = round(0.5 * whole) * 2.0 != whole;
    return select(odd, -cosine, cosine);
  }
}

// log |gamma(x)|; infinite at 0, -1, -2, ...
template <LoweredFloat D>
PHLOX_INLINE D lgamma(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return lgamma(v); }, x);
  } else {
    const D a = abs(x);
    const D positive = lgamma_of_positive(a);
    // gamma(x) gamma(-x) = -pi / (x sin(pi x))
    const D sine = abs(sin_cos_pi(a - round(a)).first);
    const D reflected = (1.1447298858494002 - log(a * sine)) - positive;
    const D negative = select(sine == 0.0, D(kInfinity), select(a < 0x1p-54, positive, reflected));
    return select(x < 0.0, select(a == kInfinity, a, negative), select(x == 0.0, D(kInfinity), positive));
  }
}

// The derivative of lgamma. -+infinity at +-0, NaN at -1, -2, ...
template <LoweredFloat D>
PHLOX_INLINE D digamma(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return digamma(v); }, x);
  } else {
    const auto reflect = x < 0.0;
    const D a = select(reflect, 1.0 - x, x);
    const auto below_one = a < 1.0, large = a >= 2.0;
    const D inverse = 1.0 / a, z = inverse * inverse;
    // digamma(1 + y) for 0 <= y <= 1; digamma(a) = digamma(1 + a) - 1 / a.
    const D y = select(large, D(0.5), select(below_one, a, a - 1.0));
    const D p =
        polynomial(y, 1.120313628924484960e-6, 0.0005912138334771197340, 0.02017934977193134441,
                   0.2176806961839614580, 0.9743375801968877250, 1.870002268947140650, 1.250380137503405359);
    const D q =
        polynomial(y, 0.0001227192051635200123, 0.006176518223316049369, 0.09182470489461573473,
                   0.5736312083347926023, 1.666954124565971598, 2.179093819411784579, 1.000000000000000000);
    // The zero at 1.4616..., in two parts.
    const D distance = (y - 0.46163214496836236) - (-1.5522348162858677e-17);
    const D small = distance * (p / q);
    const D near = select(below_one, small - inverse, small);
    // Far out a function of 1 / a^2 is left after log a - 1 / 2a.
    const D w = select(large, z, D(0.0));
    const D u =
        polynomial(w, 0.2889310897496173470, 7.125542827165599741, 24.51620674407185125, 25.92193029997890996,
                   10.44995782531828166, 1.648330015256385479, 0.08333333333333332954);
    const D v =
        polynomial(w, 7.475243085247934576, 107.0754899933162879, 321.3238156358410862, 322.9004859096793108,
                   127.3398708745522638, 19.87996018307651408, 1.000000000000000000);
    const D far = log(a) - (0.5 * inverse + z * (u / v));
    const D positive = select(large, far, near);
    const D r = x - round(x);
    const Pair<D> turn = sin_cos_pi(r);
    const D reflected = positive - 3.141592653589793 * turn.second / turn.first;
    const D negative = select((r == 0.0) | isinf(x), D(kNaN), reflected);
    return select(x == 0.0, copysign(D(kInfinity), -x), select(reflect, negative, positive));
  }
}

// The second derivative of lgamma; infinite at 0, -1, -2, ...
template <LoweredFloat D>
PHLOX_INLINE D trigamma(D x) {
  if constexpr (is_f32<D>) {
    return in_double([](auto v) __attribute__((always_inline)) { return trigamma(v); }, x);
  } else {
    const auto reflect = x < 0.0;
    const D a = select(reflect, 1.0 - x, x);
    // trigamma(a) = 1 / a + 1 / 2a^2 + z / a R(z), z = 1 / a^2, for a >= 1; trigamma(a) = trigamma(1 + a) + 1
    // / a^2.
    const auto below_one = a < 1.0;
    const D shifted = select(below_one, a + 1.0, a);
    const D inverse = 1.0 / shifted, z = inverse * inverse;
    const D p =
        polynomial(z, 0.2928970531727012082, 23.23079325120862786, 252.4260107209742814, 888.4936456563090485,
                   1329.619854312635769, 955.2467277991475171, 346.4479635550904061, 63.21965971153708663,
                   5.391827744630840179, 0.1666666666666666621);
    const D q =
        polynomial(z, 8.726634114525661025, 279.4674312943795040, 2189.323463074951621, 6546.473354230923727,
                   8956.782300785080186, 6112.713056500026669, 2151.374702141094093, 385.6852944199589682,
                   32.55096646778496164, 1.000000000000000000);
    const D far = inverse + z * (0.5 + inverse * (p / q));
    const D positive = select(below_one, far + 1.0 / (a * a), far);
    // trigamma(x) + trigamma(1 - x) = (pi / sin(pi x))^2
    const D r = x - round(x);
    const D sine = sin_cos_pi(r).first;
    const D reflected = 9.869604401089358 / (sine * sine) - positive;
    const D negative = select(r == 0.0, D(kInfinity), select(isinf(x), D(kNaN), reflected));
    return select(reflect, negative, positive);
  }
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
