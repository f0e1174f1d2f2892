// float16 and bfloat16 are for keeping numbers: composites compute in float32 and round once, at the end.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

inline bool is_half(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

// The dtype to compute in.
inline DType widened(DType dtype) { return is_half(dtype) ? DType::float32 : dtype; }

inline Tensor widened(const Tensor& input) { return input.to(widened(input.dtype())); }

}  // namespace phlox
