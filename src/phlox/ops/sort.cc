// Orders along a dimension, and places in them.
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/order.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {

namespace {

int ordered_dim(const Tensor& input, std::int64_t dim, const char* operation) {
  if (!is_computable(input.dtype()) || is_complex(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  return normalize_dim(dim, input.rank(), operation);
}

std::int64_t length_along(const Tensor& input, int dim) { return input.rank() == 0 ? 1 : input.size(dim); }

void check_count(const Tensor& input, std::int64_t k, std::int64_t least, std::int64_t length,
                 const char* operation) {
  if (k >= least && k <= length) return;
  fail<IndexError>(ErrorCode::index_out_of_range, "{}: k is {}, but the dimension has {} elements", operation,
                   k, length)
      .detail("input", describe(input))
      .raise();
}

struct SearchAttributes {
  bool right = false;
  template <class Visitor>
  void visit(Visitor& v) {
    v("right", right);
  }
};

Tensor apply_search(const Tensor& sorted, const Tensor& values, bool right);

TensorList evaluate_search(std::span<const Operand> inputs, const void* attributes) {
  return {apply_search(inputs[0].tensor().contiguous(), inputs[1].tensor().contiguous(),
                       static_cast<const SearchAttributes*>(attributes)->right)};
}
PHLOX_PRIMITIVE(search, 14, evaluate_search, SearchAttributes);
void check_search(const PrimitiveCall& call) {
  call.takes(2);
  const Tensor &sorted = call.tensor(0), &values = call.tensor(1);
  const DType dtype = sorted.dtype();
  call.require(
      dtype == DType::float32 || dtype == DType::float64 || dtype == DType::int64 || dtype == DType::uint64,
      "it does not search in {}", info(dtype).name);
  call.require_dtype("the values", values, dtype);
  bool fits = sorted.rank() == 1 || (sorted.rank() > 1 && sorted.rank() == values.rank());
  for (int d = 0; d < sorted.rank() - 1 && fits; ++d) fits = sorted.size(d) == values.size(d);
  call.require(fits, "the leading dimensions differ");
}
PHLOX_PRIMITIVE_RULE(search, check_search);

TensorList batch_search(const BatchedCall& call) {
  const bool right = call.attributes_as<SearchAttributes>().right;
  if (!call.is_batched(0) && call.rank(0) == 1)
    return {apply_search(call.tensor(0), contiguous(call.tensor(1)), right)};
  const Tensor sorted = contiguous(call.batched(0)), values = contiguous(call.batched(1));
  if (call.rank(0) > 1) return {apply_search(sorted, values, right)};
  return {reshape(apply_search(sorted, reshape(values, {call.batch(), -1}), right), values.shape())};
}
PHLOX_BATCHING_RULE(search, batch_search);

Tensor apply_search(const Tensor& sorted, const Tensor& values, bool right) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {sorted, values};
    const SearchAttributes attributes{right};
    return interpret(search_primitive, operands, &attributes)[0];
  }
  const Tensor output = make_tensor(values.shape(), DType::int64, values.device());
  if (output.numel() > 0)
    device_kernels(output.device()).search({sorted.impl(), values.impl(), right, output.impl()});
  return output;
}

// Searches in the dtype that holds both without loss.
Tensor search_sorted(const Tensor& sorted, const Operand& wanted, bool right, const char* operation) {
  const Tensor values =
      wanted.is_tensor() ? wanted.tensor()
                         : Tensor(wanted.scalar(), {.dtype = wanted.scalar().promote_with(sorted.dtype())});
  const DType common = promote(sorted.dtype(), values.dtype());
  DType dtype = common == DType::float64 || common == DType::uint64 ? common : DType::int64;
  if (is_floating(common)) dtype = common == DType::float64 ? common : DType::float32;
  if (is_complex(common))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation, info(common).name)
        .raise();
  bool fits = sorted.rank() == 1;
  if (sorted.rank() > 1 && sorted.rank() == values.rank()) {
    fits = true;
    for (int d = 0; d < sorted.rank() - 1; ++d) fits = fits && sorted.size(d) == values.size(d);
  }
  if (!fits)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: the sorted rows and the values have different leading dimensions", operation)
        .detail("sorted", describe(sorted))
        .detail("values", describe(values))
        .hint("a vector of sorted values goes with values of any shape")
        .raise();
  return apply_search(sorted.detach().to(dtype).contiguous(), values.detach().to(dtype).contiguous(), right);
}

Tensor as_index_dtype(const Tensor& positions, bool out_int32) {
  return out_int32 ? positions.to(DType::int32) : positions;
}

}  // namespace

PHLOX_OPERATION(
    TensorPair, sort,
    (const Tensor& input, std::int64_t dim = -1, bool descending = false, bool stable = true),
    .doc =
        "The elements along `dim` in order, and where they stood. NaN counts as the largest. Equal elements "
        "keep their order, whatever `stable` says.",
    .family = Family::sort, .samples = "sort(A(3, 4)); sort(A(3, 4), 0); sort(A(3, 4), 1, True)",
    .results = "values indices") {
  (void)stable;  // the sort always is
  const int d = ordered_dim(input, dim, "sort");
  return apply_sort(input, d, descending, length_along(input, d));
}

PHLOX_OPERATION(Tensor, argsort,
                (const Tensor& input, std::int64_t dim = -1, bool descending = false, bool stable = true),
                .doc = "The positions that put the elements along `dim` in order; as sort().",
                .family = Family::sort, .samples = "argsort(A(3, 4)); argsort(A(3, 4), 0)",
                .reference = "np.argsort(input, axis=dim, kind='stable')", .differentiable = false) {
  return std::get<1>(sort(input.detach(), dim, descending, stable));
}

PHLOX_OPERATION(Tensor, msort, (const Tensor& input),
                .doc = "The elements along the first dimension in order.", .family = Family::sort,
                .samples = "msort(A(4, 3))", .reference = "np.sort(input, axis=0)") {
  return std::get<0>(sort(input, 0));
}

PHLOX_OPERATION(
    TensorPair, mode, (const Tensor& input, std::int64_t dim = -1, bool keepdim = false),
    .doc =
        "The most frequent element along `dim`, the smallest of equally frequent ones, and the last position "
        "where it stands.",
    .family = Family::sort,
    .samples = "mode(I(3, 2, 7)); mode(I(4, 5, 3), 0, True); mode(A(4, 1)); mode(A())",
    .results = "values indices") {
  const int d = ordered_dim(input, dim, "mode");
  const std::int64_t length = length_along(input, d);
  if (length == 0)
    fail<ShapeError>(ErrorCode::empty_reduction, "mode: no element to choose from")
        .detail("input", describe(input))
        .raise();
  if (input.rank() == 0) return {input, zeros({}, DType::int64, input.device())};
  const auto [sorted, order] = sort(input.detach(), d);
  // Equal elements are runs now. The farthest that a position is from the start of its run tells the longest.
  const Tensor same = eq(narrow(sorted, d, 1, length - 1), narrow(sorted, d, 0, length - 1));
  Shape shape(static_cast<std::size_t>(input.rank()), 1);
  shape[static_cast<std::size_t>(d)] = length;
  const Tensor position = reshape(arange(length, {}, 1, DType::int64, input.device()), shape);
  const Tensor first = zeros_like(narrow(position, d, 0, 1));
  const Tensor start = cat(
      {expand(first, narrow(sorted, d, 0, 1).shape()), where(same, 0, narrow(position, d, 1, length - 1))},
      d);
  const Tensor distance = sub(position, std::get<0>(cummax(start, d)));
  const Tensor index = gather(order, d, argmax(distance, d, true));
  const Tensor values = gather(input, d, index);
  if (keepdim) return {values, index};
  return {squeeze(values, d), squeeze(index, d)};
}

PHLOX_OPERATION(
    TensorPair, topk,
    (const Tensor& input, std::int64_t k, std::int64_t dim = -1, bool largest = true, bool sorted = true),
    .doc =
        "The `k` largest elements along `dim`, or the smallest, in order, and their positions. Among equals "
        "the first ones are taken. Raises IndexError when there are fewer than k.",
    .family = Family::sort, .samples = "topk(A(3, 5), 2); topk(A(5, 3), 2, 0, False)",
    .results = "values indices") {
  (void)sorted;  // the result always is
  const int d = ordered_dim(input, dim, "topk");
  check_count(input, k, 0, length_along(input, d), "topk");
  if (input.rank() == 0 && k == 0) return {zeros({0}, input.dtype()), zeros({0}, DType::int64)};
  return apply_sort(input, d, largest, k);
}

PHLOX_OPERATION(
    TensorPair, kthvalue, (const Tensor& input, std::int64_t k, std::int64_t dim = -1, bool keepdim = false),
    .doc =
        "The k-th smallest element along `dim`, counting from 1, and its position. Raises IndexError when "
        "there is none.",
    .family = Family::sort, .samples = "kthvalue(A(3, 5), 2); kthvalue(A(5, 3), 1, 0, True)",
    .results = "values indices") {
  const int d = ordered_dim(input, dim, "kthvalue");
  check_count(input, k, 1, length_along(input, d), "kthvalue");
  auto [values, indices] = apply_sort(input, d, false, k);
  if (input.rank() == 0) return {values, indices};
  values = narrow(values, d, k - 1, 1);
  indices = narrow(indices, d, k - 1, 1);
  if (keepdim) return {values, indices};
  return {squeeze(values, DimList(d)), squeeze(indices, DimList(d))};
}

PHLOX_OPERATION(
    Tensor, searchsorted,
    (const Tensor& sorted_sequence, const Operand& input, bool out_int32 = false, bool right = false,
     const OptionalString& side = {}, const OptionalTensor& sorter = {}),
    .doc =
        "Where `input` would have to be inserted to keep `sorted_sequence` sorted along its last dimension: "
        "before equal elements, or behind them with right=True or side=\"right\". `sorter` holds the "
        "positions that sort the sequence.",
    .family = Family::sort, .method = false,
    .samples = "searchsorted(msort(A(6)), A(3, 4)); searchsorted(msort(A(6)), A(5), right=True)",
    .reference = "np.searchsorted(sorted_sequence, input, side='right' if right else 'left')",
    .differentiable = false) {
  if (side && *side != "left" && *side != "right")
    fail<ValueError>(ErrorCode::invalid_value, "searchsorted: side is '{}'", *side)
        .hint("side=\"left\" or side=\"right\"")
        .raise();
  const bool behind = side ? *side == "right" : right;
  const Tensor sorted = sorter ? gather(sorted_sequence, -1, *sorter) : sorted_sequence;
  return as_index_dtype(search_sorted(sorted, input, behind, "searchsorted"), out_int32);
}

PHLOX_OPERATION(
    Tensor, bucketize,
    (const Operand& input, const Tensor& boundaries, bool out_int32 = false, bool right = false),
    .doc =
        "The number of the interval between sorted `boundaries` that each element falls into; intervals "
        "include their right end, or their left end with right=True.",
    .family = Family::sort, .samples = "bucketize(A(3, 4), msort(A(5)))",
    .reference = "np.searchsorted(boundaries, input, side='right' if right else 'left')",
    .differentiable = false) {
  if (boundaries.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "bucketize: boundaries have {} dimensions, not 1",
                     boundaries.rank())
        .detail("boundaries", describe(boundaries))
        .raise();
  return as_index_dtype(search_sorted(boundaries, input, right, "bucketize"), out_int32);
}

PHLOX_OPERATION(
    Tensor, digitize, (const Operand& input, const Tensor& bins, bool right = false),
    .doc =
        "The number of the interval between sorted `bins`, up or down, that each element falls into; intervals "
        "include their left end, or their right end with right=True.",
    .family = Family::sort, .method = false,
    .samples = "digitize(A(3, 4), msort(A(5))); digitize(A(3, 4), flip(msort(A(5)), 0), True)",
    .reference = "np.digitize(input, bins, right)", .differentiable = false) {
  if (bins.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "digitize: bins have {} dimensions, not 1", bins.rank())
        .detail("bins", describe(bins))
        .raise();
  const Tensor upwards = search_sorted(bins, input, !right, "digitize");
  if (bins.numel() < 2) return upwards;
  const Tensor downwards =
      sub(bins.numel(), search_sorted(flip(bins, DimList(0)), input, !right, "digitize"));
  return where(gt(select(bins, 0, 0), select(bins, 0, -1)), downwards, upwards);
}

PHLOX_OPERATION(
    Tensor, argpartition, (const Tensor& input, std::int64_t kth, std::int64_t dim = -1),
    .doc =
        "Positions that put the element of rank `kth` along `dim` in its place, with none larger before "
        "it and none smaller behind. Raises IndexError where there is no such rank.",
    .family = Family::sort, .method = false,
    .samples = "argpartition(A(3, 5), 2); argpartition(A(5, 3), -1, 0)", .differentiable = false) {
  const int d = ordered_dim(input, dim, "argpartition");
  const std::int64_t length = length_along(input, d);
  if (kth < -length || kth >= length)
    fail<IndexError>(ErrorCode::index_out_of_range, "argpartition: there is no rank {} among {} elements",
                     kth, length)
        .detail("input", describe(input))
        .raise();
  return argsort(input, dim);  // an order is a partition too
}

PHLOX_OPERATION(
    Tensor, lexsort, (const TensorList& keys, std::int64_t dim = -1),
    .doc =
        "Positions that sort along `dim` by several keys of equal shape: by the last one first, where those are "
        "equal by the one before it, and so on. Where all are equal the order stays.",
    .family = Family::sort, .samples = "lexsort([I(3, 8), I(2, 8)]); lexsort([A(2, 4), I(2, 2, 4)], 0)",
    .reference = "np.lexsort(keys, axis=dim)", .differentiable = false) {
  if (keys.empty()) fail<ValueError>(ErrorCode::invalid_value, "lexsort: needs a key").raise();
  for (const Tensor& key : keys)
    if (key.shape() != keys[0].shape())
      fail<ShapeError>(ErrorCode::sizes_differ, "lexsort: the keys have different shapes")
          .detail("keys[0]", describe(keys[0]))
          .detail("key", describe(key))
          .raise();
  Tensor order = argsort(keys[0], dim);
  if (keys[0].rank() == 0) return order;
  for (std::size_t i = 1; i < keys.size(); ++i)
    order = gather(order, dim, argsort(gather(keys[i].detach(), dim, order), dim));
  return order;
}

}  // namespace phlox
