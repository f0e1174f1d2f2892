#include "phlox/core/mode.h"

#include "phlox/core/sample_mode.h"

namespace phlox {

PHLOX_THREAD_LOCAL ThreadMode thread_mode{};
PHLOX_THREAD_LOCAL std::uint32_t active_vmaps = 0;

}  // namespace phlox
