// Walking over the elements of a strided tensor, for code that is not on a fast path.
#pragma once

#include <cstdint>

#include "phlox/core/tensor.h"

namespace phlox {

// Calls f(offset) for each element in logical (row-major) order. `offset` counts elements from the first one.
template <class F>
void for_each_offset(const TensorImpl& tensor, F&& f) {
  if (tensor.count == 0) return;
  if (tensor.contiguous) {
    for (std::int64_t i = 0; i < tensor.count; ++i) f(i);
    return;
  }
  // Not contiguous, so there is at least one dimension.
  int last = tensor.rank - 1;
  std::int64_t index[max_rank] = {};
  std::int64_t row = 0;
  while (true) {
    for (std::int64_t i = 0; i < tensor.sizes[last]; ++i) f(row + i * tensor.strides[last]);
    int d = last - 1;
    for (; d >= 0; --d) {
      row += tensor.strides[d];
      if (++index[d] < tensor.sizes[d]) break;
      row -= index[d] * tensor.strides[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

// The dimensions from the outermost in memory to the innermost, if the tensor lies there without gaps: permuted by
// `order` it is row-major.
bool dense_order(const TensorImpl& tensor, Dims& order);
// The order that undoes a permutation.
Dims inverse_order(const Dims& order);
// Whether no two elements share memory: each dimension steps over all that the shorter ones reach. Says no for a few
// strides, made by as_strided(), whose elements interleave.
bool has_separate_elements(const TensorImpl& tensor);

}  // namespace phlox
