#include <gtest/gtest.h>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;
using Doubles = std::vector<double>;

Doubles values(const Tensor& x) { return x.to_vector<double>(); }

TEST(JoinTest, CatPromotesAndAllowsEmptyParts) {
  const Tensor a = tensor({1, 2}), b = tensor({2.5, 3.5, 4.5});
  const Tensor joined = cat({a, b, zeros({0})});
  EXPECT_EQ(joined.dtype(), DType::float32);
  EXPECT_EQ(values(joined), (Doubles{1, 2, 2.5, 3.5, 4.5}));
  EXPECT_EQ(cat({zeros({2, 0}), zeros({2, 3})}, -1).shape(), (Shape{2, 3}));
  EXPECT_EQ(code_of([&] { cat({zeros({2, 3}), zeros({2, 4})}, 0); }), ErrorCode::sizes_differ);
  EXPECT_EQ(code_of([&] { cat({}, 0); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { cat({zeros({}), zeros({})}, 0); }), ErrorCode::wrong_rank);
  EXPECT_EQ(code_of([&] { stack({zeros({2}), zeros({3})}); }), ErrorCode::sizes_differ);
}

TEST(JoinTest, SplitAndCatAreInverse) {
  const Tensor x = random_doubles({7, 3});
  EXPECT_EQ(values(cat(split(x, {3}))), values(x));
  EXPECT_EQ(values(cat(split(x, {2, 0, 5}))), values(x));
  EXPECT_EQ(values(stack(unbind(x, 1), 1)), values(x));
  EXPECT_EQ(chunk(x, 3).size(), 3u);
  EXPECT_EQ(chunk(x, 3)[2].shape(), (Shape{1, 3}));
  EXPECT_EQ(tensor_split_sections(x, 3)[0].shape(), (Shape{3, 3}));
  EXPECT_EQ(tensor_split(x, {5, 2, 20}).size(), 4u);
  EXPECT_EQ(split(zeros({0, 2}), {4}).size(), 1u);
  EXPECT_TRUE(split(x, {3})[1].shares_storage_with(x));
  EXPECT_EQ(code_of([&] { split(x, {3, 3}); }), ErrorCode::sizes_differ);
}

TEST(JoinTest, Gradients) {
  const Tensor x = random_doubles({3, 4}), y = random_doubles({3, 2}, 2);
  check_gradients([](const TensorList& t) { return cat({mul(t[0], t[0]), t[1]}, 1); }, {x, y});
  check_gradients([](const TensorList& t) { return stack({t[0], mul(t[0], t[0])}, 1); }, {x});
  check_gradients(
      [](const TensorList& t) {
        const auto parts = split(t[0], {1, 3}, 1);
        return mul(parts[1], parts[0]);
      },
      {x});
  check_gradients([](const TensorList& t) { return mul(split(t[0], {1, 3}, 1)[1], 2.0); },
                  {x});  // one part is unused
  check_gradients(
      [](const TensorList& t) {
        const auto rows = unbind(t[0]);
        return mul(rows[0], rows[2]);
      },
      {x});
  check_gradients([](const TensorList& t) { return repeat(t[0], {2, 1}); }, {x});
  check_gradients([](const TensorList& t) { return repeat_interleave(t[0], 3, 1); }, {x});
  check_gradients([](const TensorList& t) { return repeat_interleave(t[0], tensor({2, 0, 1}), 0); }, {x});
  check_gradients([](const TensorList& t) { return kron(t[0], t[1]); }, {x, y});
  check_gradients([](const TensorList& t) { return block_diag({t[0], t[1]}); }, {x, y});
  check_gradients([](const TensorList& t) { return pad(t[0], {1, 2, 0, 1}, "constant", 3.0); }, {x});
  check_gradients([](const TensorList& t) { return pad(t[0], {-1, 2}); }, {x});
  check_gradients([](const TensorList& t) { return pad(t[0], {2, 1}, "reflect"); }, {x});
  check_gradients([](const TensorList& t) { return pad(t[0], {2, 1, 1, 0}, "replicate"); }, {x});
  check_gradients([](const TensorList& t) { return pad(t[0], {2, 1}, "circular"); }, {x});
  check_gradients(
      [](const TensorList& t) { return stack(meshgrid({reshape(t[0], {12}), reshape(t[1], {6})}, "xy")); },
      {x, y});
}

TEST(JoinTest, PaddingModes) {
  const Tensor x = tensor({1, 2, 3});
  EXPECT_EQ(values(pad(x, {2, 1}, "constant", 9.0)), (Doubles{9, 9, 1, 2, 3, 9}));
  EXPECT_EQ(values(pad(x, {2, 1}, "reflect")), (Doubles{3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(values(pad(x, {2, 1}, "replicate")), (Doubles{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(values(pad(x, {2, 1}, "circular")), (Doubles{2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(values(pad(x, {-1, -1})), (Doubles{2}));
  EXPECT_EQ(code_of([&] { pad(x, {3, 0}, "reflect"); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { pad(x, {1}); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { pad(x, {-2, -2}); }), ErrorCode::invalid_value);
}

TEST(JoinTest, Grids) {
  const TensorList ij = meshgrid({tensor({1, 2}), tensor({3, 4, 5})});
  EXPECT_EQ(values(ij[0]), (Doubles{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(values(ij[1]), (Doubles{3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(meshgrid({tensor({1, 2}), tensor({3, 4, 5})}, "xy")[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(values(cartesian_prod({tensor({1, 2}), tensor({3, 4})})), (Doubles{1, 3, 1, 4, 2, 3, 2, 4}));
  EXPECT_EQ(code_of([&] { meshgrid({tensor({1, 2})}, "yx"); }), ErrorCode::invalid_value);
}

}  // namespace
}  // namespace phlox
