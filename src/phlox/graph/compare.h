// Two graphs side by side: what differs in them, and where their values begin to differ.
//
//   std::cout << diff(*before, *after);
//   if (auto found = bisect_passes(graph, inputs, default_pipeline())) std::cout << found->text;
#pragma once

#include <optional>
#include <string>

#include "phlox/graph/passes/pipeline.h"

namespace phlox::graph {

// The lines of `a` that are not in `b`, with "-", and those of `b` that are not in `a`, with "+", among a few that are in
// both. Nodes are the same that compute the same from the same, whatever their numbers; `b` is written with the names
// of `a`. Ends with a line that counts them. "the graphs are equal" where they are.
std::string diff(const Graph& a, const Graph& b);

// Tensors for the inputs of a graph: normal random numbers where the dtype is floating, and zeros elsewhere.
TensorList random_inputs(const Graph& graph, std::uint64_t seed = 0);

// Where values differ first.
struct Finding {
  std::string pass;      // the pass after which they do, or "plan"
  std::string node;      // its line in the text of the graph; "result 0" where no node stands for it in both
  std::string location;  // where it comes from in the program
  double largest_error = 0;
  std::string text;  // all of it, for people
};

// The first node that is in both graphs and gives other values for equal ones, further apart than the tolerance; for 0, other
// bits (all NaN are one). A result, where it comes of nodes that are in one graph only. Nothing where all results agree.
// The graphs take the same inputs. Effects do not happen.
std::optional<Finding> first_difference(const Graph& a, const Graph& b, const TensorList& inputs,
                                        double tolerance = 0);

// The same for a graph before and after each pass of a pipeline: the first pass that changes a result.
std::optional<Finding> bisect_passes(const GraphPointer& graph, const TensorList& inputs,
                                     const Pipeline& pipeline, double tolerance = 0);

// The same for a graph that runs node by node, and as a plan (graph/plan.h).
std::optional<Finding> bisect_plan(const GraphPointer& graph, const TensorList& inputs, double tolerance = 0);

}  // namespace phlox::graph
