// Complex numbers: the scalar functions against C++'s in extended precision, and tensors from C++.
#include "phlox/math/complex.h"

#include <gtest/gtest.h>

#include <random>

#include "error_matching.h"
#include "phlox/phlox.h"

namespace phlox::test {
namespace {

using Wide = std::complex<long double>;

struct ComplexFunction {
  const char* name;
  math::Complex (*function)(math::Complex);
  Wide (*reference)(const Wide&);
};

#define PHLOX_COMPLEX(name) {#name, math::name, [](const Wide& z) -> Wide { return std::name(z); }}
const ComplexFunction functions[] = {
    PHLOX_COMPLEX(sqrt),
    PHLOX_COMPLEX(exp),
    PHLOX_COMPLEX(log),
    PHLOX_COMPLEX(sin),
    PHLOX_COMPLEX(cos),
    PHLOX_COMPLEX(tan),
    PHLOX_COMPLEX(asin),
    PHLOX_COMPLEX(acos),
    PHLOX_COMPLEX(atan),
    PHLOX_COMPLEX(sinh),
    PHLOX_COMPLEX(cosh),
    PHLOX_COMPLEX(tanh),
    PHLOX_COMPLEX(asinh),
    PHLOX_COMPLEX(acosh),
    PHLOX_COMPLEX(atanh),
    PHLOX_COMPLEX(log10),
    {"log2", math::log2, [](const Wide& z) -> Wide { return std::log(z) / std::log(2.0L); }},
    {"exp2", math::exp2, [](const Wide& z) -> Wide { return std::exp(z * std::log(2.0L)); }},
    {"expm1", math::expm1, [](const Wide& z) -> Wide { return std::exp(z) - 1.0L; }},
    {"log1p", math::log1p, [](const Wide& z) -> Wide { return std::log(z + 1.0L); }},
    {"rsqrt", math::rsqrt, [](const Wide& z) -> Wide { return 1.0L / std::sqrt(z); }},
    {"sigmoid", math::sigmoid, [](const Wide& z) -> Wide { return 1.0L / (1.0L + std::exp(-z)); }},
};

TEST(Complex, ScalarFunctions) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal(0, 3);
  for (const ComplexFunction& f : functions) {
    for (int i = 0; i < 2000; ++i) {
      const std::complex<double> z(normal(random), normal(random));
      const Wide expected = f.reference(Wide(z.real(), z.imag()));
      const math::Complex actual = f.function(z);
      const long double error = std::abs(Wide(actual.real, actual.imag) - expected);
      EXPECT_LE(error, 8e-16L * std::max(std::abs(expected), 1e-3L)) << f.name << z;
    }
  }
}

TEST(Complex, SmallArgumentsKeepTheirDigits) {
  const math::Complex tiny(1e-20, 3e-21);
  EXPECT_EQ(math::log1p(tiny).real, 1e-20);
  EXPECT_EQ(math::expm1(tiny).real, 1e-20);
  EXPECT_DOUBLE_EQ(math::expm1(tiny).imag, 3e-21);
}

TEST(Complex, Powers) {
  const auto power = [](math::Complex x, math::Complex e) { return math::pow(x, e); };
  EXPECT_TRUE(power({2, 1}, 0.0) == math::Complex(1));
  EXPECT_TRUE(power(0.0, 2.0) == math::Complex(0));
  EXPECT_TRUE(std::isnan(power(0.0, -1.0).real));
  EXPECT_TRUE(power({1, 1}, 2.0) == math::Complex(0, 2));
  const math::Complex half = power({-4, 0}, 0.5);
  EXPECT_NEAR(half.real, 0, 1e-15);
  EXPECT_NEAR(half.imag, 2, 1e-15);
}

TEST(Complex, TensorsInBothPrecisions) {
  const Tensor z({std::complex<double>(1, 2), std::complex<double>(-3, 0.5)}, {.dtype = DType::complex128});
  EXPECT_EQ(abs(z).dtype(), DType::float64);
  EXPECT_NEAR(abs(z).to_vector<double>()[0], std::sqrt(5.0), 1e-15);
  const Tensor narrow_z = z.to(DType::complex64);
  // One rounding, as everything is computed in double.
  EXPECT_EQ(exp(narrow_z).to_vector<std::complex<float>>(),
            exp(narrow_z.to(DType::complex128)).to(DType::complex64).to_vector<std::complex<float>>());
  EXPECT_EQ(prod(z).item<std::complex<double>>(), std::complex<double>(1, 2) * std::complex<double>(-3, 0.5));
  EXPECT_EQ(cumsum(z, 0).to_vector<std::complex<double>>()[1], std::complex<double>(-2, 2.5));
}

TEST(Complex, LongStridedTensors) {
  const std::int64_t n = 5000;
  const Tensor z = complex(arange(n, {}, 1, DType::float64), full({n}, 1.0, DType::float64));
  const Tensor every_second = slice(z, 0, {}, {}, 2);
  const Tensor sum_of_both = add(flip(every_second, DimList(0)), unsqueeze(every_second, 1));
  EXPECT_EQ(sum_of_both.shape(), (Shape{n / 2, n / 2}));
  EXPECT_EQ(sum_of_both.select(0, 3).select(0, 0).item<std::complex<double>>(),
            std::complex<double>(6 + n - 2, 2));
}

TEST(Complex, OrderIsRefused) {
  const Tensor z({std::complex<double>(1, 2)});
  EXPECT_ERROR(lt(z, z), DTypeError, "complex64");
  EXPECT_ERROR(view_as_real(ones({2})), DTypeError, "view_as_real");
  EXPECT_ERROR(view_as_complex(ones({3})), ShapeError, "two numbers");
}

}  // namespace
}  // namespace phlox::test
