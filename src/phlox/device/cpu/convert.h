// Copies, casts and fills on the CPU.
#pragma once

#include <cstdint>

#include "phlox/core/scalar.h"
#include "phlox/core/tensor.h"
#include "phlox/device/cpu/convert_kernel.h"

namespace phlox::cpu {

// The loop that casts `from` to `to`, both computable. Floats become integers by truncation, saturating, NaN as 0;
// anything but zero is true; complex numbers lose their imaginary part; halves are rounded once, ties to even.
ConvertRun convert_run(DType from, DType to);

// Device verbs: see ops/device_kernels.h.
void convert(const TensorImpl& source, TensorImpl& target);
void fill(TensorImpl& target, const Scalar& value);

}  // namespace phlox::cpu
