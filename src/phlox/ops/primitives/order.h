// The primitives that find, accumulate and order along one dimension: arg_reduce, scan, sort, search.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// Where the extremum of each row stands: the first one; NaN counts as the extremum. Rows are not empty.
struct ArgReduceCall {
  const TensorImpl* input;
  int dim;
  bool maximum;
  TensorImpl* output;  // int64; the dimension has size 1, or is left out
};

enum class ScanKind : std::uint8_t { sum, product, minimum, maximum, log_sum_exp };
inline std::span<const char* const> names_of(ScanKind) {
  static constexpr const char* names[] = {"sum", "product", "minimum", "maximum", "log_sum_exp"};
  return names;
}

// The running result of each row, from the first element on. Floats are accumulated in f64.
struct ScanCall {
  ScanKind kind;
  const TensorImpl* input;
  int dim;
  DType compute;       // float64, int64 or uint64; for extrema the dtype that compares without loss
  TensorImpl* output;  // like the input; cast to its dtype
  TensorImpl*
      indices;  // int64, for extrema: where the running extremum stands, the last one of equals; or null
};

// Rows in order; equal elements stay in theirs. NaN is greater than every number, -0 equals 0.
struct SortCall {
  const TensorImpl* input;
  int dim;
  bool descending;
  TensorImpl* values;   // the first ones, as many as the dimension of `values` holds
  TensorImpl* indices;  // int64
};

// The place of each value in a sorted row of the same batch.
struct SearchCall {
  const TensorImpl* sorted;  // row-major; a vector, or with the leading dimensions of `values`
  const TensorImpl* values;  // row-major, of the same dtype
  bool right;                // behind equal elements
  TensorImpl* output;        // int64, row-major
};

// Positions without gradient; the dimension keeps size 1.
Tensor apply_arg_reduce(const Tensor& input, int dim, bool maximum, const char* operation);
// With gradient; the second tensor is undefined unless `kind` is an extremum.
TensorPair apply_scan(ScanKind kind, const Tensor& input, int dim, DType result);
// The first `count` of each row in order, with their positions; with gradient.
TensorPair apply_sort(const Tensor& input, int dim, bool descending, std::int64_t count);

}  // namespace phlox
