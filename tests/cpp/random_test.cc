#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "finite_differences.h"
#include "phlox/core/parallel.h"
#include "phlox/core/random.h"
#include "phlox/ops/creation.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using Doubles = std::vector<double>;

Doubles values(const Tensor& x) { return x.to_vector<double>(); }

struct Moments {
  double mean = 0, variance = 0, skew = 0, kurtosis = 0, low = INFINITY, high = -INFINITY;
  explicit Moments(const Tensor& x) {
    const Doubles v = values(x);
    const auto n = static_cast<double>(v.size());
    for (double e : v) mean += e / n;
    for (double e : v) {
      const double d = e - mean;
      variance += d * d / n;
      skew += d * d * d / n;
      kurtosis += d * d * d * d / n;
      low = std::min(low, e);
      high = std::max(high, e);
    }
  }
};

TEST(RandomTest, WordsAreThoseOfTheScalarPhilox) {
  Generator generator(42);
  generator.set_state({42, 7, 1000});
  const Tensor x = rand({23}, DType::float32, {}, false, &generator);
  const auto drawn = x.to_vector<float>();
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const auto words = philox(42, 7, 1000 + i / 4);
    EXPECT_EQ(drawn[i], static_cast<float>(words[i % 4] >> 8) * 0x1p-24f) << i;
  }
  EXPECT_EQ(generator.state(), (GeneratorState{42, 7, 1006}));
}

TEST(RandomTest, NormalNumbersAreThoseOfBoxAndMuller) {
  Generator generator(1);
  const auto normal = randn({4}, DType::float64, {}, false, &generator).to_vector<double>();
  const auto pair = [](std::uint64_t counter, int which) {
    const auto w = philox(1, 0, counter);
    const auto unit = [&](int i) {
      const std::uint64_t bits = (static_cast<std::uint64_t>(w[static_cast<std::size_t>(i) + 1]) << 32 |
                                  w[static_cast<std::size_t>(i)]) >>
                                 11;
      return (static_cast<double>(bits) + 0.5) * 0x1p-53;
    };
    const double radius = std::sqrt(-2 * std::log(unit(0))), angle = 6.283185307179586 * unit(2);
    return which ? radius * std::sin(angle) : radius * std::cos(angle);
  };
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(normal[static_cast<std::size_t>(i)], pair(static_cast<std::uint64_t>(i / 2), i % 2), 1e-14);
}

TEST(RandomTest, Distributions) {
  for (DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    Generator generator(3);
    const std::int64_t n = 100000;
    const double loose = dtype == DType::bfloat16 ? 0.02 : 0.012;
    const Moments uniform(rand({n}, dtype, {}, false, &generator));
    EXPECT_NEAR(uniform.mean, 0.5, loose);
    EXPECT_NEAR(uniform.variance, 1.0 / 12, loose);
    EXPECT_GE(uniform.low, 0);
    EXPECT_LT(uniform.high, 1);
    const Moments normal(randn({n}, dtype, {}, false, &generator));
    EXPECT_NEAR(normal.mean, 0, loose);
    EXPECT_NEAR(normal.variance, 1, loose);
    EXPECT_NEAR(normal.skew, 0, 3 * loose);
    EXPECT_NEAR(normal.kurtosis, 3, 0.1);
    const Moments exponential(zeros({n}, dtype).exponential_(2.0, &generator));
    EXPECT_NEAR(exponential.mean, 0.5, loose);
    EXPECT_NEAR(exponential.variance, 0.25, loose);
    EXPECT_GE(exponential.low, 0);
  }
  Generator generator(4);
  const Moments shifted(zeros({100000}).uniform_(-3, 5, &generator));
  EXPECT_NEAR(shifted.mean, 1, 0.03);
  EXPECT_GE(shifted.low, -3);
  EXPECT_LT(shifted.high, 5);
  const Moments scaled(normal(tensor({10.0, 10.0}), full({50000, 2}, 0.5), {}, {}, {}, &generator));
  EXPECT_NEAR(scaled.mean, 10, 0.01);
  EXPECT_NEAR(scaled.variance, 0.25, 0.01);
}

TEST(RandomTest, Integers) {
  Generator generator(5);
  for (std::int64_t range : {3ll, 1000ll, 1ll << 40}) {
    const Tensor x = randint(-range, range, {30000}, {}, {}, &generator);
    EXPECT_EQ(x.dtype(), DType::int64);
    const Moments m(x);
    EXPECT_GE(m.low, static_cast<double>(-range));
    EXPECT_LT(m.high, static_cast<double>(range));
    EXPECT_NEAR(m.mean / static_cast<double>(range), 0, 0.3);
  }
  Doubles counts(6, 0);
  for (double v : values(randint(0, 6, {60000}, DType::uint8, {}, &generator)))
    ++counts[static_cast<std::size_t>(v)];
  for (double c : counts) EXPECT_NEAR(c, 10000, 500);
  EXPECT_THROW(randint(3, 3, {2}), ValueError);
  EXPECT_THROW(randint(0, 300, {2}, DType::uint8), DTypeError);
  const Moments bits(zeros({10000}, DType::int8).random_(0, {}, &generator));
  EXPECT_EQ(bits.high, 127);
}

TEST(RandomTest, SameForAnyNumberOfThreads) {
  const int before = thread_count();
  std::vector<Doubles> results[2];
  for (int threads : {1, 4}) {
    set_thread_count(threads);
    Generator generator(6);
    auto& to = results[threads == 4];
    to.push_back(values(rand({100003}, {}, {}, false, &generator)));
    to.push_back(values(randn({70001}, DType::float64, {}, false, &generator)));
    to.push_back(values(randint(0, 1ll << 50, {70001}, {}, {}, &generator)));
    to.push_back(values(dropout(ones({70001}), 0.3, true, false, &generator)));
  }
  set_thread_count(before);
  EXPECT_EQ(results[0], results[1]);
}

TEST(RandomTest, SeedsAndStates) {
  manual_seed(11);
  const Doubles a = values(rand({10})), b = values(rand({10}));
  manual_seed(11);
  EXPECT_EQ(values(rand({10})), a);
  EXPECT_EQ(values(rand({10})), b);
  EXPECT_NE(a, b);
  Generator parent(1), child = parent.fork();
  EXPECT_NE(values(rand({10}, {}, {}, false, &parent)), values(rand({10}, {}, {}, false, &child)));
}

TEST(RandomTest, Permutations) {
  Generator generator(8);
  const auto order = randperm(1000, {}, {}, &generator).to_vector<std::int64_t>();
  const std::set<std::int64_t> all(order.begin(), order.end());
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(*all.rbegin(), 999);
  EXPECT_NE(order[0], 0);
  EXPECT_EQ(randperm(0).numel(), 0);
  EXPECT_THROW(randperm(-1), ValueError);
  int first[3] = {};  // each place is equally likely
  for (int i = 0; i < 3000; ++i) ++first[randperm(3, {}, {}, &generator)[0].item<int>()];
  for (int c : first) EXPECT_NEAR(c, 1000, 120);
  const Tensor x = reshape(arange(12), {4, 3});
  Doubles shuffled = values(shuffle(x, 0, &generator).select(1, 0));
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, (Doubles{0, 3, 6, 9}));
}

TEST(RandomTest, BernoulliAndMultinomial) {
  Generator generator(9);
  EXPECT_NEAR(Moments(bernoulli(full({100000}, 0.3), {}, &generator)).mean, 0.3, 0.01);
  EXPECT_NEAR(Moments(bernoulli(zeros({100000}), 0.7, &generator)).mean, 0.7, 0.01);
  EXPECT_NEAR(Moments(zeros({100000}, DType::bool_).bernoulli_(0.25, &generator)).mean, 0.25, 0.01);
  Doubles counts(3, 0);
  for (double v : values(multinomial(tensor({1.0, 0.0, 3.0}), 40000, true, &generator)))
    ++counts[static_cast<std::size_t>(v)];
  EXPECT_NEAR(counts[0], 10000, 500);
  EXPECT_EQ(counts[1], 0);
  const Tensor without = multinomial(ones({2, 5}), 5, false, &generator);
  for (int r = 0; r < 2; ++r) {
    auto row = without[r].to_vector<std::int64_t>();
    std::sort(row.begin(), row.end());
    EXPECT_EQ(row, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  }
  EXPECT_THROW(multinomial(tensor({1.0, 0.0}), 2), ValueError);
  EXPECT_THROW(multinomial(tensor({1.0, -1.0}), 1), ValueError);
  EXPECT_THROW(bernoulli(zeros({2}), 1.5), ValueError);
}

TEST(RandomTest, DropoutDrawsTheSameElementsForItsGradient) {
  for (const char* order : {"row_major", "channels_last"}) {
    Generator generator(10);
    Tensor x =
        contiguous(testing::random_doubles({4, 8, 6, 6}).to(DType::float32), order).set_requires_grad();
    const Tensor y = dropout(x, 0.25, true, false, &generator);
    EXPECT_EQ(y.is_channels_last(), x.is_channels_last());
    const Doubles in = values(x), out = values(y);
    y.backward(contiguous(ones({4, 8, 6, 6})));
    const Doubles gradient = values(x.grad());
    std::size_t dropped = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (out[i] == 0) {
        ++dropped;
        EXPECT_EQ(gradient[i], 0);
      } else {
        EXPECT_FLOAT_EQ(static_cast<float>(out[i]), static_cast<float>(in[i]) / 0.75f);
        EXPECT_FLOAT_EQ(static_cast<float>(gradient[i]), 1 / 0.75f);
      }
    }
    EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(in.size()), 0.25, 0.05);
  }
  const Tensor x = ones({10});
  EXPECT_EQ(dropout(x, 0.5, false).impl(), x.impl());
  EXPECT_EQ(values(dropout(x, 1.0)), Doubles(10, 0.0));
  EXPECT_THROW(dropout(x, 1.5), ValueError);
  testing::check_gradients(
      [](const TensorList& t) {
        Generator same(12);
        return dropout(mul(t[0], t[0]), 0.4, true, false, &same);
      },
      {testing::random_doubles({5, 4})});
  const Doubles whole = values(feature_dropout(ones({3, 4, 5}), 0.5));
  for (std::size_t c = 0; c < 12; ++c)
    for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(whole[5 * c + i], whole[5 * c]);
}

TEST(RandomTest, InPlaceDrawsFollowTheRules) {
  Tensor leaf = ones({3}).set_requires_grad();
  EXPECT_THROW(leaf.uniform_(), GradientError);
  {
    NoGrad no_grad;
    leaf.normal_(2.0, 0.0);
  }
  EXPECT_EQ(values(leaf), (Doubles{2, 2, 2}));
  EXPECT_THROW(zeros({2}, DType::int64).normal_(), DTypeError);
  EXPECT_THROW(rand({2}, DType::int32), DTypeError);
  const Tensor x = zeros({4, 4});
  slice(x, 1, {}, {}, 2).fill_(0);
  transpose(x, 0, 1).select(0, 1).uniform_(1, 2);
  EXPECT_GE(x[0][1].item<float>(), 1);
  EXPECT_EQ(x[0][0].item<float>(), 0);
}

}  // namespace
}  // namespace phlox
