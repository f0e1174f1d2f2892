#include "phlox/nn/dropout.h"

#include <fmt/format.h>

#include "phlox/ops/functions.h"

namespace phlox::nn {

Dropout::Dropout(double p, bool inplace) : Dropout(p, inplace, 0) {}

Dropout::Dropout(double p, bool inplace, int rank_with_batch)
    : inplace_(inplace), rank_with_batch_(rank_with_batch) {
  set_p(p);
}

void Dropout::set_p(double p) {
  if (!(p >= 0 && p <= 1))
    fail<ValueError>(ErrorCode::invalid_value, "Dropout: the probability must lie between 0 and 1, not {}", p)
        .raise();
  p_ = p;
  configuration().change();
}

Dropout::Dropout(Module* parent, const std::string& name, double p, bool inplace) : Dropout(p, inplace) {
  parent->register_module(name, *this);
}

Tensor Dropout::forward(Tensor input) {
  return inplace_ && training() ? input.copy_(dropped(input)) : dropped(input);
}

Tensor Dropout::dropped(const Tensor& input) const {
  if (rank_with_batch_ == 0) return dropout(input, p_, training());
  if (input.rank() == rank_with_batch_) return feature_dropout(input, p_, training());
  if (input.rank() == rank_with_batch_ - 1) {
    return squeeze(feature_dropout(unsqueeze(input, 0), p_, training()), DimList(0));
  }
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: the input has {} dimensions", type_name(), input.rank())
      .detail("input", describe(input))
      .hint(fmt::format("{}, or {} without a batch", rank_with_batch_, rank_with_batch_ - 1))
      .raise();
}

std::string Dropout::settings() const { return fmt::format("p={}{}", p_, inplace_ ? ", inplace=true" : ""); }

}  // namespace phlox::nn
