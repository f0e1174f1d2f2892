// The passes: functions from graphs to graphs. All but fold_batch_norm() keep every bit of what a graph gives: NaN,
// infinities and the signs of zeros included.
//
// Memory order is no part of a value. Yet a product of matrices may round differently when its operands lie differently,
// so nothing is taken for its copy unless both lie the same way.
#pragma once

#include "phlox/graph/graph.h"

namespace phlox::graph {

// Rewrites nodes whose result is known to be another value: x * 1, neg(neg(x)), views of views, conversions that undo
// each other, writes of the whole, checks of true. Not x + 0 (x may be -0), x * 0 or x - x (x may be NaN).
GraphPointer simplify(const GraphPointer& graph);

// Computes nodes whose inputs are all constants with the kernels of eager execution, unless the result is larger than
// 64 KiB. Large fills and ranges stay what they are.
GraphPointer fold_constants(const GraphPointer& graph);

// Makes equal nodes and equal small constants one, and leaves out what no output needs. Nodes with regions of their own
// are not compared: two equal branches remain two.
GraphPointer share(const GraphPointer& graph);

// Leaves out of branches and loops the results that nobody looks at, the states that only make themselves, and operands
// without use; states that do not change become operands.
GraphPointer prune_regions(const GraphPointer& graph);

// Leaves out where gradients would end, in a graph that nobody follows backwards.
GraphPointer drop_detach(const GraphPointer& graph);
// Leaves it out where none arrive: they flow to these of the inputs only.
GraphPointer drop_detach(const GraphPointer& graph, const std::vector<bool>& carrying);

// Multiplies the weights of a convolution or product of matrices by the factors of the batch normalisation behind it, and
// adds to the bias what that adds. Saves a pass over the result; rounds differently, in the last digits.
GraphPointer fold_batch_norm(const GraphPointer& graph);

// The largest sum of the bytes of values that are alive at the same time, in the order of the nodes. Inputs, constants
// and views count nothing.
std::int64_t estimate_peak(const Graph& graph);

// Computes cheap nodes (pointwise, views, conversions, fills) again near their later uses, in place of keeping their
// results, until the estimated peak is within the budget, in bytes, or nothing helps any more. Comes last: other passes
// would make the nodes one again.
GraphPointer rematerialize(const GraphPointer& graph, std::int64_t memory_budget);

}  // namespace phlox::graph
