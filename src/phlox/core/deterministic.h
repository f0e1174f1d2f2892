// Results that depend on nothing but the operands.
//
//   phlox::set_deterministic(true);   // y[i] of y = linear(x, w) is now the same for every batch that x[i] is part of
//
// An operation gives the same bits each time in any case, and pointwise operations and reductions whatever the number of
// threads or the size of the batch. With this on, matrix products and convolutions do so as well; they then take up to
// three times as long, as the libraries that compute them otherwise cut the work by its size.
#pragma once

namespace phlox {

// Whether it is on: for the whole process, off at the start.
bool is_deterministic();
// Switches it on or off for all threads.
void set_deterministic(bool on);

}  // namespace phlox
