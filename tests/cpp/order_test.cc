// Positions of extrema, running results, sorts, places and counts, against plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "finite_differences.h"
#include "phlox/core/parallel.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::layouts;
using testing::random_doubles;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Few distinct values, so that there are ties.
Tensor coarse(const Shape& shape, DType dtype = DType::float32, unsigned seed = 1) {
  return round(mul(random_doubles(shape, seed), 4)).to(dtype);
}

Tensor numbers(const std::vector<double>& values) {
  return from_values<double>(values, {static_cast<std::int64_t>(values.size())});
}
using Longs = std::vector<std::int64_t>;
using Values = std::vector<double>;

std::int64_t first_largest(const Values& x, bool maximum) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) return static_cast<std::int64_t>(i);
    if (maximum ? x[i] > x[best] : x[i] < x[best]) best = i;
  }
  return static_cast<std::int64_t>(best);
}

TEST(ArgReduceTest, EveryLayoutAndDtype) {
  for (DType dtype :
       {DType::float32, DType::float64, DType::float16, DType::int8, DType::int64, DType::uint64}) {
    for (const Shape& shape : {Shape({6, 70}), Shape({3, 4, 5}), Shape({1, 1})}) {
      const Tensor made = dtype == DType::uint64 ? abs(coarse(shape)).to(dtype) : coarse(shape, dtype);
      for (const Tensor& x : layouts(made)) {
        for (std::int64_t d = 0; d < x.rank(); ++d) {
          const Tensor rows = movedim(x, d, -1).contiguous();
          const auto flat = rows.to_vector<double>();
          const auto largest = argmax(x, d).to_vector<std::int64_t>(),
                     smallest = argmin(x, d, true).to_vector<std::int64_t>();
          const auto length = static_cast<std::size_t>(x.size(d));
          for (std::size_t row = 0; row < largest.size(); ++row) {
            const Values values(flat.begin() + static_cast<long>(row * length),
                                flat.begin() + static_cast<long>((row + 1) * length));
            ASSERT_EQ(largest[row], first_largest(values, true));
            ASSERT_EQ(smallest[row], first_largest(values, false));
          }
          const auto [best, at] = max_dim(x, d);
          EXPECT_TRUE(equal(best, amax(x, DimList(d))));
          EXPECT_TRUE(equal(at, argmax(x, d)));
        }
        EXPECT_EQ(argmax(x).item<std::int64_t>(), first_largest(x.to_vector<double>(), true));
      }
    }
  }
}

TEST(ArgReduceTest, NanLongRowsAndErrors) {
  EXPECT_EQ(argmax(numbers({1, nan, 5, nan})).item<std::int64_t>(), 1);
  EXPECT_EQ(argmin(numbers({1, nan, 5, nan})).item<std::int64_t>(), 1);
  Tensor x = zeros({300000}, DType::float32);
  x.data<float>()[200001] = 2;
  x.data<float>()[290001] = 2;
  EXPECT_EQ(argmax(x).item<std::int64_t>(), 200001);
  EXPECT_EQ(argmin(x).item<std::int64_t>(), 0);
  EXPECT_EQ(argmax(x, {}, true).shape(), Shape({1}));
  EXPECT_EQ(argmax(Tensor(3.0)).item<std::int64_t>(), 0);
  EXPECT_THROW(argmax(zeros({0})), ShapeError);
  EXPECT_THROW(argmax(zeros({2, 0}), 1), ShapeError);
  EXPECT_EQ(argmax(zeros({2, 0}), 0).shape(), Shape({0}));
  check_gradients([](const auto& v) { return std::get<0>(max_dim(v[0], 1)); }, {random_doubles({3, 4})});
}

TEST(ScanTest, AgreesWithLoops) {
  for (const Tensor& x : layouts(random_doubles({3, 40, 2}))) {
    for (std::int64_t d = 0; d < 3; ++d) {
      const Tensor rows = movedim(x, d, -1).contiguous();
      const auto flat = rows.to_vector<double>();
      const auto read = [&](const Tensor& t) { return movedim(t, d, -1).contiguous().to_vector<double>(); };
      const auto sums = read(cumsum(x, d)), products = read(cumprod(x, d)), logs = read(logcumsumexp(x, d));
      const auto [highest, where_highest] = cummax(x, d);
      const auto largest = read(highest), smallest = read(std::get<0>(cummin(x, d)));
      EXPECT_TRUE(equal(gather(x, d, where_highest), highest));
      const auto length = static_cast<std::size_t>(x.size(d));
      for (std::size_t i = 0; i < flat.size(); ++i) {
        const std::size_t start = i / length * length;
        double total = 0, product = 1, exponentials = 0, high = flat[start], low = flat[start];
        for (std::size_t j = start; j <= i; ++j) {
          total += flat[j];
          product *= flat[j];
          exponentials += std::exp(flat[j]);
          high = std::max(high, flat[j]);
          low = std::min(low, flat[j]);
        }
        ASSERT_EQ(sums[i], total);
        ASSERT_EQ(products[i], product);
        ASSERT_NEAR(logs[i], std::log(exponentials), 1e-13);
        ASSERT_EQ(largest[i], high);
        ASSERT_EQ(smallest[i], low);
      }
    }
  }
}

TEST(ScanTest, DtypesAndEdges) {
  const Tensor truth = gt(coarse({9}), 0);
  EXPECT_EQ(cumsum(truth, 0).dtype(), DType::int64);
  EXPECT_EQ(cumsum(coarse({9}, DType::int8), 0).dtype(), DType::int64);
  EXPECT_EQ(cumsum(coarse({9}, DType::bfloat16), 0).dtype(), DType::bfloat16);
  EXPECT_EQ(cumsum(coarse({9}, DType::int8), 0, DType::float64).dtype(), DType::float64);
  EXPECT_EQ(cumsum(zeros({0, 3}), 0).shape(), Shape({0, 3}));
  EXPECT_EQ(cumsum(Tensor(2.5), 0).item<double>(), 2.5);
  // f32 sums are kept in f64, so a long one loses nothing but the last rounding.
  const Tensor tenth = full({100000}, 0.1f);
  EXPECT_EQ(narrow(cumsum(tenth, 0), 0, 99999, 1).item<float>(),
            static_cast<float>(100000 * static_cast<double>(0.1f)));
  const auto [values, indices] = cummax(numbers({1, 3, 3, nan, 4, nan}), 0);
  EXPECT_EQ(indices.to_vector<std::int64_t>(), (Longs{0, 1, 2, 3, 3, 5}));
  EXPECT_TRUE(std::isnan(values.to_vector<double>()[4]));
  EXPECT_EQ(logcumsumexp(numbers({-INFINITY, -INFINITY, 0}), 0).to_vector<double>(),
            (Values{-INFINITY, -INFINITY, 0}));
  EXPECT_NEAR(logcumsumexp(numbers({1000, 1000, -1000}), 0).to_vector<double>()[2], 1000 + std::log(2.0),
              1e-12);
  EXPECT_EQ(diff(numbers({1, 4, 9, 16})).to_vector<double>(), (Values{3, 5, 7}));
  EXPECT_EQ(diff(numbers({1, 4, 9, 16}), 2).to_vector<double>(), (Values{2, 2}));
  EXPECT_EQ(diff(numbers({1, 4}), 1, 0, numbers({0}), numbers({9})).to_vector<double>(), (Values{1, 3, 5}));
  EXPECT_THROW(diff(Tensor(1.0)), ShapeError);
}

TEST(ScanTest, Gradients) {
  const Tensor x = random_doubles({3, 4});
  for (std::int64_t d : {0, 1}) {
    check_gradients([&](const auto& v) { return cumsum(v[0], d); }, {x});
    check_gradients([&](const auto& v) { return cumprod(v[0], d); }, {x});
    check_gradients([&](const auto& v) { return logcumsumexp(v[0], d); }, {x});
    check_gradients([&](const auto& v) { return std::get<0>(cummax(v[0], d)); }, {x});
    check_gradients([&](const auto& v) { return std::get<0>(cummin(v[0], d)); }, {x});
  }
  check_gradients([](const auto& v) { return cumprod(v[0], 0); }, {numbers({2, 0, 3, 4})}, false);
  check_gradients([](const auto& v) { return cumprod(v[0], 0); }, {numbers({2, 0, 3, 0, 5})}, false);
}

TEST(SortTest, EveryLayoutDtypeAndDirection) {
  for (DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16, DType::int8,
                      DType::int32, DType::int64, DType::uint8, DType::uint32, DType::bool_}) {
    const Tensor made =
        is_floating(dtype) || !is_unsigned(dtype) ? coarse({3, 300}, dtype) : abs(coarse({3, 300})).to(dtype);
    for (const Tensor& x : layouts(made)) {
      for (std::int64_t d : {0, 1}) {
        for (bool descending : {false, true}) {
          const auto [values, indices] = sort(x, d, descending);
          const Tensor rows = movedim(x, d, -1).contiguous();
          const auto flat = rows.to_vector<double>();
          const auto got = movedim(values, d, -1).contiguous().to_vector<double>();
          const auto at = movedim(indices, d, -1).contiguous().to_vector<std::int64_t>();
          const auto length = static_cast<std::size_t>(x.size(d));
          for (std::size_t start = 0; start < flat.size(); start += length) {
            Longs expected(length);
            std::iota(expected.begin(), expected.end(), 0);
            std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
              const double u = flat[start + static_cast<std::size_t>(a)],
                           w = flat[start + static_cast<std::size_t>(b)];
              return descending ? u > w : u < w;
            });
            for (std::size_t i = 0; i < length; ++i) {
              ASSERT_EQ(at[start + i], expected[i]);
              ASSERT_EQ(got[start + i], flat[start + static_cast<std::size_t>(expected[i])]);
            }
          }
        }
      }
    }
  }
}

TEST(SortTest, NanZerosAndExtremes) {
  const Tensor x = numbers({nan, 1, -nan, INFINITY, -0.0, 0.0, -INFINITY});
  EXPECT_EQ(argsort(x).to_vector<std::int64_t>(), (Longs{6, 4, 5, 1, 3, 0, 2}));
  EXPECT_EQ(argsort(x, -1, true).to_vector<std::int64_t>(), (Longs{0, 2, 3, 1, 4, 5, 6}));
  EXPECT_EQ(argsort(x.to(DType::float32)).to_vector<std::int64_t>(), (Longs{6, 4, 5, 1, 3, 0, 2}));
  const Tensor large = from_values<std::uint64_t>(std::vector<std::uint64_t>{~0ull, 1, 1ull << 63}, {3});
  EXPECT_EQ(argsort(large).to_vector<std::int64_t>(), (Longs{1, 2, 0}));
  const Tensor low = from_values<std::int64_t>(Longs{0, std::numeric_limits<std::int64_t>::min(), -1}, {3});
  EXPECT_EQ(argsort(low).to_vector<std::int64_t>(), (Longs{1, 2, 0}));
  EXPECT_EQ(std::get<0>(sort(Tensor(2.0))).item<double>(), 2);
  EXPECT_EQ(std::get<0>(sort(zeros({0}))).numel(), 0);
  EXPECT_EQ(msort(numbers({3, 1, 2})).to_vector<double>(), (Values{1, 2, 3}));
}

TEST(SortTest, FewOfManyAreTheFirstOfAll) {
  const Tensor x = coarse({4, 3000});
  for (bool largest : {true, false}) {
    const auto [all, places] = sort(x, 1, largest);
    for (std::int64_t k : {0, 1, 17, 2999, 3000}) {
      const auto [values, indices] = topk(x, k, 1, largest);
      EXPECT_TRUE(equal(values, narrow(all, 1, 0, k)));
      EXPECT_TRUE(equal(indices, narrow(places, 1, 0, k)));
    }
  }
  EXPECT_THROW(topk(x, 3001), IndexError);
  EXPECT_THROW(kthvalue(x, 0), IndexError);
  EXPECT_TRUE(equal(std::get<0>(kthvalue(x, 7, 1)), select(std::get<0>(sort(x, 1)), 1, 6)));
  const Tensor y = random_doubles({3, 5});
  check_gradients([](const auto& v) { return std::get<0>(sort(v[0], 1, true)); }, {y});
  check_gradients([](const auto& v) { return std::get<0>(topk(v[0], 2, 0)); }, {y});
  check_gradients([](const auto& v) { return std::get<0>(kthvalue(v[0], 2, 1)); }, {y});
}

TEST(QuantileTest, MediansAndQuantiles) {
  EXPECT_EQ(median(numbers({5, 1, 4, 2})).item<double>(), 2);
  EXPECT_EQ(median(numbers({5, 1, 4})).item<double>(), 4);
  EXPECT_TRUE(std::isnan(median(numbers({5, nan, 4})).item<double>()));
  EXPECT_EQ(nanmedian(numbers({5, nan, 4, 1})).item<double>(), 4);
  EXPECT_TRUE(std::isnan(nanmedian(numbers({nan, nan})).item<double>()));
  const auto [values, indices] = median_dim(from_values<double>(Values{3, 1, 2, nan, 7, 8}, {2, 3}), 1);
  EXPECT_EQ(values.to_vector<double>()[0], 2);
  EXPECT_EQ(indices.to_vector<std::int64_t>(), (Longs{2, 0}));
  const Tensor x = numbers({4, 1, 3, 2});
  EXPECT_NEAR(quantile(x, 0.4).item<double>(), 2.2, 1e-14);
  EXPECT_EQ(quantile(x, 0.4, {}, false, "lower").item<double>(), 2);
  EXPECT_EQ(quantile(x, 0.4, {}, false, "higher").item<double>(), 3);
  EXPECT_EQ(quantile(x, 0.4, {}, false, "midpoint").item<double>(), 2.5);
  EXPECT_EQ(quantile(x, 0.4, {}, false, "nearest").item<double>(), 2);
  EXPECT_EQ(quantile(x, numbers({0, 1})).to_vector<double>(), (Values{1, 4}));
  EXPECT_EQ(quantile(random_doubles({3, 4, 5}), numbers({0.1, 0.9}), 1).shape(), Shape({2, 3, 5}));
  EXPECT_EQ(quantile(random_doubles({3, 4, 5}), 0.1, 1, true).shape(), Shape({3, 1, 5}));
  EXPECT_EQ(quantile(random_doubles({3, 4}), 0.1, {}, true).shape(), Shape({1, 1}));
  EXPECT_TRUE(std::isnan(quantile(numbers({1, nan}), 0.1).item<double>()));
  EXPECT_EQ(nanquantile(numbers({1, nan, 3}), 0.5).item<double>(), 2);
  EXPECT_THROW(quantile(x, 1.5), ValueError);
  check_gradients([](const auto& v) { return quantile(v[0], 0.3, 1); }, {random_doubles({3, 4})});
  check_gradients([](const auto& v) { return median(v[0]); }, {random_doubles({3, 5})});
}

TEST(SearchTest, PlacesInSortedRows) {
  const Tensor row = numbers({1, 3, 3, 5});
  EXPECT_EQ(searchsorted(row, numbers({0, 1, 3, 4, 9, nan})).to_vector<std::int64_t>(),
            (Longs{0, 0, 1, 3, 4, 4}));
  EXPECT_EQ(searchsorted(row, numbers({0, 1, 3, 4, 9}), false, true).to_vector<std::int64_t>(),
            (Longs{0, 1, 3, 3, 4}));
  EXPECT_EQ(searchsorted(row, numbers({3}), false, false, "right").item<std::int64_t>(), 3);
  EXPECT_EQ(searchsorted(row, 3.0).item<std::int64_t>(), 1);
  EXPECT_EQ(searchsorted(row, numbers({3}), true).dtype(), DType::int32);
  EXPECT_EQ(searchsorted(numbers({5, 1, 3}), 4.0, false, false, {}, argsort(numbers({5, 1, 3})))
                .item<std::int64_t>(),
            2);
  const Tensor rows = std::get<0>(sort(coarse({3, 50}), 1)), values = coarse({3, 7}, DType::float32, 5);
  const Tensor found = searchsorted(rows, values);
  for (std::int64_t i = 0; i < 21; ++i) {
    std::int64_t smaller = 0;
    for (std::int64_t j = 0; j < 50; ++j)
      smaller += rows.data<float>()[i / 7 * 50 + j] < values.data<float>()[i];
    EXPECT_EQ(found.data<std::int64_t>()[i], smaller);
  }
  EXPECT_EQ(bucketize(numbers({2, 3}), row).to_vector<std::int64_t>(), (Longs{1, 1}));
  EXPECT_THROW(searchsorted(rows, coarse({2, 7})), ShapeError);
  EXPECT_THROW(searchsorted(row, 1.0, false, false, "middle"), ValueError);
}

TEST(CountTest, UniqueValuesAndHistograms) {
  const Tensor x = from_values<std::int64_t>(Longs{3, 1, 1, 7, 3, 3}, {2, 3});
  EXPECT_EQ(unique(x).to_vector<std::int64_t>(), (Longs{1, 3, 7}));
  const auto [values, inverse, counts] = unique_all(x);
  EXPECT_EQ(inverse.to_vector<std::int64_t>(), (Longs{1, 0, 0, 2, 1, 1}));
  EXPECT_EQ(inverse.shape(), x.shape());
  EXPECT_EQ(counts.to_vector<std::int64_t>(), (Longs{2, 3, 1}));
  EXPECT_EQ(unique(zeros({0})).numel(), 0);
  EXPECT_EQ(unique_consecutive(x).to_vector<std::int64_t>(), (Longs{3, 1, 7, 3}));
  EXPECT_EQ(std::get<2>(unique_consecutive_all(x)).to_vector<std::int64_t>(), (Longs{1, 2, 1, 2}));
  const Tensor flat = reshape(x, {6});
  EXPECT_EQ(bincount(flat).to_vector<std::int64_t>(), (Longs{0, 2, 0, 3, 0, 0, 0, 1}));
  EXPECT_EQ(bincount(flat, {}, 10).numel(), 10);
  EXPECT_EQ(bincount(flat, numbers({1, 2, 3, 4, 5, 6})).to_vector<double>(),
            (Values{0, 5, 0, 12, 0, 0, 0, 4}));
  EXPECT_EQ(bincount(zeros({0}, DType::int64)).numel(), 0);
  EXPECT_THROW(bincount(sub(flat, 2)), ValueError);
  EXPECT_THROW(bincount(x), ShapeError);
  EXPECT_EQ(histc(numbers({0, 0.5, 1, 2, 3, 9}), 3, 0, 3).to_vector<double>(), (Values{2, 1, 2}));
  EXPECT_EQ(histc(numbers({0, 1, 2, 3}), 2).to_vector<double>(), (Values{2, 2}));
  EXPECT_THROW(histc(flat), DTypeError);
}

}  // namespace
}  // namespace phlox
