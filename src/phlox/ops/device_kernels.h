// The verbs that a device implements. Operations reach devices only through this table.
#pragma once

#include "phlox/core/device.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/pointwise.h"
#include "phlox/ops/reduce_primitive.h"

namespace phlox {

struct DeviceKernels {
  // Applies an expression to broadcast inputs.
  void (*pointwise)(const PointwiseCall& call);
  // Copies between any strides and dtypes of equal shape.
  void (*convert)(const TensorImpl& source, TensorImpl& target);
  // Writes one value everywhere.
  void (*fill)(TensorImpl& target, const Scalar& value);
  // Combines elements over dimensions.
  void (*reduce)(const ReduceCall& call);
};

// Throws DeviceError when the device is not there.
const DeviceKernels& device_kernels(Device device);
// Called by a device's library when it is loaded.
void register_device(DeviceType type, const DeviceKernels* kernels);

}  // namespace phlox
