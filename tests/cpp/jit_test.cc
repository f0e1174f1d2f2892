// shard: graph
#include "phlox/graph/jit.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/graph/control_flow.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/optim/optim.h"

namespace phlox {
namespace {

struct Net : nn::Module {
  nn::Linear hidden{this, "hidden", 4, 8};
  nn::Dropout drop{this, "drop", 0.2};
  nn::Linear head{this, "head", 8, 3};
  Tensor forward(Tensor x) override { return head(drop(relu(hidden(x)))); }
};

template <class Optimizer, class Options>
std::pair<std::vector<float>, std::vector<float>> train(bool captured, const Options& options) {
  manual_seed(5);
  Net net;
  Optimizer optimizer(net.parameters(), options);
  const auto step = [&](const Tensor& x, const Tensor& y) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(net(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  };
  auto fast = jit(step);
  std::vector<float> losses;
  for (int i = 0; i < 5; ++i) {
    const Tensor x = randn({6, 4}), y = randint(0, 3, {6});
    losses.push_back((captured ? fast(x, y) : step(x, y)).template item<float>());
  }
  EXPECT_EQ(fast.capture_count(), captured ? 1 : 0);
  return {losses, net.head.weight.template to_vector<float>()};
}

TEST(Jit, TrainsAsEagerStepsDo) {
  EXPECT_EQ((train<optim::AdamW>(false, optim::AdamWOptions{.lr = 0.01})),
            (train<optim::AdamW>(true, optim::AdamWOptions{.lr = 0.01})));
  const optim::SGDOptions sgd{.lr = 0.1, .momentum = 0.9};
  EXPECT_EQ((train<optim::SGD>(false, sgd)), (train<optim::SGD>(true, sgd)));
}

TEST(Jit, CapturesOnceForEachKindOfArguments) {
  auto function = jit([](const Tensor& x, const Tensor& y) { return std::tuple(x + y, x * y); });
  EXPECT_EQ(function.graph(), nullptr);
  for (std::int64_t size : {2, 3, 2, 3}) {
    const auto [sum, product] = function(full({size}, 2.0), full({size}, 5.0));
    EXPECT_EQ(sum.to_vector<float>(), std::vector<float>(static_cast<std::size_t>(size), 7));
    EXPECT_EQ(product.to_vector<float>(), std::vector<float>(static_cast<std::size_t>(size), 10));
  }
  EXPECT_EQ(function.capture_count(), 2);
  EXPECT_NE(function.graph(), nullptr);
}

TEST(Jit, WritesIntoWhatIsAroundIt) {
  const Tensor total = zeros({2});
  auto add_up = jit([&](const Tensor& x) { total.add_(x); });
  add_up(ones({2}));
  add_up(ones({2}));
  EXPECT_EQ(total.to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(add_up.capture_count(), 1);
}

TEST(Jit, IsPartOfAnotherCapture) {
  auto inner = jit([](const Tensor& x) { return x * 2; });
  auto outer = jit([&](const Tensor& x) {
    return cond(gt(sum(x), 0), [&] { return TensorList{inner(x)}; }, [&] { return TensorList{x}; })[0];
  });
  EXPECT_EQ(outer(ones({2})).to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(outer(full({2}, -1.0)).to_vector<float>(), (std::vector<float>{-1, -1}));
  EXPECT_EQ(inner.capture_count(), 0);
  EXPECT_EQ(outer.capture_count(), 1);
}

TEST(Jit, CanBeDisabled) {
  auto function = jit([](const Tensor& x) { return x * x.item<float>(); });
  EXPECT_EQ(code_of([&] { function(ones({1})); }), ErrorCode::value_while_capturing);
  const DisableJit eager;
  EXPECT_EQ(function(full({1}, 3.0)).item<float>(), 9);
}

TEST(Jit, SizesAreNotCompiledAnew) {
  manual_seed(0);
  Net net;
  optim::AdamW optimizer(net.parameters(), {.lr = 0.01});
  auto step = jit([&](const Tensor& x, const Tensor& y) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(net(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  // Of the first call two captures come: one makes the state of the optimiser.
  step(ones({3, 4}), zeros({3}, DType::int64));
  const int first = step.compile_count();
  for (std::int64_t size = 1; size <= 64; ++size) step(ones({size, 4}), zeros({size}, DType::int64));
  EXPECT_LE(step.compile_count(), std::max(first, 2)) << step.symbolic_graph();
  EXPECT_GE(step.capture_count(), 64);
  EXPECT_NE(step.symbolic_graph().find("f32[b,4]"), std::string::npos) << step.symbolic_graph();
}

}  // namespace
}  // namespace phlox
