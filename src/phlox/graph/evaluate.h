// Evaluating single nodes with the kernels of eager execution.
#pragma once

#include <span>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The results of a node applied to these operands, as graphs mean it: views are of elements, wherever they lie.
TensorList evaluate(const Node& node, std::span<const Operand> operands);

// All nodes in order, in the present mode: with gradients recorded, or captured again.
TensorList execute_recorded(const Graph& graph, std::span<const Tensor> inputs);

}  // namespace phlox::graph
