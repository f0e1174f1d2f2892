#include "phlox/ops/primitives/primitive.h"

#include <algorithm>

namespace phlox {

std::span<const Primitive* const> primitives() {
  static const std::vector<const Primitive*> all = [] {
    std::vector<const Primitive*> found;
    for (const Primitive& p : PHLOX_TABLE_SPAN(phlox_primitives)) found.push_back(&p);
    std::sort(found.begin(), found.end(), [](auto* a, auto* b) { return a->number < b->number; });
    return found;
  }();
  return all;
}

InterpreterScope::InterpreterScope(Interpreter& interpreter) {
  interpreter.below_ = thread_mode.top;
  thread_mode.top = &interpreter;
  ++thread_mode.interpreter_count;
}

TensorList interpret(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  ModeGuard restore;
  Interpreter* top = thread_mode.top;
  thread_mode.top = top->below_;
  --thread_mode.interpreter_count;
  return top->run(primitive, inputs, attributes);
}

}  // namespace phlox
