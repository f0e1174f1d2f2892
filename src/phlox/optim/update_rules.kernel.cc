#include "phlox/device/cpu/pointwise_kernel.h"

// After the line above, which says what its macros mean here.
#include "phlox/optim/update_rules.h"
