#include "phlox/sparse/positions.h"

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"

namespace phlox {

Tensor numbers_of(const Tensor& positions, const Shape& shape) {
  element_count(shape);  // throws where it is beyond 64 bits
  Tensor numbers = select(positions, 0, 0);
  for (std::int64_t d = 1; d < shape.rank(); ++d)
    numbers = add(mul(numbers, shape[static_cast<std::size_t>(d)]), select(positions, 0, d));
  return numbers;
}

Tensor positions_of(const Tensor& numbers, const Shape& shape) {
  TensorList rows(shape.size());
  Tensor rest = numbers;
  for (std::size_t d = shape.size(); d-- > 1;) {
    const std::int64_t size = std::max<std::int64_t>(shape[d], 1);
    rows[d] = remainder(rest, size);
    rest = floor_divide(rest, size);
  }
  rows[0] = rest;
  return stack(rows, 0);
}

Tensor pointers_of(const Tensor& ascending_rows, std::int64_t count) {
  return searchsorted(ascending_rows, arange(count + 1, {}, 1, DType::int64, ascending_rows.device()));
}

Tensor rows_of(const Tensor& pointers, std::int64_t stored) {
  const Tensor ends = narrow(pointers, 0, 1, pointers.numel() - 1);
  return searchsorted(ends, arange(stored, {}, 1, DType::int64, pointers.device()), false, true);
}

Tensor elements_at(const Tensor& input, const Tensor& positions) {
  const TensorList rows = unbind(positions, 0);
  return index(input, std::vector<Index>(rows.begin(), rows.end()));
}

Tensor carrying_checks(const Tensor& checked) {
  return thread_mode.interpreter_count ? add(checked, 0) : checked;
}

Tensor begins_run(const Tensor& sorted) {
  const std::int64_t count = sorted.numel();
  if (count == 0) return zeros({0}, DType::bool_, sorted.device());
  return cat({ones({1}, DType::bool_, sorted.device()),
              ne(narrow(sorted, 0, 1, count - 1), narrow(sorted, 0, 0, count - 1))});
}

}  // namespace phlox
