#include "phlox/ops/checked_positions.h"

#include <string>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"

namespace phlox {

Tensor checked_positions(const Tensor& positions, std::int64_t low, std::int64_t high, const char* name,
                         const char* operation) {
  if (!is_integer(positions.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: '{}' holds integers, not {}", operation, name,
                     info(positions.dtype()).name)
        .detail(name, describe(positions))
        .hint(fmt::format("<{}>.to(px.int64)", name))
        .raise();
  const Tensor found = positions.detach().to(DType::int64);
  if (found.numel() == 0) return found;
  const Tensor outside = logical_or(lt(found, low), ge(found, high));
  if (thread_mode.interpreter_count)
    return apply_check(
        found, logical_not(any(outside)), CheckError::index,
        fmt::format("{}: a number of '{}' is outside of {} to {}", operation, name, low, high - 1));
  if (any(outside).item<bool>()) {
    const auto first = index_select(ravel(found), 0, argmax(ravel(outside).to(DType::uint8)));
    fail<IndexError>(ErrorCode::index_out_of_range, "{}: {} in '{}' is out of range", operation,
                     first.item<std::int64_t>(), name)
        .detail(name, describe(positions))
        .hint(high > low ? fmt::format("allowed are {} to {}", low, high - 1) : "there is no place at all")
        .raise();
  }
  return found;
}

Tensor require_true(const Tensor& value, const Tensor& condition, const char* operation,
                    const std::string& message) {
  if (thread_mode.interpreter_count)
    return apply_check(value, condition, CheckError::value, fmt::format("{}: {}", operation, message));
  if (!condition.item<bool>())
    fail<ValueError>(ErrorCode::invalid_value, "{}: {}", operation, message)
        .detail("input", describe(value))
        .raise();
  return value;
}

}  // namespace phlox
