// How well classes are predicted.
//
//   metrics::ConfusionMatrix confusion(10);
//   for (auto [x, y] : test_loader) confusion.update(net(x), y);
//   double share = confusion.accuracy();
#pragma once

#include <cstdint>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::metrics {

// The class of each row: scores [N, C] give the position of the largest, classes [N] are taken as they are.
std::vector<std::int64_t> predicted_classes(const Tensor& output);

// The share of rows whose class is right. output [N, C] of scores or [N] of classes, target i64[N].
// Throws ShapeError when the numbers of rows differ; NaN for no rows.
double accuracy(const Tensor& output, const Tensor& target);

// Counts pairs of a true class (row) and a predicted class (column).
class ConfusionMatrix {
 public:
  // Throws ValueError unless there is a class.
  explicit ConfusionMatrix(std::int64_t classes);
  // Throws ShapeError when the numbers of rows differ, IndexError for classes out of range.
  void update(const Tensor& output, const Tensor& target);
  std::int64_t count(std::int64_t target, std::int64_t predicted) const;
  std::int64_t classes() const { return classes_; }
  std::int64_t total() const;
  double accuracy() const;
  // i64[classes, classes].
  Tensor to_tensor() const;
  void reset();

 private:
  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

}  // namespace phlox::metrics
