// Activation functions as modules, for Sequential and for printing a network.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "phlox/nn/module.h"
#include "phlox/ops/functions.h"

namespace phlox::nn {

// A module that applies one function without settings.
template <Tensor (*function)(const Tensor&)>
class Activation : public Module {
 public:
  Activation() = default;
  Activation(Module* parent, const std::string& name) : Module(parent, name) {}
  Tensor forward(Tensor input) override { return function(input); }
};

// One that may write its result over its input, with `inplace`, which saves memory.
template <Tensor (*function)(const Tensor&), const Tensor& (Tensor::*overwrite)() const>
class OverwritingActivation : public Module {
 public:
  // With `inplace` the input is lost.
  explicit OverwritingActivation(bool inplace = false) : inplace_(inplace) {}
  OverwritingActivation(Module* parent, const std::string& name, bool inplace = false)
      : Module(parent, name), inplace_(inplace) {}
  Tensor forward(Tensor input) override { return inplace_ ? (input.*overwrite)() : function(input); }
  std::string settings() const override { return inplace_ ? "inplace=true" : ""; }

 private:
  bool inplace_;
};

// max(x, 0). Source: Nair, Hinton 2010, ICML.
class ReLU : public OverwritingActivation<relu, &Tensor::relu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// min(max(x, 0), 6). Source: Howard et al. 2017, arXiv:1704.04861.
class ReLU6 : public OverwritingActivation<relu6, &Tensor::relu6_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// Scaled ELU, which keeps mean 0 and variance 1. Source: Klambauer et al. 2017, arXiv:1706.02515.
class SELU : public OverwritingActivation<selu, &Tensor::selu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// x sigmoid(x), also called swish. Source: Elfwing, Uchibe, Doya 2018, arXiv:1702.03118.
class SiLU : public OverwritingActivation<silu, &Tensor::silu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// x tanh(softplus(x)). Source: Misra 2019, arXiv:1908.08681.
class Mish : public OverwritingActivation<mish, &Tensor::mish_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// x min(max(x + 3, 0), 6) / 6. Source: Howard et al. 2019, arXiv:1905.02244.
class Hardswish : public OverwritingActivation<hardswish, &Tensor::hardswish_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// min(max(x + 3, 0), 6) / 6.
class Hardsigmoid : public OverwritingActivation<hardsigmoid, &Tensor::hardsigmoid_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
// 1 / (1 + exp(-x)).
class Sigmoid : public Activation<sigmoid> {
 public:
  using Activation::Activation;
};
// log(sigmoid(x)), without overflow.
class LogSigmoid : public Activation<logsigmoid> {
 public:
  using Activation::Activation;
};
// The hyperbolic tangent.
class Tanh : public Activation<tanh> {
 public:
  using Activation::Activation;
};
// x / (1 + |x|).
class Softsign : public Activation<softsign> {
 public:
  using Activation::Activation;
};

// One with a number.
template <Tensor (*function)(const Tensor&, double), const Tensor& (Tensor::*overwrite)(double) const>
class ScaledActivation : public Module {
 public:
  ScaledActivation(double value, bool inplace) : value_(value), inplace_(inplace) {}
  ScaledActivation(Module* parent, const std::string& name, double value, bool inplace)
      : Module(parent, name), value_(value), inplace_(inplace) {}
  Tensor forward(Tensor input) override {
    return inplace_ ? (input.*overwrite)(value_) : function(input, value_);
  }
  std::string settings() const override {
    return fmt::format("{}{}", value_, inplace_ ? ", inplace=true" : "");
  }

 private:
  double value_;
  bool inplace_;
};

// x where positive, negative_slope x elsewhere. Source: Maas, Hannun, Ng 2013.
class LeakyReLU : public ScaledActivation<leaky_relu, &Tensor::leaky_relu_> {
 public:
  // The default slope is PyTorch's.
  explicit LeakyReLU(double negative_slope = 0.01, bool inplace = false)
      : ScaledActivation(negative_slope, inplace) {}
  LeakyReLU(Module* parent, const std::string& name, double negative_slope = 0.01, bool inplace = false)
      : ScaledActivation(parent, name, negative_slope, inplace) {}
};

// x where positive, alpha (exp(x) - 1) elsewhere. Source: Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289.
class ELU : public ScaledActivation<elu, &Tensor::elu_> {
 public:
  // -alpha is the limit on the left.
  explicit ELU(double alpha = 1, bool inplace = false) : ScaledActivation(alpha, inplace) {}
  ELU(Module* parent, const std::string& name, double alpha = 1, bool inplace = false)
      : ScaledActivation(parent, name, alpha, inplace) {}
};

// x where positive, alpha (exp(x / alpha) - 1) elsewhere, which is smooth for any alpha. Source: Barron 2017,
// arXiv:1704.07483.
class CELU : public ScaledActivation<celu, &Tensor::celu_> {
 public:
  // -alpha is the limit on the left.
  explicit CELU(double alpha = 1, bool inplace = false) : ScaledActivation(alpha, inplace) {}
  CELU(Module* parent, const std::string& name, double alpha = 1, bool inplace = false)
      : ScaledActivation(parent, name, alpha, inplace) {}
};

// `approximate` is "none" or "tanh".
class GELU : public Module {
 public:
  // "tanh" is cheaper and off by less than 0.001.
  explicit GELU(std::string approximate = "none") : approximate_(std::move(approximate)) {}
  GELU(Module* parent, const std::string& name, std::string approximate = "none")
      : Module(parent, name), approximate_(std::move(approximate)) {}
  Tensor forward(Tensor input) override { return gelu(input, approximate_); }
  std::string settings() const override { return "approximate=" + approximate_; }

 private:
  std::string approximate_;
};

// x kept between `low` and `high`.
class Hardtanh : public Module {
 public:
  // Throws ValueError, when it is called, unless low <= high.
  explicit Hardtanh(double low = -1, double high = 1, bool inplace = false)
      : low_(low), high_(high), inplace_(inplace) {}
  Hardtanh(Module* parent, const std::string& name, double low = -1, double high = 1, bool inplace = false)
      : Module(parent, name), low_(low), high_(high), inplace_(inplace) {}
  Tensor forward(Tensor input) override {
    return inplace_ ? input.hardtanh_(low_, high_) : hardtanh(input, low_, high_);
  }
  std::string settings() const override { return fmt::format("{}, {}", low_, high_); }

 private:
  double low_, high_;
  bool inplace_;
};

// log(1 + exp(beta x)) / beta, and x where beta x is above `threshold`.
class Softplus : public Module {
 public:
  // beta is the slope at infinity of what is inside; above `threshold` the two functions agree to rounding.
  explicit Softplus(double beta = 1, double threshold = 20) : beta_(beta), threshold_(threshold) {}
  Softplus(Module* parent, const std::string& name, double beta = 1, double threshold = 20)
      : Module(parent, name), beta_(beta), threshold_(threshold) {}
  Tensor forward(Tensor input) override { return softplus(input, beta_, threshold_); }
  std::string settings() const override { return fmt::format("beta={}, threshold={}", beta_, threshold_); }

 private:
  double beta_, threshold_;
};

// Over one dimension.
class Softmax : public Module {
 public:
  // `dim` may count from the end.
  explicit Softmax(std::int64_t dim = -1) : dim_(dim) {}
  Softmax(Module* parent, const std::string& name, std::int64_t dim = -1) : Module(parent, name), dim_(dim) {}
  Tensor forward(Tensor input) override { return softmax(input, dim_); }
  std::string settings() const override { return fmt::format("dim={}", dim_); }

 private:
  std::int64_t dim_;
};

// The logarithm of Softmax, without overflow.
class LogSoftmax : public Module {
 public:
  // `dim` may count from the end.
  explicit LogSoftmax(std::int64_t dim = -1) : dim_(dim) {}
  LogSoftmax(Module* parent, const std::string& name, std::int64_t dim = -1)
      : Module(parent, name), dim_(dim) {}
  Tensor forward(Tensor input) override { return log_softmax(input, dim_); }
  std::string settings() const override { return fmt::format("dim={}", dim_); }

 private:
  std::int64_t dim_;
};

// x where positive, weight * x elsewhere; one learned weight, or one for each channel (dimension 1).
// Source: He, Zhang, Ren, Sun 2015, arXiv:1502.01852.
class PReLU : public Module {
 public:
  // `count` is 1 or the number of channels, `start` the first value of all weights.
  explicit PReLU(std::int64_t count = 1, double start = 0.25);
  PReLU(Module* parent, const std::string& name, std::int64_t count = 1, double start = 0.25);
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight;  // [count]
};

// Gated linear unit: halves the dimension, first half * sigmoid(second half).
// Source: Dauphin et al. 2017, arXiv:1612.08083.
class GLU : public Module {
 public:
  explicit GLU(std::int64_t dim = -1) : dim_(dim) {}
  GLU(Module* parent, const std::string& name, std::int64_t dim = -1) : Module(parent, name), dim_(dim) {}
  Tensor forward(Tensor input) override;
  std::string settings() const override { return fmt::format("dim={}", dim_); }

 private:
  std::int64_t dim_;
};

}  // namespace phlox::nn
