#include "phlox/ops/primitives/rules.h"

namespace phlox {

void PrimitiveCall::refuse(const std::string& reason) const {
  auto error = fail<GraphError>(ErrorCode::bad_graph, "{}: {}", primitive_.name, reason);
  for (const Operand& input : inputs_)
    if (input.is_tensor() && input.tensor().defined()) error.detail("input", describe(input.tensor()));
  error.raise();
}

void PrimitiveCall::takes(std::size_t least, std::size_t most) const {
  if (least == most) require(count() == least, "it takes {} inputs, not {}", least, count());
  else require(count() >= least && count() <= most, "it takes {} to {} inputs, not {}", least, most, count());
}

const Tensor& PrimitiveCall::tensor(std::size_t input) const {
  const Tensor* found = optional_tensor(input);
  require(found != nullptr, "input {} cannot be left out", input);
  return *found;
}

const Tensor* PrimitiveCall::optional_tensor(std::size_t input) const {
  if (input >= inputs_.size()) return nullptr;
  require(inputs_[input].is_tensor(), "input {} is a number, not a tensor", input);
  return inputs_[input].tensor().defined() ? &inputs_[input].tensor() : nullptr;
}

void PrimitiveCall::require_dim(const char* name, std::int64_t dim, const Tensor& of) const {
  require(dim >= 0 && dim < std::max(of.rank(), 1), "{} is {}, but there are {} dimensions", name, dim,
          of.rank());
}

void PrimitiveCall::require_dims(const char* name, const IntList& dims, const Tensor& of) const {
  bool seen[max_rank] = {};
  for (std::int64_t dim : dims) {
    require(dim >= 0 && dim < of.rank(), "{} holds {}, but there are {} dimensions", name, dim, of.rank());
    require(!seen[dim], "{} holds {} twice", name, dim);
    seen[dim] = true;
  }
}

void PrimitiveCall::require_sizes(const char* name, const IntList& sizes) const {
  std::int64_t product = 1;
  for (std::int64_t size : sizes) {
    require(size >= 0, "{} holds {}", name, size);
    // Zeros count as ones, so that strides fit as well.
    const bool overflows = __builtin_mul_overflow(product, std::max<std::int64_t>(size, 1), &product);
    require(!overflows && product <= max_elements, "{} holds more elements than a tensor can have", name);
  }
}

void PrimitiveCall::require_shape(const char* name, const Tensor& tensor, const Shape& shape) const {
  require(tensor.shape() == shape, "{} is [{}], not [{}]", name, to_string(tensor.shape()), to_string(shape));
}

void PrimitiveCall::require_dtype(const char* name, const Tensor& tensor, DType dtype) const {
  require(tensor.dtype() == dtype, "{} is {}, not {}", name, info(tensor.dtype()).name, info(dtype).name);
}

void PrimitiveCall::require_floating(const char* name, const Tensor& tensor) const {
  require(is_floating(tensor.dtype()), "{} is {}, not floating", name, info(tensor.dtype()).name);
}

void PrimitiveCall::require_computable(DType dtype) const {
  require(is_computable(dtype), "one cannot compute with {}", info(dtype).name);
}

void PrimitiveCall::require_real(const char* name, const Tensor& tensor) const {
  require(is_computable(tensor.dtype()) && !is_complex(tensor.dtype()), "{} is {}, which has no order", name,
          info(tensor.dtype()).name);
}

const PrimitiveRule* find_rule(const Primitive& primitive) {
  for (const PrimitiveRule& rule : PHLOX_TABLE_SPAN(phlox_primitive_rules))
    if (rule.primitive == &primitive) return &rule;
  return nullptr;
}

void check_call(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  if (const PrimitiveRule* rule = find_rule(primitive)) rule->check({primitive, inputs, attributes});
}

}  // namespace phlox
