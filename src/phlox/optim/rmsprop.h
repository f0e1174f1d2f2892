#pragma once

#include "phlox/optim/optimizer.h"

namespace phlox::optim {

// Settings of RMSprop.
struct RMSpropOptions {
  double lr = 1e-2;         // learning rate
  double alpha = 0.99;      // how slowly the mean of squares moves
  double eps = 1e-8;        // added to the root, so that nothing is divided by zero
  double weight_decay = 0;  // penalty on the size of parameters
  double momentum = 0;      // part of the last step that goes on
  bool centered = false;    // divides by the deviation, not by the root of the mean square
  bool maximize = false;    // goes up instead of down

  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("alpha", self.alpha);
    f("eps", self.eps);
    f("weight_decay", self.weight_decay);
    f("momentum", self.momentum);
    f("centered", self.centered);
    f("maximize", self.maximize);
  }
  template <class Self>
  static auto& momentum_of(Self& self) {
    return self.momentum;
  }
  bool operator==(const RMSpropOptions&) const = default;
};

// What RMSprop keeps of each parameter.
struct RMSpropState {
  Tensor step, square_avg, momentum_buffer, grad_avg;  // the last two undefined where they are not needed
  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("step", self.step);
    f("square_avg", self.square_avg);
    f("momentum_buffer", self.momentum_buffer);
    f("grad_avg", self.grad_avg);
  }
};

// With g = gradient + weight_decay * p,
//   v = alpha v + (1 - alpha) g^2      p = p - lr * g / (sqrt(v) + eps)
// `centered` takes v - m^2 with the running mean m of g in place of v; `momentum` accumulates the scaled
// gradients. Source: Hinton 2012, lecture 6 of Neural Networks for Machine Learning; Graves 2013,
// arXiv:1308.0850.
class RMSprop : public OptimizerOf<RMSpropOptions, RMSpropState> {
 public:
  // Trains all these parameters with the same settings.
  explicit RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options = {});
  // Trains groups with settings of their own.
  explicit RMSprop(ParameterGroups groups);
  void add_param_group(const std::vector<Tensor>& parameters, const RMSpropOptions& options) override;

 protected:
  void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                        const Tensor& gradient) override;
};

// Settings of Adagrad.
struct AdagradOptions {
  double lr = 1e-2;                      // learning rate
  double lr_decay = 0;                   // how the learning rate falls with the steps
  double weight_decay = 0;               // penalty on the size of parameters
  double initial_accumulator_value = 0;  // what sums of squares begin with
  double eps = 1e-10;                    // added to the root, so that nothing is divided by zero
  bool maximize = false;                 // goes up instead of down

  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("lr_decay", self.lr_decay);
    f("weight_decay", self.weight_decay);
    f("initial_accumulator_value", self.initial_accumulator_value);
    f("eps", self.eps);
    f("maximize", self.maximize);
  }
  bool operator==(const AdagradOptions&) const = default;
};

// What Adagrad keeps of each parameter.
struct AdagradState {
  Tensor step, sum;  // the number of steps, and the sum of squared gradients
  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("step", self.step);
    f("sum", self.sum);
  }
};

// With g = gradient + weight_decay * p and t counting from 1,
//   s = s + g^2      p = p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)
// Source: Duchi, Hazan, Singer 2011, JMLR 12.
class Adagrad : public OptimizerOf<AdagradOptions, AdagradState> {
 public:
  // Trains all these parameters with the same settings.
  explicit Adagrad(const std::vector<Tensor>& parameters, const AdagradOptions& options = {});
  // Trains groups with settings of their own.
  explicit Adagrad(ParameterGroups groups);
  void add_param_group(const std::vector<Tensor>& parameters, const AdagradOptions& options) override;

 protected:
  void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                        const Tensor& gradient) override;
};

}  // namespace phlox::optim
