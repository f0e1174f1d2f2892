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
  explicit OverwritingActivation(bool inplace = false) : inplace_(inplace) {}
  OverwritingActivation(Module* parent, const std::string& name, bool inplace = false)
      : Module(parent, name), inplace_(inplace) {}
  Tensor forward(Tensor input) override { return inplace_ ? (input.*overwrite)() : function(input); }
  std::string settings() const override { return inplace_ ? "inplace=true" : ""; }

 private:
  bool inplace_;
};

class ReLU : public OverwritingActivation<relu, &Tensor::relu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class ReLU6 : public OverwritingActivation<relu6, &Tensor::relu6_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class SELU : public OverwritingActivation<selu, &Tensor::selu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class SiLU : public OverwritingActivation<silu, &Tensor::silu_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class Mish : public OverwritingActivation<mish, &Tensor::mish_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class Hardswish : public OverwritingActivation<hardswish, &Tensor::hardswish_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class Hardsigmoid : public OverwritingActivation<hardsigmoid, &Tensor::hardsigmoid_> {
 public:
  using OverwritingActivation::OverwritingActivation;
};
class Sigmoid : public Activation<sigmoid> {
 public:
  using Activation::Activation;
};
class LogSigmoid : public Activation<logsigmoid> {
 public:
  using Activation::Activation;
};
class Tanh : public Activation<tanh> {
 public:
  using Activation::Activation;
};
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

class LeakyReLU : public ScaledActivation<leaky_relu, &Tensor::leaky_relu_> {
 public:
  explicit LeakyReLU(double negative_slope = 0.01, bool inplace = false)
      : ScaledActivation(negative_slope, inplace) {}
  LeakyReLU(Module* parent, const std::string& name, double negative_slope = 0.01, bool inplace = false)
      : ScaledActivation(parent, name, negative_slope, inplace) {}
};

class ELU : public ScaledActivation<elu, &Tensor::elu_> {
 public:
  explicit ELU(double alpha = 1, bool inplace = false) : ScaledActivation(alpha, inplace) {}
  ELU(Module* parent, const std::string& name, double alpha = 1, bool inplace = false)
      : ScaledActivation(parent, name, alpha, inplace) {}
};

class CELU : public ScaledActivation<celu, &Tensor::celu_> {
 public:
  explicit CELU(double alpha = 1, bool inplace = false) : ScaledActivation(alpha, inplace) {}
  CELU(Module* parent, const std::string& name, double alpha = 1, bool inplace = false)
      : ScaledActivation(parent, name, alpha, inplace) {}
};

// `approximate` is "none" or "tanh".
class GELU : public Module {
 public:
  explicit GELU(std::string approximate = "none") : approximate_(std::move(approximate)) {}
  GELU(Module* parent, const std::string& name, std::string approximate = "none")
      : Module(parent, name), approximate_(std::move(approximate)) {}
  Tensor forward(Tensor input) override { return gelu(input, approximate_); }
  std::string settings() const override { return "approximate=" + approximate_; }

 private:
  std::string approximate_;
};

class Hardtanh : public Module {
 public:
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

class Softplus : public Module {
 public:
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
  explicit Softmax(std::int64_t dim = -1) : dim_(dim) {}
  Softmax(Module* parent, const std::string& name, std::int64_t dim = -1) : Module(parent, name), dim_(dim) {}
  Tensor forward(Tensor input) override { return softmax(input, dim_); }
  std::string settings() const override { return fmt::format("dim={}", dim_); }

 private:
  std::int64_t dim_;
};

class LogSoftmax : public Module {
 public:
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
  explicit PReLU(std::int64_t count = 1, double start = 0.25);
  PReLU(Module* parent, const std::string& name, std::int64_t count = 1, double start = 0.25);
  Tensor forward(Tensor input) override;
  std::string settings() const override;

  Tensor weight;
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
