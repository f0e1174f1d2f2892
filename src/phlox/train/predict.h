// What a network gives for many examples.
#pragma once

#include <cstdint>

#include "phlox/core/tensor.h"
#include "phlox/nn/module.h"

namespace phlox {

// The outputs for all rows of `input`, computed `batch_size` rows at a time, without gradients and with the module in
// evaluation mode. Afterwards each part of it is in the mode it was in before.
//
//   Tensor scores = predict(net, images);  // f32[10000, 10]
//
// Throws ValueError for a batch size below 1 and ShapeError for a 0-d input.
Tensor predict(nn::Module& module, const Tensor& input, std::int64_t batch_size = 256);

}  // namespace phlox
