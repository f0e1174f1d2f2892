// Whether a thread runs a function of samples (autograd/vmap.h).
#pragma once

#include <cstdint>

#include "phlox/base/macros.h"

namespace phlox {

// How many of the interpreters that are active in this thread are vmaps. While all are, tensors that samples share have
// values that can be asked for.
extern PHLOX_THREAD_LOCAL std::uint32_t active_vmaps;

}  // namespace phlox
