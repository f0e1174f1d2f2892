// Choices, positions and powers: index arithmetic that ends in a table.
#include <algorithm>
#include <numeric>

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/check.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(Tensor, combinations,
                (const Tensor& input, std::int64_t r = 2, bool with_replacement = false),
                .doc = "All choices of `r` elements of a vector, one a row, in the order of their positions.",
                .family = Family::index,
                .samples = "combinations(A(4)); combinations(A(4), 3); combinations(A(3), 2, True)",
                .reference =
                    "np.array(list(__import__('itertools').combinations_with_replacement(input, r) if "
                    "with_replacement else __import__('itertools').combinations(input, r)))") {
  if (input.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "combinations: takes a vector")
        .detail("input", describe(input))
        .raise();
  if (r < 0) fail<ValueError>(ErrorCode::invalid_value, "combinations: r is {}", r).raise();
  const std::int64_t n = input.size(0);
  if (r == 0) return zeros({0}, input.dtype(), input.device());
  Integers positions, row(static_cast<std::size_t>(r));
  if (!with_replacement) std::iota(row.begin(), row.end(), 0);
  // The largest position that column i may hold.
  const auto last = [&](std::int64_t i) { return with_replacement ? n - 1 : n - r + i; };
  for (bool more = row.back() < n && last(0) >= 0; more;) {
    positions.insert(positions.end(), row.begin(), row.end());
    std::int64_t i = r - 1;
    while (i >= 0 && row[static_cast<std::size_t>(i)] == last(i)) --i;
    more = i >= 0;
    if (!more) break;
    std::int64_t next = row[static_cast<std::size_t>(i)] + 1;
    for (; i < r; ++i) {
      row[static_cast<std::size_t>(i)] = next;
      next += !with_replacement;
    }
  }
  const auto rows = static_cast<std::int64_t>(positions.size()) / r;
  const Tensor index = from_values<std::int64_t>(positions, {rows * r}).to(input.device());
  return reshape(index_select(input, 0, index), {rows, r});
}

PHLOX_OPERATION(
    Tensor, vander, (const Tensor& x, OptionalInt N = {}, bool increasing = false),
    .doc = "The powers of the elements of a vector, one element a row: from N - 1 to 0, or `increasing`.",
    .family = Family::matmul, .method = false,
    .samples = "vander(A(4)); vander(P(3), 4, True); vander(A(3), 1)",
    .reference = "np.vander(x, N, increasing)") {
  if (x.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "vander: takes a vector").detail("x", describe(x)).raise();
  const std::int64_t count = N.value_or(x.size(0));
  if (count < 0) fail<ValueError>(ErrorCode::invalid_value, "vander: N is {}", count).raise();
  const Tensor exponents = arange(count, {}, 1, DType::int64, x.device());
  return pow(unsqueeze(x, 1), increasing ? exponents : flip(exponents, DimList(0)));
}

PHLOX_OPERATION(
    TensorList, unravel_index, (const Tensor& indices, const Shape& shape),
    .doc = "The positions along each dimension of `shape` that belong to positions in row-major order.",
    .family = Family::index, .method = false,
    .samples = "unravel_index(I(24, 3, 2), (2, 3, 4)); unravel_index(I(5), (5,))",
    .reference = "list(np.unravel_index(indices, shape))", .differentiable = false) {
  if (!is_integer(indices.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "unravel_index: takes integers, not {}",
                     info(indices.dtype()).name)
        .detail("indices", describe(indices))
        .raise();
  const std::int64_t count = element_count(shape);
  Tensor rest = indices.to(DType::int64);
  const Tensor outside = any(logical_or(lt(rest, 0), ge(rest, count)));
  if (thread_mode.interpreter_count)
    rest = apply_check(rest, logical_not(outside), CheckError::index,
                       "unravel_index: a position is outside of [" + to_string(shape) + "]");
  else if (outside.item<bool>())
    fail<IndexError>(ErrorCode::index_out_of_range,
                     "unravel_index: a position is outside of [{}], of {} elements", to_string(shape), count)
        .detail("indices", describe(indices))
        .raise();
  TensorList positions(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    positions[d] = remainder(rest, shape[d]);
    rest = floor_divide(rest, shape[d]);
  }
  return positions;
}

PHLOX_OPERATION(Tensor, isin,
                (const Tensor& elements, const Tensor& test_elements, bool assume_unique = false,
                 bool invert = false),
                .doc = "Whether each element is among the test elements.", .family = Family::index,
                .method = false, .samples = "isin(I(9, 3, 4), I(9, 5)); isin(I(9, 4), I(9, 2), invert=True)",
                .reference = "np.isin(elements, test_elements, invert=invert)", .differentiable = false) {
  static_cast<void>(assume_unique);  // would save nothing
  if (test_elements.numel() == 0) return full(elements.shape(), invert, DType::bool_, elements.device());
  const Tensor sorted = std::get<0>(sort(ravel(test_elements.detach())));
  const Tensor place = clamp_max(searchsorted(sorted, elements.detach()), sorted.numel() - 1);
  const Tensor found = eq(take(sorted, place), elements);
  return invert ? logical_not(found) : found;
}

}  // namespace phlox
