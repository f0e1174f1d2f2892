// Arithmetic on the positions of stored elements.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// The number of each position int64[dims, n] in row-major order of this shape: int64[n]. Throws ShapeError where
// numbers would not fit into 64 bits.
Tensor numbers_of(const Tensor& positions, const Shape& shape);
// The reverse.
Tensor positions_of(const Tensor& numbers, const Shape& shape);

// Where each of `count` rows begins among ascending row numbers, and the end: int64[count + 1].
Tensor pointers_of(const Tensor& ascending_rows, std::int64_t count);
// The row of each of `stored` elements: the reverse.
Tensor rows_of(const Tensor& pointers, std::int64_t stored);

// The elements, or slices, of a dense tensor at positions int64[dims, n] in its first dimensions: [n, ...].
Tensor elements_at(const Tensor& input, const Tensor& positions);

// False for what a captured or batched function computes: shapes cannot depend on the values of such a tensor.
inline bool has_values(const Tensor& tensor) { return tensor.impl()->has_data() || tensor.numel() == 0; }

// A checked tensor as one in memory of its own while a function is captured: views of the same memory that were taken
// before a check do not carry it.
Tensor carrying_checks(const Tensor& checked);

// Which of the sorted numbers differ from the one before: bool[n]; the first does.
Tensor begins_run(const Tensor& sorted);

}  // namespace phlox
