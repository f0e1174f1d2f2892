#pragma once

#include "phlox/optim/optimizer.h"

namespace phlox::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;

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

struct SGDState {
  Tensor momentum_buffer;
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
  explicit SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {});
  explicit SGD(ParameterGroups groups);
  void add_param_group(const std::vector<Tensor>& parameters, const SGDOptions& options) override;

 protected:
  void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                        const Tensor& gradient) override;
};

}  // namespace phlox::optim
