// What the values of a tensor are like, in a line.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "phlox/core/tensor.h"

namespace phlox {

struct ValueStatistics {
  std::int64_t nan = 0, infinite = 0, finite = 0;  // how many; parts of complex numbers count by themselves
  std::int64_t first = -1;                         // the first element that is not finite, in logical order
  double least = std::numeric_limits<double>::infinity(), largest = -least, sum = 0;  // of the finite ones

  explicit ValueStatistics(const Tensor& tensor);
  bool all_finite() const { return nan + infinite == 0; }
  // "2 NaN and 1 infinite"
  std::string counts() const;
  // "from -1 to 3.5, mean 0.2, 1 NaN"; empty without elements.
  std::string text() const;
};

}  // namespace phlox
