// Copies, casts and fills on the CPU.
#pragma once

#include <cstdint>

#include "phlox/device/cpu/convert_kernel.h"

namespace phlox::cpu {

// The loop that casts `from` to `to`, which are computable or of few bits (few_bits.h). Floats become integers by truncation, saturating, NaN
// as 0; anything but zero is true; complex numbers lose their imaginary part; halves are rounded once, ties
// to even.
ConvertRun convert_run(DType from, DType to);

// Stores past the caches pay for targets that the last cache does not hold, and that will not be read soon.
inline constexpr std::int64_t streaming_threshold = std::int64_t{16} << 20;
void stream_copy(const char* source, char* target, std::int64_t bytes);
// Makes streamed data visible to other threads.
void stream_fence();

}  // namespace phlox::cpu
