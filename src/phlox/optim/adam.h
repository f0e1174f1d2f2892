#pragma once

#include "phlox/optim/optimizer.h"

namespace phlox::optim {

// Settings of Adam.
struct AdamOptions {
  double lr = 1e-3;                                // learning rate
  std::pair<double, double> betas = {0.9, 0.999};  // of the means of gradients and of their squares
  double eps = 1e-8;                               // added to the root, so that nothing is divided by zero
  double weight_decay = 0;                         // penalty on the size of parameters, through the gradient
  bool amsgrad = false;                            // divides by the largest mean of squares so far
  bool maximize = false;                           // goes up instead of down

  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("betas", self.betas);
    f("eps", self.eps);
    f("weight_decay", self.weight_decay);
    f("amsgrad", self.amsgrad);
    f("maximize", self.maximize);
  }
  template <class Self>
  static auto& momentum_of(Self& self) {
    return self.betas.first;
  }
  bool operator==(const AdamOptions&) const = default;
};

// Settings of AdamW.
struct AdamWOptions {
  double lr = 1e-3;                                // learning rate
  std::pair<double, double> betas = {0.9, 0.999};  // of the means of gradients and of their squares
  double eps = 1e-8;                               // added to the root, so that nothing is divided by zero
  double weight_decay = 1e-2;  // how fast parameters shrink by themselves, times the learning rate
  bool amsgrad = false;        // divides by the largest mean of squares so far
  bool maximize = false;       // goes up instead of down
};

// What Adam keeps of each parameter.
struct AdamState {
  Tensor step, exp_avg, exp_avg_sq, max_exp_avg_sq;  // the last one for amsgrad only
  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("step", self.step);
    f("exp_avg", self.exp_avg);
    f("exp_avg_sq", self.exp_avg_sq);
    f("max_exp_avg_sq", self.max_exp_avg_sq);
  }
};

// With g = gradient + weight_decay * p and t counting from 1,
//   m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// amsgrad uses the largest v so far (Reddi, Kale, Kumar 2018).
// Source: Kingma, Ba 2014, arXiv:1412.6980. Throws ValueError for settings out of range.
class Adam : public OptimizerOf<AdamOptions, AdamState> {
 public:
  // Trains all these parameters with the same settings.
  explicit Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {});
  // Trains groups with settings of their own: {{{w1, b1}, {.lr = 1e-3}}, {{w2}, {.lr = 1e-4}}}.
  explicit Adam(ParameterGroups groups);
  void add_param_group(const std::vector<Tensor>& parameters, const AdamOptions& options) override;

 protected:
  explicit Adam(bool decoupled) : decoupled_(decoupled) {}
  void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                        const Tensor& gradient) override;

 private:
  bool decoupled_ = false;  // the decay acts on the parameter itself, not through the gradient
};

// Adam with p = p - lr * weight_decay * p in place of the penalty in the gradient.
// Source: Loshchilov, Hutter 2017, arXiv:1711.05101.
class AdamW : public Adam {
 public:
  // Parameters and the settings for them.
  using ParameterGroups = std::initializer_list<std::pair<std::vector<Tensor>, AdamWOptions>>;
  // Trains all these parameters with the same settings.
  explicit AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options = {});
  // Trains groups with settings of their own.
  explicit AdamW(ParameterGroups groups);
};

}  // namespace phlox::optim
