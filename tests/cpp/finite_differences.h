// Holds gradients, of first and second order, against finite differences in f64.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "phlox/autograd/engine.h"
#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"

namespace phlox::testing {

using TensorFunction = std::function<Tensor(const TensorList&)>;

inline Tensor random_doubles(const Shape& shape, unsigned seed = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> distribution(-1.5, 1.5);
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (double& v : values) v = distribution(engine);
  return from_values<double>(values, shape);
}

inline double weighted_sum(const Tensor& tensor, const Tensor& weights) {
  const auto a = tensor.to_vector<double>(), b = weights.to_vector<double>();
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

// d weighted_sum(f(inputs), weights) / d inputs[k][i], by a difference.
inline double difference(const TensorFunction& f, TensorList inputs, std::size_t k, std::size_t i,
                         const Tensor& weights) {
  NoGrad no_grad;
  const Shape shape = inputs[k].shape();
  auto values = inputs[k].to_vector<double>();
  const double step = 1e-5, middle = values[i];
  double side[2];
  for (int s = 0; s < 2; ++s) {
    values[i] = middle + (s ? step : -step);
    inputs[k] = from_values<double>(values, shape);
    side[s] = weighted_sum(f(inputs), weights);
  }
  return (side[1] - side[0]) / (2 * step);
}

inline void check_gradients(const TensorFunction& f, const TensorList& given, bool second_order = true) {
  TensorList inputs;
  for (const Tensor& tensor : given) inputs.push_back(tensor.detach().clone().set_requires_grad());
  const Tensor result = f(inputs);
  const Tensor weights = random_doubles(result.shape(), 17).set_requires_grad();
  const Gradients gradients = autograd::grad({{result}}, inputs, {{weights}}, true, true, true);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    ASSERT_TRUE(gradients[k].defined()) << "input " << k;
    ASSERT_EQ(gradients[k].shape(), inputs[k].shape());
    const auto values = gradients[k].to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], difference(f, inputs, k, i, weights.detach()), 1e-6)
          << "input " << k << " element " << i;
  }
  if (!second_order) return;
  // The gradient as a function of the inputs and of the weights.
  TensorList all = inputs;
  all.push_back(weights);
  const auto gradient_of = [&](std::size_t k) -> TensorFunction {
    return [&f, k](const TensorList& arguments) {
      EnableGrad on;
      TensorList xs;
      for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
        xs.push_back(arguments[i].detach().set_requires_grad());
      const Tensor y = f(xs);
      return autograd::grad({{y}}, {{xs[k]}}, {{arguments.back().detach()}})[0].detach();
    };
  };
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!gradients[k].requires_grad()) {
      ADD_FAILURE() << "the gradient of input " << k << " has no history";
      continue;
    }
    const Tensor outer = random_doubles(gradients[k].shape(), 23);
    const Gradients second = autograd::grad({{gradients[k]}}, all, {{outer}}, true, false, true);
    for (std::size_t j = 0; j < all.size(); ++j) {
      const auto values = second[j].defined()
                              ? second[j].to_vector<double>()
                              : std::vector<double>(static_cast<std::size_t>(all[j].numel()), 0.0);
      TensorList plain;
      for (const Tensor& tensor : all) plain.push_back(tensor.detach());
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(values[i], difference(gradient_of(k), plain, j, i, outer), 1e-5)
            << "second order, gradient " << k << " by argument " << j << " element " << i;
    }
  }
}

// The same values in other layouts: transposed memory, flipped, every second element, expanded where all are
// equal.
inline TensorList layouts(const Tensor& tensor) {
  TensorList all{tensor.contiguous()};
  const int rank = tensor.rank();
  if (rank == 0) return all;
  NoGrad no_grad;
  Dims reversed;
  for (int d = rank - 1; d >= 0; --d) reversed.push_back(d);
  all.push_back(permute(permute(tensor, DimList(reversed)).contiguous(), DimList(reversed)));
  Dims every;
  for (int d = 0; d < rank; ++d) every.push_back(d);
  all.push_back(flip(flip(tensor, DimList(every)).contiguous(), DimList(every)));
  Shape wide = tensor.shape();
  wide[static_cast<std::size_t>(rank - 1)] *= 2;
  const Tensor spaced = slice(zeros(wide, tensor.dtype()), -1, {}, {}, 2);
  spaced.copy_(tensor);
  all.push_back(spaced);
  if (rank == 4 || rank == 5) all.push_back(tensor.contiguous("channels_last"));
  return all;
}

}  // namespace phlox::testing
