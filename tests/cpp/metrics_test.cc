#include "phlox/metrics/classification.h"

#include <gtest/gtest.h>

#include <cmath>

#include "phlox/ops/functions.h"

namespace phlox::metrics {
namespace {

Tensor classes(std::vector<std::int64_t> values) {
  return from_values<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
}

TEST(Metrics, ConfusionMatrixGivesSharesOfEachClass) {
  ConfusionMatrix confusion(3);
  EXPECT_TRUE(std::isnan(confusion.accuracy()));
  confusion.update(classes({1, 0, 2, 0}), classes({1, 0, 1, 2}));
  EXPECT_EQ(confusion.accuracy(), 0.5);
  EXPECT_EQ(confusion.precision().to_vector<double>(), (std::vector<double>{0.5, 1, 0}));
  EXPECT_EQ(confusion.recall().to_vector<double>(), (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(confusion.f1().to_vector<double>(), (std::vector<double>{2.0 / 3, 2.0 / 3, 0}));
}

TEST(Metrics, OfEqualScoresTheFirstCountsAsBest) {
  const std::vector<float> scores = {0.4f, 0.4f, 0.2f};
  const Tensor output = from_values<float>(scores, {1, 3});
  EXPECT_EQ(top_k_accuracy(output, classes({0}), 1), 1);
  EXPECT_EQ(top_k_accuracy(output, classes({1}), 1), 0);
  EXPECT_EQ(top_k_accuracy(output, classes({1}), 2), 1);
  EXPECT_THROW(top_k_accuracy(output, classes({3}), 2), IndexError);
  EXPECT_THROW(top_k_accuracy(output, classes({0, 1}), 2), ShapeError);
}

}  // namespace
}  // namespace phlox::metrics
