// The primitives `fill` and `arange`: tensors from numbers.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// A row-major tensor with one value everywhere.
Tensor apply_fill(const Shape& shape, const Scalar& value, DType dtype, Device device);
// start, start + step, ...: `count` numbers, computed in 64 bits (floating dtypes in f64).
Tensor apply_arange(const Scalar& start, const Scalar& step, std::int64_t count, DType dtype, Device device);

// tensor({1, 2, 3}), tensor({{1.0, 2.0}, {3.0, 4.0}}): integers give int64, floats the default dtype, bools
// bool.
template <class T>
concept Number = std::is_arithmetic_v<T>;

namespace detail {
// Values of C++ types as a tensor of the dtype that the literals mean.
template <Number T>
Tensor tensor_from(const std::vector<T>& values, const Shape& shape, const TensorOptions& options) {
  const DType natural = std::is_same_v<T, bool> ? DType::bool_
                        : std::is_integral_v<T> ? DType::int64
                                                : default_dtype();
  Tensor result =
      make_tensor(shape, options.dtype.value_or(natural), options.device.value_or(default_device()));
  auto* target = static_cast<char*>(result.impl()->address());
  for (std::size_t i = 0; i < values.size(); ++i)
    Scalar(static_cast<T>(values[i]))
        .store(result.dtype(), target + i * static_cast<std::size_t>(element_size(result.dtype())));
  if (options.requires_grad) result.set_requires_grad();
  return result;
}
[[noreturn]] void throw_ragged();
}  // namespace detail

template <Number T>
Tensor tensor(T value, const TensorOptions& options = {}) {
  return Tensor(Scalar(value), options);
}
template <Number T>
Tensor tensor(std::initializer_list<T> values, const TensorOptions& options = {}) {
  return detail::tensor_from(std::vector<T>(values), {static_cast<std::int64_t>(values.size())}, options);
}
template <Number T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& options = {}) {
  return detail::tensor_from(values, {static_cast<std::int64_t>(values.size())}, options);
}
// Throws ShapeError when the rows differ in length.
template <Number T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> rows, const TensorOptions& options = {}) {
  std::vector<T> values;
  const std::size_t columns = rows.size() ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != columns) detail::throw_ragged();
    values.insert(values.end(), row.begin(), row.end());
  }
  return detail::tensor_from(
      values, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns)}, options);
}
template <Number T>
Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> blocks,
              const TensorOptions& options = {}) {
  std::vector<T> values;
  const std::size_t rows = blocks.size() ? blocks.begin()->size() : 0;
  const std::size_t columns = rows ? blocks.begin()->begin()->size() : 0;
  for (const auto& block : blocks) {
    if (block.size() != rows) detail::throw_ragged();
    for (const auto& row : block) {
      if (row.size() != columns) detail::throw_ragged();
      values.insert(values.end(), row.begin(), row.end());
    }
  }
  return detail::tensor_from(values,
                             {static_cast<std::int64_t>(blocks.size()), static_cast<std::int64_t>(rows),
                              static_cast<std::int64_t>(columns)},
                             options);
}

}  // namespace phlox
