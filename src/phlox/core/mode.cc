#include "phlox/core/mode.h"

namespace phlox {

PHLOX_THREAD_LOCAL ThreadMode thread_mode{};

}  // namespace phlox
