// A tensor with one of its views replaced, as a new tensor.
#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

// `src`, of the shape of the view, where the view is; the input elsewhere.
Tensor replace_view(const Tensor& input, const Tensor& src, const Tensor& view, const ViewAttributes& v,
                    const char* operation) {
  if (src.shape() != view.shape())
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: src has the shape [{}], its place [{}]", operation,
                     to_string(src.shape()), to_string(view.shape()))
        .detail("input", describe(input))
        .detail("src", describe(src))
        .raise();
  if (src.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: src is {}, the input {}", operation, info(src.dtype()).name,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .detail("src", describe(src))
        .hint("src.to(input.dtype)")
        .raise();
  const Tensor place = apply_view_gradient(ones(src.shape(), DType::bool_, input.device()), input.shape(), v);
  return where(place, apply_view_gradient(src, input.shape(), v), input);
}

}  // namespace

PHLOX_OPERATION(Tensor, select_scatter,
                (const Tensor& input, const Tensor& src, std::int64_t dim, std::int64_t index),
                .doc = "With `src` at one position of a dimension, where select() would look.",
                .family = Family::index,
                .samples = "select_scatter(A(3, 4), A(4), 0, 1); select_scatter(A(3, 4), A(3), 1, -1)",
                .reference =
                    "np.where(np.arange(input.shape[dim]).reshape([-1 if d == dim else 1 for d in "
                    "range(input.ndim)]) == index % input.shape[dim], np.expand_dims(src, dim), input)") {
  const Tensor view = select(input.detach(), dim, index);
  const int d = normalize_dim(dim, input.rank(), "select_scatter");
  const std::int64_t position = index < 0 ? index + input.size(d) : index;
  return replace_view(input, src, view, {ViewKind::select, {d, position}}, "select_scatter");
}

PHLOX_OPERATION(
    Tensor, slice_scatter,
    (const Tensor& input, const Tensor& src, std::int64_t dim = 0, OptionalInt start = {},
     OptionalInt end = {}, std::int64_t step = 1),
    .doc = "With `src` at the positions start, start + step, ... before `end` of a dimension.",
    .family = Family::index,
    .samples = "slice_scatter(A(5, 3), A(2, 3), 0, 1, 3); slice_scatter(A(3, 6), A(3, 2), 1, None, -1, 3)") {
  const Tensor view = slice(input.detach(), dim, start, end, step);
  const auto d = static_cast<std::size_t>(normalize_dim(dim, input.rank(), "slice_scatter"));
  const auto rank = static_cast<std::size_t>(input.rank());
  ViewAttributes v{ViewKind::slice, view.shape(), IntList(rank, 0), IntList(rank, 1)};
  const std::int64_t size = input.size(dim), first = start.value_or(step > 0 ? 0 : size - 1);
  v.b[d] = std::clamp<std::int64_t>(first < 0 ? first + size : first, 0, std::max<std::int64_t>(size - 1, 0));
  v.c[d] = step;
  return replace_view(input, src, view, v, "slice_scatter");
}

PHLOX_OPERATION(Tensor, diagonal_scatter,
                (const Tensor& input, const Tensor& src, std::int64_t offset = 0, std::int64_t dim1 = 0,
                 std::int64_t dim2 = 1),
                .doc = "With `src` on a diagonal, where diagonal() would look.", .family = Family::index,
                .samples =
                    "diagonal_scatter(A(3, 4), A(3)); diagonal_scatter(A(3, 4), A(2), -1); "
                    "diagonal_scatter(A(2, 3, 3), A(2, 3), 0, 1, 2)") {
  const Tensor view = diagonal(input.detach(), offset, dim1, dim2);
  const int first = normalize_dim(dim1, input.rank(), "diagonal_scatter"),
            second = normalize_dim(dim2, input.rank(), "diagonal_scatter");
  return replace_view(input, src, view, {ViewKind::diagonal, {offset, first, second}}, "diagonal_scatter");
}

PHLOX_OPERATION(
    Tensor, index_reduce,
    (const Tensor& input, std::int64_t dim, const Tensor& index, const Tensor& source,
     const std::string& reduce, bool include_self = true),
    .doc =
        "Combines slice i of `source` into slice index[i] of a dimension by \"prod\", \"mean\", \"amax\" or "
        "\"amin\". Without include_self what was there does not count.",
    .family = Family::index,
    .samples =
        "index_reduce(P(4, 3), 0, I(4, 6), P(6, 3), 'prod'); index_reduce(A(3, 4), 1, I(4, 5), A(3, 5), "
        "'amax'); index_reduce(A(4), 0, I(4, 6), A(6), 'mean', False)",
    .integers = false, .in_place = true) {
  if (index.rank() > 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "index_reduce: the index must be a vector")
        .detail("index", describe(index))
        .raise();
  const int d = normalize_dim(dim, source.rank(), "index_reduce");
  Shape shape(static_cast<std::size_t>(source.rank()), 1);
  if (source.rank() > 0) shape[static_cast<std::size_t>(d)] = -1;
  const Tensor places = expand(reshape(index, shape), source.shape());
  return scatter_reduce(input, dim, places, source, reduce, include_self);
}

}  // namespace phlox
