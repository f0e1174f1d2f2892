// Arguments that convolutions and poolings share: one number, or one for each spatial dimension.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// `values` with one entry a spatial dimension. Throws ValueError naming operation and parameter when there are neither
// one nor `dims` numbers, or one is below `minimum`.
IntList for_each_dimension(const IntList& values, int dims, std::int64_t minimum, const char* operation,
                           const char* parameter);

// The input with a batch dimension in front when it has only channels and `dims` spatial dimensions; `added` says so.
// Throws ShapeError for any other number of dimensions.
Tensor with_batch(const Tensor& input, int dims, const char* operation, bool& added);

}  // namespace phlox
