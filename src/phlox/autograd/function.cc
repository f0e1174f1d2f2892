#include "phlox/autograd/function.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <typeindex>
#include <unordered_map>

#include "phlox/core/recording.h"
#include "phlox/ops/creation.h"

#if defined(__GNUC__)
#include <cxxabi.h>
#endif

namespace phlox::autograd {

namespace {

// Shape, dtype and device of a tensor that is not kept.
struct TensorType {
  Shape shape;
  DType dtype;
  Device device;
  explicit TensorType(const Tensor& t) : shape(t.shape()), dtype(t.dtype()), device(t.device()) {}
};

Tensor zeros(const TensorType& type) { return apply_fill(type.shape, 0.0, type.dtype, type.device); }

bool contains(const TensorList& list, const Tensor& tensor) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Tensor& t) { return t.unsafe_impl() == tensor.unsafe_impl(); });
}

}  // namespace

const char* type_name(const std::type_info& type) {
  static std::mutex mutex;
  static auto& names = *new std::unordered_map<std::type_index, std::string>;
  std::lock_guard lock(mutex);
  auto [entry, is_new] = names.try_emplace(type, type.name());
#if defined(__GNUC__)
  if (is_new) {
    int status = 0;
    char* readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
    if (status == 0) {
      std::string full = readable;
      std::size_t colon = full.rfind("::");
      entry->second = colon == std::string::npos ? full : full.substr(colon + 2);
    }
    std::free(readable);
  }
#endif
  return entry->second.c_str();
}

class FunctionNode final : public GradientNode {
 public:
  using Backward = std::function<Gradients(Context&, const Gradients&)>;

  FunctionNode(const char* name, const TensorList& inputs, const TensorList& outputs, Context context,
               Backward backward)
      : GradientNode(name, static_cast<int>(inputs.size()), static_cast<int>(outputs.size())),
        context_(std::move(context)),
        backward_(std::move(backward)) {
    context_.node_ = this;
    for (const Tensor& input : inputs) inputs_.emplace_back(input);
    for (const Tensor& output : outputs) outputs_.emplace_back(output);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (context_.needs_[i]) edges()[i] = gradient_edge(inputs[i]);
  }

  // After the outputs have their history.
  void save(const TensorList& outputs) {
    for (const Tensor& tensor : context_.to_save_)
      context_.saved_.emplace_back(tensor, this, contains(outputs, tensor));
    context_.to_save_.clear();
    context_.non_differentiable_.clear();
    context_.dirty_.clear();
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    Gradients gradients(output_gradients.begin(), output_gradients.end());
    if (context_.materialize_)
      for (std::size_t i = 0; i < gradients.size(); ++i)
        if (!gradients[i].defined()) gradients[i] = zeros(outputs_[i]);
    Gradients results = backward_(context_, gradients);
    if (results.size() != inputs_.size())
      fail<GradientError>(ErrorCode::gradient_shape, "{}: backward gave {} gradients for {} inputs", name(),
                          results.size(), inputs_.size())
          .hint("one gradient for each input of apply(); an undefined one stands for zero")
          .raise();
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!wants(static_cast<int>(i)) || !results[i].defined()) continue;
      if (results[i].shape() != inputs_[i].shape || results[i].dtype() != inputs_[i].dtype)
        fail<GradientError>(ErrorCode::gradient_shape,
                            "{}: backward gave a gradient that is not like input {}", name(), i)
            .detail("input", fmt::format("{}[{}] {}", info(inputs_[i].dtype).short_name,
                                         to_string(inputs_[i].shape), to_string(inputs_[i].device)))
            .detail("gradient", describe(results[i]))
            .raise();
      input_gradients[i] = std::move(results[i]);
    }
  }

  void release_saved() override {
    // Without anything kept, backward may run again.
    released_ = released_ || !context_.saved_.empty() || !context_.values.empty();
    for (SavedTensor& saved : context_.saved_) saved.release();
    context_.values.clear();
  }
  bool released() const override { return released_; }

 private:
  Context context_;
  Backward backward_;
  std::vector<TensorType> inputs_, outputs_;
  bool released_ = false;
};

bool is_custom_function(const GradientNode& node) {
  return dynamic_cast<const FunctionNode*>(&node) != nullptr;
}

TensorList Context::saved_tensors() const {
  TensorList tensors;
  for (const SavedTensor& saved : saved_) tensors.push_back(saved.get(*node_));
  return tensors;
}

TensorList apply_function(const char* name, const TensorList& inputs,
                          const std::function<TensorList(Context&)>& forward,
                          std::function<Gradients(Context&, const Gradients&)> backward) {
  Context context;
  bool any = false;
  for (const Tensor& input : inputs) {
    context.needs_.push_back(needs_gradient(input));
    any |= context.needs_.back();
  }
  TensorList outputs;
  {
    NoGrad no_grad;
    outputs = forward(context);
  }
  if (!any) return outputs;
  for (const Tensor& tensor : context.dirty_)
    if (!contains(inputs, tensor) || !contains(outputs, tensor))
      fail<GradientError>(ErrorCode::invalid_value,
                          "{}: what mark_dirty() names must be an input and an output", name)
          .detail("tensor", describe(tensor))
          .raise();
  // An output that is an input, or that already has a history, gets a handle of its own.
  for (Tensor& output : outputs) {
    if (contains(context.dirty_, output)) {
      check_in_place_allowed(output, name, true);
      continue;
    }
    if (!contains(inputs, output) && !output.requires_grad()) continue;
    Tensor handle = shallow_alias(output);
    for (Tensor& saved : context.to_save_)
      if (saved.unsafe_impl() == output.unsafe_impl() && !contains(inputs, output)) saved = handle;
    for (Tensor& marked : context.non_differentiable_)
      if (marked.unsafe_impl() == output.unsafe_impl()) marked = handle;
    output = handle;
  }
  const TensorList marked = context.non_differentiable_, dirty = context.dirty_;
  auto* node = new FunctionNode(name, inputs, outputs, std::move(context), std::move(backward));
  auto reference = Reference<GradientNode>::adopt(node);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (contains(dirty, outputs[i])) rebase_history(outputs[i], reference, static_cast<int>(i));
    else if (!contains(marked, outputs[i])) set_history(outputs[i], reference, static_cast<int>(i));
  node->save(outputs);
  return outputs;
}

}  // namespace phlox::autograd
