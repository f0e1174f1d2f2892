#include "phlox/nn/loss.h"

#include "phlox/ops/functions.h"

namespace phlox::nn {
namespace {

OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : OptionalTensor();
}

}  // namespace

Loss::Loss(std::string reduction) : reduction_(std::move(reduction)) {
  if (reduction_ == "mean" || reduction_ == "sum" || reduction_ == "none" || reduction_ == "batchmean")
    return;
  fail<ValueError>(ErrorCode::unknown_name, "loss: the reduction \"{}\" is not known", reduction_)
      .hint("mean, sum or none")
      .raise();
}

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyOptions& options)
    : Loss(options.reduction),
      weight_(options.weight),
      ignore_index_(options.ignore_index),
      label_smoothing_(options.label_smoothing) {
  register_buffer("weight", &weight_, false);
}

Tensor CrossEntropyLoss::forward(Tensor input, Tensor target) {
  return cross_entropy(input, target, optional(weight_), ignore_index_, reduction_, label_smoothing_);
}

NLLLoss::NLLLoss(const NLLOptions& options)
    : Loss(options.reduction), weight_(options.weight), ignore_index_(options.ignore_index) {
  register_buffer("weight", &weight_, false);
}

Tensor NLLLoss::forward(Tensor input, Tensor target) {
  return nll_loss(input, target, optional(weight_), ignore_index_, reduction_);
}

Tensor MSELoss::forward(Tensor input, Tensor target) { return mse_loss(input, target, reduction_); }
Tensor L1Loss::forward(Tensor input, Tensor target) { return l1_loss(input, target, reduction_); }
Tensor HuberLoss::forward(Tensor input, Tensor target) {
  return huber_loss(input, target, reduction_, delta_);
}
Tensor SmoothL1Loss::forward(Tensor input, Tensor target) {
  return smooth_l1_loss(input, target, reduction_, beta_);
}

BCELoss::BCELoss(std::string reduction, const Tensor& weight) : Loss(std::move(reduction)), weight_(weight) {
  register_buffer("weight", &weight_, false);
}

Tensor BCELoss::forward(Tensor input, Tensor target) {
  return binary_cross_entropy(input, target, optional(weight_), reduction_);
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const BCEWithLogitsOptions& options)
    : Loss(options.reduction), weight_(options.weight), pos_weight_(options.pos_weight) {
  register_buffer("weight", &weight_, false);
  register_buffer("pos_weight", &pos_weight_, false);
}

Tensor BCEWithLogitsLoss::forward(Tensor input, Tensor target) {
  return binary_cross_entropy_with_logits(input, target, optional(weight_), reduction_,
                                          optional(pos_weight_));
}

Tensor KLDivLoss::forward(Tensor input, Tensor target) {
  return kl_div(input, target, reduction_, log_target_);
}

}  // namespace phlox::nn
