// Losses of sequences whose alignment is not known: sums over all alignments, step by step in logarithms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/loss_reduction.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// The logarithm of "never": far below any sum of logarithms, but finite, so that differences of two are not NaN.
constexpr double never = -1e30;

Tensor lengths_of(const Tensor& lengths, std::int64_t batch, const char* name, const char* operation) {
  if (lengths.numel() != batch || !is_integer(lengths.dtype()))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} are {} integers", operation, name, batch)
        .detail(name, describe(lengths))
        .raise();
  return reshape(lengths, {batch}).to(DType::int64);
}

// Impossible alignments cost infinity, or nothing where the caller wants them left out.
Tensor with_infinity(const Tensor& losses, bool zero_infinity) {
  const Tensor impossible = gt(losses.detach(), -never / 10);
  return where(impossible, zero_infinity ? 0.0 : std::numeric_limits<double>::infinity(), losses);
}

// Targets as int64[batch, longest], from such or from all targets one after the other.
Tensor padded_targets(const Tensor& targets, const Tensor& lengths, std::int64_t batch) {
  if (targets.rank() == 2) return targets.to(DType::int64);
  if (batch == 1 && targets.rank() <= 1) return reshape(targets, {1, -1}).to(DType::int64);
  const Integers counts = lengths.to_vector<std::int64_t>();
  const std::int64_t longest =
      counts.empty() ? 0 : std::max<std::int64_t>(*std::max_element(counts.begin(), counts.end()), 0);
  std::int64_t total = 0;
  Integers places;
  for (const std::int64_t count : counts) {
    for (std::int64_t i = 0; i < longest; ++i) places.push_back(i < count ? total + i : 0);
    total += count;
  }
  if (targets.numel() != total)
    fail<ShapeError>(ErrorCode::sizes_differ, "ctc_loss: {} targets, but target_lengths add up to {}",
                     targets.numel(), total)
        .detail("targets", describe(targets))
        .raise();
  const Tensor index = from_values<std::int64_t>(places, {batch * longest}).to(targets.device());
  return reshape(index_select(targets.to(DType::int64), 0, index), {batch, longest});
}

// x[:, i - count] at i, `never` where there is none.
Tensor shifted(const Tensor& x, std::int64_t count) {
  return pad(narrow(x, 1, 0, x.size(1) - count), {count, 0}, "constant", never);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, ctc_loss,
    (const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
     const Tensor& target_lengths, std::int64_t blank = 0, const std::string& reduction = "mean",
     bool zero_infinity = false),
    .doc =
        "Connectionist temporal classification: -log of the probability that a sequence with classes of log_probs [steps, batch, classes], or [steps, classes], reads as the target when repetitions and "
        "blanks are left out. targets are [batch, longest] or all one after the other; lengths are tensors or lists. \"mean\" divides by the lengths of the targets first; zero_infinity gives 0 where the input is too short.",
    .source = "Graves et al. 2006, ICML", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "ctc_loss(log_softmax(A(6, 2, 4), 2), tensor([[1, 2, 2], [3, 1, 0]]), tensor([6, 5]), tensor([3, 2])); "
        "ctc_loss(log_softmax(A(5, 3), 1), tensor([1, 1]), tensor([5]), tensor([2]), reduction='sum'); "
        "ctc_loss(log_softmax(A(5, 2, 3), 2), tensor([[0, 1], [1, 1]]), tensor([2, 5]), tensor([2, 2]), 2, 'none', True)",
    .integers = false, .tolerance = 1e-4) {
  if (log_probs.rank() != 2 && log_probs.rank() != 3)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "ctc_loss: takes log_probs [steps, batch, classes] or [steps, classes]")
        .detail("log_probs", describe(log_probs))
        .raise();
  const bool single = log_probs.rank() == 2;
  const Tensor probabilities = single ? unsqueeze(log_probs, 1) : log_probs;
  const std::int64_t steps = probabilities.size(0), batch = probabilities.size(1),
                     classes = probabilities.size(2);
  if (!is_floating(log_probs.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "ctc_loss: takes floating numbers, not {}",
                     info(log_probs.dtype()).name)
        .detail("log_probs", describe(log_probs))
        .raise();
  if (blank < 0 || blank >= classes)
    fail<ValueError>(ErrorCode::invalid_value, "ctc_loss: blank is {} of {} classes", blank, classes).raise();
  if (targets.rank() > 2 || (targets.rank() == 2 && targets.size(0) != batch) || !is_integer(targets.dtype()))
    fail<ShapeError>(ErrorCode::sizes_differ, "ctc_loss: targets are integers [batch, longest] or one vector")
        .detail("log_probs", describe(log_probs))
        .detail("targets", describe(targets))
        .raise();
  if (steps == 0 || batch == 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "ctc_loss: the input is empty")
        .detail("log_probs", describe(log_probs))
        .raise();
  const Tensor input_count = lengths_of(input_lengths, batch, "input_lengths", "ctc_loss");
  const Tensor target_count = lengths_of(target_lengths, batch, "target_lengths", "ctc_loss");
  if (!thread_mode.interpreter_count) {
    const Tensor wrong =
        logical_or(logical_or(lt(input_count, 0), gt(input_count, steps)), lt(target_count, 0));
    if (any(wrong).item<bool>() ||
        (targets.rank() == 2 && any(gt(target_count, targets.size(1))).item<bool>()))
      fail<ValueError>(ErrorCode::invalid_value,
                       "ctc_loss: a length is negative or longer than the {} steps or the targets", steps)
          .detail("targets", describe(targets))
          .raise();
  }
  const Tensor labels = padded_targets(targets, target_count, batch);
  const std::int64_t longest = labels.size(1), states = 2 * longest + 1;
  // States are blank, label, blank, label, ..., blank.
  const Tensor blanks = full({batch, longest, 1}, blank, DType::int64, labels.device());
  const Tensor inside = lt(arange(0, longest, 1, DType::int64, labels.device()), unsqueeze(target_count, 1));
  const Tensor safe = where(inside, labels, blank);
  const Tensor extended = cat({reshape(cat({blanks, unsqueeze(safe, 2)}, 2), {batch, 2 * longest}),
                               full({batch, 1}, blank, DType::int64, labels.device())},
                              1);
  // A label may follow another one directly when they differ.
  const Tensor jumps =
      logical_and(ne(extended, blank),
                  cat({zeros({batch, std::min<std::int64_t>(2, states)}, DType::bool_, labels.device()),
                       states > 2 ? ne(narrow(extended, 1, 2, states - 2), narrow(extended, 1, 0, states - 2))
                                  : zeros({batch, 0}, DType::bool_, labels.device())},
                      1));
  const DType dtype = log_probs.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor scores = clamp_min(
      gather(probabilities.to(dtype), 2, expand(unsqueeze(extended, 0), {steps, batch, states})), never);
  const TensorList rows = unbind(scores, 0);
  const Tensor start = lt(arange(0, states, 1, DType::int64, labels.device()), 2);
  Tensor alpha = where(start, rows[0], never);
  // No input at all: only an empty target fits, from the state before the first step.
  const Tensor running = unsqueeze(input_count, 1);
  const Tensor origin = where(eq(arange(0, states, 1, DType::int64, labels.device()), 0), 0.0,
                              full({1}, never, dtype, labels.device()));
  alpha = where(gt(running, 0), alpha, origin);
  for (std::int64_t t = 1; t < steps; ++t) {
    Tensor next = states > 1 ? logaddexp(alpha, shifted(alpha, 1)) : alpha;
    if (states > 2) next = logaddexp(next, where(jumps, shifted(alpha, 2), never));
    alpha = where(lt(t, running), next + rows[static_cast<std::size_t>(t)], alpha);
  }
  // The target ends with its last label or the blank behind it.
  const Tensor last = unsqueeze(2 * target_count, 1);
  const Tensor at_blank = gather(alpha, 1, last), at_label = gather(alpha, 1, clamp_min(last - 1, 0));
  const Tensor total = logaddexp(at_blank, where(gt(last, 0), at_label, never));
  const Tensor losses = with_infinity(-squeeze(total, 1), zero_infinity).to(log_probs.dtype());
  if (reduction == "mean") return mean(losses / clamp_min(target_count, 1).to(losses.dtype()));
  return reduce_loss(single ? squeeze(losses, 0) : losses, reduction, "ctc_loss");
}

PHLOX_OPERATION(
    Tensor, ctc_loss_of_lengths,
    (const Tensor& log_probs, const Tensor& targets, const Integers& input_lengths,
     const Integers& target_lengths, std::int64_t blank = 0, const std::string& reduction = "mean",
     bool zero_infinity = false),
    .doc = "ctc_loss() with lengths as numbers.", .source = "Graves et al. 2006, ICML",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "ctc_loss_of_lengths(log_softmax(A(6, 2, 4), 2), tensor([[1, 2, 2], [3, 1, 0]]), [6, 5], [3, 2])",
    .integers = false, .tolerance = 1e-4, .overload_of = "ctc_loss") {
  const auto as_tensor = [&](const Integers& lengths) {
    return from_values<std::int64_t>(lengths, {static_cast<std::int64_t>(lengths.size())})
        .to(log_probs.device());
  };
  return ctc_loss(log_probs, targets, as_tensor(input_lengths), as_tensor(target_lengths), blank, reduction,
                  zero_infinity);
}

PHLOX_OPERATION(
    Tensor, rnnt_loss,
    (const Tensor& logits, const Tensor& targets, const Tensor& logit_lengths, const Tensor& target_lengths,
     std::int64_t blank = -1, const std::string& reduction = "mean", bool fused_log_softmax = true),
    .doc =
        "The loss of the RNN transducer: -log of the probability of the target over all alignments. logits [batch, steps, longest target + 1, classes], targets [batch, longest]; without fused_log_softmax they are "
        "logarithms of probabilities already.",
    .source = "Graves 2012, arXiv:1211.3711", .family = Family::loss, .home = "nn.functional",
    .method = false,
    .samples =
        "rnnt_loss(A(2, 4, 3, 5), tensor([[1, 2], [3, 0]]), tensor([4, 3]), tensor([2, 1])); rnnt_loss(A(1, 3, 3, 4), "
        "tensor([[1, 1]]), tensor([3]), tensor([2]), 0, 'none')",
    .integers = false, .tolerance = 1e-4) {
  if (logits.rank() != 4 || targets.rank() != 2 || targets.size(0) != logits.size(0) ||
      logits.size(2) != targets.size(1) + 1 || logits.size(1) < 1 || logits.size(3) < 1)
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "rnnt_loss: takes logits [batch, steps, longest target + 1, classes] and targets [batch, longest]")
        .detail("logits", describe(logits))
        .detail("targets", describe(targets))
        .raise();
  if (!is_floating(logits.dtype()) || !is_integer(targets.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "rnnt_loss: logits are floating numbers, targets integers")
        .detail("logits", describe(logits))
        .detail("targets", describe(targets))
        .raise();
  const std::int64_t batch = logits.size(0), steps = logits.size(1), longest = targets.size(1),
                     classes = logits.size(3), nothing = blank < 0 ? blank + classes : blank;
  if (nothing < 0 || nothing >= classes)
    fail<ValueError>(ErrorCode::invalid_value, "rnnt_loss: blank is {} of {} classes", blank, classes)
        .raise();
  const Tensor step_count = lengths_of(logit_lengths, batch, "logit_lengths", "rnnt_loss");
  const Tensor target_count = lengths_of(target_lengths, batch, "target_lengths", "rnnt_loss");
  const DType dtype = logits.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor scores = fused_log_softmax ? log_softmax(logits.to(dtype), 3) : logits.to(dtype);
  const Tensor blanks = clamp_min(select(scores, 3, nothing), never);  // [batch, steps, longest + 1]
  const Tensor inside = lt(arange(0, longest, 1, DType::int64, logits.device()), unsqueeze(target_count, 1));
  const Tensor labels = expand(reshape(where(inside, targets.to(DType::int64), 0), {batch, 1, longest, 1}),
                               {batch, steps, longest, 1});
  const Tensor emits = clamp_min(squeeze(gather(narrow(scores, 2, 0, longest), 3, labels), 3), never);
  // alpha(t, u) for t + u = 0, 1, 2, ...: each is the sum of its neighbours, a step without and one with a label.
  const Tensor u = arange(0, longest + 1, 1, DType::int64, logits.device());
  const auto diagonal = [&](const Tensor& table, const Tensor& step) {  // table[:, step[u], u]
    const Tensor index =
        expand(reshape(clamp_range(step, 0, steps - 1), {1, 1, -1}), {batch, 1, step.size(0)});
    return squeeze(gather(table, 1, index), 1);
  };
  Tensor alpha = expand(where(eq(u, 0), 0.0, full({1}, never, dtype, logits.device())), {batch, longest + 1});
  TensorList diagonals{alpha};
  for (std::int64_t d = 1; d < steps + longest; ++d) {
    const Tensor t = d - u;
    const Tensor without = where(ge(t, 1), alpha + diagonal(blanks, t - 1), never);
    Tensor next = without;
    if (longest > 0) {
      const Tensor labelled = narrow(alpha, 1, 0, longest) + diagonal(emits, narrow(t, 0, 1, longest));
      next = logaddexp(without, pad(labelled, {1, 0}, "constant", never));
    }
    alpha = where(logical_and(ge(t, 0), lt(t, steps)), next, never);
    diagonals.push_back(alpha);
  }
  // The end: the last step of the sample, behind its last label, and one more blank.
  const Tensor all = stack(diagonals, 1);  // [batch, steps + longest, longest + 1]
  const Tensor end = reshape(target_count, {batch, 1, 1});
  const auto at_end = [&](const Tensor& table, const Tensor& row) {
    const Tensor rows = gather(table, 1, expand(reshape(row, {batch, 1, 1}), {batch, 1, longest + 1}));
    return reshape(gather(rows, 2, end), {batch});
  };
  const Tensor last = clamp_min(step_count - 1, 0);
  const Tensor total = at_end(all, last + target_count) + at_end(blanks, last);
  return reduce_loss(with_infinity(-total, false).to(logits.dtype()), reduction, "rnnt_loss");
}

PHLOX_OPERATION(
    Tensor, edit_distance,
    (const Tensor& hypothesis, const Tensor& truth, const OptionalTensor& hypothesis_lengths = {},
     const OptionalTensor& truth_lengths = {}, bool normalize = true),
    .doc =
        "How many insertions, deletions and substitutions turn each sequence of hypothesis [batch, n] into that of truth [batch, m]: [batch], divided by the length of the truth when "
        "`normalize`. Lengths say how much of each row counts.",
    .source = "Levenshtein 1966", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "edit_distance(I(3, 2, 4), I(3, 2, 5)); edit_distance(I(2, 3, 4), I(2, 3, 3), tensor([4, 0, 2]), tensor([1, 3, "
        "2]), False)",
    .differentiable = false) {
  if (hypothesis.rank() != 2 || truth.rank() != 2 || hypothesis.size(0) != truth.size(0))
    fail<ShapeError>(ErrorCode::sizes_differ, "edit_distance: takes [batch, n] and [batch, m]")
        .detail("hypothesis", describe(hypothesis))
        .detail("truth", describe(truth))
        .raise();
  const std::int64_t batch = truth.size(0), n = hypothesis.size(1), m = truth.size(1);
  const auto count = [&](const OptionalTensor& lengths, std::int64_t all, const char* name) {
    return lengths ? lengths_of(*lengths, batch, name, "edit_distance")
                   : full({batch}, all, DType::int64, truth.device());
  };
  const Tensor rows = count(hypothesis_lengths, n, "hypothesis_lengths");
  const Tensor columns = count(truth_lengths, m, "truth_lengths");
  // One row of the table after the other. Insertions within a row: the least of (value - place) so far, plus the place.
  const Tensor place = arange(0, m + 1, 1, DType::int64, truth.device());
  Tensor row = expand(place, {batch, m + 1});
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor differs = ne(narrow(hypothesis, 1, i, 1), truth).to(DType::int64);
    const Tensor changed = minimum(narrow(row, 1, 1, m) + 1, narrow(row, 1, 0, m) + differs);
    const Tensor best = cat({narrow(row, 1, 0, 1) + 1, changed}, 1);
    const Tensor next = std::get<0>(cummin(best - place, 1)) + place;
    row = where(lt(i, unsqueeze(rows, 1)), next, row);
  }
  const Tensor distance = squeeze(gather(row, 1, unsqueeze(columns, 1)), 1).to(DType::float32);
  return normalize ? distance / columns.to(DType::float32) : distance;
}

}  // namespace phlox
