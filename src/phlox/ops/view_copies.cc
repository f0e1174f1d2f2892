// Views as tensors of their own: what PyTorch calls `*_copy`, for code that must not share memory.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

TensorList clones(TensorList tensors) {
  for (Tensor& tensor : tensors) tensor = clone(tensor);
  return tensors;
}

}  // namespace

PHLOX_OPERATION(Tensor, alias_copy, (const Tensor& input), .doc = "The tensor in memory of its own.",
                .family = Family::view, .alias = "detach_copy", .method = false,
                .samples = "alias_copy(A(2, 3))", .reference = "input", .complex = true) {
  return clone(input);
}

PHLOX_OPERATION(Tensor, view_copy, (const Tensor& input, const Shape& size),
                .doc = "view() in memory of its own; the strides have to allow the view.",
                .family = Family::view, .method = false, .samples = "view_copy(A(), (1, 1))",
                .reference = "input.reshape(size)", .complex = true) {
  return clone(view(input, size));
}

PHLOX_OPERATION(Tensor, expand_copy, (const Tensor& input, const Shape& size),
                .doc = "expand() in memory of its own.", .family = Family::view, .method = false,
                .samples = "expand_copy(A(3, 1), (2, 3, 4)); expand_copy(A(3, 1), (-1, 4))",
                .reference =
                    "np.broadcast_to(input, tuple(s if s >= 0 else input.shape[i - len(size)] for i, s in "
                    "enumerate(size)))",
                .complex = true) {
  return clone(expand(input, size));
}

PHLOX_OPERATION(Tensor, permute_copy, (const Tensor& input, const DimList& dims),
                .doc = "permute() in memory of its own.", .family = Family::view, .method = false,
                .samples = "permute_copy(A(2, 3, 4), (2, 0, 1))", .reference = "np.transpose(input, dims)",
                .complex = true) {
  return clone(permute(input, dims));
}

PHLOX_OPERATION(Tensor, transpose_copy, (const Tensor& input, std::int64_t dim0, std::int64_t dim1),
                .doc = "transpose() in memory of its own.", .family = Family::view, .method = false,
                .samples = "transpose_copy(A(2, 3, 4), 0, -1)", .reference = "np.swapaxes(input, dim0, dim1)",
                .complex = true) {
  return clone(transpose(input, dim0, dim1));
}

PHLOX_OPERATION(Tensor, t_copy, (const Tensor& input), .doc = "t() in memory of its own.",
                .family = Family::view, .method = false, .samples = "t_copy(A(2, 3))", .reference = "input.T",
                .complex = true) {
  return clone(t(input));
}

PHLOX_OPERATION(Tensor, squeeze_copy, (const Tensor& input, const OptionalDims& dim = {}),
                .doc = "squeeze() in memory of its own.", .family = Family::view, .method = false,
                .samples = "squeeze_copy(A(1, 3, 1)); squeeze_copy(A(1, 3, 1), (0, 2))",
                .reference = "np.squeeze(input, dim)", .complex = true) {
  return clone(squeeze(input, dim));
}

PHLOX_OPERATION(Tensor, unsqueeze_copy, (const Tensor& input, std::int64_t dim),
                .doc = "unsqueeze() in memory of its own.", .family = Family::view, .method = false,
                .samples = "unsqueeze_copy(A(2, 3), -1)", .reference = "np.expand_dims(input, dim)",
                .complex = true) {
  return clone(unsqueeze(input, dim));
}

PHLOX_OPERATION(Tensor, narrow_copy,
                (const Tensor& input, std::int64_t dim, std::int64_t start, std::int64_t length),
                .doc = "narrow() in memory of its own.", .family = Family::view,
                .samples = "narrow_copy(A(5, 3), 0, 1, 3)", .reference = "input[start:start + length]",
                .complex = true) {
  return clone(narrow(input, dim, start, length));
}

PHLOX_OPERATION(Tensor, select_copy, (const Tensor& input, std::int64_t dim, std::int64_t index),
                .doc = "select() in memory of its own.", .family = Family::view, .method = false,
                .samples = "select_copy(A(5, 3), 1, -1)", .reference = "np.take(input, index, axis=dim)",
                .complex = true) {
  return clone(select(input, dim, index));
}

PHLOX_OPERATION(Tensor, slice_copy,
                (const Tensor& input, std::int64_t dim = 0, OptionalInt start = {}, OptionalInt end = {},
                 std::int64_t step = 1),
                .doc = "slice() in memory of its own.", .family = Family::view, .method = false,
                .samples = "slice_copy(A(5, 3), 0, 1, 4)", .reference = "input[start:end:step]",
                .complex = true) {
  return clone(slice(input, dim, start, end, step));
}

PHLOX_OPERATION(Tensor, unfold_copy,
                (const Tensor& input, std::int64_t dimension, std::int64_t size, std::int64_t step),
                .doc = "unfold() in memory of its own.", .family = Family::view, .method = false,
                .samples = "unfold_copy(A(8), 0, 2, 1)",
                .reference = "np.lib.stride_tricks.sliding_window_view(input, size)", .complex = true) {
  return clone(unfold(input, dimension, size, step));
}

PHLOX_OPERATION(Tensor, diagonal_copy,
                (const Tensor& input, std::int64_t offset = 0, std::int64_t dim1 = 0, std::int64_t dim2 = 1),
                .doc = "diagonal() in memory of its own.", .family = Family::view, .method = false,
                .samples = "diagonal_copy(A(3, 4)); diagonal_copy(A(2, 3, 4), 1, 0, 2)",
                .reference = "np.diagonal(input, offset, dim1, dim2)", .complex = true) {
  return clone(diagonal(input, offset, dim1, dim2));
}

PHLOX_OPERATION(Tensor, as_strided_copy,
                (const Tensor& input, const Shape& size, const Shape& stride,
                 OptionalInt storage_offset = {}),
                .doc = "as_strided() in memory of its own.", .family = Family::view, .method = false,
                .samples = "", .example = "as_strided_copy(px.arange(6), (2, 3), (1, 2))", .complex = true) {
  return clone(as_strided(input, size, stride, storage_offset));
}

PHLOX_OPERATION(TensorList, unbind_copy, (const Tensor& input, std::int64_t dim = 0),
                .doc = "unbind() in memory of its own.", .family = Family::view, .method = false,
                .samples = "unbind_copy(A(3, 2), 1)", .reference = "list(np.moveaxis(input, dim, 0))",
                .complex = true) {
  return clones(unbind(input, dim));
}

PHLOX_OPERATION(TensorList, split_with_sizes,
                (const Tensor& input, const Integers& split_sizes, std::int64_t dim = 0),
                .doc = "Parts of the given sizes along a dimension, as views; the sizes add up to its size.",
                .family = Family::view, .alias = "unsafe_split_with_sizes",
                .samples = "split_with_sizes(A(5, 3), (1, 4)); split_with_sizes(A(2, 6), (3, 0, 3), 1)",
                .reference = "np.split(input, np.cumsum(split_sizes)[:-1], axis=dim)", .complex = true) {
  const std::int64_t size = input.rank() ? input.size(dim) : 1;
  // A single size is no step here, as it is in split().
  if (split_sizes.size() == 1 && split_sizes[0] != size)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "split_with_sizes: the parts have {} elements, dimension {} has {}", split_sizes[0], dim,
                     size)
        .detail("input", describe(input))
        .raise();
  return split(input, split_sizes, dim);
}

PHLOX_OPERATION(TensorList, split_with_sizes_copy,
                (const Tensor& input, const Integers& split_sizes, std::int64_t dim = 0),
                .doc = "split_with_sizes() in memory of its own.", .family = Family::view, .method = false,
                .samples = "split_with_sizes_copy(A(5, 3), (1, 4))",
                .reference = "np.split(input, np.cumsum(split_sizes)[:-1], axis=dim)", .complex = true) {
  return clones(split_with_sizes(input, split_sizes, dim));
}

}  // namespace phlox
