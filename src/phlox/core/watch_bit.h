// Whether results are watched, and which interpreters are active besides.
#pragma once

#include <cstdint>

#include "phlox/core/mode.h"

namespace phlox {

// The top bit of thread_mode.interpreter_count: results are looked at after each primitive, below all interpreters
// (ops/primitives/watch.h). Values are there all the same.
inline constexpr std::uint32_t watch_bit = 1u << 31;
inline std::uint32_t interpreters() { return thread_mode.interpreter_count & ~watch_bit; }
inline bool is_watched() { return thread_mode.interpreter_count & watch_bit; }

}  // namespace phlox
