// Dropout: in training, values become zero at random and the rest grows to keep the mean.
// Source: Srivastava et al. 2014, JMLR 15.
#pragma once

#include "phlox/core/random.h"
#include "phlox/nn/module.h"

namespace phlox::nn {

// Zeroes values with probability p and divides the rest by 1 - p. `shared` trailing dimensions of the input
// share their fate: 0 draws for each value, input.rank() - 2 for each channel. Which values fall depends on
// the generator's state alone, not on the number of threads. Throws ValueError unless 0 <= p <= 1.
Tensor drop(const Tensor& input, double p, int shared = 0, Generator* generator = nullptr);

class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Dropout(Module* parent, const std::string& name, double p = 0.5);
  Tensor forward(Tensor input) override;
  std::string settings() const override;

 protected:
  // Whole channels fall: the input has this many dimensions with the batch, one fewer without. 0: single
  // values.
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
