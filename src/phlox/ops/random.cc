#include <algorithm>
#include <bit>
#include <cmath>

#include "phlox/core/recording.h"
#include "phlox/core/watch_bit.h"
#include "phlox/ops/checked_positions.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/permutation.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

struct RandomAttributes {
  Shape shape;
  DType dtype = DType::float32;
  Device device;
  RandomCall call{};
  template <class Visitor>
  void visit(Visitor& v) {
    v("kind", call.distribution), v("shape", shape), v("dtype", dtype), v("device", device);
    v("first", call.first), v("second", call.second), v("low", call.low), v("range", call.range);
  }
};

Tensor run_random(const RandomAttributes& a, const GeneratorState& state) {
  Tensor result = make_tensor(a.shape, a.dtype, a.device);
  RandomCall call = a.call;
  call.state = state;
  device_kernels(a.device).random(call, *result.impl());
  return result;
}

Tensor random_from(const Tensor& state, const RandomAttributes& attributes);

TensorList evaluate_random(std::span<const Operand> inputs, const void* attributes) {
  return {random_from(inputs[0].tensor(), *static_cast<const RandomAttributes*>(attributes))};
}
PHLOX_PRIMITIVE(random, 60, evaluate_random, RandomAttributes);

Tensor random_from(const Tensor& state, const RandomAttributes& a) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(state);
    return interpret(random_primitive, {&operand, 1}, &a)[0];
  }
  return run_random(a, state_from(state));
}

void require_state(const PrimitiveCall& call, const Tensor& state) {
  call.require_shape("the state", state, {3});
  call.require_dtype("the state", state, DType::int64);
}

void check_random(const PrimitiveCall& call) {
  call.takes(1);
  const auto& a = call.attributes<RandomAttributes>();
  require_state(call, call.tensor(0));
  call.require_sizes("shape", a.shape);
  if (a.call.distribution == Distribution::integers) call.require_computable(a.dtype);
  else call.require(is_floating(a.dtype), "the numbers are floating, not {}", info(a.dtype).name);
}
PHLOX_PRIMITIVE_RULE(random, check_random);

// One draw for all samples, each of which takes whole counters.
TensorList batch_random(const BatchedCall& call) {
  if (!call.first_state.defined()) return run_each_sample(call);
  RandomAttributes a = call.attributes_as<RandomAttributes>();
  const Shape shape = with_batch(call.batch(), a.shape);
  const std::int64_t count = element_count(a.shape);
  a.shape = {call.batch(), call.blocks * (random_is_wide(a.call, a.dtype) ? 2 : 4)};
  return {reshape(slice_dim(random_from(call.first_state, a), 1, 0, count), shape)};
}
PHLOX_BATCHING_RULE(random, batch_random);

struct AdvanceAttributes {
  std::int64_t blocks = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("blocks", blocks);
  }
};

TensorList evaluate_advance(std::span<const Operand> inputs, const void* attributes) {
  return {advance_state(inputs[0].tensor(), static_cast<const AdvanceAttributes*>(attributes)->blocks)};
}
PHLOX_PRIMITIVE(advance_random, 62, evaluate_advance, AdvanceAttributes);
void check_advance(const PrimitiveCall& call) {
  call.takes(1);
  require_state(call, call.tensor(0));
}
PHLOX_PRIMITIVE_RULE(advance_random, check_advance);

Generator& generator_or_default(Generator* generator) { return generator ? *generator : default_generator(); }

// Counters that `count` elements take; each has four words.
std::int64_t blocks_for(std::int64_t count, bool wide) { return wide ? (count + 1) / 2 : (count + 3) / 4; }

DType floating_dtype(OptionalDType dtype, const char* operation) {
  const DType kind = dtype.value_or(default_dtype());
  if (!is_floating(kind))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: makes floating numbers, not {}", operation, info(kind).name)
        .raise();
  return kind;
}

// Floating numbers, or complex ones whose parts are such numbers.
Tensor random_parts(const Shape& size, OptionalDType dtype, OptionalDevice device, const RandomCall& call,
                    Generator* generator, const char* operation) {
  const Device place = device.value_or(default_device());
  if (!dtype || !is_complex(*dtype))
    return apply_random(size, floating_dtype(dtype, operation), place, call, generator);
  Shape parts = size;
  parts.push_back(2);
  return view_as_complex(apply_random(parts, info(*dtype).real, place, call, generator));
}

Tensor marked(Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.set_requires_grad();
  return tensor;
}

RandomCall integers_between(std::int64_t low, std::int64_t high, const char* operation) {
  if (low >= high)
    fail<ValueError>(ErrorCode::invalid_value, "{}: there are no integers from {} to below {}", operation,
                     low, high)
        .raise();
  RandomCall call{Distribution::integers};
  call.low = low;
  call.range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  return call;
}

void check_probability(double p, const char* operation) {
  if (p >= 0 && p <= 1) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: {} is not a probability", operation, p)
      .hint("a number from 0 to 1")
      .raise();
}

}  // namespace

bool random_is_wide(const RandomCall& call, DType dtype) {
  if (call.distribution == Distribution::integers) return call.range == 0 || call.range > 65536;
  return dtype == DType::float64;
}

Tensor apply_random(const Shape& shape, DType dtype, Device device, RandomCall call, Generator* generator) {
  Generator& from = generator_or_default(generator);
  const std::int64_t blocks = blocks_for(element_count(shape), random_is_wide(call, dtype));
  const RandomAttributes attributes{shape, dtype, device, call};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Tensor state = interpret_draw(from, blocks);
    const Operand operand(state);
    return interpret(random_primitive, {&operand, 1}, &attributes)[0];
  }
  return run_random(attributes, from.reserve(static_cast<std::uint64_t>(blocks)));
}

Tensor state_tensor(const GeneratorState& state) {
  Tensor result = make_tensor({3}, DType::int64, Device{});
  auto* words = static_cast<std::int64_t*>(result.impl()->address());
  words[0] = static_cast<std::int64_t>(state.seed);
  words[1] = static_cast<std::int64_t>(state.stream);
  words[2] = static_cast<std::int64_t>(state.counter);
  return result;
}

GeneratorState state_from(const Tensor& tensor) {
  if (thread_mode.abstract) {
    abstract_evaluation.needs_values = true;
    return {};
  }
  if (tensor.dtype() != DType::int64 || tensor.shape() != Shape({3}))
    fail<ShapeError>(ErrorCode::invalid_value, "random: the state of a generator is i64[3]")
        .detail("state", describe(tensor))
        .raise();
  const auto words = tensor.to_vector<std::int64_t>();
  return {static_cast<std::uint64_t>(words[0]), static_cast<std::uint64_t>(words[1]),
          static_cast<std::uint64_t>(words[2])};
}

Tensor advance_state(const Tensor& state, std::int64_t blocks) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(state);
    const AdvanceAttributes attributes{blocks};
    return interpret(advance_random_primitive, {&operand, 1}, &attributes)[0];
  }
  GeneratorState next = state_from(state);
  if (thread_mode.abstract) return make_tensor({3}, DType::int64, Device{});
  next.counter += static_cast<std::uint64_t>(blocks);
  return state_tensor(next);
}

// --- uniform, normal, integers

PHLOX_OPERATION(Tensor, rand,
                (const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false, Generator* generator = nullptr),
                .doc = "Uniform numbers, 0 <= x < 1; of complex ones, both parts are such.",
                .source = "Philox 4x32-10: Salmon et al., SC 2011", .family = Family::random,
                .example = "rand(2, 3)", .differentiable = false) {
  return marked(random_parts(size, dtype, device, {Distribution::uniform}, generator, "rand"), requires_grad);
}

PHLOX_OPERATION(Tensor, randn,
                (const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false, Generator* generator = nullptr),
                .doc = "Numbers of the standard normal distribution; the variance of complex ones is 1.",
                .source = "Box, Muller 1958", .family = Family::random, .example = "randn(2, 3)",
                .differentiable = false) {
  const double deviation = dtype && is_complex(*dtype) ? std::sqrt(0.5) : 1;
  return marked(random_parts(size, dtype, device, {Distribution::normal, 0, deviation}, generator, "randn"),
                requires_grad);
}

PHLOX_OPERATION(Tensor, randint,
                (std::int64_t low, std::int64_t high, const Shape& size, OptionalDType dtype = {},
                 OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "Integers, low <= x < high, all equally likely.", .family = Family::random,
                .example = "randint(1, 7, size=(5,))", .differentiable = false) {
  const DType kind = dtype.value_or(DType::int64);
  Scalar(low).check_fits(kind);
  Scalar(high - 1).check_fits(kind);
  return apply_random(size, kind, device.value_or(default_device()), integers_between(low, high, "randint"),
                      generator);
}

PHLOX_OPERATION(Tensor, randint_below,
                (std::int64_t high, const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 Generator* generator = nullptr),
                .doc = "Integers, 0 <= x < high, all equally likely.", .family = Family::random,
                .example = "randint(10, size=(5,))", .differentiable = false, .overload_of = "randint") {
  return randint(0, high, size, dtype, device, generator);
}

PHLOX_OPERATION(Tensor, rand_like,
                (const Tensor& input, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false, Generator* generator = nullptr),
                .doc = "rand() with shape and dtype of another tensor.", .family = Family::random,
                .method = false, .example = "rand_like(px.zeros(2, 2))", .differentiable = false) {
  return rand(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device()), requires_grad,
              generator);
}

PHLOX_OPERATION(Tensor, randn_like,
                (const Tensor& input, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false, Generator* generator = nullptr),
                .doc = "randn() with shape and dtype of another tensor.", .family = Family::random,
                .method = false, .example = "randn_like(px.zeros(2, 2))", .differentiable = false) {
  return randn(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device()), requires_grad,
               generator);
}

PHLOX_OPERATION(Tensor, randint_like,
                (const Tensor& input, std::int64_t low, std::int64_t high, OptionalDType dtype = {},
                 OptionalDevice device = {}, Generator* generator = nullptr),
                .doc = "randint() with shape and dtype of another tensor.", .family = Family::random,
                .method = false, .example = "randint_like(px.zeros(2, 2), 0, 10)", .differentiable = false) {
  return randint(low, high, input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device()),
                 generator);
}

PHLOX_OPERATION(Tensor, randint_like_below,
                (const Tensor& input, std::int64_t high, OptionalDType dtype = {}, OptionalDevice device = {},
                 Generator* generator = nullptr),
                .doc = "Integers, 0 <= x < high, with shape and dtype of another tensor.",
                .family = Family::random, .method = false, .example = "randint_like(px.zeros(2, 2), 10)",
                .differentiable = false, .overload_of = "randint_like") {
  return randint_like(input, 0, high, dtype, device, generator);
}

PHLOX_OPERATION(Tensor, normal,
                (const Operand& mean = 0.0, const Operand& std = 1.0, const OptionalDims& size = {},
                 OptionalDType dtype = {}, OptionalDevice device = {}, Generator* generator = nullptr),
                .doc =
                    "Normal numbers with mean and standard deviation, each a number or a tensor; with two "
                    "numbers a size is given.",
                .family = Family::random, .method = false,
                .example = "normal(px.tensor([0.0, 10.0, 20.0]), 0.1); normal(0.0, 1.0, size=3)",
                .differentiable = false) {
  Shape shape = size ? Shape(*size) : Shape();
  DType kind = dtype.value_or(default_dtype());
  for (const Operand* operand : {&mean, &std}) {
    if (!operand->is_tensor()) continue;
    shape = broadcast_shapes(shape, operand->tensor().shape(), "normal");
    if (!dtype) kind = operand->tensor().dtype();
  }
  const Tensor numbers = randn(shape, floating_dtype(kind, "normal"), device, false, generator);
  return add(mul(numbers, std), mean).to(kind);
}

// --- other distributions

PHLOX_OPERATION(Tensor, bernoulli,
                (const Tensor& input, OptionalDouble p = {}, Generator* generator = nullptr),
                .doc = "Ones with the probability that each element gives (or `p` for all), zeros else.",
                .family = Family::random, .example = "bernoulli(px.tensor([0.0, 0.5, 1.0]))",
                .differentiable = false) {
  if (p) check_probability(*p, "bernoulli");
  const DType kind = input.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor drawn = rand(input.shape(), kind, input.device(), false, generator);
  const Tensor hit = p ? lt(drawn, *p) : lt(drawn, input.detach());
  return hit.to(input.dtype());
}

PHLOX_OPERATION(
    Tensor, multinomial,
    (const Tensor& input, std::int64_t num_samples, bool replacement = false, Generator* generator = nullptr),
    .doc =
        "For each row of weights `num_samples` positions, drawn with probability proportional to the weight, "
        "with or without replacement: int64[...,num_samples].",
    .family = Family::random, .example = "multinomial(px.tensor([1.0, 2.0, 7.0]), 2)",
    .differentiable = false) {
  if (input.rank() != 1 && input.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "multinomial: takes a vector or a matrix of weights, not {} dimensions", input.rank())
        .detail("input", describe(input))
        .raise();
  if (num_samples < 1)
    fail<ValueError>(ErrorCode::invalid_value, "multinomial: {} positions cannot be drawn", num_samples)
        .detail("input", describe(input))
        .raise();
  Tensor checked = input.detach();
  checked = require_true(checked, all(logical_and(ge(checked, 0), isfinite(checked))), "multinomial",
                         "a weight is negative, infinite or NaN");
  const Tensor positive = gt(checked, 0);
  const std::int64_t needed = replacement ? 1 : num_samples;
  checked = require_true(
      checked, all(ge(sum(positive, {-1}, false, DType::int64), needed)), "multinomial",
      fmt::format("{} positions cannot be drawn from fewer positive weights, or from none", num_samples));
  const Tensor weights = checked.to(DType::float64);
  const auto uniform = [&](std::int64_t draws) {
    const Shape shape = input.rank() == 2 ? Shape{input.size(0), draws} : Shape{draws};
    return rand(shape, DType::float64, input.device(), false, generator);
  };
  const std::int64_t classes = input.size(-1);
  if (!replacement) {
    // The positions with the largest u ** (1 / weight) (Efraimidis, Spirakis 2006).
    const Tensor keys = div(log1p(neg(uniform(classes))), weights);
    return std::get<1>(topk(where(positive, keys, -INFINITY), num_samples));
  }
  const Tensor sums = cumsum(weights, -1);
  const Tensor drawn = mul(uniform(num_samples), narrow(sums, -1, classes - 1, 1));
  // What is rounded to the whole sum is at the last position that can be drawn.
  const Tensor last =
      amax(where(positive, arange(classes, {}, 1, DType::int64, input.device()), 0), {-1}, true);
  return minimum(searchsorted(sums, drawn, false, true), last);
}

PHLOX_OPERATION(Tensor, randperm,
                (std::int64_t n, OptionalDType dtype = {}, OptionalDevice device = {},
                 Generator* generator = nullptr),
                .doc = "The integers 0 ... n - 1 in random order.",
                .source = "Fisher, Yates 1938; Durstenfeld 1964", .family = Family::random,
                .example = "randperm(5)", .differentiable = false) {
  if (n < 0) fail<ValueError>(ErrorCode::invalid_value, "randperm: {} is negative", n).raise();
  RandomCall call{Distribution::integers};  // range 0: all of 64 bits
  const Tensor order = apply_permutation(apply_random({n}, DType::int64, Device{}, call, generator));
  return order.to(dtype.value_or(DType::int64)).to(device.value_or(default_device()));
}

PHLOX_OPERATION(Tensor, shuffle, (const Tensor& input, std::int64_t dim = 0, Generator* generator = nullptr),
                .doc = "The slices of a dimension in random order.", .family = Family::random,
                .method = false, .example = "shuffle(px.tensor([1, 2, 3, 4, 5]))") {
  return index_select(input, dim, randperm(input.size(dim), {}, input.device(), generator));
}

// --- in place

namespace {

const Tensor& draw_in_place(const Tensor& target, RandomCall call, Generator* generator,
                            const char* operation) {
  check_in_place_allowed(target, operation);
  const DType dtype = target.dtype();
  Tensor drawn;
  {
    NoGrad no_grad;
    drawn = call.distribution == Distribution::integers
                ? apply_random(target.shape(), dtype, target.device(), call, generator)
                : random_parts(target.shape(), dtype, target.device(), call, generator, operation);
  }
  return assign_in_place(target, drawn, operation);
}

// Numbers of the tensor's shape to compute with: f64 where it is f64, else f32.
Tensor drawn_like(const Tensor& target, RandomCall call, Generator* generator, const char* operation) {
  check_in_place_allowed(target, operation);
  NoGrad no_grad;
  const DType dtype = target.dtype() == DType::float64 ? DType::float64 : DType::float32;
  return apply_random(target.shape(), dtype, target.device(), call, generator);
}

}  // namespace

PHLOX_OPERATION(Tensor, uniform_,
                (const Tensor& input, double from = 0.0, double to = 1.0, Generator* generator = nullptr),
                .doc = "Writes uniform numbers, from <= x < to.", .family = Family::in_place,
                .example = "px.zeros(3).uniform_(-1.0, 1.0)") {
  if (!(from <= to))
    fail<ValueError>(ErrorCode::invalid_value, "uniform_: {} is larger than {}", from, to).raise();
  return draw_in_place(input, {Distribution::uniform, from, to}, generator, "uniform_");
}

PHLOX_OPERATION(Tensor, normal_,
                (const Tensor& input, double mean = 0.0, double std = 1.0, Generator* generator = nullptr),
                .doc = "Writes normal numbers with mean and standard deviation.", .family = Family::in_place,
                .example = "px.zeros(3).normal_(0.0, 1.0)") {
  if (!(std >= 0))
    fail<ValueError>(ErrorCode::invalid_value, "normal_: the standard deviation is {}", std).raise();
  if (!is_complex(input.dtype()))
    return draw_in_place(input, {Distribution::normal, mean, std}, generator, "normal_");
  check_in_place_allowed(input, "normal_");
  NoGrad no_grad;
  const Tensor drawn = randn(input.shape(), input.dtype(), input.device(), false, generator);
  return assign_in_place(input, add(mul(drawn, std), mean), "normal_");
}

PHLOX_OPERATION(Tensor, exponential_,
                (const Tensor& input, double lambd = 1.0, Generator* generator = nullptr),
                .doc = "Writes exponential numbers with rate `lambd`.", .family = Family::in_place,
                .example = "px.zeros(3).exponential_(2.0)") {
  if (!(lambd > 0)) fail<ValueError>(ErrorCode::invalid_value, "exponential_: the rate is {}", lambd).raise();
  return draw_in_place(input, {Distribution::exponential, lambd}, generator, "exponential_");
}

PHLOX_OPERATION(Tensor, geometric_, (const Tensor& input, double p, Generator* generator = nullptr),
                .doc = "Writes the number of trials until the first success, of probability `p`.",
                .family = Family::in_place, .example = "px.zeros(5).geometric_(0.25)") {
  if (!(p > 0 && p <= 1))
    fail<ValueError>(ErrorCode::invalid_value, "geometric_: the probability is {}", p).raise();
  const Tensor waiting =
      drawn_like(input, {Distribution::exponential, -std::log1p(-p)}, generator, "geometric_");
  return assign_in_place(input, clamp_min(ceil(waiting), 1), "geometric_");
}

PHLOX_OPERATION(Tensor, cauchy_,
                (const Tensor& input, double median = 0.0, double sigma = 1.0,
                 Generator* generator = nullptr),
                .doc = "Writes numbers of the Cauchy distribution.", .family = Family::in_place,
                .example = "px.zeros(3).cauchy_()") {
  if (!(sigma > 0)) fail<ValueError>(ErrorCode::invalid_value, "cauchy_: the scale is {}", sigma).raise();
  floating_dtype(input.dtype(), "cauchy_");
  const double pi = 3.14159265358979323846;
  const Tensor turn = drawn_like(input, {Distribution::uniform, 0, 1}, generator, "cauchy_");
  return assign_in_place(input, add(mul(tan(mul(sub(turn, 0.5), pi)), sigma), median), "cauchy_");
}

PHLOX_OPERATION(Tensor, log_normal_,
                (const Tensor& input, double mean = 1.0, double std = 2.0, Generator* generator = nullptr),
                .doc = "Writes numbers whose logarithm is normal with mean and standard deviation.",
                .family = Family::in_place, .example = "px.zeros(3).log_normal_(0.0, 0.5)") {
  if (!(std > 0))
    fail<ValueError>(ErrorCode::invalid_value, "log_normal_: the standard deviation is {}", std).raise();
  floating_dtype(input.dtype(), "log_normal_");
  return assign_in_place(input,
                         exp(drawn_like(input, {Distribution::normal, mean, std}, generator, "log_normal_")),
                         "log_normal_");
}

PHLOX_OPERATION(
    Tensor, random_,
    (const Tensor& input, std::int64_t from = 0, OptionalInt to = {}, Generator* generator = nullptr),
    .doc = "Writes integers, from <= x < to; without `to` up to the largest that the dtype holds exactly.",
    .family = Family::in_place, .example = "px.zeros(5).random_(0, 10)") {
  std::int64_t high = to.value_or(0);
  if (!to) {
    switch (input.dtype()) {
      case DType::bool_: high = 2; break;
      case DType::float16: high = (1 << 11) + 1; break;
      case DType::bfloat16: high = (1 << 8) + 1; break;
      case DType::float32: high = (1 << 24) + 1; break;
      case DType::float64: high = (std::int64_t{1} << 53) + 1; break;
      default: {
        const int bits = std::min(info(input.dtype()).bits - (is_unsigned(input.dtype()) ? 0 : 1), 62);
        high = std::int64_t{1} << bits;
      }
    }
  }
  return draw_in_place(input, integers_between(from, high, "random_"), generator, "random_");
}

PHLOX_OPERATION(Tensor, bernoulli_,
                (const Tensor& input, const Operand& p = 0.5, Generator* generator = nullptr),
                .doc = "Writes ones with probability `p`, a number or a tensor, zeros else.",
                .family = Family::in_place, .example = "px.zeros(6).bernoulli_(0.3)") {
  check_in_place_allowed(input, "bernoulli_");
  NoGrad no_grad;
  const DType kind = p.is_tensor() && p.tensor().dtype() == DType::float64 ? DType::float64 : DType::float32;
  if (!p.is_tensor()) check_probability(p.scalar().real(), "bernoulli_");
  return assign_in_place(input, lt(rand(input.shape(), kind, input.device(), false, generator), p),
                         "bernoulli_");
}

// --- dropout

namespace {

struct DropoutAttributes {
  double probability = 0;
  bool channels_last = false;
  template <class Visitor>
  void visit(Visitor& v) {
    v("probability", probability), v("channels_last", channels_last);
  }
};

// The state to draw from: a tensor in captured programs.
struct DrawnState {
  GeneratorState words{};
  Tensor tensor;
};

// Interpreters see the tensor, kernels the words.
DrawnState drawn_from(const Tensor& state) {
  return {interpreters() ? GeneratorState{} : state_from(state), state};
}

Tensor run_dropout(const Tensor& input, const DropoutAttributes& attributes, const DrawnState& state);

TensorList evaluate_dropout(std::span<const Operand> inputs, const void* attributes) {
  return {run_dropout(inputs[0].tensor(), *static_cast<const DropoutAttributes*>(attributes),
                      drawn_from(inputs[1].tensor()))};
}
PHLOX_PRIMITIVE(dropout, 61, evaluate_dropout, DropoutAttributes);
void check_dropout(const PrimitiveCall& call) {
  call.takes(2);
  const auto& a = call.attributes<DropoutAttributes>();
  call.require_floating("the input", call.tensor(0));
  require_state(call, call.tensor(1));
  call.require(a.probability >= 0 && a.probability <= 1, "{} is not a probability", a.probability);
}
PHLOX_PRIMITIVE_RULE(dropout, check_dropout);

// One draw for all samples, each of which takes whole counters; those that share a state are drawn one by one.
TensorList batch_dropout(const BatchedCall& call) {
  if (!call.first_state.defined()) return run_each_sample(call);
  DropoutAttributes a = call.attributes_as<DropoutAttributes>();
  const Tensor input = call.batched(0);
  // Elements are drawn in the order of memory.
  const Tensor ordered = a.channels_last ? movedim(input, DimList(2), DimList(-1)) : input;
  a.channels_last = false;
  const Tensor rows = reshape(ordered, {call.batch(), -1});
  const std::int64_t count = rows.size(1);
  const DrawnState state = drawn_from(call.first_state);
  const Tensor drawn = run_dropout(pad(rows, {0, 4 * call.blocks - count}), a, state);
  const Tensor result = reshape(slice_dim(drawn, 1, 0, count), ordered.shape());
  return {call.attributes_as<DropoutAttributes>().channels_last ? movedim(result, DimList(-1), DimList(2))
                                                                : result};
}
PHLOX_BATCHING_RULE(dropout, batch_dropout);

// Dropout is linear: its gradient is the same dropout of the gradient.
class DropoutNode final : public GradientNode {
 public:
  DropoutNode(const Tensor& input, const DropoutAttributes& attributes, const DrawnState& state)
      : GradientNode("dropout", 1), attributes_(attributes), state_(state) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (output_gradients[0].defined())
      input_gradients[0] = run_dropout(output_gradients[0], attributes_, state_);
  }
  void release_saved() override {}

 private:
  DropoutAttributes attributes_;
  DrawnState state_;
};

Tensor run_dropout(const Tensor& input, const DropoutAttributes& a, const DrawnState& state) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Tensor tensor = state.tensor.defined() ? state.tensor : state_tensor(state.words);
    const Operand operands[] = {input, tensor};
    return interpret(dropout_primitive, operands, &a)[0];
  }
  // Elements are counted in the order of memory, so that order belongs to the draw.
  const Tensor source = contiguous(input.detach(), a.channels_last ? "channels_last" : "row_major");
  Tensor result = make_tensor_like(source, source.shape(), source.dtype());
  device_kernels(input.device()).dropout(*source.impl(), *result.impl(), a.probability, state.words);
  if (needs_gradient(input))
    set_history(result, Reference<GradientNode>::adopt(new DropoutNode(input, a, state)));
  return result;
}

}  // namespace

Tensor apply_dropout(const Tensor& input, double probability, Generator* generator) {
  const DropoutAttributes attributes{probability, !input.is_contiguous() && input.is_channels_last()};
  Generator& from = generator_or_default(generator);
  const std::int64_t blocks = blocks_for(input.numel(), false);
  if (thread_mode.interpreter_count) [[unlikely]]
    return run_dropout(input, attributes, {{}, interpret_draw(from, blocks)});
  return run_dropout(input, attributes, {from.reserve(static_cast<std::uint64_t>(blocks)), {}});
}

PHLOX_OPERATION(Tensor, dropout,
                (const Tensor& input, double p = 0.5, bool training = true, bool inplace = false,
                 Generator* generator = nullptr),
                .doc =
                    "In training, zeros each element with probability `p` and divides the others by 1 - p; "
                    "else the tensor itself.",
                .source = "Srivastava et al. 2014, JMLR 15", .family = Family::random,
                .home = "nn.functional", .samples = "dropout(A(3, 4), 0.0); dropout(A(3, 4), 0.5, False)",
                .reference = "input", .integers = false) {
  check_probability(p, "dropout");
  if (!training) return input;
  if (!is_floating(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "dropout: takes floating tensors, not {}",
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  const Tensor result = apply_dropout(input, p, generator);
  return inplace ? assign_in_place(input, result, "dropout") : result;
}

PHLOX_OPERATION(Tensor, feature_dropout,
                (const Tensor& input, double p = 0.5, bool training = true, bool inplace = false,
                 Generator* generator = nullptr),
                .doc = "dropout() of whole channels, the slices of the first two dimensions.",
                .source = "Tompson et al. 2015, arXiv:1411.4280", .family = Family::random,
                .alias = "dropout1d dropout2d dropout3d", .home = "nn.functional",
                .samples = "feature_dropout(A(2, 3, 4), 0.0)", .reference = "input", .integers = false) {
  check_probability(p, "feature_dropout");
  if (!training) return input;
  floating_dtype(input.dtype(), "feature_dropout");
  if (input.rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "feature_dropout: needs 2 dimensions or more, not {}",
                     input.rank())
        .detail("input", describe(input))
        .raise();
  Shape shape(static_cast<std::size_t>(input.rank()), 1);
  shape[0] = input.size(0);
  shape[1] = input.size(1);
  const Tensor result = mul(input, apply_dropout(ones(shape, input.dtype(), input.device()), p, generator));
  return inplace ? assign_in_place(input, result, "feature_dropout") : result;
}

}  // namespace phlox
