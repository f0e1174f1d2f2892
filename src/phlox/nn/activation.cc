#include "phlox/nn/activation.h"

#include "phlox/nn/init.h"

namespace phlox::nn {

PReLU::PReLU(std::int64_t count, double start) {
  if (count < 1) {
    fail<ValueError>(ErrorCode::invalid_value, "PReLU: the number of weights must be positive, not {}", count)
        .raise();
  }
  Tensor value = make_tensor({count}, default_dtype());
  init::constant_(value, start);
  weight = make_parameter(value);
  register_parameter("weight", &weight);
}

PReLU::PReLU(Module* parent, const std::string& name, std::int64_t count, double start)
    : PReLU(count, start) {
  parent->register_module(name, *this);
}

Tensor PReLU::forward(Tensor input) {
  Tensor slope = weight;
  if (weight.numel() > 1) {
    if (input.rank() < 2 || input.size(1) != weight.numel()) {
      fail<ShapeError>(ErrorCode::sizes_differ, "PReLU: {} weights do not fit the channels of the input",
                       weight.numel())
          .detail("input", describe(input))
          .raise();
    }
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[1] = weight.numel();
    slope = reshape(weight, shape);
  }
  return where(gt(input, 0), input, mul(input, slope));
}

std::string PReLU::settings() const { return fmt::format("{}", weight.numel()); }

Tensor GLU::forward(Tensor input) {
  const std::int64_t size = input.size(dim_);
  if (size % 2 != 0) {
    fail<ShapeError>(ErrorCode::sizes_differ, "GLU: dimension {} must have an even size, not {}", dim_, size)
        .detail("input", describe(input))
        .raise();
  }
  return mul(narrow(input, dim_, 0, size / 2), sigmoid(narrow(input, dim_, size / 2, size / 2)));
}

}  // namespace phlox::nn
