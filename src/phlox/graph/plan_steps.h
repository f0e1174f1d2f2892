// The steps of a plan, and those for calls of a device that need no planning any more when they run.
#pragma once

#include <memory>
#include <utility>

#include "phlox/ops/primitives/pointwise.h"

namespace phlox::graph {

class Step {
 public:
  virtual ~Step() = default;
  virtual void run() = 0;
};

template <class Function>
class StepOf final : public Step {
 public:
  explicit StepOf(Function function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  Function function_;
};

// Both are null where the call takes more than a kernel in a loop. What they are given must outlive them; memory is
// looked up when they run.
std::unique_ptr<Step> direct_pointwise(const PointwiseCall& call);
std::unique_ptr<Step> direct_convert(const TensorImpl& source, TensorImpl& target);

}  // namespace phlox::graph
