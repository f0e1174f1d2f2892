// What nonfinite.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// Whether one of these elements is NaN or infinite.
struct NonfiniteKernels {
  const char* instruction_set;
  bool (*float32)(const void* elements, std::int64_t count);
  bool (*float64)(const void* elements, std::int64_t count);
  bool (*half)(const void* elements, std::int64_t count);
  bool (*bfloat16)(const void* elements, std::int64_t count);
};

}  // namespace phlox::cpu
