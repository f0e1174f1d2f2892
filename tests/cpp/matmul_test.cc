#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "error_matching.h"
#include "finite_differences.h"
#include "phlox/device/cpu/library_choice.h"
#include "phlox/ops/primitives/contraction.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

// Runs a test body with the libraries and with the portable loops.
template <class Body>
void with_both_kernels(Body&& body) {
  for (bool portable : {false, true}) {
    SCOPED_TRACE(portable ? "portable" : "library");
    cpu::set_portable_kernels(portable);
    body();
  }
  cpu::set_portable_kernels(false);
}

void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const auto a = actual.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << "element " << i;
}

// The product of [batch, m, k] and [batch, k, n] by its definition.
Tensor naive(const Tensor& lhs, const Tensor& rhs) {
  const std::int64_t batch = lhs.size(0), m = lhs.size(1), k = lhs.size(2), n = rhs.size(2);
  const auto a = lhs.to_vector<double>(), b = rhs.to_vector<double>();
  std::vector<double> c(static_cast<std::size_t>(batch * m * n), 0);
  for (std::int64_t i = 0; i < batch; ++i)
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t p = 0; p < k; ++p)
        for (std::int64_t j = 0; j < n; ++j)
          c[(i * m + r) * n + j] += a[(i * m + r) * k + p] * b[(i * k + p) * n + j];
  return from_values<double>(c, {batch, m, n});
}

double tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::float16: return 2e-3;
    case DType::bfloat16: return 1.6e-2;
    case DType::float32: return 1e-5;
    default: return 1e-12;
  }
}

TEST(Matmul, SizesAndDTypes) {
  with_both_kernels([] {
    for (DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16, DType::complex64,
                        DType::complex128})
      for (auto [batch, m, k, n] : {std::array<std::int64_t, 4>{1, 1, 1, 1},
                                    {1, 3, 4, 5},
                                    {2, 17, 33, 9},
                                    {1, 65, 1, 70},
                                    {3, 1, 40, 1},
                                    {40, 8, 8, 8},
                                    {1, 130, 129, 131},
                                    {0, 2, 3, 4},
                                    {2, 0, 3, 4},
                                    {2, 3, 0, 4}}) {
        SCOPED_TRACE(fmt::format("{} {} {} {} {}", info(dtype).name, batch, m, k, n));
        // Rounded first, so that only the product is judged.
        const Tensor lhs = random_doubles({batch, m, k}).to(dtype),
                     rhs = random_doubles({batch, k, n}, 2).to(dtype);
        const Tensor expected = naive(lhs.to(DType::float64), rhs.to(DType::float64));
        const Tensor actual = matmul(lhs, rhs);
        EXPECT_EQ(actual.dtype(), dtype);
        const double tolerance = dtype == DType::complex64 ? 1e-5 : tolerance_of(dtype);
        expect_close(actual.to(DType::float64), expected, tolerance * std::sqrt(static_cast<double>(k) + 1));
      }
  });
}

// The kernel for them has other code for each remainder of rows, columns and vectors.
TEST(Matmul, SmallProductsDoNotDependOnHowOperandsLie) {
  const auto transposed = [](const Tensor& t) { return transpose(transpose(t, 1, 2).contiguous(), 1, 2); };
  for (const DType dtype : {DType::float32, DType::float64})
    for (std::int64_t m : {4, 5, 7, 8, 15})
      for (std::int64_t n : {4, 7, 8, 15, 16, 17, 31, 33, 50, 64, 81})
        for (std::int64_t k : {1, 2, 7, 16, 19, 33}) {
          SCOPED_TRACE(::testing::PrintToString(std::vector{m, n, k}));
          const Tensor lhs = randn({2, m, k}).to(dtype), rhs = randn({2, k, n}).to(dtype);
          const Tensor bias = randn({n, 2}).to(dtype), row = select(bias, 1, 0);
          const Tensor plain = contract(lhs, rhs), added = contract(lhs, rhs, row);
          expect_close(plain, naive(lhs, rhs), tolerance_of(dtype) * std::sqrt(static_cast<double>(k)));
          expect_close(added - row, plain, 10 * tolerance_of(dtype));
          for (const Tensor& a : {lhs, transposed(lhs)})
            for (const Tensor& b : {rhs, transposed(rhs)}) {
              EXPECT_EQ(contract(a, b).to_vector<double>(), plain.to_vector<double>());
              EXPECT_EQ(contract(a, b, row.contiguous()).to_vector<double>(), added.to_vector<double>());
            }
        }
}

TEST(Matmul, ComplexNumbers) {
  with_both_kernels([] {
    using C = std::complex<double>;
    const std::vector<C> a{{1, 2}, {3, -1}, {0, 1}, {2, 2}}, b{{1, 1}, {0, 2}, {-1, 0}, {4, -3}};
    const Tensor product = matmul(from_values<C>(a, {2, 2}), from_values<C>(b, {2, 2}));
    const auto values = product.to_vector<C>();
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 2; ++j) EXPECT_EQ(values[i * 2 + j], a[i * 2] * b[j] + a[i * 2 + 1] * b[2 + j]);
  });
}

TEST(Matmul, StridedOperands) {
  with_both_kernels([] {
    for (DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      SCOPED_TRACE(info(dtype).name);
      const Tensor a = random_doubles({2, 7, 6}).to(dtype), b = random_doubles({2, 6, 5}, 2).to(dtype);
      const Tensor expected = naive(a.to(DType::float64), b.to(DType::float64));
      const double tolerance = 4 * tolerance_of(dtype);
      const auto expect_product = [&](const Tensor& lhs, const Tensor& rhs) {
        expect_close(matmul(lhs, rhs).to(DType::float64), expected, tolerance);
      };
      // The same values in other memory orders: transposed, inside a larger tensor, with every dimension strided.
      const auto transposed = [](const Tensor& x) {
        return transpose(transpose(x, 1, 2).clone().contiguous(), 1, 2);
      };
      const auto every_second = [](const Tensor& x) {
        const Tensor wide = repeat_interleave(x, 2, 2);
        return make_view(wide, x.shape(), {wide.stride(0), wide.stride(1), 2}, 0);
      };
      const auto inside = [](const Tensor& x) { return narrow(cat({x, x, x}, 2), 2, x.size(2), x.size(2)); };
      const auto batch_innermost = [](const Tensor& x) {
        return permute(permute(x, {1, 2, 0}).contiguous(), {2, 0, 1});
      };
      const auto flipped = [](const Tensor& x) {  // a negative stride
        const Tensor reversed = flip(x, 1).contiguous();
        return make_view(reversed, x.shape(), {reversed.stride(0), -reversed.stride(1), 1},
                         (x.size(1) - 1) * x.size(2));
      };
      const std::vector<std::function<Tensor(const Tensor&)>> orders{
          [](const Tensor& x) { return x; }, transposed, every_second, inside, batch_innermost, flipped};
      for (std::size_t i = 0; i < orders.size(); ++i)
        for (std::size_t j = 0; j < orders.size(); ++j) {
          SCOPED_TRACE(fmt::format("orders {} {}", i, j));
          expect_product(orders[i](a), orders[j](b));
        }
    }
  });
}

TEST(Matmul, IntegersAreExactAndWrap) {
  with_both_kernels([] {
    const std::int64_t large = std::int64_t{1} << 40;
    const Tensor a = from_values<std::int64_t>(std::vector<std::int64_t>{large + 1, -3, 7, 2}, {2, 2});
    const Tensor b = from_values<std::int64_t>(std::vector<std::int64_t>{3, 5, 11, -13}, {2, 2});
    EXPECT_EQ(matmul(a, b).to_vector<std::int64_t>(),
              (std::vector<std::int64_t>{3 * large + 3 - 33, 5 * large + 5 + 39, 43, 9}));
    const Tensor c = from_values<std::int8_t>(std::vector<std::int8_t>{100, 100}, {1, 2});
    const Tensor d = from_values<std::int8_t>(std::vector<std::int8_t>{2, 1}, {2, 1});
    EXPECT_EQ(matmul(c, d).to_vector<std::int8_t>(),
              std::vector<std::int8_t>{static_cast<std::int8_t>(300 - 256)});
  });
}

TEST(Matmul, BroadcastsTheBatch) {
  const Tensor a = random_doubles({2, 1, 3, 4}), b = random_doubles({5, 4, 2}, 2);
  const Tensor product = matmul(a, b);
  ASSERT_EQ(product.shape(), (Shape{2, 5, 3, 2}));
  for (std::int64_t i = 0; i < 2; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      expect_close(select(select(product, 0, i), 0, j),
                   matmul(select(select(a, 0, i), 0, 0), select(b, 0, j)), 1e-12);
  EXPECT_EQ(matmul(random_doubles({4}), b).shape(), (Shape{5, 2}));
  EXPECT_EQ(matmul(a, random_doubles({4})).shape(), (Shape{2, 1, 3}));
  EXPECT_EQ(matmul(random_doubles({4}), random_doubles({4})).shape(), Shape{});
}

TEST(Matmul, Gradients) {
  const auto product = [](const TensorList& x) { return matmul(x[0], x[1]); };
  for (auto [a, b] : {std::pair<Shape, Shape>{{2, 3}, {3, 2}},
                      {{3}, {3}},
                      {{3}, {3, 2}},
                      {{2, 3}, {3}},
                      {{2, 2, 3}, {3, 2}},
                      {{2, 1, 2, 3}, {2, 3, 1}},
                      {{2, 3}, {2, 3, 2}}})
    check_gradients(product, {random_doubles(a), random_doubles(b, 2)});
  check_gradients([](const TensorList& x) { return linear(x[0], x[1], x[2]); },
                  {random_doubles({2, 2, 3}), random_doubles({4, 3}, 2), random_doubles({4}, 3)});
  check_gradients([](const TensorList& x) { return addmm(x[0], x[1], x[2], 0.5, 2); },
                  {random_doubles({2}), random_doubles({3, 2}, 2), random_doubles({2, 2}, 3)});
}

TEST(Matmul, GradientOfATransposedOperandLiesAsItDoes) {
  const Tensor weight = random_doubles({4, 3}).set_requires_grad();
  linear(random_doubles({5, 3}), weight).sum().backward();
  EXPECT_TRUE(weight.grad().is_contiguous());
}

TEST(Matmul, Errors) {
  EXPECT_ERROR(matmul(random_doubles({3, 4}), random_doubles({3, 4})), ShapeError,
               "[E0203] matmul: inner sizes differ, 4 and 3\n"
               "  lhs  f64[3,4] cpu\n"
               "  rhs  f64[3,4] cpu\n"
               "  try  lhs @ rhs.T, which gives f64[3,3]");
  EXPECT_THROW(matmul(random_doubles({}), random_doubles({3})), ShapeError);
  EXPECT_THROW(mm(random_doubles({2, 3, 4}), random_doubles({4, 2})), ShapeError);
  EXPECT_THROW(linear(random_doubles({2, 3}), random_doubles({5, 4})), ShapeError);
  EXPECT_THROW(matmul(random_doubles({2, 2}).to(DType::bool_), random_doubles({2, 2}).to(DType::bool_)),
               DTypeError);
}

// Several threads at once: only one may have the team, all must be right.
TEST(Matmul, FromManyThreads) {
  const Tensor a = random_doubles({200, 150}).to(DType::float32),
               b = random_doubles({150, 120}, 2).to(DType::float32);
  const Tensor expected = matmul(a, b);
  std::vector<std::thread> threads;
  std::vector<double> errors(4, 1);
  for (std::size_t t = 0; t < errors.size(); ++t)
    threads.emplace_back([&, t] {
      double error = 0;
      for (int repeat = 0; repeat < 5; ++repeat)
        error = std::max(error, amax(abs(sub(matmul(a, b), expected))).item<double>());
      errors[t] = error;
    });
  for (std::thread& thread : threads) thread.join();
  for (double error : errors) EXPECT_LT(error, 1e-3);
}

TEST(Einsum, AgainstOtherOperations) {
  const Tensor a = random_doubles({3, 4}), b = random_doubles({4, 5}, 2), square = random_doubles({3, 3}, 3);
  expect_close(einsum("ij,jk->ik", {a, b}), matmul(a, b), 1e-12);
  expect_close(einsum(" ij , jk ", {a, b}), matmul(a, b), 1e-12);
  expect_close(einsum("ba", {a}), transpose(a, 0, 1), 0);
  expect_close(einsum("ii->i", {square}), diagonal(square), 0);
  expect_close(einsum("ii", {square}), sum(diagonal(square)), 1e-12);
  expect_close(einsum("ij->", {a}), sum(a), 1e-12);
  expect_close(einsum("ij->j", {a}), sum(a, 0), 1e-12);
  expect_close(einsum("i,j->ij", {select(a, 1, 0), select(b, 1, 0)}), outer(select(a, 1, 0), select(b, 1, 0)),
               1e-12);
  expect_close(einsum("ij,ij->ij", {a, a}), mul(a, a), 1e-12);
  const Tensor batch = random_doubles({2, 3, 4}, 4), wide = random_doubles({2, 4, 5}, 5);
  expect_close(einsum("...ij,...jk", {batch, wide}), matmul(batch, wide), 1e-12);
  expect_close(einsum("...ij,jk->...ik", {batch, b}), matmul(batch, b), 1e-12);
  expect_close(einsum("bij,bjk->bik", {batch, wide}), bmm(batch, wide), 1e-12);
  expect_close(einsum("b...->...", {batch}), sum(batch, 0), 1e-12);
  // A dimension of 1 broadcasts.
  expect_close(einsum("ij,kj->ik", {random_doubles({3, 1}, 6), a}),
               matmul(expand(random_doubles({3, 1}, 6), {3, 4}), transpose(a, 0, 1)), 1e-12);
}

TEST(Einsum, ManyOperandsInAnyOrder) {
  const Tensor a = random_doubles({2, 3}), b = random_doubles({3, 4}, 2), c = random_doubles({4, 5}, 3),
               d = random_doubles({5, 2}, 4);
  const Tensor expected = matmul(matmul(matmul(a, b), c), d);
  expect_close(einsum("ij,jk,kl,lm->im", {a, b, c, d}), expected, 1e-11);
  expect_close(einsum("kl,ij,lm,jk->im", {c, a, d, b}), expected, 1e-11);
  // Nine operands take the greedy way.
  const Tensor s = random_doubles({2, 2}, 5);
  Tensor power = s;
  for (int i = 0; i < 8; ++i) power = matmul(power, s);
  expect_close(einsum("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", TensorList(9, s)), power, 1e-10);
}

TEST(Einsum, GradientsAndErrors) {
  check_gradients([](const TensorList& x) { return einsum("bij,bjk,kl->bl", x); },
                  {random_doubles({2, 2, 3}), random_doubles({2, 3, 2}, 2), random_doubles({2, 2}, 3)});
  check_gradients([](const TensorList& x) { return bilinear(x[0], x[1], x[2], x[3]); },
                  {random_doubles({2, 3}), random_doubles({2, 2}, 2), random_doubles({2, 3, 2}, 3),
                   random_doubles({2}, 4)});
  const Tensor a = random_doubles({3, 4});
  EXPECT_THROW(einsum("ij,jk", {a}), ValueError);
  EXPECT_THROW(einsum("ijk", {a}), ValueError);
  EXPECT_THROW(einsum("ij->ik", {a}), ValueError);
  EXPECT_THROW(einsum("ij->ii", {a}), ValueError);
  EXPECT_THROW(einsum("i1->i", {a}), ValueError);
  EXPECT_THROW(einsum("ij,ij->", {a, random_doubles({3, 5})}), ValueError);
}

TEST(Products, FollowTheirDefinitions) {
  const Tensor a = random_doubles({2, 3, 4}), b = random_doubles({5, 4, 2}, 2);
  expect_close(tensordot(a, b, DimList{0, 2}, DimList{2, 1}), einsum("aib,cba->ic", {a, b}), 1e-12);
  expect_close(tensordot(a, random_doubles({3, 4, 2}, 3), 2),
               einsum("abc,bcd->ad", {a, random_doubles({3, 4, 2}, 3)}), 1e-12);
  expect_close(phlox::inner(a, random_doubles({6, 4}, 4)),
               einsum("abc,dc->abd", {a, random_doubles({6, 4}, 4)}), 1e-12);
  const Tensor s = random_doubles({3, 3}, 5);
  expect_close(matrix_power(s, 5), matmul(matmul(matmul(matmul(s, s), s), s), s), 1e-11);
  expect_close(matrix_power(s, 0), eye(3, {}, DType::float64), 0);
  const TensorList chain{random_doubles({2, 6}), random_doubles({6, 3}, 2), random_doubles({3, 7}, 3),
                         random_doubles({7, 2}, 4)};
  expect_close(multi_dot(chain), matmul(matmul(chain[0], chain[1]), matmul(chain[2], chain[3])), 1e-11);
}

}  // namespace
}  // namespace phlox
