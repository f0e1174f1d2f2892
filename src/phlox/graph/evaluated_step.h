// The step of a node that needs values to know what to do, or runs regions: it is evaluated as it comes.
#pragma once

#include <memory>

#include "phlox/graph/plan_implementation.h"
#include "phlox/graph/plan_recorder.h"

namespace phlox::graph {

// `operands` are the node's, undefined where they are numbers or left out. The memory of the results is what evaluation
// gives, but for those in the memory of an operand.
std::unique_ptr<Step> evaluated_step(Plan::Implementation& plan, Recorder& recorder, const Node& node,
                                     const TensorList& operands, const TensorList& results);

}  // namespace phlox::graph
