#include "phlox/graph/plan_look.h"

#include <algorithm>

#include "phlox/ops/primitives/watch.h"

namespace phlox::graph {

Tensor handle_of(const TensorImpl& t) {
  auto* impl = new (allocate(sizeof(TensorImpl))) TensorImpl;
  impl->dtype = t.dtype;
  impl->device = t.device;
  impl->rank = t.rank;
  impl->contiguous = t.contiguous;
  impl->count = t.count;
  impl->offset = t.offset;
  impl->storage = t.storage;
  impl->storage->references.acquire();
  std::copy_n(t.sizes, t.rank, impl->sizes);
  std::copy_n(t.strides, t.rank, impl->strides);
  return Tensor(Reference<TensorImpl>::adopt(impl));
}

namespace {

class LookingStep final : public Step {
 public:
  LookingStep(std::unique_ptr<Step> step, const Node& node, std::vector<TensorImpl*> given,
              std::vector<TensorImpl*> made)
      : step_(std::move(step)), node_(node), given_(std::move(given)), made_(std::move(made)) {
    const TensorImpl& first = *made_[0];
    const bool is_small = made_.size() == 1 && first.contiguous && first.count <= looked_at_block;
    if (is_small && first.device.type == DeviceType::cpu) scan_ = nonfinite_scan_on_cpu(first.dtype);
    if (scan_) scanned_ = is_complex(first.dtype) ? 2 * first.count : first.count;
  }

  void run() override {
    if (scan_) {
      if (step_) step_->run();
      if (scan_(made_[0]->address(), scanned_)) tell({});
      return;
    }
    PointwiseLook look;
    if (step_) {
      const PointwiseLookScope looking(look);
      step_->run();
    }
    const bool found = look.looked ? look.found.load()
                                   : std::any_of(made_.begin(), made_.end(),
                                                 [](const TensorImpl* t) { return has_nonfinite(*t); });
    if (found) tell(look);
  }

 private:
  void tell(const PointwiseLook& look) const {
    TensorList held, results;
    held.reserve(given_.size());
    std::vector<Operand> inputs;
    for (std::size_t i = 0; i < given_.size(); ++i) {
      held.push_back(given_[i] ? handle_of(*given_[i]) : Tensor());
      const auto* number = std::get_if<Scalar>(&node_.inputs()[i]);
      inputs.push_back(number ? Operand(*number) : Operand(held.back()));
    }
    for (const TensorImpl* t : made_) results.push_back(handle_of(*t));
    const NodeOrigin origin(node_.location());
    look_at_results({node_.primitive(), inputs, node_.attributes().get(), results}, look);
  }

  std::unique_ptr<Step> step_;
  const Node& node_;
  std::vector<TensorImpl*> given_, made_;
  NonfiniteScan scan_ = nullptr;  // for a single small result
  std::int64_t scanned_ = 0;      // numbers in it
};

}  // namespace

std::unique_ptr<Step> looking_step(std::unique_ptr<Step> step, const Node& node,
                                   std::vector<TensorImpl*> given, std::vector<TensorImpl*> made) {
  return std::make_unique<LookingStep>(std::move(step), node, std::move(given), std::move(made));
}

}  // namespace phlox::graph
