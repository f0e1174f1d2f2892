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

// The share of rows whose class is among the k best scored. output [N, C], target i64[N].
// Throws ShapeError when they do not fit, ValueError unless k is positive; NaN for no rows.
double top_k_accuracy(const Tensor& output, const Tensor& target, std::int64_t k = 5);

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
  // The share on the diagonal; NaN when nothing has been counted.
  double accuracy() const;
  // Of each predicted class the share that is right, of each true class the share that is found, and the harmonic mean
  // of both: f64[classes]; 0 where the denominator is.
  Tensor precision() const;
  Tensor recall() const;
  Tensor f1() const;
  // i64[classes, classes].
  Tensor to_tensor() const;
  void reset();

 private:
  // Of each class, what is right as a share of the weighted counts in its row (true) and column (predicted).
  Tensor shares(std::int64_t true_weight, std::int64_t predicted_weight) const;

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

}  // namespace phlox::metrics
