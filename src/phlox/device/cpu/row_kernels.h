// Loops over consecutive elements, for kernel files.
#pragma once

#include "phlox/device/cpu/reduce_blocks.h"

namespace phlox {
namespace PHLOX_ISA {

// Calls f(x...) on vectors of the rows and stores the result, of the last one as much as counts.
template <class T, class F, class... Rows>
PHLOX_INLINE void map_rows(T* output, std::int64_t count, F f, const Rows*... rows) {
  using V = math::Native<T>;
  std::int64_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) f(V::load(rows + i)...).store(output + i);
  if (i < count) store_part(f(load_part(rows + i, count - i, V(0))...), output + i, count - i);
}

}  // namespace PHLOX_ISA
}  // namespace phlox
