// Starting values of parameters. Each function fills a tensor in place, without gradients, and returns it.
//
//   nn::init::kaiming_normal_(conv.weight, {.nonlinearity = "relu"});
//
// fan_in and fan_out are the numbers of connections into and out of one unit: for a weight [out, in,
// kernel...] in * kernel and out * kernel. Random values come from the default generator unless one is given.
#pragma once

#include <cstdint>
#include <string>

#include "phlox/core/random.h"
#include "phlox/core/tensor.h"

namespace phlox::nn::init {

// U(low, high) and N(mean, std^2).
const Tensor& uniform_(const Tensor& tensor, double low = 0, double high = 1, Generator* generator = nullptr);
// N(mean, std^2).
const Tensor& normal_(const Tensor& tensor, double mean = 0, double std = 1, Generator* generator = nullptr);
// N(mean, std^2) within [low, high].
const Tensor& trunc_normal_(const Tensor& tensor, double mean = 0, double std = 1, double low = -2,
                            double high = 2, Generator* generator = nullptr);
// One value everywhere.
const Tensor& constant_(const Tensor& tensor, double value);
// Zeros.
const Tensor& zeros_(const Tensor& tensor);
// Ones.
const Tensor& ones_(const Tensor& tensor);
// The identity of a matrix. Throws ShapeError for other ranks.
const Tensor& eye_(const Tensor& tensor);
// The identity of a convolution [out, in / groups, kernel...]: each channel passes through unchanged.
const Tensor& dirac_(const Tensor& tensor, std::int64_t groups = 1);
// A matrix with N(0, std^2) of which the fraction `sparsity` of each column is zero.
const Tensor& sparse_(const Tensor& tensor, double sparsity, double std = 0.01,
                      Generator* generator = nullptr);
// Orthonormal rows (or columns, where there are fewer), later dimensions taken together, times `gain`.
// Source: Saxe, McClelland, Ganguli 2013, arXiv:1312.6120.
const Tensor& orthogonal_(const Tensor& tensor, double gain = 1, Generator* generator = nullptr);

// Settings of kaiming_uniform_() and kaiming_normal_().
struct KaimingOptions {
  double negative_slope = 0;                // of leaky_relu
  bool fan_out = false;                     // keeps the variance of gradients rather than that of values
  std::string nonlinearity = "leaky_relu";  // what comes behind the layer; see calculate_gain()
  Generator* generator = nullptr;           // the default one when null
};
// Variance gain^2 / fan. Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852.
const Tensor& kaiming_uniform_(const Tensor& tensor, KaimingOptions options = {});
// Normal numbers of that variance.
const Tensor& kaiming_normal_(const Tensor& tensor, KaimingOptions options = {});
// Variance 2 gain^2 / (fan_in + fan_out). Source: Glorot, Bengio 2010.
const Tensor& xavier_uniform_(const Tensor& tensor, double gain = 1, Generator* generator = nullptr);
// Normal numbers of that variance.
const Tensor& xavier_normal_(const Tensor& tensor, double gain = 1, Generator* generator = nullptr);

// The factor by which a nonlinearity shrinks the standard deviation: "linear", "sigmoid", "tanh", "relu",
// "leaky_relu" (with its slope), "selu". Throws ValueError for others.
double calculate_gain(const std::string& nonlinearity, double negative_slope = 0.01);

// Connections into and out of one unit.
struct Fans {
  std::int64_t in, out;
};
// Throws ShapeError for tensors of fewer than two dimensions.
Fans calculate_fans(const Tensor& tensor);

}  // namespace phlox::nn::init
