// The scalar functions on complex numbers, under the names that expressions give them. Everything is computed in
// double; values on branch cuts and at infinity follow C, Annex G, as in NumPy.
#pragma once

#include <cmath>
#include <complex>

namespace phlox::math {

struct Complex {
  double real = 0, imag = 0;

  Complex() = default;
  Complex(double r, double i = 0) : real(r), imag(i) {}
  Complex(std::complex<double> z) : real(z.real()), imag(z.imag()) {}
  operator std::complex<double>() const { return {real, imag}; }
};

inline Complex operator-(Complex a) { return {-a.real, -a.imag}; }
inline Complex operator+(Complex a, Complex b) { return {a.real + b.real, a.imag + b.imag}; }
inline Complex operator-(Complex a, Complex b) { return {a.real - b.real, a.imag - b.imag}; }
inline Complex operator*(Complex a, Complex b) {
  return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
}
// Scaled by the larger part of the divisor, so that its square does not overflow (Smith 1962).
inline Complex operator/(Complex a, Complex b) {
  if (std::abs(b.real) >= std::abs(b.imag)) {
    if (b.real == 0 && b.imag == 0) return {a.real / std::abs(b.real), a.imag / std::abs(b.real)};
    const double ratio = b.imag / b.real, scale = 1 / (b.real + b.imag * ratio);
    return {(a.real + a.imag * ratio) * scale, (a.imag - a.real * ratio) * scale};
  }
  const double ratio = b.real / b.imag, scale = 1 / (b.imag + b.real * ratio);
  return {(a.real * ratio + a.imag) * scale, (a.imag * ratio - a.real) * scale};
}

inline bool operator==(Complex a, Complex b) { return a.real == b.real && a.imag == b.imag; }
inline bool operator!=(Complex a, Complex b) { return !(a == b); }
// Complex numbers have no order. Derivatives ask about the sign of the real part.
inline bool operator<(Complex a, Complex b) { return a.real < b.real; }
inline bool operator<=(Complex a, Complex b) { return a.real <= b.real; }
inline bool operator>(Complex a, Complex b) { return a.real > b.real; }
inline bool operator>=(Complex a, Complex b) { return a.real >= b.real; }

inline Complex abs(Complex z) { return std::hypot(z.real, z.imag); }

#define PHLOX_COMPLEX_FUNCTION(name) \
  inline Complex name(Complex z) { return std::name(std::complex<double>(z)); }
PHLOX_COMPLEX_FUNCTION(sqrt)
PHLOX_COMPLEX_FUNCTION(exp)
PHLOX_COMPLEX_FUNCTION(log)
PHLOX_COMPLEX_FUNCTION(sin)
PHLOX_COMPLEX_FUNCTION(cos)
PHLOX_COMPLEX_FUNCTION(tan)
PHLOX_COMPLEX_FUNCTION(asin)
PHLOX_COMPLEX_FUNCTION(acos)
PHLOX_COMPLEX_FUNCTION(atan)
PHLOX_COMPLEX_FUNCTION(sinh)
PHLOX_COMPLEX_FUNCTION(cosh)
PHLOX_COMPLEX_FUNCTION(asinh)
PHLOX_COMPLEX_FUNCTION(acosh)
PHLOX_COMPLEX_FUNCTION(atanh)
#undef PHLOX_COMPLEX_FUNCTION

inline Complex tanh(Complex z) {
  const Complex y = std::tanh(std::complex<double>(z));
  // At infinity the imaginary part is 0, with the sign of the argument's.
  return std::isinf(z.real) && std::isfinite(z.imag) ? Complex(y.real, std::copysign(0.0, z.imag)) : y;
}

// With the digits of the real part.
inline Complex sinpi(Complex z) {
  const double pi = 3.14159265358979323846, turn = pi * std::remainder(z.real, 2.0), height = pi * z.imag;
  return {std::sin(turn) * std::cosh(height), std::cos(turn) * std::sinh(height)};
}
inline Complex cospi(Complex z) {
  const double pi = 3.14159265358979323846, turn = pi * std::remainder(z.real, 2.0), height = pi * z.imag;
  return {std::cos(turn) * std::cosh(height), -std::sin(turn) * std::sinh(height)};
}

inline Complex rsqrt(Complex z) { return 1.0 / sqrt(z); }
inline Complex exp2(Complex z) {
  const double ln2 = 0.69314718055994530942;
  return exp(Complex(z.real * ln2, z.imag * ln2));
}
inline Complex expm1(Complex z) {
  if (z.imag == 0) return {std::expm1(z.real) + 0.0, z.imag};
  if (!std::isfinite(z.real) || !std::isfinite(z.imag)) {
    const Complex y = exp(z);
    return {y.real - 1, y.imag};
  }
  const double half = std::sin(z.imag / 2);
  return {std::expm1(z.real) * std::cos(z.imag) - 2 * half * half, std::exp(z.real) * std::sin(z.imag)};
}
inline Complex log2(Complex z) {
  const Complex y = log(z);
  return {y.real * 1.44269504088896340736, y.imag * 1.44269504088896340736};
}
inline Complex log10(Complex z) {
  const Complex y = log(z);
  return {y.real * 0.43429448190325182765, y.imag * 0.43429448190325182765};
}
// |1 + z|² = 1 + x (2 + x) + y², which keeps the digits of a small z.
inline Complex log1p(Complex z) {
  const double x = z.real, y = z.imag;
  if (std::abs(x) > 0.5 || std::abs(y) > 0.5) return log(Complex(1 + x, y));
  return {0.5 * std::log1p(x * (2 + x) + y * y), std::atan2(y, 1 + x)};
}
// By tanh(z / 2), which is exact near the poles of both, except where that would cancel.
inline Complex sigmoid(Complex z) {
  if (z.real >= -1) {
    const Complex t = tanh(Complex(z.real / 2, z.imag / 2));
    return {0.5 + 0.5 * t.real, 0.5 * t.imag};
  }
  const Complex e = exp(z);
  return e / (1.0 + e);
}

// Small whole exponents by multiplication, as NumPy has it; 0 to the power of a number is 0, or NaN where the real
// part is not positive.
inline Complex pow(Complex x, Complex e) {
  if (e == Complex(0)) return 1;
  if (x == Complex(0)) {
    if (e.real > 0) return 0;
    return {std::nan(""), std::nan("")};
  }
  const double n = std::abs(e.real);
  if (e.imag == 0 && n <= 100 && n == std::floor(n)) {
    Complex power = 1, square = x;
    for (int bits = static_cast<int>(n); bits; bits >>= 1) {
      if (bits & 1) power = power * square;
      square = square * square;
    }
    return e.real < 0 ? 1.0 / power : power;
  }
  return exp(e * log(x));
}

}  // namespace phlox::math
