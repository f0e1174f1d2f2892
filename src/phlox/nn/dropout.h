// Dropout: in training, values become zero at random and the rest grows to keep the mean.
// Source: Srivastava et al. 2014, JMLR 15.
#pragma once

#include "phlox/nn/module.h"

namespace phlox::nn {

// Each value becomes zero with probability p, and the others are divided by 1 - p. Random numbers come from the
// default generator. Throws ValueError unless 0 <= p <= 1.
class Dropout : public Module {
 public:
  // With `inplace` the result overwrites the input.
  explicit Dropout(double p = 0.5, bool inplace = false);
  Dropout(Module* parent, const std::string& name, double p = 0.5, bool inplace = false);
  Tensor forward(Tensor input) override;
  std::string settings() const override;
  // The probability that a value falls.
  double p() const { return p_; }
  // Captured functions follow. Throws ValueError unless 0 <= p <= 1.
  void set_p(double p);

 protected:
  // Whole channels fall: the input has this many dimensions with the batch, one fewer without. 0: single values.
  Dropout(double p, bool inplace, int rank_with_batch);

 private:
  Tensor dropped(const Tensor& input) const;

  double p_ = 0;
  bool inplace_;
  int rank_with_batch_ = 0;
};

// Whole channels of [N, C, L], [N, C, H, W] and [N, C, D, H, W] fall, with or without N.
// Source: Tompson et al. 2015, arXiv:1411.4280.
template <int dimensions>
class ChannelDropout : public Dropout {
 public:
  // `p` is the probability that a channel falls.
  explicit ChannelDropout(double p = 0.5, bool inplace = false) : Dropout(p, inplace, dimensions + 2) {}
  ChannelDropout(Module* parent, const std::string& name, double p = 0.5, bool inplace = false)
      : ChannelDropout(p, inplace) {
    parent->register_module(name, *this);
  }
};
// Of signals [N, C, length].
struct Dropout1d : ChannelDropout<1> {
  using ChannelDropout::ChannelDropout;
};
// Of images [N, C, height, width].
struct Dropout2d : ChannelDropout<2> {
  using ChannelDropout::ChannelDropout;
};
// Of volumes [N, C, depth, height, width].
struct Dropout3d : ChannelDropout<3> {
  using ChannelDropout::ChannelDropout;
};

}  // namespace phlox::nn
