// Reading what ctc_loss() trained: the best label sequence for the scores of each step.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

std::int64_t check_decoder(const Tensor& inputs, const Tensor& sequence_length, std::int64_t blank,
                           const char* operation) {
  if (inputs.rank() != 3 || sequence_length.shape() != Shape{inputs.size(1)} || inputs.size(2) < 1)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: takes scores [steps, batch, classes] and lengths [batch]",
                     operation)
        .detail("inputs", describe(inputs))
        .detail("sequence_length", describe(sequence_length))
        .raise();
  if (!is_floating(inputs.dtype()) || !is_integer(sequence_length.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: scores are floating numbers, lengths integers", operation)
        .detail("inputs", describe(inputs))
        .detail("sequence_length", describe(sequence_length))
        .raise();
  const std::int64_t classes = inputs.size(2), index = blank < 0 ? blank + classes : blank;
  if (index < 0 || index >= classes)
    fail<ValueError>(ErrorCode::invalid_value, "{}: the blank is {} of {} classes", operation, blank, classes)
        .raise();
  return index;
}

double log_sum(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return low == -std::numeric_limits<double>::infinity() ? high : high + std::log1p(std::exp(low - high));
}

// What is known of a prefix: the logarithm of the probability of alignments that end with a blank, and with its label.
struct Beam {
  double blank = -std::numeric_limits<double>::infinity(), label = blank;
  double total() const { return log_sum(blank, label); }
};
using Beams = std::vector<std::pair<Integers, Beam>>;

// scores: logarithms of probabilities [steps, classes].
Beams search(const double* scores, std::int64_t steps, std::int64_t stride, std::int64_t classes,
             std::int64_t blank, std::size_t width) {
  Beams beams{{{}, {0, -std::numeric_limits<double>::infinity()}}};
  for (std::int64_t t = 0; t < steps; ++t) {
    const double* row = scores + t * stride;
    std::map<Integers, Beam> next;
    for (const auto& [prefix, beam] : beams) {
      Beam& same = next[prefix];
      same.blank = log_sum(same.blank, beam.total() + row[blank]);
      if (!prefix.empty()) same.label = log_sum(same.label, beam.label + row[prefix.back()]);
      for (std::int64_t c = 0; c < classes; ++c) {
        if (c == blank) continue;
        Integers longer = prefix;
        longer.push_back(c);
        Beam& extended = next[longer];
        // A repeated label is a new one only behind a blank.
        const double before = !prefix.empty() && prefix.back() == c ? beam.blank : beam.total();
        extended.label = log_sum(extended.label, before + row[c]);
      }
    }
    beams.assign(next.begin(), next.end());
    const auto better = [](const auto& a, const auto& b) { return a.second.total() > b.second.total(); };
    std::stable_sort(beams.begin(), beams.end(), better);
    if (beams.size() > width) beams.resize(width);
  }
  return beams;
}

}  // namespace

PHLOX_OPERATION(
    TensorTriple, ctc_greedy_decoder,
    (const Tensor& inputs, const Tensor& sequence_length, bool merge_repeated = true,
     std::int64_t blank_index = -1),
    .doc =
        "The most likely class of each step of scores [steps, batch, classes], without blanks and, with merge_repeated, repetitions: labels int64[batch, steps] with -1 behind the end, their number [batch], and minus the sum of the "
        "chosen scores [batch, 1].",
    .source = "Graves et al. 2006, ICML", .family = Family::loss, .home = "nn.functional", .method = false,
    .samples =
        "ctc_greedy_decoder(C(6, 2, 3), tensor([6, 4])); ctc_greedy_decoder(C(5, 1, 3), tensor([5]), False, 0)",
    .differentiable = false, .integers = false, .results = "decoded lengths neg_sum_logits") {
  const std::int64_t blank = check_decoder(inputs, sequence_length, blank_index, "ctc_greedy_decoder");
  const std::int64_t steps = inputs.size(0), batch = inputs.size(1);
  if (steps == 0)
    return {full({batch, 0}, -1, DType::int64, inputs.device()),
            zeros({batch}, DType::int64, inputs.device()),
            zeros({batch, 1}, inputs.dtype(), inputs.device())};
  const auto [scores, classes] = max_dim(transpose(inputs.detach(), 0, 1), 2);
  const Tensor step = arange(0, steps, 1, DType::int64, inputs.device());
  const Tensor inside = lt(step, unsqueeze(sequence_length, 1));
  Tensor kept = logical_and(inside, ne(classes, blank));
  if (merge_repeated)
    kept = logical_and(kept, ne(classes, pad(narrow(classes, 1, 0, steps - 1), {1, 0}, "constant", -1.0)));
  // Labels that are kept move to the left; the others to a column that is cut off.
  const Tensor place = where(kept, cumsum(kept.to(DType::int64), 1) - 1, steps);
  const Tensor decoded = narrow(
      scatter(full({batch, steps + 1}, -1, DType::int64, inputs.device()), 1, place, classes), 1, 0, steps);
  return {decoded, sum(kept.to(DType::int64), DimList(1)), -sum(where(inside, scores, 0), DimList(1), true)};
}

PHLOX_OPERATION(
    TensorTriple, ctc_beam_search_decoder,
    (const Tensor& inputs, const Tensor& sequence_length, std::int64_t beam_width = 100,
     std::int64_t top_paths = 1, std::int64_t blank_index = -1),
    .doc =
        "The `top_paths` most likely label sequences for scores [steps, batch, classes], summed over alignments, by a search that keeps `beam_width` prefixes: labels int64[top_paths, batch, longest] with -1 behind the end, their "
        "numbers [top_paths, batch], and the logarithms of their probabilities [batch, top_paths].",
    .source = "Graves et al. 2006, ICML; Hannun et al. 2014, arXiv:1408.2873", .family = Family::loss,
    .home = "nn.functional", .method = false,
    .samples = "ctc_beam_search_decoder(C(5, 2, 3), tensor([5, 4]), 10, 2)", .differentiable = false,
    .integers = false, .reads_values = true, .results = "decoded lengths log_probability") {
  const std::int64_t blank = check_decoder(inputs, sequence_length, blank_index, "ctc_beam_search_decoder");
  if (top_paths < 1 || beam_width < top_paths)
    fail<ValueError>(ErrorCode::invalid_value, "ctc_beam_search_decoder: {} paths of a beam of {}", top_paths,
                     beam_width)
        .raise();
  const std::int64_t steps = inputs.size(0), batch = inputs.size(1), classes = inputs.size(2);
  const auto scores = log_softmax(inputs.detach().to(DType::float64), 2).to_vector<double>();
  const auto lengths = sequence_length.to_vector<std::int64_t>();
  std::vector<Beams> found;
  std::int64_t longest = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t count = std::clamp<std::int64_t>(lengths[static_cast<std::size_t>(b)], 0, steps);
    Beams beams = search(scores.data() + b * classes, count, batch * classes, classes, blank,
                         static_cast<std::size_t>(beam_width));
    beams.resize(static_cast<std::size_t>(top_paths));
    for (const auto& [labels, beam] : beams)
      longest = std::max(longest, static_cast<std::int64_t>(labels.size()));
    found.push_back(std::move(beams));
  }
  std::vector<std::int64_t> decoded(static_cast<std::size_t>(top_paths * batch * longest), -1);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(top_paths * batch));
  std::vector<double> probabilities(static_cast<std::size_t>(top_paths * batch));
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t p = 0; p < top_paths; ++p) {
      const auto& [labels, beam] = found[static_cast<std::size_t>(b)][static_cast<std::size_t>(p)];
      const auto place = static_cast<std::size_t>(p * batch + b);
      std::copy(labels.begin(), labels.end(), decoded.begin() + static_cast<std::ptrdiff_t>(place) * longest);
      counts[place] = static_cast<std::int64_t>(labels.size());
      probabilities[static_cast<std::size_t>(b * top_paths + p)] = beam.total();
    }
  return {from_values<std::int64_t>(decoded, {top_paths, batch, longest}).to(inputs.device()),
          from_values<std::int64_t>(counts, {top_paths, batch}).to(inputs.device()),
          from_values<double>(probabilities, {batch, top_paths}).to(inputs.dtype()).to(inputs.device())};
}

}  // namespace phlox
