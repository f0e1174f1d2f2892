#include "phlox/metrics/classification.h"

#include <algorithm>
#include <limits>

namespace phlox::metrics {
namespace {

struct Pairs {
  std::vector<std::int64_t> predicted, target;
};

Pairs pairs_of(const char* metric, const Tensor& output, const Tensor& target) {
  if (target.rank() != 1 || (output.rank() != 1 && output.rank() != 2) || output.size(0) != target.size(0)) {
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: output and target do not fit together", metric)
        .detail("output", describe(output))
        .detail("target", describe(target))
        .hint("output [N, classes] or [N], target [N]")
        .raise();
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
    for (std::int64_t value : side) {
      if (value >= 0 && value < classes_) continue;
      fail<IndexError>(ErrorCode::index_out_of_range, "ConfusionMatrix: there is no class {} among {}", value,
                       classes_)
          .raise();
    }
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

Tensor ConfusionMatrix::to_tensor() const { return from_values<std::int64_t>(counts_, {classes_, classes_}); }

}  // namespace phlox::metrics
