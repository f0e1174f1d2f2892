// Functions of single numbers that branch and iterate, so that vectors would not pay: compiled once, for all instruction
// sets, always in double. by_element() lifts them to a domain.
//
//   D y = by_element(elementwise::zeta, s, q);
#pragma once

#include "phlox/math/domain.h"
#include "phlox/math/scalar.h"
#include "phlox/math/simd.h"

namespace phlox::math {

namespace elementwise {
// Bessel functions of order 0 and 1 (bessel.cc); an e at the end: times e^-|x| (I) or e^x (K).
double bessel_j0(double x);
double bessel_j1(double x);
double bessel_y0(double x);
double bessel_y1(double x);
double bessel_i0(double x);
double bessel_i0e(double x);
double bessel_i1(double x);
double bessel_i1e(double x);
double bessel_k0(double x);
double bessel_k0e(double x);
double bessel_k1(double x);
double bessel_k1e(double x);
// The Airy function Ai and its derivative (airy.cc).
double airy_ai(double x);
double airy_ai_prime(double x);
// sum over k >= 0 of (q + k)^-s, and derivative n of digamma (zeta.cc).
double zeta(double s, double q);
double polygamma(double n, double x);
// The regularised incomplete gamma functions, lower and upper, and the derivative of the lower one with respect to x
// (incomplete_gamma.cc).
double igamma(double a, double x);
double igammac(double a, double x);
double gamma_density(double a, double x);
// The regularised incomplete beta function and its derivative with respect to x (incomplete_gamma.cc).
double betainc(double a, double b, double x);
double beta_density(double a, double b, double x);
// Polynomials of degree n (orthogonal_polynomials.cc): T(n), H(n), He(n), C(n, order) and L(n, order).
double chebyshev_t(double x, double n);
double hermite_h(double x, double n);
double hermite_he(double x, double n);
double gegenbauer(double x, double n, double order);
double laguerre(double x, double n, double order);
}  // namespace elementwise

inline namespace PHLOX_ISA {

// function(x...) for each element; float computes in the function's own type.
template <class F, class T, class... Same>
PHLOX_INLINE Scalar<T> by_element(F function, Scalar<T> x, Same... more) {
  return static_cast<T>(function(x.value, more.value...));
}
template <class F, class T, int N, class... Same>
PHLOX_INLINE Simd<T, N> by_element(F function, Simd<T, N> x, Same... more) {
  Simd<T, N> result;
  for (int i = 0; i < N; ++i) result.value[i] = static_cast<T>(function(x.value[i], more.value[i]...));
  return result;
}

#define PHLOX_BY_ELEMENT_1(name)             \
  template <LoweredFloat D>                  \
  PHLOX_INLINE D name(D x) {                 \
    return by_element(elementwise::name, x); \
  }
#define PHLOX_BY_ELEMENT_2(name)                \
  template <LoweredFloat D>                     \
  PHLOX_INLINE D name(D x, D y) {               \
    return by_element(elementwise::name, x, y); \
  }
#define PHLOX_BY_ELEMENT_3(name)                   \
  template <LoweredFloat D>                        \
  PHLOX_INLINE D name(D x, D y, D z) {             \
    return by_element(elementwise::name, x, y, z); \
  }
PHLOX_BY_ELEMENT_1(bessel_j0)
PHLOX_BY_ELEMENT_1(bessel_j1)
PHLOX_BY_ELEMENT_1(bessel_y0)
PHLOX_BY_ELEMENT_1(bessel_y1)
PHLOX_BY_ELEMENT_1(bessel_i0)
PHLOX_BY_ELEMENT_1(bessel_i0e)
PHLOX_BY_ELEMENT_1(bessel_i1)
PHLOX_BY_ELEMENT_1(bessel_i1e)
PHLOX_BY_ELEMENT_1(bessel_k0)
PHLOX_BY_ELEMENT_1(bessel_k0e)
PHLOX_BY_ELEMENT_1(bessel_k1)
PHLOX_BY_ELEMENT_1(bessel_k1e)
PHLOX_BY_ELEMENT_1(airy_ai)
PHLOX_BY_ELEMENT_1(airy_ai_prime)
PHLOX_BY_ELEMENT_2(zeta)
PHLOX_BY_ELEMENT_2(polygamma)
PHLOX_BY_ELEMENT_2(igamma)
PHLOX_BY_ELEMENT_2(igammac)
PHLOX_BY_ELEMENT_2(gamma_density)
PHLOX_BY_ELEMENT_2(chebyshev_t)
PHLOX_BY_ELEMENT_2(hermite_h)
PHLOX_BY_ELEMENT_2(hermite_he)
PHLOX_BY_ELEMENT_3(gegenbauer)
PHLOX_BY_ELEMENT_3(laguerre)
PHLOX_BY_ELEMENT_3(betainc)
PHLOX_BY_ELEMENT_3(beta_density)
#undef PHLOX_BY_ELEMENT_1
#undef PHLOX_BY_ELEMENT_2
#undef PHLOX_BY_ELEMENT_3

}  // namespace PHLOX_ISA
}  // namespace phlox::math
