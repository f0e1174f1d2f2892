// Losses of regression and of probabilities. Formulas hold for each element; then comes the reduction.
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/loss_reduction.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {

namespace {

// Losses compare like with like: broadcasting here is nearly always a mistake.
void check_same_shape(const Tensor& input, const Tensor& target, const char* operation) {
  if (input.shape() == target.shape()) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: input and target have different shapes", operation)
      .detail("input", describe(input))
      .detail("target", describe(target))
      .hint("target.reshape(input.shape), or expand one of them on purpose")
      .raise();
}

void check_positive(double value, const char* name, const char* operation) {
  if (value > 0) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: {} is {}, not positive", operation, name, value).raise();
}

// The mean over the batch of per-element losses, which kl_div calls "batchmean".
Tensor reduce_with_batchmean(const Tensor& losses, const std::string& reduction, const char* operation) {
  if (reduction != "batchmean") return reduce_loss(losses, reduction, operation);
  return losses.rank() == 0 ? losses : div(sum(losses), static_cast<double>(losses.size(0)));
}

Tensor weighted(const Tensor& losses, const OptionalTensor& weight) {
  return weight ? mul(losses, *weight) : losses;
}

}  // namespace

PHLOX_OPERATION(Tensor, mse_loss,
                (const Tensor& input, const Tensor& target, const std::string& reduction = "mean",
                 const OptionalTensor& weight = {}),
                .doc = "The squared error (input - target)^2.", .family = Family::loss,
                .home = "nn.functional", .method = false,
                .samples = "mse_loss(A(3, 4), A(3, 4)); mse_loss(A(3), A(3), reduction='sum')",
                .integers = false) {
  check_same_shape(input, target, "mse_loss");
  return reduce_loss(weighted(squared_difference(input, target), weight), reduction, "mse_loss");
}

PHLOX_OPERATION(Tensor, l1_loss,
                (const Tensor& input, const Tensor& target, const std::string& reduction = "mean",
                 const OptionalTensor& weight = {}),
                .doc = "The absolute error |input - target|.", .family = Family::loss,
                .home = "nn.functional", .method = false,
                .samples = "l1_loss(A(3, 4), A(3, 4)); l1_loss(A(3), A(3), reduction='none')",
                .integers = false) {
  check_same_shape(input, target, "l1_loss");
  return reduce_loss(weighted(abs(sub(input, target)), weight), reduction, "l1_loss");
}

PHLOX_OPERATION(
    Tensor, huber_loss,
    (const Tensor& input, const Tensor& target, const std::string& reduction = "mean", double delta = 1.0,
     const OptionalTensor& weight = {}),
    .doc = "Half the squared error where it is at most `delta`, delta * (|error| - delta / 2) beyond.",
    .source = "Huber 1964", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "huber_loss(A(3, 4), A(3, 4)); huber_loss(A(3), A(3), delta=0.5)", .integers = false) {
  check_same_shape(input, target, "huber_loss");
  check_positive(delta, "delta", "huber_loss");
  const Tensor error = abs(sub(input, target));
  const Tensor losses =
      phlox::where(le(error, delta), mul(square(error), 0.5), mul(sub(error, 0.5 * delta), delta));
  return reduce_loss(weighted(losses, weight), reduction, "huber_loss");
}

PHLOX_OPERATION(Tensor, smooth_l1_loss,
                (const Tensor& input, const Tensor& target, const std::string& reduction = "mean",
                 double beta = 1.0),
                .doc = "error^2 / (2 beta) where |error| is below `beta`, |error| - beta / 2 beyond.",
                .source = "Girshick 2015, arXiv:1504.08083", .family = Family::loss, .home = "nn.functional",
                .method = false,
                .samples = "smooth_l1_loss(A(3, 4), A(3, 4)); smooth_l1_loss(A(3), A(3), beta=0.5)",
                .integers = false) {
  check_same_shape(input, target, "smooth_l1_loss");
  if (beta == 0) return l1_loss(input, target, reduction);
  check_positive(beta, "beta", "smooth_l1_loss");
  const Tensor error = abs(sub(input, target));
  const Tensor losses = phlox::where(lt(error, beta), mul(square(error), 0.5 / beta), sub(error, 0.5 * beta));
  return reduce_loss(losses, reduction, "smooth_l1_loss");
}

PHLOX_OPERATION(
    Tensor, binary_cross_entropy,
    (const Tensor& input, const Tensor& target, const OptionalTensor& weight = {},
     const std::string& reduction = "mean"),
    .doc =
        "-(target log(input) + (1 - target) log(1 - input)) for probabilities `input`; the logarithms are "
        "kept above -100.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "binary_cross_entropy(sigmoid(A(3, 4)), sigmoid(A(3, 4)))", .integers = false) {
  check_same_shape(input, target, "binary_cross_entropy");
  Tensor probabilities = input;
  const Tensor outside = any(logical_or(lt(input, 0), gt(input, 1)));
  if (thread_mode.interpreter_count)
    probabilities = apply_check(input, logical_not(outside), CheckError::value,
                                "binary_cross_entropy: probabilities lie between 0 and 1");
  else if (outside.item<bool>())
    fail<ValueError>(ErrorCode::invalid_value, "binary_cross_entropy: probabilities lie between 0 and 1")
        .detail("input", fmt::format("{}, from {} to {}", describe(input), amin(input).item<double>(),
                                     amax(input).item<double>()))
        .hint("binary_cross_entropy_with_logits for scores, or sigmoid() before")
        .raise();
  const Tensor yes = clamp_min(phlox::log(probabilities), -100.0);
  const Tensor no = clamp_min(log1p(neg(probabilities)), -100.0);
  const Tensor losses = neg(add(mul(target, yes), mul(sub(1.0, target), no)));
  return reduce_loss(weighted(losses, weight), reduction, "binary_cross_entropy");
}

PHLOX_OPERATION(
    Tensor, binary_cross_entropy_with_logits,
    (const Tensor& input, const Tensor& target, const OptionalTensor& weight = {},
     const std::string& reduction = "mean", const OptionalTensor& pos_weight = {}),
    .doc =
        "binary_cross_entropy(sigmoid(input), target) without overflow; `pos_weight` multiplies the part "
        "of positive targets.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "binary_cross_entropy_with_logits(A(3, 4), sigmoid(A(3, 4))); "
        "binary_cross_entropy_with_logits(A(3, 4), sigmoid(A(3, 4)), pos_weight=P(4))",
    .integers = false) {
  check_same_shape(input, target, "binary_cross_entropy_with_logits");
  // -log(sigmoid(x)) = -logsigmoid(x), -log(1 - sigmoid(x)) = x - logsigmoid(x)
  const Tensor log_yes = logsigmoid(input);
  const Tensor no = mul(sub(1.0, target), input);
  // (1 - t) (x - log_yes) - p t log_yes = (1 - t) x - (1 + (p - 1) t) log_yes
  const Tensor yes = pos_weight ? mul(add(mul(sub(*pos_weight, 1.0), target), 1.0), log_yes) : log_yes;
  const Tensor losses = sub(no, yes);
  return reduce_loss(weighted(losses, weight), reduction, "binary_cross_entropy_with_logits");
}

PHLOX_OPERATION(
    Tensor, kl_div,
    (const Tensor& input, const Tensor& target, const std::string& reduction = "mean",
     bool log_target = false),
    .doc =
        "target * (log(target) - input) for log-probabilities `input`; with `log_target` the target is "
        "given as logarithms. reduction=\"batchmean\" is the divergence as mathematicians write it.",
    .source = "Kullback, Leibler 1951", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "kl_div(log_softmax(A(3, 4), 1), softmax(A(3, 4), 1)); "
        "kl_div(log_softmax(A(3, 4), 1), log_softmax(A(3, 4), 1), log_target=True)",
    .integers = false) {
  const Tensor losses =
      log_target ? mul(exp(target), sub(target, input)) : sub(xlogy(target, target), mul(target, input));
  return reduce_with_batchmean(losses, reduction, "kl_div");
}

PHLOX_OPERATION(
    Tensor, poisson_nll_loss,
    (const Tensor& input, const Tensor& target, bool log_input = true, bool full = false, double eps = 1e-8,
     const std::string& reduction = "mean"),
    .doc =
        "exp(input) - target * input, or input - target * log(input + eps) without `log_input`; `full` "
        "adds Stirling's formula for log(target!).",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "poisson_nll_loss(A(3, 4), P(3, 4)); poisson_nll_loss(P(3), P(3), log_input=False, full=True)",
    .integers = false) {
  const Tensor x = widened(input), y = widened(target);
  Tensor losses = log_input ? sub(exp(x), mul(y, x)) : sub(x, mul(y, phlox::log(add(x, eps))));
  if (full) {
    const Tensor stirling = add(sub(xlogy(y, y), y), mul(phlox::log(mul(y, 2 * std::numbers::pi)), 0.5));
    losses = add(losses, phlox::where(gt(y, 1), stirling, 0));
  }
  const Tensor result = reduce_loss(losses, reduction, "poisson_nll_loss");
  return is_half(input.dtype()) && is_half(target.dtype()) ? result.to(promote(input.dtype(), target.dtype()))
                                                           : result;
}

PHLOX_OPERATION(
    Tensor, gaussian_nll_loss,
    (const Tensor& input, const Tensor& target, const Tensor& var, bool full = false, double eps = 1e-6,
     const std::string& reduction = "mean"),
    .doc =
        "(log(var) + (input - target)^2 / var) / 2 with `var` kept above `eps`; `full` adds log(2 pi) / 2. `var` may lack the last dimension or "
        "have size 1 there.",
    .source = "Nix, Weigend 1994", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "gaussian_nll_loss(A(3, 4), A(3, 4), P(3, 4)); gaussian_nll_loss(A(3, 4), A(3, 4), P(3, 1), full=True)",
    .integers = false) {
  Tensor variance = var;
  if (input.rank() > 0 && var.rank() == input.rank() - 1 && var.shape() != input.shape())
    variance = unsqueeze(var, -1);
  const Tensor negative = any(lt(variance, 0));
  if (thread_mode.interpreter_count)
    variance = apply_check(variance, logical_not(negative), CheckError::value,
                           "gaussian_nll_loss: a variance is negative");
  else if (negative.item<bool>())
    fail<ValueError>(ErrorCode::invalid_value, "gaussian_nll_loss: a variance is negative")
        .detail("var", describe(var))
        .raise();
  // Below eps the value is eps; the gradient passes to var all the same, as in PyTorch.
  const Tensor correction = clamp_min(sub(eps, variance), 0.0).detach();
  variance = add(variance, correction);
  Tensor losses = mul(add(phlox::log(variance), div(squared_difference(input, target), variance)), 0.5);
  if (full) losses = add(losses, 0.5 * std::log(2 * std::numbers::pi));
  return reduce_loss(losses, reduction, "gaussian_nll_loss");
}

PHLOX_OPERATION(Tensor, soft_margin_loss,
                (const Tensor& input, const Tensor& target, const std::string& reduction = "mean"),
                .doc = "log(1 + exp(-target * input)) for targets 1 and -1.", .family = Family::loss,
                .home = "nn.functional", .method = false,
                .samples = "soft_margin_loss(A(3, 4), sign(C(3, 4)))", .integers = false) {
  check_same_shape(input, target, "soft_margin_loss");
  return reduce_loss(neg(logsigmoid(mul(target, input))), reduction, "soft_margin_loss");
}

}  // namespace phlox
