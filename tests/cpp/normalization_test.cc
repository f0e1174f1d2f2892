#include <gtest/gtest.h>

#include <cmath>

#include "finite_differences.h"
#include "phlox/ops/primitives/convolution.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const auto a = actual.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << "element " << i;
}

// Mean and variance of groups of elements, each element's group given by `group_of(its index)`.
template <class GroupOf>
Tensor normalized_by_definition(const Tensor& x, std::size_t groups, double eps, GroupOf&& group_of) {
  auto values = x.to_vector<double>();
  std::vector<double> sums(groups), squares(groups), counts(groups);
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[group_of(i)] += values[i];
    counts[group_of(i)] += 1;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double d = values[i] - sums[group_of(i)] / counts[group_of(i)];
    squares[group_of(i)] += d * d;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t g = group_of(i);
    values[i] = (values[i] - sums[g] / counts[g]) / std::sqrt(squares[g] / counts[g] + eps);
  }
  return from_values<double>(values, x.shape());
}

Tensor over_channels(const Tensor& vector, int rank) {
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[1] = vector.size(0);
  return reshape(vector, shape);
}

Tensor channels_last(const Tensor& x) {
  const Tensor result = make_channels_last(x.shape(), x.dtype(), x.device());
  result.copy_(x);
  return result;
}

TEST(Normalization, BatchNormInTraining) {
  for (const Shape& shape : {Shape{8, 5}, Shape{4, 5, 7}, Shape{3, 20, 4, 6}, Shape{2, 3, 2, 3, 4}}) {
    const Tensor x =
        add(mul(random_doubles(shape), 3), 1000);  // far from zero: a sum of squares would lose digits
    const std::int64_t channels = shape[1];
    const Tensor weight = random_doubles({channels}, 2), bias = random_doubles({channels}, 3);
    const std::size_t inner = static_cast<std::size_t>(x.numel() / shape[0] / channels);
    const Tensor plain = normalized_by_definition(
        x, static_cast<std::size_t>(channels), 1e-5,
        [&](std::size_t i) { return i / inner % static_cast<std::size_t>(channels); });
    const Tensor expected = add(mul(plain, over_channels(weight, x.rank())), over_channels(bias, x.rank()));
    for (auto [dtype, tolerance] : {std::pair{DType::float64, 1e-9}, {DType::float32, 2e-3}}) {
      const Tensor input = x.to(dtype), w = weight.to(dtype), b = bias.to(dtype);
      expect_close(batch_norm(input, {}, {}, w, b, true), expected, tolerance);
      expect_close(batch_norm(channels_last(input), {}, {}, w, b, true), expected, tolerance);
    }
  }
}

TEST(Normalization, RunningStatistics) {
  const Tensor x = random_doubles({4, 3, 5});
  const Tensor running_mean = zeros({3}, DType::float64), running_var = ones({3}, DType::float64);
  batch_norm(x, running_mean, running_var, {}, {}, true, 0.25);
  const Tensor rows = reshape(permute(x, {1, 0, 2}), {3, 20});
  const Tensor center = mean(rows, 1), difference = sub(rows, unsqueeze(center, 1));
  expect_close(running_mean, mul(center, 0.25), 1e-12);
  expect_close(running_var, add(mul(div(sum(mul(difference, difference), 1), 19), 0.25), 0.75), 1e-12);
  // Outside training they are what counts, and stay.
  const Tensor before = running_mean.clone();
  const Tensor expected =
      div(sub(x, over_channels(running_mean, 3)), sqrt(add(over_channels(running_var, 3), 1e-5)));
  expect_close(batch_norm(x, running_mean, running_var), expected, 1e-12);
  expect_close(running_mean, before, 0);
}

TEST(Normalization, LayerGroupAndInstance) {
  const Tensor x = random_doubles({2, 6, 4, 3});
  const Tensor weight = random_doubles({4, 3}, 2), bias = random_doubles({4, 3}, 3);
  expect_close(
      layer_norm(x, {4, 3}, weight, bias, 1e-3),
      add(mul(normalized_by_definition(x, 12, 1e-3, [](std::size_t i) { return i / 12; }), weight), bias),
      1e-12);
  const Tensor w = random_doubles({6}, 4), b = random_doubles({6}, 5);
  const Tensor groups = normalized_by_definition(x, 4, 1e-5, [](std::size_t i) { return i / 36; });
  expect_close(group_norm(x, 2, w, b), add(mul(groups, over_channels(w, 4)), over_channels(b, 4)), 1e-12);
  expect_close(group_norm(channels_last(x), 2), groups, 1e-12);
  expect_close(instance_norm(x), normalized_by_definition(x, 12, 1e-5, [](std::size_t i) { return i / 12; }),
               1e-12);
  const Tensor square = mean(mul(x, x), 3, true);
  expect_close(rms_norm(x, 3, {}, 1e-4), div(x, sqrt(add(square, 1e-4))), 1e-12);
  // Halves are computed in float32 and rounded once.
  expect_close(
      layer_norm(x.to(DType::bfloat16), {4, 3}),
      normalized_by_definition(x.to(DType::bfloat16), 12, 1e-5, [](std::size_t i) { return i / 12; }), 1e-2);
}

TEST(Normalization, LocalResponse) {
  const Tensor x = random_doubles({2, 5, 3});
  const auto values = x.to_vector<double>();
  std::vector<double> expected(values.size());
  for (int n = 0; n < 2; ++n)
    for (int c = 0; c < 5; ++c)
      for (int i = 0; i < 3; ++i) {
        double squares = 0;
        for (int j = std::max(0, c - 1); j <= std::min(4, c + 1); ++j)
          squares += std::pow(values[(n * 5 + j) * 3 + i], 2);
        const int at = (n * 5 + c) * 3 + i;
        expected[at] = values[at] / std::pow(2 + 0.5 * squares / 3, 0.75);
      }
  expect_close(local_response_norm(x, 3, 0.5, 0.75, 2), from_values<double>(expected, x.shape()), 1e-12);
}

TEST(Normalization, Gradients) {
  const Tensor w = random_doubles({3}, 2), b = random_doubles({3}, 3);
  check_gradients([](const TensorList& x) { return batch_norm(x[0], {}, {}, x[1], x[2], true); },
                  {random_doubles({3, 3, 2}), w, b});
  const Tensor m = random_doubles({3}, 4), v = add(abs(random_doubles({3}, 5)), 0.5);
  check_gradients([&](const TensorList& x) { return batch_norm(x[0], m, v, x[1], x[2]); },
                  {random_doubles({2, 3, 2}), w, b});
  check_gradients([](const TensorList& x) { return layer_norm(x[0], 3, x[1], x[2]); },
                  {random_doubles({2, 2, 3}), w, b});
  check_gradients([](const TensorList& x) { return group_norm(x[0], 1, x[1], x[2]); },
                  {random_doubles({2, 3, 2}), w, b});
  check_gradients([](const TensorList& x) { return rms_norm(x[0], 3, x[1], 1e-3); },
                  {random_doubles({2, 3}), w});
  check_gradients([](const TensorList& x) { return local_response_norm(x[0], 2, 0.3); },
                  {random_doubles({1, 4, 2})});
}

// The same from means, products and sums, which have gradients of their own.
Tensor normalized_by_operations(const Tensor& x, const DimList& dims, const Tensor& weight,
                                const Tensor& bias) {
  const Tensor centered = sub(x, mean(x, dims, true));
  return add(mul(div(centered, sqrt(add(mean(mul(centered, centered), dims, true), 1e-5))), weight), bias);
}

// Sizes at which vectors, blocks of 512 and tiles of 256 columns end in the middle.
TEST(Normalization, GradientsOfManyShapes) {
  const auto compare = [](const char* what, const Tensor& x, const Tensor& w, const Tensor& b,
                          const testing::TensorFunction& actual, const testing::TensorFunction& expected) {
    for (const int wanted : {7, 1, 2, 4, 6}) {  // bits: input, weight, bias
      Gradients gradients[2];
      for (int side = 0; side < 2; ++side) {
        TensorList inputs{x.detach(), w.detach(), b.detach()}, leaves;
        for (int i = 0; i < 3; ++i)
          if (wanted >> i & 1) leaves.push_back(inputs[static_cast<std::size_t>(i)].set_requires_grad());
        const Tensor y = (side ? expected : actual)(inputs);
        const Tensor weights = random_doubles(y.shape(), 9);
        gradients[side] = autograd::grad({{y}}, leaves, {{weights}});
      }
      SCOPED_TRACE(what);
      for (std::size_t i = 0; i < gradients[0].size(); ++i)
        expect_close(gradients[0][i], gradients[1][i], 1e-10);
    }
  };
  const auto vectors = [](const Shape& shape) {
    return std::pair{random_doubles(shape, 2), random_doubles(shape, 3)};
  };
  for (const Shape& shape :
       {Shape{700, 19}, Shape{3, 300, 2, 2}, Shape{4, 17, 13, 11}, Shape{2, 3, 30, 21}}) {
    const int rank = static_cast<int>(shape.size());
    const auto [w, b] = vectors({shape[1]});
    DimList dims{0};
    for (int d = 2; d < rank; ++d) dims.push_back(d);
    const auto definition = [&](const TensorList& x) {
      return normalized_by_operations(x[0], dims, over_channels(x[1], rank), over_channels(x[2], rank));
    };
    const auto norm = [](const TensorList& x) { return batch_norm(x[0], {}, {}, x[1], x[2], true); };
    const Tensor x = random_doubles(shape);
    compare("batch norm", x, w, b, norm, definition);
    if (rank == 4) compare("batch norm, channels-last", channels_last(x), w, b, norm, definition);
  }
  for (const auto& [rows, length] : {std::pair<int, int>{5, 1100}, {600, 21}, {3, 512}}) {
    const auto [w, b] = vectors({length});
    compare(
        "layer norm", random_doubles({rows, length}), w, b,
        [n = length](const TensorList& x) { return layer_norm(x[0], n, x[1], x[2]); },
        [](const TensorList& x) { return normalized_by_operations(x[0], {1}, x[1], x[2]); });
  }
  const auto [w, b] = vectors({6});
  for (const Shape& shape : {Shape{3, 6, 11, 13}, Shape{2, 6, 25, 27}, Shape{5, 6}}) {
    const int rank = static_cast<int>(shape.size());
    compare(
        "group norm", random_doubles(shape), w, b,
        [](const TensorList& x) { return group_norm(x[0], 2, x[1], x[2]); },
        [&](const TensorList& x) {
          const Tensor groups = reshape(x[0], {shape[0], 2, -1});
          const Tensor plain =
              normalized_by_operations(groups, {2}, ones({1}, DType::float64), zeros({1}, DType::float64));
          return add(mul(reshape(plain, shape), over_channels(x[1], rank)), over_channels(x[2], rank));
        });
  }
}

TEST(Normalization, Errors) {
  const Tensor x = random_doubles({2, 3, 4});
  EXPECT_THROW(batch_norm(x), ValueError);
  EXPECT_THROW(batch_norm(random_doubles({1, 3}), {}, {}, {}, {}, true), ValueError);
  EXPECT_THROW(batch_norm(x, {}, {}, random_doubles({4}), {}, true), ShapeError);
  EXPECT_THROW(layer_norm(x, 3), ShapeError);
  EXPECT_THROW(group_norm(x, 2), ShapeError);
  EXPECT_THROW(layer_norm(x.to(DType::int64), 4), DTypeError);
}

}  // namespace
}  // namespace phlox
