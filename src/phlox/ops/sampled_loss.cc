// Losses over very many classes, of which only the targets and a random sample of others are looked at.
#include <cmath>
#include <limits>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// Classes and how often each is expected in a draw.
struct Candidates {
  Tensor sampled;            // int64[n]
  Tensor expected_sampled;   // f[n]
  Tensor expected_of_label;  // f[batch, num_true]
};

// Zipf's law: class k with probability log((k + 2) / (k + 1)) / log(classes + 1), as for words sorted by frequency.
Tensor zipf_probability(const Tensor& classes, std::int64_t count, DType dtype) {
  const Tensor k = classes.to(DType::float64);
  return div(log1p(reciprocal(add(k, 1.0))), std::log1p(static_cast<double>(count))).to(dtype);
}

// `count` different classes. Each has a clock that rings after an exponential time with its probability as rate; the
// first to ring are drawn. Until the last of them rang, a class is expected 1 - exp(-probability time) times.
Candidates draw_candidates(const Tensor& labels, std::int64_t count, std::int64_t classes, DType dtype,
                           Generator* generator) {
  NoGrad no_gradient;
  const Tensor all = arange(0, classes, 1, DType::int64, labels.device());
  const Tensor rates = zipf_probability(all, classes, DType::float64);
  const Tensor uniform = rand({classes}, DType::float64, labels.device(), false, generator);
  const auto [times, sampled] = topk(div(neg(log1p(neg(uniform))), rates), count, -1, false, true);
  const Tensor last = select(times, 0, count - 1);
  const auto expected = [&](const Tensor& which) {
    return neg(expm1(neg(mul(zipf_probability(which, classes, DType::float64), last)))).to(dtype);
  };
  return {sampled, expected(sampled), expected(labels)};
}

// Logits of the targets, [batch, num_true], and of the sampled classes, [batch, sampled], each less the logarithm of
// how often the class is expected to be drawn, so that the sample stands for all classes.
TensorPair candidate_logits(const Tensor& weights, const Tensor& biases, const Tensor& labels,
                            const Tensor& inputs, std::int64_t num_sampled, std::int64_t num_classes,
                            std::int64_t num_true, const TensorList& sampled_values,
                            bool remove_accidental_hits, Generator* generator, const char* operation) {
  if (weights.rank() != 2 || inputs.rank() != 2 || weights.size(1) != inputs.size(1) || biases.rank() != 1 ||
      weights.size(0) < num_classes || biases.size(0) < num_classes)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: takes weights [classes, features], biases [classes] and inputs [batch, features]",
                     operation)
        .detail("weights", describe(weights))
        .detail("biases", describe(biases))
        .detail("inputs", describe(inputs))
        .raise();
  const Tensor targets = labels.rank() == 1 ? unsqueeze(labels, 1) : labels;
  if (targets.rank() != 2 || targets.size(0) != inputs.size(0) || targets.size(1) != num_true ||
      !is_integer(targets.dtype()))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: labels are integers of the shape [{}, {}]", operation,
                     inputs.size(0), num_true)
        .detail("labels", describe(labels))
        .raise();
  if (sampled_values.empty() ? num_sampled < 1 || num_sampled > num_classes : sampled_values.size() != 3)
    fail<ValueError>(ErrorCode::invalid_value,
                     "{}: draws 1 to {} classes, not {}; sampled_values are three tensors", operation,
                     num_classes, num_sampled)
        .raise();
  const Candidates drawn = sampled_values.empty()
                               ? draw_candidates(targets, num_sampled, num_classes, inputs.dtype(), generator)
                               : Candidates{sampled_values[0], sampled_values[2],
                                            reshape(sampled_values[1], {inputs.size(0), num_true})};
  const std::int64_t batch = inputs.size(0), features = inputs.size(1);
  const Tensor flat = reshape(targets, {-1});
  const Tensor target_weights = reshape(index_select(weights, 0, flat), {batch, num_true, features});
  const Tensor target_biases = reshape(index_select(biases, 0, flat), {batch, num_true});
  const Tensor of_targets = add(sum(mul(unsqueeze(inputs, 1), target_weights), DimList(-1)), target_biases);
  Tensor of_sampled = add(matmul(inputs, transpose(index_select(weights, 0, drawn.sampled), 0, 1)),
                          index_select(biases, 0, drawn.sampled));
  if (remove_accidental_hits) {
    const Tensor hit = any(eq(unsqueeze(targets, 2), drawn.sampled), DimList(1));
    of_sampled = phlox::where(hit, -std::numeric_limits<double>::infinity(), of_sampled);
  }
  return {sub(of_targets, phlox::log(drawn.expected_of_label)),
          sub(of_sampled, phlox::log(drawn.expected_sampled))};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, sampled_softmax_loss,
    (const Tensor& weights, const Tensor& biases, const Tensor& labels, const Tensor& inputs,
     std::int64_t num_sampled, std::int64_t num_classes, std::int64_t num_true = 1,
     const TensorList& sampled_values = {}, bool remove_accidental_hits = true,
     Generator* generator = nullptr),
    .doc =
        "Softmax cross-entropy of each sample, [batch], over its targets int64[batch, num_true] and `num_sampled` other classes, drawn by Zipf's law: for "
        "training with very many classes, sorted by falling frequency. `sampled_values` gives the classes and how often targets and they are expected instead.",
    .source = "Jean et al. 2015, arXiv:1412.2007", .family = Family::loss, .home = "nn.functional",
    .method = false,
    .samples =
        "sampled_softmax_loss(A(9, 4), A(9), I(9, 3, 1), A(3, 4), 3, 9, 1, [I(9, 3), clamp(C(3, 1), 0.2, 1.0), "
        "clamp(C(3), 0.2, 1.0)])",
    .integers = false) {
  const auto [of_targets, of_sampled] =
      candidate_logits(weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
                       remove_accidental_hits, generator, "sampled_softmax_loss");
  const Tensor probabilities = log_softmax(cat({of_targets, of_sampled}, 1), 1);
  return neg(mean(narrow(probabilities, 1, 0, num_true), DimList(1)));
}

PHLOX_OPERATION(
    Tensor, nce_loss,
    (const Tensor& weights, const Tensor& biases, const Tensor& labels, const Tensor& inputs,
     std::int64_t num_sampled, std::int64_t num_classes, std::int64_t num_true = 1,
     const TensorList& sampled_values = {}, bool remove_accidental_hits = false,
     Generator* generator = nullptr),
    .doc =
        "Noise-contrastive estimation, [batch]: the sum of the logistic losses that tell the targets int64[batch, num_true] from `num_sampled` classes of "
        "noise, drawn by Zipf's law or given as `sampled_values` (classes, and how often targets and they are expected).",
    .source = "Gutmann, Hyvärinen 2010, AISTATS", .family = Family::loss, .home = "nn.functional",
    .method = false,
    .samples =
        "nce_loss(A(9, 4), A(9), I(9, 3, 1), A(3, 4), 3, 9, 1, [I(9, 3), clamp(C(3, 1), 0.2, 1.0), clamp(C(3), "
        "0.2, 1.0)])",
    .integers = false) {
  const auto [of_targets, of_sampled] =
      candidate_logits(weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
                       remove_accidental_hits, generator, "nce_loss");
  // A target's label is 1 / num_true, that of noise 0.
  const double share = 1 / static_cast<double>(num_true);
  const Tensor target_losses = sub(mul(of_targets, 1 - share), logsigmoid(of_targets));
  return add(sum(target_losses, DimList(1)), sum(neg(logsigmoid(neg(of_sampled))), DimList(1)));
}

}  // namespace phlox
