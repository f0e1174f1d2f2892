#include "phlox/graph/region_plans.h"

#include <algorithm>

#include "phlox/graph/captured.h"

namespace phlox::graph {

TensorList RegionPlans::run(const GraphPointer& region, const TensorList& inputs) {
  constexpr std::size_t most_layouts = 8;
  auto found = std::find_if(plans_.begin(), plans_.end(), [&](const auto& planned) {
    return planned->region == region && planned->plan.fits(inputs);
  });
  if (found == plans_.end()) {
    if (plans_.size() >= most_layouts) return execute(*region, inputs);
    plans_.push_back(std::make_unique<Planned>(region, inputs, workspace_));
    found = std::prev(plans_.end());
  }
  std::optional<TensorList> results = (*found)->plan.run(inputs);
  return results ? std::move(*results) : execute(*region, inputs);
}

}  // namespace phlox::graph
