// What is known of how values lie in memory when a graph runs with eager kernels, for rewrites that must not change it.
#pragma once

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The elements lie without gaps, so that a copy lies the same way. Inputs of the graph are taken to lie so.
bool lies_densely(const Value& value);
// And in the order of the dimensions.
bool lies_row_major(const Value& value);

}  // namespace phlox::graph
