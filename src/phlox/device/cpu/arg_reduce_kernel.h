// What arg_reduce.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include "phlox/device/cpu/reduce_kernel.h"

namespace phlox::cpu {

// Writes the extremum of a row and returns where it first stands.
using ExtremumIndex = std::int64_t (*)(const void* row, std::int64_t count, void* value);

struct ArgReduceKernels {
  const char* instruction_set;
  ExtremumIndex minimum[reduce_type_count];
  ExtremumIndex maximum[reduce_type_count];
};

}  // namespace phlox::cpu
