#include <gtest/gtest.h>

#include <cmath>

#include "error_matching.h"
#include "phlox/core/mode.h"
#include "phlox/core/random.h"
#include "phlox/nn/nn.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

Tensor numbers(const Shape& shape, double scale = 0.1) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = scale * std::sin(1.7 * static_cast<double>(i) + 0.3);
  return from_values<double>(values, shape).to(DType::float32);
}

void expect_near(const Tensor& actual, const std::vector<double>& expected, double tolerance = 1e-5) {
  const auto values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], tolerance) << "element " << i;
}

std::string keys_of(const nn::Module& module) {
  std::string keys;
  for (const auto& [name, tensor] : module.state_dict()) keys += name + describe(tensor, false) + ' ';
  return keys;
}

TEST(LayersTest, LinearIsAffine) {
  nn::Linear layer(2, 3);
  EXPECT_EQ(keys_of(layer), "weightf32[3,2] biasf32[3] ");
  for (double value : layer.weight.to_vector<double>()) EXPECT_LE(std::abs(value), 1 / std::sqrt(2.0));
  nn::init::constant_(layer.weight, 2);
  nn::init::constant_(layer.bias, 1);
  expect_near(layer(full({1, 2}, 3.0)), {13, 13, 13});
  layer(ones({4, 2})).sum().backward();
  expect_near(layer.bias.grad(), {4, 4, 4});
  EXPECT_EQ(keys_of(nn::Linear(2, 3, {.bias = false})), "weightf32[3,2] ");
  EXPECT_ERROR(nn::Linear(-1, 2), ValueError, "-1");
  EXPECT_EQ(layer.to_string(), "Linear(2, 3, bias=true)");
}

TEST(LayersTest, BilinearAndEmbedding) {
  nn::Bilinear bilinear(2, 3, 1, {.bias = false});
  nn::init::constant_(bilinear.weight, 1);
  expect_near(bilinear(ones({1, 2}), ones({1, 3})), {6});
  nn::Embedding table(4, 2, {.padding_idx = 1});
  EXPECT_EQ(keys_of(table), "weightf32[4,2] ");
  const Tensor rows = table(from_values<std::int64_t>(std::array<std::int64_t, 2>{1, 3}, {2}));
  expect_near(rows.select(0, 0), {0, 0});
  expect_near(rows.select(0, 1), table.weight.select(0, 3).to_vector<double>());
  EXPECT_ERROR(nn::Embedding(4, 2, {.padding_idx = 4}), IndexError, "padding_idx 4");
}

TEST(LayersTest, ConvolutionsHaveTheirShapes) {
  nn::Conv2d conv(4, 6, {.kernel = {3, 5}, .stride = {1, 2}, .padding = 1, .groups = 2});
  EXPECT_EQ(keys_of(conv), "weightf32[6,2,3,5] biasf32[6] ");
  EXPECT_EQ(conv(numbers({2, 4, 8, 9})).shape(), (Shape{2, 6, 8, 4}));
  EXPECT_EQ(nn::Conv1d(2, 3, {.kernel = 3})(numbers({1, 2, 5})).shape(), (Shape{1, 3, 3}));
  EXPECT_EQ(nn::Conv3d(1, 2, {.kernel = 2})(numbers({1, 1, 3, 3, 3})).shape(), (Shape{1, 2, 2, 2, 2}));
  nn::ConvTranspose2d transpose(4, 6, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1});
  EXPECT_EQ(keys_of(transpose), "weightf32[4,6,3,3] biasf32[6] ");
  EXPECT_EQ(transpose(numbers({1, 4, 5, 5})).shape(), (Shape{1, 6, 10, 10}));
  EXPECT_EQ(nn::ConvTranspose1d(2, 3, {.kernel = 2})(numbers({1, 2, 5})).shape(), (Shape{1, 3, 6}));
  EXPECT_EQ(nn::ConvTranspose3d(1, 2, {.kernel = 2})(numbers({1, 1, 2, 2, 2})).shape(),
            (Shape{1, 2, 3, 3, 3}));
  EXPECT_ERROR(nn::Conv2d(3, 4, {.groups = 2}), ValueError, "2 groups");
  EXPECT_ERROR(nn::Conv2d(3, 4, {.kernel = {1, 2, 3}}), ValueError, "kernel has 3 numbers");
  EXPECT_ERROR(nn::Conv2d(3, 4, {.padding_mode = "mirror"}), ValueError, "mirror");
}

TEST(LayersTest, PaddingModesGoRound) {
  nn::Conv1d conv(1, 1, {.kernel = 3, .padding = 1, .bias = false, .padding_mode = "circular"});
  nn::init::constant_(conv.weight, 1);
  expect_near(conv(from_values<float>(std::array<float, 4>{1, 2, 3, 4}, {1, 1, 4})), {7, 6, 9, 8});
  const Tensor x = from_values<float>(std::array<float, 3>{1, 2, 3}, {1, 1, 3});
  expect_near(nn::ReflectionPad1d({2})(x), {3, 2, 1, 2, 3, 2, 1});
  expect_near(nn::ReplicationPad1d({1, 0})(x), {1, 1, 2, 3});
  expect_near(nn::ConstantPad1d({0, 1}, 7)(x), {1, 2, 3, 7});
  EXPECT_EQ(nn::ZeroPad2d({1, 2, 3, 4})(ones({1, 1, 2, 2})).shape(), (Shape{1, 1, 9, 5}));
  EXPECT_ERROR(nn::ZeroPad2d({1, 2, 3}), ValueError, "3 numbers");
}

TEST(LayersTest, BatchNormFollowsTheBatches) {
  nn::BatchNorm1d norm(1, {.momentum = 0.5});
  EXPECT_EQ(keys_of(norm),
            "weightf32[1] biasf32[1] running_meanf32[1] running_varf32[1] num_batches_trackedi64[] ");
  const Tensor x = from_values<float>(std::array<float, 4>{1, 3, 5, 7}, {4, 1});
  const double deviation = std::sqrt(5.0 + 1e-5);
  expect_near(norm(x), {-3 / deviation, -1 / deviation, 1 / deviation, 3 / deviation});
  expect_near(norm.running_mean, {2});
  expect_near(norm.running_var, {0.5 + 0.5 * 20 / 3}, 1e-4);
  EXPECT_EQ(norm.num_batches_tracked.item<int>(), 1);
  norm.eval();
  expect_near(norm(full({1, 1}, 2.0)), {0});
  EXPECT_EQ(norm.num_batches_tracked.item<int>(), 1);

  nn::BatchNorm1d average(1, {.momentum = {}});
  average(x);
  average(add(x, 2));
  expect_near(average.running_mean, {5});
  nn::BatchNorm2d none(1, {.affine = false, .track_running_stats = false});
  EXPECT_EQ(keys_of(none), "");
  none.eval();
  EXPECT_NEAR(none(numbers({2, 1, 3, 3})).mean().item<double>(), 0, 1e-5);
  EXPECT_ERROR(norm(numbers({1, 1, 2, 2})), ShapeError, "BatchNorm1d");
}

TEST(LayersTest, OtherNorms) {
  const Tensor x = numbers({2, 4, 3}, 5);
  const Tensor layered = nn::LayerNorm(3)(x);
  EXPECT_NEAR(layered.select(0, 1).select(0, 2).sum().item<double>(), 0, 1e-5);
  EXPECT_NEAR(layered.square().mean().item<double>(), 1, 1e-3);
  const Tensor grouped = nn::GroupNorm(2, 4)(x);
  EXPECT_NEAR(grouped.narrow(1, 0, 2).select(0, 0).sum().item<double>(), 0, 1e-4);
  EXPECT_NEAR(nn::InstanceNorm1d(4)(x).select(0, 1).select(0, 3).sum().item<double>(), 0, 1e-4);
  EXPECT_NEAR(nn::RMSNorm(3)(x).square().mean().item<double>(), 1, 1e-3);
  EXPECT_EQ(keys_of(nn::RMSNorm(3)), "weightf32[3] ");
  EXPECT_EQ(keys_of(nn::InstanceNorm2d(3)), "");
  EXPECT_ERROR(nn::GroupNorm(3, 4), ValueError, "3 groups");
}

TEST(LayersTest, Pooling) {
  const Tensor x = from_values<float>(
      std::array<float, 16>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, {1, 1, 4, 4});
  expect_near(nn::MaxPool2d(2)(x), {6, 8, 14, 16});
  expect_near(nn::AvgPool2d(2, {.stride = 1, .padding = 0})(x).narrow(3, 0, 1), {3.5, 7.5, 11.5});
  expect_near(nn::AdaptiveAvgPool2d(1)(x), {8.5});
  expect_near(nn::AdaptiveMaxPool2d({1, 2})(x), {14, 16});
  expect_near(nn::MaxPool1d(2)(x.reshape({1, 1, 16})).narrow(2, 0, 2), {2, 4});
  EXPECT_EQ(nn::AvgPool3d(2)(numbers({1, 1, 4, 4, 4})).shape(), (Shape{1, 1, 2, 2, 2}));
}

TEST(LayersTest, Activations) {
  const Tensor x = from_values<float>(std::array<float, 4>{-2, -0.5, 0.5, 2}, {1, 4});
  expect_near(nn::ReLU()(x), {0, 0, 0.5, 2});
  expect_near(nn::LeakyReLU(0.1)(x), {-0.2, -0.05, 0.5, 2});
  expect_near(nn::Hardtanh(-1, 0.25)(x), {-1, -0.5, 0.25, 0.25});
  expect_near(nn::Softmax(-1)(x).sum(), {1});
  expect_near(nn::LogSoftmax(-1)(x).exp().sum(), {1});
  expect_near(nn::GLU()(x), {-2 / (1 + std::exp(-0.5)), -0.5 / (1 + std::exp(-2.0))});
  nn::PReLU one, many(4);
  expect_near(one(x), {-0.5, -0.125, 0.5, 2});
  many(x).sum().backward();
  expect_near(many.weight.grad(), {-2, -0.5, 0, 0});
  expect_near(nn::Softplus()(x), nn::Softplus(1, 20)(x).to_vector<double>());
  EXPECT_ERROR(nn::PReLU(3)(x), ShapeError, "3 weights");
  EXPECT_ERROR(nn::GLU()(ones({1, 3})), ShapeError, "even");
  EXPECT_EQ(nn::GELU("tanh").to_string(), "GELU(approximate=tanh)");
  EXPECT_EQ(nn::SiLU().to_string(), "SiLU()");
}

TEST(LayersTest, Losses) {
  const Tensor scores = from_values<float>(std::array<float, 6>{1, 2, 3, 1, 1, 1}, {2, 3});
  const Tensor target = from_values<std::int64_t>(std::array<std::int64_t, 2>{2, 0}, {2});
  const double first = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0)) - 3, second = std::log(3.0);
  expect_near(nn::CrossEntropyLoss()(scores, target), {(first + second) / 2});
  expect_near(nn::CrossEntropyLoss({.reduction = "none"})(scores, target), {first, second});
  expect_near(nn::CrossEntropyLoss({.weight = from_values<float>(std::array<float, 3>{3, 1, 1}, {3})})(
                  scores, target),
              {(first + 3 * second) / 4});
  expect_near(nn::CrossEntropyLoss({.ignore_index = 0})(scores, target), {first});
  expect_near(nn::NLLLoss({.reduction = "sum"})(log_softmax(scores), target), {first + second});
  const Tensor a = from_values<float>(std::array<float, 2>{0, 3}, {2}), b = zeros({2});
  expect_near(nn::MSELoss()(a, b), {4.5});
  expect_near(nn::L1Loss("sum")(a, b), {3});
  expect_near(nn::HuberLoss(2)(a, b), {2});
  expect_near(nn::SmoothL1Loss()(a, b), {1.25});
  expect_near(nn::BCEWithLogitsLoss()(a, ones({2})), {(std::log(2.0) + std::log1p(std::exp(-3.0))) / 2});
  expect_near(nn::BCELoss()(full({2}, 0.25), ones({2})), {std::log(4.0)});
  expect_near(nn::KLDivLoss("batchmean")(full({1, 2}, std::log(0.5)), full({1, 2}, 0.5)), {0});
  EXPECT_ERROR(nn::MSELoss("average"), ValueError, "average");
}

TEST(LayersTest, ShapesAndUtilities) {
  expect_near(nn::Flatten()(ones({2, 3, 4})).sum(1), {12, 12});
  EXPECT_EQ(nn::Unflatten(1, {2, 3})(ones({2, 6})).shape(), (Shape{2, 2, 3}));
  nn::Linear layer(2, 2);
  layer.weight.set_grad(full({2, 2}, 3.0));
  layer.bias.set_grad(full({2}, 4.0));
  expect_near(nn::clip_grad_norm_(layer.parameters(), 1), {std::sqrt(68.0)}, 1e-4);
  expect_near(nn::clip_grad_norm_(layer.parameters(), 10), {1}, 1e-4);
  expect_near(layer.bias.grad(), {4 / std::sqrt(68.0), 4 / std::sqrt(68.0)});
  nn::clip_grad_value_(layer.parameters(), 0.1);
  expect_near(layer.bias.grad(), {0.1, 0.1});
  layer.bias.set_grad(full({2}, NAN));
  EXPECT_ERROR(nn::clip_grad_norm_(layer.parameters(), 1, 2, true), GradientError, "[E0609]");
  const Tensor vector = nn::parameters_to_vector(layer.parameters());
  EXPECT_EQ(vector.shape(), Shape{6});
  nn::vector_to_parameters(full({6}, 5.0), layer.parameters());
  expect_near(layer.bias, {5, 5});
  EXPECT_ERROR(nn::vector_to_parameters(ones({5}), layer.parameters()), ShapeError, "6 elements");
}

struct Net : nn::Module {
  nn::Conv2d conv{this, "conv", 1, 4, {.kernel = 3, .padding = 1}};
  nn::Linear head{this, "head", 4 * 2 * 2, 3};
  Tensor forward(Tensor x) override {
    x = max_pool2d(relu(conv(x)), 2);
    return head(x.flatten(1));
  }
};

TEST(LayersTest, ANetworkHasKeysOfItsMembersAndGradients) {
  manual_seed(0);
  Net net;
  EXPECT_EQ(keys_of(net), "conv.weightf32[4,1,3,3] conv.biasf32[4] head.weightf32[3,16] head.biasf32[3] ");
  // A small step, hence double: relu and max have kinks, over which differences say nothing about the gradient.
  net.to(DType::float64);
  const Tensor x = numbers({2, 1, 4, 4}, 1).to(DType::float64);
  const Tensor target = from_values<std::int64_t>(std::array<std::int64_t, 2>{1, 2}, {2});
  cross_entropy(net(x), target).backward();
  // The gradient agrees with a finite difference.
  const double slope = net.conv.bias.grad().to_vector<double>()[1], step = 1e-6;
  NoGrad guard;
  const auto loss_at = [&](double shift) {
    net.conv.bias.select(0, 1).add_(shift);
    const double loss = cross_entropy(net(x), target).item<double>();
    net.conv.bias.select(0, 1).add_(-shift);
    return loss;
  };
  EXPECT_NEAR((loss_at(step) - loss_at(-step)) / (2 * step), slope, 1e-7);
}

TEST(LayersTest, PaddingByName) {
  nn::Conv2d same(3, 4, {.kernel = {3, 4}, .padding = "same", .dilation = 2});
  EXPECT_EQ(same(numbers({1, 3, 7, 8})).shape(), (Shape{1, 4, 7, 8}));
  EXPECT_NE(same.settings().find("padding=same"), std::string::npos);
  nn::Conv1d valid(3, 4, {.kernel = 3, .padding = "valid"});
  EXPECT_EQ(valid(numbers({1, 3, 7})).shape(), (Shape{1, 4, 5}));
  EXPECT_ERROR(nn::Conv2d(3, 4, {.kernel = 3, .stride = 2, .padding = "same"}), ValueError, "stride of 1");
  EXPECT_ERROR(nn::Conv2d(3, 4, {.padding = "full"}), ValueError, "full");
}

TEST(LayersTest, FoldAddsUpWhatUnfoldCuts) {
  const Tensor x = numbers({1, 2, 4, 4});
  nn::Unfold unfold(2, {.stride = 2});
  EXPECT_EQ(unfold(x).shape(), (Shape{1, 8, 4}));
  nn::Fold fold(4, 2, {.stride = 2});
  expect_near(fold(unfold(x)), x.to_vector<double>());
  expect_near(nn::Fold(4, 2)(nn::Unfold(2)(ones({1, 1, 4, 4}))).narrow(2, 1, 1), {2, 4, 4, 2});
}

}  // namespace
}  // namespace phlox
