#include "phlox/ops/primitives/primitive.h"

#include <algorithm>

#include "phlox/core/random.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/generator_state.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/watch.h"

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

const Primitive* find_primitive(std::string_view name) {
  for (const Primitive* p : primitives())
    if (name == p->name) return p;
  return nullptr;
}

InterpreterScope::InterpreterScope(Interpreter& interpreter) {
  interpreter.below_ = thread_mode.top;
  thread_mode.top = &interpreter;
  ++thread_mode.interpreter_count;
}

// Takes the top interpreter off for a scope.
class BelowTop {
 public:
  BelowTop() : top_(thread_mode.top) {
    thread_mode.top = top_->below_;
    --thread_mode.interpreter_count;
  }
  Interpreter* operator->() const { return top_; }

 private:
  ModeGuard restore_;
  Interpreter* top_;
};

TensorList interpret(const Primitive& primitive, std::span<const Operand> inputs, const void* attributes) {
  if (!interpreters()) return run_watched(primitive, inputs, attributes);
  return BelowTop()->run(primitive, inputs, attributes);
}
void interpret_write(const Tensor& target, const Tensor& source) {
  if (interpreters()) return BelowTop()->write(target, source);
  const Unwatched unwatched;
  copy_data(source, target);
}
void detail::note_gradient_access(const Tensor& leaf, bool reads) {
  if (interpreters()) BelowTop()->gradient_access(leaf, reads);
}
void interpret_layout(const Tensor& input, const Tensor& result) {
  if (interpreters()) BelowTop()->layout_decided(input, result);
}
void interpret_meeting(const Tensor& tensor) {
  if (!interpreters()) return;
  const BelowTop below;
  below->meet(tensor);
  interpret_meeting(tensor);
}
Tensor interpret_draw(Generator& generator, std::int64_t blocks) {
  if (interpreters()) return BelowTop()->draw(generator, blocks);
  return state_tensor(generator.reserve(static_cast<std::uint64_t>(blocks)));
}
Tensor generator_state(Generator& generator) {
  if (!interpreters()) return state_tensor(generator.state());
  auto* states = dynamic_cast<GeneratorStates*>(thread_mode.top);
  const BelowTop below;
  return states ? states->generator_state(generator) : generator_state(generator);
}
void set_generator_state(Generator& generator, const Tensor& state) {
  if (!interpreters()) return generator.set_state(state_from(state));
  auto* states = dynamic_cast<GeneratorStates*>(thread_mode.top);
  const BelowTop below;
  if (states) states->set_generator_state(generator, state);
  else set_generator_state(generator, state);
}

}  // namespace phlox
