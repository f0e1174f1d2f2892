// Primitives: the closed, numbered set that everything lowers to, and the interpreters that see them before they run.
#pragma once

#include <cstdint>
#include <span>

#include "phlox/base/registration.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/primitives/attributes.h"

namespace phlox {

struct Primitive {
  std::uint16_t number;  // in saved files: never reused
  const char* name;
  // Runs it with the interpreters that are active now. `attributes` is the primitive's own struct. An input that is
  // left out is an undefined tensor.
  TensorList (*evaluate)(std::span<const Operand> inputs, const void* attributes);
  const AttributeType* attributes;
};
PHLOX_TABLE(Primitive, phlox_primitives);

// All primitives, in the order of their numbers.
std::span<const Primitive* const> primitives();
// By name; null when there is none.
const Primitive* find_primitive(std::string_view name);

#define PHLOX_PRIMITIVE(primitive_name, primitive_number, evaluate_function, Attributes)          \
  constexpr ::phlox::Primitive primitive_name##_primitive PHLOX_TABLE_ENTRY(phlox_primitives) = { \
      primitive_number, #primitive_name, evaluate_function, &::phlox::attribute_type<Attributes>}

// Sees each primitive in its scope: tracing, batching, autocast, profiling. Interpreters stack; while one runs, it
// is off, so that what it evaluates reaches the one below.
class Interpreter {
 public:
  virtual ~Interpreter() = default;
  virtual TensorList run(const Primitive& primitive, std::span<const Operand> inputs,
                         const void* attributes) = 0;
  // Data of `source` are to be written into the memory of `target`, which has its shape but maybe another dtype.
  virtual void write(const Tensor& target, const Tensor& source) = 0;
  // A generator is asked for `blocks` of random words: the state to draw them from, i64[3] (ops/primitives/random.h).
  virtual Tensor draw(Generator& generator, std::int64_t blocks) = 0;
  // The gradient that a leaf keeps is about to be read, or replaced without a look at it.
  virtual void gradient_access(const Tensor& leaf, bool reads) = 0;
  // `result` looks at the memory of `input` or is a copy of it, as its layout has decided.
  virtual void layout_decided(const Tensor& input, const Tensor& result) = 0;
  // A tensor of the program takes part in what an interpreter above does with its data.
  virtual void meet(const Tensor& tensor) = 0;

 private:
  friend class InterpreterScope;
  friend class BelowTop;
  Interpreter* below_ = nullptr;
};

// Puts an interpreter on top for a scope.
class InterpreterScope {
 public:
  explicit InterpreterScope(Interpreter& interpreter);

 private:
  ModeGuard restore_;
};

// Hand what happens to the top interpreter. Called when thread_mode.interpreter_count is not zero.
TensorList interpret(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes);
void interpret_write(const Tensor& target, const Tensor& source);
Tensor interpret_draw(Generator& generator, std::int64_t blocks);
void interpret_layout(const Tensor& input, const Tensor& result);
// To all that are active, from the top down.
void interpret_meeting(const Tensor& tensor);

// A result that is a view or a copy of the input, whichever its layout allows.
inline Tensor view_or_copy(const Tensor& input, Tensor result) {
  if (thread_mode.interpreter_count) [[unlikely]]
    interpret_layout(input, result);
  return result;
}

}  // namespace phlox
