// The primitive `permutation`: an order that random numbers decide.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// The numbers 0 ... n - 1 in the order that n random words, int64[n], decide: each order is equally likely. int64[n].
// Source: Fisher, Yates 1938; Durstenfeld 1964.
Tensor apply_permutation(const Tensor& words);

}  // namespace phlox
