#include "phlox/device/cpu/device.h"

namespace phlox {

// ops/device_kernels.cc starts from this table.
extern const DeviceKernels cpu_device_kernels;
const DeviceKernels cpu_device_kernels = {
    .pointwise = cpu::pointwise,
    .convert = cpu::convert,
    .fill = cpu::fill,
    .reduce = cpu::reduce,
};

}  // namespace phlox
