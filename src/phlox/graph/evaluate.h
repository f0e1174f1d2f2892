// Evaluating single nodes with the kernels of eager execution.
#pragma once

#include <span>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The results of a node applied to these operands, as graphs mean it: views are of elements, wherever they lie.
TensorList evaluate(const Node& node, std::span<const Operand> operands);

}  // namespace phlox::graph
