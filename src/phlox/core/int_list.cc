#include "phlox/core/int_list.h"

#include <fmt/format.h>

#include "phlox/base/error.h"

namespace phlox {

void throw_too_many_dimensions(std::int64_t count) {
  fail<ShapeError>(ErrorCode::too_many_dimensions, "{} dimensions are more than the largest number, {}",
                   count, max_rank)
      .raise();
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool overflow = false, empty = false;
  for (std::int64_t size : shape) {
    if (size < 0)
      fail<ShapeError>(ErrorCode::invalid_value, "a shape has the negative size {}", size)
          .detail("shape", fmt::format("[{}]", to_string(shape)))
          .raise();
    if (size == 0) empty = true;
    overflow |= __builtin_mul_overflow(count, size, &count);
  }
  if (empty) return 0;
  if (overflow)
    fail<ShapeError>(ErrorCode::invalid_value, "the shape {} has more elements than 63 bits can count",
                     to_string(shape))
        .raise();
  return count;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides;
  strides.resize(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* operation) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  std::size_t shift = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& size = result[shift + i];
    if (size == 1) {
      size = shorter[i];
    } else if (shorter[i] != 1 && shorter[i] != size) {
      auto position = static_cast<std::int64_t>(shift + i);
      fail<ShapeError>(ErrorCode::shapes_do_not_broadcast,
                       "{}: sizes {} and {} of dimension {} do not broadcast", operation,
                       a[a.size() - (longer.size() - shift - i)], b[b.size() - (longer.size() - shift - i)],
                       position)
          .detail("lhs", fmt::format("[{}]", to_string(a)))
          .detail("rhs", fmt::format("[{}]", to_string(b)))
          .hint("sizes must be equal or 1, counted from the last dimension; unsqueeze or reshape one side")
          .raise();
    }
  }
  return result;
}

int normalize_dim(std::int64_t dim, int rank, const char* operation) {
  // A 0-d tensor is treated as if it had one dimension.
  std::int64_t bound = std::max(rank, 1);
  if (dim < -bound || dim >= bound)
    fail<ShapeError>(ErrorCode::dimension_out_of_range,
                     "{}: dimension {} does not exist in a tensor of {} dimensions", operation, dim, rank)
        .detail("allowed", fmt::format("{} to {}", -bound, bound - 1))
        .raise();
  return static_cast<int>(dim < 0 ? dim + bound : dim);
}

Dims normalize_dims(const Dims& dims, int rank, const char* operation, bool empty_means_all) {
  Dims result;
  if (dims.empty() && empty_means_all) {
    for (int i = 0; i < rank; ++i) result.push_back(i);
    return result;
  }
  for (std::int64_t dim : dims) {
    int normal = normalize_dim(dim, rank, operation);
    if (result.contains(normal))
      fail<ShapeError>(ErrorCode::duplicate_dimension, "{}: dimension {} is named twice", operation, normal)
          .raise();
    result.push_back(normal);
  }
  return result;
}

std::string to_string(const IntList& values) {
  return fmt::format("{}", fmt::join(values.begin(), values.end(), ","));
}

}  // namespace phlox
