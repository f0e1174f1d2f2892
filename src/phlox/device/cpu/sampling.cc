// Numbers drawn by trial and error, and how gamma numbers move with their parameter. All in f64, element by element.
#include <algorithm>
#include <array>
#include <cmath>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"

namespace phlox::cpu {
namespace {

// The random numbers of one element: counter i in as many streams as it needs.
class Words {
 public:
  Words(const GeneratorState& state, std::int64_t element)
      : seed_(state.seed),
        stream_(state.stream),
        counter_(state.counter + static_cast<std::uint64_t>(element)) {}

  // 0 < u < 1, of 52 bits and a half.
  double uniform() {
    if (left_ == 0) {
      stream_ += 0x9E3779B97F4A7C15u;  // odd, so that streams repeat after 2^64 blocks only
      words_ = philox(seed_, stream_, counter_);
      left_ = 2;
    }
    --left_;
    const std::uint64_t bits = (std::uint64_t{words_[2 * left_]} << 32 | words_[2 * left_ + 1]) >> 12;
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

 private:
  std::uint64_t seed_, stream_, counter_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t left_ = 0;
};

double nan_value() { return std::nan(""); }

// Marsaglia, Tsang 2000; below 1 a power of a uniform number makes up for the parameter that is one too large.
double draw_gamma(double shape, Words& words) {
  if (!(shape >= 0) || std::isinf(shape)) return nan_value();
  if (shape == 0) return 0;
  double scale = 1;
  if (shape < 1) {
    scale = std::exp(std::log(words.uniform()) / shape);
    shape += 1;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = words.normal();
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(words.uniform()) < 0.5 * x * x + d * (1 - v + std::log(v))) return scale * d * v;
  }
}

// ln k!
double log_factorial(double k) { return std::lgamma(k + 1); }

// Below 10 by multiplication (Knuth), else PTRS (Hörmann 1993).
double draw_poisson(double rate, Words& words) {
  if (!(rate >= 0) || std::isinf(rate)) return nan_value();
  if (rate == 0) return 0;
  if (rate < 10) {
    const double end = std::exp(-rate);
    double product = words.uniform(), count = 0;
    for (; product > end; ++count) product *= words.uniform();
    return count;
  }
  const double root = std::sqrt(rate), log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = words.uniform() - 0.5, v = words.uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b) <=
        k * log_rate - rate - log_factorial(k))
      return k;
  }
}

// Few successes by waiting for each (Devroye 1986), else BTRS (Hörmann 1993).
double draw_binomial(double count, double p, Words& words) {
  if (!(count >= 0) || std::isinf(count) || count != std::floor(count) || !(p >= 0 && p <= 1))
    return nan_value();
  if (count == 0 || p == 0) return 0;
  if (p == 1) return count;
  if (p > 0.5) return count - draw_binomial(count, 1 - p, words);
  if (count * p < 10) {
    const double log_failure = std::log1p(-p);
    double trials = 0, successes = 0;
    while (true) {
      trials += std::ceil(std::log(words.uniform()) / log_failure);
      if (trials > count) return successes;
      ++successes;
    }
  }
  const double q = 1 - p, deviation = std::sqrt(count * p * q);
  const double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p, c = count * p + 0.5;
  const double v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation;
  const double log_odds = std::log(p / q), m = std::floor((count + 1) * p);
  const double h = log_factorial(m) + log_factorial(count - m);
  while (true) {
    const double u = words.uniform() - 0.5, us = 0.5 - std::abs(u);
    const double v = words.uniform(), k = std::floor((2 * a / us + b) * u + c);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || k > count) continue;
    if (std::log(v * alpha / (a / (us * us) + b)) <=
        h - log_factorial(k) - log_factorial(count - k) + (k - m) * log_odds)
      return k;
  }
}

double digamma(double x) {
  double shift = 0;
  for (; x < 8; ++x) shift -= 1 / x;
  const double z = 1 / (x * x);
  return shift + std::log(x) - 0.5 / x -
         z * (1.0 / 12 -
              z * (1.0 / 120 -
                   z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
}

// The integral of f(s) over s > 0, or 0 < s < end, for an f that has decayed after some `width`s: double exponential.
template <class F>
double integrate(double width, double end, const F& f) {
  double sum = 0;
  constexpr double step = 1.0 / 16;
  for (int i = -72; i <= 72; ++i) {
    const double t = i * step, decay = std::exp(-t);
    const double s = width * std::exp(t - decay);
    if (s <= 0 || s >= end) continue;
    sum += f(s) * s * (1 + decay);
  }
  return sum * step;
}

// -dF/da / dF/dz of the gamma distribution, with terms of one sign: below the mean by the power series of F for small
// parameters, else by integrals of the density's derivative over the nearer tail.
double gamma_gradient_of(double a, double z) {
  if (std::isnan(a) || std::isnan(z) || a <= 0) return nan_value();
  if (z == 0) return 0;
  const double psi = digamma(a);
  if (z <= a && a < 1000) {
    double term = 1 / a, harmonic = 1 / a, sum = 0;
    const double distance = psi - std::log(z);
    for (int n = 0; n < 10000; ++n) {
      const double added = term * (distance + harmonic);
      sum += added;
      if (std::abs(added) < 1e-17 * std::abs(sum) && z < a + n) break;
      term *= z / (a + n + 1);
      harmonic += 1 / (a + n + 1);
    }
    return z * sum;
  }
  // How far into the tail the density has fallen by a factor of e, at most some deviations.
  const double slope = a < 1 ? 1 : std::abs(1 - (a - 1) / z);
  const double width = 1 / (slope + 0.5 / std::sqrt(z));
  if (z <= a)
    return integrate(width, z, [&](double s) {
      const double x = std::log1p(-s / z);
      return (psi - std::log(z) - x) * std::exp((a - 1) * x + s);
    });
  return integrate(width, INFINITY, [&](double s) {
    const double x = std::log1p(s / z);
    return (std::log(z) + x - psi) * std::exp((a - 1) * x - s);
  });
}

const double* numbers(const TensorImpl& tensor) { return static_cast<const double*>(tensor.address()); }

}  // namespace

void sample(const SampleCall& call) {
  const double *first = numbers(*call.first), *second = numbers(*call.second);
  auto* out = static_cast<double*>(call.target->address());
  parallel_for(0, call.target->count, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Words words(call.state, i);
      switch (call.kind) {
        case SampleKind::gamma: out[i] = draw_gamma(first[i], words); break;
        case SampleKind::poisson: out[i] = draw_poisson(first[i], words); break;
        case SampleKind::binomial: out[i] = draw_binomial(first[i], second[i], words); break;
      }
    }
  });
}

void gamma_gradient(const TensorImpl& shape_parameter, const TensorImpl& sample, TensorImpl& target) {
  const double *a = numbers(shape_parameter), *z = numbers(sample);
  auto* out = static_cast<double*>(target.address());
  parallel_for(0, target.count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = gamma_gradient_of(a[i], z[i]);
  });
}

}  // namespace phlox::cpu
