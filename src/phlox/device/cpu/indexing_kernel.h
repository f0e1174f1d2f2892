// What indexing.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

struct IndexingKernels {
  const char* instruction_set;
  // Whether one of these values is not within lowest ... bound - 1.
  bool (*any_outside)(const std::int64_t* values, std::int64_t count, std::int64_t lowest,
                      std::int64_t bound);
};

}  // namespace phlox::cpu
