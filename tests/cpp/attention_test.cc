#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finite_differences.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

// For one head: query [l, e], key [s, e], value [s, v], added mask [l, s].
std::vector<double> naive(const Tensor& query, const Tensor& key, const Tensor& value,
                          const std::vector<double>& mask, double scale) {
  const std::int64_t l = query.size(0), e = query.size(1), s = key.size(0), width = value.size(1);
  const auto q = query.to_vector<double>(), k = key.to_vector<double>(), v = value.to_vector<double>();
  std::vector<double> result(static_cast<std::size_t>(l * width), 0);
  for (std::int64_t i = 0; i < l; ++i) {
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t j = 0; j < s; ++j) {
      double score = 0;
      for (std::int64_t d = 0; d < e; ++d) score += q[i * e + d] * k[j * e + d];
      weights.push_back(std::exp(score * scale + mask[i * s + j]));
      total += weights.back();
    }
    for (std::int64_t j = 0; j < s; ++j)
      for (std::int64_t d = 0; d < width; ++d) result[i * width + d] += weights[j] / total * v[j * width + d];
  }
  return result;
}

void expect_values(const Tensor& actual, const std::vector<double>& expected) {
  const auto values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], 1e-12) << "element " << i;
}

TEST(Attention, AgainstTheDefinition) {
  const Tensor q = random_doubles({4, 3}), k = random_doubles({5, 3}, 2), v = random_doubles({5, 2}, 3);
  const double scale = 1 / std::sqrt(3.0), never = -std::numeric_limits<double>::infinity();
  expect_values(scaled_dot_product_attention(q, k, v), naive(q, k, v, std::vector<double>(20, 0), scale));
  expect_values(scaled_dot_product_attention(q, k, v, {}, 0, false, 0.5),
                naive(q, k, v, std::vector<double>(20, 0), 0.5));
  std::vector<double> causal;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 5; ++j) causal.push_back(j > i ? never : 0);
  expect_values(scaled_dot_product_attention(q, k, v, {}, 0, true), naive(q, k, v, causal, scale));
  const Tensor allowed = gt(random_doubles({4, 5}, 4), -1.0);
  std::vector<double> mask;
  for (bool a : allowed.to_vector<bool>()) mask.push_back(a ? 0 : never);
  expect_values(scaled_dot_product_attention(q, k, v, allowed), naive(q, k, v, mask, scale));
  const Tensor added = random_doubles({4, 5}, 5);
  expect_values(scaled_dot_product_attention(q, k, v, added),
                naive(q, k, v, added.to_vector<double>(), scale));
}

TEST(Attention, BatchesAndGroupedHeads) {
  const Tensor q = random_doubles({2, 4, 3, 3}), k = random_doubles({2, 2, 5, 3}, 2),
               v = random_doubles({2, 2, 5, 2}, 3);
  const Tensor result = scaled_dot_product_attention(q, k, v, {}, 0, false, {}, true);
  ASSERT_EQ(result.shape(), (Shape{2, 4, 3, 2}));
  const auto head = [](const Tensor& x, int n, int h) { return select(select(x, 0, n), 0, h); };
  for (int n = 0; n < 2; ++n)
    for (int h = 0; h < 4; ++h)
      expect_values(head(result, n, h), naive(head(q, n, h), head(k, n, h / 2), head(v, n, h / 2),
                                              std::vector<double>(15, 0), 1 / std::sqrt(3.0)));
}

TEST(Attention, DropsWeights) {
  // All scores are equal, so each weight is 1 / 64, and those that stay count double.
  const Tensor q = zeros({8, 4}, DType::float64), k = zeros({64, 4}, DType::float64);
  const Tensor v = ones({64, 1}, DType::float64);
  int changed = 0;
  for (double sum : scaled_dot_product_attention(q, k, v, {}, 0.5).to_vector<double>()) {
    EXPECT_NEAR(sum * 32, std::round(sum * 32), 1e-9);
    EXPECT_GT(sum, 0.2);
    EXPECT_LT(sum, 1.8);
    changed += sum != 1;
  }
  EXPECT_GT(changed, 0);
}

TEST(Attention, GradientsAndErrors) {
  const TensorList inputs{random_doubles({2, 3, 2}), random_doubles({2, 3, 2}, 2),
                          random_doubles({2, 3, 2}, 3)};
  check_gradients(
      [](const TensorList& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {}, 0, true); },
      inputs);
  EXPECT_THROW(scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], zeros({3, 3}), 0, true),
               ValueError);
  EXPECT_THROW(scaled_dot_product_attention(random_doubles({3}), inputs[1], inputs[2]), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(random_doubles({2, 3, 4}), inputs[1], inputs[2]), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], {}, 1.5), ValueError);
}

}  // namespace
}  // namespace phlox
