#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"

namespace phlox::graph {

GraphPointer share(const GraphPointer& graph) { return rebuild(*graph, share, nullptr); }

}  // namespace phlox::graph
