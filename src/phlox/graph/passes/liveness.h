// Which values are alive when, in the order of the nodes of a graph.
#pragma once

#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::graph {

struct Liveness {
  explicit Liveness(const Graph& graph);

  // By number of the node. A view, a part of a split and a check are looks at the memory of their owner.
  std::vector<int> owner;           // the node whose memory it is: itself, mostly
  std::vector<std::int64_t> bytes;  // of what it owns; 0 for inputs, constants and looks
  std::vector<int> last_use;        // of the memory it owns: a number of a node; that of nodes for outputs

  std::int64_t peak = 0;  // the largest sum of bytes that are alive together,
  int peak_at = -1;       // while this node runs
};

}  // namespace phlox::graph
