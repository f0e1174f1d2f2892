// Primitives: the closed, numbered set that everything lowers to, and the interpreters that see them before they run.
#pragma once

#include <cstdint>
#include <span>

#include "phlox/base/registration.h"
#include "phlox/core/tensor.h"

namespace phlox {

struct Primitive {
  std::uint16_t number;  // in saved files: never reused
  const char* name;
  // Runs it with the interpreters that are active now. `attributes` is the primitive's own struct.
  TensorList (*evaluate)(std::span<const Operand> inputs, const void* attributes);
};
PHLOX_TABLE(Primitive, phlox_primitives);

// All primitives, in the order of their numbers.
std::span<const Primitive* const> primitives();

#define PHLOX_PRIMITIVE(primitive_name, primitive_number, evaluate_function)                      \
  constexpr ::phlox::Primitive primitive_name##_primitive PHLOX_TABLE_ENTRY(phlox_primitives) = { \
      primitive_number, #primitive_name, evaluate_function}

// Sees each primitive in its scope: tracing, batching, autocast, profiling. Interpreters stack; while one runs, it
// is off, so that what it evaluates reaches the one below.
class Interpreter {
 public:
  virtual ~Interpreter() = default;
  virtual TensorList run(const Primitive& primitive, std::span<const Operand> inputs,
                         const void* attributes) = 0;

 private:
  friend class InterpreterScope;
  friend TensorList interpret(const Primitive&, std::span<const Operand>, const void*);
  Interpreter* below_ = nullptr;
};

// Puts an interpreter on top for a scope.
class InterpreterScope {
 public:
  explicit InterpreterScope(Interpreter& interpreter);

 private:
  ModeGuard restore_;
};

// Hands a primitive to the top interpreter. Primitives call it when thread_mode.interpreter_count is not zero.
TensorList interpret(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes);

}  // namespace phlox
