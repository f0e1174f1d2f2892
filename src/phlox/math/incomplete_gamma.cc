// The regularised incomplete gamma and beta functions; relative errors below 1e-13 while results are normal numbers
// (gamma), and in the order of the condition of the arguments (beta).
//
// Series and continued fraction (DLMF 8.7, 8.9, 8.17), and near a = x, where both are slow, the uniform expansion of
// Temme 1979 (DLMF 8.12; coefficients: tools/fit_special_functions.py). Choice of method for small arguments after
// DiDonato and Morris 1986. What is raised to e carries twice the digits.
#include "phlox/math/elementwise.h"
#include "phlox/math/functions.h"

namespace phlox::math::elementwise {
namespace {

using D = Scalar<double>;

constexpr double epsilon = 0x1p-53;

// log(gamma(1 + a))
D lgamma_of_next(double a) { return a <= 1.5 ? lgamma_near(D(a)) : lgamma(D(1 + a)); }

// e^(exponent) for an exponent in two parts.
double exp_of(Pair<D> exponent) {
  if (!(exponent.first.value > -800)) return exponent.first.value < 0 ? 0 : kNaN;
  if (exponent.first.value > 800) return kInfinity;
  return exp_scaled(exponent.first, exponent.second, 0).value;
}

Pair<D> sum_of(Pair<D> a, Pair<D> b) {
  const Pair<D> sum = two_sum(a.first, b.first);
  return fast_two_sum(sum.first, sum.second + (a.second + b.second));
}

// x - a - a log(x / a), which is never negative: how far x is from a. Values above 1e5 may be cut off.
Pair<D> distance_from(double a, double x) {
  constexpr double far = 1e5;
  const Pair<D> difference = two_sum(D(x), D(-a));
  if (__builtin_fabs(difference.first.value) < a * 0x1p-7) {
    // a (m^2 / 2 - m^3 / 3 + ...) with m = (x - a) / a; the first term with twice the digits.
    const D d = difference.first;
    const D m = d / a;
    const Pair<D> back = two_product(m, D(a));
    const D m_low = ((d - back.first) - back.second) / a;
    const D half = 0.5 * d;
    const Pair<D> first = two_product(half, m);
    const D series = polynomial(m, 2.0 / 11, -0.2, 2.0 / 9, -0.25, 2.0 / 7, -1.0 / 3, 0.4, -0.5, 2.0 / 3);
    return fast_two_sum(first.first, first.second + half * m_low - first.first * (m * series));
  }
  const D ratio = x / a;
  if (a > 1e12 || ratio.value < 1e-290 || ratio.value > 1e290) return {far, 0.0};
  const Pair<D> back = two_product(ratio, D(a));
  const D ratio_low = ((x - back.first) - back.second) / a;
  Pair<D> logarithm = log_extended(ratio);
  logarithm.second = logarithm.second + ratio_low / ratio;
  Pair<D> product = two_product(D(a), logarithm.first);
  product.second = product.second + a * logarithm.second;
  return sum_of(difference, {-product.first, -product.second});
}

// log(gamma(a)) - (a - 1/2) log a + a - log(2 pi) / 2 for a >= 10.
double stirling_rest(double a) {
  const D y = 1 / a;
  return (y * polynomial(y * y, 1.0 / 156, -691.0 / 360360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360,
                         1.0 / 12))
      .value;
}

// x^a e^-x / gamma(a + 1)
double power_term(double a, double x) {
  if (a >= 10) {
    const Pair<D> distance = distance_from(a, x);
    const double root = sqrt(D(a)).value * 2.5066282746310005024;
    return exp_of({-distance.first, -(distance.second + stirling_rest(a))}) / root;
  }
  if (x > 1e5) return 0;
  const Pair<D> logarithm = log_extended(D(x));
  Pair<D> power = two_product(D(a), logarithm.first);
  power.second = power.second + a * logarithm.second;
  return exp_of(sum_of(sum_of(power, {-x, 0.0}), {-lgamma_of_next(a), 0.0}));
}

// The lower function by its series.
double lower_series(double a, double x) {
  double term = 1, sum = 1;
  for (int n = 1; n < 5000; ++n) {
    term *= x / (a + n);
    sum += term;
    if (term < epsilon * sum) break;
  }
  return power_term(a, x) * sum;
}

// The upper function by its continued fraction (modified Lentz), for x > 1.
double upper_fraction(double a, double x) {
  double b = x + 1 - a;
  double c = 1e300, d = 1 / b, h = d;
  for (int n = 1; n < 5000; ++n) {
    const double top = -n * (n - a);
    b += 2;
    d = top * d + b;
    c = b + top / c;
    if (__builtin_fabs(d) < 1e-300) d = 1e-300;
    if (__builtin_fabs(c) < 1e-300) c = 1e-300;
    d = 1 / d;
    const double step = c * d;
    h *= step;
    if (__builtin_fabs(step - 1) < epsilon) break;
  }
  return power_term(a, x) * a * h;
}

// The upper function for small x and a: 1 - x^a / gamma(1 + a) (1 + a sum), without cancellation.
double upper_series(double a, double x) {
  double factor = 1, sum = 0;
  for (int n = 1; n < 5000; ++n) {
    factor *= -x / n;
    const double term = factor / (a + n);
    sum += term;
    if (__builtin_fabs(term) < epsilon * __builtin_fabs(sum)) break;
  }
  const D exponent = a * log(D(x)) - lgamma_of_next(a);
  return -(expm1(exponent).value + a * sum * exp(exponent).value);
}

// Coefficients of powers of eta, for powers of 1 / a.
constexpr double temme[13][18] = {
    {-0.3333333333333333, 0.08333333333333333, -0.014814814814814815, 0.0011574074074074073,
     0.0003527336860670194, -0.0001787551440329218, 3.919263178522438e-05, -2.185448510679992e-06,
     -1.85406221071516e-06, 8.296711340953087e-07, -1.7665952736826078e-07, 6.707853543401498e-09,
     1.0261809784240309e-08, -4.382036018453353e-09, 9.14769958223679e-10, -2.5514193994946248e-11,
     -5.830772132550426e-11, 2.4361948020667415e-11},
    {-0.001851851851851852, -0.003472222222222222, 0.0026455026455026454, -0.0009902263374485596,
     0.00020576131687242798, -4.018775720164609e-07, -1.8098550334489977e-05, 7.64916091608111e-06,
     -1.6120900894563446e-06, 4.647127802807434e-09, 1.378633446915721e-07, -5.752545603517705e-08,
     1.1951628599778148e-08, -1.7543241719747647e-11, -1.0091543710600413e-09, 4.162792991842583e-10,
     -8.56390702649298e-11},
    {0.004133597883597883, -0.0026813271604938273, 0.0007716049382716049, 2.0093878600823047e-06,
     -0.0001073665322636516, 5.2923448829120125e-05, -1.2760635188618728e-05, 3.423578734096138e-08,
     1.3721957309062934e-06, -6.298992138380055e-07, 1.4280614206064242e-07, -2.0477098421990866e-10,
     -1.409252991086752e-08, 6.228974084922022e-09, -1.3670488396617114e-09, 9.428356159014678e-13},
    {0.0006494341563786008, 0.00022947209362139917, -0.0004691894943952557, 0.00026772063206283885,
     -7.561801671883977e-05, -2.396505113867297e-07, 1.1082654115347302e-05, -5.6749528269915965e-06,
     1.4230900732435883e-06, -2.7861080291528143e-11, -1.6958404091930278e-07, 8.099464905388083e-08,
     -1.9111168485973655e-08, 2.3928620439808118e-12, 2.0620131815488797e-09},
    {-0.0008618882909167117, 0.0007840392217200666, -0.0002990724803031902, -1.4638452578843418e-06,
     6.641498215465122e-05, -3.968365047179435e-05, 1.1375726970678419e-05, 2.507497226237533e-10,
     -1.6954149536558305e-06, 8.907507532205309e-07, -2.292934834000805e-07, 2.956794137544049e-11,
     2.8865829742708783e-08, -1.4189739437803219e-08},
    {-0.00033679855336635813, -6.972813758365857e-05, 0.0002772753244959392, -0.00019932570516188847,
     6.797780477937208e-05, 1.419062920643967e-07, -1.3594048189768693e-05, 8.018470256334202e-06,
     -2.291481176508095e-06, -3.252473551298454e-10, 3.4652846491085265e-07, -1.8447187191171344e-07,
     4.8240967037894184e-08},
    {0.0005313079364639922, -0.0005921664373536939, 0.0002708782096718045, 7.902353232660328e-07,
     -8.153969367561969e-05, 5.61168275310625e-05, -1.8329116582843375e-05, -3.0796134506033047e-09,
     3.465155368803609e-06, -2.0291327396058603e-06, 5.788792863149004e-07, 2.338630673826657e-13},
    {0.00034436760689237765, 5.171790908260592e-05, -0.00033493161081142234, 0.0002812695154763237,
     -0.00010976582244684731, -1.2741009095484485e-07, 2.7744451511563645e-05, -1.8263488805711332e-05,
     5.7876949497350525e-06, 4.93875893393627e-10, -1.0595367014026043e-06},
    {-0.0006526239185953094, 0.0008394987206720873, -0.000438297098541721, -6.969091458420552e-07,
     0.00016644846642067547, -0.00012783517679769218, 4.629953263691304e-05, 4.557909867922708e-09,
     -1.0595271125805195e-05, 6.783342904865167e-06},
    {-0.0005967612901927463, -7.204895416020011e-05, 0.0006782308837667328, -0.0006401475260262758,
     0.00027750107634328704, 1.819700838046515e-07, -8.479507117068503e-05, 6.105192082501531e-05,
     -2.1073920183404862e-05},
    {0.0013324454494800656, -0.0019144384985654776, 0.0011089369134596636, 9.9324041226423e-07,
     -0.0005087450129309319, 0.00042735056665392886, -0.00016858853767910798, -8.1301893922785e-09},
    {0.001579727660730835, 0.00016251626278391583, -0.0020633421035543276, 0.00213896861856891,
     -0.0010108559391263003, -3.99127055299192e-07, 0.0003623502508476469},
    {-0.004072512119514016, 0.00640336283380807, -0.004041016108167662, -2.1837328028662328e-06,
     0.002174044180125464, -0.001970044051841889}};

// The smaller of both functions near x = a, for a >= 20: the lower one where x < a.
double uniform(double a, double x) {
  const Pair<D> distance = distance_from(a, x);
  const D y = sqrt(distance.first);
  const bool lower = x < a;
  const double eta = (lower ? -y.value : y.value) * sqrt(D(2 / a)).value;
  double sum = 0;
  for (int k = 12; k >= 0; --k) {
    double row = 0;
    for (int n = 17; n >= 0; --n) row = row * eta + temme[k][n];
    sum = sum / a + row;
  }
  const double rest = sum / (sqrt(D(a)).value * 2.5066282746310005024);
  return exp_of({-distance.first, -distance.second}) * (0.5 * erfcx(y).value + (lower ? -rest : rest));
}

// x^a y^b / B(a, b) for y = 1 - x.
double beta_term(double a, double b, double x, double y) {
  const double n = a + b;
  if (a >= 10 && b >= 10) {
    const Pair<D> distance = sum_of(distance_from(a, n * x), distance_from(b, n * y));
    const double rest = (stirling_rest(a) + stirling_rest(b)) - stirling_rest(n);
    return exp_of({-distance.first, -(distance.second + rest)}) * sqrt(D(a / n * b)).value *
           0.39894228040143267794;
  }
  const D powers = a * log(D(x)) + b * (x < 0.5 ? log1p(D(-x)) : log(D(y)));
  const double small = a < b ? a : b, large = a < b ? b : a;
  if (large < 10) {
    const D logarithm = lgamma_of_next(n) - lgamma_of_next(a) - lgamma_of_next(b);
    return exp(powers + logarithm).value * (small / n * large);
  }
  // gamma(small + large) / gamma(large) by Stirling's formula.
  const D ratio = small * log(D(n)) + (large - 0.5) * log1p(D(small / large)) -
                  (small - (stirling_rest(n) - stirling_rest(large)));
  return exp(powers + ratio - lgamma_of_next(small)).value * small;
}

// The beta function's continued fraction (modified Lentz), for x below the mean.
double beta_fraction(double a, double b, double x, double y) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (__builtin_fabs(d) < tiny ? tiny : d);
  double h = d;
  for (int m = 1; m < 20000; ++m) {
    double step = 1;
    const double even = m * (b - m) * x / ((a + (2 * m - 1)) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + (2 * m + 1)));
    for (int part = 0; part < 2; ++part) {
      const double top = part == 0 ? even : odd;
      d = 1 + top * d;
      c = 1 + top / c;
      if (__builtin_fabs(d) < tiny) d = tiny;
      if (__builtin_fabs(c) < tiny) c = tiny;
      d = 1 / d;
      step = c * d;
      h *= step;
    }
    if (__builtin_fabs(step - 1) < epsilon) break;
  }
  return beta_term(a, b, x, y) / a * h;
}

// The beta function by its series, all terms of which are positive for b < 1; slow near x = 1.
double beta_series(double a, double b, double x) {
  double factor = a, sum = 1;
  for (int n = 1; n < 100000; ++n) {
    factor *= (n - b) / n * x;
    const double term = factor / (a + n);
    sum += term;
    if (term < epsilon * (1 - x) * sum) break;
  }
  return beta_term(a, b, x, 1 - x) / pow(D(1 - x), D(b)).value * sum / a;
}

bool is_uniform(double a, double x) { return a >= 20 && __builtin_fabs(x - a) < 0.3 * a; }

}  // namespace

double igamma(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNaN;
  if (a == 0) return x > 0 ? 1 : kNaN;
  if (a == kInfinity) return x == kInfinity ? kNaN : 0;
  if (x == 0) return 0;
  if (x == kInfinity) return 1;
  if (is_uniform(a, x)) return x < a ? uniform(a, x) : 1 - uniform(a, x);
  if (x > 1 && x > a) return 1 - upper_fraction(a, x);
  const double result = lower_series(a, x);
  return result > 1 ? 1 : result;
}

double igammac(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNaN;
  if (a == 0) return x > 0 ? 0 : kNaN;
  if (a == kInfinity) return x == kInfinity ? kNaN : 1;
  if (x == 0) return 1;
  if (x == kInfinity) return 0;
  if (is_uniform(a, x)) return x < a ? 1 - uniform(a, x) : uniform(a, x);
  if (x > 1.1) return x > a ? upper_fraction(a, x) : 1 - lower_series(a, x);
  const bool lower = x <= 0.5 ? -0.4 / log(D(x)).value < a : x * 1.1 < a;
  return lower ? 1 - lower_series(a, x) : upper_series(a, x);
}

double gamma_density(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNaN;
  if (a == 0 || a == kInfinity || x == kInfinity) return 0;
  if (x == 0) return a < 1 ? kInfinity : a == 1 ? 1 : 0;
  return power_term(a, x) * (a / x);
}

double beta_density(double a, double b, double x) {
  if (!(a >= 0 && b >= 0 && x >= 0 && x <= 1)) return kNaN;
  if (a == 0 || b == 0 || a == kInfinity || b == kInfinity) return 0;
  if (x == 0) return a < 1 ? kInfinity : a == 1 ? b : 0;
  if (x == 1) return b < 1 ? kInfinity : b == 1 ? a : 0;
  return beta_term(a, b, x, 1 - x) / x / (1 - x);
}

double betainc(double a, double b, double x) {
  if (!(a >= 0 && b >= 0 && x >= 0 && x <= 1)) return kNaN;
  if ((a == 0 && b == 0) || (a == kInfinity && b == kInfinity)) return kNaN;
  if (x == 0 || x == 1) return x;
  if (a == 0 || b == kInfinity) return 1;
  if (b == 0 || a == kInfinity) return 0;
  const bool lower = x <= (a + 1) / (a + b + 2);
  if (lower) return beta_fraction(a, b, x, 1 - x);
  const double result = 1 - beta_fraction(b, a, 1 - x, x);
  return result < 0.1 && b < 1 && x < 0.999 ? beta_series(a, b, x) : result;
}

}  // namespace phlox::math::elementwise
