// Signals cut into frames that overlap, and the reverse.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// [..., length, ...] as [..., frames, frame_length, ...], a view. At least one frame must fit.
Tensor frames_of(const Tensor& signal, std::int64_t frame_length, std::int64_t step, int dim);
// [..., frames, frame_length] as [..., (frames - 1) * step + frame_length]: frames added up where they lie.
Tensor overlapped(const Tensor& frames, std::int64_t step);

}  // namespace phlox
