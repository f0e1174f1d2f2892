// What the operations of linear algebra share: checks of matrices, batches that broadcast, permutations.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// Throws ShapeError unless the tensor has at least two dimensions, or the last two agree.
void check_matrix(const char* operation, const char* name, const Tensor& tensor);
void check_square(const char* operation, const char* name, const Tensor& tensor);
// Matrices, whose rows are as many as the right side needs.
[[noreturn]] void throw_rows_differ(const char* operation, const Tensor& matrix, const Tensor& right_side);

// The dtype that matrices are factorised in: f32 for halves. Throws DTypeError for integers.
DType matrix_dtype(const char* operation, const Tensor& tensor);
// As matrices in that dtype, checked.
Tensor as_matrices(const char* operation, const char* name, const Tensor& tensor);
Tensor as_square_matrices(const char* operation, const char* name, const Tensor& tensor);
// Both in one dtype.
void promote_matrices(const char* operation, Tensor& first, Tensor& second);

// The sizes before the last `count` dimensions.
Shape batch_shape(const Tensor& tensor, int count = 2);
// The last `count` dimensions behind this batch; broadcast where they are not.
Tensor with_batch_shape(const Tensor& tensor, const Shape& batch, int count = 2);
// Brings both to the batch that they broadcast to; their last `first_count` and `second_count` dimensions stay.
void broadcast_batches(const char* operation, Tensor& first, Tensor& second, int first_count = 2,
                       int second_count = 2);

// The distance from 1 to the next larger number of the dtype, or of its real part.
double rounding_unit(DType dtype);

// The strict lower triangle with ones on the diagonal.
Tensor unit_lower_triangle(const Tensor& matrix);
// From row exchanges as LAPACK counts them, int32[..., k] from 1: row i of PᵀA is row `first[i]` of A; and the inverse.
TensorPair row_permutation(const Tensor& pivots, std::int64_t rows);
// 1 or -1, int64[...]: the determinant of the exchanges.
Tensor permutation_sign(const Tensor& pivots);
// Row rows[..., i] of the matrix as row i.
Tensor take_rows(const Tensor& matrix, const Tensor& rows);
// Infinities and NaN where a matrix has none.
Tensor unchecked_inverse(const Tensor& matrix);

}  // namespace phlox
