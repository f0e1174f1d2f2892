#include "phlox/graph/evaluated_step.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/plan_look.h"
#include "phlox/graph/region_plans.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox::graph {
namespace {

class EvaluatedStep final : public Step {
 public:
  EvaluatedStep(Plan::Implementation& plan, Recorder& recorder, const Node& node, const TensorList& operands,
                const TensorList& results)
      : plan_(plan), node_(node), region_plans_(plan.workspace) {
    for (const Tensor& tensor : operands)
      given_.push_back(tensor.defined() ? recorder.tensor(*tensor.impl()) : nullptr);
    for (const Tensor& result : results) {
      const bool own = std::none_of(operands.begin(), operands.end(), [&](const Tensor& t) {
        return t.defined() && t.shares_storage_with(result);
      });
      TensorImpl* tensor = recorder.tensor(*result.impl());
      const int number = recorder.memory(result.impl()->storage);
      if (own) plan.memories[static_cast<std::size_t>(number)].home = Home::result;
      made_.push_back({tensor, number, own});
    }
    keeps_ = std::any_of(results.begin(), results.end(),
                         [](const Tensor& result) { return result.dtype() == DType::sequence; });
  }

  void run() override {
    const TensorList handles = operand_handles();
    std::vector<Operand> operands;
    for (std::size_t i = 0; i < handles.size(); ++i) {
      const auto* number = std::get_if<Scalar>(&node_.inputs()[i]);
      operands.push_back(number ? Operand(*number) : Operand(handles[i]));
    }
    const NodeOrigin origin(node_.location());
    TensorList found = results_for(operands);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (made_[i].own) take(std::move(found[i]), made_[i], handles);
  }

 private:
  struct Place {
    TensorImpl* tensor;
    int memory;
    bool own;  // not that of an operand
  };

  TensorList operand_handles() const {
    TensorList handles(given_.size());
    for (std::size_t i = 0; i < given_.size(); ++i) {
      if (!given_[i]) continue;
      handles[i] = handle_of(*given_[i]);
      if (keeps_ && given_[i]->dtype != DType::sequence) handles[i] = handles[i].clone();
    }
    return handles;
  }

  TensorList results_for(std::span<const Operand> operands) {
    // Watched primitives are seen one by one.
    if (node_.regions().empty() || is_watched()) return evaluate(node_, operands);
    return run_regions(node_, operands, [this](const GraphPointer& region, const TensorList& inputs) {
      return region_plans_.run(region, inputs);
    });
  }

  void take(Tensor result, const Place& place, const TensorList& operands) {
    // A loop without turns gives what it got, whose memory is another's soon.
    const bool is_operand = std::any_of(operands.begin(), operands.end(), [&](const Tensor& operand) {
      return operand.defined() && operand.shares_storage_with(result);
    });
    // The sides of a branch may give other memory orders.
    const bool is_elsewhere = !same_layout(*result.impl(), *place.tensor);
    if ((is_operand && result.dtype() != DType::sequence) || is_elsewhere)
      result = apply_convert(result, result.dtype(), MemoryOrder::row_major);
    if (!same_layout(*result.impl(), *place.tensor))
      fail<GraphError>(ErrorCode::bad_graph, "{}: a result lies in memory otherwise than planned",
                       node_.name())
          .detail("result", describe(result))
          .raise();
    plan_.bind(plan_.memories[static_cast<std::size_t>(place.memory)], result.impl()->storage,
               result.storage_offset());
    plan_.results.push_back(std::move(result));
  }

  Plan::Implementation& plan_;
  const Node& node_;
  std::vector<TensorImpl*> given_;  // null where there is no tensor
  std::vector<Place> made_;
  bool keeps_ = false;  // a sequence may keep what it is given, whose memory is another's soon
  RegionPlans region_plans_;
};

}  // namespace

std::unique_ptr<Step> evaluated_step(Plan::Implementation& plan, Recorder& recorder, const Node& node,
                                     const TensorList& operands, const TensorList& results) {
  return std::make_unique<EvaluatedStep>(plan, recorder, node, operands, results);
}

}  // namespace phlox::graph
