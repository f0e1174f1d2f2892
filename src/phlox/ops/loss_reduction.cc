#include "phlox/ops/loss_reduction.h"

namespace phlox {

Tensor reduce_loss(const Tensor& losses, const std::string& reduction, const char* operation) {
  if (reduction == "mean") return mean(losses);
  if (reduction == "sum") return sum(losses);
  if (reduction == "none") return losses;
  fail<ValueError>(ErrorCode::invalid_value, "{}: reduction is '{}'", operation, reduction)
      .hint("reduction=\"mean\", \"sum\" or \"none\"")
      .raise();
}

}  // namespace phlox
