// Sequences of different lengths in one batch, and sets of classes.
#include "phlox/ops/checked_positions.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(
    Tensor, sequence_mask, (const Tensor& lengths, OptionalInt maxlen = {}, OptionalDType dtype = {}),
    .doc =
        "True at the first lengths[i] of `maxlen` positions: [...,maxlen]. Without maxlen as many positions as "
        "the longest has. Of `dtype`, by default bool.",
    .family = Family::index, .method = false,
    .samples = "sequence_mask(I(5, 4), 5); sequence_mask(I(5, 2, 3), 3)",
    .reference = "np.arange(maxlen) < lengths[..., None]", .differentiable = false) {
  if (!is_integer(lengths.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "sequence_mask: lengths are integers, not {}",
                     info(lengths.dtype()).name)
        .detail("lengths", describe(lengths))
        .raise();
  std::int64_t size = 0;
  if (maxlen) size = *maxlen;
  else if (lengths.numel() > 0) size = std::max<std::int64_t>(amax(lengths).item<std::int64_t>(), 0);
  if (size < 0) fail<ValueError>(ErrorCode::invalid_value, "sequence_mask: maxlen is {}", size).raise();
  const Tensor positions = arange(size, {}, 1, DType::int64, lengths.device());
  return lt(positions, unsqueeze(lengths, -1)).to(dtype.value_or(DType::bool_));
}

PHLOX_OPERATION(
    Tensor, reverse_sequence,
    (const Tensor& input, const Tensor& seq_lengths, std::int64_t seq_axis = 1, std::int64_t batch_axis = 0),
    .doc =
        "Turns the first seq_lengths[i] positions of dimension `seq_axis` round, in slice i of `batch_axis`; "
        "those behind stay. Raises IndexError for a length that is negative or larger than the dimension.",
    .family = Family::index, .method = false,
    .samples = "reverse_sequence(A(3, 5), I(6, 3)); reverse_sequence(A(4, 3, 2), I(5, 3), 0, 1)",
    .complex = true) {
  const int along = normalize_dim(seq_axis, input.rank(), "reverse_sequence");
  const int batch = normalize_dim(batch_axis, input.rank(), "reverse_sequence");
  if (input.rank() < 2 || along == batch)
    fail<ShapeError>(ErrorCode::wrong_rank, "reverse_sequence: seq_axis and batch_axis are two dimensions")
        .detail("input", describe(input))
        .raise();
  if (seq_lengths.shape() != Shape{input.size(batch)})
    fail<ShapeError>(ErrorCode::sizes_differ, "reverse_sequence: one length for each of {} slices is needed",
                     input.size(batch))
        .detail("input", describe(input))
        .detail("seq_lengths", describe(seq_lengths))
        .raise();
  const std::int64_t size = input.size(along);
  const auto rank = static_cast<std::size_t>(input.rank());
  Shape column(rank, 1), row(rank, 1);
  column[static_cast<std::size_t>(batch)] = -1;
  row[static_cast<std::size_t>(along)] = size;
  const Tensor lengths =
      reshape(checked_positions(seq_lengths, 0, size + 1, "seq_lengths", "reverse_sequence"), column);
  const Tensor position = reshape(arange(size, {}, 1, DType::int64, input.device()), row);
  const Tensor from = where(lt(position, lengths), sub(sub(lengths, 1), position), position);
  return gather(input, along, broadcast_to(from, input.shape()));
}

PHLOX_OPERATION(
    Tensor, multi_hot, (const Tensor& input, std::int64_t num_classes, OptionalDType dtype = {}),
    .doc =
        "For each set of class numbers, the last dimension, a row with a one at each of them: "
        "[...,num_classes], by default in the default dtype. -1 stands for no class; other numbers outside of "
        "the classes raise IndexError.",
    .family = Family::index, .method = false, .samples = "multi_hot(I(5, 3, 2), 5); multi_hot(I(4, 3), 4)",
    .reference = "np.eye(num_classes)[np.atleast_1d(input)].max(-2)", .differentiable = false) {
  if (num_classes < 0)
    fail<ValueError>(ErrorCode::invalid_value, "multi_hot: num_classes is {}", num_classes).raise();
  const Tensor classes = atleast_1d(checked_positions(input, -1, num_classes, "input", "multi_hot"));
  const Tensor numbers = arange(num_classes, {}, 1, DType::int64, input.device());
  return any(eq(unsqueeze(classes, -1), numbers), DimList(-2)).to(dtype.value_or(default_dtype()));
}

PHLOX_OPERATION(
    Tensor, in_top_k, (const Tensor& targets, const Tensor& predictions, std::int64_t k),
    .doc =
        "Whether the prediction for the class targets[i] is among the k largest of row i of `predictions`; "
        "those that equal the k-th count too. False where the prediction is not finite. Raises IndexError for "
        "a class that has no prediction.",
    .family = Family::sort, .method = false,
    .samples = "in_top_k(I(5, 3), A(3, 5), 2); in_top_k(I(5, 3), A(3, 5), 1)",
    .reference = "(predictions > np.take_along_axis(predictions, targets[:, None], 1)).sum(1) < k",
    .differentiable = false) {
  if (predictions.rank() != targets.rank() + 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "in_top_k: predictions have one dimension more than targets")
        .detail("targets", describe(targets))
        .detail("predictions", describe(predictions))
        .raise();
  const Tensor classes = checked_positions(targets, 0, predictions.size(-1), "targets", "in_top_k");
  const Tensor values = predictions.detach();
  const Tensor chosen = gather(values, -1, unsqueeze(classes, -1));
  const Tensor larger = sum(gt(values, chosen), DimList(-1));
  return logical_and(lt(larger, k), isfinite(squeeze(chosen, DimList(-1))));
}

}  // namespace phlox
