// Sizes that overflow, memory that overlaps, values at which derivatives go wrong.
#include <gtest/gtest.h>

#include <cmath>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/nn/normalization.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;

TEST(Limits, ViewsStayWithinTheStorage) {
  const Tensor x = zeros({4});
  const std::int64_t huge = std::int64_t{1} << 61;
  EXPECT_EQ(code_of([&] { as_strided(x, {9, 9}, {huge + 50, huge - 50}); }), ErrorCode::not_viewable);
  EXPECT_EQ(code_of([&] { as_strided(x, {2, 2}, {-1, 1}, 0); }), ErrorCode::not_viewable);
  EXPECT_EQ(as_strided(x, {0, 9}, {huge, huge}).numel(), 0);
  EXPECT_EQ(as_strided(x, {2, 2}, {-1, 1}, 1).numel(), 4);
}

TEST(Limits, SizesThatNobodyCanCount) {
  const std::int64_t many = std::int64_t{1} << 40;
  EXPECT_EQ(code_of([&] { expand(ones({1}), {many, many}); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { repeat(zeros({3}), {std::int64_t{1} << 62}); }), ErrorCode::invalid_value);
  const Tensor signal = zeros({1, 1, 8}), kernel = zeros({1, 1, 3});
  EXPECT_EQ(code_of([&] { conv1d(signal, kernel, {}, 1, std::int64_t{1} << 62); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { max_pool1d(signal, 2, DimList(1), 0, std::int64_t{1} << 62); }),
            ErrorCode::invalid_value);
}

TEST(Limits, WritesIntoOverlappingMemoryAreRefused) {
  const Tensor repeated = expand(zeros({1}), {4});
  EXPECT_THROW(repeated.add_(1), StateError);
  EXPECT_THROW(repeated.fill_(1), StateError);
  EXPECT_THROW(repeated.copy_(ones({4})), StateError);
  EXPECT_THROW(as_strided(ones({10}), {8, 3}, {1, 1}).mul_(2), StateError);
  // Views that only look so.
  const Tensor x = zeros({4, 6});
  x.t().add_(1);
  as_strided(x, {2, 3}, {12, 2}).add_(1);
  flip(x, {0, 1}).add_(1);
  expand(zeros({1, 3}), {1, 3}).add_(1);
  EXPECT_EQ(sum(x).item<double>(), 24 + 6 + 24);
}

TEST(Limits, ProductsKeepTheirDerivativesAtZero) {
  const auto check = [](const Shape& shape, const std::vector<double>& values) {
    const Tensor x = from_values<double>(values, shape);
    check_gradients([](const TensorList& in) { return prod(in[0]); }, {x});
    check_gradients([](const TensorList& in) { return prod(in[0], 0); }, {x});
    check_gradients([](const TensorList& in) { return cumprod(in[0], 0); }, {x});
  };
  check({3}, {0, 2, 3});
  check({4}, {0, 2, 0, 3});
  check({2, 3}, {0, 2, 3, 1, 0, 0.5});
}

TEST(Limits, AnEmptyBatchLeavesRunningStatisticsAlone) {
  nn::BatchNorm1d batch_norm(3);
  EXPECT_EQ(batch_norm(zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(batch_norm.running_mean.to_vector<float>(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(batch_norm.running_var.to_vector<float>(), (std::vector<float>{1, 1, 1}));
  nn::InstanceNorm1d instance_norm(3, {.track_running_stats = true});
  instance_norm(zeros({0, 3, 2}));
  EXPECT_EQ(instance_norm.running_mean.to_vector<float>(), (std::vector<float>{0, 0, 0}));
  EXPECT_THROW(instance_norm(zeros({2, 3, 1})), ValueError);
}

TEST(Limits, ValuesOutOfTheirDomain) {
  EXPECT_THROW(binary_cross_entropy(full({1}, 1.5), ones({1})), ValueError);
  EXPECT_THROW(embedding(full({1}, -1), ones({3, 2})), IndexError);
}

}  // namespace
}  // namespace phlox
