// Convolutions with oneDNN.
#pragma once

#include "phlox/ops/primitives/convolution.h"

namespace phlox::cpu {

// float32 and bfloat16, nothing empty.
void convolution_onednn(const ConvolutionCall& call);

}  // namespace phlox::cpu
