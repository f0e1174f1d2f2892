// Looking for NaN and infinities.
#pragma once

#include <cstdint>

#include "phlox/core/tensor.h"

namespace phlox::cpu {

// Whether an element is NaN or infinite.
bool has_nonfinite(const TensorImpl& tensor);
// The same for consecutive elements of a dtype.
bool has_nonfinite(DType dtype, const void* elements, std::int64_t count);

}  // namespace phlox::cpu
