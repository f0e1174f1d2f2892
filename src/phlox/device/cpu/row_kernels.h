// Loops over consecutive elements, for kernel files.
#pragma once

#include "phlox/device/cpu/reduce_blocks.h"

namespace phlox {
namespace PHLOX_ISA {

// Calls f(x...) on vectors of the rows and stores the result; the last, partial vector runs on copies.
template <class T, class F, class... Rows>
PHLOX_INLINE void map_rows(T* output, std::int64_t count, F f, const Rows*... rows) {
  using V = math::Native<T>;
  std::int64_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) f(V::load(rows + i)...).store(output + i);
  if (i == count) return;
  const auto rest = static_cast<std::size_t>(count - i) * sizeof(T);
  const auto load = [&](const T* row) __attribute__((always_inline)) {
    alignas(64) T padded[V::lanes] = {};
    __builtin_memcpy(padded, row + i, rest);
    return V::load(padded);
  };
  alignas(64) T result[V::lanes];
  f(load(rows)...).store(result);
  __builtin_memcpy(output + i, result, rest);
}

}  // namespace PHLOX_ISA
}  // namespace phlox
