// The primitive `check`: what an operation demands of values, where it cannot look at them now.
#pragma once

#include <string>

#include "phlox/core/tensor.h"

namespace phlox {

enum class CheckError : std::uint8_t { value, index, assertion };
inline std::span<const char* const> names_of(CheckError) {
  static constexpr const char* names[] = {"ValueError", "IndexError", "AssertionError"};
  return names;
}

// `value` itself; throws an error of this kind with this message where `condition`, bool[], does not hold. While a
// function is captured the check becomes part of what is captured. Gradients flow through.
Tensor apply_check(const Tensor& value, const Tensor& condition, CheckError error,
                   const std::string& message);

}  // namespace phlox
