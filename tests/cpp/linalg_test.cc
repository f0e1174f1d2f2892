// Linear algebra from C++: factors, threads and batches, errors. Values and gradients are compared with NumPy and SciPy in
// tests/python/test_linalg.py.
#include <gtest/gtest.h>

#include <limits>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/core/parallel.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

double distance(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item<double>(); }

Tensor positive_definite(const Shape& shape) {
  const Tensor x = random_doubles(shape);
  return add(matmul(x, adjoint(x)), eye(shape.back(), {}, DType::float64));
}

TEST(LinalgTest, FactorsGiveTheMatrix) {
  const Tensor a = positive_definite({2, 4, 4});
  const Tensor l = cholesky(a);
  EXPECT_LT(distance(matmul(l, adjoint(l)), a), 1e-12);
  const auto [q, r] = linalg_qr(a);
  EXPECT_LT(distance(matmul(q, r), a), 1e-12);
  const auto [u, s, vh] = linalg_svd(a, false);
  EXPECT_LT(distance(matmul(mul(u, unsqueeze(s, -2)), vh), a), 1e-12);
  const auto [p, lower, upper] = linalg_lu(a);
  EXPECT_LT(distance(matmul(p, matmul(lower, upper)), a), 1e-12);
  const auto [values, vectors] = eigh(a);
  EXPECT_LT(distance(matmul(a, vectors), mul(vectors, unsqueeze(values, -2))), 1e-12);
  EXPECT_LT(distance(matmul(inv(a), a), expand(eye(4, {}, DType::float64), {2, 4, 4})), 1e-12);
}

TEST(LinalgTest, StridedInputs) {
  const Tensor wide = random_doubles({6, 6});
  const Tensor a = slice(slice(wide, 0, 0, 6, 2), 1, 0, 6, 2), b = flip(random_doubles({3, 2}), {0});
  EXPECT_LT(distance(matmul(a, solve(a, b)), b), 1e-10);
  EXPECT_LT(distance(matmul(transpose(a, 0, 1), solve(transpose(a, 0, 1), b)), b), 1e-10);
}

TEST(LinalgTest, GradientsOfBothOrders) {
  check_gradients([](const TensorList& x) { return solve(x[0], x[1]); },
                  {positive_definite({3, 3}), random_doubles({3, 2}, 2)});
  check_gradients([](const TensorList& x) { return cholesky(matmul(x[0], adjoint(x[0]))); },
                  {positive_definite({3, 3})});
  check_gradients([](const TensorList& x) { return det(x[0]); }, {random_doubles({2, 3, 3})});
}

TEST(LinalgTest, OneMatrixOfABatchHasTheBitsOfTheWhole) {
  for (const std::int64_t size : {5, 200}) {
    const Tensor a = positive_definite({3, size, size}).to(DType::float32);
    const Tensor all_inverses = inv(a), all_values = svdvals(a);
    for (std::int64_t i = 0; i < 3; ++i) {
      const Tensor one = narrow(a, 0, i, 1);
      EXPECT_TRUE(equal(narrow(all_inverses, 0, i, 1), inv(one)));
      EXPECT_TRUE(equal(narrow(all_values, 0, i, 1), svdvals(one)));
    }
  }
}

TEST(LinalgTest, ErrorsNameTheMatrix) {
  Tensor a = eye(2).repeat({3, 1, 1});
  select(select(select(a, 0, 2), 0, 1), 0, 1).zero_();
  EXPECT_ERROR(inv(a), LinAlgError, "inv: matrix [2] of the batch is singular: its pivot 2 is 0");
  EXPECT_ERROR(cholesky(neg(eye(2))), LinAlgError, "the matrix is not positive-definite");
  EXPECT_EQ(code_of([&] { solve(a, ones({3, 2, 1})); }), ErrorCode::singular_matrix);
  EXPECT_EQ(code_of([] { linalg_svd(full({2, 2}, std::numeric_limits<double>::infinity())); }),
            ErrorCode::no_convergence);
  const auto [x, info] = solve_ex(a, ones({3, 2, 1}));
  EXPECT_EQ(info.to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 2}));
}

}  // namespace
}  // namespace phlox
