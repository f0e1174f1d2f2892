// What this processor can do.
#pragma once

#include <string_view>

namespace phlox::cpu {

enum class InstructionSet { baseline, avx2, avx512, neon };

// The best set that the processor has and PHLOX_MAX_ISA ("baseline", "avx2", "avx512") allows.
InstructionSet instruction_set();
std::string_view to_string(InstructionSet set);
// A rank to compare kernels with: higher is better; -1 when this processor cannot run it.
int usable_rank(std::string_view instruction_set_name);

}  // namespace phlox::cpu
