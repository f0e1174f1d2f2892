// Copies, casts and fills on the CPU.
#pragma once

#include <cstdint>

#include "phlox/device/cpu/convert_kernel.h"

namespace phlox::cpu {

// The loop that casts `from` to `to`, both computable. Floats become integers by truncation, saturating, NaN
// as 0; anything but zero is true; complex numbers lose their imaginary part; halves are rounded once, ties
// to even.
ConvertRun convert_run(DType from, DType to);

}  // namespace phlox::cpu
