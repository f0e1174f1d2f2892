// What pooling.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// Loops over neighbouring channels: element c of tap t is source[taps[t] + c].
struct PoolingKernels {
  const char* instruction_set;
  // The largest of the taps, and the position that belongs to it.
  void (*maximum)(const float* source, const std::int64_t* taps, const std::int32_t* positions,
                  std::int64_t tap_count, float* values, std::int32_t* indices, std::int64_t channels);
  // The sum of the taps times `scale`.
  void (*sum)(const float* source, const std::int64_t* taps, std::int64_t tap_count, float scale,
              float* values, std::int64_t channels);
  // Adds values times `scale` to each of the taps of `target`.
  void (*spread)(float* target, const std::int64_t* taps, std::int64_t tap_count, float scale,
                 const float* values, std::int64_t channels);
};

}  // namespace phlox::cpu
