// What nodes that are evaluated as they come need beside the block of a plan, told before they run.
#pragma once

#include "phlox/graph/plan_implementation.h"

namespace phlox::graph {

// Adds what such a node needs; `operands` are without data. A loop is counted with the states of two turns. What it
// remembers in sequences is counted for the number of turns if the graph tells it, and otherwise for one.
void count_evaluated(EvaluatedMemory& all, const Node& node, const TensorList& operands);

}  // namespace phlox::graph
