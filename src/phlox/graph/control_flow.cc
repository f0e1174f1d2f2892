#include "phlox/graph/control_flow.h"

#include <fmt/format.h>

#include "phlox/graph/evaluate.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace graph {
namespace {

// Regions are no attributes, so these are run by run_regions() and never by themselves.
TensorList evaluate_without_regions(std::span<const Operand>, const void*) {
  fail<GraphError>(ErrorCode::bad_graph, "a node of control flow has no regions").raise();
}
PHLOX_PRIMITIVE(cond, 80, evaluate_without_regions, NoAttributes);
PHLOX_PRIMITIVE(while_loop, 81, evaluate_without_regions, NoAttributes);
PHLOX_PRIMITIVE(for_loop, 82, evaluate_without_regions, NoAttributes);

// With regions, types_of_regions() is the rule.
void check_without_regions(const PrimitiveCall& call) { call.require(false, "it has no regions"); }
PHLOX_PRIMITIVE_RULE(cond, check_without_regions);
PHLOX_PRIMITIVE_RULE(while_loop, check_without_regions);
PHLOX_PRIMITIVE_RULE(for_loop, check_without_regions);

[[noreturn]] void broken(const Primitive& primitive, const char* why) {
  fail<GraphError>(ErrorCode::bad_graph, "{}: {}", primitive.name, why).raise();
}

std::vector<Type> output_types(const Graph& graph) {
  std::vector<Type> types;
  for (const Value& output : graph.outputs()) types.push_back(output.type());
  return types;
}

TensorList tensors_of(std::span<const Operand> operands) {
  TensorList tensors;
  for (const Operand& operand : operands) tensors.push_back(operand.tensor());
  return tensors;
}

}  // namespace

std::vector<Type> types_of_regions(const Primitive& primitive, std::span<const Input> inputs,
                                   std::span<const GraphPointer> regions) {
  const bool is_cond = &primitive == &cond_primitive, is_while = &primitive == &while_loop_primitive;
  if (!is_cond && !is_while && &primitive != &for_loop_primitive) broken(primitive, "it takes no regions");
  if (regions.size() != (is_cond || is_while ? 2u : 1u)) broken(primitive, "the number of regions is wrong");
  std::vector<Type> given;
  for (const Input& input : inputs) {
    const auto* value = std::get_if<Value>(&input);
    if (!value) broken(primitive, "its inputs are values");
    given.push_back(value->type());
  }
  if (!is_while) {
    const DType dtype = is_cond ? DType::bool_ : DType::int64;
    if (given.empty() || given[0].dtype != dtype || !given[0].shape.empty())
      broken(primitive, is_cond ? "the condition is not bool[]" : "the count is not i64[]");
    if (is_cond)
      given.erase(given.begin());  // a region does not see the condition, but an index like the count
  }
  for (const GraphPointer& region : regions) {
    bool fits = region->inputs().size() == given.size();
    for (std::size_t i = 0; i < given.size() && fits; ++i) fits = region->inputs()[i].type() == given[i];
    if (!fits) broken(primitive, "the inputs of a region are not those of the node");
  }
  std::vector<Type> types = output_types(*regions.back());
  if (is_cond) {
    if (output_types(*regions[0]) != types) broken(primitive, "the regions give different types");
    return types;
  }
  const std::size_t skipped = is_while ? 0 : 1;
  bool fits = types.size() + skipped <= given.size();
  for (std::size_t i = 0; i < types.size() && fits; ++i) fits = types[i] == given[i + skipped];
  if (!fits) broken(primitive, "the body does not give the types of the state");
  if (is_while && output_types(*regions[0]) != std::vector<Type>{{DType::bool_, {}, Device{}}})
    broken(primitive, "the test does not give bool[]");
  return types;
}

TensorList run_regions(const Node& node, std::span<const Operand> operands, const RegionRunner& run) {
  const auto regions = node.regions();
  if (&node.primitive() == &cond_primitive) {
    const TensorList inputs = tensors_of(operands.subspan(1));
    return phlox::cond(
        operands[0].tensor(), [&] { return run(regions[0], inputs); },
        [&] { return run(regions[1], inputs); });
  }
  const bool is_while = &node.primitive() == &while_loop_primitive;
  const std::size_t count = node.types().size(), skipped = is_while ? 0 : 1;
  const TensorList state = tensors_of(operands.subspan(skipped, count)),
                   others = tensors_of(operands.subspan(skipped + count));
  if (is_while)
    return phlox::while_loop([&](const TensorList& s) { return run(regions[0], joined(s, others))[0]; },
                             [&](const TensorList& s) { return run(regions[1], joined(s, others)); }, state);
  return phlox::for_loop(
      operands[0].tensor(),
      [&](const Tensor& i, const TensorList& s) { return run(regions[0], joined(joined({i}, s), others)); },
      state);
}

}  // namespace graph

namespace {

void check_condition(const Tensor& condition, const char* operation) {
  if (condition.dtype() == DType::bool_ && condition.rank() == 0) return;
  fail<TypeError>(ErrorCode::wrong_argument_type, "{}: the condition is one truth value, bool[]", operation)
      .detail("condition", describe(condition))
      .hint("compare, or reduce with any() or all()")
      .raise();
}

}  // namespace

void require(const Tensor& condition, const std::string& message) {
  check_condition(condition, "require");
  if (graph::Tracer* tracer = graph::active_tracer()) return tracer->require(condition, message);
  apply_check(condition, condition, CheckError::assertion, message);
}

TensorList cond(const Tensor& condition, const std::function<TensorList()>& if_true,
                const std::function<TensorList()>& if_false) {
  check_condition(condition, "cond");
  if (graph::Tracer* tracer = graph::active_tracer()) return tracer->trace_cond(condition, if_true, if_false);
  return condition.item<bool>() ? if_true() : if_false();
}

TensorList while_loop(const std::function<Tensor(const TensorList&)>& test,
                      const std::function<TensorList(const TensorList&)>& body, TensorList state) {
  if (graph::Tracer* tracer = graph::active_tracer()) return tracer->trace_while(test, body, state);
  for (;;) {
    const Tensor condition = test(state);
    check_condition(condition, "while_loop");
    if (!condition.item<bool>()) return state;
    state = body(state);
  }
}

TensorList for_loop(const Tensor& count,
                    const std::function<TensorList(const Tensor&, const TensorList&)>& body,
                    TensorList state) {
  if (count.rank() != 0 || !is_integer(count.dtype()))
    fail<TypeError>(ErrorCode::wrong_argument_type, "for_loop: the count is one integer")
        .detail("count", describe(count))
        .raise();
  if (graph::Tracer* tracer = graph::active_tracer())
    return tracer->trace_for(count.to(DType::int64), body, state);
  const auto turns = count.item<std::int64_t>();
  for (std::int64_t i = 0; i < turns; ++i) state = body(Tensor(Scalar(i)), state);
  return state;
}

}  // namespace phlox
