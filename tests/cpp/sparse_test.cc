#include "phlox/sparse/operations.h"

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
Doubles values(const SparseTensor& x) { return values(x.to_dense()); }

SparseTensor example() {
  return sparse_coo_tensor(tensor({{0, 1, 1}, {2, 0, 2}}), tensor({3.0, 4.0, 5.0}), Shape{2, 3});
}

TEST(SparseTest, LayoutsHoldTheSameElements) {
  const Doubles expected{0, 0, 3, 4, 0, 5};
  const SparseTensor a = example();
  EXPECT_EQ(values(a), expected);
  EXPECT_FALSE(a.is_coalesced());
  const SparseTensor rows = a.to_layout(SparseLayout::csr), columns = rows.to_layout(SparseLayout::csc);
  EXPECT_EQ(values(rows.crow_indices()), (Doubles{0, 1, 3}));
  EXPECT_EQ(values(columns.ccol_indices()), (Doubles{0, 1, 1, 3}));
  EXPECT_EQ(values(columns.values()), (Doubles{4, 3, 5}));
  EXPECT_EQ(values(columns), expected);
  EXPECT_EQ(values(rows.transpose(0, 1)), (Doubles{0, 4, 0, 0, 3, 5}));
  const SparseTensor blocks = a.to_layout(SparseLayout::bsr, {1, 3});
  EXPECT_EQ(blocks.nnz(), 2);
  EXPECT_EQ(values(blocks), expected);
  EXPECT_EQ(values(blocks.to_layout(SparseLayout::bsc, {2, 1})), expected);
  EXPECT_EQ(std::string(describe(rows)), "sparse csr f32[2,3], 3 stored");
}

TEST(SparseTest, ArithmeticAndProducts) {
  const SparseTensor a = example();
  EXPECT_EQ(values(a + a), (Doubles{0, 0, 6, 8, 0, 10}));
  EXPECT_EQ(values(2 * a - a / 2.0), (Doubles{0, 0, 4.5, 6, 0, 7.5}));
  EXPECT_EQ(values(a * a), (Doubles{0, 0, 9, 16, 0, 25}));
  EXPECT_EQ(values(matmul(a, ones({3}))), (Doubles{3, 9}));
  EXPECT_EQ(values(matmul(ones({1, 2}), a)), (Doubles{4, 0, 8}));
  EXPECT_EQ(values(matmul(a, a.transpose(0, 1))), (Doubles{9, 15, 15, 41}));
  EXPECT_EQ(values(sum(a, 1)), (Doubles{3, 9}));
  EXPECT_EQ(sum(a).item<double>(), 12);
  EXPECT_EQ(values(sparse_mask(ones({2, 3}), a)), (Doubles{0, 0, 1, 1, 0, 1}));
  EXPECT_EQ(code_of([&] { matmul(a, ones({2})); }), ErrorCode::inner_sizes_differ);
  EXPECT_EQ(code_of([&] { a + a.transpose(0, 1); }), ErrorCode::sizes_differ);
  EXPECT_EQ(code_of([&] { sum(a, {0, 1}); }), ErrorCode::dimension_out_of_range);
}

TEST(SparseTest, PositionsAreChecked) {
  const Tensor two = ones({2});
  EXPECT_EQ(code_of([&] { sparse_coo_tensor(tensor({{0, 3}}), two, Shape{3}); }),
            ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { sparse_coo_tensor(tensor({{0.0, 1.0}}), two); }), ErrorCode::wrong_dtype);
  EXPECT_EQ(code_of([&] { sparse_coo_tensor(tensor({0, 1}), two); }), ErrorCode::wrong_rank);
  EXPECT_EQ(code_of([&] { sparse_csr_tensor(tensor({0, 2, 1, 2}), tensor({0, 1}), two); }),
            ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { sparse_csr_tensor(tensor({0, 2}), tensor({1, 0}), two); }),
            ErrorCode::invalid_value);
  EXPECT_EQ(code_of([&] { sparse_csr_tensor(tensor({0, 2}), tensor({0, 1}), two, Shape{2, 2}); }),
            ErrorCode::sizes_differ);
  EXPECT_EQ(code_of([&] { example().indices().set_requires_grad(); }), ErrorCode::requires_grad_dtype);
  // Parts are taken as they are, so positions out of range come to light when they are used.
  SparseTensor::Parts parts = example().parts();
  parts.positions = add(parts.positions, 7);
  EXPECT_EQ(code_of([&] { SparseTensor(parts).to_dense(); }), ErrorCode::index_out_of_range);
  EXPECT_EQ(code_of([&] { matmul(SparseTensor(parts), ones({3, 2})); }), ErrorCode::index_out_of_range);
}

TEST(SparseTest, Gradients) {
  const Tensor positions = tensor({{0, 2, 1, 2}, {1, 0, 3, 0}});
  const auto with = [&](const Tensor& v) { return sparse_coo_tensor(positions, v, Shape{3, 4}); };
  const Tensor v = random_doubles({4}), y = random_doubles({4, 2}, 2), z = random_doubles({3, 2}, 3);
  check_gradients([&](const TensorList& x) { return matmul(with(x[0]), x[1]); }, {v, y});
  check_gradients(
      [&](const TensorList& x) { return sampled_addmm(with(x[0]), x[1], transpose(x[2], 0, 1)).values(); },
      {v, z, y});
  check_gradients([&](const TensorList& x) { return matmul(softmax(with(x[0]), 1), x[1]); }, {v, y});
}

}  // namespace
}  // namespace phlox
