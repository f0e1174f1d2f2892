#include "phlox/ops/linalg/matrices.h"

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/widened.h"

namespace phlox {

void check_matrix(const char* operation, const char* name, const Tensor& tensor) {
  if (tensor.rank() >= 2) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: {} needs at least 2 dimensions, not {}", operation, name,
                   tensor.rank())
      .detail(name, describe(tensor))
      .raise();
}

void check_square(const char* operation, const char* name, const Tensor& tensor) {
  check_matrix(operation, name, tensor);
  if (tensor.size(-1) == tensor.size(-2)) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: needs square matrices, not {} by {}", operation,
                   tensor.size(-2), tensor.size(-1))
      .detail(name, describe(tensor))
      .raise();
}

void throw_rows_differ(const char* operation, const Tensor& matrix, const Tensor& right_side) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: the right side does not fit the matrix", operation)
      .detail("A", describe(matrix))
      .detail("B", describe(right_side))
      .raise();
}

DType matrix_dtype(const char* operation, const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  if (is_half(dtype)) return widened(dtype);
  if (!has_matrix_routines(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floats and complex numbers, not {}", operation,
                     info(dtype).name)
        .detail("input", describe(tensor))
        .hint("<input>.to(px.float32)")
        .raise();
  return dtype;
}

Tensor as_matrices(const char* operation, const char* name, const Tensor& tensor) {
  check_matrix(operation, name, tensor);
  return tensor.to(matrix_dtype(operation, tensor));
}

Tensor as_square_matrices(const char* operation, const char* name, const Tensor& tensor) {
  check_square(operation, name, tensor);
  return tensor.to(matrix_dtype(operation, tensor));
}

void promote_matrices(const char* operation, Tensor& first, Tensor& second) {
  const DType dtype = promote(matrix_dtype(operation, first), matrix_dtype(operation, second));
  first = first.to(dtype);
  second = second.to(dtype);
}

Shape batch_shape(const Tensor& tensor, int count) {
  Shape shape = tensor.shape();
  shape.resize(shape.size() - static_cast<std::size_t>(count));
  return shape;
}

Tensor with_batch_shape(const Tensor& tensor, const Shape& batch, int count) {
  Shape shape = batch;
  for (int d = tensor.rank() - count; d < tensor.rank(); ++d) shape.push_back(tensor.size(d));
  return shape == tensor.shape() ? tensor : expand(tensor, shape);
}

void broadcast_batches(const char* operation, Tensor& first, Tensor& second, int first_count,
                       int second_count) {
  const Shape one = batch_shape(first, first_count), other = batch_shape(second, second_count);
  if (one == other) return;
  const Shape batch = broadcast_shapes(one, other, operation);
  first = with_batch_shape(first, batch, first_count);
  second = with_batch_shape(second, batch, second_count);
}

double rounding_unit(DType dtype) {
  switch (info(dtype).real) {
    case DType::float64: return 0x1p-52;
    case DType::float16: return 0x1p-10;
    case DType::bfloat16: return 0x1p-7;
    default: return 0x1p-23;
  }
}

Tensor unit_lower_triangle(const Tensor& matrix) {
  return add(tril(matrix, -1), eye(matrix.size(-2), matrix.size(-1), matrix.dtype(), matrix.device()));
}

TensorPair row_permutation(const Tensor& pivots, std::int64_t rows) {
  const TensorList both =
      apply_matrix_routine({.routine = MatrixRoutine::permutation, .size = rows}, {pivots});
  return {both[0], both[1]};
}

Tensor permutation_sign(const Tensor& pivots) {
  const Tensor own = arange(1, pivots.size(-1) + 1, 1, DType::int32, pivots.device());
  return prod(where(eq(pivots, own), 1, -1), DimList(-1));
}

Tensor take_rows(const Tensor& matrix, const Tensor& rows) {
  const Tensor index = unsqueeze(rows, -1);
  Shape shape = index.shape();
  shape[shape.size() - 1] = matrix.size(-1);
  const Shape batch = batch_shape(index);
  return gather(with_batch_shape(matrix, batch), -2, expand(index, shape));
}

Tensor unchecked_inverse(const Tensor& matrix) {
  return apply_matrix_routine({.routine = MatrixRoutine::inverse}, {matrix})[0];
}

}  // namespace phlox
