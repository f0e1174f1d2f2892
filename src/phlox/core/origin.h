// Where operations come from, for people.
#pragma once

#include <span>
#include <string>

#include "phlox/core/gradient_node.h"

namespace phlox {

// A part of the program that runs in this thread, such as a module, and what it runs in.
struct RunningPart {
  const RunningPart* outer;
  const void* part;
  std::string (*name)(const RunningPart& innermost);
};
extern PHLOX_THREAD_LOCAL const RunningPart* running_part;
// The node whose gradient this thread computes; null outside of backward().
extern PHLOX_THREAD_LOCAL const GradientNode* running_gradient;

// Where an operation comes from that runs now: `net.py:12   x = px.log(x)   in Linear "head"`. In backward() that is where
// the operation was called whose gradient is computed, `... in Linear "head"   (gradient of log)`.
std::string origin_of_call();
// Keeps that in the nodes of these results that have none yet: GradientNode::where().
void note_origin(std::span<const Tensor> results);

}  // namespace phlox
