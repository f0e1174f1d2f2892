#include "phlox/ops/creation.h"

#include <algorithm>
#include <cmath>

#include "phlox/core/recording.h"
#include "phlox/core/watch_bit.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/fill.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

TensorList evaluate_fill(std::span<const Operand>, const void* attributes) {
  const auto& a = *static_cast<const FillAttributes*>(attributes);
  return {apply_fill(a.shape, a.value, a.dtype, a.device)};
}
PHLOX_PRIMITIVE(fill, 3, evaluate_fill, FillAttributes);
void check_fill(const PrimitiveCall& call) {
  call.takes(0);
  const auto& a = call.attributes<FillAttributes>();
  call.require_sizes("shape", a.shape);
  call.require_computable(a.dtype);
  a.value.check_fits(a.dtype);
}
PHLOX_PRIMITIVE_RULE(fill, check_fill);

struct ArangeAttributes {
  Scalar start, step;
  std::int64_t count = 0;
  DType dtype = DType::float32;
  Device device;
  template <class Visitor>
  void visit(Visitor& v) {
    v("start", start), v("step", step), v("count", count), v("dtype", dtype), v("device", device);
  }
};

TensorList evaluate_arange(std::span<const Operand>, const void* attributes) {
  const auto& a = *static_cast<const ArangeAttributes*>(attributes);
  return {apply_arange(a.start, a.step, a.count, a.dtype, a.device)};
}
PHLOX_PRIMITIVE(arange, 24, evaluate_arange, ArangeAttributes);
void check_arange(const PrimitiveCall& call) {
  call.takes(0);
  const auto& a = call.attributes<ArangeAttributes>();
  call.require_sizes("count", {a.count});
  call.require_computable(a.dtype);
}
PHLOX_PRIMITIVE_RULE(arange, check_arange);

Tensor marked(Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.set_requires_grad();
  return tensor;
}

Device device_or_default(OptionalDevice device) { return device.value_or(default_device()); }

// A tensor of one value in the memory order of another.
Tensor filled_like(const Tensor& input, const Scalar& value, OptionalDType dtype, OptionalDevice device,
                   bool requires_grad) {
  const DType kind = dtype.value_or(input.dtype());
  value.check_fits(kind);
  if (interpreters() || (device && *device != input.device()))
    return marked(apply_fill(input.shape(), value, kind, device.value_or(input.device())), requires_grad);
  Tensor result = make_tensor_like(input, input.shape(), kind);
  device_kernels(result.device()).fill(*result.impl(), value);
  return marked(std::move(result), requires_grad);
}

// Without what lies behind the point.
Scalar whole_number(const Scalar& value, const char* operation) {
  if (value.kind() <= Scalar::Kind::integer) return value;
  if (!(std::abs(value.real()) < 9.2e18))
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} is no integer", operation, value.real()).raise();
  return static_cast<std::int64_t>(value.real());
}

bool all_integers(std::initializer_list<Scalar> values) {
  return std::all_of(values.begin(), values.end(),
                     [](const Scalar& v) { return v.kind() <= Scalar::Kind::integer; });
}

}  // namespace

Tensor apply_fill(const Shape& shape, const Scalar& value, DType dtype, Device device) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const FillAttributes attributes{shape, value, dtype, device};
    return interpret(fill_primitive, {}, &attributes)[0];
  }
  Tensor result = make_tensor(shape, dtype, device);
  device_kernels(device).fill(*result.impl(), value);
  return result;
}

Tensor apply_arange(const Scalar& start, const Scalar& step, std::int64_t count, DType dtype, Device device) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const ArangeAttributes attributes{start, step, count, dtype, device};
    return interpret(arange_primitive, {}, &attributes)[0];
  }
  Tensor result = make_tensor({count}, dtype, device);
  device_kernels(device).arange(*result.impl(), start, step);
  return result;
}

void detail::throw_ragged() {
  fail<ShapeError>(ErrorCode::sizes_differ, "tensor: the rows differ in length").raise();
}

// --- constants

PHLOX_OPERATION(Tensor, empty,
                (const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "An uninitialised tensor of a shape.", .family = Family::creation,
                .example = "empty((2, 3)).shape", .differentiable = false) {
  return marked(make_tensor(size, dtype.value_or(default_dtype()), device_or_default(device)), requires_grad);
}

PHLOX_OPERATION(
    Tensor, empty_strided,
    (const Shape& size, const Shape& stride, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc = "An uninitialised tensor with strides of one's own, counted in elements and not negative.",
    .family = Family::creation, .example = "empty_strided((2, 3), (1, 2)).stride()",
    .differentiable = false) {
  std::int64_t extent = element_count(size) > 0 ? 1 : 0;
  if (size.size() != stride.size())
    fail<ShapeError>(ErrorCode::sizes_differ, "empty_strided: {} sizes and {} strides", size.size(),
                     stride.size())
        .raise();
  for (std::size_t d = 0; d < size.size(); ++d) {
    if (stride[d] < 0)
      fail<ValueError>(ErrorCode::invalid_value, "empty_strided: the stride {} is negative", stride[d])
          .raise();
    if (extent > 0) extent += (size[d] - 1) * stride[d];
  }
  const Tensor memory = make_tensor({extent}, dtype.value_or(default_dtype()), device_or_default(device));
  return marked(make_view(memory, size, stride, 0).detach(), requires_grad);
}

PHLOX_OPERATION(
    Tensor, empty_permuted,
    (const Shape& size, const IntList& physical_layout, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "An uninitialised tensor whose dimensions lie in memory in the order of `physical_layout`, the one with the largest "
        "stride first.",
    .family = Family::creation, .example = "empty_permuted((2, 3, 4), (0, 2, 1)).stride()",
    .differentiable = false) {
  const std::size_t rank = size.size();
  Shape stored;
  DimList inverse;
  for (std::size_t i = 0; i < rank; ++i) {
    const auto* at = std::find(physical_layout.begin(), physical_layout.end(), static_cast<std::int64_t>(i));
    if (physical_layout.size() != rank || at == physical_layout.end())
      fail<ValueError>(ErrorCode::invalid_value, "empty_permuted: [{}] is no order of {} dimensions",
                       to_string(physical_layout), rank)
          .raise();
    inverse.push_back(at - physical_layout.begin());
    stored.push_back(size[static_cast<std::size_t>(physical_layout[i])]);
  }
  return marked(permute(empty(stored, dtype, device), inverse).detach(), requires_grad);
}

PHLOX_OPERATION(Tensor, full,
                (const Shape& size, Scalar fill_value, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "A tensor with one value everywhere, of the value's own dtype unless one is given.",
                .family = Family::creation, .samples = "full((2, 3), 1.5); full((2,), 7); full((), True)",
                .reference = "np.full(size, fill_value)", .differentiable = false) {
  const DType kind = dtype.value_or(fill_value.dtype());
  fill_value.check_fits(kind);
  return marked(apply_fill(size, fill_value, kind, device_or_default(device)), requires_grad);
}

PHLOX_OPERATION(Tensor, scalar_tensor,
                (Scalar s, OptionalDType dtype = {}, OptionalDevice device = {}, bool requires_grad = false),
                .doc = "A number as a tensor of 0 dimensions, by default in the default dtype.",
                .family = Family::creation, .samples = "scalar_tensor(2.5); scalar_tensor(3)",
                .reference = "np.asarray(s)", .differentiable = false) {
  return full({}, s, dtype.value_or(default_dtype()), device, requires_grad);
}

PHLOX_OPERATION(Tensor, zeros,
                (const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "A tensor of zeros.", .family = Family::creation,
                .samples = "zeros((2, 3)); zeros((0, 2)); zeros(())", .reference = "np.zeros(size)",
                .differentiable = false) {
  return marked(apply_fill(size, 0, dtype.value_or(default_dtype()), device_or_default(device)),
                requires_grad);
}

PHLOX_OPERATION(Tensor, ones,
                (const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "A tensor of ones.", .family = Family::creation, .samples = "ones((2, 3)); ones(())",
                .reference = "np.ones(size)", .differentiable = false) {
  return marked(apply_fill(size, 1, dtype.value_or(default_dtype()), device_or_default(device)),
                requires_grad);
}

PHLOX_OPERATION(Tensor, empty_like,
                (const Tensor& input, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "An uninitialised tensor with shape, dtype and memory order of another.",
                .family = Family::creation, .method = false, .example = "empty_like(px.ones(2, 3)).shape",
                .differentiable = false) {
  if (device && *device != input.device())
    return marked(make_tensor(input.shape(), dtype.value_or(input.dtype()), *device), requires_grad);
  return marked(make_tensor_like(input, input.shape(), dtype.value_or(input.dtype())), requires_grad);
}

PHLOX_OPERATION(Tensor, zeros_like,
                (const Tensor& input, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Zeros with shape, dtype and memory order of another tensor.",
                .family = Family::creation, .method = false,
                .samples = "zeros_like(A(2, 3)); zeros_like(I(4, 2))", .reference = "np.zeros_like(input)",
                .differentiable = false) {
  return filled_like(input, 0, dtype, device, requires_grad);
}

PHLOX_OPERATION(Tensor, ones_like,
                (const Tensor& input, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Ones with shape, dtype and memory order of another tensor.",
                .family = Family::creation, .method = false,
                .samples = "ones_like(A(2, 3)); ones_like(I(4, 2))", .reference = "np.ones_like(input)",
                .differentiable = false) {
  return filled_like(input, 1, dtype, device, requires_grad);
}

PHLOX_OPERATION(Tensor, full_like,
                (const Tensor& input, Scalar fill_value, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "One value everywhere, with shape, dtype and memory order of another tensor.",
                .family = Family::creation, .method = false, .samples = "full_like(A(2, 3), 2)",
                .reference = "np.full_like(input, fill_value)", .differentiable = false) {
  return filled_like(input, fill_value, dtype, device, requires_grad);
}

PHLOX_OPERATION(Tensor, new_zeros,
                (const Tensor& input, const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Zeros with dtype and device of another tensor.", .family = Family::creation,
                .samples = "new_zeros(A(2), (3, 2))", .reference = "np.zeros(size, input.dtype)",
                .differentiable = false) {
  return zeros(size, dtype.value_or(input.dtype()), device.value_or(input.device()), requires_grad);
}

PHLOX_OPERATION(Tensor, new_ones,
                (const Tensor& input, const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "Ones with dtype and device of another tensor.", .family = Family::creation,
                .samples = "new_ones(A(2), (3, 2))", .reference = "np.ones(size, input.dtype)",
                .differentiable = false) {
  return ones(size, dtype.value_or(input.dtype()), device.value_or(input.device()), requires_grad);
}

PHLOX_OPERATION(Tensor, new_full,
                (const Tensor& input, const Shape& size, Scalar fill_value, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "One value everywhere with dtype and device of another tensor.",
                .family = Family::creation, .samples = "new_full(A(2), (3, 2), 4)",
                .reference = "np.full(size, fill_value, input.dtype)", .differentiable = false) {
  return full(size, fill_value, dtype.value_or(input.dtype()), device.value_or(input.device()),
              requires_grad);
}

PHLOX_OPERATION(Tensor, new_empty,
                (const Tensor& input, const Shape& size, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "An uninitialised tensor with dtype and device of another.",
                .family = Family::creation, .example = "px.ones(2).new_empty((2, 3)).shape",
                .differentiable = false) {
  return empty(size, dtype.value_or(input.dtype()), device.value_or(input.device()), requires_grad);
}

// --- sequences

PHLOX_OPERATION(Tensor, arange,
                (Scalar start, OptionalScalar end = {}, Scalar step = 1, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "start, start + step, ... before `end`; arange(n) counts from 0. Integers give int64.",
                .family = Family::creation,
                .samples = "arange(5); arange(2, 9, 3); arange(1.0, 2.0, 0.25); arange(5, 0, -2); arange(0)",
                .reference = "np.arange(start, end, step) if end is not None else np.arange(start)",
                .differentiable = false) {
  Scalar first = end ? start : Scalar(0), last = end ? *end : start;
  // An integer dtype counts in integers: what lies behind the point falls away before, not after.
  const bool whole = dtype && is_integer(*dtype);
  if (whole) {
    first = whole_number(first, "arange");
    last = whole_number(last, "arange");
    step = whole_number(step, "arange");
  }
  if (step.real() == 0 || !std::isfinite(step.real()))
    fail<ValueError>(ErrorCode::invalid_value, "arange: the step is {}", step.real()).raise();
  const bool integers = all_integers({first, last, step});
  std::int64_t count;
  if (integers) {
    const __int128 distance = static_cast<__int128>(last.integer()) - first.integer(), by = step.integer();
    const __int128 steps = (distance > 0) == (by > 0) ? (distance + by - (by > 0 ? 1 : -1)) / by : 0;
    if (steps > std::numeric_limits<std::int64_t>::max())
      fail<ValueError>(ErrorCode::invalid_value, "arange: {} to {} has more elements than can be counted",
                       first.integer(), last.integer())
          .raise();
    count = static_cast<std::int64_t>(steps);
  } else {
    const double exact = std::ceil((last.real() - first.real()) / step.real());
    if (!(exact < 9e15))
      fail<ValueError>(ErrorCode::invalid_value, "arange: {} to {} in steps of {} has no end", first.real(),
                       last.real(), step.real())
          .raise();
    count = static_cast<std::int64_t>(std::max(exact, 0.0));
  }
  const DType kind = dtype.value_or(integers ? DType::int64 : default_dtype());
  return marked(apply_arange(first, step, count, kind, device_or_default(device)), requires_grad);
}

PHLOX_OPERATION(Tensor, linspace,
                (double start, double end, std::int64_t steps, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "`steps` numbers at equal distances from `start` to `end`, both included.",
                .family = Family::creation,
                .samples = "linspace(0, 1, 5); linspace(3.0, -1.0, 4); linspace(2, 5, 1); linspace(0, 1, 0)",
                .reference = "np.linspace(start, end, steps)", .differentiable = false) {
  if (steps < 0) fail<ValueError>(ErrorCode::invalid_value, "linspace: {} steps", steps).raise();
  const DType kind = dtype.value_or(default_dtype());
  if (is_integer(kind)) {
    start = std::trunc(start);
    end = std::trunc(end);
  }
  const Device where_to = device_or_default(device);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  // The second half counts back from the end, so that it is met exactly.
  const std::int64_t half = (steps + 1) / 2;
  const Tensor front = apply_arange(start, step, half, DType::float64, where_to);
  const Tensor back = apply_arange(end - step * static_cast<double>(steps - half - 1), step, steps - half,
                                   DType::float64, where_to);
  Tensor result = steps - half > 0 ? cat({front, back}) : front;
  if (steps > 1) {
    NoGrad no_grad;
    result.select(0, -1).fill_(end);
  }
  return marked(result.to(kind), requires_grad);
}

PHLOX_OPERATION(Tensor, logspace,
                (double start, double end, std::int64_t steps, double base = 10.0, OptionalDType dtype = {},
                 OptionalDevice device = {}, bool requires_grad = false),
                .doc = "Powers of `base` whose exponents are at equal distances.", .family = Family::creation,
                .samples = "logspace(0, 2, 5); logspace(-1, 1, 4, 2.0)",
                .reference = "np.logspace(start, end, steps, base=base)", .differentiable = false) {
  if (dtype && is_integer(*dtype)) {
    start = std::trunc(start);
    end = std::trunc(end);
  }
  const Tensor exponents = linspace(start, end, steps, DType::float64, device);
  return marked(pow(base, exponents).to(dtype.value_or(default_dtype())), requires_grad);
}

PHLOX_OPERATION(
    Tensor, geomspace,
    (double start, double end, std::int64_t steps = 50, OptionalDType dtype = {}, OptionalDevice device = {},
     bool requires_grad = false),
    .doc =
        "`steps` numbers from `start` to `end`, both included, each the same multiple of the one before. Both ends have "
        "one sign.",
    .family = Family::creation,
    .samples = "geomspace(1, 1000, 4); geomspace(-2.0, -0.5, 3); geomspace(2, 5, 1)",
    .reference = "np.geomspace(start, end, steps)", .differentiable = false) {
  if (steps < 0) fail<ValueError>(ErrorCode::invalid_value, "geomspace: {} steps", steps).raise();
  if (!(start * end > 0) || !std::isfinite(start) || !std::isfinite(end))
    fail<ValueError>(ErrorCode::invalid_value, "geomspace: cannot go from {} to {} by factors", start, end)
        .hint("two positive or two negative numbers")
        .raise();
  const double sign = start < 0 ? -1 : 1;
  const Tensor exponents =
      linspace(std::log(std::abs(start)), std::log(std::abs(end)), steps, DType::float64, device);
  const Tensor result = mul(exp(exponents), sign);
  if (steps > 0) {
    NoGrad no_grad;
    result.select(0, steps - 1).fill_(end);
    result.select(0, 0).fill_(start);
  }
  return marked(result.to(dtype.value_or(default_dtype())), requires_grad);
}

PHLOX_OPERATION(
    Tensor, range,
    (Scalar start, OptionalScalar end = {}, Scalar step = 1, OptionalDType dtype = {},
     OptionalDevice device = {}, bool requires_grad = false),
    .doc =
        "start, start + step, ... up to `end`, which is included: 1 + floor((end - start) / step) numbers, by "
        "default in the default dtype.",
    .family = Family::creation, .samples = "range(1, 4); range(0.0, 1.0, 0.25); range(5, 1, -2)",
    .reference = "np.arange(np.floor((end - start) / step) + 1) * step + start", .differentiable = false) {
  const Scalar first = end ? start : Scalar(0), last = end ? *end : start;
  const double count = std::floor((last.real() - first.real()) / step.real()) + 1;
  if (step.real() == 0 || !(count >= 1 && count < 9e15))
    fail<ValueError>(ErrorCode::invalid_value, "range: {} to {} in steps of {} cannot be counted",
                     first.real(), last.real(), step.real())
        .hint("arange() leaves its end out and may be empty")
        .raise();
  return marked(apply_arange(first, step, static_cast<std::int64_t>(count), dtype.value_or(default_dtype()),
                             device_or_default(device)),
                requires_grad);
}

// --- matrices and indices

PHLOX_OPERATION(Tensor, eye,
                (std::int64_t n, OptionalInt m = {}, OptionalDType dtype = {}, OptionalDevice device = {},
                 bool requires_grad = false),
                .doc = "A matrix with ones on its diagonal.", .family = Family::creation,
                .samples = "eye(3); eye(2, 4)", .reference = "np.eye(n, m)", .differentiable = false) {
  const Tensor result =
      apply_fill({n, m.value_or(n)}, 0, dtype.value_or(default_dtype()), device_or_default(device));
  NoGrad no_grad;
  diagonal(result).fill_(1);
  return marked(result, requires_grad);
}

namespace {

template <class Keep>
Tensor triangle_indices(std::int64_t rows, std::int64_t columns, OptionalDType dtype, OptionalDevice device,
                        const Keep& keep) {
  Integers found[2];
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      if (keep(r, c)) {
        found[0].push_back(r);
        found[1].push_back(c);
      }
  const auto count = static_cast<std::int64_t>(found[0].size());
  found[0].insert(found[0].end(), found[1].begin(), found[1].end());
  return from_values<std::int64_t>(found[0], {2, count})
      .to(dtype.value_or(DType::int64))
      .to(device_or_default(device));
}

}  // namespace

PHLOX_OPERATION(Tensor, tril_indices,
                (std::int64_t row, std::int64_t col, std::int64_t offset = 0, OptionalDType dtype = {},
                 OptionalDevice device = {}),
                .doc = "Rows and columns of the lower triangle of a matrix, as int64[2,n].",
                .family = Family::creation, .samples = "tril_indices(3, 4); tril_indices(3, 3, -1)",
                .reference = "np.array(np.tril_indices(row, offset, col))", .differentiable = false) {
  return triangle_indices(row, col, dtype, device,
                          [&](std::int64_t r, std::int64_t c) { return c <= r + offset; });
}

PHLOX_OPERATION(Tensor, triu_indices,
                (std::int64_t row, std::int64_t col, std::int64_t offset = 0, OptionalDType dtype = {},
                 OptionalDevice device = {}),
                .doc = "Rows and columns of the upper triangle of a matrix, as int64[2,n].",
                .family = Family::creation, .samples = "triu_indices(3, 4); triu_indices(3, 3, 1)",
                .reference = "np.array(np.triu_indices(row, offset, col))", .differentiable = false) {
  return triangle_indices(row, col, dtype, device,
                          [&](std::int64_t r, std::int64_t c) { return c >= r + offset; });
}

PHLOX_OPERATION(
    Tensor, one_hot, (const Tensor& input, std::int64_t num_classes = -1),
    .doc =
        "For each class number a row of zeros with a one at its place; int64[...,num_classes]. Throws "
        "IndexError for a number outside of the classes.",
    .family = Family::creation, .home = "nn.functional",
    .samples = "one_hot(I(4, 5), 4); one_hot(I(3, 2, 2), 6)",
    .reference = "np.eye(num_classes, dtype=np.int64)[input]", .differentiable = false) {
  if (!is_integer(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "one_hot: takes integers, not {}", info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  Tensor classes = input.to(DType::int64);
  if (num_classes < 0) {
    num_classes = 0;
    for (std::int64_t value : classes.to_vector<std::int64_t>())
      num_classes = std::max(num_classes, value + 1);
  }
  const Tensor outside = any(logical_or(lt(classes, 0), ge(classes, num_classes)));
  if (thread_mode.interpreter_count)
    classes = apply_check(classes, logical_not(outside), CheckError::index,
                          fmt::format("one_hot: a class is not one of {} classes", num_classes));
  else if (outside.item<bool>())
    for (std::int64_t value : classes.to_vector<std::int64_t>())
      if (value < 0 || value >= num_classes)
        fail<IndexError>(ErrorCode::index_out_of_range, "one_hot: class {} is not one of {} classes", value,
                         num_classes)
            .detail("input", describe(input))
            .raise();
  const Tensor numbers = arange(num_classes, {}, 1, DType::int64, input.device());
  return eq(unsqueeze(classes, -1), numbers).to(DType::int64);
}

// --- writing values in place

namespace {

const Tensor& fill_in_place(const Tensor& target, const Scalar& value, const char* operation) {
  value.check_fits(target.dtype());
  if (needs_gradient(target))
    return assign_in_place(target, Tensor(value, {.dtype = target.dtype(), .device = target.device()}),
                           operation);
  check_in_place_allowed(target, operation);
  if (thread_mode.interpreter_count) [[unlikely]]
    copy_data(apply_fill(target.shape(), value, target.dtype(), target.device()), target);
  else device_kernels(target.device()).fill(*target.impl(), value);
  bump_version(target);
  return target;
}

}  // namespace

PHLOX_OPERATION(Tensor, fill_, (const Tensor& input, const Operand& value),
                .doc = "Writes one value everywhere.", .family = Family::in_place,
                .example = "px.zeros(2, 2).fill_(7)") {
  if (!value.is_tensor()) return fill_in_place(input, value.scalar(), "fill_");
  if (value.tensor().numel() != 1)
    fail<ShapeError>(ErrorCode::wrong_element_count, "fill_: the value has {} elements",
                     value.tensor().numel())
        .detail("value", describe(value.tensor()))
        .hint("copy_() writes a whole tensor")
        .raise();
  return assign_in_place(input, reshape(value.tensor(), {}), "fill_");
}

PHLOX_OPERATION(Tensor, zero_, (const Tensor& input), .doc = "Writes zeros everywhere.",
                .family = Family::in_place, .example = "px.ones(2, 2).zero_()") {
  return fill_in_place(input, 0, "zero_");
}

}  // namespace phlox
