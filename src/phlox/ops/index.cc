// Operations that pick and place elements by tensors of positions or truth values.
#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/extreme_value.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

int checked_dim(const Tensor& input, std::int64_t dim, const char* operation) {
  return normalize_dim(dim, input.rank(), operation);
}

// Positions along one dimension.
IndexPlaces along(int dim, const Tensor& index) { return {{dim}, dim, {index}}; }

void require_vector(const Tensor& index, const char* operation) {
  if (index.rank() <= 1) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: the index is a vector, not of {} dimensions", operation,
                   index.rank())
      .detail("index", describe(index))
      .raise();
}

// A vector where a single number was given.
Tensor at_least_vector(const Tensor& tensor) { return tensor.rank() == 0 ? reshape(tensor, {1}) : tensor; }

void require_dtype_of(const Tensor& input, const Tensor& other, const char* name, const char* operation) {
  if (input.dtype() == other.dtype()) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: '{}' is {}, the tensor {}", operation, name,
                   info(other.dtype()).name, info(input.dtype()).name)
      .detail("input", describe(input))
      .detail(name, describe(other))
      .hint(fmt::format("{}.to(input.dtype)", name))
      .raise();
}

// What index_add() and its like write where; a single number is a vector of one.
struct Slices {
  Tensor target;
  IndexPlaces places;
  Tensor source;
};

Slices slices_at(const Tensor& input, std::int64_t dim, const Tensor& index, const char* operation) {
  require_vector(index, operation);
  return {at_least_vector(input), along(checked_dim(input, dim, operation), at_least_vector(index)), {}};
}

Slices slices_from(const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source,
                   const char* operation) {
  require_dtype_of(input, source, "source", operation);
  Slices slices = slices_at(input, dim, index, operation);
  slices.source = at_least_vector(source);
  Shape expected = slices.target.shape();
  expected[static_cast<std::size_t>(slices.places.dims[0])] = index.numel();
  if (slices.source.shape() != expected)
    fail<ShapeError>(ErrorCode::shapes_do_not_broadcast, "{}: the source has the shape [{}], not [{}]",
                     operation, to_string(source.shape()), to_string(expected))
        .detail("input", describe(input))
        .detail("index", describe(index))
        .detail("source", describe(source))
        .raise();
  return slices;
}

Tensor put_slices(const Tensor& input, const Slices& slices, ScatterMode mode, const char* operation) {
  const Tensor result = apply_index_put(slices.target, slices.places, slices.source, mode, operation);
  return input.rank() == 0 ? reshape(result, {}) : result;
}

Tensor scaled(const Tensor& source, const Scalar& alpha) {
  return alpha.kind() <= Scalar::Kind::integer && alpha.integer() == 1 ? source : mul(source, alpha);
}

Tensor as_tensor(const Operand& value, const Tensor& like) {
  if (value.is_tensor()) return value.tensor();
  value.scalar().check_fits(like.dtype());
  return Tensor(value.scalar(), {.dtype = like.dtype(), .device = like.device()});
}

void require_bool(const Tensor& mask, const char* operation) {
  if (mask.dtype() == DType::bool_) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: the mask must be bool, not {}", operation,
                   info(mask.dtype()).name)
      .detail("mask", describe(mask))
      .hint("<mask>.to(px.bool)")
      .raise();
}

ScatterMode parse_reduction(const std::string& reduce, const char* operation) {
  if (reduce == "add" || reduce == "sum" || reduce == "mean") return ScatterMode::add;
  if (reduce == "multiply" || reduce == "prod") return ScatterMode::multiply;
  if (reduce == "amin") return ScatterMode::minimum;
  if (reduce == "amax") return ScatterMode::maximum;
  fail<ValueError>(ErrorCode::unknown_name, "{}: reduce is '{}'", operation, reduce)
      .hint("\"sum\", \"prod\", \"mean\", \"amax\" or \"amin\"")
      .raise();
}

}  // namespace

// --- one position after the other along a dimension

PHLOX_OPERATION(Tensor, index_select, (const Tensor& input, std::int64_t dim, const Tensor& index),
                .doc = "The slices of a dimension at the positions of a vector of integers.",
                .family = Family::index,
                .samples =
                    "index_select(A(4, 3), 0, I(4, 5)); index_select(A(2, 4, 3), 1, I(4, 2)); "
                    "index_select(A(3), 0, I(3))",
                .reference = "np.take(input, np.atleast_1d(index), axis=dim)") {
  require_vector(index, "index_select");
  const int d = checked_dim(input, dim, "index_select");
  if (input.rank() == 0 && index.numel() == 1)
    return reshape(apply_index(reshape(input, {1}), along(0, at_least_vector(index)), "index_select"), {});
  return apply_index(at_least_vector(input), along(d, at_least_vector(index)), "index_select");
}

PHLOX_OPERATION(
    Tensor, index_add,
    (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1),
    .doc = "Adds alpha times the slices of `source` to the slices at the positions of `index`, in order.",
    .family = Family::index,
    .samples = "index_add(A(4, 3), 0, I(4, 5), A(5, 3)); index_add(A(2, 4), 1, I(4, 3), A(2, 3))") {
  Slices slices = slices_from(input, dim, index, source, "index_add");
  slices.source = scaled(slices.source, alpha);
  return put_slices(input, slices, ScatterMode::add, "index_add");
}

PHLOX_OPERATION(
    Tensor, index_copy, (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source),
    .doc = "With the slices of `source` at the positions of `index`; the last of equal positions counts.",
    .family = Family::index, .samples = "index_copy(A(4, 3), 0, arange(2), A(2, 3))") {
  return put_slices(input, slices_from(input, dim, index, source, "index_copy"), ScatterMode::assign,
                    "index_copy");
}

PHLOX_OPERATION(Tensor, index_fill,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Operand& value),
                .doc = "With one value in the slices at the positions of `index`.", .family = Family::index,
                .samples = "index_fill(A(4, 3), 0, I(4, 2), 1.5); index_fill(A(2, 4), 1, I(4, 3), 0)") {
  const Slices slices = slices_at(input, dim, index, "index_fill");
  const Tensor filler = as_tensor(value, input);
  require_dtype_of(input, filler, "value", "index_fill");
  if (filler.numel() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "index_fill: the value is one number, not {}", filler.numel())
        .detail("value", describe(filler))
        .raise();
  // A mask, since a gradient through positions would count those that are named twice as two.
  const int d = static_cast<int>(slices.places.dims[0]);
  const Tensor nowhere = zeros({slices.target.size(d)}, DType::bool_, input.device());
  Tensor mask = apply_index_put(nowhere, along(0, slices.places.tensors[0]), Tensor(Scalar(true)),
                                ScatterMode::assign, "index_fill");
  for (int i = d + 1; i < slices.target.rank(); ++i) mask = unsqueeze(mask, -1);
  return where(input.rank() == 0 ? reshape(mask, {}) : mask, reshape(filler, {}), input);
}

// --- a position for each element

PHLOX_OPERATION(
    Tensor, gather, (const Tensor& input, std::int64_t dim, const Tensor& index),
    .doc =
        "result[i][j] = input[index[i][j]][j] for dim 0, and likewise for others; the shape is that of the "
        "index.",
    .family = Family::index,
    .samples = "gather(A(4, 3), 0, I(4, 2, 3)); gather(A(3, 4), 1, I(4, 3, 6)); gather(A(5), 0, I(5, 3))",
    .reference =
        "np.take_along_axis(input[tuple(slice(0, index.shape[d]) if d != dim % input.ndim else slice(None) "
        "for d in range(input.ndim))], index, dim)") {
  const int d = checked_dim(input, dim, "gather");
  if (index.numel() == 0 && is_integer(index.dtype()))  // no place has to fit
    return reshape(narrow(ravel(input), 0, 0, 0), index.shape());
  return apply_gather(input, d, index);
}

PHLOX_OPERATION(
    Tensor, take_along_dim, (const Tensor& input, const Tensor& indices, OptionalDim dim = {}),
    .doc =
        "gather() with sizes that broadcast, such as the result of argsort; without a dimension, of the "
        "flattened tensor. Negative positions count from the end.",
    .family = Family::index, .alias = "take_along_axis",
    .samples = "take_along_dim(A(4, 3), I(4, 2, 1), 0); take_along_dim(A(2, 3), I(6, 4))",
    .reference =
        "np.take_along_axis(input if dim is not None else input.ravel(), np.broadcast_to(indices, "
        "indices.shape if dim is None else tuple(indices.shape[d] if d == dim else input.shape[d] for d in "
        "range(input.ndim))), dim if dim is not None else 0)") {
  if (!dim) return take_along_dim(ravel(input), ravel(indices), 0);
  const int d = checked_dim(input, *dim, "take_along_dim");
  Shape wide = input.shape(), index_wide = indices.shape();
  const Tensor places =
      is_integer(indices.dtype()) && !is_unsigned(indices.dtype())
          ? where(lt(indices, 0), add(indices.to(DType::int64), input.rank() ? input.size(d) : 1), indices)
          : indices;
  if (input.rank() != indices.rank())
    fail<ShapeError>(ErrorCode::wrong_rank, "take_along_dim: {} and {} dimensions", input.rank(),
                     indices.rank())
        .detail("input", describe(input))
        .detail("indices", describe(indices))
        .raise();
  if (input.rank() > 0) wide[static_cast<std::size_t>(d)] = index_wide[static_cast<std::size_t>(d)] = 1;
  Shape both = broadcast_shapes(wide, index_wide, "take_along_dim");
  Shape data = both;
  if (input.rank() > 0) {
    data[static_cast<std::size_t>(d)] = input.size(d);
    both[static_cast<std::size_t>(d)] = indices.size(d);
  }
  return apply_gather(broadcast_to(input, data), d, broadcast_to(places, both), "take_along_dim");
}

PHLOX_OPERATION(
    Tensor, scatter_add, (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& src),
    .doc = "Adds src[i][j] to input[index[i][j]][j] for dim 0, and likewise for others, in order.",
    .family = Family::index,
    .samples =
        "scatter_add(A(4, 3), 0, I(4, 5, 3), A(5, 3)); scatter_add(A(3, 4), 1, I(4, 3, 2), A(3, 2)); "
        "scatter_add(A(4), 0, I(4, 9), A(9))") {
  require_dtype_of(input, src, "src", "scatter_add");
  return apply_scatter(input, checked_dim(input, dim, "scatter_add"), index, src, ScatterMode::add,
                       "scatter_add");
}

PHLOX_OPERATION(
    Tensor, scatter_reduce,
    (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce,
     bool include_self = true),
    .doc =
        "Combines src[i][j] into input[index[i][j]][j] by \"sum\", \"prod\", \"mean\", \"amax\" or \"amin\". "
        "Without include_self what was there does not count.",
    .family = Family::index,
    .samples =
        "scatter_reduce(A(4, 3), 0, I(4, 5, 3), A(5, 3), 'sum'); scatter_reduce(P(4), 0, I(4, 6), P(6), "
        "'prod'); scatter_reduce(A(4), 0, I(4, 6), A(6), 'mean'); scatter_reduce(A(4), 0, I(4, 6), A(6), "
        "'amax', False)",
    .integers = false, .in_place = true) {
  const int d = checked_dim(input, dim, "scatter_reduce");
  require_dtype_of(input, src, "src", "scatter_reduce");
  const ScatterMode mode = parse_reduction(reduce, "scatter_reduce");
  Tensor base = input;
  if (!include_self) {
    const Scalar neutral = mode == ScatterMode::multiply  ? Scalar(1)
                           : mode == ScatterMode::minimum ? extreme_value(input.dtype(), true)
                           : mode == ScatterMode::maximum ? extreme_value(input.dtype(), false)
                                                          : Scalar(0);
    base = apply_scatter(input, d, index, full(index.shape(), neutral, input.dtype(), input.device()),
                         ScatterMode::assign, "scatter_reduce");
  }
  if (mode == ScatterMode::add) {
    const Tensor total = apply_scatter(base, d, index, src, mode, "scatter_reduce");
    if (reduce != "mean") return total;
    const Tensor ones_at = ones(index.shape(), input.dtype(), input.device());
    Tensor count = apply_scatter(full(input.shape(), include_self ? 1 : 0, input.dtype(), input.device()), d,
                                 index, ones_at, mode, "scatter_reduce");
    count = clamp_min(count, 1);
    return is_integer(input.dtype()) ? floor_divide(total, count) : div(total, count);
  }
  return apply_scatter(base, d, index, src, mode, "scatter_reduce");
}

PHLOX_OPERATION(
    Tensor, scatter,
    (const Tensor& input, std::int64_t dim, const Tensor& index, const Operand& src,
     const OptionalString& reduce = {}),
    .doc =
        "Writes src[i][j], or one number, to input[index[i][j]][j] for dim 0, and likewise for others; with "
        "reduce=\"add\" or \"multiply\" combines it with what is there.",
    .family = Family::index,
    .samples =
        "scatter(A(4, 3), 0, reshape(arange(3), (1, 3)), A(1, 3)); scatter(A(3, 4), 1, I(4, 3, 2), 1.5); "
        "scatter(A(4), 0, I(4, 6), A(6), 'add')") {
  const int d = checked_dim(input, dim, "scatter");
  const Tensor values = src.is_tensor() ? src.tensor() : broadcast_to(as_tensor(src, input), index.shape());
  require_dtype_of(input, values, "src", "scatter");
  if (!reduce) return apply_scatter(input, d, index, values, ScatterMode::assign);
  const ScatterMode mode = parse_reduction(*reduce, "scatter");
  return mode == ScatterMode::add ? apply_scatter(input, d, index, values, mode)
                                  : scatter_reduce(input, d, index, values, *reduce);
}

// --- places by several tensors, or in the flattened tensor

PHLOX_OPERATION(
    Tensor, index_put,
    (const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate = false),
    .doc =
        "With `values` at the places x[indices], which broadcast together; `accumulate` adds to what is "
        "there.",
    .family = Family::index,
    .samples = "index_put(A(4, 3), [I(4, 2), I(3, 2)], A(2), True); index_put(A(4, 3), [arange(2)], A(3))") {
  IndexPlaces places;
  if (static_cast<int>(indices.size()) > input.rank())
    fail<IndexError>(ErrorCode::too_many_indices, "index_put: {} indices for {} dimensions", indices.size(),
                     input.rank())
        .detail("input", describe(input))
        .raise();
  std::int64_t dim = 0;
  for (const Tensor& index : indices) {
    if (index.dtype() != DType::bool_) {
      places.dims.push_back(dim++);
      places.tensors.push_back(index);
      continue;
    }
    const Tensor positions = apply_nonzero(index);
    for (int d = 0; d < index.rank(); ++d) {
      places.dims.push_back(dim++);
      places.tensors.push_back(positions.select(1, d));
    }
  }
  return apply_index_put(input, places, values, accumulate ? ScatterMode::add : ScatterMode::assign);
}

PHLOX_OPERATION(Tensor, take, (const Tensor& input, const Tensor& index),
                .doc = "Elements of the flattened tensor at positions; the shape is that of the index.",
                .family = Family::index, .samples = "take(A(3, 4), I(12, 2, 2)); take(A(5), I(5))",
                .reference = "np.take(input, index)") {
  return apply_index(ravel(input), {{0}, 0, {index}}, "take");
}

PHLOX_OPERATION(Tensor, put,
                (const Tensor& input, const Tensor& index, const Tensor& source, bool accumulate = false),
                .doc = "With the elements of `source` at positions of the flattened tensor.",
                .family = Family::index,
                .samples = "put(A(3, 4), I(12, 5), A(5), True); put(A(3, 4), arange(3), A(3))",
                .in_place = true) {
  require_dtype_of(input, source, "source", "put");
  const ScatterMode mode = accumulate ? ScatterMode::add : ScatterMode::assign;
  return reshape(apply_index_put(ravel(input), {{0}, 0, {ravel(index)}}, ravel(source), mode, "put"),
                 input.shape());
}

// --- truth values

PHLOX_OPERATION(Tensor, masked_fill, (const Tensor& input, const Tensor& mask, const Operand& value),
                .doc = "With one value where the mask, which broadcasts, is true.", .family = Family::index,
                .samples = "masked_fill(A(3, 4), B(3, 4), 2); masked_fill(A(3, 4), B(4), 5)",
                .reference = "np.where(mask, value, input)") {
  require_bool(mask, "masked_fill");
  if (!value.is_tensor() && value.scalar().promote_with(input.dtype()) == input.dtype())
    return where(mask, value, input);
  const Tensor tensor = as_tensor(value, input);
  if (tensor.rank() > 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "masked_fill: the value has {} dimensions; it must be one number",
                     tensor.rank())
        .detail("value", describe(tensor))
        .hint("px.where(mask, value, input) takes values that broadcast")
        .raise();
  check_kind_kept(tensor.dtype(), input, "masked_fill");
  return where(mask, tensor.to(input.dtype()), input);
}

PHLOX_OPERATION(Tensor, masked_select, (const Tensor& input, const Tensor& mask),
                .doc = "The elements where the mask is true, as a vector; both broadcast.",
                .family = Family::index,
                .samples = "masked_select(A(3, 4), B(3, 4)); masked_select(A(3, 4), B(4))",
                .reference =
                    "np.broadcast_to(input, np.broadcast_shapes(input.shape, "
                    "mask.shape))[np.broadcast_to(mask, np.broadcast_shapes(input.shape, mask.shape))]",
                .reads_values = true) {
  require_bool(mask, "masked_select");
  const Shape shape = broadcast_shapes(input.shape(), mask.shape(), "masked_select");
  const Tensor positions = apply_nonzero(reshape(broadcast_to(mask, shape), {-1}));
  return apply_index(reshape(broadcast_to(input, shape), {-1}), {{0}, 0, {positions.select(1, 0)}},
                     "masked_select");
}

PHLOX_OPERATION(Tensor, masked_scatter, (const Tensor& input, const Tensor& mask, const Tensor& source),
                .doc = "With the elements of `source`, one after the other, where the mask is true.",
                .family = Family::index, .samples = "masked_scatter(A(3, 4), B(3, 4), A(12))",
                .reads_values = true) {
  require_bool(mask, "masked_scatter");
  require_dtype_of(input, source, "source", "masked_scatter");
  const Shape shape = broadcast_shapes(input.shape(), mask.shape(), "masked_scatter");
  const Tensor positions = apply_nonzero(reshape(broadcast_to(mask, shape), {-1}));
  const std::int64_t count = positions.size(0);
  if (count > source.numel())
    fail<ShapeError>(ErrorCode::wrong_element_count, "masked_scatter: {} places and {} elements", count,
                     source.numel())
        .detail("mask", describe(mask))
        .detail("source", describe(source))
        .raise();
  const Tensor flat = reshape(broadcast_to(input, shape), {-1});
  const Tensor values = narrow(ravel(source), 0, 0, count);
  return reshape(apply_index_put(flat, {{0}, 0, {positions.select(1, 0)}}, values, ScatterMode::assign,
                                 "masked_scatter"),
                 shape);
}

PHLOX_OPERATION(Tensor, nonzero, (const Tensor& input, bool as_tuple = false),
                .doc =
                    "Positions of the elements that are not zero, one a row: int64[n,rank]. In Python "
                    "`as_tuple=True` gives a vector for each dimension.",
                .family = Family::index, .alias = "argwhere",
                .samples = "nonzero(B(3, 4)); nonzero(I(2, 5)); nonzero(B())",
                .reference = "np.argwhere(input)", .differentiable = false, .reads_values = true) {
  if (as_tuple)
    fail<ValueError>(ErrorCode::invalid_value, "nonzero: gives one tensor")
        .hint("nonzero_tuple(x) gives a vector for each dimension")
        .raise();
  return apply_nonzero(input);
}

PHLOX_OPERATION(TensorList, nonzero_as_tuple, (const Tensor& input, bool as_tuple),
                .doc = "nonzero_tuple() under the name that PyTorch has for it: `x.nonzero(as_tuple=True)`.",
                .family = Family::index, .method = false, .samples = "nonzero_as_tuple(B(3, 4), True)",
                .reference = "list(np.nonzero(input))", .differentiable = false, .reads_values = true,
                .overload_of = "nonzero") {
  return as_tuple ? nonzero_tuple(input) : TensorList{nonzero(input)};
}

PHLOX_OPERATION(
    Tensor, nonzero_static, (const Tensor& input, std::int64_t size, std::int64_t fill_value = -1),
    .doc =
        "nonzero() with a given number of rows, which can be captured: the first `size` positions, and `fill_value` "
        "where there are fewer.",
    .family = Family::index, .samples = "nonzero_static(B(3, 4), 5); nonzero_static(I(2, 5), 9, -7)",
    .differentiable = false) {
  if (size < 0) fail<ValueError>(ErrorCode::invalid_value, "nonzero_static: size is {}", size).raise();
  const std::int64_t count = input.numel();
  const Tensor hit = reshape(ne(input.detach(), 0), {count});
  // The row of each element that is hit; all others, and those beyond the last row, write to a row that is cut off.
  const Tensor row = where(hit, clamp_max(sub(cumsum(hit, 0), 1), size), size);
  const Tensor places = arange(count, {}, 1, DType::int64, input.device());
  const Tensor found =
      narrow(scatter(full({size + 1}, -1, DType::int64, input.device()), 0, row, places), 0, 0, size);
  const Tensor missing = lt(found, 0);
  TensorList columns(static_cast<std::size_t>(input.rank()));
  Tensor rest = found;
  for (int d = input.rank(); d-- > 0;) {
    const std::int64_t along = std::max<std::int64_t>(input.size(d), 1);
    columns[static_cast<std::size_t>(d)] = where(missing, fill_value, remainder(rest, along));
    rest = floor_divide(rest, along);
  }
  return columns.empty() ? zeros({size, 0}, DType::int64, input.device()) : stack(columns, 1);
}

PHLOX_OPERATION(
    TensorList, nonzero_tuple, (const Tensor& input),
    .doc = "Positions of the elements that are not zero, a vector for each dimension: an index for x[...].",
    .family = Family::index, .samples = "nonzero_tuple(B(3, 4)); nonzero_tuple(I(2, 5))",
    .reference = "list(np.nonzero(input))", .differentiable = false, .reads_values = true,
    .overload_of = "where") {
  return unbind(apply_nonzero(at_least_vector(input)), 1);
}

// --- in place, without a copy where no gradient asks for one

namespace {

template <class Write, class Value>
const Tensor& write_in_place(const Tensor& target, const Tensor& values, const char* operation,
                             const Write& write, const Value& value) {
  if (needs_gradient(target) || needs_gradient(values)) return assign_in_place(target, value(), operation);
  check_in_place_allowed(target, operation);
  write();
  bump_version(target);
  return target;
}

}  // namespace

PHLOX_OPERATION(Tensor, index_add_,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source,
                 Scalar alpha = 1),
                .doc = "index_add() in place.", .family = Family::in_place,
                .example = "px.zeros(3).index_add_(0, px.tensor([0, 2, 2]), px.tensor([1.0, 2.0, 3.0]))") {
  const Slices slices = slices_from(input, dim, index, source, "index_add_");
  return write_in_place(
      input, source, "index_add_",
      [&] {
        index_put_data(slices.target, slices.places, scaled(slices.source, alpha), ScatterMode::add,
                       "index_add_");
      },
      [&] { return index_add(input, dim, index, source, alpha); });
}

PHLOX_OPERATION(Tensor, index_copy_,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source),
                .doc = "index_copy() in place.", .family = Family::in_place,
                .example = "px.zeros(3).index_copy_(0, px.tensor([2, 0]), px.tensor([1.0, 2.0]))") {
  const Slices slices = slices_from(input, dim, index, source, "index_copy_");
  return write_in_place(
      input, source, "index_copy_",
      [&] {
        index_put_data(slices.target, slices.places, slices.source, ScatterMode::assign, "index_copy_");
      },
      [&] { return index_copy(input, dim, index, source); });
}

PHLOX_OPERATION(Tensor, index_fill_,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Operand& value),
                .doc = "index_fill() in place.", .family = Family::in_place,
                .example = "px.zeros(2, 3).index_fill_(1, px.tensor([0, 2]), 5)") {
  const Slices slices = slices_at(input, dim, index, "index_fill_");
  const Tensor tensor = as_tensor(value, input);
  return write_in_place(
      input, tensor, "index_fill_",
      [&] { index_put_data(slices.target, slices.places, tensor, ScatterMode::assign, "index_fill_"); },
      [&] { return index_fill(input, dim, index, tensor); });
}

PHLOX_OPERATION(Tensor, scatter_,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Operand& src,
                 const OptionalString& reduce = {}),
                .doc = "scatter() in place.", .family = Family::in_place,
                .example = "px.zeros(3).scatter_(0, px.tensor([2, 0]), px.tensor([1.0, 2.0]))") {
  const int d = checked_dim(input, dim, "scatter_");
  const Tensor values = src.is_tensor() ? src.tensor() : broadcast_to(as_tensor(src, input), index.shape());
  require_dtype_of(input, values, "src", "scatter_");
  const ScatterMode mode = reduce ? parse_reduction(*reduce, "scatter_") : ScatterMode::assign;
  return write_in_place(
      input, values, "scatter_", [&] { scatter_data(input, d, index, values, mode, "scatter_"); },
      [&] { return scatter(input, dim, index, values, reduce); });
}

PHLOX_OPERATION(Tensor, scatter_add_,
                (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& src),
                .doc = "scatter_add() in place.", .family = Family::in_place,
                .example = "px.zeros(3).scatter_add_(0, px.tensor([2, 2]), px.tensor([1.0, 2.0]))") {
  const int d = checked_dim(input, dim, "scatter_add_");
  require_dtype_of(input, src, "src", "scatter_add_");
  return write_in_place(
      input, src, "scatter_add_",
      [&] { scatter_data(input, d, index, src, ScatterMode::add, "scatter_add_"); },
      [&] { return scatter_add(input, dim, index, src); });
}

PHLOX_OPERATION(
    Tensor, index_put_,
    (const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate = false),
    .doc = "index_put() in place.", .family = Family::in_place,
    .example =
        "px.zeros(3).index_put_((px.tensor([0, 0, 2]),), px.tensor([1.0, 2.0, 3.0]), accumulate=True)") {
  return assign_in_place(input, index_put(input, indices, values, accumulate), "index_put_");
}

PHLOX_OPERATION(Tensor, masked_fill_, (const Tensor& input, const Tensor& mask, const Operand& value),
                .doc = "masked_fill() in place.", .family = Family::in_place,
                .example = "px.ones(3).masked_fill_(px.tensor([True, False, True]), 0)") {
  return assign_in_place(input, masked_fill(input, mask, value), "masked_fill_");
}

PHLOX_OPERATION(
    Tensor, masked_scatter_, (const Tensor& input, const Tensor& mask, const Tensor& source),
    .doc = "masked_scatter() in place.", .family = Family::in_place,
    .example = "px.zeros(4).masked_scatter_(px.tensor([True, False, True, False]), px.tensor([1.0, 2.0]))",
    .reads_values = true) {
  return assign_in_place(input, masked_scatter(input, mask, source), "masked_scatter_");
}

}  // namespace phlox
