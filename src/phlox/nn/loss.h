// Losses as modules: loss(input, target). The functions of the same meaning are in ops/.
#pragma once

#include <string>

#include "phlox/nn/module.h"

namespace phlox::nn {

// Common to all: `reduction` is "mean" (default), "sum" or "none".
class Loss : public Module {
 public:
  using Module::forward;
  // The loss of an input for a target.
  virtual Tensor forward(Tensor input, Tensor target) = 0;
  // The same: loss(input, target).
  Tensor operator()(const Tensor& input, const Tensor& target) { return forward(input, target); }
  std::string settings() const override { return "reduction=" + reduction_; }

 protected:
  // Throws ValueError for another reduction.
  explicit Loss(std::string reduction);
  std::string reduction_;  // "mean", "sum" or "none"
};

// Settings of CrossEntropyLoss.
struct CrossEntropyOptions {
  Tensor weight = {};                // of each class
  std::int64_t ignore_index = -100;  // a class that does not count
  std::string reduction = "mean";    // "mean", "sum" or "none"
  double label_smoothing =
      0;  // the part of each target that is spread over all classes. Source: Szegedy et al. 2016, arXiv:1512.00567
};

// Softmax, logarithm and NLLLoss in one. Input [N, C, ...] of scores, target i64[N, ...] of classes or [N, C, ...] of
// probabilities.
class CrossEntropyLoss : public Loss {
 public:
  // The usual loss of a classifier: CrossEntropyLoss()(scores, classes).
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {});
  Tensor forward(Tensor input, Tensor target) override;

 private:
  Tensor weight_;
  std::int64_t ignore_index_;
  double label_smoothing_;
};

// Settings of NLLLoss.
struct NLLOptions {
  Tensor weight = {};                // of each class
  std::int64_t ignore_index = -100;  // a class that does not count
  std::string reduction = "mean";    // "mean", "sum" or "none"
};

// Of logarithms of probabilities.
class NLLLoss : public Loss {
 public:
  // Takes what LogSoftmax gives.
  explicit NLLLoss(const NLLOptions& options = {});
  Tensor forward(Tensor input, Tensor target) override;

 private:
  Tensor weight_;
  std::int64_t ignore_index_;
};

// (input - target)^2.
class MSELoss : public Loss {
 public:
  // "mean", "sum" or "none".
  explicit MSELoss(std::string reduction = "mean") : Loss(std::move(reduction)) {}
  Tensor forward(Tensor input, Tensor target) override;
};

// |input - target|.
class L1Loss : public Loss {
 public:
  // "mean", "sum" or "none".
  explicit L1Loss(std::string reduction = "mean") : Loss(std::move(reduction)) {}
  Tensor forward(Tensor input, Tensor target) override;
};

// Squares errors below delta and takes delta times the absolute value above. Source: Huber 1964.
class HuberLoss : public Loss {
 public:
  // `delta` is where the square becomes a line.
  explicit HuberLoss(double delta = 1, std::string reduction = "mean")
      : Loss(std::move(reduction)), delta_(delta) {}
  Tensor forward(Tensor input, Tensor target) override;

 private:
  double delta_;
};

// HuberLoss divided by beta.
class SmoothL1Loss : public Loss {
 public:
  // `beta` is where the square becomes a line.
  explicit SmoothL1Loss(double beta = 1, std::string reduction = "mean")
      : Loss(std::move(reduction)), beta_(beta) {}
  Tensor forward(Tensor input, Tensor target) override;

 private:
  double beta_;
};

// Of probabilities.
class BCELoss : public Loss {
 public:
  // `weight` multiplies the losses, broadcast.
  explicit BCELoss(std::string reduction = "mean", const Tensor& weight = {});
  Tensor forward(Tensor input, Tensor target) override;

 private:
  Tensor weight_;
};

// Settings of BCEWithLogitsLoss.
struct BCEWithLogitsOptions {
  Tensor weight = {};      // of each element, broadcast
  Tensor pos_weight = {};  // of the positive part
  std::string reduction = "mean";
};

// Of scores, without overflow.
class BCEWithLogitsLoss : public Loss {
 public:
  // For scores in front of a sigmoid, which is exact where the sigmoid is 0 or 1.
  explicit BCEWithLogitsLoss(const BCEWithLogitsOptions& options = {});
  Tensor forward(Tensor input, Tensor target) override;

 private:
  Tensor weight_, pos_weight_;
};

// target * (log target - input); the input and, with `log_target`, the target are logarithms. "batchmean" divides the
// sum by the first dimension, which is the divergence's definition.
class KLDivLoss : public Loss {
 public:
  // With `log_target` the target is given as logarithms.
  explicit KLDivLoss(std::string reduction = "mean", bool log_target = false)
      : Loss(std::move(reduction)), log_target_(log_target) {}
  Tensor forward(Tensor input, Tensor target) override;

 private:
  bool log_target_;
};

}  // namespace phlox::nn
