#include "phlox/nn/padding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "phlox/ops/functions.h"

namespace phlox::nn {

Padding::Padding(int dimensions, const Integers& amounts, std::string mode, double value)
    : amounts_(amounts), mode_(std::move(mode)), value_(value) {
  const std::size_t sides = 2 * static_cast<std::size_t>(dimensions);
  if (amounts_.size() == 1) amounts_.assign(sides, amounts_[0]);
  if (amounts_.size() == sides) return;
  fail<ValueError>(ErrorCode::invalid_value, "padding: {} numbers are given for {} dimensions",
                   amounts.size(), dimensions)
      .hint(fmt::format("1 or {} numbers", sides))
      .raise();
}

Tensor Padding::forward(Tensor input) {
  return phlox::pad(input, amounts_, mode_, mode_ == "constant" ? OptionalDouble(value_) : OptionalDouble());
}

std::string Padding::settings() const { return fmt::format("({})", fmt::join(amounts_, ", ")); }

}  // namespace phlox::nn
