// Dual numbers over expressions: running a body on them gives the derivative, as an expression. The derivative of
// each scalar function stands here and nowhere else; x is the argument, y the value.
#pragma once

#include "phlox/math/expression.h"

namespace phlox::math {

struct Dual {
  Expression value;
  Expression tangent;
  constexpr Dual(double constant) : value(constant), tangent(0.0) {}
  constexpr Dual(Expression v, Expression t) : value(v), tangent(t) {}
};

namespace detail {
// Builds the forward value exactly as the plain body does.
template <class Build>
constexpr Expression exactly(Expression a, Expression b, Build build) {
  ExpressionArena* arena = arena_of(a, b);
  if (!arena) return build();
  bool saved = arena->simplify;
  arena->simplify = false;
  Expression result = build();
  arena->simplify = saved;
  return result;
}
}  // namespace detail

constexpr Dual operator-(Dual a) { return {-a.value, -a.tangent}; }
constexpr Dual operator+(Dual a, Dual b) {
  return {detail::exactly(a.value, b.value, [&] { return a.value + b.value; }), a.tangent + b.tangent};
}
constexpr Dual operator-(Dual a, Dual b) {
  return {detail::exactly(a.value, b.value, [&] { return a.value - b.value; }), a.tangent - b.tangent};
}
constexpr Dual operator*(Dual a, Dual b) {
  return {detail::exactly(a.value, b.value, [&] { return a.value * b.value; }),
          a.tangent * b.value + a.value * b.tangent};
}
constexpr Dual operator/(Dual a, Dual b) {
  Expression quotient = detail::exactly(a.value, b.value, [&] { return a.value / b.value; });
  return {quotient, (a.tangent - quotient * b.tangent) / b.value};
}

struct DualMask {
  ExpressionMask mask;
};
#define PHLOX_DUAL_COMPARISON(op) \
  constexpr DualMask operator op(Dual a, Dual b) { return {a.value op b.value}; }
PHLOX_DUAL_COMPARISON(<)
PHLOX_DUAL_COMPARISON(<=)
PHLOX_DUAL_COMPARISON(>)
PHLOX_DUAL_COMPARISON(>=)
PHLOX_DUAL_COMPARISON(==)
PHLOX_DUAL_COMPARISON(!=)
#undef PHLOX_DUAL_COMPARISON
constexpr DualMask operator&(DualMask a, DualMask b) { return {a.mask & b.mask}; }
constexpr DualMask operator|(DualMask a, DualMask b) { return {a.mask | b.mask}; }
constexpr DualMask operator^(DualMask a, DualMask b) { return {a.mask ^ b.mask}; }
constexpr DualMask operator!(DualMask a) { return {!a.mask}; }
constexpr DualMask isnan(Dual a) { return {isnan(a.value)}; }
constexpr DualMask isinf(Dual a) { return {isinf(a.value)}; }
constexpr DualMask isfinite(Dual a) { return {isfinite(a.value)}; }

constexpr Dual select(DualMask m, Dual a, Dual b) {
  return {detail::exactly(m.mask.value, a.value, [&] { return select(m.mask, a.value, b.value); }),
          select(m.mask, a.tangent, b.tangent)};
}

#define PHLOX_DERIVATIVE(name, ...)                             \
  constexpr Dual name(Dual a) {                                 \
    [[maybe_unused]] Expression x = a.value, y = name(a.value); \
    return {y, a.tangent * (__VA_ARGS__)};                      \
  }
PHLOX_DERIVATIVE(abs, select(x < 0.0, -1.0, select(x > 0.0, 1.0, 0.0)))
PHLOX_DERIVATIVE(sqrt, 0.5 / y)
PHLOX_DERIVATIVE(rsqrt, -0.5 * y * y * y)
PHLOX_DERIVATIVE(exp, y)
PHLOX_DERIVATIVE(exp2, y * 0.69314718055994530942)
PHLOX_DERIVATIVE(expm1, y + 1.0)
PHLOX_DERIVATIVE(log, 1.0 / x)
PHLOX_DERIVATIVE(log2, 1.0 / (x * 0.69314718055994530942))
PHLOX_DERIVATIVE(log10, 1.0 / (x * 2.30258509299404568402))
PHLOX_DERIVATIVE(log1p, 1.0 / (x + 1.0))
PHLOX_DERIVATIVE(sin, cos(x))
PHLOX_DERIVATIVE(cos, -sin(x))
PHLOX_DERIVATIVE(tan, y* y + 1.0)
PHLOX_DERIVATIVE(sinpi, 3.14159265358979323846 * cospi(x))
PHLOX_DERIVATIVE(cospi, -3.14159265358979323846 * sinpi(x))
PHLOX_DERIVATIVE(asin, rsqrt((1.0 - x) * (1.0 + x)))
PHLOX_DERIVATIVE(acos, -rsqrt((1.0 - x) * (1.0 + x)))
PHLOX_DERIVATIVE(atan, 1.0 / (x * x + 1.0))
PHLOX_DERIVATIVE(sinh, cosh(x))
PHLOX_DERIVATIVE(cosh, sinh(x))
PHLOX_DERIVATIVE(tanh, 1.0 - y * y)
PHLOX_DERIVATIVE(asinh, rsqrt(x* x + 1.0))
PHLOX_DERIVATIVE(acosh, rsqrt(x - 1.0) * rsqrt(x + 1.0))  // one root for both has other branch cuts
PHLOX_DERIVATIVE(atanh, 1.0 / ((1.0 - x) * (1.0 + x)))
PHLOX_DERIVATIVE(sigmoid, y * (1.0 - y))
PHLOX_DERIVATIVE(logit, select(y == y, 1.0 / (x * (1.0 - x)), y))
PHLOX_DERIVATIVE(erf, 1.12837916709551257390 * exp(-(x * x)))
PHLOX_DERIVATIVE(erfc, -1.12837916709551257390 * exp(-(x * x)))
PHLOX_DERIVATIVE(ndtr, 0.39894228040143267794 * exp(-0.5 * (x * x)))
PHLOX_DERIVATIVE(erfcx, 2.0 * x * y - 1.12837916709551257390)
PHLOX_DERIVATIVE(ndtri, 2.50662827463100050242 * exp(0.5 * (y * y)))
PHLOX_DERIVATIVE(log_ndtr, 0.79788456080286535588 / erfcx(x * -0.70710678118654752440))
PHLOX_DERIVATIVE(erfinv, 0.88622692545275801365 * exp(y * y))
PHLOX_DERIVATIVE(lgamma, digamma(x))
PHLOX_DERIVATIVE(digamma, trigamma(x))
PHLOX_DERIVATIVE(trigamma, polygamma(2.0, x))
PHLOX_DERIVATIVE(cbrt, 1.0 / (3.0 * y * y))
PHLOX_DERIVATIVE(frexp_mantissa, select((x == 0.0) | !isfinite(x), 1.0, y / x))
PHLOX_DERIVATIVE(frexp_exponent, 0.0)
PHLOX_DERIVATIVE(bessel_j0, -bessel_j1(x))
PHLOX_DERIVATIVE(bessel_j1, bessel_j0(x) - select(x == 0.0, 0.5, y / x))
PHLOX_DERIVATIVE(bessel_y0, -bessel_y1(x))
PHLOX_DERIVATIVE(bessel_y1, bessel_y0(x) - y / x)
PHLOX_DERIVATIVE(bessel_i0, bessel_i1(x))
PHLOX_DERIVATIVE(bessel_i0e, bessel_i1e(x) - select(x == 0.0, 0.0, copysign(y, x)))
PHLOX_DERIVATIVE(bessel_i1, bessel_i0(x) - select(x == 0.0, 0.5, y / x))
PHLOX_DERIVATIVE(bessel_i1e, bessel_i0e(x) - abs(y) - select(x == 0.0, 0.5, y / x))
PHLOX_DERIVATIVE(bessel_k0, -bessel_k1(x))
PHLOX_DERIVATIVE(bessel_k0e, y - bessel_k1e(x))
PHLOX_DERIVATIVE(bessel_k1, -bessel_k0(x) - y / x)
PHLOX_DERIVATIVE(bessel_k1e, y - bessel_k0e(x) - y / x)
PHLOX_DERIVATIVE(airy_ai, airy_ai_prime(x))
PHLOX_DERIVATIVE(airy_ai_prime, x* airy_ai(x))
PHLOX_DERIVATIVE(floor, 0.0)
PHLOX_DERIVATIVE(ceil, 0.0)
PHLOX_DERIVATIVE(trunc, 0.0)
PHLOX_DERIVATIVE(round, 0.0)
#undef PHLOX_DERIVATIVE

// Where two arguments are equal the gradient is shared; against a constant the argument keeps it all (clamping).
constexpr Dual max(Dual a, Dual b) {
  Expression x = a.value, z = b.value, y = max(x, z);
  if (z.is_constant()) return {y, select(x < z, b.tangent, a.tangent)};
  return {y, select(x == z, 0.5 * (a.tangent + b.tangent), select((x < z) | (z != z), b.tangent, a.tangent))};
}
constexpr Dual min(Dual a, Dual b) {
  Expression x = a.value, z = b.value, y = min(x, z);
  if (z.is_constant()) return {y, select(z < x, b.tangent, a.tangent)};
  return {y, select(x == z, 0.5 * (a.tangent + b.tangent), select((z < x) | (z != z), b.tangent, a.tangent))};
}
// The derivative with respect to the exponent is 0 where the base is 0 and the exponent is not negative.
constexpr Dual pow(Dual a, Dual b) {
  Expression x = a.value, e = b.value, y = pow(x, e);
  Expression tangent = 0.0;
  if (!a.tangent.is(0)) {
    Expression slope = e * pow(x, e - 1.0);
    tangent = a.tangent * select(e == 0.0, 0.0, slope);
  }
  if (!b.tangent.is(0)) tangent = tangent + b.tangent * select((x == 0.0) & (e >= 0.0), 0.0, y * log(x));
  return {y, tangent};
}
constexpr Dual atan2(Dual a, Dual b) {
  Expression square = a.value * a.value + b.value * b.value;
  return {atan2(a.value, b.value), (a.tangent * b.value - b.tangent * a.value) / square};
}
constexpr Dual hypot(Dual a, Dual b) {
  Expression y = hypot(a.value, b.value);
  return {y, select(y == 0.0, 0.0, (a.tangent * a.value + b.tangent * b.value) / y)};
}
constexpr Dual fmod(Dual a, Dual b) {
  return {fmod(a.value, b.value), a.tangent - b.tangent * trunc(a.value / b.value)};
}
constexpr Dual remainder(Dual a, Dual b) {
  return {remainder(a.value, b.value), a.tangent - b.tangent * floor(a.value / b.value)};
}

namespace detail {
// Asking for a derivative with respect to `argument` is an error.
constexpr void has_no_derivative(Dual argument) {
  if (!argument.tangent.is(0)) argument.value.arena->unknown_derivative = true;
}
}  // namespace detail

constexpr Dual zeta(Dual s, Dual q) {
  detail::has_no_derivative(s);
  return {zeta(s.value, q.value), -(q.tangent * s.value) * zeta(s.value + 1.0, q.value)};
}
constexpr Dual polygamma(Dual n, Dual x) {
  detail::has_no_derivative(n);
  return {polygamma(n.value, x.value), x.tangent * polygamma(n.value + 1.0, x.value)};
}
constexpr Dual igamma(Dual a, Dual x) {
  detail::has_no_derivative(a);
  return {igamma(a.value, x.value), x.tangent * gamma_density(a.value, x.value)};
}
constexpr Dual igammac(Dual a, Dual x) {
  detail::has_no_derivative(a);
  return {igammac(a.value, x.value), -(x.tangent * gamma_density(a.value, x.value))};
}
constexpr Dual gamma_density(Dual a, Dual x) {
  detail::has_no_derivative(a);
  Expression y = gamma_density(a.value, x.value);
  return {y, x.tangent * (y * ((a.value - 1.0) / x.value - 1.0))};
}
constexpr Dual chebyshev_t(Dual x, Dual n) {
  detail::has_no_derivative(n);
  return {chebyshev_t(x.value, n.value),
          x.tangent * (trunc(n.value) * gegenbauer(x.value, trunc(n.value) - 1.0, 1.0))};
}
constexpr Dual hermite_h(Dual x, Dual n) {
  detail::has_no_derivative(n);
  return {hermite_h(x.value, n.value),
          x.tangent * (2.0 * trunc(n.value) * hermite_h(x.value, n.value - 1.0))};
}
constexpr Dual hermite_he(Dual x, Dual n) {
  detail::has_no_derivative(n);
  return {hermite_he(x.value, n.value), x.tangent * (trunc(n.value) * hermite_he(x.value, n.value - 1.0))};
}
constexpr Dual gegenbauer(Dual x, Dual n, Dual order) {
  detail::has_no_derivative(n), detail::has_no_derivative(order);
  return {gegenbauer(x.value, n.value, order.value),
          x.tangent * (2.0 * order.value * gegenbauer(x.value, trunc(n.value) - 1.0, order.value + 1.0))};
}
constexpr Dual laguerre(Dual x, Dual n, Dual order) {
  detail::has_no_derivative(n), detail::has_no_derivative(order);
  return {laguerre(x.value, n.value, order.value),
          -(x.tangent * laguerre(x.value, trunc(n.value) - 1.0, order.value + 1.0))};
}
constexpr Dual betainc(Dual a, Dual b, Dual x) {
  detail::has_no_derivative(a), detail::has_no_derivative(b);
  return {betainc(a.value, b.value, x.value), x.tangent * beta_density(a.value, b.value, x.value)};
}
constexpr Dual beta_density(Dual a, Dual b, Dual x) {
  detail::has_no_derivative(a), detail::has_no_derivative(b);
  Expression y = beta_density(a.value, b.value, x.value);
  return {y, x.tangent * (y * ((a.value - 1.0) / x.value - (b.value - 1.0) / (1.0 - x.value)))};
}
// A neighbour of a, and b itself where both are equal.
constexpr Dual nextafter(Dual a, Dual b) {
  return {nextafter(a.value, b.value), select(a.value == b.value, 0.0, a.tangent)};
}
constexpr Dual floor_divide(Dual a, Dual b) { return {floor_divide(a.value, b.value), 0.0}; }
constexpr Dual copysign(Dual a, Dual b) {
  Expression x = a.value, y = copysign(x, b.value);
  return {y, a.tangent * select(x == 0.0, 0.0, copysign(1.0, x * b.value))};
}

}  // namespace phlox::math
