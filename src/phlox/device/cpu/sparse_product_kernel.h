// What sparse_product.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// Stored elements, and the rows of the result that are to be computed. All rows have `width` elements.
struct SparseRows {
  const std::int64_t* rows;
  const std::int64_t* columns;
  const void* values;
  std::int64_t first, last;  // of the stored elements
  const void* matrix;
  void* output;
  std::int64_t width;
  std::int64_t first_row, last_row;
};

struct SparseProductFunctions {
  // The stored elements are those of these rows, row after row.
  void (*in_order)(const SparseRows& call);
  // They are in any order, and those of other rows are among them.
  void (*in_any_order)(const SparseRows& call);
};

struct SparseProductKernels {
  const char* instruction_set;
  // Whether numbers from 0 on do not descend.
  bool (*is_ordered)(const std::int64_t* numbers, std::int64_t count);
  SparseProductFunctions float32, float64;
};

}  // namespace phlox::cpu
