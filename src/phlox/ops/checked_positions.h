// Tensors of positions that an operation has to look at before it uses them.
#pragma once

#include <cstdint>

#include "phlox/core/tensor.h"

namespace phlox {

// `positions` in int64, once they are known to lie in low <= x < high; `name` is what the operation calls them. While a
// function is captured the check becomes part of the graph. Throws DTypeError for what is no integer, IndexError
// (E0501) for a position outside.
Tensor checked_positions(const Tensor& positions, std::int64_t low, std::int64_t high, const char* name,
                         const char* operation);

// Throws ValueError unless `condition`, bool[], holds; `value` itself, which carries the check in a capture.
Tensor require_true(const Tensor& value, const Tensor& condition, const char* operation,
                    const std::string& message);

}  // namespace phlox
