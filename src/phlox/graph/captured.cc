#include "phlox/graph/captured.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/graph/graph_gradient.h"
#include "phlox/graph/plan.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/random.h"

namespace phlox::graph {
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

[[noreturn]] void throw_other_inputs(const std::string& captured, const std::string& called) {
  fail<GraphError>(ErrorCode::not_capturable, "the function was captured for other inputs")
      .detail("captured for", captured)
      .detail("called with", called)
      .hint("capture it again for these")
      .raise();
}

}  // namespace

bool Captured::gradients_fit() const {
  return std::all_of(expected_gradients.begin(), expected_gradients.end(),
                     [](const auto& expected) { return expected.first.grad().defined() == expected.second; });
}

void Captured::check_arguments(const TensorList& given) const {
  if (given.size() != arguments.size())
    throw_other_inputs(fmt::format("{} tensors", arguments.size()), fmt::format("{} tensors", given.size()));
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Argument& argument = arguments[i];
    if (!given[i].defined() || type_of(given[i]) != argument.type)
      throw_other_inputs(graph::to_string(argument.type),
                         given[i].defined() ? describe(given[i]) : std::string("nothing"));
    const Source& source = sources[static_cast<std::size_t>(argument.source)];
    const Tensor& first = given[static_cast<std::size_t>(source.argument)];
    if (argument.shared &&
        (given[i].strides() != argument.strides || given[i].storage_offset() != argument.offset ||
         !given[i].shares_storage_with(first)))
      throw_other_inputs("arguments that share memory in a certain way", "others");
  }
  if (writes.empty()) return;
  // What is written must not be seen in another way than was captured.
  for (std::size_t i = 0; i < given.size(); ++i) {
    for (std::size_t s = 0; s < sources.size(); ++s) {
      if (static_cast<int>(s) == arguments[i].source || sources[s].generator) continue;
      const Tensor other = sources[s].argument >= 0 ? given[static_cast<std::size_t>(sources[s].argument)]
                           : sources[s].gradient    ? sources[s].tensor.grad()
                                                    : sources[s].tensor;
      if (other.defined() && other.shares_storage_with(given[i]))
        throw_other_inputs("tensors with memory of their own", "tensors that share memory");
    }
  }
}

TensorList Captured::compute(const TensorList& inputs) const {
  std::shared_ptr<Plan> plan = std::atomic_load(&plan_);
  if (!plan || !plan->fits(inputs)) {
    std::vector<Donation> donations;
    for (const Write& write : writes) {
      const auto uses = std::count_if(results.begin(), results.end(),
                                      [&](const Result& r) { return r.output == write.output; });
      if (uses == 0 && !sources[static_cast<std::size_t>(write.source)].generator)
        donations.push_back({write.output, write.source});
    }
    plan = std::make_shared<Plan>(graph, inputs, donations);
    std::atomic_store(&plan_, plan);
  }
  if (auto outputs = plan->run(inputs)) {
    // In its place already: the input itself.
    for (const Write& write : writes)
      if (plan->is_donated(write.output))
        (*outputs)[static_cast<std::size_t>(write.output)] = inputs[static_cast<std::size_t>(write.source)];
    return std::move(*outputs);
  }
  return execute(*graph, inputs);
}

TensorList Captured::run(const TensorList& given) const {
  const bool recording = gradients_enabled();
  check_arguments(given);
  TensorList inputs;
  inputs.reserve(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    inputs.push_back(input_from(sources[i], given));
    const Type& type = graph->inputs()[i].type();
    if (!inputs[i].defined() || type_of(inputs[i]) != type)
      throw_other_inputs(fmt::format("{} {}", graph->input_name(static_cast<int>(i)), graph::to_string(type)),
                         inputs[i].defined() ? describe(inputs[i]) : std::string("nothing"));
  }
  TensorList outputs = compute(inputs);

  NoGrad no_grad;
  const auto output = [&](int i) -> Tensor& { return outputs[static_cast<std::size_t>(i)]; };
  // What is to be written may itself look at memory that is written.
  const auto looks_at_inputs = [&](const Tensor& value) {
    const auto shared = [&](const Tensor& other) { return value.shares_storage_with(other); };
    return std::any_of(inputs.begin(), inputs.end(), shared) ||
           std::any_of(constants.begin(), constants.end(), shared);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool in_place = std::any_of(writes.begin(), writes.end(), [&](const Write& write) {
      return write.output == static_cast<int>(i) &&
             outputs[i].unsafe_impl() == inputs[static_cast<std::size_t>(write.source)].unsafe_impl();
    });
    if (!in_place && looks_at_inputs(outputs[i])) outputs[i] = outputs[i].clone();
  }
  for (const Write& write : writes) {
    if (Generator* generator = sources[static_cast<std::size_t>(write.source)].generator) {
      generator->set_state(state_from(output(write.output)));
      continue;
    }
    const Tensor& target = inputs[static_cast<std::size_t>(write.source)];
    if (output(write.output).unsafe_impl() != target.unsafe_impl()) copy_data(output(write.output), target);
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
  if (recording) {
    EnableGrad enable;
    record(given, inputs, returned);
  }
  return returned;
}

namespace {

// A captured function in the tape.
class CallNode final : public GradientNode {
 public:
  CallNode(GraphPointer graph, std::vector<int> outputs, const TensorList& inputs,
           std::span<const Edge> edges_of_inputs)
      : GradientNode("captured function", static_cast<int>(inputs.size()), static_cast<int>(outputs.size())),
        graph_(std::move(graph)),
        outputs_(std::move(outputs)) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      edges()[i] = edges_of_inputs[i];
      inputs_.emplace_back(inputs[i], this);
    }
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    TensorList inputs, seeds(graph_->outputs().size());
    std::vector<bool> wanted;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      inputs.push_back(inputs_[i].get(*this));
      wanted.push_back(wants(static_cast<int>(i)));
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      seeds[static_cast<std::size_t>(outputs_[i])] = output_gradients[i];
    TensorList found = gradients_of(*graph_, inputs, wanted, seeds);
    for (std::size_t i = 0, next = 0; i < inputs.size(); ++i)
      if (wanted[i]) input_gradients[i] = std::move(found[next++]);
  }
  void release_saved() override {
    for (SavedTensor& input : inputs_) input.release();
  }
  bool released() const override { return !inputs_.empty() && inputs_[0].released(); }

 private:
  GraphPointer graph_;
  std::vector<int> outputs_;
  std::vector<SavedTensor> inputs_;
};

}  // namespace

void Captured::record(const TensorList& given, const TensorList& inputs, const TensorList& returned) const {
  const auto is_differentiable = [](const Result& result) { return result.differentiable; };
  if (std::none_of(results.begin(), results.end(), is_differentiable)) return;
  TensorList operands = inputs;
  std::vector<Edge> edges(inputs.size());
  bool any = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    if (source.generator || source.gradient) continue;
    const Tensor& original =
        source.argument >= 0 ? given[static_cast<std::size_t>(source.argument)] : source.tensor;
    if (!needs_gradient(original)) continue;
    if (source.flat)
      fail<GraphError>(ErrorCode::not_capturable,
                       "gradients of a captured function do not reach a view of a larger tensor")
          .detail("input", describe(original))
          .hint("<input>.clone() before the call")
          .raise();
    operands[i] = original;
    edges[i] = gradient_edge(original);
    any = true;
  }
  if (!any) return;
  std::vector<int> outputs;
  for (const Result& result : results)
    if (result.differentiable) outputs.push_back(result.output);
  const auto node = Reference<GradientNode>::adopt(new CallNode(graph, outputs, operands, edges));
  int next = 0;
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].differentiable) set_history(returned[i], node, next++);
}

Captured trace(const std::function<TensorList(const TensorList&)>& function, const TensorList& examples) {
  Tracer tracer(examples);
  Captured captured;
  {
    TensorList results;
    {
      InterpreterScope active(tracer);
      thread_mode.capture = tracer.number();
      results = function(tracer.arguments());
    }
    captured = tracer.finish(results);
  }
  tracer.check_nothing_escaped();
  return captured;
}

}  // namespace phlox::graph
