// Normalisation by mean and variance. One definition serves batch, layer, group and instance normalisation; beside it
// stands a form that devices do in fewer passes (normalization.h), which saves the input and the statistics only.
#include "phlox/ops/primitives/normalization.h"

#include <algorithm>
#include <optional>

#include "phlox/core/recomputation.h"
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/sum_to_shape.h"

namespace phlox {
namespace {

struct Statistics {
  Tensor mean, variance;  // with the reduced dimensions kept as 1; the variance divides by the count
  Tensor centered;        // input - mean
};

Statistics statistics_of(const Tensor& input, const DimList& dims) {
  Statistics s;
  s.mean = mean(input, dims, true);
  s.centered = sub(input, s.mean);
  s.variance = mean(mul(s.centered, s.centered), dims, true);
  return s;
}

// centered * inverse_deviation * weight + bias in as few passes as the shapes allow. weight and bias broadcast against
// the input; either may be undefined.
Tensor apply_statistics(const Tensor& centered, const Tensor& inverse_deviation, const Tensor& weight,
                        const Tensor& bias) {
  Tensor value = centered, factor = inverse_deviation;
  if (weight.defined()) {
    const bool along_statistics = element_count(broadcast_shapes(factor.shape(), weight.shape())) <=
                                  std::max(factor.numel(), weight.numel());
    if (along_statistics) {
      factor = mul(factor, weight);
    } else {
      value = mul(value, factor);
      factor = weight;
    }
  }
  return bias.defined() ? addcmul(bias, value, factor) : mul(value, factor);
}

// The input with mean 0 and variance 1 over `dims`, times weight plus bias: the definition. Saves the statistics.
Tensor normalize_by_definition(const Tensor& input, const DimList& dims, const Tensor& weight,
                               const Tensor& bias, double eps, Statistics* used) {
  const Statistics s = statistics_of(input, dims);
  if (used) *used = {s.mean.detach(), s.variance.detach(), {}};
  return apply_statistics(s.centered, rsqrt(add(s.variance, eps)), weight, bias);
}

// What one call normalises.
struct Normalized {
  NormalizationLayout layout{};
  bool channels_last = false;  // how elements lie in memory; else row-major
  DimList dims;                // over which statistics are taken
  double eps = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    layout.visit(v), v("channels_last", channels_last), v("dims", dims), v("eps", eps);
  }

  // Whether devices know the layout: a weight for each statistic where these lie side by side, for each run of a
  // statistic, or for each of its elements.
  bool known() const {
    const NormalizationLayout& l = layout;
    if (l.outer * l.kept * l.inner == 0) return false;
    return l.inner == 1 ? l.channels == l.kept : l.run > 1 || l.channels == l.inner;
  }
  // The tensor with its elements in this order in memory.
  Tensor ordered(const Tensor& tensor) const {
    NoGrad no_grad;
    if (!channels_last) return tensor.contiguous();
    return tensor.is_channels_last() ? tensor
                                     : apply_convert(tensor, tensor.dtype(), MemoryOrder::channels_last);
  }
};

const TensorImpl* impl_or_null(const Tensor& tensor) { return tensor.defined() ? tensor.impl() : nullptr; }

struct NormalizedResults {
  Tensor result, mean, variance, inverse;
};
// The form that devices do; weight and bias broadcast against the input or are undefined.
NormalizedResults apply_normalize(const Tensor& input, const Tensor& weight, const Tensor& bias,
                                  const Normalized& form);

TensorList evaluate_normalize(std::span<const Operand> inputs, const void* attributes) {
  const NormalizedResults r = apply_normalize(inputs[0].tensor(), inputs[1].tensor(), inputs[2].tensor(),
                                              *static_cast<const Normalized*>(attributes));
  return {r.result, r.mean, r.variance, r.inverse};
}
PHLOX_PRIMITIVE(normalize, 74, evaluate_normalize, Normalized);
// That the form is one of this input, with these vectors (or null) over its channels and over its statistics.
void check_form(const PrimitiveCall& call, const Normalized& form,
                std::initializer_list<const Tensor*> parameters,
                std::initializer_list<const Tensor*> statistics) {
  const Tensor& input = call.tensor(0);
  const NormalizationLayout& l = form.layout;
  call.require(input.dtype() == DType::float32 || input.dtype() == DType::float64,
               "the input is neither float32 nor float64");
  call.require(!form.channels_last || input.rank() == 4 || input.rank() == 5,
               "channels are last in 4 or 5 dimensions, not {}", input.rank());
  call.require_dims("dims", form.dims, input);
  for (std::int64_t size : {l.outer, l.kept, l.inner, l.run, l.channels})
    call.require(size > 0, "the layout holds {}", size);
  call.require_sizes("the layout", {l.outer, l.kept, l.inner});
  call.require(l.outer * l.kept * l.inner == input.numel() && l.inner % l.run == 0 && form.known(),
               "the layout is not one of {} elements", input.numel());
  Shape kept = input.shape();
  for (std::int64_t d : form.dims) kept[static_cast<std::size_t>(d)] = 1;
  call.require(element_count(kept) == l.kept, "dims leave {} statistics, not {}", element_count(kept),
               l.kept);
  const auto check_vectors = [&](const auto& tensors, std::int64_t count) {
    for (const Tensor* tensor : tensors) {
      if (!tensor) continue;
      call.require_dtype("a vector", *tensor, input.dtype());
      call.require(tensor->numel() == count, "a vector has {} elements, not {}", tensor->numel(), count);
    }
  };
  check_vectors(parameters, l.channels);
  check_vectors(statistics, l.kept);
}

void check_normalize(const PrimitiveCall& call) {
  call.takes(3);
  check_form(call, call.attributes<Normalized>(), {call.optional_tensor(1), call.optional_tensor(2)}, {});
}
PHLOX_PRIMITIVE_RULE(normalize, check_normalize);

struct NormalizeGradientAttributes {
  Normalized form;
  bool wanted[3] = {};    // gradients of input, weight and bias
  Shape parameter_shape;  // of weight and bias
  template <class Visitor>
  void visit(Visitor& v) {
    form.visit(v), v("input", wanted[0]), v("weight", wanted[1]), v("bias", wanted[2]);
    v("parameter_shape", parameter_shape);
  }
};

// The gradients that are wanted, without gradients of their own. Inputs: input, gradient, mean, inverse, weight.
TensorList apply_normalize_gradient(std::span<const Operand> inputs, const NormalizeGradientAttributes& a);

TensorList evaluate_normalize_gradient(std::span<const Operand> inputs, const void* attributes) {
  const Tensor mean = inputs[2].tensor().contiguous(), inverse = inputs[3].tensor().contiguous();
  const Operand ordered[] = {inputs[0], inputs[1], mean, inverse, inputs[4]};
  return apply_normalize_gradient(ordered, *static_cast<const NormalizeGradientAttributes*>(attributes));
}
PHLOX_PRIMITIVE(normalize_gradient, 75, evaluate_normalize_gradient, NormalizeGradientAttributes);
void check_normalize_gradient(const PrimitiveCall& call) {
  call.takes(5);
  const auto& a = call.attributes<NormalizeGradientAttributes>();
  check_form(call, a.form, {call.optional_tensor(4)}, {&call.tensor(2), &call.tensor(3)});
  call.require_shape("the gradient", call.tensor(1), call.tensor(0).shape());
  call.require_dtype("the gradient", call.tensor(1), call.tensor(0).dtype());
  call.require(a.wanted[0] || a.wanted[1] || a.wanted[2], "no gradient is wanted");
  if (!a.wanted[1] && !a.wanted[2]) return;
  call.require_sizes("parameter_shape", a.parameter_shape);
  call.require(element_count(a.parameter_shape) == a.form.layout.channels, "parameters hold {} elements",
               element_count(a.parameter_shape));
}
PHLOX_PRIMITIVE_RULE(normalize_gradient, check_normalize_gradient);

TensorList apply_normalize_gradient(std::span<const Operand> inputs, const NormalizeGradientAttributes& a) {
  if (thread_mode.interpreter_count) [[unlikely]]
    return interpret(normalize_gradient_primitive, inputs, &a);
  const Tensor input = a.form.ordered(inputs[0].tensor()), slope = a.form.ordered(inputs[1].tensor());
  const Tensor &weight = inputs[4].tensor(),
               factor = weight.defined() ? weight.detach().contiguous() : weight;
  NormalizationGradientCall call{a.form.layout,
                                 input.impl(),
                                 slope.impl(),
                                 inputs[2].tensor().impl(),
                                 inputs[3].tensor().impl(),
                                 impl_or_null(factor),
                                 nullptr,
                                 nullptr,
                                 nullptr};
  TensorImpl** const targets[] = {&call.input_gradient, &call.weight_gradient, &call.bias_gradient};
  TensorList results;
  for (int i = 0; i < 3; ++i) {
    if (!a.wanted[i]) continue;
    results.push_back(i == 0 ? make_tensor_like(input, input.shape(), input.dtype())
                             : make_tensor(a.parameter_shape, input.dtype(), input.device()));
    *targets[i] = results.back().impl();
  }
  device_kernels(input.device()).normalize_gradient(call);
  return results;
}

// With x̂ = (x - mean) r, y = w x̂ + b and h = g w: dx = r (h - mean(h) - x̂ mean(h x̂)), dw = Σ g x̂, db = Σ g.
class NormalizationNode final : public GradientNode {
 public:
  NormalizationNode(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& mean,
                    const Tensor& inverse, const Normalized& form)
      : GradientNode("normalization", 3), form_(form), has_weight_(weight.defined()) {
    edges()[0] = gradient_edge(input);
    for (const Tensor* parameter : {&weight, &bias})
      if (parameter->defined()) parameter_shape_ = parameter->shape();
    if (weight.defined()) {
      edges()[1] = gradient_edge(weight);
      if (wants(0)) weight_ = SavedTensor(weight, this);
    }
    if (bias.defined()) edges()[2] = gradient_edge(bias);
    input_ = SavedTensor(input, this);
    mean_ = SavedTensor(mean, this);
    inverse_ = SavedTensor(inverse, this);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor weight = has_weight_ && wants(0) ? weight_.get(*this) : Tensor();
    if (gradients_enabled()) {
      backward_by_definition(output_gradients[0], weight, input_gradients);
      return;
    }
    const Tensor input = input_.get(*this), mean = mean_.get(*this), inverse = inverse_.get(*this);
    const Operand operands[] = {input, output_gradients[0], mean, inverse, weight};
    const NormalizeGradientAttributes attributes{form_, {wants(0), wants(1), wants(2)}, parameter_shape_};
    TensorList results = apply_normalize_gradient(operands, attributes);
    for (int i = 0, next = 0; i < 3; ++i)
      if (wants(i))
        input_gradients[static_cast<std::size_t>(i)] = std::move(results[static_cast<std::size_t>(next++)]);
  }

  void release_saved() override {
    input_.release();
    weight_.release();
    mean_.release();
    inverse_.release();
  }
  bool released() const override { return input_.released(); }

 private:
  // Written with operations, so that it can be differentiated again, through the statistics too.
  void backward_by_definition(const Tensor& gradient, const Tensor& weight,
                              std::span<Tensor> input_gradients) {
    const Tensor input = input_.get(*this);
    const Statistics s = statistics_of(input, form_.dims);
    const Tensor inverse = rsqrt(add(s.variance, form_.eps));
    const Tensor normalized = mul(s.centered, inverse);
    if (wants(0)) {
      const Tensor scaled = weight.defined() ? mul(gradient, weight) : gradient;
      const Tensor projection = mean(mul(scaled, normalized), form_.dims, true);
      const Tensor shifted = addcmul(neg(mul(mean(scaled, form_.dims, true), inverse)), scaled, inverse);
      input_gradients[0] = addcmul(shifted, normalized, neg(mul(projection, inverse)));
    }
    if (wants(1)) input_gradients[1] = sum_to_shape(mul(gradient, normalized), parameter_shape_);
    if (wants(2)) input_gradients[2] = sum_to_shape(gradient, parameter_shape_);
  }

  Normalized form_;
  bool has_weight_;
  Shape parameter_shape_;  // of weight and bias
  SavedTensor input_, weight_, mean_, inverse_;
};

NormalizedResults apply_normalize(const Tensor& input, const Tensor& weight, const Tensor& bias,
                                  const Normalized& form) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {input, weight, bias};
    TensorList results = interpret(normalize_primitive, operands, &form);
    return {results[0], results[1], results[2], results[3]};
  }
  const Tensor source = form.ordered(input);
  const Tensor factor = weight.defined() ? weight.detach().contiguous() : weight;
  const Tensor addend = bias.defined() ? bias.detach().contiguous() : bias;
  const Tensor result = make_tensor_like(source, source.shape(), source.dtype());
  Shape shape = input.shape();
  for (std::int64_t d : form.dims) shape[static_cast<std::size_t>(d)] = 1;
  const auto statistic = [&] { return make_tensor(shape, input.dtype(), input.device()); };
  const Tensor center = statistic(), variance = statistic(), inverse = statistic();
  device_kernels(input.device())
      .normalize({form.layout, form.eps, source.impl(), impl_or_null(factor), impl_or_null(addend),
                  result.impl(), center.impl(), variance.impl(), inverse.impl()});
  if (needs_gradient(input) || needs_gradient(weight) || needs_gradient(bias))
    set_history(result, Reference<GradientNode>::adopt(
                            new NormalizationNode(input, weight, bias, center, inverse, form)));
  return {result, center, variance, inverse};
}

// The form for all samples where they are more statistics: with the batch dimension in front, or folded into the first
// one. Nothing where they would lie inside of what is reduced.
struct BatchedForm {
  Normalized form;
  bool folds = false;
  std::int64_t batch = 1;
  Tensor enter(const Tensor& tensor) const { return folds ? fold_batch(tensor) : tensor; }
  Tensor leave(const Tensor& tensor) const { return folds ? unfold_batch(tensor, batch) : tensor; }
};
std::optional<BatchedForm> form_behind_batch(const BatchedCall& call, const Normalized& form) {
  BatchedForm result{form, form.channels_last, call.batch()};
  if (form.layout.outer != 1 || form.layout.inner == 1 || (result.folds && form.dims.contains(0))) return {};
  result.form.layout.kept *= call.batch();
  if (!result.folds) result.form.dims = DimList(behind_batch(form.dims));
  return result;
}

// A parameter of samples against their input; shared ones broadcast as they are.
Tensor parameter_of(const BatchedCall& call, std::size_t i) {
  return call.is_batched(i) ? with_sample_rank(call.tensor(i), call.rank(0)) : call.tensor(i);
}

TensorList batch_normalize(const BatchedCall& call) {
  const auto batched = form_behind_batch(call, call.attributes_as<Normalized>());
  if (!batched) return run_each_sample(call);
  const bool differ = call.is_batched(1) || call.is_batched(2);
  const auto shared = [&](std::size_t i) { return differ || !call.has(i) ? Tensor() : call.tensor(i); };
  const NormalizedResults r =
      apply_normalize(batched->enter(call.batched(0)), shared(1), shared(2), batched->form);
  Tensor result = batched->leave(r.result);
  if (differ && call.has(1)) result = mul(result, parameter_of(call, 1));
  if (differ && call.has(2)) result = add(result, parameter_of(call, 2));
  return {result, batched->leave(r.mean), batched->leave(r.variance), batched->leave(r.inverse)};
}
PHLOX_BATCHING_RULE(normalize, batch_normalize);

TensorList batch_normalize_gradient(const BatchedCall& call) {
  const auto& a = call.attributes_as<NormalizeGradientAttributes>();
  const auto batched = form_behind_batch(call, a.form);
  if (!batched) return run_each_sample(call);
  const Tensor input = call.batched(0), gradient = call.batched(1), mean = call.batched(2),
               inverse = call.batched(3);
  TensorList results;
  if (a.wanted[0]) {
    // Weights of samples are taken into the gradient.
    const bool differ = call.is_batched(4);
    const Tensor weight = differ || !call.has(4) ? Tensor() : call.tensor(4);
    const Tensor slope = batched->enter(differ ? mul(gradient, parameter_of(call, 4)) : gradient);
    const Tensor values = batched->enter(input), center = contiguous(batched->enter(mean)),
                 factor = contiguous(batched->enter(inverse));
    const Operand operands[] = {values, slope, center, factor, weight};
    NormalizeGradientAttributes of_input{batched->form, {true, false, false}, a.parameter_shape};
    results.push_back(batched->leave(apply_normalize_gradient(operands, of_input)[0]));
  }
  Shape places = a.parameter_shape;  // of the parameters of samples against their input
  while (places.rank() < call.rank(0)) places.insert(0, 1);
  const Shape shape = with_batch(call.batch(), a.parameter_shape);
  const auto parameter_gradient = [&](const Tensor& terms) {
    return reshape(sum_to_shape(terms, with_batch(call.batch(), places)), shape);
  };
  if (a.wanted[1]) results.push_back(parameter_gradient(mul(gradient, mul(sub(input, mean), inverse))));
  if (a.wanted[2]) results.push_back(parameter_gradient(gradient));
  return results;
}
PHLOX_BATCHING_RULE(normalize_gradient, batch_normalize_gradient);

// The input with mean 0 and variance 1 over the form's dimensions, times weight plus bias, which broadcast against the
// input or are undefined.
Tensor normalize(const Tensor& input, const Normalized& form, const Tensor& weight, const Tensor& bias,
                 Statistics* used = nullptr) {
  if (!form.known()) [[unlikely]]
    return normalize_by_definition(input, form.dims, weight, bias, form.eps, used);
  const NormalizedResults r = apply_normalize(input, weight, bias, form);
  if (used) *used = {r.mean, r.variance, {}};
  return r.result;
}

void check_floating(const char* operation, const Tensor& input) {
  if (is_floating(input.dtype())) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floating numbers, not {}", operation,
                   info(input.dtype()).name)
      .detail("input", describe(input))
      .hint("<input>.to(px.float32)")
      .raise();
}

// Halves are normalised in float32.
DType compute_dtype(const Tensor& input) {
  return input.dtype() == DType::float64 ? DType::float64 : DType::float32;
}

// A vector over the channels, shaped to broadcast along dimension 1 of an input of this rank.
Tensor along_channels(const char* operation, const char* name, const OptionalTensor& vector,
                      const Tensor& input, DType dtype) {
  if (!vector) return {};
  if (vector->rank() != 1 || vector->size(0) != input.size(1))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the input has {} channels, {} is for {}", operation,
                     input.size(1), name, vector->rank() == 1 ? vector->size(0) : vector->numel())
        .detail("input", describe(input))
        .detail(name, describe(*vector))
        .raise();
  Shape shape(static_cast<std::size_t>(input.rank()), 1);
  shape[1] = input.size(1);
  return reshape(vector->to(dtype), shape);
}

void need_channels(const char* operation, const Tensor& input) {
  if (input.rank() >= 2) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: input needs a batch and a channel dimension", operation)
      .detail("input", describe(input))
      .raise();
}

// running = (1 - momentum) running + momentum value, in place.
void update_running(const OptionalTensor& running, const Tensor& value, double momentum) {
  if (!running || is_recomputing()) return;
  NoGrad no_grad;
  running->mul_(1 - momentum);
  running->add_(mul(reshape(value, running->shape()), momentum).to(running->dtype()));
}

void check_normalized_shape(const char* operation, const Tensor& input, const DimList& shape,
                            const OptionalTensor& weight, const OptionalTensor& bias) {
  bool fits = !shape.empty() && shape.rank() <= input.rank();
  for (int d = 0; fits && d < shape.rank(); ++d)
    fits = input.size(input.rank() - shape.rank() + d) == shape[d];
  if (!fits)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the last dimensions of the input are not [{}]", operation,
                     to_string(shape))
        .detail("input", describe(input))
        .hint("normalized_shape names the sizes of the last dimensions")
        .raise();
  for (const OptionalTensor* parameter : {&weight, &bias})
    if (*parameter && (*parameter)->shape() != shape)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: weight and bias need the shape [{}]", operation,
                       to_string(shape))
          .detail("parameter", describe(**parameter))
          .raise();
}

DimList last_dims(const Tensor& input, int count) {
  DimList dims;
  for (int d = input.rank() - count; d < input.rank(); ++d) dims.push_back(d);
  return dims;
}

// Elements of one channel of one sample.
std::int64_t places_of(const Tensor& input) {
  std::int64_t count = 1;
  for (int d = 2; d < input.rank(); ++d) count *= input.size(d);
  return count;
}

// All dimensions but the channels; `with_batch` says whether the batch is reduced too.
DimList spatial_dims(const Tensor& input, bool with_batch) {
  DimList dims;
  if (with_batch) dims.push_back(0);
  for (int d = 2; d < input.rank(); ++d) dims.push_back(d);
  return dims;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, batch_norm,
    (const Tensor& input, const OptionalTensor& running_mean = {}, const OptionalTensor& running_var = {},
     const OptionalTensor& weight = {}, const OptionalTensor& bias = {}, bool training = false,
     double momentum = 0.1, double eps = 1e-5),
    .doc =
        "Normalises each channel of [batch, channels, ...] over all other dimensions, then multiplies by "
        "`weight` and adds `bias`. In training the batch's own statistics are used, and move the running "
        "ones in place by `momentum`; otherwise the running ones are used.",
    .source = "Ioffe, Szegedy 2015, arXiv:1502.03167", .family = Family::normalization,
    .home = "nn.functional", .method = false,
    .samples =
        "batch_norm(A(4, 3, 5), A(3), P(3), A(3), A(3)); batch_norm(A(4, 3, 2, 5), None, None, A(3), "
        "A(3), training=True); batch_norm(A(4, 3), training=True)",
    .integers = false, .autocast = AutocastClass::full_precision) {
  check_floating("batch_norm", input);
  if (input.rank() == 1 && input.numel() == 0) return mul(input, 1.0);  // as PyTorch: no sample, no channel
  need_channels("batch_norm", input);
  const DType dtype = compute_dtype(input);
  const Tensor x = input.to(dtype);
  const Tensor scale = along_channels("batch_norm", "weight", weight, input, dtype);
  const Tensor shift = along_channels("batch_norm", "bias", bias, input, dtype);
  if (!training) {
    if (!running_mean || !running_var)
      fail<ValueError>(ErrorCode::invalid_value, "batch_norm: running statistics are needed outside training")
          .detail("input", describe(input))
          .hint("training=True uses the statistics of the batch")
          .raise();
    const Tensor center = along_channels("batch_norm", "running_mean", running_mean, input, dtype);
    const Tensor variance = along_channels("batch_norm", "running_var", running_var, input, dtype);
    // One multiplication and one addition an element: the rest happens on vectors over the channels.
    Tensor factor = rsqrt(add(variance, eps));
    if (scale.defined()) factor = mul(factor, scale);
    Tensor addend = mul(neg(center), factor);
    if (shift.defined()) addend = add(addend, shift);
    return addcmul(addend, x, factor).to(input.dtype());
  }
  const std::int64_t count = input.size(1) ? input.numel() / input.size(1) : 0;
  if (count == 1)
    fail<ValueError>(ErrorCode::invalid_value,
                     "batch_norm: one value a channel has no variance to train with")
        .detail("input", describe(input))
        .hint("a larger batch, or eval()")
        .raise();
  Statistics used;
  const std::int64_t batch = input.size(0), channels = input.size(1), places = places_of(input);
  const bool last = x.is_channels_last() && !x.is_contiguous();
  const NormalizationLayout layout = last ? NormalizationLayout{batch * places, channels, 1, 1, channels}
                                          : NormalizationLayout{batch, channels, places, places, channels};
  const Tensor result = normalize(x, {layout, last, spatial_dims(x, true), eps}, scale, shift, &used);
  if (count == 0) return result.to(input.dtype());  // nothing for the running statistics to follow
  update_running(running_mean, used.mean, momentum);
  if (running_var) {
    NoGrad no_grad;
    const double n = static_cast<double>(count);
    update_running(running_var, mul(used.variance, n / (n - 1)), momentum);
  }
  return result.to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, instance_norm,
    (const Tensor& input, const OptionalTensor& running_mean = {}, const OptionalTensor& running_var = {},
     const OptionalTensor& weight = {}, const OptionalTensor& bias = {}, bool use_input_stats = true,
     double momentum = 0.1, double eps = 1e-5),
    .doc =
        "Normalises each channel of each sample of [batch, channels, ...] over the spatial dimensions. With "
        "use_input_stats=False the running statistics are used.",
    .source = "Ulyanov et al. 2016, arXiv:1607.08022", .family = Family::normalization,
    .home = "nn.functional", .method = false,
    .samples = "instance_norm(A(2, 3, 5)); instance_norm(A(2, 3, 4, 5), weight=A(3), bias=A(3))",
    .integers = false, .autocast = AutocastClass::full_precision) {
  check_floating("instance_norm", input);
  need_channels("instance_norm", input);
  if (!use_input_stats)
    return batch_norm(input, running_mean, running_var, weight, bias, false, momentum, eps);
  const DType dtype = compute_dtype(input);
  const Tensor x = input.to(dtype);
  Statistics used;
  const std::int64_t channels = input.size(1), places = places_of(input);
  if (places == 1)
    fail<ValueError>(ErrorCode::invalid_value, "instance_norm: one value a channel has no variance")
        .detail("input", describe(input))
        .hint("more than one spatial place, or use_input_stats=False")
        .raise();
  const NormalizationLayout layout{1, input.size(0) * channels, places, places, channels};
  const Tensor result = normalize(x, {layout, false, spatial_dims(x, false), eps},
                                  along_channels("instance_norm", "weight", weight, input, dtype),
                                  along_channels("instance_norm", "bias", bias, input, dtype), &used);
  if ((running_mean || running_var) && input.numel() > 0) {
    NoGrad no_grad;
    const double n = static_cast<double>(input.numel()) / static_cast<double>(input.size(0) * input.size(1));
    update_running(running_mean, mean(used.mean, 0), momentum);
    update_running(running_var, mul(mean(used.variance, 0), n / (n - 1)), momentum);
  }
  return result.to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, layer_norm,
    (const Tensor& input, const DimList& normalized_shape, const OptionalTensor& weight = {},
     const OptionalTensor& bias = {}, double eps = 1e-5),
    .doc =
        "Normalises over the last dimensions, whose sizes are `normalized_shape`, then multiplies by "
        "`weight` and adds `bias` of that shape.",
    .source = "Ba et al. 2016, arXiv:1607.06450", .family = Family::normalization, .home = "nn.functional",
    .method = false, .samples = "layer_norm(A(2, 3, 5), [5], A(5), A(5)); layer_norm(A(2, 3, 5), [3, 5])",
    .reference =
        "(lambda d: (input - input.mean(d, keepdims=True)) / np.sqrt(input.var(d, keepdims=True) + "
        "eps) * (1 if weight is None else weight) + (0 if bias is None else "
        "bias))(tuple(range(-len(np.atleast_1d(normalized_shape)), 0)))",
    .integers = false, .autocast = AutocastClass::full_precision) {
  check_floating("layer_norm", input);
  check_normalized_shape("layer_norm", input, normalized_shape, weight, bias);
  const DType dtype = compute_dtype(input);
  const std::int64_t length = element_count(normalized_shape);
  const NormalizationLayout layout{1, length ? input.numel() / length : 0, length, 1, length};
  return normalize(input.to(dtype), {layout, false, last_dims(input, normalized_shape.rank()), eps},
                   weight ? weight->to(dtype) : Tensor(), bias ? bias->to(dtype) : Tensor())
      .to(input.dtype());
}

PHLOX_OPERATION(Tensor, group_norm,
                (const Tensor& input, std::int64_t num_groups, const OptionalTensor& weight = {},
                 const OptionalTensor& bias = {}, double eps = 1e-5),
                .doc = "Normalises groups of channels of [batch, channels, ...], each sample by itself.",
                .source = "Wu, He 2018, arXiv:1803.08494", .family = Family::normalization,
                .home = "nn.functional", .method = false,
                .samples = "group_norm(A(2, 6, 5), 3, A(6), A(6)); group_norm(A(2, 4, 3, 2), 2)",
                .integers = false, .autocast = AutocastClass::full_precision) {
  check_floating("group_norm", input);
  need_channels("group_norm", input);
  if (num_groups < 1 || input.size(1) % num_groups != 0)
    fail<ShapeError>(ErrorCode::sizes_differ, "group_norm: {} channels do not divide into {} groups",
                     input.size(1), num_groups)
        .detail("input", describe(input))
        .raise();
  const DType dtype = compute_dtype(input);
  const std::int64_t per_group = input.size(1) / num_groups;
  Shape shape{input.size(0), num_groups, per_group};
  DimList dims{2};
  for (int d = 2; d < input.rank(); ++d) {
    shape.push_back(input.size(d));
    dims.push_back(d + 1);
  }
  Shape parameter_shape(shape.size(), 1);
  parameter_shape[1] = num_groups;
  parameter_shape[2] = per_group;
  const auto parameter = [&](const char* name, const OptionalTensor& vector) -> Tensor {
    const Tensor checked = along_channels("group_norm", name, vector, input, dtype);
    return checked.defined() ? reshape(checked, parameter_shape) : checked;
  };
  const std::int64_t places = places_of(input);
  const NormalizationLayout layout{1, input.size(0) * num_groups, per_group * places, places, input.size(1)};
  const Tensor result = normalize(reshape(input.to(dtype), shape), {layout, false, dims, eps},
                                  parameter("weight", weight), parameter("bias", bias));
  return reshape(result, input.shape()).to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, rms_norm,
    (const Tensor& input, const DimList& normalized_shape, const OptionalTensor& weight = {},
     OptionalDouble eps = {}),
    .doc =
        "Divides by the root of the mean square over the last dimensions, whose sizes are "
        "`normalized_shape`, then multiplies by `weight`. `eps` is the dtype's machine epsilon when not "
        "given.",
    .source = "Zhang, Sennrich 2019, arXiv:1910.07467", .family = Family::normalization,
    .home = "nn.functional", .method = false,
    .samples = "rms_norm(A(2, 3, 5), [5], A(5), 1e-5); rms_norm(A(2, 3, 5), [3, 5], None, 1e-3)",
    .reference =
        "input / np.sqrt((input ** 2).mean(tuple(range(-len(np.atleast_1d(normalized_shape)), 0)), "
        "keepdims=True) + eps) * (1 if weight is None else weight)",
    .integers = false, .autocast = AutocastClass::full_precision) {
  const bool has_parts = is_complex(input.dtype());
  if (!has_parts) check_floating("rms_norm", input);
  check_normalized_shape("rms_norm", input, normalized_shape, weight, {});
  if (has_parts) {  // the mean of the squares themselves, as PyTorch has it, not of their lengths
    const Tensor square = mean(mul(input, input), last_dims(input, normalized_shape.rank()), true);
    const double small = input.dtype() == DType::complex128 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
    const Tensor result = mul(input, rsqrt(add(square, eps.value_or(small))));
    return weight ? mul(result, *weight) : result;
  }
  const DType dtype = compute_dtype(input);
  const double small = dtype == DType::float64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
  const Tensor x = input.to(dtype);
  const Tensor square = mean(mul(x, x), last_dims(input, normalized_shape.rank()), true);
  const Tensor result = mul(x, rsqrt(add(square, eps.value_or(small))));
  return (weight ? mul(result, weight->to(dtype)) : result).to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, local_response_norm,
    (const Tensor& input, std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1.0),
    .doc =
        "Divides each element of [batch, channels, ...] by a power of the mean square of its `size` "
        "neighbouring channels.",
    .source = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks",
    .family = Family::normalization, .home = "nn.functional", .method = false,
    .samples = "local_response_norm(A(2, 6, 4), 3); local_response_norm(A(2, 5, 3, 3), 4, alpha=0.5)",
    .integers = false, .autocast = AutocastClass::full_precision) {
  if (is_integer(input.dtype()) && !is_boolean(input.dtype()) && input.numel() > 0)
    return local_response_norm(input.to(default_dtype()), size, alpha, beta, k);
  if (!is_integer(input.dtype())) check_floating("local_response_norm", input);
  need_channels("local_response_norm", input);
  if (size < 1)
    fail<ValueError>(ErrorCode::invalid_value, "local_response_norm: size must be at least 1, not {}", size)
        .raise();
  if (input.numel() == 0) return input.clone();
  const std::int64_t rest = input.numel() / (input.size(0) * input.size(1));
  const Tensor squares = reshape(mul(input, input), {input.size(0), 1, input.size(1), rest});
  const Tensor padded = pad(squares, {0, 0, size / 2, (size - 1) / 2});
  const Tensor means = reshape(avg_pool2d(padded, {size, 1}, DimList{1, 1}), input.shape());
  return mul(input, pow(add(mul(means, alpha), k), -beta));
}

}  // namespace phlox
