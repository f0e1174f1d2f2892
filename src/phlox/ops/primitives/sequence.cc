#include "phlox/ops/primitives/sequence.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

// --- memory

// One element and what lies below it; null is the empty sequence.
struct Cell {
  ReferenceCount references;
  Reference<Cell> below;
  Tensor top;
};

// In a loop, since a sequence may be long.
void destroy(Cell* cell) {
  while (cell) {
    Cell* const below = cell->below.detach();
    delete cell;
    cell = below && below->references.release() ? below : nullptr;
  }
}

void release_cell(void* cell) { Reference<Cell>::adopt(static_cast<Cell*>(cell)); }

Tensor sequence_of(Reference<Cell> top) {
  Tensor result = [] {
    const AbstractScope abstract;  // without memory of its own
    return make_tensor({}, DType::sequence, Device{});
  }();
  static char place[element_size(DType::sequence)];
  Storage* const none = result.impl()->storage;
  result.impl()->storage = wrap_storage(place, sizeof place, release_cell, top.detach(), true);
  if (none->references.release()) destroy(none);
  return result;
}

// The cell on top; null for an empty sequence.
Reference<Cell> top_of(const Tensor& sequence) {
  const Storage& storage = *sequence.impl()->storage;
  if (storage.release != release_cell)
    fail<GraphError>(ErrorCode::bad_graph, "a tensor that is no sequence is used as one")
        .detail("tensor", describe(sequence))
        .raise();
  return Reference<Cell>::share(static_cast<Cell*>(storage.owner));
}

Tensor abstract_sequence() {
  abstract_evaluation.needs_values = true;
  return make_tensor({}, DType::sequence, Device{});
}

void check_element(const Tensor& element, const Tensor& like) {
  if (element.dtype() == like.dtype() && element.shape() == like.shape() && element.device() == like.device())
    return;
  fail<GraphError>(ErrorCode::bad_graph, "an element of a sequence is not of the type that is expected")
      .detail("element", describe(element))
      .detail("expected", describe(like))
      .raise();
}

// --- primitives

struct ElementAttributes {
  DType dtype = DType::float32;
  Shape shape;
  Device device;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dtype", dtype), v("shape", shape), v("device", device);
  }
};
struct StackAttributes {
  std::int64_t count = 0;
  ElementAttributes element;
  template <class Visitor>
  void visit(Visitor& v) {
    v("count", count), element.visit(v);
  }
};

ElementAttributes element_like(const Tensor& like) { return {like.dtype(), like.shape(), like.device()}; }

// A tensor of this type without data.
Tensor abstract_element(const ElementAttributes& element) {
  const AbstractScope abstract;
  return make_tensor(element.shape, element.dtype, element.device);
}

TensorList evaluate_empty(std::span<const Operand>, const void*) { return {apply_sequence_empty()}; }
PHLOX_PRIMITIVE(sequence_empty, 90, evaluate_empty, NoAttributes);

TensorList evaluate_push(std::span<const Operand> inputs, const void*) {
  return {apply_sequence_push(inputs[0].tensor(), inputs[1].tensor())};
}
PHLOX_PRIMITIVE(sequence_push, 91, evaluate_push, NoAttributes);

TensorList evaluate_pop(std::span<const Operand> inputs, const void* attributes) {
  const auto& element = *static_cast<const ElementAttributes*>(attributes);
  Popped popped = apply_sequence_pop(inputs[0].tensor(), abstract_element(element));
  return {std::move(popped.below), std::move(popped.top)};
}
PHLOX_PRIMITIVE(sequence_pop, 92, evaluate_pop, ElementAttributes);

TensorList evaluate_add(std::span<const Operand> inputs, const void*) {
  return {apply_sequence_add(inputs[0].tensor(), inputs[1].tensor())};
}
PHLOX_PRIMITIVE(sequence_add, 93, evaluate_add, NoAttributes);

TensorList evaluate_stack(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const StackAttributes*>(attributes);
  return {apply_sequence_stack(inputs[0].tensor(), a.count, abstract_element(a.element))};
}
PHLOX_PRIMITIVE(sequence_stack, 94, evaluate_stack, StackAttributes);

TensorList evaluate_unstack(std::span<const Operand> inputs, const void*) {
  return {apply_sequence_unstack(inputs[0].tensor())};
}
PHLOX_PRIMITIVE(sequence_unstack, 95, evaluate_unstack, NoAttributes);

// --- rules

void require_sequence(const PrimitiveCall& call, std::size_t input) {
  call.require_dtype("the sequence", call.tensor(input), DType::sequence);
  call.require_shape("the sequence", call.tensor(input), {});
}
void require_element(const PrimitiveCall& call, const ElementAttributes& element) {
  call.require_sizes("shape", element.shape);
  call.require(element.dtype == DType::sequence ? element.shape.empty() : is_computable(element.dtype),
               "elements cannot be {}[{}]", info(element.dtype).name, to_string(element.shape));
}

void check_empty(const PrimitiveCall& call) { call.takes(0); }
PHLOX_PRIMITIVE_RULE(sequence_empty, check_empty);
void check_push(const PrimitiveCall& call) {
  call.takes(2);
  require_sequence(call, 0);
  require_element(call, element_like(call.tensor(1)));
}
PHLOX_PRIMITIVE_RULE(sequence_push, check_push);
void check_pop(const PrimitiveCall& call) {
  call.takes(1);
  require_sequence(call, 0);
  require_element(call, call.attributes<ElementAttributes>());
}
PHLOX_PRIMITIVE_RULE(sequence_pop, check_pop);
void check_add(const PrimitiveCall& call) {
  call.takes(2);
  require_sequence(call, 0);
  require_sequence(call, 1);
}
PHLOX_PRIMITIVE_RULE(sequence_add, check_add);
void check_stack(const PrimitiveCall& call) {
  call.takes(1);
  require_sequence(call, 0);
  const auto& a = call.attributes<StackAttributes>();
  require_element(call, a.element);
  call.require_computable(a.element.dtype);
  IntList sizes = a.element.shape;
  call.require(sizes.size() < max_rank, "the elements have too many dimensions");
  sizes.push_back(a.count);
  call.require_sizes("count and shape", sizes);
}
PHLOX_PRIMITIVE_RULE(sequence_stack, check_stack);
void check_unstack(const PrimitiveCall& call) {
  call.takes(1);
  call.require_computable(call.tensor(0).dtype());
  call.require(call.tensor(0).rank() > 0, "a tensor without dimensions has no rows");
}
PHLOX_PRIMITIVE_RULE(sequence_unstack, check_unstack);

// --- gradients

class PushNode final : public GradientNode {
 public:
  PushNode(const Tensor& sequence, const Tensor& element)
      : GradientNode("sequence_push", 2), like_(abstract_element(element_like(element))) {
    edges()[0] = gradient_edge(sequence);
    edges()[1] = gradient_edge(element);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    Popped popped = apply_sequence_pop(output_gradients[0], like_);
    input_gradients[0] = std::move(popped.below);
    input_gradients[1] = std::move(popped.top);
  }
  void release_saved() override {}

 private:
  Tensor like_;
};

class PopNode final : public GradientNode {
 public:
  PopNode(const Tensor& sequence, const Tensor& like)
      : GradientNode("sequence_pop", 1, 2), like_(abstract_element(element_like(like))) {
    edges()[0] = gradient_edge(sequence);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const auto& [below, top] = std::tie(output_gradients[0], output_gradients[1]);
    input_gradients[0] = apply_sequence_push(below.defined() ? below : apply_sequence_empty(),
                                             top.defined() ? top : zero_gradient(like_));
  }
  void release_saved() override {}

 private:
  Tensor like_;
};

class SequenceAddNode final : public GradientNode {
 public:
  SequenceAddNode(const Tensor& a, const Tensor& b) : GradientNode("sequence_add", 2) {
    edges()[0] = gradient_edge(a);
    edges()[1] = gradient_edge(b);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    input_gradients[0] = input_gradients[1] = output_gradients[0];
  }
  void release_saved() override {}
};

class SequenceStackNode final : public GradientNode {
 public:
  explicit SequenceStackNode(const Tensor& sequence) : GradientNode("sequence_stack", 1) {
    edges()[0] = gradient_edge(sequence);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    input_gradients[0] = apply_sequence_unstack(output_gradients[0]);
  }
  void release_saved() override {}
};

class UnstackNode final : public GradientNode {
 public:
  explicit UnstackNode(const Tensor& tensor)
      : GradientNode("sequence_unstack", 1),
        count_(tensor.size(0)),
        like_(
            abstract_element({tensor.dtype(), Shape(std::span<const std::int64_t>(tensor.shape()).subspan(1)),
                              tensor.device()})) {
    edges()[0] = gradient_edge(tensor);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    input_gradients[0] = apply_sequence_stack(output_gradients[0], count_, like_);
  }
  void release_saved() override {}

 private:
  std::int64_t count_;
  Tensor like_;
};

template <class Node, class... Arguments>
Reference<GradientNode> new_node(const Arguments&... arguments) {
  return Reference<GradientNode>::adopt(new Node(arguments...));
}

}  // namespace

Tensor zero_gradient(const Tensor& like) {
  if (like.dtype() == DType::sequence) return apply_sequence_empty();
  return zeros(like.shape(), like.dtype(), like.device());
}

Tensor apply_sequence_empty() {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const NoAttributes none;
    return interpret(sequence_empty_primitive, {}, &none)[0];
  }
  return thread_mode.abstract ? abstract_sequence() : sequence_of({});
}

Tensor apply_sequence_push(const Tensor& sequence, const Tensor& element) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {sequence, element};
    const NoAttributes none;
    return interpret(sequence_push_primitive, operands, &none)[0];
  }
  Tensor result;
  if (thread_mode.abstract) {
    result = abstract_sequence();
  } else {
    auto cell = Reference<Cell>::adopt(new Cell);
    cell->below = top_of(sequence);  // may be refused
    cell->top = shallow_alias(element);
    result = sequence_of(std::move(cell));
  }
  if (needs_gradient(sequence) || needs_gradient(element))
    set_history(result, new_node<PushNode>(sequence, element));
  return result;
}

Popped apply_sequence_pop(const Tensor& sequence, const Tensor& like) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {sequence};
    const ElementAttributes attributes = element_like(like);
    TensorList found = interpret(sequence_pop_primitive, operands, &attributes);
    return {found[0], found[1]};
  }
  Popped popped;
  if (thread_mode.abstract) {
    popped = {abstract_sequence(), make_tensor(like.shape(), like.dtype(), like.device())};
  } else if (const Reference<Cell> cell = top_of(sequence)) {
    check_element(cell->top, like);
    popped = {sequence_of(cell->below), shallow_alias(cell->top)};
  } else {
    popped = {apply_sequence_empty(), zero_gradient(like)};
  }
  if (needs_gradient(sequence)) {
    const auto node = new_node<PopNode>(sequence, like);
    set_history(popped.below, node, 0);
    set_history(popped.top, node, 1);
  }
  return popped;
}

Tensor apply_sequence_add(const Tensor& a, const Tensor& b) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {a, b};
    const NoAttributes none;
    return interpret(sequence_add_primitive, operands, &none)[0];
  }
  Tensor result;
  if (thread_mode.abstract) {
    result = abstract_sequence();
  } else {
    const NoGrad no_grad;
    Reference<Cell> left = top_of(a), right = top_of(b);
    TensorList sums;  // from the top, as far as both reach
    for (; left && right; left = left->below, right = right->below) {
      const bool nested = left->top.dtype() == DType::sequence;
      check_element(right->top, left->top);
      sums.push_back(nested ? apply_sequence_add(left->top, right->top) : add(left->top, right->top));
    }
    result = sequence_of(left ? left : right);
    for (auto sum = sums.rbegin(); sum != sums.rend(); ++sum) result = apply_sequence_push(result, *sum);
  }
  if (needs_gradient(a) || needs_gradient(b)) set_history(result, new_node<SequenceAddNode>(a, b));
  return result;
}

Tensor apply_sequence_stack(const Tensor& sequence, std::int64_t count, const Tensor& like) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {sequence};
    const StackAttributes attributes{count, element_like(like)};
    return interpret(sequence_stack_primitive, operands, &attributes)[0];
  }
  Shape shape{count};
  for (std::int64_t size : like.shape()) shape.push_back(size);
  Tensor result;
  if (thread_mode.abstract || count == 0) {
    abstract_evaluation.needs_values |= thread_mode.abstract;
    result = make_tensor(shape, like.dtype(), like.device());
  } else {
    const NoGrad no_grad;
    TensorList elements;
    Reference<Cell> cell = top_of(sequence);
    for (std::int64_t i = 0; i < count; ++i) {
      if (cell) check_element(cell->top, like);
      elements.push_back(cell ? cell->top : zero_gradient(like));
      if (cell) cell = cell->below;
    }
    std::reverse(elements.begin(), elements.end());
    result = stack(elements);
  }
  if (needs_gradient(sequence)) set_history(result, new_node<SequenceStackNode>(sequence));
  return result;
}

Tensor apply_sequence_unstack(const Tensor& tensor) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {tensor};
    const NoAttributes none;
    return interpret(sequence_unstack_primitive, operands, &none)[0];
  }
  Tensor result;
  if (thread_mode.abstract) {
    result = abstract_sequence();
  } else {
    const NoGrad no_grad;
    const Tensor rows = tensor.contiguous();
    result = apply_sequence_empty();
    for (std::int64_t i = 0; i < rows.size(0); ++i) result = apply_sequence_push(result, select(rows, 0, i));
  }
  if (needs_gradient(tensor)) set_history(result, new_node<UnstackNode>(tensor));
  return result;
}

}  // namespace phlox
