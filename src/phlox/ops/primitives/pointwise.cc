#include "phlox/ops/primitives/pointwise.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/added_operations.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/primitives/watch.h"
#include "phlox/ops/sum_to_shape.h"

namespace phlox {
namespace {

// --- gradients -------------------------------------------------------------------------------------------------

// What the gradient of one input needs to know about it.
struct InputRecord {
  SavedTensor saved;
  double number_real = 0;  // a weak scalar in its place
  Scalar::Kind number_kind = Scalar::Kind::integer;
  double number_imaginary = 0;
  std::int64_t number_integer = 0;
  bool is_tensor = false;
  DType dtype = DType::float32;
  std::unique_ptr<Shape> shape;  // of an input that broadcasting stretched
};

// One recorded pointwise call. The gradient of each input is another pointwise call.
class PointwiseNode final : public GradientNode {
 public:
  PointwiseNode(const PointwiseFunction& function, std::span<const Operand> inputs,
                std::span<const KernelScalar> scalars, const Tensor& result)
      : GradientNode(function.name, static_cast<int>(inputs.size())), function_(function) {
    if (inputs.size() > std::size(few_inputs_)) {
      many_inputs_ = std::make_unique<InputRecord[]>(inputs.size());
      inputs_ = many_inputs_.get();
    }
    std::copy(scalars.begin(), scalars.end(), scalars_);
    const TensorImpl* output = result.impl();
    for (int k = 0; k < input_count(); ++k) {
      if (!inputs[k].is_tensor()) continue;
      const Tensor& input = inputs[k].tensor();
      InputRecord& record = inputs_[k];
      record.is_tensor = true;
      record.dtype = input.dtype();
      edges()[k] = gradient_edge(input);
      if (!wants(k)) continue;
      saved_ |= gradient_rule(function, k).saved;
      const TensorImpl* impl = input.impl();
      if (impl->rank != output->rank || !std::equal(impl->sizes, impl->sizes + impl->rank, output->sizes))
        record.shape = std::make_unique<Shape>(input.shape());
    }
    for (int k = 0; k < input_count(); ++k) {
      if (!(saved_ >> k & 1u)) continue;
      if (inputs[k].is_tensor()) {
        inputs_[k].saved = SavedTensor(inputs[k].tensor(), this);
      } else {
        const Scalar& number = inputs[k].scalar();
        inputs_[k].number_kind = number.kind();
        inputs_[k].number_real = number.real();
        inputs_[k].number_imaginary = number.imaginary();
        inputs_[k].number_integer = number.integer();
      }
    }
  }

  void save_result(const Tensor& result) {
    if (saved_ >> input_count() & 1u) result_ = SavedTensor(result, this, true);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    Tensor saved_values[max_pointwise_inputs];
    for (int k = 0; k <= input_count(); ++k) {
      if (!(saved_ >> k & 1u)) continue;
      if (k == input_count()) saved_values[k] = result_.get(*this);
      else if (inputs_[k].is_tensor) saved_values[k] = inputs_[k].saved.get(*this);
      // The conjugate of the slope is the slope at the conjugates, as all functions are real on the real axis.
      if (saved_values[k].defined() && is_complex(saved_values[k].dtype()))
        saved_values[k] = conj(saved_values[k]);
    }
    for (int k = 0; k < input_count(); ++k) {
      if (!wants(k)) continue;
      const GradientRule& rule = gradient_rule(function_, k);
      if (rule.form == math::GradientForm::none) continue;
      if (rule.form == math::GradientForm::unknown)
        fail<NotSupportedError>(ErrorCode::not_supported,
                                "{}: no derivative of this order with respect to argument {} is known",
                                name(), k)
            .raise();
      Tensor part = gradient;
      if (rule.form == math::GradientForm::computed) {
        Operand inputs[max_pointwise_inputs] = {gradient, 0, 0, 0, 0, 0};
        int count = 1;
        for (int i = 0; i <= input_count(); ++i) {
          if (!(rule.saved >> i & 1u)) continue;
          if (i == input_count() || inputs_[i].is_tensor) inputs[count++] = saved_values[i];
          else inputs[count++] = number(inputs_[i]);
        }
        part = apply_pointwise(*rule.function, {inputs, static_cast<std::size_t>(count)},
                               {scalars_, function_.scalars});
      }
      if (inputs_[k].shape) part = sum_to_shape(part, *inputs_[k].shape);
      input_gradients[k] = part.to(inputs_[k].dtype);
    }
  }

  void release_saved() override {
    if (saved_ == 0) return;
    released_ = true;
    for (int k = 0; k < input_count(); ++k) inputs_[k].saved.release();
    result_.release();
  }
  bool released() const override { return released_; }

 private:
  // A weak number, conjugated as saved tensors are.
  static Scalar number(const InputRecord& record) {
    if (record.number_kind == Scalar::Kind::complex)
      return std::complex<double>(record.number_real, -record.number_imaginary);
    return record.number_kind == Scalar::Kind::floating ? Scalar(record.number_real)
                                                        : Scalar(record.number_integer);
  }

  const PointwiseFunction& function_;
  InputRecord few_inputs_[3];
  std::unique_ptr<InputRecord[]> many_inputs_;  // gradient functions may have more
  InputRecord* inputs_ = few_inputs_;
  SavedTensor result_;
  KernelScalar scalars_[max_pointwise_scalars];
  unsigned saved_ = 0;
  bool released_ = false;
};

// --- types and shapes ------------------------------------------------------------------------------------------

[[noreturn]] PHLOX_COLD void throw_wrong_dtype(const PointwiseFunction& function,
                                               std::span<const Operand> inputs, DType dtype,
                                               const char* wants, const char* hint) {
  auto error = fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes {}, not {}", function.name, wants,
                                info(dtype).name);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].is_tensor()) error.detail(i == 0 ? "input" : "other", describe(inputs[i].tensor()));
  error.hint(hint).raise();
}

bool is_whole(const KernelScalar& scalar) { return scalar.floating == static_cast<double>(scalar.integer); }

DType promoted_dtype(const PointwiseFunction& function, std::span<const Operand> inputs,
                     std::span<const KernelScalar> scalars) {
  bool any = false;
  DType dtype = DType::bool_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].is_tensor() || function.is_mask(static_cast<int>(i))) continue;
    DType next = inputs[i].tensor().dtype();
    if (!is_computable(next))
      throw_wrong_dtype(function, inputs, next, "dtypes one can compute with", "x.to(px.float32)");
    dtype = any ? promote(dtype, next) : next;
    any = true;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_tensor() || function.is_mask(static_cast<int>(i))) continue;
    dtype = any ? inputs[i].scalar().promote_with(dtype) : inputs[i].scalar().dtype();
    any = true;
  }
  switch (function.traits->types) {
    case PointwiseTypes::floating:
      if (!is_floating(dtype) && !is_complex(dtype)) dtype = default_dtype();
      break;
    case PointwiseTypes::numeric:
      if (dtype == DType::bool_) throw_wrong_dtype(function, inputs, dtype, "numbers", "x.to(px.int64)");
      break;
    case PointwiseTypes::integral:
      if (is_floating(dtype) || is_complex(dtype))
        throw_wrong_dtype(function, inputs, dtype, "integers and bool", "x.to(px.int64)");
      break;
    case PointwiseTypes::counting:
      if (dtype == DType::bool_) dtype = DType::int64;
      break;
    case PointwiseTypes::any: break;
  }
  // Parameters promote as numbers do: half of an integer is a float.
  if (is_integer(dtype) && !std::all_of(scalars.begin(), scalars.end(), is_whole)) dtype = default_dtype();
  if (is_complex(dtype) && !function.traits->complex)
    throw_wrong_dtype(function, inputs, dtype, "real numbers", "px.view_as_real(x)");
  for (const Operand& input : inputs)
    if (!input.is_tensor()) input.scalar().check_fits(dtype);
  return dtype;
}

// Broadcasts `other` into `shape`; false when they do not fit.
bool try_broadcast(Shape& shape, const Shape& other) {
  Shape result = shape.size() >= other.size() ? shape : other;
  const Shape& shorter = shape.size() >= other.size() ? other : shape;
  const std::size_t shift = result.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& size = result[shift + i];
    if (size == 1) size = shorter[i];
    else if (shorter[i] != 1 && shorter[i] != size) return false;
  }
  shape = result;
  return true;
}

[[noreturn]] void throw_no_broadcast(const PointwiseFunction& function, std::span<const Operand> inputs) {
  std::string shapes;
  for (const Operand& input : inputs) {
    if (!input.is_tensor()) continue;
    shapes += fmt::format("{}[{}]", shapes.empty() ? "" : " and ", to_string(input.tensor().shape()));
  }
  auto error = fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "{}: shapes {} do not broadcast",
                                function.name, shapes);
  const char* labels[] = {"lhs", "rhs"};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_tensor())
      error.detail(inputs.size() == 2 ? std::string(labels[i]) : fmt::format("input {}", i),
                   describe(inputs[i].tensor()));
  }
  error.hint("sizes must be equal or 1, counted from the last dimension; unsqueeze() or reshape() one side")
      .raise();
}

Shape broadcast_all(const PointwiseFunction& function, std::span<const Operand> inputs) {
  Shape shape;
  bool first = true;
  for (const Operand& input : inputs) {
    if (!input.is_tensor()) continue;
    const Shape next = input.tensor().shape();
    if (first) shape = next;
    else if (!try_broadcast(shape, next)) throw_no_broadcast(function, inputs);
    first = false;
  }
  return shape;
}

Device common_device(const PointwiseFunction& function, std::span<const Operand> inputs) {
  const Tensor* first = nullptr;
  for (const Operand& input : inputs) {
    if (!input.is_tensor()) continue;
    const Tensor& tensor = input.tensor();
    if (!first) {
      first = &tensor;
      continue;
    }
    if (tensor.device() == first->device()) continue;
    fail<DeviceError>(ErrorCode::wrong_device, "{}: tensors are on {} and {}", function.name,
                      to_string(first->device()), to_string(tensor.device()))
        .detail("input", describe(*first))
        .detail("other", describe(tensor))
        .hint("other.to(input.device)")
        .raise();
  }
  return first ? first->device() : default_device();
}

void run(const PointwiseFunction& function, std::span<const Operand> inputs,
         std::span<const KernelScalar> scalars, DType compute, const Tensor& output) {
  PointwiseCall call{};
  call.function = &function;
  call.input_count = static_cast<int>(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_tensor()) call.inputs[i] = inputs[i].tensor().impl();
    else call.weak[i] = inputs[i].scalar();
  }
  std::copy(scalars.begin(), scalars.end(), call.scalars);
  call.compute = compute;
  call.output = output.impl();
  device_kernels(output.device()).pointwise(call);
}

bool wants_record(const PointwiseFunction& function, std::span<const Operand> inputs) {
  if (!function.traits->differentiable) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].is_tensor() && !function.is_mask(static_cast<int>(i)) && needs_gradient(inputs[i].tensor()))
      return true;
  return false;
}

PHLOX_NOINLINE void record(const PointwiseFunction& function, std::span<const Operand> inputs,
                           std::span<const KernelScalar> scalars, const Tensor& output) {
  auto* node = new PointwiseNode(function, inputs, scalars, output);
  set_history(output, Reference<GradientNode>::adopt(node));
  node->save_result(output);
}

// True when the gradient of an input that needs one reads the value of input k.
bool saves_input(const PointwiseFunction& function, std::span<const Operand> inputs, int k) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].is_tensor() && needs_gradient(inputs[i].tensor()) &&
        (gradient_rule(function, static_cast<int>(i)).saved >> k & 1u))
      return true;
  return false;
}

Tensor copy_with_history(const Tensor& tensor) {
  if (is_captured()) return apply_convert(tensor, tensor.dtype());
  Tensor copy;
  {
    NoGrad no_grad;
    copy = apply_convert(tensor, tensor.dtype());
  }
  Edge edge = gradient_edge(tensor);
  if (edge.node) set_history(copy, edge.node, static_cast<int>(edge.output));
  return copy;
}

// A call without loop planning: small row-major tensors of equal shape and of the dtype that the kernel computes with,
// and one number that does not raise it.
class DirectCall {
 public:
  // False when the inputs are not of this kind.
  bool prepare(const PointwiseFunction& function, std::span<const Operand> inputs) {
    std::size_t lead = 0;  // the first input that is no mask
    while (lead < inputs.size() && function.is_mask(static_cast<int>(lead))) ++lead;
    if (lead == inputs.size() || !inputs[lead].is_tensor()) return false;
    like_ = &inputs[lead].tensor();
    const TensorImpl* first = like_->impl();
    if (pointwise_look && first->count > looked_at_block) return false;
    kernel_ = function.kernels[static_cast<int>(first->dtype)].load(std::memory_order_relaxed);
    if (!kernel_ || (function.scalars > 0 && is_integer(first->dtype)) || thread_mode.abstract ||
        interpreters() || first->count > small || !first->contiguous || first->device.type != DeviceType::cpu)
      return false;
    bool used = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (i == lead) {
        addresses_[i] = first->address();
        continue;
      }
      const bool mask = function.is_mask(static_cast<int>(i));
      if (!inputs[i].is_tensor()) {
        const Scalar& number = inputs[i].scalar();
        if (mask || used || first->count > small_with_numbers || !is_floating(first->dtype) ||
            number.kind() > Scalar::Kind::floating)
          return false;
        used = true;
        addresses_[i] = repeated_;
        if (first->dtype == DType::float32)
          std::fill_n(reinterpret_cast<float*>(repeated_), first->count, static_cast<float>(number.real()));
        else std::fill_n(reinterpret_cast<double*>(repeated_), first->count, number.real());
        continue;
      }
      const TensorImpl* next = inputs[i].tensor().impl();
      if (next->dtype != (mask ? DType::bool_ : first->dtype) || !matches(next, first)) return false;
      addresses_[i] = next->address();
    }
    return true;
  }
  const Tensor& like() const { return *like_; }
  // Whether the result of this dtype can be written to a tensor at once: it is apart from the inputs, or one of them.
  bool fits(const TensorImpl* target, DType dtype, std::span<const Operand> inputs) const {
    if (target->dtype != dtype || !matches(target, like_->impl())) return false;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].is_tensor() && inputs[i].tensor().impl()->storage == target->storage &&
          addresses_[i] != target->address())
        return false;
    return true;
  }
  void run(std::span<const KernelScalar> scalars, TensorImpl* output) const {
    kernel_(addresses_, scalars.data(), output->address(), output->count);
  }

 private:
  static constexpr std::int64_t small = 16384, small_with_numbers = 256;
  static bool matches(const TensorImpl* a, const TensorImpl* b) {
    if (a->rank != b->rank || !a->contiguous || a->device != b->device) return false;
    for (int d = 0; d < a->rank; ++d)  // shorter than a call of memcmp
      if (a->sizes[d] != b->sizes[d]) return false;
    return true;
  }

  PointwiseKernel kernel_ = nullptr;
  const Tensor* like_ = nullptr;
  const void* addresses_[max_pointwise_inputs];
  alignas(64) char repeated_[small_with_numbers * 8];
};

bool has_complex_form(const PointwiseFunction& function) {
  return (function.traits->complex_form || function.traits->complex_form_of_two) && function.gradient_of < 0;
}
// What is not analytic is written with the parts of complex numbers. Empty where no input is complex.
Tensor complex_form(const PointwiseFunction& function, std::span<const Operand> inputs) {
  const PointwiseTraits& traits = *function.traits;
  const Tensor* like = nullptr;
  bool complex = false;
  for (const Operand& input : inputs) {
    if (input.is_tensor() && !like) like = &input.tensor();
    complex |= is_complex(input.is_tensor() ? input.tensor().dtype() : input.scalar().dtype());
  }
  if (!like || !complex) return {};
  if (traits.complex_form) return traits.complex_form(*like);
  const auto tensor = [&](const Operand& operand) {
    return operand.is_tensor() ? operand.tensor() : Tensor(operand.scalar(), {.device = like->device()});
  };
  return traits.complex_form_of_two(tensor(inputs[0]), tensor(inputs[1]));
}

TensorList evaluate_pointwise(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const PointwiseAttributes*>(attributes);
  KernelScalar scalars[max_pointwise_scalars];
  std::transform(a.scalars.begin(), a.scalars.end(), scalars,
                 [](const Scalar& s) { return kernel_scalar(s); });
  return {apply_pointwise(*a.function, inputs, {scalars, a.scalars.size()})};
}
PHLOX_PRIMITIVE(pointwise, 1, evaluate_pointwise, PointwiseAttributes);
void check_pointwise(const PrimitiveCall& call) {
  const auto& a = call.attributes<PointwiseAttributes>();
  const PointwiseFunction& function = *a.function;
  call.takes(function.tensors);
  call.require(a.scalars.size() == function.scalars, "{} takes {} scalars, not {}", function.name,
               function.scalars, a.scalars.size());
  bool any = false;
  for (std::size_t i = 0; i < call.count(); ++i) {
    if (call.is_number(i)) continue;
    call.require_computable(call.tensor(i).dtype());
    any = true;
  }
  call.require(any, "{} is applied to numbers alone", function.name);
}
PHLOX_PRIMITIVE_RULE(pointwise, check_pointwise);

// Samples of fewer dimensions broadcast from behind the batch dimension.
TensorList batch_pointwise(const BatchedCall& call) {
  int rank = 0;
  for (std::size_t i = 0; i < call.inputs().size(); ++i)
    if (call.has(i)) rank = std::max(rank, call.rank(i));
  TensorList held(call.inputs().size());
  std::vector<Operand> operands(call.inputs().begin(), call.inputs().end());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!call.is_batched(i)) continue;
    held[i] = with_sample_rank(call.tensor(i), rank);
    operands[i] = Operand(held[i]);
  }
  return evaluate_pointwise(operands, call.attributes());
}
PHLOX_BATCHING_RULE(pointwise, batch_pointwise);

// The number that kernel_scalar() would make this from.
Scalar number_of(const KernelScalar& scalar) {
  return is_whole(scalar) ? Scalar(scalar.integer) : Scalar(scalar.floating);
}

}  // namespace

namespace {

// Tells the watcher if the result is not finite. What it is told is put together only then.
void look_at_pointwise(const PointwiseFunction& function, std::span<const Operand> inputs,
                       std::span<const KernelScalar> scalars, const Tensor& result,
                       const PointwiseLook& look = {}) {
  if (thread_mode.abstract || !gave_nonfinite(function, inputs, result, look)) return;
  PointwiseAttributes attributes{&function, {}};
  for (const KernelScalar& scalar : scalars) attributes.scalars.push_back(number_of(scalar));
  look_at_results({pointwise_primitive, inputs, &attributes, {&result, 1}}, look);
}

Tensor apply_watched(const PointwiseFunction& function, std::span<const Operand> inputs,
                     std::span<const KernelScalar> scalars) {
  Tensor result;
  PointwiseLook look;
  {
    const Unwatched unwatched;
    const PointwiseLookScope looking(look);
    result = apply_pointwise(function, inputs, scalars);
  }
  look_at_pointwise(function, inputs, scalars, result, look);
  if (!thread_mode.abstract) note_watched({&result, 1});
  return result;
}

}  // namespace

Tensor apply_pointwise(const PointwiseFunction& function, std::span<const Operand> inputs,
                       std::span<const KernelScalar> scalars) {
  if (has_complex_form(function)) {
    if (Tensor result = complex_form(function, inputs); result.defined()) return result;
  }
  if (function.traits->check) function.traits->check(function.name, scalars.data());
  if (thread_mode.interpreter_count) [[unlikely]] {
    if (!interpreters()) return apply_watched(function, inputs, scalars);
    PointwiseAttributes attributes{&function, {}};
    for (const KernelScalar& scalar : scalars) attributes.scalars.push_back(number_of(scalar));
    return interpret(pointwise_primitive, inputs, &attributes)[0];
  }
  Tensor output;
  if (DirectCall direct; direct.prepare(function, inputs)) {
    const Tensor& like = direct.like();
    output = make_tensor_like(like, like.shape(), function.predicate() ? DType::bool_ : like.dtype());
    direct.run(scalars, output.impl());
  } else {
    const Device device = common_device(function, inputs);
    const Shape shape = broadcast_all(function, inputs);
    const DType compute = promoted_dtype(function, inputs, scalars);
    const DType result = function.predicate() ? DType::bool_ : compute;
    const Tensor* like = nullptr;
    for (const Operand& input : inputs)
      if (input.is_tensor() && input.tensor().shape() == shape) {
        like = &input.tensor();
        break;
      }
    output = like ? make_tensor_like(*like, shape, result) : make_tensor(shape, result, device);
    run(function, inputs, scalars, compute, output);
  }
  if (wants_record(function, inputs)) record(function, inputs, scalars, output);
  return output;
}

namespace {

const Tensor& write_pointwise(const PointwiseFunction& function, std::span<const Operand> inputs,
                              std::span<const KernelScalar> scalars, const Tensor& target, bool in_place) {
  if (has_complex_form(function)) {
    if (const Tensor result = complex_form(function, inputs); result.defined()) {
      copy_(target, result);
      return target;
    }
  }
  if (function.traits->check) function.traits->check(function.name, scalars.data());
  const bool recorded = wants_record(function, inputs);
  check_in_place_allowed(target, function.name, recorded);
  if (!in_place && (recorded || target.requires_grad()) && gradients_enabled())
    fail<GradientError>(ErrorCode::leaf_modified_in_place, "{}: out= cannot take part in gradients",
                        function.name)
        .hint("leave out= away, or write under px.no_grad()")
        .raise();
  if (DirectCall direct;
      !recorded && direct.prepare(function, inputs) &&
      direct.fits(target.impl(), function.predicate() ? DType::bool_ : direct.like().dtype(), inputs)) {
    direct.run(scalars, target.impl());
    bump_version(target);
    if (is_watched()) [[unlikely]]
      look_at_pointwise(function, inputs, scalars, target);
    return target;
  }
  const Shape shape = broadcast_all(function, inputs);
  if (shape != target.shape()) {
    auto error = fail<ShapeError>(ErrorCode::shapes_do_not_broadcast,
                                  "{}: the result [{}] does not fit the target [{}]", function.name,
                                  to_string(shape), to_string(target.shape()));
    error.detail("target", describe(target));
    for (const Operand& input : inputs) {
      if (input.is_tensor() && input.tensor().unsafe_impl() != target.unsafe_impl())
        error.detail("operand", describe(input.tensor()));
    }
    error.hint("use the form that returns a new tensor").raise();
  }
  const DType compute = promoted_dtype(function, inputs, scalars);
  const DType result = function.predicate() ? DType::bool_ : compute;
  check_kind_kept(result, target, function.name);

  // The target may be read by the call through another view; a direct element-by-element overlap is safe.
  if (recorded || interpreters()) {
    // Gradients may need the value of an input in the memory that is written: then the call gets a copy of it.
    Tensor copies[max_pointwise_inputs];
    std::vector<Operand> operands(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!operands[i].is_tensor() || !operands[i].tensor().shares_storage_with(target)) continue;
      if (!saves_input(function, inputs, static_cast<int>(i))) continue;
      copies[i] = copy_with_history(operands[i].tensor());
      operands[i] = Operand(copies[i]);
    }
    Tensor value = apply_pointwise(function, operands, scalars);
    Tensor same_dtype = value.to(target.dtype());
    copy_data(same_dtype, target);
    bump_version(target);
    if (const AutogradRecord* record = same_dtype.impl()->autograd; recorded && record)
      rebase_history(target, record->node, static_cast<int>(record->output));
    return target;
  }
  bool overlaps = false;
  for (const Operand& input : inputs) {
    if (!input.is_tensor() || !input.tensor().shares_storage_with(target)) continue;
    const Tensor& t = input.tensor();
    if (t.storage_offset() != target.storage_offset() || t.strides() != target.strides() ||
        t.shape() != target.shape())
      overlaps = true;
  }
  if (overlaps) {
    Tensor value = make_tensor(shape, result, target.device());
    run(function, inputs, scalars, compute, value);
    device_kernels(target.device()).convert(*value.impl(), *target.impl());
    if (is_watched()) [[unlikely]]
      look_at_pointwise(function, inputs, scalars, target);
  } else if (is_watched()) {
    PointwiseLook look;
    {
      const PointwiseLookScope looking(look);
      run(function, inputs, scalars, compute, target);
    }
    bump_version(target);
    look_at_pointwise(function, inputs, scalars, target, look);
    return target;
  } else {
    run(function, inputs, scalars, compute, target);
  }
  bump_version(target);
  return target;
}

}  // namespace

const Tensor& apply_pointwise_into(const PointwiseFunction& function, std::span<const Operand> inputs,
                                   std::span<const KernelScalar> scalars, const Tensor& target,
                                   bool in_place) {
  const bool has_no_gradient = needs_gradient(target) && !wants_record(function, inputs);
  write_pointwise(function, inputs, scalars, target, in_place);
  if (has_no_gradient) rebase_history(target, constant_history(function.name));
  return target;
}

// --- gradient functions that were not made at compile time -------------------------------------------------------

namespace {

using math::Dual;
using math::DualMask;
using math::Expression;
using math::ExpressionArena;
using math::ExpressionMask;
using math::ExpressionNode;
using math::Opcode;

// Runs a program on dual numbers: the tangent of input k is one, all others zero.
// Nothing when one of its scalar functions has no derivative.
std::optional<Dual> run_dual(const PointwiseFunction& function, int k, ExpressionArena& arena) {
  bool known = true;
  const math::ExpressionProgram& program = *function.program;
  std::vector<Dual> values(program.count, Dual(0.0));
  std::vector<DualMask> masks(program.count, DualMask{ExpressionMask{Expression(0.0)}});
  for (int i = 0; i < function.tensors; ++i) arena.intern(Opcode::input, i);
  for (int i = 0; i < function.scalars; ++i) arena.intern(Opcode::scalar, i);
  for (int i = 0; i < program.count; ++i) {
    const ExpressionNode& n = program.nodes[i];
    const int a = std::max<int>(n.arguments[0], 0), b = std::max<int>(n.arguments[1], 0),
              c = std::max<int>(n.arguments[2], 0);
    const int index = static_cast<int>(n.value);
    switch (n.opcode) {
      case Opcode::input:
        values[i] = Dual(Expression(&arena, index), index == k ? 1.0 : 0.0);
        masks[i] = DualMask{ExpressionMask{Expression(&arena, index)}};
        break;
      case Opcode::scalar: values[i] = Dual(Expression(&arena, function.tensors + index), 0.0); break;
      case Opcode::constant:
        values[i] = Dual(Expression(&arena, arena.intern(Opcode::constant, n.value)), 0.0);
        break;
      case Opcode::neg: values[i] = -values[a]; break;
      case Opcode::add: values[i] = values[a] + values[b]; break;
      case Opcode::sub: values[i] = values[a] - values[b]; break;
      case Opcode::mul: values[i] = values[a] * values[b]; break;
      case Opcode::div: values[i] = values[a] / values[b]; break;
      case Opcode::lt: masks[i] = values[a] < values[b]; break;
      case Opcode::le: masks[i] = values[a] <= values[b]; break;
      case Opcode::gt: masks[i] = values[a] > values[b]; break;
      case Opcode::ge: masks[i] = values[a] >= values[b]; break;
      case Opcode::eq: masks[i] = values[a] == values[b]; break;
      case Opcode::ne: masks[i] = values[a] != values[b]; break;
      case Opcode::mask_and: masks[i] = masks[a] & masks[b]; break;
      case Opcode::mask_or: masks[i] = masks[a] | masks[b]; break;
      case Opcode::mask_xor: masks[i] = masks[a] ^ masks[b]; break;
      case Opcode::mask_not: masks[i] = !masks[a]; break;
      case Opcode::select:
        values[i] = select(masks[a], values[b], values[c]);
        break;
// A generic lambda, because only in a template may `requires` ask whether a function has a derivative.
#define PHLOX_DUAL_UNARY(f, cost)                    \
  case Opcode::f:                                    \
    values[i] = [&](auto x) -> Dual {                \
      if constexpr (requires { f(x); }) return f(x); \
      else return known = false, x;                  \
    }(values[a]);                                    \
    break;
#define PHLOX_DUAL_BINARY(f, cost)                         \
  case Opcode::f:                                          \
    values[i] = [&](auto x, auto y) -> Dual {              \
      if constexpr (requires { f(x, y); }) return f(x, y); \
      else return known = false, x;                        \
    }(values[a], values[b]);                               \
    break;
        PHLOX_UNARY_FUNCTIONS(PHLOX_DUAL_UNARY)
        PHLOX_BINARY_FUNCTIONS(PHLOX_DUAL_BINARY)
#undef PHLOX_DUAL_UNARY
#undef PHLOX_DUAL_BINARY
#define PHLOX_DUAL_TERNARY(f, cost) \
  case Opcode::f: values[i] = f(values[a], values[b], values[c]); break;
        PHLOX_TERNARY_FUNCTIONS(PHLOX_DUAL_TERNARY)
#undef PHLOX_DUAL_TERNARY
    }
  }
  if (!known || arena.unknown_derivative) return std::nullopt;
  return values[program.result];
}

// A gradient function that owns its program; made once and kept for the life of the process.
struct DerivedFunction {
  math::GradientProgram gradient;
  PointwiseFunction function;
};

const GradientRule* derive_rules(const PointwiseFunction& function) {
  auto rules = std::make_unique<GradientRule[]>(function.tensors);
  for (int k = 0; k < function.tensors; ++k) {
    if (function.is_mask(k) || function.predicate()) continue;
    std::vector<ExpressionNode> storage(4 * math::body_capacity);
    ExpressionArena arena(storage.data(), static_cast<int>(storage.size()));
    arena.simplify = true;
    const std::optional<Dual> result = run_dual(function, k, arena);
    if (!result) {
      rules[k].form = math::GradientForm::unknown;
      continue;
    }
    const int value = result->value.in(&arena);
    auto derived = std::make_unique<DerivedFunction>();
    derived->gradient =
        math::detail::extract(arena, result->tangent, value, function.tensors, function.masks);
    rules[k].form = derived->gradient.form;
    rules[k].saved = derived->gradient.saved;
    if (derived->gradient.form != math::GradientForm::computed) continue;
    if (derived->gradient.inputs > max_pointwise_inputs) {  // each order reads one tensor more
      rules[k].form = math::GradientForm::unknown;
      continue;
    }
    PointwiseFunction& f = derived->function;
    f.name = function.name;
    f.program = &derived->gradient.program;
    f.tensors = static_cast<std::uint8_t>(derived->gradient.inputs);
    f.scalars = function.scalars;
    f.masks = static_cast<std::uint8_t>(derived->gradient.masks);
    f.gradient_of = static_cast<std::int8_t>(k);
    if (function.gradient_of >= 0) f.origin = &function;
    f.traits = function.traits;
    rules[k].function = &derived.release()->function;
  }
  return rules.release();
}

}  // namespace

std::string full_name(const PointwiseFunction& function) {
  if (function.gradient_of < 0) return function.name;
  return fmt::format("{}.gradient{}", function.origin ? full_name(*function.origin) : function.name,
                     function.gradient_of);
}

const PointwiseFunction* find_pointwise_function(std::string_view full_name) {
  static const auto& by_name = *[] {
    auto* found = new std::unordered_map<std::string_view, const PointwiseFunction*>;
    for (const PointwiseEntry& entry : PHLOX_TABLE_SPAN(phlox_pointwise_functions))
      found->emplace(entry.function->name, entry.function);
    return found;
  }();
  constexpr std::string_view gradient = ".gradient";
  // Names come from texts as well: nobody needs longer ones.
  constexpr std::size_t longest = 256;
  if (full_name.size() > longest) return nullptr;
  const std::size_t dot = full_name.rfind(gradient);
  if (dot == std::string_view::npos) {
    const auto entry = by_name.find(full_name);
    return entry == by_name.end() ? find_added_pointwise_function(full_name) : entry->second;
  }
  const PointwiseFunction* origin = find_pointwise_function(full_name.substr(0, dot));
  const std::string_view digits = full_name.substr(dot + gradient.size());
  if (!origin || digits.size() != 1 || digits[0] < '0' || digits[0] - '0' >= origin->tensors) return nullptr;
  return gradient_rule(*origin, digits[0] - '0').function;
}

const GradientRule& gradient_rule(const PointwiseFunction& function, int k) {
  if (function.rules) return function.rules[k];
  const GradientRule* rules = function.derived_rules.load(std::memory_order_acquire);
  if (!rules) {
    static std::mutex mutex;
    std::lock_guard lock(mutex);
    rules = function.derived_rules.load(std::memory_order_acquire);
    if (!rules) {
      rules = derive_rules(function);
      function.derived_rules.store(rules, std::memory_order_release);
    }
  }
  return rules[k];
}

}  // namespace phlox
