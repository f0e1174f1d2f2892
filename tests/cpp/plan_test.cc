// Graphs made ready to run: what they give is what the function gives, the first time and later.
#include "phlox/graph/plan.h"

#include <gtest/gtest.h>

#include "phlox/core/parallel.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/plan_stages.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox::graph {
namespace {

using Function = std::function<TensorList(const TensorList&)>;

// Captures with the first arguments and compares with the others.
void expect_equal(const Function& function, const std::vector<TensorList>& arguments) {
  const Captured captured = trace(function, arguments[0]);
  for (const TensorList& given : arguments) {
    const TensorList eager = function(given), planned = captured.run(given);
    ASSERT_EQ(eager.size(), planned.size());
    for (std::size_t i = 0; i < eager.size(); ++i)
      EXPECT_EQ(eager[i].to_vector<double>(), planned[i].to_vector<double>()) << i;
  }
}

std::vector<TensorList> samples(const std::vector<Shape>& shapes, DType dtype = DType::float32) {
  std::vector<TensorList> arguments(3);
  for (TensorList& list : arguments)
    for (const Shape& shape : shapes) list.push_back(randn(shape).to(dtype));
  return arguments;
}

TEST(Plan, CopiesThatAreWrittenLeaveTheirSourceAlone) {
  expect_equal(
      [](const TensorList& x) -> TensorList {
        const Tensor doubled = x[0] * 2.0, copy = doubled.clone();
        copy[0].fill_(7.0);
        copy[1].add_(doubled[0]);
        const Tensor again = copy.clone();
        again.mul_(3.0);
        // What comes after a copy here is evaluated as it comes.
        const Tensor index = unsqueeze(argmax(copy, 1), 1), last = again.clone(),
                     found = gather(copy, 1, index);
        return {doubled + copy, copy, again, doubled, found, last * 2.0};
      },
      samples({{4, 5}}));
}

TEST(Plan, CopiesAsResults) {
  expect_equal(
      [](const TensorList& x) -> TensorList {
        const Tensor sum = x[0] + 1.0;
        return {sum, sum.clone(), x[0].clone(), transpose(sum, 0, 1).clone(), sum.clone().clone()};
      },
      samples({{3, 4}}));
}

TEST(Plan, NumbersMeetTensorsOfAllSizes) {
  for (const std::int64_t size : {1, 5, 64, 1000, 1024, 1025, 5000, 16384, 20000})
    for (const DType dtype : {DType::float32, DType::float64, DType::int64})
      expect_equal(
          [](const TensorList& x) -> TensorList {
            const Tensor number = x[1] * 2, one = reshape(x[1], {1});
            return {x[0] * number,
                    number - x[0] * 3,
                    x[0] + one,
                    where(gt(x[0], number), x[0], number),
                    number.to(DType::float64) * 1.5,
                    one.to(DType::float32) + x[0].to(DType::float32)};
          },
          samples({{size}, {}}, dtype));
}

TEST(Plan, IndependentBranchesGiveTheSameInAllNumbersOfThreads) {
  const int before = thread_count();
  std::vector<Tensor> weights;
  for (int i = 0; i < 24; ++i) weights.push_back(randn({48, 48}) * 0.2);
  const Function function = [&](const TensorList& x) -> TensorList {
    Tensor left = x[0], right = tanh(x[0]);
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      left = relu(matmul(left, weights[i]));
      right = tanh(matmul(right, weights[i + 1]));
    }
    const Tensor both = left + right;
    x[1].add_(both);
    const Tensor gradient = both * 0.5;
    for (std::size_t i = weights.size(); i > 0; i -= 2) {
      left = matmul(i + 2 > weights.size() ? gradient : left, transpose(weights[i - 2], 0, 1));
      right = matmul(i + 2 > weights.size() ? gradient : right, transpose(weights[i - 1], 0, 1));
    }
    return {both, left, sum(right, 0)};
  };
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    const Captured captured = trace(function, {randn({32, 48}), randn({32, 48})});
    for (int round = 0; round < 20; ++round) {
      const Tensor x = randn({32, 48}), state = randn({32, 48}), copy = state.clone();
      const TensorList eager = function({x, state}), planned = captured.run({x, copy});
      for (std::size_t i = 0; i < eager.size(); ++i)
        ASSERT_EQ(eager[i].to_vector<float>(), planned[i].to_vector<float>());
      ASSERT_EQ(state.to_vector<float>(), copy.to_vector<float>());
    }
  }
  set_thread_count(before);
}

TEST(Plan, StagesHaveLanesWhereTheySaveTime) {
  const auto use = [](double cost, std::vector<int> memories) {
    return StepUse{cost, memories, memories.back()};
  };
  // 0 gives 1; from that come two chains, 10-11 and 20-21, which 30 joins.
  const std::vector<StepUse> steps = {use(5e3, {0, 1}),         use(2e4, {1, 10}),  use(2e4, {1, 20}),
                                      use(2e4, {10, 11}),       use(2e4, {20, 21}), use(5e3, {11, 21, 30}),
                                      StepUse{-1, {30, 31}, 31}};
  const std::vector<Stage> stages = make_stages(steps, 2);
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].last, 1);
  EXPECT_EQ(stages[1].lanes, (std::vector<std::vector<int>>{{1, 3}, {2, 4}}));
  EXPECT_EQ(stages[1].last, 5);
  EXPECT_EQ(stages[2].last, 7);
  EXPECT_TRUE(stages[0].lanes.empty() && stages[2].lanes.empty());
  EXPECT_EQ(make_stages(steps, 1).size(), 1u);

  // A write to what another reads comes after it.
  const std::vector<StepUse> written = {use(2e4, {0, 1}), use(2e4, {0, 2}), use(2e4, {2, 0}),
                                        use(2e4, {3, 4})};
  const std::vector<Stage> two = make_stages(written, 4);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].lanes, (std::vector<std::vector<int>>{{0}, {1}}));
  EXPECT_EQ(two[1].lanes, (std::vector<std::vector<int>>{{2}, {3}}));
  const std::vector<StepUse> after = {use(2e4, {0, 1}), use(2e4, {3, 4}), use(2e4, {5, 0})};
  EXPECT_EQ(make_stages(after, 4)[0].lanes, (std::vector<std::vector<int>>{{0, 2}, {1}}));

  // Too little to be worth it.
  EXPECT_EQ(make_stages(std::vector{use(1e3, {0, 1}), use(1e3, {0, 2})}, 2).size(), 1u);
}

}  // namespace
}  // namespace phlox::graph
