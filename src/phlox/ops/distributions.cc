// Random numbers of many distributions, as functions of their parameters. What can be written as a function of numbers
// that do not depend on the parameters has gradients with respect to these.
#include <algorithm>
#include <cmath>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/checked_positions.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/sampling.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

// What is to be drawn: the common shape of the parameters and the size, the dtype of the parameters or the default one.
struct Draw {
  Shape shape;
  DType dtype;
  Device device;
  // The dtype to compute in.
  DType wide() const { return dtype == DType::float64 ? dtype : DType::float32; }
  Tensor uniform(Generator* generator, DType kind) const {
    return rand(shape, kind, device, false, generator);
  }
  Tensor uniform(Generator* generator) const { return uniform(generator, wide()); }
};

Draw plan_draw(const char* operation, std::initializer_list<const Operand*> parameters,
               const OptionalDims& size, OptionalDType dtype, OptionalDevice device) {
  Draw draw{size ? Shape(*size) : Shape(), default_dtype(), device.value_or(default_device())};
  bool found = false;
  for (const Operand* parameter : parameters) {
    if (!parameter->is_tensor()) continue;
    const Tensor& tensor = parameter->tensor();
    draw.shape = broadcast_shapes(draw.shape, tensor.shape(), operation);
    if (is_floating(tensor.dtype()))
      draw.dtype = found ? promote(draw.dtype, tensor.dtype()) : tensor.dtype();
    found |= is_floating(tensor.dtype());
    if (!device) draw.device = tensor.device();
  }
  draw.dtype = dtype.value_or(draw.dtype);
  element_count(draw.shape);  // throws where there are too many
  if (!is_floating(draw.dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: makes floating numbers, not {}", operation,
                     info(draw.dtype).name)
        .raise();
  return draw;
}

// A parameter as a tensor of the dtype and shape.
Tensor spread(const Operand& parameter, const Shape& shape, DType dtype, Device device) {
  const Tensor tensor =
      parameter.is_tensor() ? parameter.tensor().to(dtype) : full({}, parameter.scalar(), dtype, device);
  return expand(tensor, shape);
}

// Throws ValueError unless the parameter is within the range.
void require_parameter(const Operand& parameter, const char* name, const char* operation, bool zero_allowed) {
  const char* wanted = zero_allowed ? "not negative" : "positive";
  if (!parameter.is_tensor()) {
    const double value = parameter.scalar().real();
    if (zero_allowed ? value >= 0 : value > 0) return;
    fail<ValueError>(ErrorCode::invalid_value, "{}: '{}' is {}, and has to be {}", operation, name, value,
                     wanted)
        .raise();
  }
  const Tensor value = parameter.tensor().detach();
  require_true(value, all(zero_allowed ? ge(value, 0) : gt(value, 0)), operation,
               fmt::format("'{}' has to be {}", name, wanted));
}

void require_probability(const Operand& parameter, const char* name, const char* operation,
                         bool zero_allowed) {
  if (!parameter.is_tensor()) {
    const double value = parameter.scalar().real();
    if ((zero_allowed ? value >= 0 : value > 0) && value <= 1) return;
    fail<ValueError>(ErrorCode::invalid_value, "{}: '{}' is {}, not a probability", operation, name, value)
        .raise();
  }
  const Tensor value = parameter.tensor().detach();
  require_true(value, all(logical_and(zero_allowed ? ge(value, 0) : gt(value, 0), le(value, 1))), operation,
               fmt::format("'{}' has to be a probability", name));
}

// log(1 - u) for 0 <= u < 1 is finite.
Tensor minus_log_uniform(const Draw& draw, Generator* generator) {
  return neg(log1p(neg(draw.uniform(generator))));
}

// Hands the gradient of a drawn gamma number to its parameter.
class StandardGammaNode final : public GradientNode {
 public:
  StandardGammaNode(const Tensor& shape_parameter, const Tensor& sample)
      : GradientNode("gamma", 1), shape_parameter_(shape_parameter, this), sample_(sample.detach(), this) {
    edges()[0] = gradient_edge(shape_parameter);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (output_gradients[0].defined())
      input_gradients[0] =
          mul(output_gradients[0], apply_gamma_gradient(shape_parameter_.get(*this), sample_.get(*this)));
  }
  void release_saved() override {
    shape_parameter_.release();
    sample_.release();
  }
  bool released() const override { return shape_parameter_.released(); }

 private:
  SavedTensor shape_parameter_, sample_;
};

// Gamma numbers of scale 1, in f64, not 0 where the parameter is not.
Tensor standard_gamma(const Tensor& shape_parameter, Generator* generator) {
  const Tensor a = shape_parameter.to(DType::float64);
  Tensor drawn = apply_sample(SampleKind::gamma, a, a.detach(), generator);
  drawn = where(gt(a.detach(), 0), clamp_min(drawn, 2.2250738585072014e-308), drawn);
  if (needs_gradient(a)) {
    const Tensor result = drawn.detach();
    set_history(result, Reference<GradientNode>::adopt(new StandardGammaNode(a, result)));
    return result;
  }
  return drawn;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, uniform,
    (const Operand& low = 0.0, const Operand& high = 1.0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc =
        "Uniform numbers, low <= x < high; both are numbers or tensors, which broadcast with each other and with `size`. "
        "Gradients flow to both.",
    .family = Family::random, .method = false, .example = "uniform(-1.0, 1.0, size=3)",
    .differentiable = false) {
  const Draw draw = plan_draw("uniform", {&low, &high}, size, dtype, device);
  const Tensor u = draw.uniform(generator);
  const Tensor from = spread(low, draw.shape, draw.wide(), draw.device),
               to = spread(high, draw.shape, draw.wide(), draw.device);
  require_true(from, all(le(from.detach(), to.detach())), "uniform", "'low' is larger than 'high'");
  return add(mul(sub(to, from), u), from).to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, truncated_normal,
    (const Operand& mean = 0.0, const Operand& std = 1.0, double low = -2.0, double high = 2.0,
     const OptionalDims& size = {}, OptionalDType dtype = {}, OptionalDevice device = {},
     Generator* generator = nullptr),
    .doc =
        "Normal numbers with mean and standard deviation, of which those count that lie between `low` and `high` standard "
        "deviations from the mean; within 8 of them. Gradients flow to both.",
    .family = Family::random, .method = false, .example = "truncated_normal(0.0, 1.0, -1.0, 1.0, size=3)",
    .differentiable = false) {
  if (!(low < high))
    fail<ValueError>(ErrorCode::invalid_value, "truncated_normal: nothing lies between {} and {}", low, high)
        .raise();
  require_parameter(std, "std", "truncated_normal", true);
  const Draw draw = plan_draw("truncated_normal", {&mean, &std}, size, dtype, device);
  // By the inverse of the distribution function; in the upper half that of the mirrored numbers, which is exact there.
  const bool mirrored = low > 0;
  const double from = mirrored ? -high : low, to = mirrored ? -low : high;
  const double first = 0.5 * std::erfc(-from * M_SQRT1_2), last = 0.5 * std::erfc(-to * M_SQRT1_2);
  const Tensor u = add(mul(draw.uniform(generator, DType::float64), last - first), first);
  Tensor z = clamp(mul(erfinv(sub(mul(u, 2.0), 1.0)), M_SQRT2), from, to);
  if (mirrored) z = neg(z);
  return add(mul(z.to(draw.wide()), spread(std, draw.shape, draw.wide(), draw.device)),
             spread(mean, draw.shape, draw.wide(), draw.device))
      .to(draw.dtype);
}

PHLOX_OPERATION(Tensor, exponential,
                (const Operand& rate = 1.0, const OptionalDims& size = {}, OptionalDType dtype = {},
                 OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "Exponential numbers, of mean 1 / rate. Gradients flow to the rate.",
                .family = Family::random, .method = false, .example = "exponential(2.0, size=3)",
                .differentiable = false) {
  require_parameter(rate, "rate", "exponential", false);
  const Draw draw = plan_draw("exponential", {&rate}, size, dtype, device);
  return div(minus_log_uniform(draw, generator), spread(rate, draw.shape, draw.wide(), draw.device))
      .to(draw.dtype);
}

PHLOX_OPERATION(Tensor, geometric,
                (const Operand& p, const OptionalDims& size = {}, OptionalDType dtype = {},
                 OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "The number of trials until the first success, of probability `p`.",
                .family = Family::random, .method = false, .example = "geometric(0.25, size=5)",
                .differentiable = false) {
  require_probability(p, "p", "geometric", false);
  const Draw draw = plan_draw("geometric", {&p}, size, dtype, device);
  const Tensor chance = spread(p, draw.shape, draw.wide(), draw.device).detach();
  const Tensor waiting = div(minus_log_uniform(draw, generator), neg(log1p(neg(chance))));
  return clamp_min(ceil(waiting), 1).to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, cauchy,
    (const Operand& median = 0.0, const Operand& sigma = 1.0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc = "Numbers of the Cauchy distribution with median and scale `sigma`. Gradients flow to both.",
    .family = Family::random, .method = false, .example = "cauchy(0.0, 1.0, size=3)",
    .differentiable = false) {
  require_parameter(sigma, "sigma", "cauchy", false);
  const Draw draw = plan_draw("cauchy", {&median, &sigma}, size, dtype, device);
  const Tensor turn = tan(mul(sub(draw.uniform(generator), 0.5), M_PI));
  return add(mul(turn, spread(sigma, draw.shape, draw.wide(), draw.device)),
             spread(median, draw.shape, draw.wide(), draw.device))
      .to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, log_normal,
    (const Operand& mean = 1.0, const Operand& std = 2.0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc = "Numbers whose logarithm is normal with mean and standard deviation. Gradients flow to both.",
    .family = Family::random, .method = false, .example = "log_normal(0.0, 0.5, size=3)",
    .differentiable = false) {
  require_parameter(std, "std", "log_normal", true);
  const Draw draw = plan_draw("log_normal", {&mean, &std}, size, dtype, device);
  const Tensor z = randn(draw.shape, draw.wide(), draw.device, false, generator);
  return exp(add(mul(z, spread(std, draw.shape, draw.wide(), draw.device)),
                 spread(mean, draw.shape, draw.wide(), draw.device)))
      .to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, gumbel,
    (const Operand& loc = 0.0, const Operand& scale = 1.0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc =
        "Numbers of the Gumbel distribution, loc - scale * log(e) for exponential e: the largest of logits with such "
        "numbers added is drawn with their softmax. Gradients flow to both.",
    .family = Family::random, .method = false, .example = "gumbel(0.0, 1.0, size=3)",
    .differentiable = false) {
  require_parameter(scale, "scale", "gumbel", false);
  const Draw draw = plan_draw("gumbel", {&loc, &scale}, size, dtype, device);
  // A uniform number of 0 would have the logarithm of 0.
  const double least = draw.wide() == DType::float64 ? 1e-300 : 1e-37;
  const Tensor e = clamp_min(minus_log_uniform(draw, generator), least);
  return sub(spread(loc, draw.shape, draw.wide(), draw.device),
             mul(phlox::log(e), spread(scale, draw.shape, draw.wide(), draw.device)))
      .to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, gamma,
    (const Operand& concentration, const Operand& rate = 1.0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc =
        "Numbers of the gamma distribution, of mean concentration / rate. Gradients flow to both, to the concentration "
        "by implicit reparametrisation (first order).",
    .source = "Marsaglia, Tsang 2000; Figurnov, Mohamed, Mnih 2018, arXiv:1805.08498",
    .family = Family::random, .method = false, .example = "gamma(2.0, 1.0, size=3)",
    .differentiable = false) {
  require_parameter(concentration, "concentration", "gamma", false);
  require_parameter(rate, "rate", "gamma", false);
  const Draw draw = plan_draw("gamma", {&concentration, &rate}, size, dtype, device);
  const Tensor drawn =
      standard_gamma(spread(concentration, draw.shape, DType::float64, draw.device), generator);
  return div(drawn, spread(rate, draw.shape, DType::float64, draw.device)).to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, beta,
    (const Operand& concentration1, const Operand& concentration0, const OptionalDims& size = {},
     OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
    .doc =
        "Numbers of the beta distribution, of mean concentration1 / (concentration1 + concentration0). Gradients flow to "
        "both (first order).",
    .family = Family::random, .method = false, .example = "beta(2.0, 3.0, size=3)", .differentiable = false) {
  require_parameter(concentration1, "concentration1", "beta", false);
  require_parameter(concentration0, "concentration0", "beta", false);
  const Draw draw = plan_draw("beta", {&concentration1, &concentration0}, size, dtype, device);
  const Tensor ours =
      standard_gamma(spread(concentration1, draw.shape, DType::float64, draw.device), generator);
  const Tensor others =
      standard_gamma(spread(concentration0, draw.shape, DType::float64, draw.device), generator);
  return div(ours, add(ours, others)).to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, dirichlet,
    (const Tensor& concentration, const Shape& size = {}, OptionalDType dtype = {},
     Generator* generator = nullptr),
    .doc =
        "Points of the Dirichlet distribution: positive numbers along the last dimension that add up to 1, as many points "
        "as `size` says for each row of concentrations: [size..., concentration...]. Gradients flow to these (first "
        "order).",
    .family = Family::random, .method = false, .example = "dirichlet(px.tensor([1.0, 2.0, 3.0]))",
    .differentiable = false) {
  if (concentration.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "dirichlet: concentrations stand along the last dimension")
        .detail("concentration", describe(concentration))
        .raise();
  require_parameter(concentration, "concentration", "dirichlet", false);
  Shape shape = size;
  for (int d = 0; d < concentration.rank(); ++d) shape.push_back(concentration.size(d));
  const Tensor drawn = standard_gamma(expand(concentration.to(DType::float64), shape), generator);
  const DType kind =
      dtype.value_or(is_floating(concentration.dtype()) ? concentration.dtype() : default_dtype());
  return div(drawn, sum(drawn, DimList(-1), true)).to(kind);
}

PHLOX_OPERATION(Tensor, poisson,
                (const Operand& rate, const OptionalDims& size = {}, OptionalDType dtype = {},
                 OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "Numbers of events of the Poisson distribution, of mean `rate`, as floats.",
                .source = "Hörmann 1993", .family = Family::random, .method = false,
                .example = "poisson(px.tensor([0.5, 5.0, 50.0]))", .differentiable = false) {
  require_parameter(rate, "rate", "poisson", true);
  const Draw draw = plan_draw("poisson", {&rate}, size, dtype, device);
  const Tensor mean = spread(rate, draw.shape, DType::float64, draw.device).detach();
  return apply_sample(SampleKind::poisson, mean, mean, generator).to(draw.dtype);
}

PHLOX_OPERATION(Tensor, binomial,
                (const Operand& count, const Operand& prob, const OptionalDims& size = {},
                 OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "Numbers of successes of `count` trials, each with probability `prob`, as floats.",
                .source = "Hörmann 1993; Devroye 1986", .family = Family::random, .method = false,
                .example = "binomial(10.0, px.tensor([0.1, 0.5, 0.9]))", .differentiable = false) {
  require_parameter(count, "count", "binomial", true);
  require_probability(prob, "prob", "binomial", true);
  const Draw draw = plan_draw("binomial", {&count, &prob}, size, dtype, device);
  const Tensor trials = spread(count, draw.shape, DType::float64, draw.device).detach();
  require_true(trials, all(eq(trials, floor(trials))), "binomial", "'count' has to be whole numbers");
  return apply_sample(SampleKind::binomial, trials,
                      spread(prob, draw.shape, DType::float64, draw.device).detach(), generator)
      .to(draw.dtype);
}

PHLOX_OPERATION(
    Tensor, categorical, (const Tensor& logits, OptionalInt num_samples = {}, Generator* generator = nullptr),
    .doc =
        "Positions along the last dimension, drawn with the softmax of `logits`: int64[...], or with num_samples "
        "[...,num_samples]. -inf is never drawn.",
    .family = Family::random, .method = false, .example = "categorical(px.tensor([0.0, 1.0, 2.0]), 5)",
    .differentiable = false) {
  if (!is_floating(logits.dtype()) || logits.rank() == 0 || logits.size(-1) == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "categorical: logits are floats with a dimension of classes")
        .detail("logits", describe(logits))
        .raise();
  if (num_samples && *num_samples < 0)
    fail<ValueError>(ErrorCode::invalid_value, "categorical: num_samples is {}", *num_samples).raise();
  const std::int64_t classes = logits.size(-1);
  Tensor sums = cumsum(softmax(logits.detach().to(DType::float64), -1), -1);
  const Tensor total = narrow(sums, -1, classes - 1, 1);
  sums = require_true(sums, all(gt(total, 0)), "categorical", "a row of logits has NaN, or only -inf");
  Shape shape = logits.shape();
  shape[shape.size() - 1] = num_samples.value_or(1);
  const Tensor u = mul(rand(shape, DType::float64, logits.device(), false, generator), total);
  const Tensor found = clamp_max(searchsorted(contiguous(sums), contiguous(u), false, true), classes - 1);
  return num_samples ? found : squeeze(found, DimList(-1));
}

}  // namespace phlox
