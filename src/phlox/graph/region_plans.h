// Plans for the regions of a branch or loop that runs within a plan: each turn is a list of kernel calls as well.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "phlox/graph/plan.h"

namespace phlox::graph {

class RegionPlans {
 public:
  explicit RegionPlans(std::shared_ptr<Workspace> workspace) : workspace_(std::move(workspace)) {}
  // The results of the region. Its inputs may lie otherwise in the first turn than later, so there are several plans.
  TensorList run(const GraphPointer& region, const TensorList& inputs);

 private:
  struct Planned {
    Planned(GraphPointer graph, const TensorList& inputs, std::shared_ptr<Workspace> workspace)
        : region(graph), plan(std::move(graph), inputs, {}, Plan::Kind::plain, std::move(workspace)) {}
    GraphPointer region;
    Plan plan;
  };
  std::shared_ptr<Workspace> workspace_;
  std::vector<std::unique_ptr<Planned>> plans_;
};

}  // namespace phlox::graph
