// What this processor can do.
#pragma once

#include <span>
#include <string_view>

namespace phlox::cpu {

enum class InstructionSet { baseline, avx2, avx512, neon };

// The best set that the processor has and PHLOX_MAX_ISA ("baseline", "avx2", "avx512") allows.
InstructionSet instruction_set();
std::string_view to_string(InstructionSet set);
// A rank to compare kernels with: higher is better; -1 when this processor cannot run it.
int usable_rank(std::string_view instruction_set_name);

// The entry of a table of kernels that this processor runs best.
template <class Entry>
const Entry& best_of(std::span<const Entry> table) {
  const Entry* best = nullptr;
  for (const Entry& entry : table)
    if (!best || usable_rank(entry.instruction_set) > usable_rank(best->instruction_set)) best = &entry;
  return *best;
}

}  // namespace phlox::cpu
