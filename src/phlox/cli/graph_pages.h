// What `phlox graph` and `phlox plan` print.
//
// A graph in a file is its text (graph/graph.h). Its large constants, and tensors for its inputs, stand in a file of
// safetensors beside it: "step.graph" has "step.safetensors", with the names "@0" and "x0".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::cli {

struct GraphFile {
  graph::GraphPointer graph;
  TensorList
      inputs;  // those of the file; for others random numbers: normal for floating, zeros for other dtypes
};
// Throws FileError, and GraphError for what is no graph. `inputs`: a file of safetensors in place of the one beside it.
GraphFile load_graph(const std::string& path, const std::string& inputs = {}, std::uint64_t seed = 0);

struct GraphPrinting {
  bool locations = false, dot = false, passes = false;
};
std::string print_graph(const graph::Graph& graph, const GraphPrinting& options);
// The text before the passes and after each, by name; the default pipeline for none.
std::string print_passes(const graph::GraphPointer& graph, const std::vector<std::string>& passes,
                         bool locations);

// What is found by comparing execution as a plan and each pass; or with another graph. Empty: nothing differs.
std::string bisect_graph(const GraphFile& file, const std::vector<std::string>& passes, double tolerance);

}  // namespace phlox::cli
