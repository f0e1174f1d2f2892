// Reductions against plain loops in long double, for every layout, and the same bits for any number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "phlox/core/parallel.h"
#include "phlox/core/tensor.h"
#include "phlox/device/cpu/reduction_order.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/reduce.h"

namespace phlox {
namespace {

Tensor random_tensor(const Shape& shape, unsigned seed = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-1.5f, 1.5f);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& v : values) v = distribution(engine);
  return from_values<float>(values, shape);
}

// The same shape and values in other layouts: transposed memory, channels-last, flipped, every second element.
std::vector<Tensor> layouts(const Tensor& x) {
  std::vector<Tensor> all{x};
  const Shape shape = x.shape();
  const auto values = x.to_vector<float>();
  const auto relayout = [&](const Strides& strides, std::int64_t offset, std::int64_t room) {
    Tensor base = make_tensor({room}, DType::float32);
    Tensor view = make_view(base, shape, strides, offset);
    const Strides logical = contiguous_strides(shape);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      std::int64_t at = offset, rest = i;
      for (std::size_t d = 0; d < shape.size(); ++d) {
        at += rest / logical[d] * strides[d];
        rest %= logical[d];
      }
      base.data<float>()[at] = values[static_cast<std::size_t>(i)];
    }
    all.push_back(view);
  };
  Strides reversed(shape.size(), 0), flipped = contiguous_strides(shape), spaced = contiguous_strides(shape);
  std::int64_t step = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    reversed[d] = step;
    step *= shape[d];
    flipped[d] = -flipped[d];
    spaced[d] *= 2;
  }
  relayout(reversed, 0, x.numel());
  relayout(flipped, x.numel() - 1, x.numel());
  relayout(spaced, 0, 2 * x.numel());
  if (shape.size() == 4)
    relayout({shape[1] * shape[2] * shape[3], 1, shape[3] * shape[1], shape[1]}, 0, x.numel());
  if (shape.size() == 3) relayout({shape[1] * shape[2], 1, shape[1]}, 0, x.numel());  // matrices transposed
  return all;
}

// Reduces in logical order with a plain loop.
std::vector<long double> by_hand(const Tensor& x, const Dims& dims, long double start,
                                 const std::function<long double(long double, long double)>& f) {
  const auto values = x.to_vector<double>();
  const Shape shape = x.shape();
  Shape kept;
  for (int d = 0; d < x.rank(); ++d)
    if (!dims.contains(d)) kept.push_back(x.size(d));
  std::vector<long double> result(static_cast<std::size_t>(element_count(kept)), start);
  const Strides strides = contiguous_strides(shape);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t at = 0, rest = i;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::size_t index = rest / static_cast<std::size_t>(strides[d]);
      rest %= static_cast<std::size_t>(strides[d]);
      if (!dims.contains(static_cast<std::int64_t>(d))) at = at * static_cast<std::size_t>(shape[d]) + index;
    }
    result[at] = f(result[at], values[i]);
  }
  return result;
}

void expect_near(const Tensor& actual, const std::vector<long double>& expected, double tolerance) {
  const auto values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], static_cast<double>(expected[i]),
                tolerance * (1 + std::abs(static_cast<double>(expected[i]))));
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  return x.size() == y.size() &&
         (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0);
}

struct Case {
  Shape shape;
  DimList dims;
};
const Case cases[] = {
    {{7}, {0}},
    {{1000}, {0}},
    {{70001}, {0}},
    {{5, 9}, {1}},
    {{5, 9}, {0}},
    {{3000, 5}, {0}},
    {{3, 2000}, {1}},
    {{700, 300}, {0}},
    {{700, 300}, {1}},
    {{40, 50}, {0, 1}},
    {{2, 3, 4, 5}, {1}},
    {{2, 3, 4, 5}, {3}},
    {{2, 16, 30, 20}, {0, 2, 3}},
    {{2, 16, 30, 20}, {1}},
    {{2, 16, 30, 20}, {2, 3}},
    {{2, 16, 30, 20}, {0, 1, 2, 3}},
    {{6, 1, 5}, {1}},
    {{4, 300, 3}, {0, 1}},
    {{4, 3, 300}, {0, 2}},
    // Whole blocks along the last dimension, and two or four of its lines in one block.
    {{17, 512}, {0, 1}},
    {{20, 1536}, {0, 1}},
    {{270, 256}, {0, 1}},
    {{68, 128}, {0, 1}},
    {{33, 256}, {0, 1}},
    {{3, 20, 512}, {1, 2}},
    {{3, 40, 256}, {0, 1, 2}},
    {{3, 33, 256}, {0, 1, 2}},
};

TEST(ReduceTest, SumsEveryLayout) {
  for (const Case& c : cases) {
    const Tensor x = random_tensor(c.shape);
    const auto expected = by_hand(x, c.dims, 0, [](long double a, long double b) { return a + b; });
    const Tensor first = sum(x, c.dims);
    for (const Tensor& y : layouts(x)) {
      expect_near(sum(y, c.dims), expected, 2e-5);
      EXPECT_TRUE(same_bits(sum(y, c.dims), first)) << describe(x);
      EXPECT_TRUE(same_bits(sum(y, c.dims, true), first)) << describe(x);
    }
  }
}

TEST(ReduceTest, ExtremaAndProductsOfEveryLayout) {
  for (const Case& c : cases) {
    const Tensor x = random_tensor(c.shape);
    const auto largest =
        by_hand(x, c.dims, -1e30L, [](long double a, long double b) { return std::max(a, b); });
    const auto smallest =
        by_hand(x, c.dims, 1e30L, [](long double a, long double b) { return std::min(a, b); });
    for (const Tensor& y : layouts(x)) {
      expect_near(amax(y, c.dims), largest, 0);
      expect_near(amin(y, c.dims), smallest, 0);
    }
    const Tensor near_one = add(mul(x, 1e-3), 1.0);
    const auto product = by_hand(near_one, c.dims, 1, [](long double a, long double b) { return a * b; });
    expect_near(prod(near_one, c.dims), product, 2e-5);
  }
}

// What reduction_order.h says, word by word.
float in_stated_order(const std::vector<float>& x) {
  std::vector<float> blocks;
  for (std::size_t start = 0; start < x.size(); start += reduction_block) {
    float lanes[reduction_lanes] = {};
    for (std::size_t i = start; i < std::min(x.size(), start + reduction_block); ++i)
      lanes[(i - start) % reduction_lanes] += x[i];
    for (int half = reduction_lanes / 2; half >= 1; half /= 2)
      for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
    blocks.push_back(lanes[0]);
  }
  while (blocks.size() > 1) {
    std::vector<float> next;
    for (std::size_t i = 0; i < blocks.size(); i += 2)
      next.push_back(i + 1 < blocks.size() ? blocks[i] + blocks[i + 1] : blocks[i]);
    blocks = next;
  }
  return blocks[0];
}

TEST(ReduceTest, FollowsTheStatedOrder) {
  for (std::int64_t n : {1, 5, 16, 17, 511, 512, 513, 1600, 5000, 100000, 262144}) {
    const Tensor x = random_tensor({n});
    const float expected = in_stated_order(x.to_vector<float>());
    EXPECT_EQ(sum(x).item<float>(), expected) << n;
    // The same numbers as a column among others, and as rows of a larger batch.
    Tensor columns = make_tensor({n, 3}, DType::float32);
    for (std::int64_t i = 0; i < 3 * n; ++i) columns.data<float>()[i] = x.data<float>()[i / 3];
    for (float value : sum(columns, 0).to_vector<float>()) EXPECT_EQ(value, expected) << n;
    const Tensor repeated = make_view(x, {4, n}, {0, 1}, 0);
    for (float value : sum(repeated, 1).to_vector<float>()) EXPECT_EQ(value, expected) << n;
  }
}

// Blocks of two and of four columns of transposed memory, with tiles of any width, by every function and type.
TEST(ReduceTest, BlocksOfNeighbouringColumns) {
  for (const Shape& shape :
       {Shape{256, 256}, Shape{34, 256}, Shape{516, 128}, Shape{264, 256}, Shape{2, 64, 128}}) {
    const Tensor x = random_tensor(shape);
    for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::uint8}) {
      const Tensor rows = is_floating(dtype) ? x.to(dtype) : mul(abs(x), 2.0).to(dtype);
      Tensor columns = transpose(transpose(rows, -1, -2).contiguous(), -1, -2);
      if (shape.size() == 3) columns = permute(permute(rows, {2, 1, 0}).contiguous(), {2, 1, 0});
      for (const auto& reduce : std::vector<std::function<Tensor(const Tensor&)>>{
               [](const Tensor& y) { return sum(y); }, [](const Tensor& y) { return prod(y); },
               [](const Tensor& y) { return amin(y); }, [](const Tensor& y) { return amax(y); },
               [](const Tensor& y) { return is_floating(y.dtype()) ? linalg_vector_norm(y) : sum(y); }})
        EXPECT_TRUE(same_bits(reduce(columns), reduce(rows))) << info(dtype).name;
    }
    EXPECT_EQ(sum(transpose(transpose(x, -1, -2).contiguous(), -1, -2)).item<float>(),
              in_stated_order(x.to_vector<float>()));
  }
}

TEST(ReduceTest, ThreadsChangeNoBit) {
  const int before = thread_count();
  for (const Case& c : {Case{{3000000}, {0}}, Case{{9000, 300}, {0}}, Case{{30000, 7}, {0}},
                        Case{{11, 100003}, {1}}, Case{{600, 1536}, {0, 1}}, Case{{3, 520, 256}, {1, 2}}}) {
    const Tensor x = random_tensor(c.shape);
    for (const Tensor& y : layouts(x)) {
      set_thread_count(1);
      const Tensor one = sum(y, c.dims);
      for (int threads : {2, 3, 5}) {
        set_thread_count(threads);
        EXPECT_TRUE(same_bits(sum(y, c.dims), one));
      }
    }
  }
  set_thread_count(before);
}

TEST(ReduceTest, SumsOfSquaresAreSumsOfTheSquares) {
  const auto in_one_pass = [](const Tensor& x, const DimList& dims) {
    return apply_reduce(ReduceKind::sum_of_squares, x, normalize_dims(dims, x.rank(), "sum"), false,
                        x.dtype(), x.dtype(), "sum");
  };
  for (const Case& c : cases) {
    const Tensor x = random_tensor(c.shape);
    const Tensor expected = sum(square(x), c.dims), wide = x.to(DType::float64);
    for (const Tensor& y : layouts(x))
      EXPECT_TRUE(same_bits(in_one_pass(y, c.dims), expected)) << describe(x);
    EXPECT_TRUE(same_bits(in_one_pass(wide, c.dims), sum(square(wide), c.dims)));
  }
  EXPECT_EQ(in_one_pass(zeros({0}), {0}).item<float>(), 0);
}

TEST(ReduceTest, BlocksSideBySideInOtherDtypes) {
  const Tensor x = mul(random_tensor({40, 256}), 1000);
  for (DType dtype :
       {DType::float16, DType::float64, DType::int32, DType::int64, DType::uint8, DType::bool_}) {
    const Tensor y = x.to(dtype), turned = y.t().contiguous().t();
    ASSERT_FALSE(turned.is_contiguous());
    EXPECT_TRUE(same_bits(sum(turned), sum(y)));
    EXPECT_TRUE(same_bits(amax(turned), amax(y)));
    EXPECT_TRUE(same_bits(amin(turned), amin(y)));
  }
  Tensor with_nan = x.clone();
  with_nan.data<float>()[777] = std::numeric_limits<float>::quiet_NaN();
  for (const Tensor& y : layouts(with_nan)) {
    EXPECT_TRUE(std::isnan(sum(y).item<float>()));
    EXPECT_TRUE(std::isnan(amax(y).item<float>()));
  }
}

TEST(ReduceTest, OtherDtypes) {
  const Tensor x = random_tensor({37, 41});
  for (DType dtype : {DType::float16, DType::bfloat16, DType::float64}) {
    const Tensor y = x.to(dtype);
    for (int d : {0, 1}) {
      const auto expected = by_hand(y, {d}, 0, [](long double a, long double b) { return a + b; });
      EXPECT_EQ(sum(y, d).dtype(), dtype);
      expect_near(sum(y, d), expected,
                  dtype == DType::float64   ? 1e-14
                  : dtype == DType::float16 ? 1e-3
                                            : 8e-3);
    }
    EXPECT_EQ(amax(y).item<double>(),
              static_cast<double>(
                  by_hand(y, {0, 1}, -9, [](long double a, long double b) { return std::max(a, b); })[0]));
  }
  const Tensor whole = from_values<std::int32_t>(std::vector<std::int32_t>{2000000000, 2000000000, -7}, {3});
  EXPECT_EQ(sum(whole).dtype(), DType::int64);
  EXPECT_EQ(sum(whole).item<std::int64_t>(), 3999999993);
  EXPECT_EQ(amax(whole).dtype(), DType::int32);
  EXPECT_EQ(amin(whole).item<std::int64_t>(), -7);
  EXPECT_EQ(mean(whole).dtype(), DType::float32);
  const Tensor large = from_values<std::uint64_t>(std::vector<std::uint64_t>{1, ~0ull}, {2});
  EXPECT_EQ(amax(large).data<std::uint64_t>()[0], ~0ull);
  const Tensor truth = gt(x, 0);
  EXPECT_EQ(sum(truth).dtype(), DType::int64);
  EXPECT_EQ(sum(truth).item<std::int64_t>(), count_nonzero(truth).item<std::int64_t>());
  EXPECT_EQ(sum(whole, {}, false, DType::float64).dtype(), DType::float64);
  // A sum of halves beyond their range still has a mean.
  const Tensor many = make_view(Tensor(60000.0, {.dtype = DType::float16}), {1000}, {0}, 0);
  EXPECT_EQ(mean(many).item<double>(), 60000 - 60000 % 32);
}

TEST(ReduceTest, EmptyAndScalar) {
  const Tensor none = make_tensor({0}, DType::float32);
  EXPECT_EQ(sum(none).item<float>(), 0);
  EXPECT_EQ(prod(none).item<float>(), 1);
  EXPECT_TRUE(std::isnan(mean(none).item<float>()));
  EXPECT_FALSE(any(none).item<bool>());
  EXPECT_TRUE(all(none).item<bool>());
  EXPECT_THROW(amax(none), ShapeError);
  const Tensor flat = make_tensor({2, 0, 3}, DType::float32);
  EXPECT_EQ(sum(flat, 1).shape(), Shape({2, 3}));
  EXPECT_EQ(sum(flat, 1).to_vector<float>(), std::vector<float>(6, 0.0f));
  EXPECT_EQ(amax(flat, 0).shape(), Shape({0, 3}));
  EXPECT_EQ(amax(Tensor(2.5)).item<float>(), 2.5f);
  EXPECT_EQ(sum(Tensor(2.5), 0).item<float>(), 2.5f);
  EXPECT_THROW(sum(flat, 3), ShapeError);
  EXPECT_THROW(sum(flat, DimList{1, -2}), ShapeError);
}

TEST(ReduceTest, NanAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  for (std::int64_t n : {3, 20, 600}) {
    for (std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      Tensor x = random_tensor({n});
      x.data<float>()[at] = nan;
      EXPECT_TRUE(std::isnan(amax(x).item<float>()));
      EXPECT_TRUE(std::isnan(amin(x).item<float>()));
      EXPECT_TRUE(any(x).item<bool>());
      x.data<float>()[at] = -infinity;
      EXPECT_EQ(amin(x).item<float>(), -infinity);
      EXPECT_EQ(sum(x).item<float>(), -infinity);
    }
    const Tensor lowest = make_view(Tensor(-std::numeric_limits<double>::infinity()), {n}, {0}, 0);
    EXPECT_EQ(amax(lowest).item<float>(), -infinity);
  }
}

TEST(ReduceTest, AnyAndAll) {
  const Tensor x = from_values<float>(std::vector<float>{0, 0, 0, 0, 2, 0, 0.5, 1, -1}, {3, 3});
  EXPECT_EQ(any(x, 1).to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 1, 1}));
  EXPECT_EQ(all(x, 1).to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 1}));
  EXPECT_EQ(all(x, 0).to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 0}));
  EXPECT_EQ(count_nonzero(x, 0).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 2, 1}));
  EXPECT_EQ(any(x).dtype(), DType::bool_);
}

}  // namespace
}  // namespace phlox
