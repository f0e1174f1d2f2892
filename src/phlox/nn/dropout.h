// Dropout: in training, values become zero at random and the rest grows to keep the mean.
// Source: Srivastava et al. 2014, JMLR 15.
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// Each value becomes zero with probability p, and the others are divided by 1 - p. Random numbers come from the
// default generator. Throws ValueError unless 0 <= p <= 1.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Dropout(Module* parent, const std::string& name, double p = 0.5);
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 protected:
  // Whole channels fall: the input has this many dimensions with the batch, one fewer without. 0: single values.
  Dropout(double p, int rank_with_batch);

 private:
  double p_;
  int rank_with_batch_ = 0;
};

// Whole channels of [N, C, L], [N, C, H, W] and [N, C, D, H, W] fall, with or without N.
// Source: Tompson et al. 2015, arXiv:1411.4280.
class Dropout1d : public Dropout {
 public:
  explicit Dropout1d(double p = 0.5) : Dropout(p, 3) {}
  Dropout1d(Module* parent, const std::string& name, double p = 0.5) : Dropout1d(p) {
    parent->register_module(name, *this);
  }
};
class Dropout2d : public Dropout {
 public:
  explicit Dropout2d(double p = 0.5) : Dropout(p, 4) {}
  Dropout2d(Module* parent, const std::string& name, double p = 0.5) : Dropout2d(p) {
    parent->register_module(name, *this);
  }
};
class Dropout3d : public Dropout {
 public:
  explicit Dropout3d(double p = 0.5) : Dropout(p, 5) {}
  Dropout3d(Module* parent, const std::string& name, double p = 0.5) : Dropout3d(p) {
    parent->register_module(name, *this);
  }
};

}  // namespace phlox::nn
