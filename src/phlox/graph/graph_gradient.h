// Gradients of graphs, by running them with the tape on: eagerly, or once more while something is captured.
#pragma once

#include <span>
#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The gradients of those inputs that are wanted, from those of the outputs; undefined tensors stand for zero there, and
// zeros are given for inputs that nothing depends on. Where gradients are recorded, the result can be differentiated.
TensorList gradients_of(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                        std::span<const Tensor> output_gradients);

}  // namespace phlox::graph
