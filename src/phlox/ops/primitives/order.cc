#include "phlox/ops/primitives/order.h"

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/reduce.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

namespace {

// --- arg_reduce --------------------------------------------------------------------------------------------------

struct ArgReduceAttributes {
  int dim = 0;
  bool maximum = false;
  const char* operation = "arg_reduce";  // for messages
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim), v("maximum", maximum);
  }
};

TensorList evaluate_arg_reduce(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ArgReduceAttributes*>(attributes);
  return {apply_arg_reduce(inputs[0].tensor(), a.dim, a.maximum, a.operation)};
}
PHLOX_PRIMITIVE(arg_reduce, 11, evaluate_arg_reduce, ArgReduceAttributes);
void check_arg_reduce(const PrimitiveCall& call) {
  call.takes(1);
  call.require_real("the input", call.tensor(0));
  call.require_dim("dim", call.attributes<ArgReduceAttributes>().dim, call.tensor(0));
}
PHLOX_PRIMITIVE_RULE(arg_reduce, check_arg_reduce);

// Runs `apply` on the batch, along the dimension that follows that of a sample; one element is a row of one.
template <class Apply>
TensorList along_samples(const BatchedCall& call, int dim, const Apply& apply) {
  if (call.rank(0) > 0) return apply(call.tensor(0), dim + 1);
  TensorList results = apply(unsqueeze(call.tensor(0), 1), 1);
  for (Tensor& result : results) result = squeeze(result, 1);
  return results;
}

TensorList batch_arg_reduce(const BatchedCall& call) {
  const auto& a = call.attributes_as<ArgReduceAttributes>();
  return along_samples(call, a.dim, [&](const Tensor& input, int dim) {
    return TensorList{apply_arg_reduce(input, dim, a.maximum, a.operation)};
  });
}
PHLOX_BATCHING_RULE(arg_reduce, batch_arg_reduce);

// --- scan --------------------------------------------------------------------------------------------------------

struct ScanAttributes {
  ScanKind kind = ScanKind::sum;
  int dim = 0;
  DType result = DType::float32;
  template <class Visitor>
  void visit(Visitor& v) {
    v("kind", kind), v("dim", dim), v("result", result);
  }
};

bool is_extremum(ScanKind kind) { return kind == ScanKind::minimum || kind == ScanKind::maximum; }

TensorList as_list(const TensorPair& pair) {
  TensorList list{std::get<0>(pair)};
  if (std::get<1>(pair).defined()) list.push_back(std::get<1>(pair));
  return list;
}
TensorPair as_pair(const TensorList& list) { return {list[0], list.size() > 1 ? list[1] : Tensor()}; }

TensorList evaluate_scan(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const ScanAttributes*>(attributes);
  return as_list(apply_scan(a.kind, inputs[0].tensor(), a.dim, a.result));
}
PHLOX_PRIMITIVE(scan, 12, evaluate_scan, ScanAttributes);
void check_scan(const PrimitiveCall& call) {
  call.takes(1);
  const auto& a = call.attributes<ScanAttributes>();
  call.require_real("the input", call.tensor(0));
  call.require_dim("dim", a.dim, call.tensor(0));
  call.require(is_computable(a.result) && !is_complex(a.result), "the result cannot be {}",
               info(a.result).name);
}
PHLOX_PRIMITIVE_RULE(scan, check_scan);

TensorList batch_scan(const BatchedCall& call) {
  const auto& a = call.attributes_as<ScanAttributes>();
  return along_samples(call, a.dim, [&](const Tensor& input, int dim) {
    return as_list(apply_scan(a.kind, input, dim, a.result));
  });
}
PHLOX_BATCHING_RULE(scan, batch_scan);

// The sum from each element to the last one.
Tensor sum_to_end(const Tensor& x, int dim) {
  const DimList dims(dim);
  return flip(cumsum(flip(x, dims), dim), dims);
}

const char* name_of(ScanKind kind) {
  switch (kind) {
    case ScanKind::sum: return "cumsum";
    case ScanKind::product: return "cumprod";
    case ScanKind::minimum: return "cummin";
    case ScanKind::maximum: return "cummax";
    default: return "logcumsumexp";
  }
}

class ScanNode final : public GradientNode {
 public:
  ScanNode(const ScanAttributes& attributes, const Tensor& input, const Tensor& indices)
      : GradientNode(name_of(attributes.kind), 1),
        attributes_(attributes),
        dtype_(input.dtype()),
        shape_(input.shape()),
        indices_(indices) {
    edges()[0] = gradient_edge(input);
    if (saves()) input_ = SavedTensor(input, this);
  }
  void save_result(const Tensor& result) {
    if (saves()) result_ = SavedTensor(result, this, true);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined() || !wants(0)) return;
    const int dim = attributes_.dim;
    Tensor result;
    switch (attributes_.kind) {
      case ScanKind::sum: result = sum_to_end(gradient, dim); break;
      case ScanKind::product: result = product_gradient(gradient); break;
      case ScanKind::log_sum_exp: result = log_sum_exp_gradient(gradient); break;
      default:
        result = scatter_add(zeros(shape_, gradient.dtype(), gradient.device()), dim, indices_, gradient);
    }
    input_gradients[0] = result.to(dtype_);
  }
  void release_saved() override {
    released_ = true;
    input_.release();
    result_.release();
  }
  bool released() const override { return released_ && saves(); }

 private:
  bool saves() const {
    return attributes_.kind == ScanKind::product || attributes_.kind == ScanKind::log_sum_exp;
  }

  // The sum over j >= i of g[j] y[j] / x[i]. Up to the first zero that is safe; at the first zero itself the products
  // are made without it; behind it they all are zero.
  Tensor product_gradient(const Tensor& gradient) {
    const int dim = attributes_.dim;
    const Tensor input = input_.get(*this), result = result_.get(*this);
    const Tensor is_zero = eq(input, 0);
    if (gradients_enabled() && (thread_mode.interpreter_count || any(is_zero).item<bool>()))
      return product_gradient_without_division(gradient, input);
    const Tensor zeros_so_far = cumsum(is_zero, dim);
    const Tensor before = eq(zeros_so_far, 0), first = logical_and(is_zero, eq(zeros_so_far, 1));
    const Tensor safe = phlox::where(is_zero, 1, input);
    const Tensor up_to_zero = div(sum_to_end(phlox::where(before, mul(gradient, result), 0), dim), safe);
    const Tensor without = cumprod(phlox::where(first, 1, input), dim);
    const Tensor at_zero = sum_to_end(phlox::where(eq(zeros_so_far, 1), mul(gradient, without), 0), dim);
    return phlox::where(before, up_to_zero, phlox::where(first, at_zero, 0));
  }

  // The same in a way that zeros keep their derivatives: row i of a square matrix has a 1 in the place of its own.
  Tensor product_gradient_without_division(const Tensor& gradient, const Tensor& input) const {
    const int dim = attributes_.dim;
    const Tensor rows = unsqueeze(movedim(input, dim, -1), -2);
    const Tensor matrix = phlox::where(eye(input.size(dim), {}, DType::bool_), 1, rows);
    const Tensor products = mul(triu(cumprod(matrix, -1)), unsqueeze(movedim(gradient, dim, -1), -2));
    return movedim(sum(products, -1), -1, dim);
  }

  // The sum over j >= i of g[j] exp(x[i] - y[j]). As y never falls, u[i] = g[i] + exp(y[i] - y[i + 1]) u[i + 1] has factors
  // of at most 1; it is linear in g, so that gradients of it are right where g is zero.
  Tensor log_sum_exp_gradient(const Tensor& gradient) {
    const Tensor input = input_.get(*this), result = result_.get(*this);
    const Tensor counts = isfinite(result);
    const Tensor height = phlox::where(counts, result, 0);
    Tensor sums = phlox::where(counts, gradient, 0);
    if (input.rank() > 0) sums = decayed_sums(sums, height, counts);
    return phlox::where(counts, mul(exp(sub(phlox::where(counts, input, 0), height)), sums), 0);
  }

  // u, in log2(n) steps.
  Tensor decayed_sums(Tensor sums, const Tensor& height, const Tensor& counts) const {
    const int dim = attributes_.dim;
    const std::int64_t n = sums.size(dim);
    const auto first = [&](const Tensor& x, std::int64_t count) { return narrow(x, dim, 0, count); };
    const auto last = [&](const Tensor& x, std::int64_t count) { return narrow(x, dim, n - count, count); };
    if (n < 2) return sums;
    const Tensor none = zeros_like(last(height, 1));
    const Tensor both = logical_and(first(counts, n - 1), last(counts, n - 1));
    const Tensor decay = exp(sub(first(height, n - 1), last(height, n - 1)));
    Tensor factors = cat({phlox::where(both, decay, 0), none}, dim);
    for (std::int64_t step = 1; step < n; step *= 2) {
      const Tensor reached = mul(first(factors, n - step), last(sums, n - step));
      sums = cat({add(first(sums, n - step), reached), last(sums, step)}, dim);
      const Tensor further = mul(first(factors, n - step), last(factors, n - step));
      factors = cat({further, zeros_like(last(factors, step))}, dim);
    }
    return sums;
  }

  ScanAttributes attributes_;
  DType dtype_;
  Shape shape_;
  Tensor indices_;
  SavedTensor input_;
  SavedTensor result_;
  bool released_ = false;
};

DType scan_dtype(ScanKind kind, DType result) {
  if (is_extremum(kind)) return comparison_dtype(result);
  if (is_floating(result) || kind == ScanKind::log_sum_exp) return DType::float64;
  return result == DType::uint64 ? result : DType::int64;
}

// --- sort --------------------------------------------------------------------------------------------------------

struct SortAttributes {
  int dim = 0;
  bool descending = false;
  std::int64_t count = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim), v("descending", descending), v("count", count);
  }
};

TensorList evaluate_sort(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SortAttributes*>(attributes);
  return as_list(apply_sort(inputs[0].tensor(), a.dim, a.descending, a.count));
}
PHLOX_PRIMITIVE(sort, 13, evaluate_sort, SortAttributes);
void check_sort(const PrimitiveCall& call) {
  call.takes(1);
  const Tensor& input = call.tensor(0);
  const auto& a = call.attributes<SortAttributes>();
  call.require_real("the input", input);
  call.require_dim("dim", a.dim, input);
  const std::int64_t length = input.rank() ? input.size(a.dim) : 1, least = input.rank() ? 0 : 1;
  call.require(a.count >= least && a.count <= length, "the first {} of {} elements", a.count, length);
}
PHLOX_PRIMITIVE_RULE(sort, check_sort);

TensorList batch_sort(const BatchedCall& call) {
  const auto& a = call.attributes_as<SortAttributes>();
  return along_samples(call, a.dim, [&](const Tensor& input, int dim) {
    return as_list(apply_sort(input, dim, a.descending, call.rank(0) == 0 ? 1 : a.count));
  });
}
PHLOX_BATCHING_RULE(sort, batch_sort);

class SortNode final : public GradientNode {
 public:
  SortNode(const Tensor& input, int dim, const Tensor& indices)
      : GradientNode("sort", 1), dim_(dim), shape_(input.shape()), indices_(indices) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined() || !wants(0)) return;
    input_gradients[0] =
        scatter(zeros(shape_, gradient.dtype(), gradient.device()), dim_, indices_, gradient);
  }
  void release_saved() override {}

 private:
  int dim_;
  Shape shape_;
  Tensor indices_;
};

}  // namespace

Tensor apply_arg_reduce(const Tensor& input, int dim, bool maximum, const char* operation) {
  const ArgReduceAttributes attributes{dim, maximum, operation};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return interpret(arg_reduce_primitive, {&operand, 1}, &attributes)[0];
  }
  Shape shape = input.shape();
  if (input.rank() > 0) {
    if (shape[static_cast<std::size_t>(dim)] == 0)
      fail<ShapeError>(ErrorCode::empty_reduction, "{}: no element to choose from", operation)
          .detail("input", describe(input))
          .hint("reduce over a dimension that holds elements")
          .raise();
    shape[static_cast<std::size_t>(dim)] = 1;
  }
  const Tensor output = make_tensor(shape, DType::int64, input.device());
  if (output.numel() > 0)
    device_kernels(input.device()).arg_reduce({input.impl(), dim, maximum, output.impl()});
  return output;
}

TensorPair apply_scan(ScanKind kind, const Tensor& input, int dim, DType result) {
  const ScanAttributes attributes{kind, dim, result};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return as_pair(interpret(scan_primitive, {&operand, 1}, &attributes));
  }
  const Tensor output = make_tensor_like(input, input.shape(), result);
  const Tensor indices = is_extremum(kind) ? make_tensor_like(input, input.shape(), DType::int64) : Tensor();
  if (output.numel() > 0)
    device_kernels(input.device())
        .scan({kind, input.impl(), dim, scan_dtype(kind, result), output.impl(), indices.unsafe_impl()});
  if (is_differentiable(result) && needs_gradient(input)) {
    auto* node = new ScanNode(attributes, input, indices);
    set_history(output, Reference<GradientNode>::adopt(node));
    node->save_result(output);
  }
  return {output, indices};
}

TensorPair apply_sort(const Tensor& input, int dim, bool descending, std::int64_t count) {
  const SortAttributes attributes{dim, descending, count};
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    return as_pair(interpret(sort_primitive, {&operand, 1}, &attributes));
  }
  Shape shape = input.shape();
  if (input.rank() > 0) shape[static_cast<std::size_t>(dim)] = count;
  const Tensor values = make_tensor_like(input, shape, input.dtype());
  const Tensor indices = make_tensor_like(input, shape, DType::int64);
  if (values.numel() > 0)
    device_kernels(input.device()).sort({input.impl(), dim, descending, values.impl(), indices.impl()});
  if (needs_gradient(input))
    set_history(values, Reference<GradientNode>::adopt(new SortNode(input, dim, indices)));
  return {values, indices};
}

}  // namespace phlox
