// Statistics and norms against plain loops, and the gradients of all reductions against finite differences.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finite_differences.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/sum_to_shape.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::layouts;
using testing::random_doubles;

Tensor numbers(const std::vector<double>& values) {
  return from_values<double>(values, {static_cast<std::int64_t>(values.size())});
}

TEST(StatisticsTest, VarianceAndMean) {
  const Tensor made = random_doubles({3, 4, 5});
  for (const Tensor& x : layouts(made)) {
    for (std::int64_t d = 0; d < 3; ++d) {
      const Tensor rows = movedim(x, d, -1).contiguous();
      const auto values = rows.to_vector<double>();
      const auto n = static_cast<std::size_t>(x.size(d));
      for (double correction : {0.0, 1.0}) {
        const auto got = var(x, DimList(d), correction).to_vector<double>();
        const auto [deviation, center] = std_mean(x, DimList(d), correction);
        const auto roots = deviation.to_vector<double>(), means = center.to_vector<double>();
        for (std::size_t row = 0; row < got.size(); ++row) {
          double average = 0, squares = 0;
          for (std::size_t i = 0; i < n; ++i) average += values[row * n + i] / static_cast<double>(n);
          for (std::size_t i = 0; i < n; ++i) squares += std::pow(values[row * n + i] - average, 2);
          const double expected = squares / (static_cast<double>(n) - correction);
          EXPECT_NEAR(got[row], expected, 1e-14);
          EXPECT_NEAR(roots[row], std::sqrt(expected), 1e-14);
          EXPECT_NEAR(means[row], average, 1e-14);
        }
      }
    }
  }
  EXPECT_EQ(var(made, DimList{0, 2}, 1, true).shape(), Shape({1, 4, 1}));
  EXPECT_EQ(std::get<1>(var_mean(made, DimList(1))).shape(), Shape({3, 5}));
  EXPECT_TRUE(std::isnan(var(Tensor(2.0)).item<double>()));
  EXPECT_EQ(var(Tensor(2.0), {}, 0).item<double>(), 0);
  EXPECT_THROW(var(zeros({2}, DType::int64)), DTypeError);
  // Far from zero nothing cancels.
  EXPECT_NEAR(var(add(random_doubles({1000}), 1e6)).item<double>(),
              var(random_doubles({1000})).item<double>(), 1e-9);
  const Tensor halves = full({64, 64}, 300.0, DType::float16);
  EXPECT_EQ(std(halves).item<double>(), 0);
}

TEST(StatisticsTest, Norms) {
  const Tensor x = numbers({3, -4, 0, 12});
  EXPECT_EQ(norm(x).item<double>(), 13);
  EXPECT_EQ(norm(x, 1).item<double>(), 19);
  EXPECT_EQ(norm(x, 0).item<double>(), 3);
  EXPECT_EQ(norm(x, std::numeric_limits<double>::infinity()).item<double>(), 12);
  EXPECT_EQ(norm(x, -std::numeric_limits<double>::infinity()).item<double>(), 0);
  EXPECT_NEAR(norm(x, 3).item<double>(), std::cbrt(27 + 64 + 1728.0), 1e-12);
  EXPECT_EQ(norm(reshape(x, {2, 2}), 2, DimList(1)).to_vector<double>(), (std::vector<double>{5, 12}));
  EXPECT_NEAR(norm(full({4}, 300.0, DType::float16)).item<double>(), 600, 0.5);
  for (double p : {2.0, 3.0}) {
    Tensor origin = zeros({3}, DType::float64);
    origin.set_requires_grad();
    norm(origin, p).backward();
    EXPECT_EQ(origin.grad().to_vector<double>(), std::vector<double>(3, 0.0));
    check_gradients([&](const auto& v) { return norm(v[0], p, DimList(1)); }, {random_doubles({3, 4})});
  }
  check_gradients([](const auto& v) { return norm(v[0], 1, DimList(1)); }, {random_doubles({3, 4})});
}

TEST(StatisticsTest, NansAndComparisons) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = numbers({1, nan, 4});
  EXPECT_EQ(nansum(x).item<double>(), 5);
  EXPECT_EQ(nanmean(x).item<double>(), 2.5);
  EXPECT_TRUE(std::isnan(nanmean(numbers({nan})).item<double>()));
  EXPECT_EQ(std::get<0>(aminmax(numbers({3, 1, 2}))).item<double>(), 1);
  EXPECT_EQ(std::get<1>(aminmax(numbers({3, 1, 2}), 0, true)).shape(), Shape({1}));
  EXPECT_TRUE(equal(numbers({1, 2}), numbers({1, 2})));
  EXPECT_FALSE(equal(numbers({1, 2}), numbers({1, 3})));
  EXPECT_FALSE(equal(numbers({1, 2}), numbers({1, 2, 3})));
  EXPECT_FALSE(equal(x, x));
  EXPECT_TRUE(allclose(numbers({1, 2}), numbers({1 + 1e-9, 2})));
  EXPECT_FALSE(allclose(numbers({1, 2}), numbers({1.1, 2})));
  EXPECT_FALSE(allclose(x, x));
  EXPECT_TRUE(allclose(x, x, 1e-5, 1e-8, true));
  EXPECT_EQ(trapezoid(numbers({1, 2, 4})).item<double>(), 4.5);
  EXPECT_EQ(trapezoid(numbers({1, 2, 4}), numbers({0, 2, 3})).item<double>(), 6);
  EXPECT_EQ(trapezoid(numbers({5})).item<double>(), 0);
}

TEST(StatisticsTest, Covariance) {
  const Tensor x = from_values<double>(std::vector<double>{1, 2, 4, 2, 1, 0}, {2, 3});
  const auto c = cov(x).to_vector<double>();
  EXPECT_NEAR(c[0], 7.0 / 3, 1e-14);
  EXPECT_NEAR(c[1], -1.5, 1e-14);
  EXPECT_NEAR(c[3], 1, 1e-14);
  EXPECT_NEAR(cov(x, 0).to_vector<double>()[3], 2.0 / 3, 1e-14);
  // Counting an observation twice is repeating it.
  const Tensor twice = from_values<double>(std::vector<double>{1, 2, 4, 4, 2, 1, 0, 0}, {2, 4});
  const Tensor times = from_values<std::int64_t>(std::vector<std::int64_t>{1, 1, 2}, {3});
  EXPECT_TRUE(allclose(cov(x, 1, times), cov(twice), 1e-13, 1e-14));
  EXPECT_TRUE(allclose(cov(x, 0, {}, numbers({1, 1, 2})), cov(twice, 0), 1e-13, 1e-14));
  EXPECT_NEAR(corrcoef(x).to_vector<double>()[1], -1.5 / std::sqrt(7.0 / 3), 1e-14);
  EXPECT_EQ(cov(numbers({1, 2, 3})).rank(), 0);
  EXPECT_THROW(cov(zeros({2, 2, 2})), ShapeError);
  check_gradients([](const auto& v) { return cov(v[0]); }, {random_doubles({2, 5})});
  check_gradients([](const auto& v) { return corrcoef(v[0]); }, {random_doubles({2, 5})}, false);
}

TEST(ReduceGradientTest, FirstAndSecondOrder) {
  const Tensor x = random_doubles({3, 4, 2});
  for (const OptionalDims& dim : {OptionalDims(), OptionalDims(DimList(1)), OptionalDims(DimList{0, 2})}) {
    for (bool keepdim : {false, true}) {
      check_gradients([&](const auto& v) { return sum(v[0], dim, keepdim); }, {x});
      check_gradients([&](const auto& v) { return mean(v[0], dim, keepdim); }, {x});
      check_gradients([&](const auto& v) { return prod(v[0], dim, keepdim); }, {x});
      check_gradients([&](const auto& v) { return amax(v[0], dim, keepdim); }, {x});
      check_gradients([&](const auto& v) { return amin(v[0], dim, keepdim); }, {x});
      check_gradients([&](const auto& v) { return var(v[0], dim, 1, keepdim); }, {x});
      check_gradients([&](const auto& v) { return std(v[0], dim, 0, keepdim); }, {x});
      check_gradients([&](const auto& v) { return logsumexp(v[0], dim, keepdim); }, {x});
    }
  }
}

TEST(ReduceGradientTest, TiesAndZeros) {
  Tensor x = numbers({2, 5, 5, 1});
  x.set_requires_grad();
  amax(x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 0.5, 0.5, 0}));
  for (const auto& [values, expected] : {std::pair(numbers({2, 0, 5}), std::vector<double>{0, 10, 0}),
                                         std::pair(numbers({2, 0, 0}), std::vector<double>{0, 0, 0})}) {
    Tensor factors = values;
    factors.set_requires_grad();
    prod(factors).backward();
    EXPECT_EQ(factors.grad().to_vector<double>(), expected);
  }
}

TEST(ReduceGradientTest, HalvesAndDtypeArgument) {
  Tensor x = random_doubles({4}).to(DType::bfloat16);
  x.set_requires_grad();
  sum(x, {}, false, DType::float32).backward();
  EXPECT_EQ(x.grad().dtype(), DType::bfloat16);
  mean(x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), std::vector<double>(4, 1.25));
}

TEST(SumToShapeTest, UndoesBroadcasting) {
  const Tensor x = ones({2, 3, 4});
  EXPECT_EQ(sum_to_shape(x, {4}).to_vector<float>(), std::vector<float>(4, 6));
  EXPECT_EQ(sum_to_shape(x, {3, 1}).to_vector<float>(), std::vector<float>(3, 8));
  EXPECT_EQ(sum_to_shape(x, {}).item<float>(), 24);
  EXPECT_EQ(sum_to_shape(x, {2, 3, 4}).numel(), 24);
  EXPECT_EQ(sum_to_shape(zeros({2, 0}), {2, 1}).to_vector<float>(), std::vector<float>(2, 0));
}

}  // namespace
}  // namespace phlox
