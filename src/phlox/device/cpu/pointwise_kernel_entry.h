// What kernel files leave in the tables of pointwise kernels. Light: they include it.
#pragma once

#include "phlox/base/registration.h"
#include "phlox/core/dtype_enum.h"
#include "phlox/ops/primitives/kernel_scalar.h"

namespace phlox {

namespace math {
struct ExpressionProgram;
}

struct PointwiseKernelSet {
  PointwiseKernel by_dtype[computable_dtype_count] = {};
};

struct PointwiseKernelEntry {
  const char* name;             // of the operation
  const char* instruction_set;  // "baseline", "avx2", "avx512", "neon"
  PointwiseKernelSet forward;
  PointwiseKernelSet gradients[3];
};

// Runs any program, node by node over short blocks. `masks` tells which inputs are truth values.
using PointwiseInterpreter = void (*)(const math::ExpressionProgram& program, unsigned masks,
                                      const void* const* inputs, const KernelScalar* scalars, void* output,
                                      std::int64_t count);

struct PointwiseInterpreterEntry {
  const char* instruction_set;
  PointwiseInterpreter float32;
  PointwiseInterpreter float64;
};

// All kernels and interpreters of the program, for each instruction set that was compiled.
struct PointwiseKernelTables {
  const PointwiseKernelEntry *first_kernel, *last_kernel;
  const PointwiseInterpreterEntry *first_interpreter, *last_interpreter;
};
PointwiseKernelTables pointwise_kernel_tables();

}  // namespace phlox
