#include "phlox/ops/parameter_checks.h"

#include "phlox/base/error.h"

namespace phlox {

void check_tolerances(const char* operation, const KernelScalar* scalars) {
  const double rtol = scalars[0].floating, atol = scalars[1].floating;
  if (rtol >= 0 && atol >= 0) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: rtol is {} and atol {}; neither may be negative", operation,
                   rtol, atol)
      .raise();
}

void check_interval(const char* operation, const KernelScalar* scalars) {
  const double low = scalars[0].floating, high = scalars[1].floating;
  if (low <= high) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: min_val {} is above max_val {}", operation, low, high)
      .hint("exchange them")
      .raise();
}

void check_not_negative(const char* operation, const KernelScalar* scalars) {
  if (scalars[0].floating >= 0) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: lambd is {}; it must be at least 0", operation,
                   scalars[0].floating)
      .raise();
}

}  // namespace phlox
