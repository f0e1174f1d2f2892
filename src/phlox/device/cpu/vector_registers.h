// What kernels that keep arrays of vectors in registers have in common.
#pragma once

#include <cstddef>
#include <utility>

#include "phlox/device/cpu/instruction_set.h"
#include "phlox/math/simd.h"

namespace phlox {
namespace PHLOX_ISA {

// Loops over registers must be unrolled, or their arrays lie in memory.
#define PHLOX_UNROLL _Pragma("GCC unroll 16")

// a * b + c, with one rounding where the processor has that.
template <class V>
PHLOX_INLINE V multiply_add(V a, V b, V c) {
  using T = typename V::Element;
  [[maybe_unused]] constexpr bool is_float = sizeof(T) == 4;
#if PHLOX_HAS_BUILTIN(__builtin_elementwise_fma) && (defined(__FMA__) || defined(__ARM_NEON))
  return fused(a, b, c);
#elif defined(__AVX512F__)
  constexpr int current_rounding = 4;
  if constexpr (is_float)
    return __builtin_ia32_vfmaddps512_mask(a.value, b.value, c.value, -1, current_rounding);
  else return __builtin_ia32_vfmaddpd512_mask(a.value, b.value, c.value, -1, current_rounding);
#elif defined(__FMA__)
  if constexpr (is_float) return __builtin_ia32_vfmaddps256(a.value, b.value, c.value);
  else return __builtin_ia32_vfmaddpd256(a.value, b.value, c.value);
#elif defined(__ARM_NEON)
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}

// One step of a transposition: blocks of `distance` lanes change places between two rows.
template <int distance, class V, std::size_t... lane>
PHLOX_INLINE void exchange_lanes(V& a, V& b, std::index_sequence<lane...>) {
  constexpr int n = V::lanes;
  const auto x = a.value, y = b.value;
  a = V(__builtin_shufflevector(x, y,
                                (static_cast<int>(lane) & distance ? n + static_cast<int>(lane) - distance
                                                                   : static_cast<int>(lane))...));
  b = V(__builtin_shufflevector(x, y,
                                (static_cast<int>(lane) & distance ? n + static_cast<int>(lane)
                                                                   : static_cast<int>(lane) + distance)...));
}

// Row i of the result holds lane i of all rows. `distance` is 1 in calls from outside.
template <int distance, class V>
PHLOX_INLINE void transpose_lanes(V (&rows)[V::lanes]) {
  if constexpr (distance < V::lanes) {
    PHLOX_UNROLL for (int i = 0; i < V::lanes; ++i) if (!(i & distance))
        exchange_lanes<distance>(rows[i], rows[i + distance], std::make_index_sequence<V::lanes>());
    transpose_lanes<2 * distance>(rows);
  }
}

}  // namespace PHLOX_ISA
}  // namespace phlox
