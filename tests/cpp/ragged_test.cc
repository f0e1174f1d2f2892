#include "phlox/ragged/ragged_tensor.h"

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

RaggedTensor example() { return nested_tensor({tensor({1.0, 2.0}), zeros({0}), tensor({4.0})}); }

TEST(RaggedTest, RowsAndPadding) {
  const RaggedTensor x = example();
  EXPECT_EQ(values(x.offsets()), (Doubles{0, 2, 2, 3}));
  EXPECT_EQ(values(x.lengths()), (Doubles{2, 0, 1}));
  EXPECT_EQ(values(x.row_numbers()), (Doubles{0, 0, 2}));
  EXPECT_EQ(values(x.row(-1)), (Doubles{4}));
  EXPECT_EQ(x.unbind()[0].shape(), (Shape{2}));
  EXPECT_EQ(values(x.to_padded(-1)), (Doubles{1, 2, -1, -1, 4, -1}));
  EXPECT_EQ(values(nested_from_padded(x.to_padded(-1), x.lengths()).values()), values(x.values()));
  EXPECT_EQ(values(nested_from_lengths(x.values(), tensor({1, 2})).offsets()), (Doubles{0, 1, 3}));
  EXPECT_EQ(std::string(describe(x)), "ragged f32[3,*], 3 elements");
}

TEST(RaggedTest, RowsAreReducedAndCombined) {
  const RaggedTensor x = example();
  EXPECT_EQ(values(sum(x)), (Doubles{3, 0, 4}));
  EXPECT_EQ(values(mul(x, add(x, x)).values()), (Doubles{2, 8, 32}));
  EXPECT_EQ(values(sum(softmax(x))), (Doubles{1, 0, 1}));
  EXPECT_EQ(values(cat({x, x}, 1).values()), (Doubles{1, 2, 1, 2, 4, 4}));
  EXPECT_EQ(values(cat({x, x}).offsets()), (Doubles{0, 2, 2, 3, 5, 5, 6}));
}

TEST(RaggedTest, Mistakes) {
  const RaggedTensor x = example();
  EXPECT_EQ(code_of([&] { nested_tensor({}); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { nested_tensor({ones({2, 3}), ones({2, 4})}); }), ErrorCode::sizes_differ);
  EXPECT_EQ(code_of([&] { nested_from_jagged(ones({3}), tensor({0, 2, 1, 3})); }), ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { nested_from_jagged(ones({3}), tensor({0, 4})); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { nested_from_jagged(ones({3}), tensor({0.0, 3.0})); }), ErrorCode::wrong_dtype);
  EXPECT_EQ(code_of([&] { add(x, nested_from_lengths(x.values(), tensor({1, 1, 1}))); }),
            ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { x.row(3); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { x.with_values(ones({2})); }), ErrorCode::sizes_differ);
}

TEST(RaggedTest, Gradients) {
  const Tensor offsets = tensor({0, 3, 3, 5}), v = random_doubles({5, 2}), w = random_doubles({2, 3}, 2);
  const auto with = [&](const Tensor& x) { return nested_from_jagged(x, offsets); };
  check_gradients([&](const TensorList& x) { return softmax(matmul(with(x[0]), x[1])).values(); }, {v, w});
  check_gradients([&](const TensorList& x) { return sum(mul(with(x[0]), with(x[0]))); }, {v});
}

}  // namespace
}  // namespace phlox
