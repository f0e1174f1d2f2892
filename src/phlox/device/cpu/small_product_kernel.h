// What small_product.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// output [m, n], with rows that lie output_row apart, = lhs [m, k] rhs [k, n] (+ bias in each row). Strides count elements; one of rhs is 1.
struct SmallProduct {
  const void* lhs;
  std::int64_t lhs_row, lhs_column;
  const void* rhs;
  std::int64_t rhs_row, rhs_column;
  const void* bias;  // or null
  std::int64_t bias_stride;
  void* output;
  std::int64_t output_row;
  std::int64_t m, n, k;
  void* panel;  // room for k + 1 rows of n elements, each filled up to whole vectors
};

// Each element is the sum over k in ascending order, beginning with the bias: the same, however operands lie.
using SmallProductFunction = void (*)(const SmallProduct& product);

struct SmallProductKernels {
  const char* instruction_set;
  int vector_bytes;
  SmallProductFunction float32;
  SmallProductFunction float64;
};

}  // namespace phlox::cpu
