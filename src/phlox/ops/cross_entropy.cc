// The losses of classification: cross_entropy and nll_loss.
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/loss_reduction.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/softmax.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

namespace {

// Which of the classes, along the last dimension, is the target.
Tensor one_hot_mask(const Tensor& target, std::int64_t classes) {
  return eq(unsqueeze(target, -1), arange(0, classes, 1, target.dtype(), target.device()));
}

// The weight of each row; 0 for those to ignore.
Tensor weight_of_rows(const Tensor& target, const OptionalTensor& weight, std::int64_t ignore_index,
                      DType dtype) {
  const Tensor counts = ne(target, ignore_index);
  if (!weight) return counts.to(dtype);
  const Tensor safe = phlox::where(counts, target, 0);
  const Tensor of_class =
      reshape(index_select(weight->to(dtype), 0, reshape(safe, {target.numel()})), target.shape());
  return phlox::where(counts, of_class, 0);
}

// logits f[rows..., classes] and i64[rows...] as the kernel wants them.
struct CrossEntropyInputs {
  Tensor logits;
  Tensor target;  // row-major
  Tensor weight;  // of the working dtype, row-major; or undefined
  std::int64_t ignore_index;
  double smoothing;

  DType working() const { return logits.dtype() == DType::float64 ? DType::float64 : DType::float32; }
  double weight_sum() const {
    if (!weight.defined()) return static_cast<double>(logits.size(-1));
    if (!thread_mode.abstract) return sum(weight, {}, false, DType::float64).item<double>();
    abstract_evaluation.needs_values = true;
    return 0;
  }
  CrossEntropyCall call() const {
    CrossEntropyCall c{};
    c.logits = logits.impl();
    c.target = target.impl();
    c.weight = weight.unsafe_impl();
    c.ignore_index = ignore_index;
    c.smoothing = smoothing;
    c.weight_sum = weight_sum();
    return c;
  }
};

struct CrossEntropyAttributes {
  std::int64_t ignore_index = -100;
  double smoothing = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("ignore_index", ignore_index), v("smoothing", smoothing);
  }
};

// The losses of rows, and what their gradient needs of them.
TensorPair row_losses(const CrossEntropyInputs& in);
// The gradient of the logits, without a gradient of its own.
Tensor row_losses_gradient(const CrossEntropyInputs& in, const Tensor& statistics, const Tensor& gradient);

CrossEntropyInputs inputs_from(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const CrossEntropyAttributes*>(attributes);
  const Tensor& weight = inputs[2].tensor();
  return {inputs[0].tensor(), inputs[1].tensor().contiguous(),
          weight.defined() ? weight.contiguous() : weight, a.ignore_index, a.smoothing};
}

TensorList evaluate_cross_entropy(std::span<const Operand> inputs, const void* attributes) {
  const auto [losses, statistics] = row_losses(inputs_from(inputs, attributes));
  return {losses, statistics};
}
PHLOX_PRIMITIVE(cross_entropy, 72, evaluate_cross_entropy, CrossEntropyAttributes);
// The dtype in which rows are computed.
DType check_rows(const PrimitiveCall& call) {
  const Tensor &logits = call.tensor(0), &target = call.tensor(1);
  call.require_floating("logits", logits);
  call.require(logits.rank() > 0, "logits have no dimension for the classes");
  Shape rows = logits.shape();
  rows.resize(rows.size() - 1);
  call.require_shape("the target", target, rows);
  call.require_dtype("the target", target, DType::int64);
  const DType working = logits.dtype() == DType::float64 ? DType::float64 : DType::float32;
  if (const Tensor* weight = call.optional_tensor(2)) {
    call.require_shape("the weight", *weight, {logits.size(-1)});
    call.require_dtype("the weight", *weight, working);
  }
  return working;
}

void check_cross_entropy(const PrimitiveCall& call) {
  call.takes(3);
  check_rows(call);
}
PHLOX_PRIMITIVE_RULE(cross_entropy, check_cross_entropy);

TensorList evaluate_cross_entropy_gradient(std::span<const Operand> inputs, const void* attributes) {
  return {row_losses_gradient(inputs_from(inputs, attributes), inputs[3].tensor().contiguous(),
                              inputs[4].tensor())};
}
PHLOX_PRIMITIVE(cross_entropy_gradient, 73, evaluate_cross_entropy_gradient, CrossEntropyAttributes);
void check_cross_entropy_gradient(const PrimitiveCall& call) {
  call.takes(5);
  const DType working = check_rows(call);
  Shape pairs = call.tensor(1).shape();
  call.require_shape("the gradient", call.tensor(4), pairs);
  call.require_dtype("the gradient", call.tensor(4), working);
  pairs.push_back(2);
  call.require_shape("statistics", call.tensor(3), pairs);
  call.require_dtype("statistics", call.tensor(3), working);
}
PHLOX_PRIMITIVE_RULE(cross_entropy_gradient, check_cross_entropy_gradient);

// Samples are more rows; weights of classes that differ between samples are not foreseen in a call.
template <auto evaluate>
TensorList batch_cross_entropy(const BatchedCall& call) {
  if (call.is_batched(2)) return run_each_sample(call);
  TensorList held;
  for (std::size_t i = 0; i < call.inputs().size(); ++i) {
    if (i == 2) held.push_back(call.tensor(i));
    else if (i == 0) held.push_back(call.batched(i));
    else held.push_back(contiguous(call.batched(i)));
  }
  const std::vector<Operand> operands(held.begin(), held.end());
  return evaluate(operands, call.attributes());
}
PHLOX_BATCHING_RULE(cross_entropy, batch_cross_entropy<evaluate_cross_entropy>);
PHLOX_BATCHING_RULE(cross_entropy_gradient, batch_cross_entropy<evaluate_cross_entropy_gradient>);

class CrossEntropyNode final : public GradientNode {
 public:
  CrossEntropyNode(const CrossEntropyInputs& inputs, const Tensor& statistics)
      : GradientNode("cross_entropy", 1),
        target_(inputs.target),
        weight_(inputs.weight),
        ignore_index_(inputs.ignore_index),
        smoothing_(inputs.smoothing),
        statistics_(statistics) {
    edges()[0] = gradient_edge(inputs.logits);
    logits_ = SavedTensor(inputs.logits, this);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined() || !wants(0)) return;
    const CrossEntropyInputs in{logits_.get(*this), target_, weight_, ignore_index_, smoothing_};
    input_gradients[0] = gradients_enabled() ? by_definition(in, gradient).to(in.logits.dtype())
                                             : row_losses_gradient(in, statistics_, gradient);
  }
  void release_saved() override {
    logits_.release();
    statistics_ = {};
  }
  bool released() const override { return logits_.released(); }

 private:
  // The gradient with operations, so that it can be differentiated again.
  static Tensor by_definition(const CrossEntropyInputs& in, const Tensor& gradient) {
    const auto classes = static_cast<double>(in.logits.size(-1));
    const OptionalTensor weight = in.weight.defined() ? OptionalTensor(in.weight) : std::nullopt;
    const Tensor counts = ne(in.target, in.ignore_index);
    const Tensor rows = weight_of_rows(in.target, weight, in.ignore_index, in.working());
    const Tensor probabilities = apply_softmax(in.logits.to(in.working()), in.logits.rank() - 1, false);
    const double each = in.smoothing / classes;
    const Tensor total = phlox::where(counts, add(mul(rows, 1 - in.smoothing), each * in.weight_sum()), 0);
    Tensor inner = mul(probabilities, unsqueeze(total, -1));
    if (each != 0) {
      const Tensor part = mul(counts.to(in.working()), each);
      inner = sub(inner, weight ? mul(unsqueeze(part, -1), *weight) : unsqueeze(part, -1));
    }
    const Tensor at_target = unsqueeze(mul(rows, 1 - in.smoothing), -1);
    inner = sub(inner, phlox::where(one_hot_mask(in.target, in.logits.size(-1)), at_target, 0));
    return mul(inner, unsqueeze(gradient, -1));
  }

  Tensor target_;
  Tensor weight_;
  std::int64_t ignore_index_;
  double smoothing_;
  Tensor statistics_;
  SavedTensor logits_;
};

TensorPair row_losses(const CrossEntropyInputs& in) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {in.logits, in.target, in.weight};
    const CrossEntropyAttributes attributes{in.ignore_index, in.smoothing};
    const TensorList results = interpret(cross_entropy_primitive, operands, &attributes);
    return {results[0], results[1]};
  }
  const Shape rows = in.target.shape();
  Shape pairs = rows;
  pairs.push_back(2);
  const Tensor losses = make_tensor(rows, in.working(), in.logits.device());
  const Tensor statistics = make_tensor(pairs, in.working(), in.logits.device());
  if (losses.numel() > 0) {
    CrossEntropyCall call = in.call();
    call.losses = losses.impl();
    call.statistics = statistics.impl();
    device_kernels(in.logits.device()).cross_entropy(call);
  }
  if (needs_gradient(in.logits))
    set_history(losses, Reference<GradientNode>::adopt(new CrossEntropyNode(in, statistics)));
  return {losses, statistics};
}

Tensor row_losses_gradient(const CrossEntropyInputs& in, const Tensor& statistics, const Tensor& gradient) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {in.logits, in.target, in.weight, statistics, gradient};
    const CrossEntropyAttributes attributes{in.ignore_index, in.smoothing};
    return interpret(cross_entropy_gradient_primitive, operands, &attributes)[0];
  }
  const Tensor rows = gradient.contiguous();
  const Tensor output = make_tensor_like(in.logits, in.logits.shape(), in.logits.dtype());
  CrossEntropyCall call = in.call();
  call.statistics = statistics.impl();
  call.gradient = rows.impl();
  call.output = output.impl();
  device_kernels(output.device()).cross_entropy_gradient(call);
  return output;
}

[[noreturn]] PHLOX_COLD void throw_mismatch(const char* operation, const Tensor& input,
                                            const Tensor& target) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: the target does not fit the input", operation)
      .detail("input", describe(input))
      .detail("target", describe(target))
      .hint("input [N, classes, ...] goes with a target [N, ...] of class numbers")
      .raise();
}

// Checks the shapes of class targets and moves the classes to the end.
Tensor with_classes_last(const Tensor& input, const Tensor& target, const OptionalTensor& weight,
                         const char* operation) {
  if (input.rank() == 0 || target.rank() != input.rank() - 1) throw_mismatch(operation, input, target);
  const int dim = input.rank() == 1 ? 0 : 1;
  Shape rows = input.shape();
  rows.erase(static_cast<std::size_t>(dim));
  if (rows != target.shape()) throw_mismatch(operation, input, target);
  if (!is_integer(target.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: class numbers are integers, not {}", operation,
                     info(target.dtype()).name)
        .detail("target", describe(target))
        .hint("<target>.to(px.int64)")
        .raise();
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floats, not {}", operation, info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("input.to(px.float32)")
        .raise();
  if (weight && weight->shape() != Shape({input.size(dim)}))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: one weight for each of {} classes is needed", operation,
                     input.size(dim))
        .detail("weight", describe(*weight))
        .raise();
  return movedim(input, dim, -1);
}

// Losses of rows as the result: their mean is weighted by the weights of the targets.
Tensor finish(const Tensor& losses, const Tensor& target, const OptionalTensor& weight,
              std::int64_t ignore_index, const std::string& reduction, DType dtype, const char* operation) {
  if (reduction != "mean") return reduce_loss(losses, reduction, operation).to(dtype);
  const Tensor total = sum(weight_of_rows(target, weight, ignore_index, losses.dtype()));
  return div(sum(losses), total).to(dtype);
}

// Targets that are probabilities, in the shape of the input.
Tensor cross_entropy_with_probabilities(const Tensor& input, const Tensor& target,
                                        const OptionalTensor& weight, const std::string& reduction,
                                        double smoothing) {
  const int dim = input.rank() == 1 ? 0 : 1;
  const double classes = static_cast<double>(input.size(dim));
  Tensor wanted = target;
  if (smoothing != 0) wanted = add(mul(target, 1 - smoothing), smoothing / classes);
  Tensor product = mul(wanted, log_softmax(input, dim));
  if (weight) {
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[static_cast<std::size_t>(dim)] = input.size(dim);
    product = mul(product, reshape(*weight, shape));
  }
  const Tensor losses = neg(sum(product, dim));
  return reduce_loss(losses, reduction, "cross_entropy");
}

}  // namespace

PHLOX_OPERATION(
    Tensor, cross_entropy,
    (const Tensor& input, const Tensor& target, const OptionalTensor& weight = {},
     std::int64_t ignore_index = -100, const std::string& reduction = "mean", double label_smoothing = 0.0),
    .doc =
        "The cross-entropy between logits `input` [N, classes, ...] and `target`: class numbers [N, ...], or "
        "probabilities in the shape of the input. `weight` has one entry for each class; rows whose "
        "target is `ignore_index` do not count. Raises IndexError for a class that does not exist.",
    .source = "label smoothing: Szegedy et al. 2016, arXiv:1512.00567", .family = Family::loss,
    .home = "nn.functional", .method = false,
    .samples =
        "cross_entropy(A(5, 4), I(4, 5)); cross_entropy(A(2, 4, 3), I(4, 2, 3), reduction='sum'); "
        "cross_entropy(A(5, 4), I(4, 5), abs(C(4)), reduction='none', label_smoothing=0.1)",
    .integers = false) {
  if (is_floating(target.dtype()) && target.shape() == input.shape() && input.rank() > 0)
    return cross_entropy_with_probabilities(input, target, weight, reduction, label_smoothing);
  if (label_smoothing < 0 || label_smoothing > 1)
    fail<ValueError>(ErrorCode::invalid_value, "cross_entropy: label_smoothing is {}, not between 0 and 1",
                     label_smoothing)
        .raise();
  const Tensor logits = with_classes_last(input, target, weight, "cross_entropy");
  CrossEntropyInputs in{logits, target.to(DType::int64).contiguous(), {}, ignore_index, label_smoothing};
  if (weight && needs_gradient(*weight))
    fail<NotSupportedError>(ErrorCode::not_supported, "cross_entropy: the class weights take no gradient")
        .detail("weight", describe(*weight))
        .hint("weight.detach(), or nll_loss(log_softmax(input, 1), target, weight)")
        .raise();
  if (weight) in.weight = weight->detach().to(in.working()).contiguous();
  return finish(std::get<0>(row_losses(in)), in.target, weight, ignore_index, reduction, input.dtype(),
                "cross_entropy");
}

PHLOX_OPERATION(
    Tensor, nll_loss,
    (const Tensor& input, const Tensor& target, const OptionalTensor& weight = {},
     std::int64_t ignore_index = -100, const std::string& reduction = "mean"),
    .doc =
        "The negative of the log-probabilities `input` [N, classes, ...] at the classes `target` [N, ...]. "
        "Arguments and errors are those of cross_entropy.",
    .family = Family::loss, .home = "nn.functional", .method = false,
    .samples = "nll_loss(A(5, 4), I(4, 5)); nll_loss(A(2, 4, 3), I(4, 2, 3), P(4), reduction='sum')",
    .integers = false) {
  const Tensor rows = with_classes_last(input, target, weight, "nll_loss");
  const Tensor counts = ne(target, ignore_index);
  const Tensor safe = phlox::where(counts, target, 0).to(DType::int64);
  const Tensor chosen = squeeze(gather(rows, -1, unsqueeze(safe, -1)), -1);
  const Tensor losses = neg(mul(chosen, weight_of_rows(target, weight, ignore_index, input.dtype())));
  // A value that is left out must not count, even where it is infinite.
  return finish(phlox::where(counts, losses, 0), target, weight, ignore_index, reduction, input.dtype(),
                "nll_loss");
}

}  // namespace phlox
