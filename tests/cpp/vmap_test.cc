// vmap in C++: forms of functions, gradients, and what is refused. tests/python/test_vmap.py covers the operations.
#include <gtest/gtest.h>

#include "phlox/phlox.h"

namespace phlox {
namespace {

Tensor norm(const Tensor& x) { return sqrt(sum(mul(x, x))); }

void expect_close(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(allclose(a.detach(), b.detach(), 1e-5, 1e-6)) << a.to_string() << b.to_string();
}

TEST(Vmap, FunctionsOfTensors) {
  const Tensor x({{3, 4}, {6, 8}}), y({{1, 0}, {0, 1}});
  expect_close(vmap(norm)(x.to(DType::float32)), Tensor({5.0, 10.0}));
  const auto product = [](const Tensor& a, const Tensor& b) { return sum(mul(a, b)); };
  expect_close(vmap(product)(x, y), Tensor({3, 8}));
  expect_close(vmap(product, {0, std::nullopt})(x, y[0]), Tensor({3, 6}));
  expect_close(vmap(product, {1, 0})(x, y), Tensor({3, 8}));
}

TEST(Vmap, FunctionsThatGiveLists) {
  const Tensor x = randn({4, 3});
  const auto parts = [](const Tensor& row) { return TensorList{add(row, 1), sum(row)}; };
  const TensorList results = vmap(parts, 0, {1, 0})(x);
  expect_close(results[0], transpose(add(x, 1), 0, 1));
  expect_close(results[1], sum(x, 1));
}

TEST(Vmap, Nests) {
  const Tensor a = randn({3, 2}), b = randn({4, 2});
  const auto product = [](const Tensor& u, const Tensor& v) { return sum(mul(u, v)); };
  const Tensor table =
      vmap([&](const Tensor& u) { return vmap([&](const Tensor& v) { return product(u, v); })(b); })(a);
  expect_close(table, matmul(a, transpose(b, 0, 1)));
}

TEST(Vmap, GradientsInsideAndAround) {
  const Tensor weight = randn({3}).set_requires_grad(), x = randn({4, 3});
  const Tensor gradients = vmap([&](const Tensor& row) {
    const Tensor loss = sum(mul(mul(row, row), weight));
    return autograd::grad({&loss, 1}, {&weight, 1})[0];
  })(x);
  expect_close(gradients, mul(x, x));
  EXPECT_FALSE(gradients.requires_grad());
  sum(vmap([&](const Tensor& row) { return sum(mul(row, weight)); })(x)).backward();
  expect_close(weight.grad(), sum(x, 0));
}

TEST(Vmap, Refusals) {
  EXPECT_THROW(vmap([](const Tensor& x) { return Tensor(x.item()); })(ones({2})), GraphError);
  EXPECT_THROW(vmap(norm, OptionalDim())(ones({2})), ValueError);
  EXPECT_THROW(vmap(norm, 2)(ones({2})), ShapeError);
  EXPECT_THROW(vmap(norm, 0, OptionalDim())(ones({2})), ValueError);
  const Tensor around = zeros({2});
  EXPECT_THROW(vmap([&](const Tensor& x) { return around.add_(x); })(ones({2})), NotSupportedError);
  EXPECT_EQ(sum(around).item<float>(), 0);
}

TEST(Vmap, RandomNumbers) {
  const auto noise = [](const Tensor& x) { return add(x, rand({2})); };
  EXPECT_THROW(vmap(noise)(zeros({3})), ValueError);
  const Tensor same = vmap(noise, {}, {}, Randomness::same)(zeros({3}));
  expect_close(same[0], same[1]);
  const Tensor different = vmap(noise, {}, {}, Randomness::different)(zeros({3}));
  EXPECT_FALSE(allclose(different[0], different[1]));
}

}  // namespace
}  // namespace phlox
