#include <gtest/gtest.h>

#include <cmath>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/core/parallel.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::layouts;
using testing::random_doubles;
using Doubles = std::vector<double>;

Doubles values(const Tensor& x) { return x.to_vector<double>(); }
Tensor counting(const Shape& shape) {
  return reshape(arange(element_count(shape), {}, 1, DType::float64), shape);
}

TEST(IndexTest, BasicIndicesAreViews) {
  const Tensor x = counting({2, 3, 4});
  EXPECT_EQ(values(x[1][2]), (Doubles{20, 21, 22, 23}));
  EXPECT_EQ((x[{1, Slice{0, 2}, -1}].shape()), (Shape{2}));
  EXPECT_EQ(values(x[{1, Slice{0, 2}, -1}]), (Doubles{15, 19}));
  EXPECT_EQ((x[{ellipsis, 0}].shape()), (Shape{2, 3}));
  EXPECT_EQ((x[{newaxis, 0, ellipsis, newaxis}].shape()), (Shape{1, 3, 4, 1}));
  EXPECT_EQ(values(x[{0, Slice{{}, {}, -1}, 0}]), (Doubles{8, 4, 0}));
  const Tensor corner = x[{Slice{0, 1}, Slice{1}, Slice{{}, {}, 2}}];
  EXPECT_EQ(corner.shape(), (Shape{1, 2, 2}));
  EXPECT_TRUE(corner.shares_storage_with(x));
  EXPECT_TRUE((x[{ellipsis}].shares_storage_with(x)));
  EXPECT_EQ((x[{Slice{5}}].shape()), (Shape{0, 3, 4}));
}

TEST(IndexTest, TensorsFollowNumPy) {
  const Tensor x = counting({3, 4, 5});
  const Tensor i = tensor({0, 2}), j = tensor({1, -1});
  EXPECT_EQ((x[{i}].shape()), (Shape{2, 4, 5}));
  EXPECT_EQ((x[{i, j}].shape()), (Shape{2, 5}));
  EXPECT_EQ(values((x[{i, j, 0}])), (Doubles{5, 55}));
  EXPECT_EQ((x[{Slice{}, i, j}].shape()), (Shape{3, 2}));  // side by side: in their place
  EXPECT_EQ((x[{i, Slice{}, j}].shape()), (Shape{2, 4}));  // apart: in front
  EXPECT_EQ((x[{0, Slice{}, j}].shape()), (Shape{2, 4}));  // a position counts as a tensor
  EXPECT_EQ((x[{Slice{}, 0, j}].shape()), (Shape{3, 2}));
  EXPECT_EQ((x[{i, newaxis, j}].shape()), (Shape{2, 1, 5}));
  EXPECT_EQ((x[{reshape(i, {2, 1}), j}].shape()), (Shape{2, 2, 5}));  // they broadcast
  EXPECT_EQ(values((x[{reshape(i, {2, 1}), j, 0}])), (Doubles{5, 15, 45, 55}));
  EXPECT_EQ((x[{zeros({0}, DType::int64)}].shape()), (Shape{0, 4, 5}));
  EXPECT_EQ((x[{Tensor(2)}].shape()), (Shape{4, 5}));
  EXPECT_FALSE((x[{i}].shares_storage_with(x)));
}

TEST(IndexTest, Masks) {
  const Tensor x = counting({2, 3});
  const Tensor mask = gt(x, 2);
  EXPECT_EQ(values(x[mask]), (Doubles{3, 4, 5}));
  EXPECT_EQ((x[{tensor({true, false})}].shape()), (Shape{1, 3}));
  EXPECT_EQ(values((x[{Slice{}, tensor({true, false, true})}])), (Doubles{0, 2, 3, 5}));
  EXPECT_EQ(values((x[{tensor({1}), tensor({true, false, true})}])), (Doubles{3, 5}));
  EXPECT_EQ((x[{Tensor(true)}].shape()), (Shape{1, 2, 3}));
  EXPECT_EQ((x[{Tensor(false)}].shape()), (Shape{0, 2, 3}));
  EXPECT_EQ(code_of([&] { x[tensor({true, false, true})]; }), ErrorCode::index_out_of_range);
}

TEST(IndexTest, Errors) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(code_of([&] { x[2]; }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { (x[{0, -4}]); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { (x[{0, 0, 0}]); }), ErrorCode::too_many_indices);
  EXPECT_EQ(code_of([&] { (x[{ellipsis, ellipsis}]); }), ErrorCode::bad_index);
  EXPECT_EQ(code_of([&] { x[ones({2})]; }), ErrorCode::bad_index);
  EXPECT_EQ(code_of([&] { x[tensor({0, 2})]; }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { (x[{tensor({0, 1}), tensor({0, 1, 2})}]); }), ErrorCode::shapes_do_not_broadcast);
  EXPECT_EQ(code_of([&] { zeros({})[0]; }), ErrorCode::too_many_indices);
  EXPECT_EQ(code_of([&] { (x[{Slice{0, 2, 0}}]); }), ErrorCode::bad_index);
  // Along one dimension indices count from the front only.
  const Tensor last = tensor({{-1, 0, 0}}), target = clone(x);
  EXPECT_EQ(code_of([&] { gather(x, 0, last); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { scatter(x, 0, last, 1.0); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { target.scatter_add_(0, last, x); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(values(target), values(x));
  EXPECT_EQ(values(x[-1]), (Doubles{3, 4, 5}));
  try {
    x[tensor({{0, 1}, {1, 7}})];
    FAIL();
  } catch (const IndexError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("[E0501] index: position 7 is out of range for dimension 0 of size 2"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("at [1,1]"), std::string::npos) << text;
  }
}

TEST(IndexTest, EveryLayoutGivesTheSame) {
  const Tensor x = random_doubles({4, 5, 6});
  const Tensor i = tensor({3, 0, 0, -1});
  const Tensor along = tensor({{{0, 1, 2, 3, 4, 0}}, {{1, 1, 1, 4, 4, 4}}});
  for (const Tensor& t : layouts(x)) {
    EXPECT_EQ(values((t[{i, Slice{1}, i}])), values((x[{i, Slice{1}, i}])));
    EXPECT_EQ(values(index_select(t, 1, i)), values(index_select(x, 1, i)));
    EXPECT_EQ(values(index_select(t, 2, i)), values(index_select(x, 2, i)));
    EXPECT_EQ(values(gather(t, 1, along)), values(gather(x, 1, along)));
    EXPECT_EQ(values(masked_select(t, gt(t, 0))), values(masked_select(x, gt(x, 0))));
    EXPECT_EQ(values(scatter_add(t, 1, along, ones({2, 1, 6}, DType::float64))),
              values(scatter_add(x, 1, along, ones({2, 1, 6}, DType::float64))));
    EXPECT_EQ(values(nonzero(gt(t, 0.5))), values(nonzero(gt(x, 0.5))));
    const Tensor written = clone(t), expected = clone(x);
    written.set({Slice{1}, i}, 5.0);
    expected.set({Slice{1}, i}, 5.0);
    EXPECT_EQ(values(written), values(expected));
  }
}

TEST(IndexTest, Assignment) {
  const Tensor x = zeros({3, 4}, DType::float64);
  x.set({1}, 2);
  x.set({Slice{}, 0}, tensor({5.0, 6.0, 7.0}));
  x.set({ellipsis, Slice{{}, {}, -2}}, 1);
  EXPECT_EQ(values(x), (Doubles{5, 1, 0, 1, 6, 1, 2, 1, 7, 1, 0, 1}));
  x.set({gt(x, 4)}, -1);
  EXPECT_EQ(values(x), (Doubles{-1, 1, 0, 1, -1, 1, 2, 1, -1, 1, 0, 1}));
  x.set({tensor({0, 0}), tensor({3, 3})}, tensor({8, 9}));  // the last of equal places counts
  EXPECT_EQ(x[0][3].item<double>(), 9);
  x.set({Slice{0, 2}, Slice{0, 2}}, ones({1, 2, 2}));  // leading ones of the value fall away
  EXPECT_EQ(x[1][1].item<double>(), 1);
  EXPECT_EQ(x.version(), 6u);
  x.set({}, x[{Slice{{}, {}, -1}}]);  // overlapping memory
  EXPECT_EQ(x[0][0].item<double>(), -1);
  EXPECT_EQ(code_of([&] { x.set({0}, ones({3})); }), ErrorCode::shapes_do_not_broadcast);
  EXPECT_EQ(code_of([&] { x.set({tensor({5})}, 1); }), ErrorCode::index_out_of_range);
  const Tensor bytes = zeros({2}, DType::uint8);
  EXPECT_EQ(code_of([&] { bytes.set({0}, 256); }), ErrorCode::integer_overflow);
}

TEST(IndexTest, AssignmentKeepsGradientsRight) {
  check_gradients(
      [](const TensorList& t) {
        const Tensor x = mul(t[0], t[0]);
        x.set({1, Slice{0, 3}}, mul(t[1], 3.0));
        x.set({tensor({0, 2}), tensor({0, 1})}, 4.0);
        return mul(x, x);
      },
      {random_doubles({3, 4}), random_doubles({3}, 2)});
  Tensor leaf = random_doubles({3}).set_requires_grad();
  EXPECT_EQ(code_of([&] { leaf.set({0}, 1.0); }), ErrorCode::leaf_modified_in_place);
  const Tensor square = mul(leaf, leaf), twice = mul(square, square);
  square.set({0}, 1.0);
  EXPECT_EQ(code_of([&] { twice.backward(ones({3}, DType::float64)); }), ErrorCode::modified_in_place);
}

TEST(IndexTest, Gradients) {
  const Tensor x = random_doubles({4, 3}), values_5 = random_doubles({5, 3}, 3);
  const Tensor rows = tensor({3, 0, 0, 2, 3}), places = tensor({{0, 1, 2}, {3, 3, 0}});
  const Tensor src = random_doubles({2, 3}, 5);
  check_gradients([&](const TensorList& t) { return mul(t[0][rows], t[0][rows]); }, {x});
  check_gradients([&](const TensorList& t) { return t[0][gt(x, 0)]; }, {x});
  check_gradients([&](const TensorList& t) { return (t[0][{tensor({0, 3, 3}), tensor({1, 1, 2})}]); }, {x});
  check_gradients([&](const TensorList& t) { return gather(mul(t[0], t[0]), 0, places); }, {x});
  check_gradients([&](const TensorList& t) { return index_add(t[0], 0, rows, t[1], 2.0); }, {x, values_5});
  check_gradients([&](const TensorList& t) { return index_copy(t[0], 0, tensor({2, 0}), t[1]); }, {x, src});
  check_gradients([&](const TensorList& t) { return index_fill(t[0], 1, tensor({1}), 3.0); }, {x});
  check_gradients([&](const TensorList& t) { return scatter_add(t[0], 0, places, t[1]); }, {x, src});
  check_gradients([&](const TensorList& t) { return scatter(t[0], 0, tensor({{0, 1, 2}}), t[1]); }, {x, src});
  check_gradients([&](const TensorList& t) { return scatter_reduce(t[0], 0, places, t[1], "mean"); },
                  {x, src});
  check_gradients([&](const TensorList& t) { return scatter_reduce(t[0], 0, places, t[1], "prod"); },
                  {x, src});
  check_gradients([&](const TensorList& t) { return scatter_reduce(t[0], 0, places, t[1], "amax"); },
                  {x, src});
  check_gradients([&](const TensorList& t) { return scatter_reduce(t[0], 0, places, t[1], "amin"); },
                  {x, src});
  check_gradients([&](const TensorList& t) { return index_put(t[0], {tensor({0, 1, 1})}, t[1], true); },
                  {x, random_doubles({3}, 7)});
  check_gradients([&](const TensorList& t) { return take(t[0], tensor({{0, 11}, {5, 0}})); }, {x});
  check_gradients([&](const TensorList& t) { return masked_fill(mul(t[0], t[0]), gt(x, 0), 2.0); }, {x});
  check_gradients([&](const TensorList& t) { return masked_scatter(t[0], gt(x, 0), t[1]); },
                  {x, random_doubles({4, 3}, 9)});
  check_gradients([&](const TensorList& t) { return take_along_dim(t[0], tensor({{1}, {0}, {3}}), 0); }, {x});
  check_gradients([&](const TensorList& t) { return embedding(tensor({{0, 3}, {3, 1}}), t[0]); }, {x});
}

TEST(IndexTest, ProductsWithZeros) {
  Tensor src = tensor({0.0, 2.0, 0.0, 0.0}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor base = tensor({3.0, 5.0}, {.dtype = DType::float64});
  const Tensor result = scatter_reduce(base, 0, tensor({0, 0, 1, 1}), src, "prod");
  EXPECT_EQ(values(result), (Doubles{0, 0}));
  result.backward(ones({2}, DType::float64));
  EXPECT_EQ(values(src.grad()), (Doubles{6, 0, 0, 0}));
}

TEST(IndexTest, EmbeddingLeavesThePaddingRow) {
  Tensor weight = random_doubles({4, 2}).set_requires_grad();
  const Tensor rows = embedding(tensor({1, 2, 1}), weight, 1);
  rows.backward(ones({3, 2}, DType::float64));
  EXPECT_EQ(values(weight.grad()), (Doubles{0, 0, 0, 0, 1, 1, 0, 0}));
}

TEST(IndexTest, ScatterIsTheSameForAnyNumberOfThreads) {
  const std::int64_t n = 100000;
  const Tensor source = random_doubles({n}).to(DType::float32);
  const Tensor places = remainder(mul(arange(n), 7919), 37);
  const Tensor table = random_doubles({n, 4}, 3).to(DType::float32);
  const int before = thread_count();
  std::vector<Tensor> results[2];
  for (int threads : {1, 4}) {
    set_thread_count(threads);
    auto& to = results[threads == 4];
    to.push_back(scatter_add(zeros({37}), 0, places, source));
    to.push_back(index_add(zeros({37, 4}), 0, places, table));
    to.push_back(scatter_reduce(zeros({37}), 0, places, source, "amax"));
    to.push_back(index_put(zeros({37}), {places}, source));
  }
  set_thread_count(before);
  for (std::size_t i = 0; i < results[0].size(); ++i)
    EXPECT_EQ(results[0][i].to_vector<float>(), results[1][i].to_vector<float>()) << i;
}

TEST(IndexTest, InPlaceForms) {
  const Tensor x = zeros({3, 2});
  x.index_add_(0, tensor({0, 2, 0}), ones({3, 2}));
  EXPECT_EQ(values(x), (Doubles{2, 2, 0, 0, 1, 1}));
  x.masked_fill_(eq(x, 0), 7);
  EXPECT_EQ(values(x), (Doubles{2, 2, 7, 7, 1, 1}));
  x.scatter_(1, tensor({{1}, {0}, {1}}), 0);
  EXPECT_EQ(values(x), (Doubles{2, 0, 0, 7, 1, 0}));
  x.index_put_({tensor({0, 0})}, ones({2, 2}), true);
  EXPECT_EQ(values(x), (Doubles{4, 2, 0, 7, 1, 0}));
  x.index_fill_(0, tensor({1}), -1);
  EXPECT_EQ(values(x), (Doubles{4, 2, -1, -1, 1, 0}));
  EXPECT_EQ(x.version(), 5u);
  const Tensor half = zeros({1}, DType::float16);
  half.index_add_(0, zeros({4096}, DType::int64), full({4096}, 1, DType::float16));
  EXPECT_EQ(half.item<float>(), 4096);  // summed in float: halves alone would stop at 2048
}

TEST(IndexTest, NonzeroAndEmptyTensors) {
  EXPECT_EQ(values(nonzero(tensor({{0, 3}, {4, 0}}))), (Doubles{0, 1, 1, 0}));
  EXPECT_EQ(nonzero(zeros({0, 3})).shape(), (Shape{0, 2}));
  EXPECT_EQ(nonzero(Tensor(3)).shape(), (Shape{1, 0}));
  EXPECT_EQ(nonzero_tuple(tensor({{0, 3}, {4, 0}})).size(), 2u);
  EXPECT_EQ(index_select(zeros({3, 0}), 0, tensor({1, 1})).shape(), (Shape{2, 0}));
  EXPECT_EQ(gather(zeros({3, 2}), 0, zeros({0, 2}, DType::int64)).shape(), (Shape{0, 2}));
  EXPECT_EQ(masked_select(zeros({0}), zeros({0}, DType::bool_)).numel(), 0);
  const Tensor many = remainder(arange(200000), 3);
  EXPECT_EQ(nonzero(many).size(0), 133333);
  EXPECT_EQ(nonzero(many)[-1][0].item<std::int64_t>(), 199999);
}

}  // namespace
}  // namespace phlox
