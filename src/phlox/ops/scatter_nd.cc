// Reading and writing by tuples of positions, blocks at computed places, and positions in row-major order.
#include <algorithm>

#include "phlox/ops/checked_positions.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

// The last dimension of `indices` holds one position for each dimension from `first` on.
IndexPlaces places_of(const Tensor& indices, int first, int rank, const char* operation) {
  if (!is_integer(indices.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: indices are integers, not {}", operation,
                     info(indices.dtype()).name)
        .detail("indices", describe(indices))
        .raise();
  if (indices.rank() == 0 || first + indices.size(-1) > rank)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "{}: the last dimension of indices holds up to {} positions, one for each dimension",
                     operation, rank - first)
        .detail("indices", describe(indices))
        .raise();
  IndexPlaces places;
  for (std::int64_t k = 0; k < indices.size(-1); ++k) {
    places.dims.push_back(first + k);
    places.tensors.push_back(select(indices, -1, k));
  }
  return places;
}

void require_shape(const Tensor& tensor, const Shape& shape, const char* name, const char* operation) {
  if (tensor.shape() == shape) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: {} have the shape [{}], not [{}]", operation, name,
                   to_string(shape), to_string(tensor.shape()))
      .detail(name, describe(tensor))
      .raise();
}

// indices.shape[:-1] + input.shape[positions:]
Shape shape_of_places(const Tensor& input, const Tensor& indices) {
  Shape shape = indices.shape();
  const auto positions = shape.back();
  shape.erase(shape.size() - 1);
  for (auto d = static_cast<int>(positions); d < input.rank(); ++d) shape.push_back(input.size(d));
  return shape;
}

Tensor update_nd(const Tensor& input, const Tensor& indices, const Tensor& updates, ScatterMode mode,
                 const char* operation) {
  const IndexPlaces places = places_of(indices, 0, input.rank(), operation);
  require_shape(updates, shape_of_places(input, indices), "updates", operation);
  if (updates.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: updates are {}, the tensor {}", operation,
                     info(updates.dtype()).name, info(input.dtype()).name)
        .detail("updates", describe(updates))
        .hint("updates.to(input.dtype)")
        .raise();
  if (!places.tensors.empty()) return apply_index_put(input, places, updates, mode, operation);
  // No position at all: each update is for the whole tensor.
  const Tensor all = reshape(updates, [&] {
    Shape shape = input.shape();
    shape.insert(0, -1);
    return shape;
  }());
  if (mode == ScatterMode::add) return add(input, sum(all, 0));
  return all.size(0) > 0 ? select(all, 0, -1) : input;
}

// Positions start, start + 1, ... along each dimension, for a block of this shape that is moved to lie inside.
TensorList block_places(const Tensor& input, const Tensor& start_indices, const Shape& sizes,
                        const char* operation) {
  if (start_indices.shape() != Shape{input.rank()} || !is_integer(start_indices.dtype()))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: start_indices are {} integers, one for each dimension",
                     operation, input.rank())
        .detail("input", describe(input))
        .detail("start_indices", describe(start_indices))
        .raise();
  bool fits = sizes.rank() == input.rank();
  for (int d = 0; d < input.rank() && fits; ++d)
    fits = sizes[static_cast<std::size_t>(d)] >= 0 && sizes[static_cast<std::size_t>(d)] <= input.size(d);
  if (!fits)
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: a block of [{}] does not fit into [{}]", operation,
                     to_string(sizes), to_string(input.shape()))
        .detail("input", describe(input))
        .raise();
  TensorList places;
  const Tensor starts = start_indices.detach().to(DType::int64);
  for (int d = 0; d < input.rank(); ++d) {
    const std::int64_t size = sizes[static_cast<std::size_t>(d)];
    const Tensor start = clamp(select(starts, 0, d), 0, input.size(d) - size);
    places.push_back(add(arange(size, {}, 1, DType::int64, input.device()), start));
  }
  return places;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, gather_nd, (const Tensor& input, const Tensor& indices, std::int64_t batch_dims = 0),
    .doc =
        "Elements or slices at tuples of positions: the last dimension of `indices` holds a position for each "
        "of the first dimensions; result[i, j] = input[tuple(indices[i, j])]. The first `batch_dims` "
        "dimensions of both go together. Negative positions count from the end; others outside raise "
        "IndexError.",
    .family = Family::index, .method = false,
    .samples =
        "gather_nd(A(4, 4, 3), I(4, 5, 2)); gather_nd(A(4, 3), I(4, 2, 2, 1)); gather_nd(A(2, 3, 4), I(3, 2, 5, "
        "1), 1)",
    .reference =
        "input[tuple(np.moveaxis(indices, -1, 0))] if batch_dims == 0 else np.stack([x[tuple(np.moveaxis(i, -1, "
        "0))] for x, i in zip(input, indices)])",
    .complex = true) {
  const std::int64_t most = std::min(input.rank(), indices.rank() - 1);
  bool fits = batch_dims >= 0 && batch_dims <= most;
  for (int d = 0; d < batch_dims && fits; ++d) fits = input.size(d) == indices.size(d);
  if (!fits)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "gather_nd: the first {} dimensions of input and indices are equal", batch_dims)
        .detail("input", describe(input))
        .detail("indices", describe(indices))
        .raise();
  IndexPlaces places = places_of(indices, static_cast<int>(batch_dims), input.rank(), "gather_nd");
  if (places.tensors.empty() && batch_dims == 0) return expand(input, shape_of_places(input, indices));
  // Where the batch goes together, its positions are places too: 0, 1, ... along their own dimension.
  for (int d = static_cast<int>(batch_dims); d-- > 0;) {
    Shape shape(static_cast<std::size_t>(indices.rank() - 1), 1);
    shape[static_cast<std::size_t>(d)] = input.size(d);
    places.dims.insert(0, d);
    places.tensors.insert(places.tensors.begin(),
                          reshape(arange(input.size(d), {}, 1, DType::int64, input.device()), shape));
  }
  Shape wanted = indices.shape();
  wanted.erase(wanted.size() - 1);
  places.tensors[0] = broadcast_to(places.tensors[0], wanted);
  return apply_index(input, places, "gather_nd");
}

PHLOX_OPERATION(
    Tensor, scatter_nd, (const Tensor& indices, const Tensor& updates, const Shape& shape),
    .doc =
        "Zeros of a shape with `updates` added at tuples of positions, the last dimension of `indices`; "
        "updates for one place add up. The gradient of gather_nd().",
    .family = Family::index, .method = false,
    .samples = "scatter_nd(I(4, 5, 2), A(5, 3), (4, 4, 3)); scatter_nd(I(6, 4, 1), A(4), (6,))",
    .complex = true) {
  return update_nd(zeros(shape, updates.dtype(), updates.device()), indices, updates, ScatterMode::add,
                   "scatter_nd");
}

PHLOX_OPERATION(
    Tensor, tensor_scatter_nd_update, (const Tensor& input, const Tensor& indices, const Tensor& updates),
    .doc =
        "With `updates` at tuples of positions, the last dimension of `indices`; the last of equal places "
        "counts.",
    .family = Family::index, .method = false,
    .samples =
        "tensor_scatter_nd_update(A(4, 4, 3), I(4, 1, 2), A(1, 3)); tensor_scatter_nd_update(A(6), "
        "unsqueeze(arange(3), 1), A(3))",
    .complex = true) {
  return update_nd(input, indices, updates, ScatterMode::assign, "tensor_scatter_nd_update");
}

PHLOX_OPERATION(Tensor, tensor_scatter_nd_add,
                (const Tensor& input, const Tensor& indices, const Tensor& updates),
                .doc = "With `updates` added at tuples of positions, the last dimension of `indices`.",
                .family = Family::index, .method = false,
                .samples = "tensor_scatter_nd_add(A(4, 4, 3), I(4, 5, 2), A(5, 3))", .complex = true) {
  return update_nd(input, indices, updates, ScatterMode::add, "tensor_scatter_nd_add");
}

PHLOX_OPERATION(
    Tensor, dynamic_slice, (const Tensor& input, const Tensor& start_indices, const Shape& slice_sizes),
    .doc =
        "The block of the given sizes that begins at positions which are computed, one for each dimension. A "
        "block that would reach over an end is moved to lie inside.",
    .family = Family::index, .method = false,
    .samples = "dynamic_slice(A(5, 4), I(3, 2), (2, 3)); dynamic_slice(A(4), I(9, 1), (2,))",
    .reference =
        "input[tuple(slice(min(int(s), n - k), min(int(s), n - k) + k) for s, n, k in zip(start_indices, "
        "input.shape, slice_sizes))]",
    .complex = true) {
  const TensorList places = block_places(input, start_indices, slice_sizes, "dynamic_slice");
  Tensor result = input;
  for (int d = 0; d < input.rank(); ++d)
    result = index_select(result, d, places[static_cast<std::size_t>(d)]);
  return result;
}

PHLOX_OPERATION(
    Tensor, slice_update, (const Tensor& input, const Tensor& start_indices, const Tensor& updates),
    .doc =
        "With the block `updates` at positions which are computed, one for each dimension. A block that would "
        "reach over an end is moved to lie inside.",
    .family = Family::index, .alias = "dynamic_update_slice", .method = false,
    .samples = "slice_update(A(5, 4), I(3, 2), A(2, 3)); slice_update(A(4), I(9, 1), A(2))",
    .complex = true) {
  if (updates.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "slice_update: updates are {}, the tensor {}",
                     info(updates.dtype()).name, info(input.dtype()).name)
        .detail("updates", describe(updates))
        .hint("updates.to(input.dtype)")
        .raise();
  TensorList tensors = block_places(input, start_indices, updates.shape(), "slice_update");
  if (input.rank() == 0) return updates;
  IndexPlaces places;
  for (int d = 0; d < input.rank(); ++d) {
    Shape shape(static_cast<std::size_t>(input.rank()), 1);
    shape[static_cast<std::size_t>(d)] = updates.size(d);
    places.dims.push_back(d);
    places.tensors.push_back(reshape(tensors[static_cast<std::size_t>(d)], shape));
  }
  return apply_index_put(input, places, updates, ScatterMode::assign, "slice_update");
}

PHLOX_OPERATION(
    Tensor, as_strided_scatter,
    (const Tensor& input, const Tensor& src, const Shape& size, const Shape& stride,
     OptionalInt storage_offset = {}),
    .doc =
        "With `src` at the elements that as_strided() would look at, counted in the memory of a row-major "
        "tensor of this shape; where two of them share a place, one counts.",
    .family = Family::index,
    .samples =
        "as_strided_scatter(A(3, 4), A(2, 2), (2, 2), (5, 1), 1); as_strided_scatter(A(6), A(3), (3,), (2,))") {
  require_shape(src, size, "src", "as_strided_scatter");
  if (src.dtype() != input.dtype())
    fail<DTypeError>(ErrorCode::wrong_dtype, "as_strided_scatter: src is {}, the input {}",
                     info(src.dtype()).name, info(input.dtype()).name)
        .detail("src", describe(src))
        .hint("src.to(input.dtype)")
        .raise();
  // Positions in the flattened tensor, seen through the same strides; these check sizes and strides as well.
  const std::int64_t count = input.numel();
  const Tensor all = arange(count, {}, 1, DType::int64, input.device());
  const Tensor places = clone(as_strided(all, size, stride, storage_offset.value_or(0)));
  return reshape(apply_index_put(reshape(input, {count}), {{0}, 0, {reshape(places, {-1})}},
                                 reshape(src, {-1}), ScatterMode::assign, "as_strided_scatter"),
                 input.shape());
}

PHLOX_OPERATION(
    Tensor, ravel_multi_index,
    (const TensorList& multi_index, const Shape& dims, const std::string& mode = "raise"),
    .doc =
        "Positions in row-major order from the positions along each dimension of `dims`: the inverse of "
        "unravel_index(). Positions outside raise IndexError; mode=\"wrap\" counts on from the other end, "
        "\"clip\" takes the nearest that there is.",
    .family = Family::index, .method = false,
    .samples =
        "ravel_multi_index([I(2, 5), I(3, 5)], (2, 3)); ravel_multi_index([I(9, 4), I(9, 4)], (2, 3), 'wrap'); "
        "ravel_multi_index([I(9, 4), I(9, 4)], (2, 3), 'clip')",
    .reference = "np.ravel_multi_index(tuple(multi_index), dims, mode)", .differentiable = false) {
  if (static_cast<int>(multi_index.size()) != dims.rank() || dims.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "ravel_multi_index: {} tensors of positions for {} dimensions",
                     multi_index.size(), dims.rank())
        .raise();
  if (mode != "raise" && mode != "wrap" && mode != "clip")
    fail<ValueError>(ErrorCode::unknown_name, "ravel_multi_index: mode is '{}'", mode)
        .hint("\"raise\", \"wrap\" or \"clip\"")
        .raise();
  element_count(dims);  // throws where positions do not fit into int64
  Tensor result;
  for (std::size_t d = 0; d < multi_index.size(); ++d) {
    Tensor places = multi_index[d];
    if (mode == "raise" || dims[d] == 0) {
      places = checked_positions(places, 0, dims[d], "multi_index", "ravel_multi_index");
    } else {
      places = places.detach().to(DType::int64);
      places = mode == "wrap" ? remainder(places, dims[d]) : clamp(places, 0, dims[d] - 1);
    }
    result = result.defined() ? add(mul(result, dims[d]), places) : places;
  }
  return result;
}

PHLOX_OPERATION(
    Tensor, boolean_mask, (const Tensor& input, const Tensor& mask, std::int64_t axis = 0),
    .doc =
        "The slices where `mask` is true, one after the other; the mask stands for the dimensions from `axis` "
        "on, as many as it has.",
    .family = Family::index, .method = false,
    .samples =
        "boolean_mask(A(4, 3), B(4)); boolean_mask(A(4, 3), B(4, 3)); boolean_mask(A(2, 3, 4), B(3), 1)",
    .reference = "input[(slice(None),) * axis + (mask,)]", .complex = true, .reads_values = true) {
  if (mask.dtype() != DType::bool_ || mask.rank() == 0)
    fail<DTypeError>(ErrorCode::wrong_dtype, "boolean_mask: the mask is bool with one dimension or more")
        .detail("mask", describe(mask))
        .hint("<mask>.to(px.bool)")
        .raise();
  const int first = normalize_dim(axis, input.rank(), "boolean_mask");
  std::vector<Index> indices(static_cast<std::size_t>(first), Slice{});
  indices.emplace_back(mask);
  return index(input, indices);
}

PHLOX_OPERATION(
    TensorList, dynamic_partition,
    (const Tensor& input, const Tensor& partitions, std::int64_t num_partitions),
    .doc =
        "Shares the slices out among `num_partitions` tensors, by a number for each; `partitions` has the "
        "leading dimensions of the input. Raises IndexError for a number that is no partition.",
    .family = Family::index, .method = false, .samples = "dynamic_partition(A(6, 2), I(3, 6), 3)",
    .reference = "[input[partitions == k] for k in range(num_partitions)]", .complex = true,
    .reads_values = true) {
  if (num_partitions < 1)
    fail<ValueError>(ErrorCode::invalid_value, "dynamic_partition: {} partitions", num_partitions).raise();
  const Tensor numbers = checked_positions(partitions, 0, num_partitions, "partitions", "dynamic_partition");
  TensorList parts;
  for (std::int64_t k = 0; k < num_partitions; ++k) {
    // A mask of no dimensions is a new dimension in front.
    parts.push_back(index(input, {eq(numbers, k)}));
  }
  return parts;
}

PHLOX_OPERATION(
    Tensor, dynamic_stitch, (const TensorList& indices, const TensorList& data),
    .doc =
        "Puts slices together: slice i of data[k] goes to position indices[k][i]; the last of equal positions "
        "counts, positions that do not occur hold 0.",
    .family = Family::index, .method = false,
    .samples = "dynamic_stitch([arange(0, 6, 2), arange(1, 5, 2)], [A(3, 2), A(2, 2)])", .complex = true,
    .reads_values = true) {
  if (indices.empty() || indices.size() != data.size())
    fail<ValueError>(ErrorCode::invalid_value, "dynamic_stitch: {} tensors of positions and {} of data",
                     indices.size(), data.size())
        .raise();
  TensorList rows, places;
  std::int64_t size = 0;
  for (std::size_t k = 0; k < data.size(); ++k) {
    const Shape all = data[k].shape(), lead = indices[k].shape();
    if (lead.rank() > all.rank() || !std::equal(lead.begin(), lead.end(), all.begin()))
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "dynamic_stitch: indices {} do not have the leading dimensions of their data", k)
          .detail("indices", describe(indices[k]))
          .detail("data", describe(data[k]))
          .raise();
    Shape shape{element_count(lead)};
    for (int d = lead.rank(); d < all.rank(); ++d) shape.push_back(data[k].size(d));
    rows.push_back(reshape(data[k], shape));
    places.push_back(reshape(checked_positions(indices[k], 0, std::numeric_limits<std::int64_t>::max(),
                                               "indices", "dynamic_stitch"),
                             {-1}));
    if (places[k].numel() > 0) size = std::max(size, amax(places[k]).item<std::int64_t>() + 1);
  }
  const Tensor values = cat(rows, 0);
  Shape shape = values.shape();
  shape[0] = size;
  return apply_index_put(zeros(shape, values.dtype(), values.device()), {{0}, 0, {cat(places, 0)}}, values,
                         ScatterMode::assign, "dynamic_stitch");
}

}  // namespace phlox
