// A step of a plan that looks at what it gives (ops/primitives/watch.h).
#pragma once

#include <memory>
#include <vector>

#include "phlox/graph/graph.h"
#include "phlox/graph/plan_steps.h"

namespace phlox::graph {

// A handle for what the evaluation of a node must be given.
Tensor handle_of(const TensorImpl& t);

// Runs the step, if there is one, and tells the watcher of results in `made` that are not finite. `given` are the operands
// of the node, null where they are numbers or left out.
std::unique_ptr<Step> looking_step(std::unique_ptr<Step> step, const Node& node,
                                   std::vector<TensorImpl*> given, std::vector<TensorImpl*> made);

}  // namespace phlox::graph
