#include "phlox/device/cpu/processor.h"

#include <cstdlib>

namespace phlox::cpu {

InstructionSet instruction_set() {
  static const InstructionSet best = [] {
#if defined(__x86_64__)
    const char* limit = std::getenv("PHLOX_MAX_ISA");
    const std::string_view most = limit ? limit : "avx512";
    if (most == "baseline") return InstructionSet::baseline;
    __builtin_cpu_init();
    const bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512cd");
    if (avx512 && most != "avx2") return InstructionSet::avx512;
    return avx2 ? InstructionSet::avx2 : InstructionSet::baseline;
#elif defined(__aarch64__)
    return InstructionSet::neon;
#else
    return InstructionSet::baseline;
#endif
  }();
  return best;
}

std::string_view to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx2: return "avx2";
    case InstructionSet::avx512: return "avx512";
    case InstructionSet::neon: return "neon";
    default: return "baseline";
  }
}

int usable_rank(std::string_view name) {
  const InstructionSet have = instruction_set();
  if (name == "baseline") return 0;
  if (name == "neon") return have == InstructionSet::neon ? 1 : -1;
  if (name == "avx2") return have == InstructionSet::avx2 || have == InstructionSet::avx512 ? 1 : -1;
  if (name == "avx512") return have == InstructionSet::avx512 ? 2 : -1;
  return -1;
}

}  // namespace phlox::cpu
