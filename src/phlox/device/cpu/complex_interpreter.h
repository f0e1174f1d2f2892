// Pointwise expressions on complex128. There are no kernels of their own for complex numbers: each node of the
// expression is one loop over a short block. complex64 is converted block by block, as halves are to f32.
#pragma once

#include "phlox/device/cpu/pointwise_kernel_entry.h"

namespace phlox::cpu {

// Throws NotSupportedError when a function of the program has no complex meaning.
void interpret_complex(const math::ExpressionProgram& program, unsigned mask_inputs,
                       const void* const* inputs, const KernelScalar* scalars, void* output,
                       std::int64_t count);

}  // namespace phlox::cpu
