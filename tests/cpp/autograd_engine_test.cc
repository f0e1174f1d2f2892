#include "error_matching.h"
#include "phlox/autograd/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "phlox/autograd/anomaly.h"
#include "phlox/autograd/checkpoint.h"
#include "phlox/autograd/function.h"
#include "phlox/core/random.h"
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using Floats = std::vector<float>;

Tensor vector(Floats values, bool requires_grad = false) {
  auto size = static_cast<std::int64_t>(values.size());
  Tensor x = from_values<float>(values, {size});
  if (requires_grad) x.set_requires_grad();
  return x;
}

Floats values(const Tensor& x) { return x.to_vector<float>(); }

TEST(BackwardTest, AddsUpOverPathsAndCalls) {
  Tensor x = vector({1, 2, 3}, true), w = vector({4, 5, 6}, true);
  Tensor y = add(mul(x, w), mul(x, x));
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(y.is_leaf());
  EXPECT_FALSE(x.grad().defined());
  y.backward(vector({1, 1, 1}));
  EXPECT_EQ(values(x.grad()), (Floats{6, 9, 12}));
  EXPECT_EQ(values(w.grad()), (Floats{1, 2, 3}));
  mul(x, w).backward(vector({1, 10, 100}));
  EXPECT_EQ(values(x.grad()), (Floats{10, 59, 612}));
  EXPECT_FALSE(x.grad().requires_grad());
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST(BackwardTest, GradientsOfLeavesHaveTheirOwnMemory) {
  Tensor x = vector({1, 2}, true), y = vector({3, 4}, true), gradient = vector({1, 1});
  add(x, y).backward(gradient);
  EXPECT_FALSE(x.grad().shares_storage_with(y.grad()));
  EXPECT_FALSE(x.grad().shares_storage_with(gradient));
  EXPECT_FALSE(y.grad().shares_storage_with(gradient));
}

// Its gradient is a small part of a large tensor that nobody else holds.
struct PartNode final : GradientNode {
  PartNode() : GradientNode("part", 1) {}
  void backward(std::span<const Tensor>, std::span<Tensor> inputs) override {
    inputs[0] = make_view(make_tensor({1000}, DType::float32), {2}, {1}, 10);
  }
  void release_saved() override {}
};

TEST(BackwardTest, GradientsOfLeavesDoNotPinLargerMemory) {
  Tensor x = vector({1, 2}, true), y = vector({1, 2});
  auto node = Reference<GradientNode>::adopt(new PartNode);
  node->edges()[0] = gradient_edge(x);
  set_history(y, node);
  y.backward(vector({1, 1}));
  EXPECT_EQ(x.grad().impl()->storage->bytes, 2 * sizeof(float));
}

TEST(BackwardTest, ASingleElementNeedsNoGradientArgument) {
  Tensor x(3.0, {.requires_grad = true});
  mul(x, x).backward();
  EXPECT_EQ(x.grad().item<float>(), 6);
  Tensor y = mul(vector({1, 2}, true), 2.0);
  EXPECT_EQ(code_of([&] { y.backward(); }), ErrorCode::implicit_gradient_not_scalar);
  EXPECT_EQ(code_of([&] { vector({1}).backward(); }), ErrorCode::no_gradient_path);
  EXPECT_EQ(code_of([&] { y.backward(vector({1, 2, 3})); }), ErrorCode::gradient_shape);
  EXPECT_EQ(code_of([&] { y.backward(Tensor(1.0, {.dtype = DType::float64})); }), ErrorCode::gradient_shape);
}

TEST(BackwardTest, AFreedGraphIsAnError) {
  Tensor x = vector({1, 2}, true);
  Tensor y = mul(x, x);
  y.backward(vector({1, 1}), true);
  y.backward(vector({1, 1}));
  EXPECT_EQ(values(x.grad()), (Floats{4, 8}));
  EXPECT_EQ(code_of([&] { y.backward(vector({1, 1})); }), ErrorCode::backward_twice);
}

TEST(BackwardTest, NothingIsRecordedUnderNoGrad) {
  Tensor x = vector({1, 2}, true);
  {
    NoGrad off;
    EXPECT_FALSE(mul(x, x).requires_grad());
    EnableGrad on;
    EXPECT_TRUE(mul(x, x).requires_grad());
  }
  EXPECT_TRUE(mul(x, x).requires_grad());
  EXPECT_FALSE(mul(x, x).detach().requires_grad());
  {
    InferenceMode inference;
    Tensor y = mul(x, x);
    EXPECT_EQ(code_of([&] { y.set_requires_grad(); }), ErrorCode::inference_tensor);
  }
}

TEST(BackwardTest, LeafRules) {
  Tensor x = vector({1, 2}, true);
  Tensor y = mul(x, x);
  EXPECT_EQ(code_of([&] { y.set_requires_grad(false); }), ErrorCode::not_a_leaf);
  EXPECT_EQ(code_of([&] { Tensor(1).set_requires_grad(); }), ErrorCode::requires_grad_dtype);
  EXPECT_EQ(code_of([&] { x.set_grad(vector({1})); }), ErrorCode::gradient_shape);
  x.set_requires_grad(false);
  EXPECT_FALSE(mul(x, x).requires_grad());
}

TEST(GradTest, ReturnsGradientsAndLeavesLeavesAlone) {
  Tensor x = vector({1, 2}, true), w = vector({3, 4}, true), unused = vector({5, 6}, true);
  Tensor h = mul(x, w);
  Tensor y = mul(h, h);
  Tensor one = vector({1, 1});
  Gradients g = autograd::grad({{y}}, {{w, h}}, {{one}}, true);
  EXPECT_EQ(values(g[0]), (Floats{6, 32}));  // 2 h x
  EXPECT_EQ(values(g[1]), (Floats{6, 16}));  // 2 h
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
  EXPECT_EQ(code_of([&] { autograd::grad({{y}}, {{unused}}, {{one}}, true); }), ErrorCode::no_gradient_path);
  g = autograd::grad({{y}}, {{unused, x}}, {{one}}, false, false, true);
  EXPECT_FALSE(g[0].defined());
  EXPECT_EQ(values(g[1]), (Floats{18, 64}));
  EXPECT_EQ(code_of([&] { autograd::grad({{y}}, {{one}}, {{one}}); }), ErrorCode::no_gradient_path);
}

TEST(GradTest, GradientsOfGradients) {
  Tensor x = vector({1, 2, 3}, true), one = vector({1, 1, 1});
  Tensor y = mul(mul(x, x), x);
  Tensor first = autograd::grad({{y}}, {{x}}, {{one}}, {}, true)[0];
  EXPECT_EQ(values(first), (Floats{3, 12, 27}));
  Tensor second = autograd::grad({{first}}, {{x}}, {{one}}, {}, true)[0];
  EXPECT_EQ(values(second), (Floats{6, 12, 18}));
  Tensor third = autograd::grad({{second}}, {{x}}, {{one}}, {}, true)[0];
  EXPECT_EQ(values(third), (Floats{6, 6, 6}));
}

TEST(GradTest, SeveralOutputsOfOneGraph) {
  Tensor x = vector({1, 2}, true), one = vector({1, 1});
  Tensor h = mul(x, 2.0), y = mul(h, h);
  Gradients g = autograd::grad({{h, y}}, {{x}}, {{one, one}});
  EXPECT_EQ(values(g[0]), (Floats{2 + 8, 2 + 16}));
}

TEST(HookTest, HooksOfLeavesAndOthers) {
  Tensor x = vector({1, 2}, true);
  Tensor h = mul(x, 3.0);
  int calls = 0;
  std::int64_t number = h.register_hook([&](const Tensor& gradient) {
    ++calls;
    return mul(gradient, 10.0);
  });
  x.register_hook([&](const Tensor& gradient) {
    EXPECT_EQ(values(gradient), (Floats{30, 30}));
    return Tensor();
  });
  h.retain_grad();
  mul(h, 1.0).backward(vector({1, 1}), true);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(values(h.grad()), (Floats{10, 10}));
  EXPECT_EQ(values(x.grad()), (Floats{30, 30}));
  h.remove_hook(number);
  EXPECT_EQ(h.impl()->autograd->node->existing_hooks()->before.size(), 0u);
  EXPECT_EQ(code_of([] { vector({1}).register_hook([](const Tensor& g) { return g; }); }),
            ErrorCode::no_gradient_path);
}

TEST(InPlaceTest, VersionsCatchWrongGradients) {
  Tensor x = vector({1, 2}, true), w = vector({3, 4});
  Tensor y = mul(x, w);
  w.mul_(2.0);
  EXPECT_EQ(code_of([&] { y.backward(vector({1, 1})); }), ErrorCode::modified_in_place);
}

TEST(InPlaceTest, WritesIntoATensorWithHistoryAreRecorded) {
  Tensor x = vector({1, 2}, true);
  Tensor y = mul(x, 3.0);
  y.mul_(5.0);
  EXPECT_EQ(values(y), (Floats{15, 30}));
  y.backward(vector({1, 1}));
  EXPECT_EQ(values(x.grad()), (Floats{15, 15}));
  // A tensor without history takes that of the value.
  Tensor z = vector({1, 1});
  z.mul_(x);
  z.backward(vector({1, 1}));
  EXPECT_EQ(values(x.grad()), (Floats{16, 16}));
}

TEST(InPlaceTest, LeavesAreRefusedAndViewsFollow) {
  Tensor x = vector({1, 2}, true);
  EXPECT_EQ(code_of([&] { x.mul_(2.0); }), ErrorCode::leaf_modified_in_place);
  {
    NoGrad off;
    x.mul_(2.0);
  }
  EXPECT_EQ(values(x), (Floats{2, 4}));
  Tensor base = vector({1, 2});
  Tensor view = make_view(base, {2}, {1}, 0);
  view.mul_(2.0);
  EXPECT_EQ(values(base), (Floats{2, 4}));
  base.mul_(x);
  // The view was made before its base took part in gradients.
  EXPECT_TRUE(view.requires_grad());
  mul(view, 2.0).backward(vector({1, 1}));
  EXPECT_EQ(values(x.grad()), (Floats{4, 8}));
  EXPECT_FALSE(mul(base.detach(), 2.0).requires_grad());
}

TEST(InPlaceTest, ReadOnlyMemoryIsRefused) {
  float data[2] = {1, 2};
  Tensor x = wrap_memory(data, {2}, {1}, DType::float32, nullptr, nullptr, true);
  EXPECT_THROW(x.mul_(2.0), StateError);
}

// y = x + 1, counting its living nodes.
struct CountedNode final : GradientNode {
  static inline std::atomic<int> living{0};
  SavedTensor result;
  CountedNode() : GradientNode("counted", 1) { ++living; }
  ~CountedNode() override { --living; }
  void backward(std::span<const Tensor> outputs, std::span<Tensor> inputs) override {
    result.get(*this);
    inputs[0] = outputs[0];
  }
  void release_saved() override { result.release(); }
  bool released() const override { return result.released(); }
};

Tensor counted(const Tensor& x) {
  Tensor y = shallow_alias(x);
  auto* node = new CountedNode;
  auto reference = Reference<GradientNode>::adopt(node);
  node->edges()[0] = gradient_edge(x);
  set_history(y, reference);
  node->result = SavedTensor(y, node, true);
  return y;
}

// Sanitizers are slow, and their larger stack frames overflow with fewer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int depth = 200'000;
#else
constexpr int depth = 1'000'000;
#endif

TEST(DepthTest, AMillionNodesNeitherOverflowNorLeak) {
  int before = CountedNode::living;
  Tensor x(1.0, {.requires_grad = true});
  {
    Tensor y = x;
    for (int i = 0; i < depth; ++i) y = counted(y);
    EXPECT_EQ(CountedNode::living, before + depth);
    y.backward();
    EXPECT_EQ(x.grad().item<float>(), 1);
  }
  EXPECT_EQ(CountedNode::living, before);
  {
    // Released without backward, with all saved results.
    Tensor y = x;
    for (int i = 0; i < depth; ++i) y = counted(y);
  }
  EXPECT_EQ(CountedNode::living, before);
}

TEST(DepthTest, ALeafMayGoBeforeTheGraph) {
  Tensor y;
  {
    Tensor x = vector({1, 2}, true);
    y = mul(x, 2.0);
  }
  EXPECT_NO_THROW(y.backward(vector({1, 1})));
}

TEST(ThreadTest, DifferentGraphsThatShareALeaf) {
  Tensor shared = vector({1, 1}, true);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Tensor own = vector({2, 3}, true);
      for (int i = 0; i < 100; ++i) mul(own, shared).backward(vector({1, 1}));
      if (values(own.grad()) != Floats{100, 100}) ++wrong;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(values(shared.grad()), (Floats{800, 1200}));
}

struct Broken final : GradientNode {
  Broken() : GradientNode("broken", 1) {}
  void backward(std::span<const Tensor>, std::span<Tensor> inputs) override {
    inputs[0] = vector({std::numeric_limits<float>::quiet_NaN(), 1});
  }
  void release_saved() override {}
};

TEST(AnomalyTest, NamesTheForwardPlace) {
  auto before = current_location;
  current_location = [] { return std::string("model.py:17"); };
  Tensor x = vector({1, 2}, true), y = vector({1, 2});
  {
    autograd::DetectAnomaly anomaly;
    auto node = Reference<GradientNode>::adopt(new Broken);
    node->edges()[0] = gradient_edge(x);
    set_history(y, node);
    try {
      y.backward(vector({1, 1}));
      ADD_FAILURE() << "no error";
    } catch (const GradientError& error) {
      EXPECT_EQ(error.code(), ErrorCode::nonfinite_gradient);
      EXPECT_EQ(error.summary(), "broken: the gradient of input 0 is NaN");
      EXPECT_NE(std::string(error.what()).find("model.py:17"), std::string::npos) << error.what();
    }
  }
  current_location = before;
  EXPECT_NO_THROW(y.backward(vector({1, 1})));
  EXPECT_TRUE(std::isnan(values(x.grad())[0]));
}

struct Cube : autograd::Function<Cube> {
  static TensorList forward(autograd::Context& context, const TensorList& inputs, double factor) {
    EXPECT_FALSE(gradients_enabled());
    EXPECT_TRUE(context.needs_input_gradient(0));
    context.save_for_backward({inputs[0]});
    context.values["factor"] = factor;
    return {mul(mul(mul(inputs[0], inputs[0]), inputs[0]), factor)};
  }
  static Gradients backward(autograd::Context& context, const Gradients& gradients) {
    Tensor x = context.saved_tensors()[0];
    double factor = std::any_cast<double>(context.values["factor"]);
    return {mul(gradients[0], mul(mul(x, x), 3.0 * factor))};
  }
};

TEST(FunctionTest, GradientsOfOnesOwn) {
  Tensor x = vector({1, 2}, true), one = vector({1, 1});
  Tensor y = Cube::apply({x}, 2.0)[0];
  EXPECT_EQ(values(y), (Floats{2, 16}));
  EXPECT_STREQ(y.impl()->autograd->node->name(), "Cube");
  Tensor first = autograd::grad({{y}}, {{x}}, {{one}}, {}, true)[0];
  EXPECT_EQ(values(first), (Floats{6, 24}));
  Tensor second = autograd::grad({{first}}, {{x}}, {{one}})[0];
  EXPECT_EQ(values(second), (Floats{12, 24}));
}

struct Square : autograd::Function<Square> {
  // Saves its output, and returns an input besides.
  static TensorList forward(autograd::Context& context, const TensorList& inputs) {
    Tensor square = mul(inputs[0], inputs[0]);
    context.save_for_backward({inputs[0], square});
    return {square, inputs[0]};
  }
  static Gradients backward(autograd::Context& context, const Gradients& gradients) {
    TensorList saved = context.saved_tensors();
    EXPECT_EQ(values(saved[1]), (Floats{1, 4}));
    return {add(mul(gradients[0], mul(saved[0], 2.0)), gradients[1])};
  }
};

TEST(FunctionTest, SavedOutputsAndReturnedInputs) {
  Tensor x = vector({1, 2}, true);
  {
    TensorList y = Square::apply({x});
    EXPECT_TRUE(x.is_leaf());
    EXPECT_FALSE(y[1].is_leaf());
    // The second output is not used: its gradient comes as zeros.
    y[0].backward(vector({1, 1}));
    EXPECT_EQ(values(x.grad()), (Floats{2, 4}));
    EXPECT_EQ(code_of([&] { y[0].backward(vector({1, 1})); }), ErrorCode::backward_twice);
  }
}

struct WrongShape : autograd::Function<WrongShape> {
  static TensorList forward(autograd::Context&, const TensorList& inputs) { return {mul(inputs[0], 1.0)}; }
  static Gradients backward(autograd::Context&, const Gradients&) { return {vector({1, 2, 3})}; }
};

TEST(FunctionTest, WrongGradientsAreNamed) {
  Tensor x = vector({1, 2}, true);
  EXPECT_EQ(code_of([&] { WrongShape::apply({x})[0].backward(vector({1, 1})); }), ErrorCode::gradient_shape);
}

// A factor drawn from the default generator.
double draw() {
  GeneratorState state = default_generator().reserve(1);
  return philox(state.seed, state.stream, state.counter)[0] % 100 + 1;
}

TEST(CheckpointTest, GivesTheSameGradients) {
  Tensor x = vector({1, 2}, true), w = vector({3, 4}, true), one = vector({1, 1});
  int runs = 0;
  auto block = [&](const TensorList& inputs) {
    ++runs;
    Tensor h = mul(mul(inputs[0], w), draw());
    return mul(mul(h, h), inputs[0]);
  };
  manual_seed(3);
  Tensor expected = block({mul(x, 1.5)});
  expected.backward(one);
  Floats x_gradient = values(x.grad()), w_gradient = values(w.grad());
  x.set_grad({});
  w.set_grad({});

  manual_seed(3);
  runs = 0;
  Tensor y = autograd::checkpoint(block, {mul(x, 1.5)});
  EXPECT_EQ(values(y), values(expected));
  GeneratorState after = default_generator().state();
  draw();
  EXPECT_EQ(runs, 1);
  y.backward(one);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(values(x.grad()), x_gradient);
  EXPECT_EQ(values(w.grad()), w_gradient);
  EXPECT_EQ(default_generator().state().counter, after.counter + 1);
}

TEST(CheckpointTest, CanBeDifferentiatedTwice) {
  Tensor x = vector({1, 2}, true), one = vector({1, 1});
  Tensor y = autograd::checkpoint([](const TensorList& in) { return mul(mul(in[0], in[0]), in[0]); }, {x});
  Tensor first = autograd::grad({{y}}, {{x}}, {{one}}, {}, true)[0];
  Tensor second = autograd::grad({{first}}, {{x}}, {{one}})[0];
  EXPECT_EQ(values(second), (Floats{6, 12}));
}

TEST(CheckpointTest, TakesFunctionsOfTensors) {
  Tensor x = vector({1, 2}, true), y = vector({3, 4}, true), one = vector({1, 1});
  const auto product = [](const Tensor& a, const Tensor& b) { return mul(mul(a, a), mul(b, a)); };
  checkpoint(product, x, mul(y, 2)).backward(one);
  EXPECT_EQ(values(x.grad()), (Floats{18, 96}));
  EXPECT_EQ(values(y.grad()), (Floats{2, 16}));
  const TensorList both = checkpoint([](const Tensor& a) { return TensorList{a, mul(a, a)}; }, x);
  EXPECT_EQ(values(both[1]), (Floats{1, 4}));
}

TEST(CheckpointTest, RefusesAnArgumentThatWasWritten) {
  Tensor x = vector({1, 2}, true), between = mul(x, 1);
  Tensor y = checkpoint([](const Tensor& a) { return mul(mul(a, a), a); }, between);
  between.mul_(2);
  EXPECT_THROW(y.backward(vector({1, 1})), GradientError);
}

TEST(CheckpointTest, NoticesADifferentSecondRun) {
  Tensor x = vector({1, 2}, true);
  int runs = 0;
  Tensor y = autograd::checkpoint(
      [&](const TensorList& in) {
        Tensor h = mul(in[0], in[0]);
        return runs++ ? h : mul(h, h);
      },
      {x});
  EXPECT_THROW(y.backward(vector({1, 1})), StateError);
}

}  // namespace
}  // namespace phlox
