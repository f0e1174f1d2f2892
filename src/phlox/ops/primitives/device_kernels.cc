#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/core/watch_bit.h"

#include <atomic>

namespace phlox {

extern const DeviceKernels cpu_device_kernels;  // in device/cpu

static constinit std::atomic<const DeviceKernels*> table[device_type_count] = {&cpu_device_kernels, nullptr,
                                                                               nullptr};

const DeviceKernels& device_kernels(Device device) {
  if (thread_mode.abstract) [[unlikely]]
    return *abstract_evaluation.kernels;
  // Who reaches a device while an interpreter waits for primitives would escape it.
  if (interpreters()) [[unlikely]]
    fail<GraphError>(ErrorCode::not_capturable,
                     "an operation reads or writes data in a way that cannot be captured")
        .raise();
  const DeviceKernels* kernels = table[static_cast<int>(device.type)].load(std::memory_order_acquire);
  if (!kernels) [[unlikely]]
    fail<DeviceError>(ErrorCode::unknown_device, "{} is not available here", to_string(device))
        .hint("device=\"cpu\"")
        .raise();
  return *kernels;
}

void register_device(DeviceType type, const DeviceKernels* kernels) {
  table[static_cast<int>(type)].store(kernels, std::memory_order_release);
}

}  // namespace phlox
