#include <fmt/format.h>

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

// A view as graphs mean it: of elements, wherever they lie.
Tensor evaluate_view(const Tensor& input, const ViewAttributes& attributes) {
  if (attributes.kind == ViewKind::strided) {
    const Tensor row_major = input.contiguous();
    ViewAttributes moved = attributes;
    moved.offset += row_major.storage_offset();
    return apply_view(row_major, moved);
  }
  const Tensor result = apply_view(input, attributes);
  return result.defined()
             ? result
             : apply_view(apply_convert(input, input.dtype(), MemoryOrder::row_major), attributes);
}

// Counts the uses of each node, so that values are released after the last.
std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes().size(), 0);
  for (const auto& node : graph.nodes())
    for (const Input& input : node->inputs())
      if (const auto* value = std::get_if<Value>(&input))
        ++uses[static_cast<std::size_t>(value->node->number())];
  for (const Value& output : graph.outputs()) ++uses[static_cast<std::size_t>(output.node->number())];
  return uses;
}

}  // namespace

TensorList execute(const Graph& graph, std::span<const Tensor> inputs) {
  NoGrad no_grad;
  std::vector<TensorList> values(graph.nodes().size());
  std::vector<int> uses = count_uses(graph);
  const Primitive* const view = find_primitive("view");
  std::size_t next_input = 0;
  for (const auto& node : graph.nodes()) {
    TensorList& results = values[static_cast<std::size_t>(node->number())];
    if (node->kind() == NodeKind::input) {
      results = {inputs[next_input++]};
      continue;
    }
    if (node->kind() == NodeKind::constant) {
      results = {node->constant()};
      continue;
    }
    TensorList held(node->inputs().size());
    std::vector<Operand> operands;
    operands.reserve(held.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
      const Input& input = node->inputs()[i];
      if (const auto* number = std::get_if<Scalar>(&input)) {
        operands.emplace_back(*number);
        continue;
      }
      if (const auto* value = std::get_if<Value>(&input)) {
        const auto from = static_cast<std::size_t>(value->node->number());
        held[i] = values[from][static_cast<std::size_t>(value->output)];
        if (--uses[from] == 0) values[from].clear();
      }
      operands.emplace_back(held[i]);
    }
    if (&node->primitive() == view)
      results = {evaluate_view(held[0], *static_cast<const ViewAttributes*>(node->attributes().get()))};
    else results = node->primitive().evaluate(operands, node->attributes().get());
  }
  TensorList outputs;
  for (const Value& output : graph.outputs())
    outputs.push_back(
        values[static_cast<std::size_t>(output.node->number())][static_cast<std::size_t>(output.output)]);
  return outputs;
}

namespace {

Tensor input_from(const Source& source, const TensorList& arguments) {
  if (source.generator) return state_tensor(source.generator->state());
  Tensor tensor = source.argument >= 0 ? arguments[static_cast<std::size_t>(source.argument)] : source.tensor;
  if (source.gradient) tensor = tensor.grad();
  if (!tensor.defined()) return tensor;
  if (!source.flat) return shallow_alias(tensor);
  const TensorImpl& t = *tensor.impl();
  Tensor flat =
      make_view(tensor, {static_cast<std::int64_t>(t.storage->bytes) / element_size(t.dtype)}, {1}, 0);
  return shallow_alias(flat);
}

void check_type(const Tensor& tensor, const Type& type, const std::string& name) {
  if (tensor.defined() && type_of(tensor) == type) return;
  auto error = fail<GraphError>(ErrorCode::not_capturable, "the function was captured for other inputs");
  error.detail("captured for", fmt::format("{} {}", name, to_string(type)));
  if (tensor.defined()) error.detail("called with", describe(tensor));
  error.raise();
}

}  // namespace

TensorList Captured::run(const TensorList& arguments) const {
  TensorList inputs;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    inputs.push_back(input_from(sources[i], arguments));
    check_type(inputs[i], graph->inputs()[i].type(), graph->input_name(static_cast<int>(i)));
  }
  TensorList outputs = execute(*graph, inputs);

  NoGrad no_grad;
  const auto output = [&](int i) -> Tensor& { return outputs[static_cast<std::size_t>(i)]; };
  // What is to be written may itself look at memory that is written.
  const auto looks_at_inputs = [&](const Tensor& value) {
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](const Tensor& input) { return value.shares_storage_with(input); });
  };
  for (Tensor& value : outputs)
    if (looks_at_inputs(value)) value = value.clone();
  for (const Write& write : writes) {
    if (Generator* generator = sources[static_cast<std::size_t>(write.source)].generator) {
      generator->set_state(state_from(output(write.output)));
      continue;
    }
    const Tensor& target = inputs[static_cast<std::size_t>(write.source)];
    copy_data(output(write.output), target);
    bump_version(target);
  }
  for (const Gradient& gradient : gradients)
    gradient.leaf.set_grad(gradient.output < 0 ? Tensor() : output(gradient.output));
  TensorList returned;
  for (const Result& result : results) {
    if (result.output >= 0) {
      returned.push_back(output(result.output));
      continue;
    }
    returned.push_back(make_view(inputs[static_cast<std::size_t>(result.source)], result.shape,
                                 result.strides, result.offset));
    returned.back().impl()->dtype = result.dtype;
  }
  return returned;
}

Captured trace(const std::function<TensorList(const TensorList&)>& function, const TensorList& examples) {
  Tracer tracer(examples);
  Captured captured;
  {
    TensorList results;
    {
      InterpreterScope active(tracer);
      results = function(tracer.arguments());
    }
    captured = tracer.finish(results);
  }
  tracer.check_nothing_escaped();
  return captured;
}

}  // namespace phlox::graph
