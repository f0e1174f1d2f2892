// What a primitive demands of the inputs and attributes that it is evaluated with, as code beside the primitive.
// Operations see to it by themselves and have messages for their users. A graph may come from a text or a file that
// somebody else has written, so its nodes are checked before any primitive meets them.
//
//   void check_softmax(const PrimitiveCall& call) {
//     call.takes(1);
//     call.require_dim("dim", call.attributes<SoftmaxAttributes>().dim, call.tensor(0));
//   }
//   PHLOX_PRIMITIVE_RULE(softmax, check_softmax);
//
// All throw GraphError (E1003) that names the primitive. What values may be (indices, class numbers) is checked when
// the primitive runs.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>

#include "phlox/ops/primitives/primitive.h"

namespace phlox {

// No tensor can have more elements; products of sizes and of element sizes stay within 63 bits.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 56;

class PrimitiveCall {
 public:
  PrimitiveCall(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes)
      : primitive_(primitive), inputs_(inputs), attributes_(attributes) {}

  template <class Attributes>
  const Attributes& attributes() const {
    return *static_cast<const Attributes*>(attributes_);
  }
  std::size_t count() const { return inputs_.size(); }

  // There are this many inputs, or from `least` to `most`.
  void takes(std::size_t inputs) const { takes(inputs, inputs); }
  void takes(std::size_t least, std::size_t most) const;

  bool is_number(std::size_t input) const { return !inputs_[input].is_tensor(); }
  // An input that must be a tensor.
  const Tensor& tensor(std::size_t input) const;
  // An input that may be left out, but not be a number; null where it is.
  const Tensor* optional_tensor(std::size_t input) const;

  template <class... Arguments>
  void require(bool condition, fmt::format_string<Arguments...> reason, Arguments&&... arguments) const {
    if (!condition) [[unlikely]]
      refuse(fmt::format(reason, std::forward<Arguments>(arguments)...));
  }
  // 0 <= dim < rank; a tensor without dimensions has one in this sense.
  void require_dim(const char* name, std::int64_t dim, const Tensor& of) const;
  // In range, each at most once.
  void require_dims(const char* name, const IntList& dims, const Tensor& of) const;
  // Sizes that a tensor can have.
  void require_sizes(const char* name, const IntList& sizes) const;
  void require_shape(const char* name, const Tensor& tensor, const Shape& shape) const;
  void require_dtype(const char* name, const Tensor& tensor, DType dtype) const;
  void require_floating(const char* name, const Tensor& tensor) const;
  // One can compute with it.
  void require_computable(DType dtype) const;
  // What orders need.
  void require_real(const char* name, const Tensor& tensor) const;

 private:
  [[noreturn]] PHLOX_COLD void refuse(const std::string& reason) const;

  const Primitive& primitive_;
  std::span<const Operand> inputs_;
  const void* attributes_;
};

struct PrimitiveRule {
  const Primitive* primitive;
  void (*check)(const PrimitiveCall& call);
};
PHLOX_TABLE(PrimitiveRule, phlox_primitive_rules);

#define PHLOX_PRIMITIVE_RULE(primitive_name, check_function)                                          \
  constexpr ::phlox::PrimitiveRule primitive_name##_rule PHLOX_TABLE_ENTRY(phlox_primitive_rules) = { \
      &primitive_name##_primitive, check_function}

// Null when the primitive has none.
const PrimitiveRule* find_rule(const Primitive& primitive);

// Throws GraphError (E1003) when the primitive cannot be evaluated with these.
void check_call(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes);

}  // namespace phlox
