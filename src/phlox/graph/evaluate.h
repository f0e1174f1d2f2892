// Evaluating single nodes with the kernels of eager execution.
#pragma once

#include <span>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The results of a primitive applied to these operands, and of a node: as graphs mean it, views are of elements,
// wherever they lie.
TensorList evaluate(const Primitive& primitive, const Attributes& attributes,
                    std::span<const Operand> operands);
TensorList evaluate(const Node& node, std::span<const Operand> operands);

// A row-major tensor of this type without data.
Tensor abstract_tensor(const Type& type);

// All nodes in order, in the present mode: with gradients recorded, or captured again.
TensorList execute_recorded(const Graph& graph, std::span<const Tensor> inputs);
// The values of all nodes, by number; unless `keep` is set, those that nobody needs any more are released on the way.
std::vector<TensorList> evaluate_nodes(const Graph& graph, std::span<const Tensor> inputs, bool keep);

// How often each node is used, by number; an output counts as a use.
std::vector<int> count_uses(const Graph& graph);

// One list behind the other.
TensorList joined(const TensorList& first, const TensorList& second);

}  // namespace phlox::graph
