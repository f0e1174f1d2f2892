#include <algorithm>

#include "phlox/core/mode.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"
#include "phlox/ops/effects.h"

namespace phlox::graph {
namespace {

constexpr std::int64_t largest_result = 64 << 10;  // bytes
constexpr std::int64_t largest_from_nothing = 64;  // elements of a fill or a range that becomes a constant

bool is_constant(const Input& input) {
  const auto* value = std::get_if<Value>(&input);
  return !value || value->node->kind() == NodeKind::constant;
}

bool is_worth_folding(const Candidate& candidate) {
  if (is_effect(candidate.primitive) || !candidate.regions.empty() ||
      !std::all_of(candidate.inputs.begin(), candidate.inputs.end(), is_constant))
    return false;
  std::int64_t bytes = 0, elements = 0;
  for (const Type& type : candidate.types) {
    if (type.device != Device{} || type.dtype == DType::sequence) return false;
    elements += element_count(type.shape);
    bytes += element_count(type.shape) * element_size(type.dtype);
  }
  const bool from_nothing = candidate.applies("fill") || candidate.applies("arange");
  return bytes <= largest_result && (!from_nothing || elements <= largest_from_nothing);
}

// Nothing when the evaluation throws: the error belongs to the run.
std::optional<TensorList> try_evaluate(const Candidate& candidate) {
  NoGrad no_grad;  // restores the other modes as well
  thread_mode.interpreter_count = 0;
  thread_mode.abstract = false;
  TensorList held(candidate.inputs.size());
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (const auto* number = std::get_if<Scalar>(&candidate.inputs[i])) {
      operands.emplace_back(*number);
      continue;
    }
    if (const Value* value = candidate.value(i)) held[i] = value->node->constant();
    operands.emplace_back(held[i]);
  }
  try {
    return evaluate(candidate.primitive, candidate.attributes, operands);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

GraphPointer fold_constants(const GraphPointer& graph) {
  return rebuild(*graph, fold_constants, [](Rebuilder& to, const Candidate& candidate) -> Replacement {
    if (!is_worth_folding(candidate)) return std::nullopt;
    const auto results = try_evaluate(candidate);
    if (!results) return std::nullopt;
    std::vector<Value> values;
    for (const Tensor& result : *results) values.push_back(to.constant(result));
    return values;
  });
}

}  // namespace phlox::graph
