// Passes in a row.
//
//   GraphPointer fast = run_pipeline(graph, default_pipeline());
//   GraphPointer own = run_pipeline(graph, named_pipeline({"simplify", "share"}));
//
// With PHLOX_DEBUG=1 each pass says in a line what it changed; with 2, and in debug builds, its result is verified;
// with 3 it is printed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::graph {

struct Pass {
  const char* name;
  const char* doc;
  GraphPointer (*run)(const GraphPointer& graph);
};

// All that a pipeline can consist of, by name.
std::span<const Pass> passes();

using Pipeline = std::vector<const Pass*>;
// What keeps every bit.
Pipeline default_pipeline();
// The same, and what rounds differently: for graphs that are only evaluated.
Pipeline inference_pipeline();
// Throws ValueError for an unknown name, and says which there are.
Pipeline named_pipeline(const std::vector<std::string>& names);

GraphPointer run_pipeline(const GraphPointer& graph, const Pipeline& pipeline);

}  // namespace phlox::graph
