// Tables of vectors: rows by position, and sums of rows.
#include <limits>

#include "phlox/core/mode.h"
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

void check_table(const Tensor& places, const Tensor& weight, const char* operation) {
  if (weight.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the weight is a matrix, not of {} dimensions", operation,
                     weight.rank())
        .detail("weight", describe(weight))
        .raise();
  if (!is_integer(places.dtype()) || is_boolean(places.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: positions are integers, not {}", operation,
                     info(places.dtype()).name)
        .detail("input", describe(places))
        .hint("<input>.to(px.int64)")
        .raise();
}

// -1 often stands for "no word": then counting from the end would learn the wrong row without a sign.
Tensor not_negative(const Tensor& places, const char* operation) {
  const Tensor negative = any(lt(places, 0));
  if (thread_mode.interpreter_count)
    return apply_check(places, logical_not(negative), CheckError::index,
                       std::string(operation) + ": an index is negative");
  if (negative.item<bool>())
    fail<IndexError>(ErrorCode::index_out_of_range, "{}: index {} is negative", operation,
                     amin(places).item<std::int64_t>())
        .detail("input", describe(places))
        .hint("padding_idx names a row that stays as it is")
        .raise();
  return places;
}

// Scales the rows that are used, in place, to at most this norm.
void limit_norms(const Tensor& places, const Tensor& weight, double max_norm, double norm_type) {
  NoGrad no_gradient;
  const Tensor flat = reshape(places, {-1});
  const Tensor used = gt(index_add(zeros({weight.size(0)}, DType::int64, weight.device()), 0,
                                   flat.to(DType::int64), ones(flat.shape(), DType::int64, weight.device())),
                         0);
  const Tensor norms = norm(weight.detach(), norm_type, DimList(1));
  const Tensor scale =
      phlox::where(logical_and(used, gt(norms, max_norm)), div(max_norm, add(norms, 1e-7)), 1);
  copy_(weight, mul(weight.detach(), unsqueeze(scale, 1)));
}

// How often each position's row is used, in the shape of the positions.
Tensor frequencies(const Tensor& places, const Tensor& weight) {
  const Tensor flat = reshape(places, {-1}).to(DType::int64);
  const Tensor counts = index_add(zeros({weight.size(0)}, weight.dtype(), weight.device()), 0, flat,
                                  ones(flat.shape(), weight.dtype(), weight.device()));
  return reshape(index_select(counts, 0, flat), places.shape());
}

struct TableOptions {
  OptionalInt padding_idx;
  OptionalDouble max_norm;
  double norm_type;
  bool scale_grad_by_freq;
};

// The row that gets no gradient; -1 when there is none.
std::int64_t padding_row(const OptionalInt& padding_idx, const Tensor& weight, const char* operation) {
  if (!padding_idx) return -1;
  const std::int64_t rows = weight.size(0);
  if (*padding_idx < -rows || *padding_idx >= rows)
    fail<IndexError>(ErrorCode::index_out_of_range, "{}: padding_idx {} is outside of {} rows", operation,
                     *padding_idx, rows)
        .detail("weight", describe(weight))
        .raise();
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

Tensor look_up(const Tensor& input, const Tensor& weight, const TableOptions& options,
               const char* operation) {
  check_table(input, weight, operation);
  const std::int64_t padding = padding_row(options.padding_idx, weight, operation);
  const Tensor places = not_negative(input, operation);
  if (options.max_norm) limit_norms(places, weight, *options.max_norm, options.norm_type);
  Tensor rows = apply_index(weight, {{0}, 0, {places}}, operation);
  if (!needs_gradient(weight)) return rows;
  if (options.scale_grad_by_freq) {
    const Tensor value = rows.detach();
    rows = add(value, div(sub(rows, value), unsqueeze(frequencies(places, weight), -1)));
  }
  if (padding < 0) return rows;
  return where(unsqueeze(eq(input, padding), -1), rows.detach(), rows);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, embedding,
    (const Tensor& input, const Tensor& weight, OptionalInt padding_idx = {}, OptionalDouble max_norm = {},
     double norm_type = 2.0, bool scale_grad_by_freq = false, bool sparse = false),
    .doc =
        "The rows of `weight` at the positions of `input`: [..., weight.size(1)]. The row `padding_idx` gets no gradient. "
        "`max_norm` first scales rows that are used, in place, to at most this `norm_type`-norm; scale_grad_by_freq divides a row's "
        "gradient by how often it is used. Gradients are dense, also with `sparse`.",
    .family = Family::index, .home = "nn.functional", .method = false,
    .samples = "embedding(I(5, 2, 3), A(5, 4)); embedding(I(5, 4), A(5, 2), 1); embedding(I(5), A(5, 2))",
    .reference = "weight[input]") {
  static_cast<void>(sparse);
  return look_up(input, weight, {padding_idx, max_norm, norm_type, scale_grad_by_freq}, "embedding");
}

PHLOX_OPERATION(
    Tensor, embedding_bag,
    (const Tensor& input, const Tensor& weight, const OptionalTensor& offsets = {},
     OptionalDouble max_norm = {}, double norm_type = 2.0, bool scale_grad_by_freq = false,
     const std::string& mode = "mean", bool sparse = false, const OptionalTensor& per_sample_weights = {},
     bool include_last_offset = false, OptionalInt padding_idx = {}),
    .doc =
        "Sums, means or maxima (`mode`) of the rows of `weight` for each bag of positions: the rows of `input`, or parts of a vector "
        "that start at `offsets`; with include_last_offset the last one is the end. An empty bag gives zeros. The row `padding_idx` does not count; "
        "per_sample_weights, for mode \"sum\", multiply rows.",
    .family = Family::index, .home = "nn.functional", .method = false,
    .samples =
        "embedding_bag(I(5, 2, 3), A(5, 4)); embedding_bag(I(5, 6), A(5, 4), tensor([0, 2, 2]), mode='sum', "
        "per_sample_weights=A(6)); embedding_bag(I(5, 6), A(5, 4), tensor([0, 2, 6]), mode='max', "
        "include_last_offset=True); embedding_bag(I(5, 2, 3), A(5, 4), padding_idx=1)",
    .integers = false) {
  static_cast<void>(sparse);
  check_table(input, weight, "embedding_bag");
  if (mode != "sum" && mode != "mean" && mode != "max")
    fail<ValueError>(ErrorCode::invalid_value, "embedding_bag: mode is '{}'", mode)
        .hint("mode=\"sum\", \"mean\" or \"max\"")
        .raise();
  if (per_sample_weights && (mode != "sum" || per_sample_weights->shape() != input.shape()))
    fail<ValueError>(ErrorCode::invalid_value,
                     "embedding_bag: per_sample_weights go with mode=\"sum\", one for each position")
        .detail("input", describe(input))
        .detail("per_sample_weights", describe(*per_sample_weights))
        .raise();
  if (mode == "max" && scale_grad_by_freq)
    fail<ValueError>(ErrorCode::invalid_value, "embedding_bag: scale_grad_by_freq has no meaning for maxima")
        .raise();
  if (input.rank() == 2 ? offsets.has_value() : !offsets.has_value() || input.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "embedding_bag: takes positions [bags, size], or [positions] with offsets [bags]")
        .detail("input", describe(input))
        .raise();
  if (offsets && (offsets->rank() != 1 || !is_integer(offsets->dtype()) ||
                  (include_last_offset && offsets->size(0) == 0)))
    fail<ShapeError>(ErrorCode::wrong_rank, "embedding_bag: offsets are a vector of integers")
        .detail("offsets", describe(*offsets))
        .raise();
  const std::int64_t padding = padding_row(padding_idx, weight, "embedding_bag");
  const Tensor rows = widened(
      look_up(input, weight, {padding_idx, max_norm, norm_type, scale_grad_by_freq}, "embedding_bag"));
  const DType dtype = rows.dtype();
  const Tensor counts =
      padding < 0 ? ones(input.shape(), dtype, input.device()) : ne(input, padding).to(dtype);
  Tensor weighted = per_sample_weights ? mul(rows, unsqueeze(*per_sample_weights, -1)) : rows;
  const double lowest = -std::numeric_limits<double>::infinity();
  if (padding >= 0) weighted = where(gt(unsqueeze(counts, -1), 0), weighted, mode == "max" ? lowest : 0.0);
  // [bags, width] and the number of rows that count, [bags].
  Tensor bags, sizes;
  if (!offsets) {
    sizes = sum(counts, DimList(1));
    if (mode != "max") bags = sum(weighted, DimList(1));
    else if (input.size(1) > 0) bags = amax(weighted, DimList(1));
    else bags = zeros({input.size(0), weight.size(1)}, dtype, input.device());
  } else {
    const std::int64_t bag_count = offsets->size(0) - (include_last_offset ? 1 : 0);
    const Tensor starts = narrow(*offsets, 0, 0, bag_count).to(DType::int64);
    const Tensor positions = arange(0, input.size(0), 1, DType::int64, input.device());
    // Positions before the first offset or behind the last one belong to no bag: they go to one that is cut off.
    Tensor bag_of = sub(searchsorted(starts, positions, false, true), 1);
    if (include_last_offset) bag_of = where(lt(positions, select(*offsets, 0, bag_count)), bag_of, bag_count);
    bag_of = where(lt(bag_of, 0), bag_count, bag_of);
    const Tensor nothing = zeros({bag_count + 1, weight.size(1)}, dtype, input.device());
    sizes =
        narrow(index_add(zeros({bag_count + 1}, dtype, input.device()), 0, bag_of, counts), 0, 0, bag_count);
    if (mode == "max") {
      const Tensor index = expand(unsqueeze(bag_of, 1), weighted.shape());
      bags = scatter_reduce(nothing, 0, index, weighted, "amax", false);
    } else {
      bags = index_add(nothing, 0, bag_of, weighted);
    }
    bags = narrow(bags, 0, 0, bag_count);
  }
  if (mode == "mean") bags = div(bags, unsqueeze(clamp_min(sizes, 1.0), 1));
  if (mode == "max") bags = where(gt(unsqueeze(sizes, 1), 0), bags, 0);
  return is_half(weight.dtype()) && (!per_sample_weights || is_half(per_sample_weights->dtype()))
             ? bags.to(weight.dtype())
             : bags;
}

}  // namespace phlox
