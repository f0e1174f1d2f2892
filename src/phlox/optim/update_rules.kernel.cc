#include "phlox/optim/update_rules.h"
#include "phlox/device/cpu/pointwise_kernel.h"
