#include <gtest/gtest.h>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::layouts;
using testing::random_doubles;
using Doubles = std::vector<double>;

Tensor counting(const Shape& shape) {
  return reshape(arange(element_count(shape), {}, 1, DType::float64), shape);
}
Doubles values(const Tensor& x) { return x.to_vector<double>(); }

// f on every layout of x gives the same.
void check_layouts(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  const Tensor expected = f(x.contiguous());
  for (const Tensor& other : layouts(x)) {
    ASSERT_EQ(values(other), values(x));
    const Tensor result = f(other);
    EXPECT_EQ(result.shape(), expected.shape());
    EXPECT_EQ(values(result), values(expected));
  }
}

TEST(ViewTest, ReshapeIsAViewWhereStridesAllow) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_TRUE(reshape(x, {6, 4}).shares_storage_with(x));
  EXPECT_TRUE(reshape(x, {2, 1, -1}).shares_storage_with(x));
  EXPECT_EQ(reshape(x, {2, 1, -1}).shape(), (Shape{2, 1, 12}));
  const Tensor turned = permute(x, {2, 0, 1});
  EXPECT_TRUE(reshape(turned, {4, 6}).shares_storage_with(x));  // the last two run on
  EXPECT_EQ(reshape(turned, {4, 6}).strides(), (Strides{1, 4}));
  EXPECT_FALSE(reshape(turned, {8, 3}).shares_storage_with(x));
  EXPECT_EQ(values(reshape(turned, {8, 3})), values(reshape(turned.contiguous(), {8, 3})));
  EXPECT_EQ(code_of([&] { view(turned, {8, 3}); }), ErrorCode::not_viewable);
  EXPECT_EQ(code_of([&] { reshape(x, {5, 5}); }), ErrorCode::wrong_element_count);
  EXPECT_EQ(code_of([&] { reshape(x, {-1, -1}); }), ErrorCode::invalid_value);
  EXPECT_EQ(reshape(zeros({0, 3}), {3, 0, 7}).shape(), (Shape{3, 0, 7}));
  EXPECT_EQ(reshape(zeros({}), {1, 1}).shape(), (Shape{1, 1}));
  const Tensor channels_last = contiguous(counting({2, 3, 4, 5}), "channels_last");
  EXPECT_EQ(values(view(channels_last, {2, -1})), values(reshape(channels_last, {2, -1})));
}

TEST(ViewTest, EveryLayoutGivesTheSame) {
  const Tensor x = random_doubles({4, 6, 2});
  check_layouts(x, [](const Tensor& t) { return reshape(t, {3, 16}); });
  check_layouts(x, [](const Tensor& t) { return flatten(t, 1); });
  check_layouts(x, [](const Tensor& t) { return transpose(t, 0, 2); });
  check_layouts(x, [](const Tensor& t) { return roll(t, {1, -2}, {0, 1}); });
  check_layouts(x, [](const Tensor& t) { return tril(t, 1); });
  check_layouts(x, [](const Tensor& t) { return diagonal(t, 1, 0, 1); });
  check_layouts(x, [](const Tensor& t) { return unfold(t, 1, 3, 2); });
  check_layouts(x, [](const Tensor& t) { return slice(t, 1, 5, {}, -2); });
  check_layouts(x, [](const Tensor& t) { return rot90(t, 1, {0, 1}); });
  check_layouts(x, [](const Tensor& t) { return repeat(t, {2, 1, 3}); });
  check_layouts(x, [](const Tensor& t) { return pad(t, {1, 2, -1, 0}, "constant", 7.0); });
  check_layouts(random_doubles({2, 3, 4, 5}), [](const Tensor& t) { return cat({t, t}, 1); });
  check_layouts(random_doubles({2, 3, 4, 5}), [](const Tensor& t) { return clone(t); });
}

TEST(ViewTest, ChannelsLastStays) {
  const Tensor x = contiguous(random_doubles({2, 3, 4, 5}), "channels_last");
  EXPECT_TRUE(x.is_channels_last());
  EXPECT_TRUE(clone(x).is_channels_last());
  EXPECT_TRUE(x.to(DType::float32).is_channels_last());
  EXPECT_TRUE(cat({x, x}, 1).is_channels_last());
  EXPECT_TRUE(zeros_like(x).is_channels_last());
  EXPECT_TRUE(x.contiguous().is_contiguous());
  EXPECT_EQ(code_of([&] { contiguous(zeros({2, 3}), "channels_last"); }), ErrorCode::wrong_rank);
}

TEST(ViewTest, SlicesFollowPython) {
  const Tensor x = counting({5});
  EXPECT_EQ(values(slice(x, 0, 1, 4)), (Doubles{1, 2, 3}));
  EXPECT_EQ(values(slice(x, 0, {}, {}, -2)), (Doubles{4, 2, 0}));
  EXPECT_EQ(values(slice(x, 0, -2)), (Doubles{3, 4}));
  EXPECT_EQ(values(slice(x, 0, 10)), Doubles{});
  EXPECT_EQ(values(slice(x, 0, 3, 0, -1)), (Doubles{3, 2, 1}));
  EXPECT_EQ(values(slice(x, 0, -100, 100, 3)), (Doubles{0, 3}));
  EXPECT_EQ(code_of([&] { slice(x, 0, {}, {}, 0); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { select(x, 0, 5); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { narrow(x, 0, 3, 3); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(values(flip(x, 0)), (Doubles{4, 3, 2, 1, 0}));
  EXPECT_TRUE(flip(x, 0).shares_storage_with(x));
  EXPECT_EQ(values(flip(flip(x, 0), 0)), values(x));
  EXPECT_EQ(flip(zeros({0, 2}), 0).shape(), (Shape{0, 2}));
}

TEST(ViewTest, DimensionsOfSizeOne) {
  const Tensor x = zeros({1, 3, 1});
  EXPECT_EQ(squeeze(x).shape(), (Shape{3}));
  EXPECT_EQ(squeeze(x, DimList(0)).shape(), (Shape{3, 1}));
  EXPECT_EQ(squeeze(x, DimList(1)).shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(unsqueeze(x, -1).shape(), (Shape{1, 3, 1, 1}));
  EXPECT_EQ(code_of([&] { unsqueeze(x, 5); }), ErrorCode::dimension_out_of_range);
  EXPECT_EQ(expand(x, {2, -1, 4}).strides(), (Strides{0, 1, 0}));
  EXPECT_EQ(code_of([&] { expand(x, {2, 2, 4}); }), ErrorCode::shapes_do_not_broadcast);
  EXPECT_EQ(flatten(zeros({})).shape(), (Shape{1}));
  EXPECT_EQ(movedim(zeros({2, 3, 4}), {0, 1}, {2, 0}).shape(), (Shape{3, 4, 2}));
}

TEST(ViewTest, Gradients) {
  const Tensor x = random_doubles({3, 4});
  check_gradients([](const TensorList& t) { return reshape(t[0], {2, 6}); }, {x});
  check_gradients([](const TensorList& t) { return expand(unsqueeze(t[0], 1), {3, 2, 4}); }, {x});
  check_gradients([](const TensorList& t) { return permute(t[0], {1, 0}); }, {x});
  check_gradients([](const TensorList& t) { return select(t[0], 1, 2); }, {x});
  check_gradients([](const TensorList& t) { return slice(t[0], 1, 3, {}, -2); }, {x});
  check_gradients([](const TensorList& t) { return diagonal(t[0], 1); }, {x});
  check_gradients([](const TensorList& t) { return unfold(t[0], 1, 3, 1); }, {x});
  check_gradients([](const TensorList& t) { return unfold(t[0], 1, 2, 2); }, {x});
  check_gradients([](const TensorList& t) { return as_strided(t[0], {3, 3}, {2, 3}, 1); }, {x});
  check_gradients([](const TensorList& t) { return mul(flip(t[0], {0, 1}), t[0]); }, {x});
  check_gradients([](const TensorList& t) { return trace(mul(t[0], t[0])); }, {x});
  check_gradients([](const TensorList& t) { return triu(mul(t[0], t[0])); }, {x});
  check_gradients([](const TensorList& t) { return diag_embed(t[0], 1); }, {x});
  check_gradients([](const TensorList& t) { return roll(mul(t[0], t[0]), 3); }, {x});
  check_gradients([](const TensorList& t) { return clone(t[0]).to(DType::float64); }, {x});
}

TEST(ViewTest, ViewsOfAnInPlaceWriteSeeIt) {
  const Tensor x = counting({4});
  const Tensor tail = slice(x, 0, 2);
  tail.fill_(9);
  EXPECT_EQ(values(x), (Doubles{0, 1, 9, 9}));
  EXPECT_EQ(x.version(), 1u);
  x.copy_(flip(x, 0));  // overlapping memory
  EXPECT_EQ(values(x), (Doubles{9, 9, 1, 0}));
}

TEST(ViewTest, CopyTakesOverTheHistoryOfTheValue) {
  Tensor x = random_doubles({2, 3}).set_requires_grad();
  Tensor target = mul(random_doubles({2, 3}, 2).set_requires_grad(), 2.0);
  target.copy_(mul(x, 3.0));
  target.backward(ones({2, 3}, DType::float64));
  EXPECT_EQ(values(x.grad()), Doubles(6, 3.0));
  Tensor fresh = zeros({2, 3}, DType::float64);
  fresh.copy_(slice(x, 0, 0, 1));  // broadcast, of a view of a leaf
  EXPECT_TRUE(fresh.requires_grad());
  x.set_grad({});
  fresh.backward(ones({2, 3}, DType::float64));
  EXPECT_EQ(values(x.grad()), (Doubles{2, 2, 2, 0, 0, 0}));
  EXPECT_EQ(code_of([&] { x.fill_(1); }), ErrorCode::leaf_modified_in_place);
}

}  // namespace
}  // namespace phlox
