// The part of simplify() that knows views.
#pragma once

#include "phlox/graph/passes/rebuild.h"

namespace phlox::graph {

Replacement simplify_view(Rebuilder& to, const Candidate& candidate);
Replacement simplify_view_put(Rebuilder& to, const Candidate& candidate);

}  // namespace phlox::graph
