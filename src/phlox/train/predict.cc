#include "phlox/train/predict.h"

#include <utility>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

// Puts the parts of a module back into their modes.
class EvaluationScope {
 public:
  explicit EvaluationScope(nn::Module& module) {
    for (nn::Module* part : module.modules()) modes_.emplace_back(part, part->training());
    module.eval();
  }
  ~EvaluationScope() {
    for (const auto& [part, training] : modes_) part->set_training(training);
  }
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  std::vector<std::pair<nn::Module*, bool>> modes_;
};

}  // namespace

Tensor predict(nn::Module& module, const Tensor& input, std::int64_t batch_size) {
  if (batch_size < 1) {
    fail<ValueError>(ErrorCode::invalid_value, "predict: batch_size is {}, and at least 1 is needed",
                     batch_size)
        .raise();
  }
  const EvaluationScope evaluation(module);
  const NoGrad no_grad;
  TensorList outputs;
  for (const Tensor& rows : split(input, {batch_size})) {
    outputs.push_back(module(rows));
    if (outputs.back().rank() == 0)
      fail<ShapeError>(ErrorCode::wrong_rank,
                       "predict: the module gives one number for all rows, not outputs row by row")
          .detail("input", describe(rows))
          .detail("output", describe(outputs.back()))
          .hint("call the module itself, under NoGrad")
          .raise();
  }
  return cat(outputs);
}

}  // namespace phlox
