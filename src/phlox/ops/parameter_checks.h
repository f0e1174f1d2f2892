// What parameters of pointwise operations may not be. Light: kernel files include it.
#pragma once

#include "phlox/ops/primitives/kernel_scalar.h"

namespace phlox {

void check_tolerances(const char* operation, const KernelScalar* scalars);    // rtol, atol
void check_interval(const char* operation, const KernelScalar* scalars);      // min_val, max_val
void check_not_negative(const char* operation, const KernelScalar* scalars);  // lambd

}  // namespace phlox
