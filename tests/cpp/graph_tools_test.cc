// Tools on graphs, and the trap for what is not finite, from C++.
#include <gtest/gtest.h>

#include <filesystem>

#include "error_matching.h"
#include "phlox/core/charged_bytes.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/compare.h"
#include "phlox/graph/jit.h"
#include "phlox/graph/plan.h"
#include "phlox/io/tensorboard.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/train/trap_nonfinite.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

class GraphTools : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(GraphTools, TheTrapNamesOperationAndModule) {
  struct Net : nn::Module {
    nn::Linear head{this, "head", 2, 2};
    Tensor forward(Tensor x) override { return log(head(x)); }
  } net;
  const NoGrad no_grad;
  zero_(net.head.weight);
  zero_(net.head.bias);
  const auto eager = [&](const Tensor& x) { return net(x) - net(x); };
  const TrapNonfinite trap(folder_.path());
  EXPECT_ERROR(eager(ones({1, 2})), NonFiniteError, "log: 2 infinite of 2 elements, of finite inputs");
  auto step = jit(eager);
  EXPECT_ERROR(step(ones({1, 2})), NonFiniteError, "log: 2 infinite of 2 elements, of finite inputs");
  const TensorList results = replay(folder_.path() / "nonfinite-log-1.safetensors");
  EXPECT_EQ(results.size(), 1u);
  EXPECT_FALSE(std::isfinite(results[0][0][0].item<double>()));
}

TEST_F(GraphTools, TheTrapEndsWithItsScope) {
  {
    const TrapNonfinite trap(folder_.path());
    EXPECT_TRUE(is_trap_nonfinite_enabled());
  }
  EXPECT_FALSE(is_trap_nonfinite_enabled());
  EXPECT_NO_THROW(log(zeros({2})));
}

TEST_F(GraphTools, AChangedGraphIsFound) {
  const auto capture = [](double factor) {
    return graph::trace([=](const TensorList& x) -> TensorList { return {tanh(exp(x[0]) * factor)}; },
                        {ones({3})})
        .graph;
  };
  const graph::GraphPointer a = capture(2), b = capture(3);
  EXPECT_EQ(graph::diff(*a, *a), "the graphs are equal\n");
  EXPECT_NE(graph::diff(*a, *b).find("+ %1: f32[3] = mul(%0, 3"), std::string::npos) << graph::diff(*a, *b);
  const auto found = graph::first_difference(*a, *b, {zeros({3})});
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(found->largest_error, 0);
  EXPECT_FALSE(graph::bisect_plan(a, {zeros({3})}).has_value());
  EXPECT_FALSE(graph::bisect_passes(a, {zeros({3})}, graph::default_pipeline()).has_value());
}

TEST_F(GraphTools, LargeIntegersAreComparedAsIntegers) {
  const std::int64_t large = std::int64_t{1} << 60;
  const auto add = [](std::int64_t number) {
    return graph::parse(
        fmt::format("graph(%x: i64[2]) {{\n%0: i64[2] = add(%x, {})\nreturn %0\n}}\n", number));
  };
  const Tensor x = full({2}, Scalar(large), DType::int64);
  EXPECT_FALSE(graph::first_difference(*add(0), *add(0), {x}).has_value());
  const auto found = graph::first_difference(*add(0), *add(1), {x});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->largest_error, 1);
  EXPECT_NE(found->text.find("1152921504606846977"), std::string::npos) << found->text;
  EXPECT_FALSE(graph::first_difference(*add(0), *add(1), {x}, 1).has_value());
}

TEST_F(GraphTools, APlanTellsItsMemory) {
  const graph::Captured captured = graph::trace(
      [](const TensorList& x) -> TensorList { return {sum(exp(x[0]) * 2)}; }, {ones({1024, 1024})});
  const graph::MemoryPlan plan = captured.memory_plan({ones({1024, 1024})});
  EXPECT_EQ(plan.inputs, charged_bytes(4 << 20));
  EXPECT_GE(plan.intermediate(), charged_bytes(4 << 20));
  EXPECT_EQ(plan.peak(), plan.inputs + plan.intermediate() + plan.outputs + plan.evaluated + plan.constants);
  const auto capture = [](const TensorList& examples) {
    return graph::trace([](const TensorList& x) -> TensorList { return {sum(exp(x[0]) * 2)}; }, examples);
  };
  const auto batch = graph::largest_batch(capture, {ones({1024, 1024})}, plan.peak() / 2);
  ASSERT_TRUE(batch.has_value());
  EXPECT_GT(*batch, 400);
  EXPECT_LT(*batch, 600);
}

TEST_F(GraphTools, AnEventFileIsWritten) {
  const graph::GraphPointer graph =
      graph::trace([](const TensorList& x) -> TensorList { return {exp(x[0])}; }, {ones({3})}).graph;
  const std::filesystem::path path = save_tensorboard_graph(folder_.path() / "logs", *graph);
  EXPECT_GT(std::filesystem::file_size(path), 100u);
}

}  // namespace
}  // namespace phlox
