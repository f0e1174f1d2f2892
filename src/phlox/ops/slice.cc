// Parts of tensors: positions, ranges, diagonals, windows, and the operations that turn or cut along
// dimensions.
#include <algorithm>
#include <cstdlib>
#include <limits>

#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

std::int64_t checked_position(std::int64_t index, std::int64_t size, int dim, const char* operation) {
  if (index < -size || index >= size)
    fail<IndexError>(ErrorCode::index_out_of_range,
                     "{}: index {} is out of range for dimension {} of size {}", operation, index, dim, size)
        .hint(size ? fmt::format("allowed are {} to {}", -size, size - 1) : "the dimension is empty")
        .raise();
  return index < 0 ? index + size : index;
}

void require_rank(const Tensor& input, int least, const char* operation) {
  if (input.rank() >= least) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: needs {} dimension{} or more, not {}", operation, least,
                   least == 1 ? "" : "s", input.rank())
      .detail("input", describe(input))
      .raise();
}

// True where column <= row + shift, for the last two dimensions, which lie in memory as those of the input.
Tensor lower_mask(const Tensor& input, std::int64_t shift, const char* operation) {
  require_rank(input, 2, operation);
  const std::int64_t height = input.size(-2), width = input.size(-1);
  shift = std::clamp(shift, -height, width);
  const bool is_small = std::max(height, width) <= std::numeric_limits<std::int32_t>::max() / 4;
  const DType dtype = is_small ? DType::int32 : DType::int64;
  const Tensor rows = arange(shift, height + shift, 1, dtype, input.device());
  const Tensor columns = arange(width, {}, 1, dtype, input.device());
  const Strides strides = input.strides();
  const auto lies_across = [&](int rank) {
    return std::abs(strides[rank - 2]) < std::abs(strides[rank - 1]);
  };
  if (lies_across(input.rank())) return transpose(le(unsqueeze(columns, -1), rows), -2, -1);
  return le(columns, unsqueeze(rows, -1));
}

// As many parts of equal size as asked for.
TensorList equal_parts(const Tensor& input, std::int64_t sections, std::int64_t dim, const char* operation) {
  const std::int64_t size = input.size(dim);
  if (sections <= 0 || size % sections != 0)
    fail<ValueError>(ErrorCode::invalid_value,
                     "{}: dimension {} of size {} does not fall into {} equal parts", operation, dim, size,
                     sections)
        .detail("input", describe(input))
        .hint("tensor_split() makes parts that differ by one")
        .raise();
  return tensor_split_sections(input, sections, dim);
}

// A zero that promotes no dtype.
Scalar zero_for(const Tensor& input) { return input.dtype() == DType::bool_ ? Scalar(false) : Scalar(0); }

}  // namespace

PHLOX_OPERATION(Tensor, select, (const Tensor& input, std::int64_t dim, std::int64_t index),
                .doc = "The slice at one position of a dimension, which disappears.", .family = Family::view,
                .samples = "select(A(3, 4), 0, 1); select(A(3, 4), -1, -2)",
                .reference = "np.take(input, index, axis=dim)") {
  require_rank(input, 1, "select");
  const int d = normalize_dim(dim, input.rank(), "select");
  const std::int64_t position = checked_position(index, input.impl()->sizes[d], d, "select");
  return select_dim(input, d, position);
}

PHLOX_OPERATION(
    Tensor, narrow, (const Tensor& input, std::int64_t dim, std::int64_t start, std::int64_t length),
    .doc = "`length` positions of a dimension from `start` on, as a view.", .family = Family::view,
    .samples = "narrow(A(5, 3), 0, 1, 3); narrow(A(3, 5), -1, -2, 2)",
    .reference =
        "np.take(input, np.arange(start % input.shape[dim], start % input.shape[dim] + length), axis=dim)") {
  require_rank(input, 1, "narrow");
  const int d = normalize_dim(dim, input.rank(), "narrow");
  const std::int64_t size = input.impl()->sizes[d];
  const std::int64_t first = start < 0 ? start + size : start;
  if (first < 0 || length < 0 || length > size - first)
    fail<IndexError>(ErrorCode::index_out_of_range,
                     "narrow: {} elements from {} on leave dimension {} of size {}", length, start, d, size)
        .detail("input", describe(input))
        .raise();
  return slice_dim(input, d, first, length);
}

PHLOX_OPERATION(
    Tensor, slice,
    (const Tensor& input, std::int64_t dim = 0, OptionalInt start = {}, OptionalInt end = {},
     std::int64_t step = 1),
    .doc =
        "Positions start, start + step, ... before `end` of a dimension, as Python slices them; the step "
        "may be negative.",
    .family = Family::view, .method = false,
    .samples = "slice(A(5, 3), 0, 1, 4); slice(A(7), 0, None, None, -2); slice(A(3, 4), 1, -3)",
    .reference = "np.moveaxis(np.moveaxis(input, dim, 0)[start:end:step], 0, dim)") {
  require_rank(input, 1, "slice");
  const int d = normalize_dim(dim, input.rank(), "slice");
  if (step == 0)
    fail<ValueError>(ErrorCode::invalid_value, "slice: the step of dimension {} is 0", d).raise();
  const std::int64_t size = input.impl()->sizes[d];
  const auto bound = [&](std::int64_t position, std::int64_t low, std::int64_t high) {
    return std::clamp(position < 0 ? position + size : position, low, high);
  };
  std::int64_t first, count;
  if (step > 0) {
    first = bound(start.value_or(0), 0, size);
    const std::int64_t last = bound(end.value_or(size), 0, size);
    count = last <= first ? 0 : step == 1 ? last - first : (last - first - 1) / step + 1;
  } else {
    first = start ? bound(*start, -1, size - 1) : size - 1;
    const std::int64_t last = end ? bound(*end, -1, size - 1) : -1;
    count = first > last ? (first - last - 1) / -step + 1 : 0;
  }
  return slice_dim(input, d, first, count, step);
}

PHLOX_OPERATION(TensorList, unbind, (const Tensor& input, std::int64_t dim = 0),
                .doc = "The slices at all positions of a dimension.", .family = Family::view,
                .alias = "unstack", .samples = "unbind(A(3, 4)); unbind(A(3, 2), 1)",
                .reference = "list(np.moveaxis(input, dim, 0))") {
  require_rank(input, 1, "unbind");
  const int d = normalize_dim(dim, input.rank(), "unbind");
  TensorList parts = apply_split(input, d, Integers(static_cast<std::size_t>(input.size(d)), 1));
  for (Tensor& part : parts) part = squeeze(part, DimList(d));
  return parts;
}

PHLOX_OPERATION(
    TensorList, split, (const Tensor& input, const Integers& split_size_or_sections, std::int64_t dim = 0),
    .doc = "Parts along a dimension: of the size given (the last may be smaller), or of each size of a list.",
    .family = Family::view, .alias = "unsafe_split",
    .samples = "split(A(5, 3), 2); split(A(5, 3), (1, 4)); split(A(2, 6), 3, 1)",
    .reference =
        "np.split(input, np.cumsum(split_size_or_sections)[:-1] if np.ndim(split_size_or_sections) else "
        "list(range(split_size_or_sections, input.shape[dim], split_size_or_sections)), axis=dim)") {
  require_rank(input, 1, "split");
  const int d = normalize_dim(dim, input.rank(), "split");
  const std::int64_t size = input.size(d);
  Integers sizes = split_size_or_sections;
  if (sizes.size() == 1 && sizes[0] != size) {
    const std::int64_t step = sizes[0];
    if (step <= 0)
      fail<ValueError>(ErrorCode::invalid_value, "split: the size of the parts is {}", step).raise();
    sizes.clear();
    for (std::int64_t start = 0; start < size || start == 0; start += step)
      sizes.push_back(std::min(step, size - start));
  }
  std::int64_t sum = 0;
  for (std::int64_t part : sizes) {
    if (part < 0) fail<ValueError>(ErrorCode::invalid_value, "split: a part has the size {}", part).raise();
    sum += part;
  }
  if (sum != size)
    fail<ShapeError>(ErrorCode::sizes_differ, "split: the parts have {} elements, dimension {} has {}", sum,
                     d, size)
        .detail("input", describe(input))
        .raise();
  return apply_split(input, d, sizes);
}

PHLOX_OPERATION(TensorList, chunk, (const Tensor& input, std::int64_t chunks, std::int64_t dim = 0),
                .doc = "At most `chunks` parts of equal size; the last may be smaller.",
                .family = Family::view, .alias = "unsafe_chunk",
                .samples = "chunk(A(7, 2), 3); chunk(A(2, 6), 2, 1)",
                .reference =
                    "np.split(input, list(range(-(-input.shape[dim] // chunks), input.shape[dim], "
                    "-(-input.shape[dim] // chunks))), axis=dim)") {
  require_rank(input, 1, "chunk");
  if (chunks <= 0) fail<ValueError>(ErrorCode::invalid_value, "chunk: {} chunks", chunks).raise();
  const std::int64_t size = input.size(dim);
  return split(input, {std::max<std::int64_t>((size + chunks - 1) / chunks, 1)}, dim);
}

PHLOX_OPERATION(
    TensorList, tensor_split,
    (const Tensor& input, const Integers& indices_or_sections, std::int64_t dim = 0),
    .doc =
        "Parts along a dimension, cut before each position of a list; or as many parts as a number says, the first "
        "ones larger by one.",
    .family = Family::view, .alias = "array_split",
    .samples = "tensor_split(A(7), (2, 5)); tensor_split(A(2, 5), (3,), 1)",
    .reference = "np.array_split(input, indices_or_sections, axis=dim)") {
  require_rank(input, 1, "tensor_split");
  const int d = normalize_dim(dim, input.rank(), "tensor_split");
  const std::int64_t size = input.size(d);
  // Positions may lie beyond the end or go back: then parts are empty, as in NumPy.
  TensorList parts;
  std::int64_t first = 0;
  for (std::size_t i = 0; i <= indices_or_sections.size(); ++i) {
    std::int64_t last = i < indices_or_sections.size() ? indices_or_sections[i] : size;
    last = std::clamp<std::int64_t>(last < 0 ? last + size : last, 0, size);
    parts.push_back(slice_dim(input, d, std::min(first, size), std::max<std::int64_t>(last - first, 0)));
    first = last;
  }
  return parts;
}

PHLOX_OPERATION(TensorList, tensor_split_sections,
                (const Tensor& input, std::int64_t sections, std::int64_t dim = 0),
                .doc = "tensor_split() into a number of parts, the first ones larger by one.",
                .family = Family::view, .method = false,
                .samples = "tensor_split_sections(A(7, 2), 3); tensor_split_sections(A(2, 5), 2, 1)",
                .reference = "np.array_split(input, sections, axis=dim)", .overload_of = "tensor_split") {
  require_rank(input, 1, "tensor_split");
  const int d = normalize_dim(dim, input.rank(), "tensor_split");
  if (sections <= 0)
    fail<ValueError>(ErrorCode::invalid_value, "tensor_split: {} sections", sections).raise();
  const std::int64_t size = input.size(d);
  Integers sizes;
  for (std::int64_t i = 0; i < sections; ++i)
    sizes.push_back(size / sections + (i < size % sections ? 1 : 0));
  return apply_split(input, d, sizes);
}

PHLOX_OPERATION(TensorList, hsplit, (const Tensor& input, const Integers& indices_or_sections),
                .doc = "tensor_split() along the second dimension, or along the only one.",
                .family = Family::view, .samples = "hsplit(A(6), (2, 3)); hsplit(A(2, 6), (3,))",
                .reference = "np.hsplit(input, indices_or_sections)") {
  require_rank(input, 1, "hsplit");
  return tensor_split(input, indices_or_sections, input.rank() > 1 ? 1 : 0);
}

PHLOX_OPERATION(TensorList, hsplit_sections, (const Tensor& input, std::int64_t sections),
                .doc = "hsplit() into a number of parts of equal size.", .family = Family::view,
                .method = false, .samples = "hsplit_sections(A(2, 6), 3); hsplit_sections(A(6), 2)",
                .reference = "np.hsplit(input, sections)", .overload_of = "hsplit") {
  require_rank(input, 1, "hsplit");
  return equal_parts(input, sections, input.rank() > 1 ? 1 : 0, "hsplit");
}

PHLOX_OPERATION(TensorList, vsplit, (const Tensor& input, const Integers& indices_or_sections),
                .doc = "tensor_split() along the first of at least two dimensions.", .family = Family::view,
                .samples = "vsplit(A(6, 2), (1, 4))", .reference = "np.vsplit(input, indices_or_sections)") {
  require_rank(input, 2, "vsplit");
  return tensor_split(input, indices_or_sections, 0);
}

PHLOX_OPERATION(TensorList, vsplit_sections, (const Tensor& input, std::int64_t sections),
                .doc = "vsplit() into a number of parts of equal size.", .family = Family::view,
                .method = false, .samples = "vsplit_sections(A(6, 2), 3)",
                .reference = "np.vsplit(input, sections)", .overload_of = "vsplit") {
  require_rank(input, 2, "vsplit");
  return equal_parts(input, sections, 0, "vsplit");
}

PHLOX_OPERATION(TensorList, dsplit, (const Tensor& input, const Integers& indices_or_sections),
                .doc = "tensor_split() along the third of at least three dimensions.", .family = Family::view,
                .samples = "dsplit(A(2, 3, 4), (1, 2))",
                .reference = "np.dsplit(input, indices_or_sections)") {
  require_rank(input, 3, "dsplit");
  return tensor_split(input, indices_or_sections, 2);
}

PHLOX_OPERATION(TensorList, dsplit_sections, (const Tensor& input, std::int64_t sections),
                .doc = "dsplit() into a number of parts of equal size.", .family = Family::view,
                .method = false, .samples = "dsplit_sections(A(2, 3, 4), 2)",
                .reference = "np.dsplit(input, sections)", .overload_of = "dsplit") {
  require_rank(input, 3, "dsplit");
  return equal_parts(input, sections, 2, "dsplit");
}

PHLOX_OPERATION(
    Tensor, unfold, (const Tensor& input, std::int64_t dimension, std::int64_t size, std::int64_t step),
    .doc =
        "Windows of `size` positions, `step` apart, along a dimension; their elements form a new last "
        "dimension. A view.",
    .family = Family::view, .home = "",
    .samples = "unfold(A(7, 2), 0, 3, 2); unfold(A(8), 0, 2, 1); unfold(A(6), 0, 2, 3)",
    .reference =
        "np.moveaxis(np.lib.stride_tricks.sliding_window_view(input, size, axis=dimension), dimension, "
        "0)[::step].swapaxes(0, dimension)") {
  const int d = normalize_dim(dimension, input.rank(), "unfold");
  const std::int64_t have = input.size(d);
  if (size < 0 || size > have || step <= 0)
    fail<ShapeError>(ErrorCode::invalid_value, "unfold: windows of {}, {} apart, in dimension {} of size {}",
                     size, step, d, have)
        .detail("input", describe(input))
        .raise();
  if (input.rank() == 0) return slice_dim(reshape(input, {1}), 0, 0, size);
  return apply_view(input, {ViewKind::unfold, {d, size, step}});
}

// --- diagonals and triangles

PHLOX_OPERATION(
    Tensor, diagonal,
    (const Tensor& input, std::int64_t offset = 0, std::int64_t dim1 = 0, std::int64_t dim2 = 1),
    .doc = "A diagonal of two dimensions, as a view whose last dimension it is.", .family = Family::view,
    .samples =
        "diagonal(A(3, 4)); diagonal(A(3, 4), 1); diagonal(A(4, 3), -2); diagonal(A(2, 3, 4), 0, -1, 0)",
    .reference = "np.diagonal(input, offset, dim1, dim2)") {
  require_rank(input, 2, "diagonal");
  const int first = normalize_dim(dim1, input.rank(), "diagonal");
  const int second = normalize_dim(dim2, input.rank(), "diagonal");
  if (first == second)
    fail<ShapeError>(ErrorCode::duplicate_dimension, "diagonal: dimension {} is named twice", first).raise();
  return apply_view(input, {ViewKind::diagonal, {offset, first, second}});
}

PHLOX_OPERATION(Tensor, diag_embed,
                (const Tensor& input, std::int64_t offset = 0, std::int64_t dim1 = -2,
                 std::int64_t dim2 = -1),
                .doc = "Matrices of zeros with the last dimension of the tensor on a diagonal.",
                .family = Family::view,
                .samples = "diag_embed(A(3)); diag_embed(A(2, 3), 1); diag_embed(A(2, 3), 0, 0, 2)") {
  require_rank(input, 1, "diag_embed");
  const int rank = input.rank() + 1;
  const int first = normalize_dim(dim1, rank, "diag_embed"), second = normalize_dim(dim2, rank, "diag_embed");
  if (first == second)
    fail<ShapeError>(ErrorCode::duplicate_dimension, "diag_embed: dimension {} is named twice", first)
        .raise();
  const std::int64_t size = input.size(-1) + std::abs(offset);
  Shape shape;
  for (int d = 0, e = 0; d < rank; ++d)
    shape.push_back(d == first || d == second ? size : input.impl()->sizes[e++]);
  return apply_view_gradient(input, shape, {ViewKind::diagonal, {offset, first, second}});
}

PHLOX_OPERATION(Tensor, diag, (const Tensor& input, std::int64_t diagonal = 0),
                .doc = "A matrix from its diagonal, or the diagonal of a matrix as a copy.",
                .family = Family::view, .samples = "diag(A(3)); diag(A(3), -1); diag(A(3, 4), 1)",
                .reference = "np.diag(input, diagonal)") {
  if (input.rank() == 1) return diag_embed(input, diagonal);
  if (input.rank() == 2) return clone(phlox::diagonal(input, diagonal));
  fail<ShapeError>(ErrorCode::wrong_rank, "diag: takes a vector or a matrix, not {} dimensions", input.rank())
      .detail("input", describe(input))
      .hint("diagonal() and diag_embed() work on batches")
      .raise();
}

PHLOX_OPERATION(Tensor, diagflat, (const Tensor& input, std::int64_t offset = 0),
                .doc = "A matrix with all elements on a diagonal.", .family = Family::view,
                .samples = "diagflat(A(2, 2)); diagflat(A(3), 1)",
                .reference = "np.diagflat(input, offset)") {
  return diag_embed(ravel(input), offset);
}

PHLOX_OPERATION(Tensor, tril, (const Tensor& input, std::int64_t diagonal = 0),
                .doc = "The lower triangle of the last two dimensions; zeros above the diagonal.",
                .family = Family::view, .samples = "tril(A(3, 4)); tril(A(2, 4, 3), -1); tril(A(3, 3), 1)",
                .reference = "np.tril(input, diagonal)", .in_place = true) {
  return where(lower_mask(input, diagonal, "tril"), input, zero_for(input));
}

PHLOX_OPERATION(Tensor, triu, (const Tensor& input, std::int64_t diagonal = 0),
                .doc = "The upper triangle of the last two dimensions; zeros below the diagonal.",
                .family = Family::view, .samples = "triu(A(3, 4)); triu(A(2, 4, 3), -1); triu(A(3, 3), 1)",
                .reference = "np.triu(input, diagonal)", .in_place = true) {
  return where(lower_mask(input, diagonal - 1, "triu"), zero_for(input), input);
}

PHLOX_OPERATION(Tensor, trace, (const Tensor& input), .doc = "The sum of the diagonal of a matrix.",
                .family = Family::view, .samples = "trace(A(3, 4)); trace(A(4, 4))",
                .reference = "np.trace(input)") {
  if (input.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "trace: takes a matrix, not {} dimensions", input.rank())
        .detail("input", describe(input))
        .raise();
  return sum(diagonal(input));
}

// --- turning

PHLOX_OPERATION(Tensor, flip, (const Tensor& input, const DimList& dims),
                .doc = "The order along some dimensions reversed: a view with negative strides, as in NumPy.",
                .family = Family::view,
                .samples = "flip(A(3, 4), 0); flip(A(3, 4), (0, 1)); flip(A(2, 3), -1)",
                .reference = "np.flip(input, dims)") {
  ViewAttributes v{ViewKind::slice, input.shape(), IntList(static_cast<std::size_t>(input.rank()), 0),
                   IntList(static_cast<std::size_t>(input.rank()), 1)};
  for (std::int64_t dim : normalize_dims(dims, input.rank(), "flip", false)) {
    if (input.rank() == 0) break;
    const auto d = static_cast<std::size_t>(dim);
    v.b[d] = std::max<std::int64_t>(v.a[d] - 1, 0);
    v.c[d] = -1;
  }
  return apply_view(input, v);
}

PHLOX_OPERATION(Tensor, fliplr, (const Tensor& input), .doc = "The second dimension reversed.",
                .family = Family::view, .samples = "fliplr(A(3, 4))", .reference = "np.fliplr(input)") {
  require_rank(input, 2, "fliplr");
  return flip(input, 1);
}

PHLOX_OPERATION(Tensor, flipud, (const Tensor& input), .doc = "The first dimension reversed.",
                .family = Family::view, .samples = "flipud(A(3, 4))", .reference = "np.flipud(input)") {
  require_rank(input, 1, "flipud");
  return flip(input, 0);
}

PHLOX_OPERATION(
    Tensor, rot90, (const Tensor& input, std::int64_t k = 1, const DimList& dims = {0, 1}),
    .doc = "Turned by k times 90 degrees in the plane of two dimensions, from the first to the second.",
    .family = Family::view, .samples = "rot90(A(3, 4)); rot90(A(3, 4), 2); rot90(A(2, 3, 4), -1, (1, 2))",
    .reference = "np.rot90(input, k, dims)") {
  const Dims plane = normalize_dims(dims, input.rank(), "rot90", false);
  if (plane.size() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "rot90: a plane has two dimensions, not {}", plane.size())
        .raise();
  switch ((k % 4 + 4) % 4) {
    case 1: return transpose(flip(input, plane[1]), plane[0], plane[1]);
    case 2: return flip(input, plane);
    case 3: return flip(transpose(input, plane[0], plane[1]), plane[1]);
    default: return flip(input, {});
  }
}

PHLOX_OPERATION(
    Tensor, roll, (const Tensor& input, const DimList& shifts, const DimList& dims = {}),
    .doc =
        "Shifted along dimensions; what leaves at one end enters at the other. Without dimensions the "
        "elements are shifted as one row.",
    .family = Family::view,
    .samples = "roll(A(5), 2); roll(A(3, 4), 1); roll(A(3, 4), -1, 0); roll(A(3, 4), (1, -2), (0, 1))",
    .reference = "np.roll(input, shifts, tuple(np.atleast_1d(dims)) if np.size(dims) else None)") {
  if (shifts.empty()) fail<ValueError>(ErrorCode::invalid_value, "roll: there are no shifts").raise();
  if (dims.empty() && shifts.size() == 1) return reshape(roll(ravel(input), shifts, 0), input.shape());
  if (dims.size() != shifts.size())
    fail<ShapeError>(ErrorCode::sizes_differ, "roll: {} shifts and {} dimensions", shifts.size(), dims.size())
        .raise();
  Tensor result = input;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    require_rank(input, 1, "roll");
    const int d = normalize_dim(dims[i], input.rank(), "roll");
    const std::int64_t size = input.size(d);
    if (size == 0) continue;
    const std::int64_t cut = ((-shifts[i]) % size + size) % size;
    if (cut == 0) continue;
    result = apply_cat({slice_dim(result, d, cut, size - cut), slice_dim(result, d, 0, cut)}, d, "roll");
  }
  return result.impl() == input.impl() ? clone(input) : result;
}

}  // namespace phlox
