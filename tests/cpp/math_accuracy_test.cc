// The scalar functions against the C library in extended precision, on edges and random values, and f32 against f64 on
// all numbers; the largest error of each is printed in units in the last place (ULP). Functions that the C library lacks
// are compared with many digits by tests/python/test_math_accuracy.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "math_tables.h"

namespace phlox::test {
namespace {

using Real = long double;
constexpr Real kPi = 3.14159265358979323846264338327950288L;
constexpr Real kNotANumber = std::numeric_limits<Real>::quiet_NaN();

// ---- References that the C library lacks

Real sin_pi(Real x) {
  const Real r = x - 2 * std::nearbyint(x / 2);
  return std::fabs(r) <= 0.25L   ? std::sin(kPi * r)
         : std::fabs(r) <= 0.75L ? std::copysign(std::cos(kPi * (0.5L - std::fabs(r))), r)
                                 : std::copysign(std::sin(kPi * (1 - std::fabs(r))), r);
}
Real cos_pi(Real x) { return sin_pi(0.5L - std::fabs(x - 2 * std::nearbyint(x / 2))); }

Real digamma_reference(Real x) {
  if (x == 0) return std::copysign(std::numeric_limits<Real>::infinity(), -x);
  if (x < 0) {
    if (x == std::floor(x)) return kNotANumber;
    return digamma_reference(1 - x) - kPi * cos_pi(x) / sin_pi(x);
  }
  Real sum = 0;
  for (; x < 24; ++x) sum -= 1 / x;
  const Real z = 1 / (x * x);
  return sum +
         (std::log(x) - 0.5L / x -
          z * (1 / 12.0L -
               z * (1 / 120.0L -
                    z * (1 / 252.0L -
                         z * (1 / 240.0L - z * (1 / 132.0L - z * (691 / 32760.0L -
                                                                  z * (1 / 12.0L - z * 3617 / 8160.0L))))))));
}
Real trigamma_reference(Real x) {
  if (x <= 0) {
    if (x == std::floor(x)) return std::isinf(x) ? kNotANumber : std::numeric_limits<Real>::infinity();
    const Real s = kPi / sin_pi(x);
    return s * s - trigamma_reference(1 - x);
  }
  Real sum = 0;
  for (; x < 24; ++x) sum += 1 / (x * x);
  const Real z = 1 / (x * x);
  return sum + 1 / x + z / 2 +
         z / x *
             (1 / 6.0L -
              z * (1 / 30.0L -
                   z * (1 / 42.0L -
                        z * (1 / 30.0L -
                             z * (5 / 66.0L - z * (691 / 2730.0L - z * (7 / 6.0L - z * 3617 / 510.0L)))))));
}
Real erfinv_reference(Real x) {
  const Real a = std::fabs(x);
  if (!(a <= 1)) return kNotANumber;
  if (a == 1) return std::copysign(std::numeric_limits<Real>::infinity(), x);
  // Newton's iteration, on erf near 0 and on log(erfc) far out.
  Real y = a < 0.7L ? a * 0.886226925452758013649L : std::sqrt(-std::log((1 - a) * 2));
  for (int i = 0; i < 60; ++i) {
    const Real slope = 2 / std::sqrt(kPi) * std::exp(-y * y);
    const Real step =
        a < 0.7L ? (std::erf(y) - a) / slope : -std::erfc(y) * std::log(std::erfc(y) / (1 - a)) / slope;
    y -= step;
    if (std::fabs(step) <= 1e-19L * y) break;
  }
  return std::copysign(y, x);
}
Real round_even(Real x) { return std::nearbyint(x); }
Real remainder_reference(Real x, Real y) {
  const Real r = std::fmod(x, y);
  if (r == 0) return std::copysign(r, y);
  return std::signbit(r) != std::signbit(y) ? r + y : r;
}

struct Reference {
  const char* name;
  Real (*unary)(Real);
  Real (*binary)(Real, Real);
  // Random values are drawn from these ranges (and from all bit patterns).
  std::vector<std::pair<double, double>> ranges;
  double limit = 2;  // ULP
  // What an absolute error is measured against near the zeros of the function: the largest term it is a sum
  // of.
  Real (*scale)(Real) = nullptr;
};

#define UNARY(name) #name, [](Real x) -> Real { return std::name(x); }, nullptr
#define UNARY_AS(name, ...) #name, [](Real x) -> Real { return __VA_ARGS__; }, nullptr
#define BINARY(name) #name, nullptr, [](Real x, Real y) -> Real { return std::name(x, y); }
#define BINARY_AS(name, ...) #name, nullptr, [](Real x, Real y) -> Real { return __VA_ARGS__; }

const std::vector<Reference>& references() {
  static const std::vector<Reference> list = {
      {UNARY_AS(abs, std::fabs(x)), {{-10, 10}}, 0},
      {UNARY(sqrt), {{0, 10}}, 0.5001},
      {UNARY_AS(rsqrt, 1 / std::sqrt(x)), {{0, 10}}},
      {UNARY(cbrt), {{-10, 10}}},
      {UNARY(exp), {{-1, 1}, {-104, 89}, {-746, 710}}},
      {UNARY(exp2), {{-1, 1}, {-150, 128}, {-1075, 1024}}},
      {UNARY(expm1), {{-1, 1}, {-40, 89}, {-1e-3, 1e-3}}},
      {UNARY(log), {{0, 3}, {0.9, 1.1}}},
      {UNARY(log2), {{0, 3}, {0.9, 1.1}}},
      {UNARY(log10), {{0, 3}, {0.9, 1.1}}},
      {UNARY(log1p), {{-1, 3}, {-1e-3, 1e-3}}},
      {UNARY(sin), {{-4, 4}, {-1000, 1000}, {-1e7, 1e7}}},
      {UNARY(cos), {{-4, 4}, {-1000, 1000}, {-1e7, 1e7}}},
      {UNARY(tan), {{-4, 4}, {-1000, 1000}, {-1e7, 1e7}}},
      {UNARY(asin), {{-1, 1}, {0.99, 1}}},
      {UNARY(acos), {{-1, 1}, {0.99, 1}, {-1, -0.99}}},
      {UNARY(atan), {{-4, 4}, {-100, 100}}},
      {UNARY(sinh), {{-2, 2}, {-90, 90}}},
      {UNARY(cosh), {{-2, 2}, {-90, 90}}},
      {UNARY(tanh), {{-1, 1}, {-20, 20}}},
      {UNARY(asinh), {{-2, 2}, {-100, 100}}},
      {UNARY(acosh), {{1, 1.01}, {1, 3}, {1, 1000}}},
      {UNARY(atanh), {{-1, 1}, {-0.1, 0.1}}},
      {UNARY_AS(sigmoid, x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x))),
       {{-3, 3}, {-104, 40}, {-746, 40}}},
      {UNARY_AS(log1pexp, std::max(x, Real(0)) + std::log1p(std::exp(-std::fabs(x)))),
       {{-3, 3}, {-104, 40}, {-746, 40}}},
      {UNARY(erf), {{-1, 1}, {-6, 6}}},
      {UNARY(erfc), {{-1, 1}, {-6, 10}, {0, 27}}},
      {UNARY_AS(ndtr, std::erfc(-x * 0.707106781186547524400844L) / 2), {{-3, 3}, {-14, 6}, {-38, 0}}},
      {UNARY_AS(erfinv, erfinv_reference(x)), {{-1, 1}, {0.99, 1}, {0.999999, 1}}, 4},
      {UNARY(lgamma),
       {{0, 3}, {0, 20}, {-10, 0}, {0, 1000}, {0.9, 2.1}},
       4,
       [](Real x) { return x < 0 ? 1 + std::fabs(std::lgamma(-x)) : 0; }},
      {UNARY_AS(digamma, digamma_reference(x)),
       {{0, 3}, {0, 20}, {-10, 0}, {0, 1000}},
       4,
       [](Real x) { return x < 0 ? 1 + std::fabs(digamma_reference(1 - x)) : 0.01L; }},
      {UNARY_AS(trigamma, trigamma_reference(x)), {{0, 3}, {0, 20}, {-10, 0}, {0, 1000}}, 4},
      {UNARY(floor), {{-10, 10}, {-1e8, 1e8}}, 0},
      {UNARY(ceil), {{-10, 10}, {-1e8, 1e8}}, 0},
      {UNARY(trunc), {{-10, 10}, {-1e8, 1e8}}, 0},
      {UNARY_AS(round, round_even(x)), {{-10, 10}, {-1e8, 1e8}}, 0},
      {UNARY_AS(frac, std::isinf(x) ? std::copysign(0, x) : std::copysign(x - std::trunc(x), x)),
       {{-10, 10}, {-1e8, 1e8}},
       0},
      {UNARY_AS(sign, x > 0   ? 1
                      : x < 0 ? -1
                              : x),
       {{-10, 10}},
       0},
      {BINARY(pow), {{0, 4}, {-10, 10}, {0.9, 1.1}, {0, 1000}}, 4},
      {BINARY(atan2), {{-4, 4}, {-1000, 1000}}},
      {BINARY(hypot), {{-4, 4}, {-1000, 1000}}},
      {BINARY(fmod), {{-4, 4}, {-1000, 1000}}, 0},
      {BINARY_AS(remainder, remainder_reference(x, y)), {{-4, 4}, {-1000, 1000}}, 0.5001},
      {BINARY_AS(copysign, std::copysign(x, y)), {{-4, 4}}, 0},
      {BINARY_AS(min, std::isnan(x) || std::isnan(y) ? kNotANumber
                      : y < x                        ? y
                                                     : x),
       {{-4, 4}},
       0},
      {BINARY_AS(max, std::isnan(x) || std::isnan(y) ? kNotANumber
                      : x < y                        ? y
                                                     : x),
       {{-4, 4}},
       0},
  };
  return list;
}

// ---- Errors

template <class T>
Real unit_in_last_place(Real reference) {
  using Limits = std::numeric_limits<T>;
  int exponent = 0;
  std::frexp(reference, &exponent);
  return std::ldexp(Real(1), std::max(exponent, Limits::min_exponent) - Limits::digits);
}

// The error of `got` in ULP; infinite when one of them is NaN, infinite or of the wrong sign and the other
// not.
template <class T>
Real error_of(T got, Real reference, Real scale) {
  constexpr Real wrong = std::numeric_limits<Real>::infinity();
  const T rounded = static_cast<T>(reference);
  if (std::isnan(rounded) || std::isnan(got)) return std::isnan(rounded) && std::isnan(got) ? 0 : wrong;
  if (rounded == 0 && got == 0) return std::signbit(rounded) == std::signbit(got) ? 0 : wrong;
  if (rounded == got)
    return std::isinf(got) ? 0 : std::fabs(got - reference) / unit_in_last_place<T>(reference);
  // At the end of the range infinity stands for the next power of two.
  const Real value = std::isinf(got)
                         ? std::copysign(std::ldexp(Real(1), std::numeric_limits<T>::max_exponent), Real(got))
                         : Real(got);
  if (std::isinf(reference)) return wrong;
  return std::fabs(value - reference) /
         unit_in_last_place<T>(std::max(std::fabs(reference), std::fabs(scale)));
}

template <class T>
const std::vector<T>& edges() {
  using L = std::numeric_limits<T>;
  static const std::vector<T> list = [] {
    std::vector<T> values = {0,
                             L::denorm_min(),
                             3 * L::denorm_min(),
                             L::min() / 2,
                             L::min(),
                             L::epsilon(),
                             T(1e-10),
                             T(1e-5),
                             T(0.1),
                             T(0.25),
                             T(0.5),
                             T(0.625),
                             T(0.66),
                             T(0.75),
                             1 - L::epsilon() / 2,
                             1,
                             1 + L::epsilon(),
                             T(1.4616321449683622),
                             T(1.5),
                             T(1.5707963267948966),
                             2,
                             T(2.414213562373095),
                             T(2.5),
                             3,
                             T(3.141592653589793),
                             T(3.5),
                             4,
                             5,
                             8,
                             10,
                             16,
                             22,
                             23,
                             27,
                             28,
                             64,
                             T(88.722),
                             T(88.73),
                             100,
                             T(103.97),
                             127,
                             128,
                             149,
                             150,
                             T(709.78),
                             T(710.47),
                             T(745.13),
                             1023,
                             1024,
                             1074,
                             1e4,
                             T(123456.7),
                             1048575,
                             1048576,
                             1048577,
                             1e7,
                             1 / L::epsilon(),
                             2 / L::epsilon(),
                             T(1e15),
                             T(1e22),
                             T(1e30),
                             L::max() / 2,
                             L::max(),
                             L::infinity(),
                             L::quiet_NaN()};
    const std::size_t count = values.size();
    for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
    return values;
  }();
  return list;
}

template <class T>
T random_pattern(std::mt19937_64& random) {
  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t> pattern;
  pattern = static_cast<decltype(pattern)>(random());
  T value;
  std::memcpy(&value, &pattern, sizeof(T));
  return value;
}

template <class T>
struct Samples {
  std::vector<T> x, y;
};

template <class T>
Samples<T> samples_of(const Reference& reference, int count) {
  std::mt19937_64 random(20240501);
  Samples<T> s;
  if (reference.unary) {
    s.x = edges<T>();
    s.y = s.x;
  } else {
    for (T a : edges<T>())
      for (T b : edges<T>()) s.x.push_back(a), s.y.push_back(b);
  }
  const int share = count / (static_cast<int>(reference.ranges.size()) + 1);
  for (auto [low, high] : reference.ranges) {
    std::uniform_real_distribution<double> uniform(low, high);
    for (int i = 0; i < share; ++i) {
      s.x.push_back(static_cast<T>(uniform(random)));
      s.y.push_back(static_cast<T>(uniform(random)));
    }
  }
  while (static_cast<int>(s.x.size()) < count || s.x.size() % 64) {
    s.x.push_back(random_pattern<T>(random));
    s.y.push_back(random_pattern<T>(random));
  }
  return s;
}

const MathFunction& function_of(const MathTable& table, const std::string& name) {
  for (int i = 0; i < table.count; ++i)
    if (name == table.functions[i].name) return table.functions[i];
  throw std::out_of_range(name);
}

// PHLOX_TEST_EFFORT=100 looks at a hundred times as many values.
int effort() {
  const char* text = std::getenv("PHLOX_TEST_EFFORT");
  return text ? std::max(1, std::atoi(text)) : 1;
}

struct Worst {
  Real error = 0;
  double x = 0, y = 0, got = 0;
  Real expected = 0;
};

template <class T>
Worst worst_of(const Reference& reference, int count) {
  const MathFunction& function = function_of(*math_tables().back(), reference.name);
  const Samples<T> s = samples_of<T>(reference, count);
  std::vector<T> out(s.x.size());
  MathLoop<T> loop;
  if constexpr (sizeof(T) == 4) {
    loop = function.f32;
  } else {
    loop = function.f64;
  }
  loop(s.x.data(), s.y.data(), out.data(), static_cast<std::int64_t>(s.x.size()));
  Worst worst;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    const Real x = s.x[i], y = s.y[i];
    const Real expected = reference.unary ? reference.unary(x) : reference.binary(x, y);
    const Real error = error_of(out[i], expected, reference.scale ? reference.scale(x) : 0);
    if (!(error <= worst.error))
      worst = {error, static_cast<double>(s.x[i]), static_cast<double>(s.y[i]), static_cast<double>(out[i]),
               expected};
  }
  return worst;
}

void expect_within(const Reference& reference, const char* type, const Worst& worst, double limit) {
  EXPECT_LE(worst.error, limit) << reference.name << " " << type << " of " << std::hexfloat << worst.x
                                << (reference.binary ? ", " + std::to_string(worst.y) : "")
                                << std::defaultfloat << " (" << worst.x << ") gives " << worst.got << ", not "
                                << worst.expected;
}

TEST(MathAccuracy, WithinLimits) {
  std::printf("  largest error in ULP      f32     f64\n");
  for (const Reference& reference : references()) {
    const Worst single = worst_of<float>(reference, 200'000 * effort());
    const Worst twice = worst_of<double>(reference, 50'000 * effort());
    std::printf("  %-20s %8.3Lf %7.3Lf\n", reference.name, single.error, twice.error);
    expect_within(reference, "f32", single, reference.limit);
    expect_within(reference, "f64", twice, reference.limit);
  }
}

// Functions whose rounding belongs to their definition are computed in their own type.
template <class T>
T floor_divide_reference(T x, T y) {
  if (y == 0 || std::isinf(x) || std::isinf(y)) return x / y;
  const T rest = std::fmod(x, y);
  T quotient = (x - rest) / y;
  if (rest != 0 && (rest < 0) != (y < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(T(0), x / y);
  const T whole = std::floor(quotient);
  return quotient - whole > T(0.5) ? whole + 1 : whole;
}

template <class T>
void expect_exact(const char* name, T (*reference)(T, T), MathLoop<T> MathFunction::* loop) {
  const Samples<T> s =
      samples_of<T>({name, nullptr, [](Real, Real) -> Real { return 0; }, {{-4, 4}, {-1000, 1000}}}, 50'000);
  std::vector<T> out(s.x.size());
  (function_of(*math_tables().back(), name).*loop)(s.x.data(), s.y.data(), out.data(),
                                                   static_cast<std::int64_t>(out.size()));
  int wrong = 0;
  for (std::size_t i = 0; i < out.size() && wrong < 5; ++i) {
    const T expected = reference(s.x[i], s.y[i]);
    if (std::isnan(expected) ? std::isnan(out[i])
                             : out[i] == expected && std::signbit(out[i]) == std::signbit(expected))
      continue;
    ++wrong;
    ADD_FAILURE() << name << " of " << s.x[i] << ", " << s.y[i] << " gives " << out[i] << ", not "
                  << expected;
  }
}

TEST(MathAccuracy, FloorDivideAndNextafter) {
  expect_exact<float>("floor_divide", floor_divide_reference<float>, &MathFunction::f32);
  expect_exact<double>("floor_divide", floor_divide_reference<double>, &MathFunction::f64);
  expect_exact<float>("nextafter", [](float x, float y) { return std::nextafter(x, y); }, &MathFunction::f32);
  expect_exact<double>(
      "nextafter", [](double x, double y) { return std::nextafter(x, y); }, &MathFunction::f64);
}

// ---- f32 against f64, whose own errors count nothing there: all 2^32 numbers, or one of `stride`

// The largest error is that of the numbers for which the f32 result is not the nearest one, or a half.
double worst_single_error(const MathFunction& function, std::uint64_t stride) {
  constexpr int block = 4096;
  std::vector<float> x(block), got(block);
  std::vector<double> wide(block), expected(block);
  double worst = 0;
  for (std::uint64_t first = 0; first < (std::uint64_t{1} << 32); first += block * stride) {
    for (int i = 0; i < block; ++i) {
      const auto pattern = static_cast<std::uint32_t>(first + static_cast<std::uint64_t>(i) * stride);
      std::memcpy(&x[i], &pattern, sizeof(float));
      wide[i] = x[i];
    }
    function.f32(x.data(), x.data(), got.data(), block);
    function.f64(wide.data(), wide.data(), expected.data(), block);
    for (int i = 0; i < block; ++i) {
      const auto nearest = static_cast<float>(expected[i]);
      if (nearest == got[i]) {
        if (worst < 0.5 && nearest != 0)
          worst = std::max(worst, std::min(0.5, double(error_of(got[i], expected[i], 0))));
        continue;
      }
      worst = std::max(worst, static_cast<double>(error_of<float>(got[i], expected[i], 0)));
    }
  }
  return worst;
}

double single_limit(const std::string& name) {
  for (const Reference& reference : references())
    if (reference.name == name) return reference.limit == 0 ? 0 : std::max(reference.limit, 0.5001);
  return 2;
}

// PHLOX_ACCURACY_FILE gets a line "name error" for each function.
void compare_all_single_numbers(std::uint64_t stride) {
  const MathTable& table = *math_tables().back();
  const char* path = std::getenv("PHLOX_ACCURACY_FILE");
  std::FILE* file = path ? std::fopen(path, "w") : nullptr;
  for (int i = 0; i < table.count; ++i) {
    const MathFunction& function = table.functions[i];
    if (function.arguments != 1) continue;
    const double worst = worst_single_error(function, stride);
    EXPECT_LE(worst, single_limit(function.name)) << function.name;
    if (file) std::fprintf(file, "%s %.4f\n", function.name, worst), std::fflush(file);
  }
  if (file) std::fclose(file);
}

TEST(MathAccuracy, SampleOfSingleNumbers) { compare_all_single_numbers(40009); }
TEST(MathAccuracy, SlowAllSingleNumbers) {
  const char* stride = std::getenv("PHLOX_ACCURACY_STRIDE");
  compare_all_single_numbers(stride ? std::strtoull(stride, nullptr, 10) : 1);
}

// What the C library lacks: tests/python/test_math_accuracy.py.
const std::vector<std::string>& without_reference() {
  static const std::vector<std::string> names = {
      "nextafter",      "floor_divide", "erfcx",      "ndtri",         "log_ndtr",      "frexp_mantissa",
      "frexp_exponent", "bessel_j0",    "bessel_j1",  "bessel_y0",     "bessel_y1",     "bessel_i0",
      "bessel_i0e",     "bessel_i1",    "bessel_i1e", "bessel_k0",     "bessel_k0e",    "bessel_k1",
      "bessel_k1e",     "airy_ai",      "logit",      "airy_ai_prime", "sinpi",         "cospi",
      "zeta",           "polygamma",    "igamma",     "igammac",       "gamma_density", "chebyshev_t",
      "hermite_h",      "hermite_he"};
  return names;
}

// Every function has a reference.
TEST(MathAccuracy, CoversAllFunctions) {
  const MathTable& table = *math_tables().front();
  for (int i = 0; i < table.count; ++i) {
    const std::string name = table.functions[i].name;
    const std::vector<std::string>& others = without_reference();
    if (std::find(others.begin(), others.end(), name) != others.end()) continue;
    EXPECT_TRUE(std::any_of(references().begin(), references().end(), [&](const Reference& r) {
      return r.name == name;
    })) << name;
  }
}

}  // namespace
}  // namespace phlox::test
