// Scans: loops over the rows of tensors.
#include <algorithm>

#include "phlox/graph/control_flow.h"
#include "phlox/graph/evaluate.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/sequence.h"

namespace phlox {
namespace {

using ScanBody = std::function<ScanResult(const TensorList& carry, const TensorList& row)>;

TensorList part(const TensorList& list, std::size_t from, std::size_t count) {
  const auto begin = list.begin() + static_cast<std::ptrdiff_t>(from);
  return TensorList(begin, begin + static_cast<std::ptrdiff_t>(count));
}

std::int64_t count_rows(const TensorList& inputs) {
  for (const Tensor& input : inputs) {
    if (input.rank() > 0 && input.size(0) == inputs[0].size(0)) continue;
    auto error =
        fail<ShapeError>(ErrorCode::sizes_differ, "scan: the inputs have not the same number of rows");
    for (const Tensor& each : inputs) error.detail("input", describe(each));
    error.raise();
  }
  if (inputs.empty()) fail<ShapeError>(ErrorCode::sizes_differ, "scan: there are no inputs").raise();
  return inputs[0].size(0);
}

// Rows without values.
TensorList abstract_rows(const TensorList& inputs) {
  TensorList rows;
  for (const Tensor& input : inputs) {
    graph::Type type = graph::type_of(input);
    type.shape = Shape(std::span<const std::int64_t>(type.shape).subspan(1));
    rows.push_back(graph::abstract_tensor(type));
  }
  return rows;
}

// The stacks of no results.
TensorList no_outputs(const ScanBody& body, const TensorList& carry, const TensorList& inputs) {
  const TensorList outputs = [&] {
    const AbstractScope abstract;
    return body(carry, abstract_rows(inputs)).outputs;
  }();
  TensorList stacked;
  for (const Tensor& output : outputs) {
    Shape shape{0};
    for (std::int64_t size : output.shape()) shape.push_back(size);
    stacked.push_back(zeros(shape, output.dtype(), output.device()));
  }
  return stacked;
}

ScanResult scan_eagerly(const ScanBody& body, TensorList carry, const TensorList& inputs, std::int64_t turns,
                        bool reverse) {
  if (turns == 0) return {carry, no_outputs(body, carry, inputs)};
  std::vector<TensorList> rows, gathered;
  for (const Tensor& input : inputs) rows.push_back(unbind(input));
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    const auto place = static_cast<std::size_t>(reverse ? turns - 1 - turn : turn);
    TensorList row;
    for (const TensorList& of_input : rows) row.push_back(of_input[place]);
    ScanResult result = body(carry, row);
    carry = std::move(result.carry);
    gathered.resize(result.outputs.size());
    for (std::size_t i = 0; i < gathered.size(); ++i) gathered[i].push_back(std::move(result.outputs[i]));
  }
  TensorList outputs;
  for (TensorList& results : gathered) {
    if (reverse) std::reverse(results.begin(), results.end());
    outputs.push_back(stack(results).contiguous());  // as from a captured loop
  }
  return {carry, outputs};
}

// A loop that takes the rows from sequences and gathers the results in others.
ScanResult scan_captured(graph::Tracer& tracer, const ScanBody& body, const TensorList& carry,
                         const TensorList& inputs, std::int64_t turns, bool reverse) {
  const TensorList rows = abstract_rows(inputs);
  const std::vector<graph::Type> output_types =
      tracer.result_types(graph::joined(carry, rows), [&](const TensorList& given) {
        return body(part(given, 0, carry.size()), part(given, carry.size(), rows.size())).outputs;
      });
  TensorList state = carry;
  for (const Tensor& input : inputs)
    state.push_back(apply_sequence_unstack(reverse ? input : flip(input, {0})));
  for (std::size_t i = 0; i < output_types.size(); ++i) state.push_back(apply_sequence_empty());
  const auto turn = [&](const Tensor&, const TensorList& before) {
    TensorList row, after;
    TensorList left;  // of the rows
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Popped popped = apply_sequence_pop(before[carry.size() + i], rows[i]);
      left.push_back(std::move(popped.below));
      row.push_back(std::move(popped.top));
    }
    ScanResult result = body(part(before, 0, carry.size()), row);
    after = graph::joined(result.carry, left);
    for (std::size_t i = 0; i < result.outputs.size(); ++i)
      after.push_back(apply_sequence_push(before[carry.size() + rows.size() + i], result.outputs[i]));
    return after;
  };
  const TensorList last = for_loop(full({}, turns, DType::int64), turn, state);
  TensorList outputs;
  for (std::size_t i = 0; i < output_types.size(); ++i) {
    const Tensor stacked = apply_sequence_stack(last[carry.size() + rows.size() + i], turns,
                                                graph::abstract_tensor(output_types[i]));
    outputs.push_back(reverse ? flip(stacked, {0}).contiguous() : stacked);
  }
  return {part(last, 0, carry.size()), outputs};
}

}  // namespace

ScanResult scan(const ScanBody& body, TensorList carry, const TensorList& inputs, bool reverse) {
  const std::int64_t turns = count_rows(inputs);
  if (graph::Tracer* tracer = graph::active_tracer())
    return scan_captured(*tracer, body, carry, inputs, turns, reverse);
  return scan_eagerly(body, std::move(carry), inputs, turns, reverse);
}

TensorList map(const std::function<TensorList(const TensorList& row)>& body, const TensorList& inputs) {
  return scan([&](const TensorList&, const TensorList& row) { return ScanResult{{}, body(row)}; }, {}, inputs)
      .outputs;
}

}  // namespace phlox
