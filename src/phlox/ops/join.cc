// Putting tensors together, and taking them apart again: the primitives `split` and `cat`, each the other's
// gradient.
#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/in_place.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/view.h"

namespace phlox {
namespace {

// --- split

TensorList evaluate_split(std::span<const Operand> inputs, const void* attributes) {
  const auto& a = *static_cast<const SplitAttributes*>(attributes);
  return apply_split(inputs[0].tensor(), a.dim, a.sizes);
}
PHLOX_PRIMITIVE(split, 22, evaluate_split, SplitAttributes);
void check_split(const PrimitiveCall& call) {
  call.takes(1);
  const Tensor& input = call.tensor(0);
  const auto& a = call.attributes<SplitAttributes>();
  call.require(input.rank() > 0, "there is no dimension to split");
  call.require_dim("dim", a.dim, input);
  std::int64_t rest = input.size(a.dim);
  call.require(!a.sizes.empty(), "there are no parts");
  for (std::int64_t size : a.sizes) {
    call.require(size >= 0 && size <= rest, "the parts are not those of {} elements", input.size(a.dim));
    rest -= size;
  }
  call.require(rest == 0, "the parts leave {} elements out", rest);
}
PHLOX_PRIMITIVE_RULE(split, check_split);

TensorList batch_split(const BatchedCall& call) {
  const auto& a = call.attributes_as<SplitAttributes>();
  return apply_split(call.tensor(0), a.dim + 1, a.sizes);
}
PHLOX_BATCHING_RULE(split, batch_split);

class SplitNode final : public GradientNode {
 public:
  SplitNode(const Tensor& input, int dim, const Integers& sizes)
      : GradientNode("split", 1, static_cast<int>(sizes.size())),
        dim_(dim),
        sizes_(sizes),
        shape_(input.shape()),
        dtype_(input.dtype()),
        device_(input.device()) {
    edges()[0] = gradient_edge(input);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    TensorList parts;
    // Parts without a gradient that lie side by side become one block of zeros.
    std::int64_t missing = 0;
    const auto add_zeros = [&] {
      if (missing == 0) return;
      Shape shape = shape_;
      shape[static_cast<std::size_t>(dim_)] = missing;
      parts.push_back(zeros(shape, dtype_, device_));
      missing = 0;
    };
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (!output_gradients[i].defined()) {
        missing += sizes_[i];
        continue;
      }
      add_zeros();
      parts.push_back(output_gradients[i]);
    }
    if (parts.empty()) return;
    add_zeros();
    input_gradients[0] = parts.size() == 1 ? parts[0] : apply_cat(parts, dim_, "split");
  }
  void release_saved() override {}

 private:
  int dim_;
  Integers sizes_;
  Shape shape_;
  DType dtype_;
  Device device_;
};

// --- cat

TensorList evaluate_cat(std::span<const Operand> inputs, const void* attributes) {
  TensorList tensors;
  for (const Operand& input : inputs) tensors.push_back(input.tensor());
  return {apply_cat(tensors, static_cast<const CatAttributes*>(attributes)->dim, "cat")};
}
PHLOX_PRIMITIVE(cat, 23, evaluate_cat, CatAttributes);
void check_cat(const PrimitiveCall& call) {
  call.require(call.count() > 0, "there are no inputs");
  const Tensor& first = call.tensor(0);
  const std::int64_t dim = call.attributes<CatAttributes>().dim;
  call.require(dim >= -first.rank() && dim < first.rank(), "dim is {}, but there are {} dimensions", dim,
               first.rank());
  Shape total = first.shape();
  std::int64_t& size = total[static_cast<std::size_t>(dim < 0 ? dim + first.rank() : dim)];
  for (std::size_t i = 1; i < call.count(); ++i) {
    call.require(call.tensor(i).rank() == first.rank(), "the inputs differ in their dimensions");
    size += call.tensor(i).size(static_cast<int>(dim));
    call.require_sizes("the result", total);
  }
}
PHLOX_PRIMITIVE_RULE(cat, check_cat);

TensorList batch_cat(const BatchedCall& call) {
  TensorList tensors;
  for (std::size_t i = 0; i < call.inputs().size(); ++i) tensors.push_back(call.batched(i));
  const std::int64_t dim = call.attributes_as<CatAttributes>().dim;
  return {apply_cat(tensors, dim < 0 ? dim : dim + 1, "cat")};
}
PHLOX_BATCHING_RULE(cat, batch_cat);

class CatNode final : public GradientNode {
 public:
  CatNode(const TensorList& tensors, int dim)
      : GradientNode("cat", static_cast<int>(tensors.size())), dim_(dim) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      edges()[i] = gradient_edge(tensors[i]);
      sizes_.push_back(tensors[i].size(dim));
      dtypes_.push_back(tensors[i].dtype());
    }
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (wants(static_cast<int>(i)))
        input_gradients[i] = slice_dim(output_gradients[0], dim_, start, sizes_[i]).to(dtypes_[i]);
      start += sizes_[i];
    }
  }
  void release_saved() override {}

 private:
  int dim_;
  Integers sizes_;
  std::vector<DType> dtypes_;
};

void require_any(const TensorList& tensors, const char* operation) {
  if (!tensors.empty()) return;
  fail<ValueError>(ErrorCode::invalid_value, "{}: the list of tensors is empty", operation).raise();
}

}  // namespace

TensorList apply_split(const Tensor& input, int dim, const Integers& sizes) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operand(input);
    const SplitAttributes attributes{dim, sizes};
    return interpret(split_primitive, {&operand, 1}, &attributes);
  }
  TensorList parts;
  parts.reserve(sizes.size());
  Shape shape = input.shape();
  const Strides strides = input.strides();
  std::int64_t offset = input.storage_offset();
  for (std::int64_t size : sizes) {
    shape[static_cast<std::size_t>(dim)] = size;
    parts.push_back(make_view(input, shape, strides, offset));
    offset += size * strides[static_cast<std::size_t>(dim)];
  }
  if (needs_gradient(input) && !parts.empty()) {
    const auto node = Reference<GradientNode>::adopt(new SplitNode(input, dim, sizes));
    for (std::size_t i = 0; i < parts.size(); ++i) set_history(parts[i], node, static_cast<int>(i));
  }
  return parts;
}

Tensor apply_cat(const TensorList& tensors, std::int64_t dim, const char* operation) {
  require_any(tensors, operation);
  if (thread_mode.interpreter_count) [[unlikely]] {
    std::vector<Operand> operands(tensors.begin(), tensors.end());
    const CatAttributes attributes{dim};
    return interpret(cat_primitive, operands, &attributes)[0];
  }
  const Tensor& first = tensors[0];
  if (first.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: tensors of 0 dimensions cannot be joined", operation)
        .hint("stack() joins them along a new dimension")
        .raise();
  const int d = normalize_dim(dim, first.rank(), operation);
  Shape shape = first.shape();
  DType dtype = first.dtype();
  bool wants = needs_gradient(first), same_order = true;
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const Tensor& next = tensors[i];
    bool fits = next.rank() == first.rank();
    for (int e = 0; e < first.rank() && fits; ++e)
      fits = e == d || next.impl()->sizes[e] == shape[static_cast<std::size_t>(e)];
    if (!fits)
      fail<ShapeError>(ErrorCode::sizes_differ, "{}: tensors 0 and {} differ outside of dimension {}",
                       operation, i, d)
          .detail("tensor 0", describe(first))
          .detail(fmt::format("tensor {}", i), describe(next))
          .raise();
    if (next.device() != first.device())
      fail<DeviceError>(ErrorCode::wrong_device, "{}: tensors are on {} and {}", operation,
                        to_string(first.device()), to_string(next.device()))
          .raise();
    shape[static_cast<std::size_t>(d)] += next.impl()->sizes[d];
    if (next.dtype() != dtype) dtype = promote(dtype, next.dtype());
    wants |= needs_gradient(next);
    same_order &= next.is_contiguous() == first.is_contiguous();
  }
  Tensor result =
      same_order ? make_tensor_like(first, shape, dtype) : make_tensor(shape, dtype, first.device());
  const DeviceKernels& kernels = device_kernels(result.device());
  std::int64_t offset = result.storage_offset();
  Shape part = shape;
  const Strides strides = result.strides();
  for (const Tensor& tensor : tensors) {
    part[static_cast<std::size_t>(d)] = tensor.impl()->sizes[d];
    if (tensor.numel() > 0) {
      const Tensor target = make_view(result, part, strides, offset);
      kernels.convert(*tensor.impl(), *target.impl());
    }
    offset += tensor.impl()->sizes[d] * strides[static_cast<std::size_t>(d)];
  }
  if (wants) set_history(result, Reference<GradientNode>::adopt(new CatNode(tensors, d)));
  return result;
}

PHLOX_OPERATION(
    Tensor, cat, (const TensorList& tensors, std::int64_t dim = 0),
    .doc = "Tensors one after the other along a dimension; all other sizes are equal.",
    .family = Family::join, .alias = "concat concatenate",
    .samples = "cat([A(2, 3), A(1, 3)]); cat([A(2, 3), A(2, 1), A(2, 0)], 1); cat([A(2), A(3)], -1)",
    .reference = "np.concatenate(tensors, dim)") {
  // Programs start with tensor([]) and join matrices on: a vector without elements fits everywhere, as in PyTorch.
  const auto is_nothing = [](const Tensor& tensor) { return tensor.rank() == 1 && tensor.numel() == 0; };
  const auto has_dims = [](const Tensor& tensor) { return tensor.rank() > 1; };
  if (std::none_of(tensors.begin(), tensors.end(), is_nothing) ||
      std::none_of(tensors.begin(), tensors.end(), has_dims))
    return apply_cat(tensors, dim, "cat");
  TensorList rest;
  DType dtype = tensors[0].dtype();
  for (const Tensor& tensor : tensors) {
    dtype = promote(dtype, tensor.dtype());
    if (!is_nothing(tensor)) rest.push_back(tensor);
  }
  return apply_cat(rest, dim, "cat").to(dtype);
}

PHLOX_OPERATION(
    Tensor, append, (const Tensor& input, const Tensor& values, OptionalDim dim = {}),
    .doc =
        "The tensor with `values` behind it along a dimension; without one both are flattened, as NumPy's "
        "append does.",
    .family = Family::join, .method = false, .samples = "append(A(2, 3), A(1, 3), 0); append(A(2, 3), A(2))",
    .reference = "np.append(input, values, dim)", .complex = true) {
  if (!dim) return apply_cat({ravel(input), ravel(values)}, 0, "append");
  return apply_cat({input, values}, *dim, "append");
}

PHLOX_OPERATION(Tensor, stack, (const TensorList& tensors, std::int64_t dim = 0),
                .doc = "Tensors of equal shape side by side along a new dimension.", .family = Family::join,
                .samples = "stack([A(2, 3), A(2, 3)]); stack([A(3), A(3)], -1); stack([A(), A()])",
                .reference = "np.stack(tensors, dim)") {
  require_any(tensors, "stack");
  const int d = normalize_dim(dim, tensors[0].rank() + 1, "stack");
  TensorList rows;
  rows.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].shape() != tensors[0].shape())
      fail<ShapeError>(ErrorCode::sizes_differ, "stack: tensors 0 and {} have different shapes", i)
          .detail("tensor 0", describe(tensors[0]))
          .detail(fmt::format("tensor {}", i), describe(tensors[i]))
          .raise();
    rows.push_back(unsqueeze(tensors[i], d));
  }
  return apply_cat(rows, d, "stack");
}

PHLOX_OPERATION(Tensor, hstack, (const TensorList& tensors),
                .doc = "Joined along the second dimension; vectors along their only one.",
                .family = Family::join,
                .samples = "hstack([A(2, 3), A(2, 1)]); hstack([A(2), A(3)]); hstack([A(), A()])",
                .reference = "np.hstack(tensors)") {
  require_any(tensors, "hstack");
  TensorList all;
  for (const Tensor& tensor : tensors) all.push_back(atleast_1d(tensor));
  return apply_cat(all, all[0].rank() == 1 ? 0 : 1, "hstack");
}

PHLOX_OPERATION(Tensor, vstack, (const TensorList& tensors),
                .doc = "Joined along the first dimension; vectors count as rows.", .family = Family::join,
                .alias = "row_stack", .samples = "vstack([A(2, 3), A(1, 3)]); vstack([A(3), A(3)])",
                .reference = "np.vstack(tensors)") {
  require_any(tensors, "vstack");
  TensorList all;
  for (const Tensor& tensor : tensors) all.push_back(atleast_2d(tensor));
  return apply_cat(all, 0, "vstack");
}

PHLOX_OPERATION(Tensor, dstack, (const TensorList& tensors),
                .doc = "Joined along the third dimension, which is added where missing.",
                .family = Family::join, .samples = "dstack([A(2, 3), A(2, 3)]); dstack([A(3), A(3)])",
                .reference = "np.dstack(tensors)") {
  require_any(tensors, "dstack");
  TensorList all;
  for (const Tensor& tensor : tensors) all.push_back(atleast_3d(tensor));
  return apply_cat(all, 2, "dstack");
}

PHLOX_OPERATION(Tensor, column_stack, (const TensorList& tensors),
                .doc = "Joined along the second dimension; vectors count as columns.", .family = Family::join,
                .samples = "column_stack([A(3), A(3)]); column_stack([A(3), A(3, 2)])",
                .reference = "np.column_stack(tensors)") {
  require_any(tensors, "column_stack");
  TensorList all;
  for (const Tensor& tensor : tensors)
    all.push_back(tensor.rank() < 2 ? reshape(tensor, {tensor.numel(), 1}) : tensor);
  return apply_cat(all, 1, "column_stack");
}

// --- repetition

PHLOX_OPERATION(
    Tensor, repeat, (const Tensor& input, const IntList& repeats),
    .doc = "The tensor as often along each dimension as asked for; dimensions may be added in front.",
    .family = Family::join, .samples = "repeat(A(2, 3), (2, 1)); repeat(A(3), (2, 2)); repeat(A(2), (0,))",
    .reference = "np.tile(input, repeats)") {
  const int added = repeats.rank() - input.rank();
  if (added < 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "repeat: {} counts for {} dimensions", repeats.rank(),
                     input.rank())
        .detail("input", describe(input))
        .raise();
  Shape single, stretched, result;
  for (int d = 0; d < repeats.rank(); ++d) {
    const std::int64_t size = d < added ? 1 : input.impl()->sizes[d - added];
    const std::int64_t times = repeats[static_cast<std::size_t>(d)];
    if (times < 0)
      fail<ValueError>(ErrorCode::invalid_value, "repeat: dimension {} is to be repeated {} times", d, times)
          .raise();
    if (times != 1) {
      single.push_back(1);
      stretched.push_back(times);
    }
    single.push_back(size);
    stretched.push_back(size);
    std::int64_t total = 0;
    if (__builtin_mul_overflow(times, size, &total)) element_count({times, size});  // throws
    result.push_back(total);
  }
  const Tensor wide = expand(reshape(input, single), stretched);
  Tensor repeated = reshape(wide, result);
  return repeated.shares_storage_with(input) ? clone(repeated) : repeated;
}

PHLOX_OPERATION(Tensor, tile, (const Tensor& input, const IntList& dims),
                .doc = "repeat() in which missing counts are 1, as NumPy's tile.", .family = Family::join,
                .samples = "tile(A(2, 3), (2,)); tile(A(2), (2, 2))", .reference = "np.tile(input, dims)") {
  IntList counts = dims;
  while (counts.rank() < input.rank()) counts.insert(0, 1);
  return repeat(input, counts);
}

PHLOX_OPERATION(
    Tensor, repeat_interleave,
    (const Tensor& input, const Operand& repeats, OptionalDim dim = {}, OptionalInt output_size = {}),
    .doc =
        "Each element along a dimension several times in succession; one count for all, or one for each. "
        "Without a dimension, of the flattened tensor.",
    .family = Family::join,
    .samples =
        "repeat_interleave(A(2, 3), 2); repeat_interleave(A(2, 3), 2, 1); repeat_interleave(A(3, 2), I(4, "
        "3), 0)",
    .reference = "np.repeat(input, repeats, dim)", .reads_values = true) {
  if (!dim) return repeat_interleave(ravel(input), repeats, 0, output_size);
  const int d = normalize_dim(*dim, input.rank(), "repeat_interleave");
  if (input.rank() == 0) return repeat_interleave(reshape(input, {1}), repeats, 0, output_size);
  const std::int64_t size = input.size(d);
  if (!repeats.is_tensor() || repeats.tensor().numel() == 1) {
    const std::int64_t times =
        repeats.is_tensor() ? repeats.tensor().item<std::int64_t>() : repeats.scalar().integer();
    if (times < 0) fail<ValueError>(ErrorCode::invalid_value, "repeat_interleave: {} times", times).raise();
    Shape stretched = input.shape(), result = input.shape();
    stretched.insert(static_cast<std::size_t>(d) + 1, times);
    result[static_cast<std::size_t>(d)] = size * times;
    return reshape(expand(unsqueeze(input, d + 1), stretched), result);
  }
  const Integers counts = repeats.tensor().to_vector<std::int64_t>();
  if (static_cast<std::int64_t>(counts.size()) != size || repeats.tensor().rank() > 1)
    fail<ShapeError>(ErrorCode::sizes_differ, "repeat_interleave: {} counts for {} elements of dimension {}",
                     counts.size(), size, d)
        .detail("repeats", describe(repeats.tensor()))
        .raise();
  Integers positions;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0)
      fail<ValueError>(ErrorCode::invalid_value, "repeat_interleave: {} times", counts[i]).raise();
    positions.insert(positions.end(), static_cast<std::size_t>(counts[i]), static_cast<std::int64_t>(i));
  }
  if (output_size && *output_size != static_cast<std::int64_t>(positions.size()))
    fail<ValueError>(ErrorCode::invalid_value,
                     "repeat_interleave: output_size is {}, the counts add up to {}", *output_size,
                     positions.size())
        .raise();
  return index_select(input, d,
                      from_values<std::int64_t>(positions, {static_cast<std::int64_t>(positions.size())}));
}

// --- products of tensors, blocks

PHLOX_OPERATION(
    TensorList, meshgrid, (const TensorList& tensors, const std::string& indexing = "ij"),
    .doc =
        "Grids of coordinates from vectors: result i varies along dimension i; with indexing=\"xy\" the "
        "first two dimensions are exchanged.",
    .family = Family::join, .samples = "meshgrid([A(2), A(3)]); meshgrid([A(2), A(3), A(2)], 'xy')",
    .reference = "list(np.meshgrid(*tensors, indexing=indexing))") {
  if (indexing != "ij" && indexing != "xy")
    fail<ValueError>(ErrorCode::invalid_value, "meshgrid: indexing is '{}'", indexing)
        .hint("indexing=\"ij\" or indexing=\"xy\"")
        .raise();
  const bool swap = indexing == "xy" && tensors.size() >= 2;
  Shape shape;
  for (const Tensor& tensor : tensors) {
    if (tensor.rank() > 1)
      fail<ShapeError>(ErrorCode::wrong_rank, "meshgrid: takes vectors, not {} dimensions", tensor.rank())
          .raise();
    shape.push_back(tensor.numel());
  }
  if (swap) std::swap(shape[0], shape[1]);
  TensorList grids;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Shape along(tensors.size(), 1);
    along[swap && i < 2 ? 1 - i : i] = tensors[i].numel();
    grids.push_back(expand(reshape(tensors[i], along), shape));
  }
  return grids;
}

PHLOX_OPERATION(Tensor, cartesian_prod, (const TensorList& tensors),
                .doc = "All combinations of the elements of vectors, one a row.", .family = Family::join,
                .samples = "cartesian_prod([A(2), A(3)]); cartesian_prod([A(3)])",
                .reference =
                    "tensors[0] if len(tensors) == 1 else np.stack([g.ravel() for g in np.meshgrid(*tensors, "
                    "indexing='ij')], 1)") {
  require_any(tensors, "cartesian_prod");
  if (tensors.size() == 1) return tensors[0];
  TensorList columns = meshgrid(tensors);
  for (Tensor& column : columns) column = ravel(column);
  return stack(columns, 1);
}

PHLOX_OPERATION(Tensor, block_diag, (const TensorList& tensors),
                .doc = "A matrix with the given matrices along its diagonal and zeros elsewhere.",
                .family = Family::join,
                .samples = "block_diag([A(2, 3), A(1, 2)]); block_diag([A(2, 2), A(3), A()])",
                .reference = "scipy.linalg.block_diag(*tensors)") {
  require_any(tensors, "block_diag");
  std::int64_t columns = 0;
  TensorList blocks;
  for (const Tensor& tensor : tensors) {
    if (tensor.rank() > 2)
      fail<ShapeError>(ErrorCode::wrong_rank, "block_diag: takes matrices, not {} dimensions", tensor.rank())
          .raise();
    blocks.push_back(atleast_2d(tensor));
    columns += blocks.back().size(1);
  }
  std::int64_t before = 0;
  for (Tensor& block : blocks) {
    const std::int64_t width = block.size(1);
    block = pad(block, {before, columns - before - width});
    before += width;
  }
  return apply_cat(blocks, 0, "block_diag");
}

PHLOX_OPERATION(Tensor, kron, (const Tensor& input, const Tensor& other),
                .doc = "The Kronecker product: each element of `input` times the whole of `other`.",
                .family = Family::join,
                .samples = "kron(A(2, 3), A(3, 2)); kron(A(2), A(2, 3)); kron(A(), A(2))",
                .reference = "np.kron(input, other)") {
  const int rank = std::max(input.rank(), other.rank());
  Shape left, right, result;
  for (int d = 0; d < rank; ++d) {
    const int i = d - (rank - input.rank()), j = d - (rank - other.rank());
    const std::int64_t a = i < 0 ? 1 : input.impl()->sizes[i], b = j < 0 ? 1 : other.impl()->sizes[j];
    left.push_back(a);
    left.push_back(1);
    right.push_back(1);
    right.push_back(b);
    result.push_back(a * b);
  }
  return reshape(mul(reshape(input, left), reshape(other, right)), result);
}

// --- padding

namespace {

Tensor pad_constant(const Tensor& input, const Integers& sizes, double value) {
  const auto rank = static_cast<std::size_t>(input.rank());
  Tensor core = input;
  Shape shape = input.shape();
  ViewAttributes inner{ViewKind::slice, {}, IntList(rank, 0), IntList(rank, 1)};
  for (std::size_t i = 0; i < sizes.size() / 2; ++i) {
    const std::size_t d = rank - 1 - i;
    const std::int64_t before = sizes[2 * i], after = sizes[2 * i + 1];
    const std::int64_t kept = shape[d] + std::min<std::int64_t>(before, 0) + std::min<std::int64_t>(after, 0);
    if (shape[d] + before + after < 0 || kept < 0)
      fail<ShapeError>(ErrorCode::invalid_value, "pad: {} and {} leave nothing of dimension {} of size {}",
                       before, after, d, shape[d])
          .detail("input", describe(input))
          .raise();
    if (before < 0 || after < 0)
      core = slice_dim(core, static_cast<int>(d), std::max<std::int64_t>(-before, 0), kept);
    inner.b[d] = std::max<std::int64_t>(before, 0);
    shape[d] += before + after;
  }
  inner.a = core.shape();
  return apply_view_gradient(core, shape, inner, value);
}

// Where position `i` of the padded dimension comes from.
std::int64_t source_position(std::int64_t i, std::int64_t size, const std::string& mode) {
  if (mode == "replicate") return std::clamp<std::int64_t>(i, 0, size - 1);
  if (mode == "circular") return (i % size + size) % size;
  return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
}

}  // namespace

PHLOX_OPERATION(
    Tensor, pad,
    (const Tensor& input, const Integers& pad, const std::string& mode = "constant",
     OptionalScalar value = {}),
    .doc =
        "More elements at both ends of dimensions, pairs (before, after) from the last dimension on: a "
        "constant, or by mode \"reflect\", \"replicate\" or \"circular\". Negative counts cut off.",
    .family = Family::join, .home = "nn.functional",
    .samples =
        "pad(A(2, 3), (1, 2)); pad(A(2, 3), (0, 1, 2, -1), value=1.5); pad(A(2, 4), (2, 1), 'reflect'); "
        "pad(A(2, 3), (2, 1, 1, 0), 'replicate'); pad(A(3), (2, 3), 'circular')") {
  if (pad.size() % 2 != 0 || static_cast<int>(pad.size() / 2) > input.rank())
    fail<ShapeError>(ErrorCode::invalid_value, "pad: {} counts for {} dimensions", pad.size(), input.rank())
        .detail("input", describe(input))
        .hint("give pairs (before, after), for the last dimension first")
        .raise();
  if (mode == "constant" && value && value->kind() == Scalar::Kind::complex) {
    const Tensor inside = pad_constant(ones(input.shape(), DType::bool_, input.device()), pad, 0);
    return where(inside, pad_constant(input, pad, 0), *value);
  }
  if (mode == "constant") return pad_constant(input, pad, value ? value->real() : 0);
  if (mode != "reflect" && mode != "replicate" && mode != "circular")
    fail<ValueError>(ErrorCode::invalid_value, "pad: mode is '{}'", mode)
        .hint("\"constant\", \"reflect\", \"replicate\" or \"circular\"")
        .raise();
  Tensor result = input;
  for (std::size_t i = 0; i < pad.size() / 2; ++i) {
    const int d = input.rank() - 1 - static_cast<int>(i);
    const std::int64_t before = pad[2 * i], after = pad[2 * i + 1], size = input.size(d);
    if (before == 0 && after == 0) continue;
    const std::int64_t most = mode == "reflect" ? size - 1 : mode == "circular" ? size : INT64_MAX;
    if (size == 0 || before > most || after > most || before + after + size < 0)
      fail<ShapeError>(ErrorCode::invalid_value,
                       "pad: {} and {} are too many for mode {} in dimension {} of size {}", before, after,
                       mode, d, size)
          .detail("input", describe(input))
          .raise();
    Integers positions;
    if (mode == "circular") {  // what is left after cutting goes round
      const std::int64_t first = std::max<std::int64_t>(-before, 0),
                         kept = size - first + std::min<std::int64_t>(after, 0);
      for (std::int64_t p = std::min<std::int64_t>(-before, 0);
           p < kept + std::max<std::int64_t>(after, 0) && kept > 0; ++p)
        positions.push_back(first + source_position(p, kept, mode));
    } else {
      for (std::int64_t p = -before; p < size + after; ++p)
        positions.push_back(source_position(p, size, mode));
    }
    result = index_select(
        result, d, from_values<std::int64_t>(positions, {static_cast<std::int64_t>(positions.size())}));
  }
  return result.impl() == input.impl() ? clone(input) : result;
}

}  // namespace phlox
