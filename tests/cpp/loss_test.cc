// Softmax and losses: kernels against their definitions, formulas against plain loops, gradients against finite
// differences.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "finite_differences.h"
#include "phlox/autograd/engine.h"
#include "phlox/core/parallel.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;

Tensor random_tensor(const Shape& shape, unsigned seed = 1, DType dtype = DType::float64) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ull;
  for (double& v : values) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    v = static_cast<double>(state >> 11) / 9007199254740992.0 * 4 - 2;
  }
  return from_values<double>(values, shape).to(dtype);
}

Tensor classes(const std::vector<std::int64_t>& values, const Shape& shape) {
  return from_values<std::int64_t>(values, shape);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

void expect_close(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance * (1 + std::abs(y[i]))) << i;
}

// Softmax composed of other operations.
Tensor defined_softmax(const Tensor& x, std::int64_t dim, bool logarithm) {
  const Tensor shifted = sub(x, amax(x, dim, true));
  const Tensor total = sum(exp(shifted), dim, true);
  return logarithm ? sub(shifted, log(total)) : div(exp(shifted), total);
}

TEST(SoftmaxTest, KernelsGiveTheBitsOfTheDefinition) {
  for (DType dtype : {DType::float32, DType::float64}) {
    for (const Shape& shape :
         {Shape({5, 10}), Shape({3, 1000}), Shape({2, 3, 700}), Shape({1, 1}), Shape({4, 17, 3})}) {
      const Tensor x = random_tensor(shape, 3, dtype);
      for (const Tensor& y : {x, flip(x, 0), transpose(x, 0, 1)}) {
        for (std::int64_t dim = 0; dim < y.rank(); ++dim) {
          EXPECT_TRUE(same_bits(softmax(y, dim), defined_softmax(y, dim, false)))
              << describe(x) << " " << dim;
          EXPECT_TRUE(same_bits(log_softmax(y, dim), defined_softmax(y, dim, true)))
              << describe(x) << " " << dim;
        }
      }
    }
  }
}

TEST(SoftmaxTest, EdgesAndErrors) {
  const Tensor large = from_values<float>(std::vector<float>{1000, 1001, -INFINITY}, {3});
  EXPECT_NEAR(softmax(large, 0).to_vector<float>()[1], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(softmax(large, 0).to_vector<float>()[2], 0);
  EXPECT_EQ(softmax(Tensor(3.0), 0).item<float>(), 1);
  EXPECT_EQ(softmax(make_tensor({3, 0}, DType::float32), 1).numel(), 0);
  EXPECT_THROW(softmax(large, 1), ShapeError);
  EXPECT_EQ(softmax(from_values<std::int64_t>(std::vector<std::int64_t>{1, 1}, {2}), 0).to_vector<float>()[0],
            0.5f);
  const Tensor half = random_tensor({4, 9}, 5, DType::bfloat16);
  EXPECT_EQ(softmax(half, 1).dtype(), DType::bfloat16);
  expect_close(softmax(half, 1).to(DType::float32), softmax(half.to(DType::float32), 1), 4e-3);
  EXPECT_NEAR(logsumexp(large, 0).item<double>(), 1001 + std::log1p(std::exp(-1.0)), 1e-3);
  EXPECT_EQ(logsumexp(full({2}, -INFINITY), 0).item<float>(), -INFINITY);
}

TEST(SoftmaxTest, ThreadsChangeNoBit) {
  const int before = thread_count();
  const Tensor x = random_tensor({300, 500}, 7, DType::float32);
  set_thread_count(1);
  const Tensor one = log_softmax(x, 1);
  set_thread_count(3);
  EXPECT_TRUE(same_bits(log_softmax(x, 1), one));
  set_thread_count(before);
}

TEST(SoftmaxTest, Gradients) {
  for (std::int64_t dim : {0, 1}) {
    const Tensor weights = random_tensor({3, 4}, 9);
    check_gradients([&](const auto& x) { return mul(softmax(x[0], dim), weights); }, {random_tensor({3, 4})});
    check_gradients([&](const auto& x) { return mul(log_softmax(x[0], dim), weights); },
                    {random_tensor({3, 4})});
    check_gradients([&](const auto& x) { return logsumexp(x[0], DimList(dim)); }, {random_tensor({3, 4})});
  }
}

// The loss of cross_entropy for [N, C] by hand.
double cross_entropy_by_hand(const Tensor& logits, const std::vector<std::int64_t>& target,
                             const std::vector<double>& weight, std::int64_t ignore, double smoothing,
                             bool average) {
  const auto x = logits.to_vector<double>();
  const auto count = static_cast<std::size_t>(logits.size(1));
  double loss = 0, total = 0;
  for (std::size_t row = 0; row < target.size(); ++row) {
    if (target[row] == ignore) continue;
    double denominator = 0;
    for (std::size_t c = 0; c < count; ++c) denominator += std::exp(x[row * count + c]);
    for (std::size_t c = 0; c < count; ++c) {
      const double logp = x[row * count + c] - std::log(denominator);
      const double hot = c == static_cast<std::size_t>(target[row]) ? 1 - smoothing : 0;
      loss -= weight[c] * logp * (hot + smoothing / static_cast<double>(count));
    }
    total += weight[static_cast<std::size_t>(target[row])];
  }
  return average ? loss / total : loss;
}

TEST(CrossEntropyTest, AgreesWithTheFormula) {
  const Tensor x = random_tensor({5, 4});
  const std::vector<std::int64_t> target{1, 3, 0, 2, 3};
  const std::vector<double> plain(4, 1.0), weights{0.5, 2, 1, 0.25};
  const Tensor t = classes(target, {5}), w = from_values<double>(weights, {4});
  for (double smoothing : {0.0, 0.2}) {
    for (bool average : {true, false}) {
      const char* reduction = average ? "mean" : "sum";
      EXPECT_NEAR(cross_entropy(x, t, {}, -100, reduction, smoothing).item<double>(),
                  cross_entropy_by_hand(x, target, plain, -100, smoothing, average), 1e-12);
      EXPECT_NEAR(cross_entropy(x, t, w, 3, reduction, smoothing).item<double>(),
                  cross_entropy_by_hand(x, target, weights, 3, smoothing, average), 1e-12);
    }
  }
  EXPECT_EQ(cross_entropy(x, t, {}, 3, "none").to_vector<double>()[1], 0);
  EXPECT_NEAR(cross_entropy(x, t).item<double>(), nll_loss(log_softmax(x, 1), t).item<double>(), 1e-14);
  EXPECT_NEAR(cross_entropy(x, t, w, 3).item<double>(), nll_loss(log_softmax(x, 1), t, w, 3).item<double>(),
              1e-14);
  // Probabilities that are all on one class are that class.
  const Tensor hot = one_hot(t, 4).to(DType::float64);
  EXPECT_NEAR(cross_entropy(x, hot).item<double>(), cross_entropy(x, t).item<double>(), 1e-14);
  EXPECT_NEAR(cross_entropy(x, hot, {}, -100, "mean", 0.2).item<double>(),
              cross_entropy(x, t, {}, -100, "mean", 0.2).item<double>(), 1e-14);
  // Pictures: classes in the second dimension.
  const Tensor picture = random_tensor({2, 4, 3}), labels = classes({1, 3, 0, 2, 3, 1}, {2, 3});
  const Tensor rows = reshape(transpose(picture, 1, 2).contiguous(), {6, 4});
  EXPECT_NEAR(cross_entropy(picture, labels).item<double>(),
              cross_entropy(rows, reshape(labels, {6})).item<double>(), 1e-14);
  EXPECT_EQ(cross_entropy(picture, labels, {}, -100, "none").shape(), Shape({2, 3}));
  EXPECT_NEAR(cross_entropy(reshape(narrow(x, 0, 0, 1), {4}), Tensor(1)).item<double>(),
              cross_entropy(narrow(x, 0, 0, 1), narrow(t, 0, 0, 1)).item<double>(), 1e-14);
}

// Logarithms of many rows are taken together.
TEST(CrossEntropyTest, RowsDoNotDependOnTheirNumber) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const std::int64_t count : {3, 10, 300}) {
      const Tensor x = random_tensor({130, count}, 3, dtype);
      const Tensor t = remainder(arange(130), count);
      const Tensor all = cross_entropy(x, t, {}, 2, "none");
      const Tensor columns =
          cross_entropy(transpose(transpose(x, 0, 1).contiguous(), 0, 1), t, {}, 2, "none");
      EXPECT_EQ(all.to_vector<double>(), columns.to_vector<double>());
      for (std::int64_t row : {0, 1, 2, 63, 64, 65, 129})
        EXPECT_EQ(
            cross_entropy(narrow(x, 0, row, 1), narrow(t, 0, row, 1), {}, 2, "none").to_vector<double>(),
            narrow(all, 0, row, 1).to_vector<double>());
    }
}

TEST(CrossEntropyTest, Gradients) {
  const Tensor t = classes({1, 3, 0, 2, 3}, {5}), labels = classes({1, 3, 0, 2, 3, 1}, {2, 3});
  const Tensor w = from_values<double>(std::vector<double>{0.5, 2, 1, 0.25}, {4});
  for (double smoothing : {0.0, 0.2}) {
    check_gradients([&](const auto& x) { return cross_entropy(x[0], t, {}, -100, "none", smoothing); },
                    {random_tensor({5, 4})});
    check_gradients([&](const auto& x) { return cross_entropy(x[0], t, w, 3, "mean", smoothing); },
                    {random_tensor({5, 4})});
    check_gradients([&](const auto& x) { return cross_entropy(x[0], labels, w, 0, "sum", smoothing); },
                    {random_tensor({2, 4, 3})});
  }
  check_gradients([&](const auto& x) { return nll_loss(x[0], t, w, 3); }, {random_tensor({5, 4})});
  check_gradients([&](const auto& x) { return cross_entropy(x[0], softmax(x[1], 1)); },
                  {random_tensor({5, 4}), random_tensor({5, 4}, 2)});
}

// Without a graph of the gradient the kernel computes it, with one the operations.
TEST(CrossEntropyTest, BothGradientsAgree) {
  const Tensor t = classes({1, 3, 0}, {3}),
               w = from_values<double>(std::vector<double>{0.5, 2, 1, 0.25}, {4});
  for (double smoothing : {0.0, 0.2}) {
    Tensor x = random_tensor({3, 4});
    x.set_requires_grad();
    const Tensor loss = cross_entropy(x, t, w, -100, "mean", smoothing);
    const Tensor inputs[] = {x}, outputs[] = {loss};
    const Tensor fused = autograd::grad(outputs, inputs, {}, true)[0];
    const Tensor recorded = autograd::grad(outputs, inputs, {}, true, true)[0];
    expect_close(recorded.detach(), fused, 1e-13);
  }
}

TEST(CrossEntropyTest, Errors) {
  const Tensor x = random_tensor({2, 3});
  EXPECT_THROW(cross_entropy(x, classes({0, 3}, {2})), IndexError);
  EXPECT_THROW(cross_entropy(x, classes({0, -1}, {2})), IndexError);
  EXPECT_THROW(cross_entropy(x, classes({0, 1, 2}, {3})), ShapeError);
  EXPECT_THROW(cross_entropy(x, random_tensor({2})), DTypeError);
  EXPECT_THROW(cross_entropy(x, classes({0, 1}, {2}), random_tensor({4})), ShapeError);
  EXPECT_THROW(cross_entropy(x, classes({0, 1}, {2}), {}, -100, "average"), ValueError);
  EXPECT_TRUE(std::isnan(cross_entropy(x, classes({-100, -100}, {2})).item<double>()));
}

// Every loss of a pair against its formula, element by element.
struct PairLoss {
  const char* name;
  std::function<Tensor(const Tensor&, const Tensor&, const std::string&)> loss;
  std::function<double(double, double)> formula;
  std::function<Tensor(const Tensor&)> input, target;
};

Tensor as_is(const Tensor& x) { return x; }
Tensor to_probability(const Tensor& x) { return sigmoid(x); }
Tensor to_positive(const Tensor& x) { return add(abs(x), 0.1); }
Tensor to_sign(const Tensor& x) { return sign(x); }

const PairLoss pair_losses[] = {
    {"mse", [](auto& x, auto& t, auto& r) { return mse_loss(x, t, r); },
     [](double x, double t) { return (x - t) * (x - t); }, as_is, as_is},
    {"l1", [](auto& x, auto& t, auto& r) { return l1_loss(x, t, r); },
     [](double x, double t) { return std::abs(x - t); }, as_is, as_is},
    {"huber", [](auto& x, auto& t, auto& r) { return huber_loss(x, t, r, 0.7); },
     [](double x, double t) {
       const double e = std::abs(x - t);
       return e <= 0.7 ? e * e / 2 : 0.7 * (e - 0.35);
     },
     as_is, as_is},
    {"smooth_l1", [](auto& x, auto& t, auto& r) { return smooth_l1_loss(x, t, r, 0.7); },
     [](double x, double t) {
       const double e = std::abs(x - t);
       return e < 0.7 ? e * e / 1.4 : e - 0.35;
     },
     as_is, as_is},
    {"bce", [](auto& x, auto& t, auto& r) { return binary_cross_entropy(x, t, {}, r); },
     [](double x, double t) { return -t * std::log(x) - (1 - t) * std::log1p(-x); }, to_probability,
     to_probability},
    {"bce_logits", [](auto& x, auto& t, auto& r) { return binary_cross_entropy_with_logits(x, t, {}, r); },
     [](double x, double t) { return t * std::log1p(std::exp(-x)) + (1 - t) * std::log1p(std::exp(x)); },
     as_is, to_probability},
    {"bce_pos",
     [](auto& x, auto& t, auto& r) {
       return binary_cross_entropy_with_logits(x, t, {}, r, full({1}, 3, DType::float64));
     },
     [](double x, double t) { return 3 * t * std::log1p(std::exp(-x)) + (1 - t) * std::log1p(std::exp(x)); },
     as_is, to_probability},
    {"kl", [](auto& x, auto& t, auto& r) { return kl_div(x, t, r); },
     [](double x, double t) { return t * (std::log(t) - x); }, as_is, to_probability},
    {"kl_log", [](auto& x, auto& t, auto& r) { return kl_div(x, t, r, true); },
     [](double x, double t) { return std::exp(t) * (t - x); }, as_is, as_is},
    {"poisson", [](auto& x, auto& t, auto& r) { return poisson_nll_loss(x, t, true, false, 1e-8, r); },
     [](double x, double t) { return std::exp(x) - t * x; }, as_is, to_positive},
    {"poisson_full", [](auto& x, auto& t, auto& r) { return poisson_nll_loss(x, t, false, true, 1e-8, r); },
     [](double x, double t) {
       return x - t * std::log(x + 1e-8) + (t > 1 ? t * std::log(t) - t + std::log(2 * M_PI * t) / 2 : 0);
     },
     to_positive, to_positive},
    {"gaussian",
     [](auto& x, auto& t, auto& r) {
       return gaussian_nll_loss(x, t, full({1}, 0.3, DType::float64), true, 1e-6, r);
     },
     [](double x, double t) { return (std::log(0.3) + (x - t) * (x - t) / 0.3 + std::log(2 * M_PI)) / 2; },
     as_is, as_is},
    {"soft_margin", [](auto& x, auto& t, auto& r) { return soft_margin_loss(x, t, r); },
     [](double x, double t) { return std::log1p(std::exp(-t * x)); }, as_is, to_sign},
    {"hinge", [](auto& x, auto& t, auto& r) { return hinge_embedding_loss(x, t, 1.0, r); },
     [](double x, double t) { return t == 1 ? x : std::max(0.0, 1 - x); }, as_is, to_sign},
};

TEST(LossTest, PairsAgreeWithTheFormula) {
  for (const PairLoss& p : pair_losses) {
    SCOPED_TRACE(p.name);
    const Tensor x = p.input(random_tensor({4, 6})), t = p.target(random_tensor({4, 6}, 2));
    const auto xs = x.to_vector<double>(), ts = t.to_vector<double>();
    std::vector<double> expected;
    double total = 0;
    for (std::size_t i = 0; i < xs.size(); ++i) total += expected.emplace_back(p.formula(xs[i], ts[i]));
    expect_close(p.loss(x, t, "none"), from_values<double>(expected, {4, 6}), 1e-12);
    EXPECT_NEAR(p.loss(x, t, "sum").item<double>(), total, 1e-10);
    EXPECT_NEAR(p.loss(x, t, "mean").item<double>(), total / 24, 1e-11);
    EXPECT_THROW(p.loss(x, t, "most"), ValueError);
    check_gradients([&](const auto& v) { return p.loss(v[0], t, "none"); }, {x});
  }
}

TEST(LossTest, ShapesThatDifferAreErrors) {
  EXPECT_THROW(mse_loss(random_tensor({3, 1}), random_tensor({3})), ShapeError);
  EXPECT_THROW(huber_loss(random_tensor({3}), random_tensor({3}), "mean", 0), ValueError);
  EXPECT_EQ(kl_div(zeros({2, 3}), ones({2, 3}), "batchmean").item<float>(), 0);
  EXPECT_TRUE(std::isfinite(binary_cross_entropy(zeros({2}), ones({2})).item<double>()));
  EXPECT_TRUE(std::isfinite(binary_cross_entropy_with_logits(full({2}, -500.0), ones({2})).item<double>()));
}

TEST(LossTest, VectorsPairsAndTriplets) {
  const Tensor a = random_tensor({4, 6}), b = random_tensor({4, 6}, 2), c = random_tensor({4, 6}, 3);
  const Tensor signs = sign(random_tensor({4}, 4));
  const auto dot = [](const Tensor& x, const Tensor& y, std::int64_t row) {
    double s = 0;
    for (std::int64_t i = 0; i < 6; ++i) s += x.data<double>()[row * 6 + i] * y.data<double>()[row * 6 + i];
    return s;
  };
  const auto cosine = cosine_similarity(a, b).to_vector<double>();
  const auto unit = normalize(a).to_vector<double>();
  const auto distance = pairwise_distance(a, b, 2, 0).to_vector<double>();
  const auto triplet = triplet_margin_loss(a, b, c, 1, 2, 0, false, "none").to_vector<double>();
  const auto embedding = cosine_embedding_loss(a, b, signs, 0.1, "none").to_vector<double>();
  for (std::int64_t row = 0; row < 4; ++row) {
    const auto r = static_cast<std::size_t>(row);
    const double expected = dot(a, b, row) / std::sqrt(dot(a, a, row) * dot(b, b, row));
    EXPECT_NEAR(cosine[r], expected, 1e-13);
    EXPECT_NEAR(unit[r * 6], a.data<double>()[row * 6] / std::sqrt(dot(a, a, row)), 1e-13);
    const double near = std::sqrt(dot(a, a, row) - 2 * dot(a, b, row) + dot(b, b, row));
    const double far = std::sqrt(dot(a, a, row) - 2 * dot(a, c, row) + dot(c, c, row));
    EXPECT_NEAR(distance[r], near, 1e-12);
    EXPECT_NEAR(triplet[r], std::max(0.0, near - far + 1), 1e-12);
    const bool alike = signs.data<double>()[row] == 1;
    EXPECT_NEAR(embedding[r], alike ? 1 - expected : std::max(0.0, expected - 0.1), 1e-12);
  }
  check_gradients([](const auto& v) { return cosine_similarity(v[0], v[1]); }, {a, b});
  check_gradients([](const auto& v) { return normalize(v[0]); }, {a});
  check_gradients([](const auto& v) { return triplet_margin_loss(v[0], v[1], v[2], 1, 2, 1e-6, true); },
                  {a, b, c});
  const auto ranking =
      margin_ranking_loss(a, b, full({1}, -1, DType::float64), 0.5, "none").to_vector<double>();
  EXPECT_NEAR(ranking[0], std::max(0.0, a.data<double>()[0] - b.data<double>()[0] + 0.5), 1e-14);
}

}  // namespace
}  // namespace phlox
