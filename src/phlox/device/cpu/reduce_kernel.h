// What reduce.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/macros.h"
#include "phlox/base/registration.h"
#include "phlox/core/dtype_enum.h"
#include "phlox/device/cpu/reduction_order.h"

namespace phlox::cpu {

// The largest number of results that a kernel makes at once.
inline constexpr int reduce_columns = 256;
// Levels of the tree over blocks: enough for any tensor.
inline constexpr int reduce_levels = 56;

// The steps of reduction_order.h for one function and one dtype. Elements and results have this dtype. Only what is made
// of elements takes their squares where the function does; combine() and fold() are given results.
struct ReduceFunctions {
  // One block of rows that follow one another: result[c] is made of rows[i * columns + c]. Up to reduction_block rows.
  void (*dense_block)(const void* rows, std::int64_t row_count, std::int64_t columns, void* result);
  // The same with rows at any addresses.
  void (*spread_block)(const void* const* rows, std::int64_t row_count, std::int64_t columns, void* result);
  // Blocks of `step` neighbouring columns each, one column after the other: result[c] for each c that is a multiple of
  // `step`, which is 2 or 4. The rows are as many as make a block; `columns` is a multiple of `step`, no less than
  // reduction_lanes.
  void (*joined_columns)(const void* const* rows, int step, std::int64_t columns, void* result);
  // Of each of some rows, `stride` bytes apart: all blocks of its `count` consecutive elements, combined to one result.
  void (*whole_rows)(const void* elements, std::int64_t count, std::int64_t row_count, std::int64_t stride,
                     void* results);
  // left[i] = combine(left[i], right[i])
  void (*combine)(void* left, const void* right, std::int64_t count);
  // Combines the results of `count` blocks, which follow one another, into the first.
  void (*fold)(void* blocks, std::int64_t count);
};

enum class ReduceType : std::uint8_t { float32, float64, int64, uint64, uint8 };
inline constexpr int reduce_type_count = 5;

// The type that kernels use for elements of a dtype.
PHLOX_INLINE ReduceType reduce_type(DType compute) {
  switch (compute) {
    case DType::float64: return ReduceType::float64;
    case DType::int64: return ReduceType::int64;
    case DType::uint64: return ReduceType::uint64;
    case DType::uint8:
    case DType::bool_: return ReduceType::uint8;
    default: return ReduceType::float32;
  }
}

inline constexpr int reduce_kind_count = 5;

struct ReduceKernels {
  const char* instruction_set;
  ReduceFunctions functions[reduce_kind_count][reduce_type_count];  // by ReduceKind
};

}  // namespace phlox::cpu
