#include "phlox/core/strided.h"

#include <algorithm>
#include <cstdlib>

namespace phlox {

bool dense_order(const TensorImpl& t, Dims& order) {
  order.resize(t.rank);
  for (int d = 0; d < t.rank; ++d) order[static_cast<std::size_t>(d)] = d;
  if (t.contiguous) return true;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return t.strides[a] > t.strides[b]; });
  std::int64_t expected = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::int64_t d = order[i];
    if (t.sizes[d] != 1 && t.strides[d] != expected) return false;
    expected *= t.sizes[d];
  }
  return true;
}

Dims inverse_order(const Dims& order) {
  Dims result = order;
  for (std::size_t d = 0; d < order.size(); ++d)
    result[static_cast<std::size_t>(order[d])] = static_cast<std::int64_t>(d);
  return result;
}

bool has_separate_elements(const TensorImpl& t) {
  if (t.contiguous || t.count <= 1) return true;
  int order[max_rank], rank = 0;
  for (int d = 0; d < t.rank; ++d)
    if (t.sizes[d] != 1) order[rank++] = d;
  std::sort(order, order + rank,
            [&](int a, int b) { return std::abs(t.strides[a]) < std::abs(t.strides[b]); });
  std::int64_t reach = 0;
  for (int i = 0; i < rank; ++i) {
    const std::int64_t stride = std::abs(t.strides[order[i]]);
    if (stride <= reach) return false;
    reach += (t.sizes[order[i]] - 1) * stride;
  }
  return true;
}

}  // namespace phlox
