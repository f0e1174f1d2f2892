// Losses of classification with margins, with many labels at once, and of classes that differ much in number.
#include <fmt/format.h>

#include "phlox/ops/functions.h"
#include "phlox/ops/loss_reduction.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// Scores f[batch, classes] of a loss that also takes those of one sample, f[classes].
Tensor scores_of_batch(const Tensor& input, const char* operation) {
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: scores are floating numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("<input>.to(px.float32)")
        .raise();
  if (input.rank() > 2 || (input.rank() > 0 && input.size(-1) == 0))
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: scores have the shape [batch, classes] or [classes]",
                     operation)
        .detail("input", describe(input))
        .raise();
  return input.rank() == 2 ? input : reshape(input, {1, -1});
}

[[noreturn]] void throw_target_differs(const Tensor& input, const Tensor& target, const char* operation) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: the target does not fit the scores", operation)
      .detail("input", describe(input))
      .detail("target", describe(target))
      .raise();
}

// The losses of rows, [batch]; one sample without a batch gives one number.
Tensor reduce_rows(const Tensor& rows, const Tensor& input, const std::string& reduction,
                   const char* operation) {
  return reduce_loss(input.rank() == 2 ? rows : reshape(rows, {}), reduction, operation);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, multi_margin_loss,
    (const Tensor& input, const Tensor& target, std::int64_t p = 1, double margin = 1.0,
     const OptionalTensor& weight = {}, const std::string& reduction = "mean"),
    .doc =
        "The mean over the other classes j of max(0, margin - input[target] + input[j]) to the power `p`, 1 or 2, times the `weight` of the target. "
        "Scores [batch, classes] and classes int64[batch], or one sample without the batch.",
    .source = "Crammer, Singer 2001, JMLR 2", .family = Family::loss, .home = "nn.functional",
    .method = false,
    .samples =
        "multi_margin_loss(A(3, 4), I(4, 3)); multi_margin_loss(A(3, 4), I(4, 3), p=2, margin=0.5, weight=P(4), "
        "reduction='none'); multi_margin_loss(A(4), I(4), reduction='sum')",
    .integers = false) {
  const Tensor scores = scores_of_batch(input, "multi_margin_loss");
  if (p != 1 && p != 2)
    fail<ValueError>(ErrorCode::invalid_value, "multi_margin_loss: p is {}, not 1 or 2", p).raise();
  const std::int64_t classes = scores.size(1);
  if (target.rank() > 1 || target.numel() != scores.size(0) || (input.rank() == 2 && target.rank() != 1))
    throw_target_differs(input, target, "multi_margin_loss");
  if (weight && (weight->rank() > 1 || weight->numel() != classes))
    fail<ShapeError>(ErrorCode::sizes_differ, "multi_margin_loss: {} weights for {} classes", weight->numel(),
                     classes)
        .detail("weight", describe(*weight))
        .raise();
  const Tensor labels = reshape(target, {-1, 1});
  Tensor losses = clamp_min(add(sub(margin, gather(scores, 1, labels)), scores), 0.0);
  if (p == 2) losses = square(losses);
  if (weight)
    losses = mul(losses, reshape(index_select(reshape(*weight, {-1}), 0, reshape(target, {-1})), {-1, 1}));
  const Tensor is_target = eq(labels, arange(0, classes, 1, labels.dtype(), labels.device()));
  const Tensor rows = div(sum(phlox::where(is_target, 0, losses), DimList(1)), static_cast<double>(classes));
  return reduce_rows(rows, input, reduction, "multi_margin_loss");
}

PHLOX_OPERATION(
    Tensor, multilabel_margin_loss,
    (const Tensor& input, const Tensor& target, const std::string& reduction = "mean"),
    .doc =
        "The sum over classes j of the sample and classes i that are not of max(0, 1 - input[j] + input[i]), divided by "
        "the number of classes. A row of `target` holds the sample's classes, up to the first negative number.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "multilabel_margin_loss(A(3, 4), sub(I(5, 3, 4), 1)); multilabel_margin_loss(A(4), I(4, 4), "
        "reduction='sum')",
    .integers = false) {
  const Tensor scores = scores_of_batch(input, "multilabel_margin_loss");
  if (target.shape() != input.shape()) throw_target_differs(input, target, "multilabel_margin_loss");
  const std::int64_t classes = scores.size(1);
  const Tensor labels = reshape(target, scores.shape());
  const Tensor counts = eq(cumsum(lt(labels, 0).to(DType::int64), 1), 0);  // before the first negative
  const Tensor safe = phlox::where(counts, labels, 0);
  const Tensor named = logical_and(
      unsqueeze(counts, 2), eq(unsqueeze(safe, 2), arange(0, classes, 1, safe.dtype(), safe.device())));
  const Tensor is_other = logical_not(any(named, DimList(1)));
  const Tensor margins =
      clamp_min(add(sub(1.0, unsqueeze(gather(scores, 1, safe), 2)), unsqueeze(scores, 1)), 0.0);
  const Tensor pairs = logical_and(unsqueeze(counts, 2), unsqueeze(is_other, 1));
  const Tensor rows = div(sum(phlox::where(pairs, margins, 0), DimList{1, 2}), static_cast<double>(classes));
  return reduce_rows(rows, input, reduction, "multilabel_margin_loss");
}

PHLOX_OPERATION(
    Tensor, multilabel_soft_margin_loss,
    (const Tensor& input, const Tensor& target, const OptionalTensor& weight = {},
     const std::string& reduction = "mean"),
    .doc =
        "binary_cross_entropy_with_logits() with one target from 0 to 1 for each class, times `weight`: the mean over the "
        "classes, the last dimension.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "multilabel_soft_margin_loss(A(3, 4), sigmoid(C(3, 4))); multilabel_soft_margin_loss(A(2, 3, 4), "
        "sigmoid(C(2, 3, 4)), weight=P(4), reduction='none')",
    .integers = false) {
  if (target.shape() != input.shape()) throw_target_differs(input, target, "multilabel_soft_margin_loss");
  if (input.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "multilabel_soft_margin_loss: there is no dimension of classes")
        .detail("input", describe(input))
        .raise();
  const Tensor no = mul(sub(1.0, target), logsigmoid(neg(input)));
  Tensor losses = neg(add(mul(target, logsigmoid(input)), no));
  if (weight) losses = mul(losses, *weight);
  return reduce_loss(mean(losses, DimList(-1)), reduction, "multilabel_soft_margin_loss");
}

PHLOX_OPERATION(
    Tensor, focal_loss,
    (const Tensor& input, const Tensor& target, double alpha = 0.25, double gamma = 2.0,
     const std::string& reduction = "none"),
    .doc =
        "binary_cross_entropy_with_logits() times (1 - p)^gamma, where p is the probability of the right answer: what "
        "is easy counts little. `alpha` weights targets of 1, 1 - alpha those of 0; a negative one weights none.",
    .source = "Lin et al. 2017, arXiv:1708.02002", .family = Family::loss, .alias = "sigmoid_focal_loss",
    .home = "nn.functional", .method = false,
    .samples =
        "focal_loss(A(3, 4), sigmoid(C(3, 4))); focal_loss(A(5), sigmoid(C(5)), alpha=-1.0, gamma=1.5, "
        "reduction='mean')",
    .integers = false) {
  if (target.shape() != input.shape()) throw_target_differs(input, target, "focal_loss");
  if (alpha > 1 || gamma < 0)
    fail<ValueError>(ErrorCode::invalid_value, "focal_loss: alpha is {} (at most 1), gamma {} (at least 0)",
                     alpha, gamma)
        .raise();
  const Tensor probability = sigmoid(input);
  const Tensor right = add(mul(probability, target), mul(sub(1.0, probability), sub(1.0, target)));
  Tensor losses =
      mul(sub(mul(sub(1.0, target), input), logsigmoid(input)), pow(clamp_min(sub(1.0, right), 0.0), gamma));
  if (alpha >= 0) losses = mul(losses, add(mul(target, 2 * alpha - 1), 1 - alpha));
  return reduce_loss(losses, reduction, "focal_loss");
}

PHLOX_OPERATION(
    Tensor, linear_cross_entropy,
    (const Tensor& input, const Tensor& linear_weight, const Tensor& target,
     const OptionalTensor& linear_bias = {}, const OptionalTensor& weight = {},
     const std::string& reduction = "mean", OptionalInt ignore_index = {}, double label_smoothing = 0.0),
    .doc =
        "cross_entropy(linear(input, linear_weight, linear_bias), target): samples [batch, features] or [features] with the weight "
        "[classes, ..., features], whose further dimensions become those of the target.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "linear_cross_entropy(A(3, 5), A(4, 5), I(4, 3)); linear_cross_entropy(A(5), A(4, 5), I(4)); "
        "linear_cross_entropy(A(3, 5), A(4, 2, 5), I(4, 3, 2), linear_bias=A(4, 2), reduction='sum')",
    .integers = false) {
  if (input.rank() < 1 || input.rank() > 2 || linear_weight.rank() < 2 ||
      linear_weight.size(-1) != input.size(-1) || (input.rank() == 1 && linear_weight.rank() > 2))
    fail<ShapeError>(ErrorCode::inner_sizes_differ,
                     "linear_cross_entropy: takes [batch, features] and a weight [classes, ..., features]")
        .detail("input", describe(input))
        .detail("linear_weight", describe(linear_weight))
        .raise();
  Shape outputs = linear_weight.shape();
  outputs.resize(outputs.size() - 1);
  if (linear_bias && linear_bias->shape() != outputs)
    fail<ShapeError>(ErrorCode::sizes_differ, "linear_cross_entropy: the bias has the shape [{}], not [{}]",
                     to_string(linear_bias->shape()), to_string(outputs))
        .detail("linear_bias", describe(*linear_bias))
        .raise();
  Shape shape = outputs;
  if (input.rank() == 2) shape.insert(0, input.size(0));
  if (ignore_index && target.shape() == shape)
    fail<ValueError>(ErrorCode::invalid_value,
                     "linear_cross_entropy: ignore_index has no meaning where the target holds probabilities")
        .detail("target", describe(target))
        .raise();
  Tensor logits = matmul(input, transpose(reshape(linear_weight, {-1, input.size(-1)}), 0, 1));
  if (linear_bias) logits = add(logits, reshape(*linear_bias, {-1}));
  return cross_entropy(reshape(logits, shape), target, weight, ignore_index.value_or(-100), reduction,
                       label_smoothing);
}

}  // namespace phlox
