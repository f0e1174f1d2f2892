#include "phlox/metrics/classification.h"

#include <algorithm>
#include <limits>

namespace phlox::metrics {
namespace {

[[noreturn]] void raise_misfit(const char* metric, const Tensor& output, const Tensor& target,
                               const char* wanted) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: output and target do not fit together", metric)
      .detail("output", describe(output))
      .detail("target", describe(target))
      .hint(wanted)
      .raise();
}

void check_class(const char* metric, std::int64_t value, std::int64_t classes) {
  if (value >= 0 && value < classes) return;
  fail<IndexError>(ErrorCode::index_out_of_range, "{}: there is no class {} among {}", metric, value, classes)
      .raise();
}

struct Pairs {
  std::vector<std::int64_t> predicted, target;
};

Pairs pairs_of(const char* metric, const Tensor& output, const Tensor& target) {
  if (target.rank() != 1 || (output.rank() != 1 && output.rank() != 2) || output.size(0) != target.size(0)) {
    raise_misfit(metric, output, target, "output [N, classes] or [N], target [N]");
  }
  return {predicted_classes(output), target.to_vector<std::int64_t>()};
}

}  // namespace

std::vector<std::int64_t> predicted_classes(const Tensor& output) {
  if (output.rank() == 1) return output.to_vector<std::int64_t>();
  if (output.rank() != 2 || output.size(1) == 0) {
    fail<ShapeError>(ErrorCode::wrong_rank, "predicted_classes: the output has no scores of classes")
        .detail("output", describe(output))
        .hint("[N, classes]")
        .raise();
  }
  const std::vector<double> scores = output.to_vector<double>();
  const auto columns = static_cast<std::ptrdiff_t>(output.size(1));
  std::vector<std::int64_t> classes;
  for (auto row = scores.begin(); row != scores.end(); row += columns) {
    classes.push_back(std::max_element(row, row + columns) - row);
  }
  return classes;
}

double accuracy(const Tensor& output, const Tensor& target) {
  const auto [predicted, wanted] = pairs_of("accuracy", output, target);
  if (wanted.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::size_t right = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) right += predicted[i] == wanted[i];
  return static_cast<double>(right) / static_cast<double>(wanted.size());
}

double top_k_accuracy(const Tensor& output, const Tensor& target, std::int64_t k) {
  if (k < 1)
    fail<ValueError>(ErrorCode::invalid_value, "top_k_accuracy: k must be positive, not {}", k).raise();
  if (output.rank() != 2 || target.rank() != 1 || output.size(0) != target.size(0))
    raise_misfit("top_k_accuracy", output, target, "output [N, classes], target [N]");
  const std::vector<double> scores = output.to_vector<double>();
  const std::vector<std::int64_t> wanted = target.to_vector<std::int64_t>();
  if (wanted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::int64_t classes = output.size(1);
  std::int64_t right = 0;
  for (std::size_t row = 0; row < wanted.size(); ++row) {
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(row) * classes;
    check_class("top_k_accuracy", wanted[row], classes);
    const double score = first[wanted[row]];
    // Of equal scores the earlier ones count as better, as in predicted_classes().
    const auto better = std::count_if(first, first + classes, [&](double other) { return other > score; }) +
                        std::count(first, first + wanted[row], score);
    right += better < k;
  }
  return static_cast<double>(right) / static_cast<double>(wanted.size());
}

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  if (classes < 1) {
    fail<ValueError>(ErrorCode::invalid_value,
                     "ConfusionMatrix: the number of classes must be positive, not {}", classes)
        .raise();
  }
  reset();
}

void ConfusionMatrix::reset() { counts_.assign(static_cast<std::size_t>(classes_ * classes_), 0); }

void ConfusionMatrix::update(const Tensor& output, const Tensor& target) {
  const auto [predicted, wanted] = pairs_of("ConfusionMatrix", output, target);
  for (const auto& side : {predicted, wanted}) {
    for (std::int64_t value : side) check_class("ConfusionMatrix", value, classes_);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    ++counts_[static_cast<std::size_t>(wanted[i] * classes_ + predicted[i])];
}

std::int64_t ConfusionMatrix::count(std::int64_t target, std::int64_t predicted) const {
  return counts_.at(static_cast<std::size_t>(target * classes_ + predicted));
}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t sum = 0;
  for (std::int64_t value : counts_) sum += value;
  return sum;
}

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < classes_; ++i) right += count(i, i);
  return static_cast<double>(right) / static_cast<double>(total());
}

Tensor ConfusionMatrix::precision() const { return shares(0, 1); }
Tensor ConfusionMatrix::recall() const { return shares(1, 0); }
Tensor ConfusionMatrix::f1() const { return shares(1, 1); }

Tensor ConfusionMatrix::shares(std::int64_t true_weight, std::int64_t predicted_weight) const {
  std::vector<double> result;
  for (std::int64_t i = 0; i < classes_; ++i) {
    std::int64_t in_row = 0, in_column = 0;
    for (std::int64_t j = 0; j < classes_; ++j) {
      in_row += count(i, j);
      in_column += count(j, i);
    }
    const std::int64_t all = true_weight * in_row + predicted_weight * in_column;
    const std::int64_t right = (true_weight + predicted_weight) * count(i, i);
    result.push_back(all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all));
  }
  return from_values<double>(result, {classes_});
}

Tensor ConfusionMatrix::to_tensor() const { return from_values<std::int64_t>(counts_, {classes_, classes_}); }

}  // namespace phlox::metrics
