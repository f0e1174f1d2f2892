#include "phlox/nn/module.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "error_matching.h"
#include "phlox/nn/container.h"
#include "phlox/nn/dropout.h"
#include "phlox/nn/init.h"
#include "phlox/nn/linear.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

// Multiplies with one number for each feature.
class Scale : public nn::Module {
 public:
  explicit Scale(std::int64_t features) {
    weight = nn::make_parameter(ones({features}));
    register_parameter("weight", &weight);
    register_parameter("bias", &bias);  // a variant has it
    calls = zeros({}, DType::int64);
    register_buffer("calls", &calls);
    register_buffer("scratch", &scratch, false);
    scratch = zeros({2});
  }
  Scale(Module* parent, const std::string& name, std::int64_t features) : Scale(features) {
    parent->register_module(name, *this);
  }
  Tensor forward(Tensor x) override {
    calls.add_(1);
    return mul(x, weight);
  }
  Tensor weight, bias, calls, scratch;
};

struct Block : nn::Module {
  using Module::Module;
  Scale first{this, "first", 3};
  nn::Dropout dropout{this, "dropout", 0.5};
  Tensor forward(Tensor x) override {
    x = first(x);
    return dropout(x);
  }
};

struct Net : nn::Module {
  Block block{this, "block"};
  Scale last{this, "last", 3};
  Tensor forward(Tensor x) override { return last(block(x)); }
};

std::vector<std::string> names_of(const nn::NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

TEST(ModuleTest, MembersRegisterThemselves) {
  Net net;
  EXPECT_EQ(names_of(net.named_parameters()),
            (std::vector<std::string>{"block.first.weight", "last.weight"}));
  EXPECT_EQ(
      names_of(net.named_buffers()),
      (std::vector<std::string>{"block.first.calls", "block.first.scratch", "last.calls", "last.scratch"}));
  EXPECT_EQ(names_of(net.block.named_parameters("x")), (std::vector<std::string>{"x.first.weight"}));
  EXPECT_TRUE(net.parameters(false).empty());
  std::vector<std::string> modules;
  for (const auto& [name, module] : net.named_modules()) modules.push_back(name);
  EXPECT_EQ(modules, (std::vector<std::string>{"", "block", "block.first", "block.dropout", "last"}));
  EXPECT_EQ(net.find_module("block.first"), &net.block.first);
  EXPECT_EQ(net.find_module("block.none"), nullptr);
  EXPECT_EQ(net.children(), (std::vector<nn::Module*>{&net.block, &net.last}));
}

TEST(ModuleTest, StateHasPyTorchsKeysAndLoads) {
  Net net;
  const StateDict state = net.state_dict();
  std::vector<std::string> keys;
  for (const auto& [name, tensor] : state) keys.push_back(name);
  EXPECT_EQ(keys, (std::vector<std::string>{"block.first.weight", "block.first.calls", "last.weight",
                                            "last.calls"}));
  EXPECT_FALSE(state.at("last.weight").requires_grad());

  Net other;
  nn::init::constant_(other.last.weight, 5);
  net.load_state_dict(other.state_dict());
  EXPECT_EQ(net.last.weight.to_vector<float>(), (std::vector<float>{5, 5, 5}));
  EXPECT_TRUE(net.last.weight.requires_grad());
  EXPECT_FALSE(net.last.weight.shares_storage_with(other.last.weight));
}

TEST(ModuleTest, LoadingNamesWhatDiffersAndChangesNothing) {
  Net net;
  StateDict state = net.state_dict();
  StateDict wrong{{"block.first.weight", full({3}, 9)}, {"head.weight", zeros({1})}};
  EXPECT_ERROR(net.load_state_dict(wrong), StateError, "[E0701]");
  EXPECT_ERROR(net.load_state_dict(wrong), StateError,
               "missing     block.first.calls, last.weight, last.calls");
  EXPECT_ERROR(net.load_state_dict(wrong), StateError, "unexpected  head.weight");
  EXPECT_EQ(net.block.first.weight.to_vector<float>()[0], 1);
  const nn::StateDifference difference = net.load_state_dict(wrong, false);
  EXPECT_EQ(difference.missing.size(), 3u);
  EXPECT_EQ(difference.unexpected, (std::vector<std::string>{"head.weight"}));
  EXPECT_EQ(net.block.first.weight.to_vector<float>()[0], 9);

  state.set("last.weight", zeros({4}));
  nn::init::constant_(net.block.first.weight, 2);
  state.set("block.first.weight", zeros({3}));
  EXPECT_ERROR(net.load_state_dict(state), StateError, "[E0702]");
  EXPECT_ERROR(net.load_state_dict(state), StateError, "last.weight: stored is [4], the module has [3]");
  EXPECT_EQ(net.block.first.weight.to_vector<float>()[0], 2);
}

TEST(ModuleTest, TrainAndEvalReachAllParts) {
  Net net;
  Tensor x = ones({1000, 3});
  manual_seed(1);
  const auto values = net(x).to_vector<float>();
  std::size_t zero_count = 0;
  for (float value : values) {
    EXPECT_TRUE(value == 0 || value == 2);
    zero_count += value == 0;
  }
  EXPECT_NEAR(static_cast<double>(zero_count), 1500, 120);
  net.eval();
  EXPECT_FALSE(net.block.dropout.training());
  EXPECT_EQ(net(x).to_vector<float>(), std::vector<float>(3000, 1));
  net.train();
  EXPECT_TRUE(net.block.dropout.training());
}

TEST(ModuleTest, DropoutIsRepeatableAndDropsChannels) {
  Tensor x = ones({4, 5, 6, 7});
  nn::Dropout plain(0.3);
  manual_seed(3);
  const auto first = plain(x).to_vector<float>();
  manual_seed(3);
  EXPECT_EQ(plain(x).to_vector<float>(), first);
  EXPECT_NE(plain(x).to_vector<float>(), first);
  nn::Dropout2d channels(0.5);
  const auto values = channels(x).to_vector<float>();
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], values[i / 42 * 42]);
  nn::Dropout all(1.0);
  EXPECT_EQ(all(x).to_vector<float>(), std::vector<float>(840));
  EXPECT_ERROR(nn::Dropout(1.5), ValueError, "between 0 and 1");
  EXPECT_ERROR(channels(ones({2, 2})), ShapeError, "Dropout2d");
}

TEST(ModuleTest, GradientsReachTheParameters) {
  Net net;
  net.eval();
  net(full({2, 3}, 3)).backward(ones({2, 3}));
  EXPECT_EQ(net.last.weight.grad().to_vector<float>(), (std::vector<float>{6, 6, 6}));
  net.zero_grad();
  EXPECT_FALSE(net.last.weight.grad().defined());
  net.block.requires_grad_(false);
  net(full({2, 3}, 3)).backward(ones({2, 3}));
  EXPECT_FALSE(net.block.first.weight.grad().defined());
  EXPECT_TRUE(net.last.weight.grad().defined());
}

TEST(ModuleTest, ConvertingKeepsTheHandles) {
  Net net;
  const std::vector<Tensor> held = net.parameters();
  net.to(DType::float64);
  EXPECT_EQ(held[0].dtype(), DType::float64);
  EXPECT_EQ(net.last.weight.dtype(), DType::float64);
  EXPECT_EQ(net.last.calls.dtype(), DType::int64);
  EXPECT_TRUE(held[0].requires_grad());
  net.eval();
  net(full({2, 3}, 3, DType::float64)).backward(ones({2, 3}, DType::float64));
  EXPECT_EQ(held[1].grad().dtype(), DType::float64);
  net.to(DType::float32);
  EXPECT_EQ(held[1].grad().dtype(), DType::float32);
  EXPECT_EQ(held[1].grad().to_vector<float>(), (std::vector<float>{6, 6, 6}));
}

TEST(ModuleTest, HooksSeeAndChangeValues) {
  Net net;
  net.eval();
  Tensor x = ones({1, 3});
  std::string seen;
  auto before = net.last.register_forward_pre_hook([&](nn::Module&, const Tensor& input) {
    seen += "before ";
    return mul(input, 10);
  });
  auto after = net.last.register_forward_hook([&](nn::Module& module, const Tensor& input, const Tensor&) {
    seen += module.type_name() + " " + std::to_string(input.to_vector<int>()[0]);
    return Tensor();
  });
  EXPECT_EQ(net(x).to_vector<float>(), (std::vector<float>{10, 10, 10}));
  EXPECT_EQ(seen, "before Scale 10");
  net.last.remove_hook(before);
  net.last.remove_hook(after);
  EXPECT_EQ(net(x).to_vector<float>(), (std::vector<float>{1, 1, 1}));
}

TEST(ModuleTest, ApplyVisitsPartsFirst) {
  Net net;
  std::string order;
  net.apply([&](nn::Module& module) { order += module.type_name() + ' '; });
  EXPECT_EQ(order, "Scale Dropout Block Scale Net ");
}

TEST(ModuleTest, NamesAreChecked) {
  Net net;
  EXPECT_ERROR(net.register_parameter("a.b", ones({1})), ValueError, "dot");
  EXPECT_ERROR(net.register_parameter("block", ones({1})), ValueError, "taken");
  EXPECT_ERROR(net.register_buffer("", ones({1})), ValueError, "empty");
  EXPECT_ERROR(net.set_parameter("none", ones({1})), StateError, "none");
  net.register_parameter("temperature", nn::make_parameter(ones({})));
  EXPECT_EQ(net.parameters().size(), 3u);
  net.unregister("temperature");
  EXPECT_EQ(net.parameters().size(), 2u);
  net.last.set_parameter("weight", nn::make_parameter(zeros({3})));
  EXPECT_EQ(net.last.weight.to_vector<float>()[0], 0);
}

TEST(ModuleTest, SharedParametersAreListedOnce) {
  Net net;
  net.last.weight = net.block.first.weight;
  EXPECT_EQ(net.parameters().size(), 1u);
  EXPECT_TRUE(net.state_dict().contains("last.weight"));
  EXPECT_TRUE(net.state_dict().contains("block.first.weight"));
}

TEST(ModuleTest, PartsThatGoAreForgotten) {
  Net net;
  {
    Scale extra(&net, "extra", 2);
    EXPECT_EQ(net.parameters().size(), 3u);
  }
  EXPECT_EQ(net.parameters().size(), 2u);
  auto parent = std::make_unique<nn::Module>();
  Scale part(parent.get(), "part", 2);
  parent.reset();
  EXPECT_EQ(part.parameters().size(), 1u);
}

TEST(ModuleTest, PrintsItself) {
  Net net;
  EXPECT_EQ(net.to_string(),
            "Net(\n  (block): Block(\n    (first): Scale()\n    (dropout): Dropout(p=0.5)\n  )\n  (last): "
            "Scale()\n)");
  const std::string table = net.summary(ones({2, 3}));
  EXPECT_NE(table.find("[2,3]"), std::string::npos) << table;
  EXPECT_NE(table.find("6 parameters, 6 of them trainable"), std::string::npos) << table;
  nn::Module plain;
  EXPECT_ERROR(plain(ones({1})), StateError, "does not define forward");
}

TEST(ModuleTest, HooksChangeWhileOtherThreadsRunTheModule) {
  nn::Identity layer;
  std::atomic<int> calls = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const Tensor x = ones({2});
      for (int i = 0; i < 500; ++i) {
        const auto before =
            layer.register_forward_pre_hook([&](nn::Module&, const Tensor&) { return Tensor(); });
        const auto after = layer.register_forward_hook([&](nn::Module&, const Tensor&, const Tensor&) {
          ++calls;
          return Tensor();
        });
        layer(x);
        layer.remove_hook(before);
        layer.remove_hook(after);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(calls, 2000);
  EXPECT_FALSE(layer.has_hooks());
}

TEST(ModuleTest, NoModuleIsAPartOfItself) {
  nn::Sequential outer, inner;
  outer.register_module("inner", inner);
  EXPECT_ERROR(outer.register_module("me", outer), ValueError, "itself");
  EXPECT_ERROR(inner.register_module("outer", outer), ValueError, "itself");
  EXPECT_ERROR(outer.set_module("inner", outer), ValueError, "itself");
  EXPECT_TRUE(outer.contains(inner) && !inner.contains(outer));
  EXPECT_EQ(outer.modules().size(), 2u);
}

TEST(ContainerTest, PartsUnderSeveralNamesAreChildrenOnce) {
  const auto part = std::make_shared<nn::Linear>(2, 2);
  nn::Sequential net({part, part});
  EXPECT_EQ(net.children().size(), 1u);
  EXPECT_EQ(net.named_children().size(), 1u);
  EXPECT_EQ(net.parts().size(), 2u);
  int visits = 0;
  net.apply([&](nn::Module&) { ++visits; });
  EXPECT_EQ(visits, 2);
}

TEST(ContainerTest, HooksMayAppendToTheSequenceThatRuns) {
  nn::Sequential net({std::make_shared<nn::Identity>()});
  net[0].register_forward_hook([&](nn::Module&, const Tensor&, const Tensor&) {
    for (int i = 0; i < 64; ++i) net.add<Scale>(2);
    return Tensor();
  });
  EXPECT_EQ(net(ones({2})).to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(net.size(), 65u);
}

TEST(ModuleTest, ListsManyModulesInTimeProportionalToTheirNumber) {
  nn::ModuleList list;
  for (int i = 0; i < 300; ++i) {
    const auto part = std::make_shared<nn::ModuleList>();
    for (int j = 0; j < 200; ++j) part->add<nn::Identity>();
    list.append(part);
  }
  auto best = std::chrono::steady_clock::duration::max();
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(list.named_modules().size(), 60301u);
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  EXPECT_LT(best, std::chrono::milliseconds(400));
}

TEST(ContainerTest, SequentialRunsItsParts) {
  nn::Sequential net;
  net.add<Scale>(3).add<nn::Dropout>(0.5).append(std::make_shared<Scale>(3));
  net.eval();
  EXPECT_EQ(net(ones({1, 3})).to_vector<float>(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(names_of(net.named_parameters()), (std::vector<std::string>{"0.weight", "2.weight"}));
  EXPECT_EQ(net[-1].type_name(), "Scale");
  EXPECT_ERROR(net[3], IndexError, "no part 3");
}

TEST(ContainerTest, ListAndDictionary) {
  nn::ModuleList list;
  list.add<Scale>(2).add<Scale>(3);
  EXPECT_EQ(names_of(list.named_parameters()), (std::vector<std::string>{"0.weight", "1.weight"}));
  EXPECT_EQ(list.size(), 2u);
  nn::ModuleDict dictionary;
  dictionary.add<Scale>("a", 2).add<Scale>("b", 3).add<Scale>("a", 4);
  EXPECT_EQ(dictionary.size(), 2u);
  EXPECT_EQ(dictionary["a"].parameters()[0].numel(), 4);
  EXPECT_ERROR(dictionary["c"], StateError, "\"c\"");
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
double variance_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size());
}

TEST(InitTest, DistributionsHaveTheirMoments) {
  manual_seed(5);
  Tensor x = zeros({200, 100});
  auto values = nn::init::uniform_(x, -1, 3).to_vector<double>();
  EXPECT_NEAR(mean_of(values), 1, 0.04);
  EXPECT_NEAR(variance_of(values), 16.0 / 12, 0.04);
  values = nn::init::normal_(x, 2, 0.5).to_vector<double>();
  EXPECT_NEAR(mean_of(values), 2, 0.02);
  EXPECT_NEAR(variance_of(values), 0.25, 0.02);
  values = nn::init::trunc_normal_(x, 0, 1, -1, 1).to_vector<double>();
  EXPECT_NEAR(variance_of(values), 0.2912, 0.02);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), 1);
  EXPECT_NEAR(variance_of(nn::init::kaiming_normal_(x, {.nonlinearity = "relu"}).to_vector<double>()),
              2.0 / 100, 2e-3);
  EXPECT_NEAR(
      variance_of(
          nn::init::kaiming_uniform_(x, {.fan_out = true, .nonlinearity = "linear"}).to_vector<double>()),
      1.0 / 200, 5e-4);
  EXPECT_NEAR(variance_of(nn::init::xavier_normal_(x).to_vector<double>()), 2.0 / 300, 5e-4);
  EXPECT_NEAR(variance_of(nn::init::xavier_uniform_(x, 2).to_vector<double>()), 8.0 / 300, 2e-3);
  EXPECT_ERROR(nn::init::kaiming_normal_(zeros({3})), ShapeError, "2 dimensions");
}

TEST(InitTest, Matrices) {
  for (const Shape& shape : {Shape{4, 6}, Shape{6, 4}, Shape{4, 2, 3}}) {
    Tensor x = zeros(shape, DType::float64);
    const auto q = nn::init::orthogonal_(x, 2).to_vector<double>();
    const std::size_t rows = static_cast<std::size_t>(shape[0]), columns = q.size() / rows;
    for (std::size_t i = 0; i < std::min(rows, columns); ++i) {
      for (std::size_t j = 0; j < std::min(rows, columns); ++j) {
        double product = 0;
        for (std::size_t k = 0; k < std::max(rows, columns); ++k) {
          product += rows <= columns ? q[i * columns + k] * q[j * columns + k]
                                     : q[k * columns + i] * q[k * columns + j];
        }
        EXPECT_NEAR(product, i == j ? 4 : 0, 1e-12);
      }
    }
  }
  EXPECT_EQ(nn::init::eye_(zeros({2, 3})).to_vector<int>(), (std::vector<int>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(nn::init::dirac_(zeros({2, 2, 3})).to_vector<int>(),
            (std::vector<int>{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}));
  const auto sparse = nn::init::sparse_(zeros({10, 4}), 0.3).to_vector<double>();
  for (std::size_t column = 0; column < 4; ++column) {
    int zero_count = 0;
    for (std::size_t row = 0; row < 10; ++row) zero_count += sparse[row * 4 + column] == 0;
    EXPECT_EQ(zero_count, 3);
  }
}

TEST(ModuleTest, GradientsBecomeZeroInPlaceOrAreDropped) {
  nn::Linear layer(2, 1);
  sum(layer(ones({1, 2}))).backward();
  const Tensor gradient = layer.weight.grad();
  layer.zero_grad(false);
  EXPECT_EQ(layer.weight.grad().unsafe_impl(), gradient.unsafe_impl());
  EXPECT_EQ(sum(gradient).item<double>(), 0);
  layer.zero_grad();
  EXPECT_FALSE(layer.weight.grad().defined());
}

TEST(ModuleTest, HooksCanComeBeforeOthersAndSharedParametersBeListedTwice) {
  nn::Linear layer(1, 1);
  std::string order;
  layer.register_forward_hook(
      [&](nn::Module&, const Tensor&, const Tensor&) { return order += "b", Tensor(); });
  layer.register_forward_hook(
      [&](nn::Module&, const Tensor&, const Tensor&) { return order += "a", Tensor(); }, true);
  static_cast<nn::Module&>(layer)(ones({1, 1}));
  EXPECT_EQ(order, "ab");

  nn::Module twice;
  twice.register_module("first", layer);
  twice.register_module("second", layer);
  EXPECT_EQ(twice.named_parameters().size(), 2u);
  EXPECT_EQ(twice.named_parameters("", true, false).size(), 4u);
  twice.unregister("first");
  nn::Linear other(1, 1);
  twice.set_module("second", other);
  EXPECT_EQ(twice.find_module("second"), &other);
}

}  // namespace
}  // namespace phlox
