#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"

namespace phlox::graph {

GraphPointer remove_dead(const GraphPointer& graph) { return rebuild(*graph, remove_dead, nullptr); }

}  // namespace phlox::graph
