// How scalars and pointers reach a pointwise kernel. Light, because kernel files include it.
#pragma once

#include <cstdint>

namespace phlox {

// A scalar parameter, as floating bodies and as integer bodies read it.
struct KernelScalar {
  double floating = 0;
  std::int64_t integer = 0;
};

// Contiguous inputs and output of one dtype; inputs that are truth values are bytes 0 or 1, as is the result of a
// predicate.
using PointwiseKernel = void (*)(const void* const* inputs, const KernelScalar* scalars, void* output,
                                 std::int64_t count);

}  // namespace phlox
