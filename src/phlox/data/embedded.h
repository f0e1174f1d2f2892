// Files of data/ that the build writes into the library.
#pragma once

#include <cstdint>
#include <span>

namespace phlox::data {

std::span<const std::uint8_t> embedded_digits();

}  // namespace phlox::data
