// shard: graph
#include "phlox/graph/jit.h"

#include <gtest/gtest.h>

#include "error_matching.h"
#include "phlox/base/debug.h"
#include "phlox/core/random.h"
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

TEST(Jit, FollowsChangesOfModules) {
  manual_seed(2);
  Net net;
  const auto function = [&](const Tensor& x) { return net(x); };
  auto fast = jit(function);
  const Tensor x = ones({2, 4});
  std::int64_t hook = 0;
  const std::pair<const char*, std::function<void()>> changes[] = {
      {"nothing", [] {}},
      {"eval()", [&] { net.eval(); }},
      {"set_parameter()", [&] { net.head.set_parameter("weight", nn::make_parameter(ones({3, 8}))); }},
      {"a hook",
       [&] { hook = net.hidden.register_forward_hook([](auto&, auto&, const Tensor& y) { return y * 2; }); }},
      {"no hook", [&] { net.hidden.remove_hook(hook); }},
      {"requires_grad_()", [&] { net.requires_grad_(false); }},
  };
  for (const auto& [what, change] : changes) {
    change();
    for (int i = 0; i < 2; ++i) {
      const auto state = default_generator().state();
      const Tensor expected = function(x);
      default_generator().set_state(state);
      EXPECT_EQ(fast(x).to_vector<float>(), expected.to_vector<float>()) << what;
    }
  }
  const int captures = fast.capture_count();
  net.train();
  net.eval();
  fast(x);
  EXPECT_EQ(fast.capture_count(), captures) << "back in a mode that was captured";
}

TEST(Jit, FollowsSettingsAndLoadedStatesOfOptimizers) {
  const auto run = [](bool captured) {
    Tensor p = ones({3});
    p.set_requires_grad();
    optim::SGD optimizer({p}, {.lr = 0.1, .momentum = 0.5});
    const auto step = [&] {
      optimizer.zero_grad();
      sum(p * p * p).backward();
      optimizer.step();
      return p.detach().clone();
    };
    auto fast = jit(step);
    std::vector<float> seen;
    const auto twice = [&] {
      for (int i = 0; i < 2; ++i)
        seen.push_back((captured ? fast() : step()).select(0, 0).template item<float>());
    };
    twice();
    const StateDict state = [&] {
      StateDict copy;
      for (const auto& [name, tensor] : optimizer.state_dict()) copy.set(name, tensor.clone());
      return copy;
    }();
    optim::SGDOptions decayed = optimizer.options();
    decayed.weight_decay = 0.3;
    optimizer.set_options(decayed);
    twice();
    optimizer.set_momentum(0.9, 0);
    twice();
    optimizer.load_state_dict(state);
    twice();
    return seen;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(Jit, SchedulesStepInside) {
  const auto run = [](bool captured) {
    const Tensor p = ones({2}).set_requires_grad();
    optim::AdamW optimizer({p}, {.lr = 0.1});
    optim::OneCycleLR schedule(optimizer, {.max_lr = 0.1, .total_steps = 6});
    const auto step = [&] {
      optimizer.zero_grad();
      sum(p * p).backward();
      optimizer.step();
      schedule.step();
      return p.detach().clone();
    };
    auto fast = jit(step);
    std::vector<double> seen;
    for (int i = 0; i < 6; ++i) {
      seen.push_back((captured ? fast() : step()).select(0, 0).template item<float>());
      seen.insert(seen.end(), {optimizer.lr(), optimizer.momentum(), double(schedule.last_epoch())});
    }
    return seen;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(Jit, CapturesForOneKindOfArgumentsHaveALimit) {
  nn::Linear layer(2, 2);
  auto function = jit([&](const Tensor& x) { return layer(x); });
  const auto change_often = [&] {
    for (int i = 0; i < 20; ++i) {
      layer.set_parameter("bias", zeros({2}));
      function(ones({1, 2}));
    }
  };
  EXPECT_ERROR(change_often(), GraphError,
               "the settings, parts or hooks of a module changed, 8 times by now");
  EXPECT_EQ(function.capture_count(), 8);
}

TEST(Jit, InputsThatLieInTurnsHaveAPlanEach) {
  auto function = jit([](const Tensor& x) { return relu(x) * 2; });
  const Tensor rows = randn({3, 4}), columns = randn({4, 3}).t();
  // Each tells of itself when it is made.
  const DebugScope talking(4);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 6; ++i)
    for (const Tensor& x : {rows, columns}) EXPECT_TRUE(equal(function(x), relu(x) * 2));
  const std::string said = testing::internal::GetCapturedStderr();
  int plans = 0;
  for (std::size_t at = said.find("plan: "); at != said.npos; at = said.find("plan: ", at + 1)) ++plans;
  EXPECT_EQ(plans, 2) << said;
}

}  // namespace
}  // namespace phlox
