// The ends of what a dtype holds: neutral elements of minimum and maximum.
#pragma once

#include <cmath>

#include "phlox/core/dtype.h"
#include "phlox/core/scalar.h"

namespace phlox {

// The largest value of a real dtype, or the smallest; infinite for floats.
inline Scalar extreme_value(DType dtype, bool largest) {
  if (is_floating(dtype)) return largest ? INFINITY : -INFINITY;
  if (is_boolean(dtype)) return largest;
  const int bits = info(dtype).bits;
  if (is_unsigned(dtype))
    return largest ? Scalar(bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1) : Scalar(0);
  const auto most = static_cast<std::int64_t>((std::uint64_t{1} << (bits - 1)) - 1);
  return largest ? most : -most - 1;
}

}  // namespace phlox
