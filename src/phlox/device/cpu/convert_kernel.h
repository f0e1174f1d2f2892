// What convert.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"
#include "phlox/core/dtype_enum.h"

namespace phlox::cpu {

// Casts `count` elements. Strides are in bytes; source and target do not overlap.
using ConvertRun = void (*)(const void* source, std::int64_t source_stride_bytes, void* target,
                            std::int64_t target_stride_bytes, std::int64_t count);

// target[r][c] = source[c][r]; rows of both sides hold consecutive elements and are so many bytes apart. With `stream`,
// whole blocks of target rows pass the caches by: they must be aligned to 64 bytes.
using Transpose = void (*)(const char* source, std::int64_t source_row, char* target, std::int64_t target_row,
                           std::int64_t rows, std::int64_t columns, bool stream);

struct ConvertKernels {
  const char* instruction_set;
  ConvertRun runs[computable_dtype_count][computable_dtype_count];
  // Copies past the caches. The target is aligned to 64 bytes; a call of stream_fence() orders the writes.
  void (*stream_copy)(const void* source, void* target, std::int64_t bytes);
  void (*stream_fence)();
  Transpose transpose[5];  // of elements of 1, 2, 4, 8 and 16 bytes
};

}  // namespace phlox::cpu
