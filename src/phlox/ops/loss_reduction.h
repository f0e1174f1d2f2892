// What losses have in common.
#pragma once

#include "phlox/ops/functions.h"

namespace phlox {

// The losses themselves for "none", their mean or their sum. Throws ValueError on another word.
Tensor reduce_loss(const Tensor& losses, const std::string& reduction, const char* operation);

}  // namespace phlox
