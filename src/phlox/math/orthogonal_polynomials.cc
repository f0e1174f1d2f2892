// Orthogonal polynomials by their recurrences (DLMF 18.9). The degree is rounded towards zero; below zero there is no
// polynomial, and the value is 0. Chebyshev's of high degree are evaluated as cosines; of the others, those of degrees
// beyond ten million are NaN.
#include "phlox/math/elementwise.h"
#include "phlox/math/functions.h"

namespace phlox::math::elementwise {
namespace {

using D = Scalar<double>;

// p(0) = 1, p(1) = first, p(k + 1) = step(k, p(k), p(k - 1)), as far as numbers go.
template <class Step>
double recurrence(double degree, double first, Step step) {
  double before = 1, value = first;
  if (degree < 1) return degree < 0 ? 0 : 1;
  if (degree > 1e7) return kNaN;
  for (double k = 1; k + 1 <= degree; k += 1) {
    const double next = step(k, value, before);
    before = value;
    value = next;
    if (!__builtin_isfinite(value)) break;
  }
  return value;
}

}  // namespace

double chebyshev_t(double x, double n) {
  if (x != x || n != n) return kNaN;
  n = __builtin_trunc(n);
  if (n > 40 && n < 0x1p53 && __builtin_fabs(x) < 1) return cos(n * acos(D(x))).value;
  if (x == 1 || x == -1) return n < 0 ? 0 : x > 0 || __builtin_floor(0.5 * n) == 0.5 * n ? 1 : -1;
  return recurrence(n, x, [x](double, double p, double before) { return 2 * x * p - before; });
}

double hermite_h(double x, double n) {
  if (x != x || n != n) return kNaN;
  return recurrence(__builtin_trunc(n), 2 * x,
                    [x](double k, double p, double before) { return 2 * (x * p - k * before); });
}

double hermite_he(double x, double n) {
  if (x != x || n != n) return kNaN;
  return recurrence(__builtin_trunc(n), x,
                    [x](double k, double p, double before) { return x * p - k * before; });
}

double gegenbauer(double x, double n, double order) {
  if (x != x || n != n || order != order) return kNaN;
  return recurrence(__builtin_trunc(n), 2 * order * x, [x, order](double k, double p, double before) {
    return (2 * (k + order) * x * p - (k + 2 * order - 1) * before) / (k + 1);
  });
}

double laguerre(double x, double n, double order) {
  if (x != x || n != n || order != order) return kNaN;
  return recurrence(__builtin_trunc(n), 1 + order - x, [x, order](double k, double p, double before) {
    return ((2 * k + 1 + order - x) * p - (k + order) * before) / (k + 1);
  });
}

}  // namespace phlox::math::elementwise
