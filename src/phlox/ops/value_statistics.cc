#include "phlox/ops/value_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "phlox/ops/functions.h"

namespace phlox {

ValueStatistics::ValueStatistics(const Tensor& tensor) {
  const int parts = is_complex(tensor.dtype()) ? 2 : 1;
  const std::vector<double> values = (parts == 2 ? view_as_real(tensor) : tensor).to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (std::isfinite(value)) {
      least = std::min(least, value);
      largest = std::max(largest, value);
      sum += value;
      ++finite;
      continue;
    }
    ++(std::isnan(value) ? nan : infinite);
    if (first < 0) first = static_cast<std::int64_t>(i) / parts;
  }
}

std::string ValueStatistics::counts() const {
  if (nan && infinite) return fmt::format("{} NaN and {} infinite", nan, infinite);
  return nan ? fmt::format("{} NaN", nan) : fmt::format("{} infinite", infinite);
}

std::string ValueStatistics::text() const {
  std::string text;
  if (finite)
    text =
        fmt::format("from {:.4g} to {:.4g}, mean {:.4g}", least, largest, sum / static_cast<double>(finite));
  if (!all_finite()) text += (text.empty() ? "" : ", ") + counts();
  return text;
}

}  // namespace phlox
