#include "phlox/nn/init.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"

namespace phlox::nn::init {
namespace {

std::vector<double> random_fractions(std::int64_t count, Generator* generator) {
  return rand({count}, DType::float64, Device{}, false, generator).to_vector<double>();
}

std::vector<double> random_normals(std::int64_t count, Generator* generator) {
  return randn({count}, DType::float64, Device{}, false, generator).to_vector<double>();
}

const Tensor& assign(const Tensor& tensor, const std::vector<double>& values) {
  NoGrad guard;
  copy_(tensor, from_values<double>(values, tensor.shape()));
  return tensor;
}

double standard_normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// Inverts the distribution function by bisection, which is exact enough for any starting value.
double standard_normal_quantile(double p, double low, double high) {
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (standard_normal_cdf(middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

[[noreturn]] void raise_rank(const char* function, const Tensor& tensor, const char* wanted) {
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: the tensor must have {}", function, wanted)
      .detail("tensor", describe(tensor))
      .raise();
}

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

const Tensor& uniform_(const Tensor& tensor, double low, double high, Generator* generator) {
  NoGrad guard;
  phlox::uniform_(tensor, low, high, generator);
  return tensor;
}

const Tensor& normal_(const Tensor& tensor, double mean, double std, Generator* generator) {
  NoGrad guard;
  phlox::normal_(tensor, mean, std, generator);
  return tensor;
}

const Tensor& trunc_normal_(const Tensor& tensor, double mean, double std, double low, double high,
                            Generator* generator) {
  const double from = (low - mean) / std, to = (high - mean) / std;
  const double below = standard_normal_cdf(from), above = standard_normal_cdf(to);
  std::vector<double> values = random_fractions(tensor.numel(), generator);
  for (double& value : values) {
    const double x =
        standard_normal_quantile(below + (above - below) * value, std::max(from, -40.0), std::min(to, 40.0));
    value = std::clamp(mean + std * x, low, high);
  }
  return assign(tensor, values);
}

const Tensor& constant_(const Tensor& tensor, double value) {
  NoGrad guard;
  fill_(tensor, value);
  return tensor;
}

const Tensor& zeros_(const Tensor& tensor) { return constant_(tensor, 0); }
const Tensor& ones_(const Tensor& tensor) { return constant_(tensor, 1); }

const Tensor& eye_(const Tensor& tensor) {
  if (tensor.rank() != 2) raise_rank("eye_", tensor, "2 dimensions");
  const std::int64_t rows = tensor.size(0), columns = tensor.size(1);
  std::vector<double> values(at(rows * columns));
  for (std::int64_t i = 0; i < std::min(rows, columns); ++i) values[at(i * columns + i)] = 1;
  return assign(tensor, values);
}

const Tensor& dirac_(const Tensor& tensor, std::int64_t groups) {
  if (tensor.rank() < 3 || tensor.rank() > 5) raise_rank("dirac_", tensor, "3 to 5 dimensions");
  if (groups < 1 || tensor.size(0) % groups != 0) {
    fail<ValueError>(ErrorCode::invalid_value, "dirac_: {} output channels cannot be cut into {} groups",
                     tensor.size(0), groups)
        .raise();
  }
  std::int64_t kernel = 1, centre = 0;
  for (int d = 2; d < tensor.rank(); ++d) {
    kernel *= tensor.size(d);
    centre = centre * tensor.size(d) + tensor.size(d) / 2;
  }
  const std::int64_t in = tensor.size(1), per_group = tensor.size(0) / groups;
  std::vector<double> values(at(tensor.numel()));
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t i = 0; i < std::min(per_group, in); ++i) {
      values[at(((group * per_group + i) * in + i) * kernel + centre)] = 1;
    }
  }
  return assign(tensor, values);
}

const Tensor& sparse_(const Tensor& tensor, double sparsity, double std, Generator* generator) {
  if (tensor.rank() != 2) raise_rank("sparse_", tensor, "2 dimensions");
  const std::int64_t rows = tensor.size(0), columns = tensor.size(1);
  const auto zeros = static_cast<std::int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
  std::vector<double> values = random_normals(rows * columns, generator);
  const std::vector<double> order = random_fractions(rows * columns, generator);
  std::vector<std::int64_t> row(at(rows));
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t i = 0; i < rows; ++i) row[at(i)] = i;
    std::sort(row.begin(), row.end(), [&](std::int64_t a, std::int64_t b) {
      return order[at(a * columns + column)] < order[at(b * columns + column)];
    });
    for (std::int64_t i = 0; i < rows; ++i) {
      double& value = values[at(row[at(i)] * columns + column)];
      value = i < zeros ? 0 : std * value;
    }
  }
  return assign(tensor, values);
}

const Tensor& orthogonal_(const Tensor& tensor, double gain, Generator* generator) {
  if (tensor.rank() < 2) raise_rank("orthogonal_", tensor, "at least 2 dimensions");
  const std::int64_t rows = tensor.size(0), columns = rows ? tensor.numel() / rows : 0;
  const std::int64_t vectors = std::min(rows, columns), length = std::max(rows, columns);
  // Gram-Schmidt on rows of random numbers; a second pass removes what rounding left in the first.
  std::vector<double> basis = random_normals(vectors * length, generator);
  for (std::int64_t i = 0; i < vectors; ++i) {
    double* v = basis.data() + i * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t j = 0; j < i; ++j) {
        const double* u = basis.data() + j * length;
        double overlap = 0;
        for (std::int64_t k = 0; k < length; ++k) overlap += u[k] * v[k];
        for (std::int64_t k = 0; k < length; ++k) v[k] -= overlap * u[k];
      }
    }
    double norm = 0;
    for (std::int64_t k = 0; k < length; ++k) norm += v[k] * v[k];
    for (std::int64_t k = 0; k < length; ++k) v[k] /= std::sqrt(norm);
  }
  std::vector<double> values(at(rows * columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      values[at(r * columns + c)] =
          gain * (rows <= columns ? basis[at(r * length + c)] : basis[at(c * length + r)]);
    }
  }
  return assign(tensor, values);
}

double calculate_gain(const std::string& nonlinearity, double negative_slope) {
  if (nonlinearity == "linear" || nonlinearity == "sigmoid" || nonlinearity.starts_with("conv")) return 1;
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "relu") return std::sqrt(2.0);
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + negative_slope * negative_slope));
  if (nonlinearity == "selu") return 0.75;
  fail<ValueError>(ErrorCode::unknown_name, "calculate_gain: the nonlinearity \"{}\" is not known",
                   nonlinearity)
      .hint("linear, sigmoid, tanh, relu, leaky_relu or selu")
      .raise();
}

Fans calculate_fans(const Tensor& tensor) {
  if (tensor.rank() < 2) raise_rank("calculate_fans", tensor, "at least 2 dimensions");
  std::int64_t kernel = 1;
  for (int d = 2; d < tensor.rank(); ++d) kernel *= tensor.size(d);
  return {tensor.size(1) * kernel, tensor.size(0) * kernel};
}

namespace {

double kaiming_std(const Tensor& tensor, const KaimingOptions& options) {
  const Fans fans = calculate_fans(tensor);
  const auto fan = static_cast<double>(std::max<std::int64_t>(options.fan_out ? fans.out : fans.in, 1));
  return calculate_gain(options.nonlinearity, options.negative_slope) / std::sqrt(fan);
}

double xavier_std(const Tensor& tensor, double gain) {
  const Fans fans = calculate_fans(tensor);
  return gain * std::sqrt(2.0 / static_cast<double>(std::max<std::int64_t>(fans.in + fans.out, 1)));
}

}  // namespace

const Tensor& kaiming_uniform_(const Tensor& tensor, KaimingOptions options) {
  const double bound = std::sqrt(3.0) * kaiming_std(tensor, options);
  return init::uniform_(tensor, -bound, bound, options.generator);
}

const Tensor& kaiming_normal_(const Tensor& tensor, KaimingOptions options) {
  return init::normal_(tensor, 0, kaiming_std(tensor, options), options.generator);
}

const Tensor& xavier_uniform_(const Tensor& tensor, double gain, Generator* generator) {
  const double bound = std::sqrt(3.0) * xavier_std(tensor, gain);
  return init::uniform_(tensor, -bound, bound, generator);
}

const Tensor& xavier_normal_(const Tensor& tensor, double gain, Generator* generator) {
  return init::normal_(tensor, 0, xavier_std(tensor, gain), generator);
}

}  // namespace phlox::nn::init
