// Plans of one function share the memory for what lives in between.
#include "phlox/graph/workspace.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <thread>

#include "phlox/core/allocator.h"
#include "phlox/core/random.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/plan.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox::graph {
namespace {

TensorList chain(const TensorList& x) { return {sum(exp(sin(x[0]) * 2) + x[0], 1)}; }

TEST(Workspace, TheFirstFreeBlockIsLentAndGrows) {
  Workspace workspace;
  char* first = nullptr;
  {
    const Workspace::Loan outer(workspace, 1000);
    first = outer.data();
    const Workspace::Loan inner(workspace, 500);
    EXPECT_NE(outer.data(), inner.data());
  }
  EXPECT_EQ(workspace.block_sizes(), (std::vector<std::size_t>{1000, 500}));
  {
    EXPECT_EQ(Workspace::Loan(workspace, 100).data(), first);
  }
  {
    const Workspace::Loan larger(workspace, 4000);
  }
  EXPECT_EQ(workspace.block_sizes(), (std::vector<std::size_t>{4000, 500}));
}

TEST(Workspace, ALoanThatFailsLeavesTheBlockFree) {
  Workspace workspace;
  set_memory_limit(memory_statistics().allocated_bytes + (1 << 20));
  EXPECT_THROW(Workspace::Loan(workspace, std::size_t{1} << 30), OutOfMemoryError);
  set_memory_limit(0);
  const Workspace::Loan small(workspace, 100);
  EXPECT_EQ(workspace.block_sizes(), (std::vector<std::size_t>{100}));
}

TEST(Workspace, PlansOfAllSizesNeedTheMemoryOfTheLargest) {
  const auto workspace = std::make_shared<Workspace>();
  std::vector<Tensor> inputs;
  std::deque<Plan> plans;
  std::size_t largest = 0;
  for (const std::int64_t size : {64, 8, 96, 32}) {
    inputs.push_back(randn({size, 100}));
    plans.emplace_back(trace(chain, {inputs.back()}).graph, std::span(&inputs.back(), 1),
                       std::span<const Donation>(), Plan::Kind::plain, workspace);
    largest = std::max(largest, plans.back().arena_bytes());
  }
  EXPECT_EQ(plans[2].arena_bytes(), largest);
  for (int turn = 0; turn < 2; ++turn)
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const auto results = plans[i].run(std::span(&inputs[i], 1));
      ASSERT_TRUE(results.has_value());
      EXPECT_EQ((*results)[0].to_vector<float>(), chain({inputs[i]})[0].to_vector<float>());
    }
  EXPECT_EQ(workspace->block_sizes(), std::vector<std::size_t>{largest});
}

TEST(Workspace, APlanInUseElsewhereMeansAnotherBlock) {
  const auto workspace = std::make_shared<Workspace>();
  const Tensor x = randn({8, 100});
  Plan plan(trace(chain, {x}).graph, std::span(&x, 1), {}, Plan::Kind::plain, workspace);
  const std::vector<float> expected = chain({x})[0].to_vector<float>();
  const auto run = [&] { return (*plan.run(std::span(&x, 1)))[0].to_vector<float>(); };
  EXPECT_EQ(run(), expected);
  {
    const Workspace::Loan used_elsewhere(*workspace, 1);
    EXPECT_EQ(run(), expected);
    EXPECT_EQ(workspace->block_sizes().size(), 2u);
  }
  EXPECT_EQ(run(), expected);
  EXPECT_EQ(workspace->block_sizes().size(), 2u);
}

TEST(Workspace, LoopsWithinLoopsHaveBlocksOfTheirOwn) {
  const auto nested = [](const TensorList& x) {
    const auto inner = [](const Tensor&, const TensorList& s) -> TensorList {
      return {sin(s[0]) + s[0] * 2};
    };
    const auto outer = [&](const Tensor&, const TensorList& s) -> TensorList {
      return {for_loop(x[1], inner, s)[0] * 0.5 + exp(-s[0])};
    };
    return for_loop(x[1], outer, {cos(x[0] + 1) * 2});
  };
  const TensorList given{randn({50, 20}), full({}, 3, DType::int64)};
  Captured captured = trace(nested, given);
  const auto workspace = std::make_shared<Workspace>();
  captured.use_workspace(workspace);
  EXPECT_EQ(captured.run(given)[0].to_vector<float>(), nested(given)[0].to_vector<float>());
  EXPECT_EQ(workspace->block_sizes(), captured.memory_plan(given).blocks);
  EXPECT_EQ(workspace->block_sizes().size(), 3u);
}

TEST(Workspace, ThreadsRunPlansOfOneWorkspace) {
  const auto workspace = std::make_shared<Workspace>();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      const Tensor x = randn({static_cast<std::int64_t>(8 * (t + 1)), 100});
      Plan plan(trace(chain, {x}).graph, std::span(&x, 1), {}, Plan::Kind::plain, workspace);
      const std::vector<float> expected = chain({x})[0].to_vector<float>();
      for (int turn = 0; turn < 50; ++turn)
        wrong[t] += (*plan.run(std::span(&x, 1)))[0].to_vector<float>() != expected;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
  EXPECT_LE(workspace->block_sizes().size(), 4u);
}

}  // namespace
}  // namespace phlox::graph
