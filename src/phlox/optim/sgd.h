#pragma once

#include "phlox/optim/optimizer.h"

namespace phlox::optim {

// Settings of SGD.
struct SGDOptions {
  double lr = 1e-3;         // learning rate
  double momentum = 0;      // part of the last step that goes on
  double dampening = 0;     // part of the gradient that momentum leaves out
  double weight_decay = 0;  // penalty on the size of parameters
  bool nesterov = false;    // looks ahead along the momentum
  bool maximize = false;    // goes up instead of down

  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("momentum", self.momentum);
    f("dampening", self.dampening);
    f("weight_decay", self.weight_decay);
    f("nesterov", self.nesterov);
    f("maximize", self.maximize);
  }
  template <class Self>
  static auto& momentum_of(Self& self) {
    return self.momentum;
  }
  bool operator==(const SGDOptions&) const = default;
};

// What SGD keeps of each parameter.
struct SGDState {
  Tensor momentum_buffer;  // undefined without momentum
  template <class Self, class F>
  static void visit(Self& self, const F& f) {
    f("momentum_buffer", self.momentum_buffer);
  }
};

// Stochastic gradient descent: with g = gradient + weight_decay * p,
//   buffer = momentum * buffer + (1 - dampening) g      (the first time: g)
//   p = p - lr * buffer                                 (nesterov: p - lr * (g + momentum * buffer))
// Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
// Throws ValueError for settings out of range.
class SGD : public OptimizerOf<SGDOptions, SGDState> {
 public:
  // Trains all these parameters with the same settings.
  explicit SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {});
  // Trains groups with settings of their own.
  explicit SGD(ParameterGroups groups);
  void add_param_group(const std::vector<Tensor>& parameters, const SGDOptions& options) override;

 protected:
  void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                        const Tensor& gradient) override;
};

}  // namespace phlox::optim
