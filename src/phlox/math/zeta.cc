// The Hurwitz zeta function and the derivatives of digamma, at most 8 ULP; for arguments below 0 near the zeros of the
// latter an absolute error of that size of the largest term.
//
// Method: Euler and Maclaurin's sum (DLMF 25.11.5). For negative arguments the terms below 0 come first; far below, a sum
// over all whole numbers less the terms that are too many.
#include "phlox/math/elementwise.h"
#include "phlox/math/functions.h"

namespace phlox::math::elementwise {
namespace {

using D = Scalar<double>;

double power(double x, double y) { return pow(D(x), D(y)).value; }

// The sum of ((q + low + k) / unit)^-s for s > 1, q > 0 and a power of two as the unit.
double zeta_of_positive(double s, double q, double low = 0, double unit = 1) {
  if (q == kInfinity) return 0;
  double sum = 0;
  // What a sum of q and whole numbers loses weighs s times as much in its power.
  const auto term_at = [s, unit](double at, double rest) {
    const double term = power(at / unit, -s);
    return rest == 0 ? term : term * (1 - s * (rest / at));
  };
  const bool far = q >= 20 + s;
  if (!far) {
    const double start = q, start_low = low;
    for (int n = 0; n < 12 || q <= 10; ++n) {
      const double term = term_at(q, low);
      sum += term;
      const Pair<D> next = two_sum(D(start), D(n + 1));
      q = next.first.value;
      low = next.second.value + start_low;
      if (term <= 0x1p-60 * sum || sum == kInfinity) return sum;
    }
  }
  // The rest of the sum: integral, half of the first term, and derivatives with Bernoulli's numbers B(2k) / (2k)!.
  constexpr double bernoulli[] = {1.0 / 12,
                                  -1.0 / 720,
                                  1.0 / 30240,
                                  -1.0 / 1209600,
                                  1.0 / 47900160,
                                  -691.0 / 1307674368000,
                                  1.0 / 74724249600,
                                  -3617.0 / 10670622842880000,
                                  43867.0 / 5109094217170944000,
                                  -174611.0 / 802857662698291200000.0,
                                  77683.0 / 14101100039391805440000.0,
                                  -236364091.0 / 1693824136731743669452800000.0};
  double rest = 0.5, factor = s / q;
  for (int k = 0; k < 12; ++k) {
    const double term = bernoulli[k] * factor;
    rest += term;
    if (__builtin_fabs(term) <= 0x1p-60 * rest) break;
    factor *= (s + (2 * k + 1)) / q * ((s + (2 * k + 2)) / q);
  }
  // Far out the term may be out of range where the sum is not.
  if (far && unit == 1) return power(q, 1 - s) * (1 / (s - 1) + rest / q);
  const double first = term_at(q, low);
  return sum + (first * rest + first * (q / (s - 1)));
}

}  // namespace

double zeta(double s, double q) {
  if (s != s || q != q || s < 1) return kNaN;
  if (s == 1) return kInfinity;
  if (q > 0) return zeta_of_positive(s, q);
  const double whole = __builtin_floor(q);
  if (q == whole) return kInfinity;
  if (s != __builtin_floor(s) || s == kInfinity) return kNaN;
  const bool odd = __builtin_floor(0.5 * s) != 0.5 * s;
  if (q > -64) {
    double sum = 0, next = q;
    for (int k = 1; next < 0; ++k) {  // these differences are exact
      const double term = power(-next, -s);
      sum += odd ? -term : term;
      if (next >= -1) break;
      next = q + k;
    }
    const Pair<D> first = two_sum(D(next), D(1.0));
    return sum + zeta_of_positive(s, first.first.value, first.second.value);
  }
  // All numbers at a distance of q from a whole one, those above 0 and those below, less those below q.
  const double part = q - whole;
  const double above = zeta_of_positive(s, part);
  const double below = zeta_of_positive(s, 1 - part) - zeta_of_positive(s, 1 - q);
  return odd ? above - below : above + below;
}

double polygamma(double n, double x) {
  if (n != n || n < 0 || n != __builtin_floor(n)) return kNaN;
  if (n == 0) return digamma(D(x)).value;
  if (n == 1) return trigamma(D(x)).value;
  if (x == -kInfinity || n > 1000) return kNaN;
  if (x == kInfinity) return 0;
  // n! and the sum may each be out of range where their product is not, so exponents are kept apart.
  const double s = n + 1;
  Pair<D> factorial = {1.0, 0.0};
  int exponent = 0;
  for (int k = 2; k <= static_cast<int>(n); ++k) {
    const Pair<D> product = two_product(factorial.first, D(k));
    factorial = fast_two_sum(product.first, product.second + factorial.second * k);
    if (factorial.first.value > 0x1p500) {
      factorial = {factorial.first * 0x1p-500, factorial.second * 0x1p-500};
      exponent += 500;
    }
  }
  const int scale = x > 1 ? __builtin_ilogb(x) : 0;
  const double sum = x > 0 ? zeta_of_positive(s, x, 0, __builtin_ldexp(1, scale)) : zeta(s, x);
  if (sum == 0 || !__builtin_isfinite(sum)) return n == 2 * __builtin_floor(0.5 * n) ? -sum : sum;
  int sum_exponent = 0;
  const double mantissa = __builtin_frexp(sum, &sum_exponent);
  const double size = __builtin_ldexp(factorial.first.value * mantissa,
                                      exponent + sum_exponent - scale * static_cast<int>(s));
  return n == 2 * __builtin_floor(0.5 * n) ? -size : size;
}

}  // namespace phlox::math::elementwise
