// Asking whether positions are in range, which every gather and scatter does first, compiled once for each instruction set.
#include "phlox/device/cpu/indexing_kernel.h"
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/math/simd.h"

namespace phlox {
namespace PHLOX_ISA {

// The sign of a difference tells, also where it wraps round.
bool any_outside(const std::int64_t* values, std::int64_t count, std::int64_t lowest, std::int64_t bound) {
  using V = math::Native<std::int64_t>;
  const V low(lowest), high(static_cast<std::int64_t>(static_cast<std::uint64_t>(bound) - 1));
  V a(0), b(0);
  std::int64_t i = 0;
  for (; i + 2 * V::lanes <= count; i += 2 * V::lanes) {
    const V x = V::load(values + i), y = V::load(values + i + V::lanes);
    a = a | (x - low) | (high - x);
    b = b | (y - low) | (high - y);
  }
  if (any((a | b) < V(0))) return true;
  for (; i < count; ++i)
    if (values[i] < lowest || values[i] >= bound) return true;
  return false;
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr cpu::IndexingKernels entry PHLOX_TABLE_ENTRY(phlox_indexing_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), any_outside};

}  // namespace PHLOX_ISA
}  // namespace phlox
