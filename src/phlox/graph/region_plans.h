// Plans for the regions of a branch or loop that runs within a plan: each turn is a list of kernel calls as well.
#pragma once

#include <memory>
#include <vector>

#include "phlox/graph/plan.h"

namespace phlox::graph {

class RegionPlans {
 public:
  // The results of the region. Its inputs may lie otherwise in the first turn than later, so there are several plans.
  TensorList run(const GraphPointer& region, const TensorList& inputs);

 private:
  struct Planned {
    Planned(GraphPointer graph, const TensorList& inputs) : region(graph), plan(std::move(graph), inputs) {}
    GraphPointer region;
    Plan plan;
  };
  std::vector<std::unique_ptr<Planned>> plans_;
};

}  // namespace phlox::graph
