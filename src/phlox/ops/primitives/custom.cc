#include "phlox/ops/primitives/custom.h"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

// --- which kernels there are

std::shared_mutex kernels_mutex;
std::map<std::string, const CustomKernel*, std::less<>>& kernels() {
  static auto& all = *new std::map<std::string, const CustomKernel*, std::less<>>;
  return all;
}

const CustomKernel& kernel_called(const std::string& name) {
  const CustomKernel* kernel = find_custom_kernel(name);
  if (!kernel)
    fail<StateError>(ErrorCode::not_supported, "custom: there is no kernel '{}'", name)
        .hint("load the extension that has it: px.extension.load_library(path)")
        .raise();
  return *kernel;
}

// --- the primitive

struct CustomAttributes {
  std::string kernel;
  std::vector<Scalar> numbers;
  template <class Visitor>
  void visit(Visitor& v) {
    v("kernel", kernel), v("numbers", numbers);
  }
};

TensorList evaluate_custom(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const CustomAttributes*>(attributes);
  TensorList tensors;
  for (const Operand& input : inputs) tensors.push_back(input.tensor());
  return apply_custom(a.kernel, tensors, a.numbers);
}
PHLOX_PRIMITIVE(custom, 110, evaluate_custom, CustomAttributes);

void check_custom(const PrimitiveCall& call) {
  call.takes(1, 64);
  for (std::size_t i = 0; i < call.count(); ++i) call.require_computable(call.tensor(i).dtype());
  const std::string& name = call.attributes<CustomAttributes>().kernel;
  call.require(find_custom_kernel(name) != nullptr, "there is no kernel '{}': load the extension that has it",
               name);
}
PHLOX_PRIMITIVE_RULE(custom, check_custom);

TensorList batch_custom(const BatchedCall& call) {
  const auto& a = call.attributes_as<CustomAttributes>();
  if (!kernel_called(a.kernel).batched) return run_each_sample(call);
  TensorList inputs;
  for (std::size_t i = 0; i < call.inputs().size(); ++i) inputs.push_back(call.batched(i));
  return apply_custom(a.kernel, inputs, a.numbers);
}
PHLOX_BATCHING_RULE(custom, batch_custom);

class CustomNode final : public GradientNode {
 public:
  CustomNode(const CustomKernel& kernel, const TensorList& inputs, std::span<const Scalar> numbers,
             std::size_t results)
      : GradientNode("custom", static_cast<int>(inputs.size()), static_cast<int>(results)),
        kernel_(kernel),
        numbers_(numbers.begin(), numbers.end()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      edges()[i] = gradient_edge(inputs[i]);
      inputs_.emplace_back(inputs[i], this);
    }
  }

  void save_results(const TensorList& results) {
    for (const Tensor& result : results) results_.emplace_back(result, this, true);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    TensorList inputs, results, gradients;
    for (SavedTensor& input : inputs_) inputs.push_back(input.get(*this));
    for (std::size_t i = 0; i < results_.size(); ++i) {
      results.push_back(results_[i].get(*this));
      gradients.push_back(output_gradients[i].defined() ? output_gradients[i] : zeros_like(results.back()));
    }
    const TensorList found = kernel_.gradient(inputs, results, gradients, numbers_);
    if (found.size() != inputs.size())
      fail<GradientError>(ErrorCode::invalid_value, "{}: its gradient gives {} tensors for {} inputs",
                          kernel_.name, found.size(), inputs.size())
          .hint("give one for each input; an undefined tensor (None in Python) is zero")
          .raise();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!wants(static_cast<int>(i)) || !found[i].defined()) continue;
      if (found[i].shape() != inputs[i].shape())
        fail<GradientError>(ErrorCode::sizes_differ,
                            "{}: the gradient of input {} has another shape than the input", kernel_.name, i)
            .detail("input", describe(inputs[i]))
            .detail("gradient", describe(found[i]))
            .raise();
      input_gradients[i] = found[i].to(inputs[i].dtype());
    }
  }

  void release_saved() override {
    for (SavedTensor& input : inputs_) input.release();
    for (SavedTensor& result : results_) result.release();
    released_ = true;
  }
  bool released() const override { return released_; }

 private:
  const CustomKernel& kernel_;
  std::vector<Scalar> numbers_;
  std::vector<SavedTensor> inputs_, results_;
  bool released_ = false;
};

TensorList results_of(const CustomKernel& kernel, const TensorList& inputs, std::span<const Scalar> numbers) {
  std::vector<CustomType> given;
  for (const Tensor& input : inputs) given.push_back({input.dtype(), input.shape()});
  TensorList results;
  for (const CustomType& type : kernel.types(given, numbers)) {
    for (std::int64_t size : type.shape)
      if (size < 0)
        fail<ShapeError>(ErrorCode::invalid_value, "{}: a result of shape [{}]", kernel.name,
                         to_string(type.shape))
            .raise();
    results.push_back(make_tensor(type.shape, type.dtype, inputs.at(0).device()));
  }
  return results;
}

}  // namespace

const CustomKernel& add_custom_kernel(CustomKernel kernel) {
  const auto& kept = *new CustomKernel(std::move(kernel));  // graphs hold on to it
  const std::unique_lock lock(kernels_mutex);
  kernels().insert_or_assign(kept.name, &kept);
  return kept;
}

const CustomKernel* find_custom_kernel(std::string_view name) {
  const std::shared_lock lock(kernels_mutex);
  const auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : found->second;
}

TensorList apply_custom(const std::string& name, const TensorList& inputs, std::span<const Scalar> numbers) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const std::vector<Operand> operands(inputs.begin(), inputs.end());
    const CustomAttributes attributes{name, {numbers.begin(), numbers.end()}};
    return interpret(custom_primitive, operands, &attributes);
  }
  const CustomKernel& kernel = kernel_called(name);
  TensorList results = results_of(kernel, inputs, numbers);
  if (thread_mode.abstract) {
    abstract_evaluation.needs_values = true;
  } else {
    const NoGrad no_grad;
    TensorList dense;
    for (const Tensor& input : inputs) dense.push_back(input.detach().contiguous());
    kernel.run(dense, numbers, results);
  }
  if (kernel.gradient && std::any_of(inputs.begin(), inputs.end(), needs_gradient)) {
    auto* node = new CustomNode(kernel, inputs, numbers, results.size());
    const auto history = Reference<GradientNode>::adopt(node);
    for (std::size_t i = 0; i < results.size(); ++i) set_history(results[i], history, static_cast<int>(i));
    node->save_results(results);
  }
  return results;
}

}  // namespace phlox
