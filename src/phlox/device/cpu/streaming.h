// Stores that pass the caches by: they pay when the target is larger than the last cache holds.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "phlox/ops/pointwise.h"

namespace phlox::cpu {

inline constexpr std::int64_t streaming_threshold = std::int64_t{16} << 20;

// Copies to memory that will not be read soon.
inline void stream_copy(char* target, const char* source, std::int64_t bytes) {
#if defined(__SSE2__)
  while (bytes > 0 && (reinterpret_cast<std::uintptr_t>(target) & 15u)) {
    *target++ = *source++;
    --bytes;
  }
  std::int64_t i = 0;
  for (; i + 64 <= bytes; i += 64) {
    for (int j = 0; j < 64; j += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(target + i + j),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i + j)));
  }
  std::memcpy(target + i, source + i, static_cast<std::size_t>(bytes - i));
#else
  std::memcpy(target, source, static_cast<std::size_t>(bytes));
#endif
}

// Makes streamed data visible to other threads.
inline void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

// True when the output is also an input: then its lines are in the cache anyway.
inline bool reads_output(const PointwiseCall& call) {
  for (int k = 0; k < call.input_count; ++k)
    if (call.inputs[k] && call.inputs[k]->storage == call.output->storage) return true;
  return false;
}

}  // namespace phlox::cpu
