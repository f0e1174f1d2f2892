#include <gtest/gtest.h>

#include <cmath>

#include "error_matching.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using Doubles = std::vector<double>;
Doubles values(const Tensor& x) { return x.to_vector<double>(); }

TEST(CreationTest, ConstantsOfAnyDType) {
  for (int i = 0; i < computable_dtype_count; ++i) {
    const auto dtype = static_cast<DType>(i);
    const Tensor x = ones({2, 3}, dtype);
    EXPECT_EQ(x.dtype(), dtype);
    for (double v : values(x)) EXPECT_EQ(v, 1.0);
    for (double v : values(zeros_like(x))) EXPECT_EQ(v, 0.0);
  }
  EXPECT_EQ(full({2}, 7).dtype(), DType::int64);
  EXPECT_EQ(full({2}, true).dtype(), DType::bool_);
  EXPECT_EQ(full({2}, 1.5).dtype(), default_dtype());
  EXPECT_THROW(full({2}, 300, DType::uint8), DTypeError);
  EXPECT_THROW(zeros({-1}), ShapeError);
  EXPECT_THROW(ones({2}, DType::int64, {}, true), GradientError);
  EXPECT_TRUE(ones({2}, {}, {}, true).requires_grad());
}

TEST(CreationTest, Sequences) {
  EXPECT_EQ(values(arange(4)), (Doubles{0, 1, 2, 3}));
  EXPECT_EQ(arange(4).dtype(), DType::int64);
  EXPECT_EQ(values(arange(5, 0, -2)), (Doubles{5, 3, 1}));
  EXPECT_EQ(values(arange(0.0, 1.0, 0.25)), (Doubles{0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(arange(3, 3).numel(), 0);
  EXPECT_EQ(arange(3, 9, -1).numel(), 0);
  EXPECT_THROW(arange(0, 5, 0), ValueError);
  EXPECT_THROW(arange(0.0, INFINITY), ValueError);
  const auto large = arange(100000, {}, 3, DType::int32).to_vector<std::int64_t>();
  EXPECT_EQ(large.size(), 33334u);
  EXPECT_EQ(large.back(), 99999);
  EXPECT_EQ(values(linspace(0, 1, 5)), (Doubles{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(linspace(0.1, 0.7, 7, DType::float64).to_vector<double>().back(), 0.7);
  EXPECT_EQ(values(linspace(3, 4, 1)), (Doubles{3}));
  EXPECT_EQ(linspace(3, 4, 0).numel(), 0);
  const Doubles powers = values(logspace(0, 2, 3, 10.0, DType::float64));
  EXPECT_NEAR(powers[1], 10, 1e-12);
  EXPECT_NEAR(powers[2], 100, 1e-11);
}

TEST(CreationTest, MatricesAndIndices) {
  EXPECT_EQ(values(eye(2, 3)), (Doubles{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(values(tril_indices(2, 2)), (Doubles{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(values(triu_indices(2, 2, 1)), (Doubles{0, 1}));
  EXPECT_EQ(values(one_hot(tensor({1, 0}), 3)), (Doubles{0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(one_hot(tensor({1, 3})).shape(), (Shape{2, 4}));
  EXPECT_THROW(one_hot(tensor({3}), 3), IndexError);
  EXPECT_THROW(one_hot(tensor({1.0}), 3), DTypeError);
}

TEST(CreationTest, FromLiterals) {
  EXPECT_EQ(tensor({1, 2, 3}).dtype(), DType::int64);
  EXPECT_EQ(tensor({1.0, 2.0}).dtype(), DType::float32);
  EXPECT_EQ(tensor({true, false}).dtype(), DType::bool_);
  EXPECT_EQ(tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}).shape(), (Shape{3, 2}));
  EXPECT_EQ(tensor(2.5).shape(), Shape{});
  EXPECT_EQ(tensor({1, 2}, {.dtype = DType::bfloat16}).dtype(), DType::bfloat16);
  EXPECT_THROW(tensor({{1, 2}, {3}}), ShapeError);
  EXPECT_EQ(values(tensor(std::vector<double>{0.5, -1.0}, {.dtype = DType::float64})), (Doubles{0.5, -1}));
}

TEST(CreationTest, DTypeQuestions) {
  EXPECT_EQ(result_type(ones({2}), tensor({1})), DType::float32);
  EXPECT_EQ(result_type(tensor({1}), 2.5), DType::float32);
  EXPECT_TRUE(can_cast(DType::int64, DType::float16));
  EXPECT_FALSE(can_cast(DType::float16, DType::int64));
  EXPECT_TRUE(is_floating_point(ones({2})));
  EXPECT_EQ(numel(zeros({2, 3})), 6);
}

TEST(CreationTest, TensorsFromLists) {
  EXPECT_EQ(Tensor({1, 2, 3}).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(Tensor({1, 2, 3}).dtype(), DType::int64);
  EXPECT_EQ(Tensor({true, false}).dtype(), DType::bool_);
  EXPECT_EQ(Tensor({2.5}).shape(), (Shape{1}));
  const Tensor matrix({{1.5, 2}, {3, 4}, {5, 6}}, {.requires_grad = true});
  EXPECT_EQ(matrix.shape(), (Shape{3, 2}));
  EXPECT_EQ(matrix.dtype(), DType::float32);
  EXPECT_TRUE(matrix.requires_grad());
  EXPECT_EQ(values(matrix.detach()), (Doubles{1.5, 2, 3, 4, 5, 6}));
  const Tensor cube({{{1, 2, 3}}, {{4, 5, 6}}}, {.dtype = DType::float64});
  EXPECT_EQ(cube.shape(), (Shape{2, 1, 3}));
  EXPECT_EQ(values(cube), (Doubles{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Tensor({std::complex<float>(1, 2), std::complex<float>(3)}).dtype(), DType::complex64);
  EXPECT_ERROR(Tensor({{1, 2}, {3}}), ShapeError, "different lengths");
  EXPECT_ERROR(Tensor({{1, 2}, 3}), ShapeError, "different lengths");
  EXPECT_ERROR(Tensor({1, {2, 3}}), ShapeError, "different lengths");
  EXPECT_ERROR(Tensor({300}, {.dtype = DType::uint8}), DTypeError, "300");
}

}  // namespace
}  // namespace phlox
