// The tables of math_table.h that this machine can run, the baseline first.
#pragma once

#include <vector>

#include "math_table.h"

namespace phlox::test {

inline std::vector<const MathTable*> math_tables() {
  std::vector<const MathTable*> usable;
  if (&math_table_baseline) usable.push_back(&math_table_baseline);
  if (&math_table_neon) usable.push_back(&math_table_neon);
#if defined(__x86_64__)
  if (&math_table_avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    usable.push_back(&math_table_avx2);
  if (&math_table_avx512 && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    usable.push_back(&math_table_avx512);
#endif
  return usable;
}

}  // namespace phlox::test
