// What a kernel file leaves in the table of pointwise kernels.
#pragma once

#include "phlox/core/dtype_enum.h"
#include "phlox/ops/kernel_scalar.h"

namespace phlox {

struct PointwiseKernelSet {
  PointwiseKernel by_dtype[computable_dtype_count] = {};
};

struct PointwiseKernelEntry {
  const char* name;             // of the operation
  const char* instruction_set;  // "baseline", "avx2", "avx512", "neon"
  PointwiseKernelSet forward;
  PointwiseKernelSet gradients[3];
};

}  // namespace phlox
