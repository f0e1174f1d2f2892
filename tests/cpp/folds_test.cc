#include "phlox/graph/folds.h"

#include <gtest/gtest.h>

#include "phlox/phlox.h"

namespace phlox {
namespace {

TEST(Folds, SwitchTakesTheNearestBranch) {
  const Tensor x = full({}, 3.0);
  const auto take = [&](std::int64_t i) {
    return switch_case(Tensor(Scalar(i), {.dtype = DType::int64}),
                       {[&] { return TensorList{x}; }, [&] { return TensorList{mul(x, 10)}; },
                        [&] { return TensorList{neg(x)}; }})[0]
        .item<double>();
  };
  EXPECT_EQ(take(0), 3);
  EXPECT_EQ(take(1), 30);
  EXPECT_EQ(take(2), -3);
  EXPECT_EQ(take(7), -3);
  EXPECT_EQ(take(-1), 3);
  EXPECT_THROW(switch_case(zeros({}, DType::int64), {}), ValueError);
}

TEST(Folds, FoldsGoBothWays) {
  const Tensor x = arange(1, 5);
  const Fold difference = [](const TensorList& total, const TensorList& row) {
    return TensorList{sub(total[0], row[0])};
  };
  EXPECT_EQ(foldl(difference, {x})[0].item<std::int64_t>(), 1 - 2 - 3 - 4);
  EXPECT_EQ(foldr(difference, {x})[0].item<std::int64_t>(), 4 - 3 - 2 - 1);
  EXPECT_EQ(foldl(difference, {x}, {full({}, 0, DType::int64)})[0].item<std::int64_t>(), -10);
  EXPECT_THROW(foldl(difference, {zeros({0})}), ShapeError);
}

TEST(Folds, AssociativeScanIsTheRunningResult) {
  const Tensor x = arange(1, 8);
  const Combine product = [](const TensorList& a, const TensorList& b) {
    return TensorList{mul(a[0], b[0])};
  };
  EXPECT_TRUE(equal(associative_scan(product, {x})[0], cumprod(x, 0)));
  EXPECT_EQ(associative_scan(product, {x}, 0, true)[0].select(0, 0).item<std::int64_t>(), 5040);
  EXPECT_THROW(associative_scan(product, {x, arange(3)}), ShapeError);
}

TEST(Folds, CustomGradientIsUsed) {
  const Tensor x = full({2}, 3.0, DType::float64);
  x.set_requires_grad();
  const Tensor y = autograd::custom_gradient({x}, [](const TensorList& in) {
    return autograd::WithGradient{{mul(in[0], 2)},
                                  [](const TensorList& g) { return TensorList{mul(g[0], 7)}; }};
  })[0];
  sum(y).backward();
  EXPECT_EQ(x.grad().select(0, 1).item<double>(), 7);
  EXPECT_FALSE(autograd::stop_gradient(x).requires_grad());
}

}  // namespace
}  // namespace phlox
