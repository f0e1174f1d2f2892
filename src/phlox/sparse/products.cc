#include "phlox/sparse/products.h"

#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/sparse_product.h"

namespace phlox {
namespace {

bool is_half(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

}  // namespace

Tensor sparse_product(const Tensor& positions, const Tensor& values, const Tensor& matrix,
                      std::int64_t rows) {
  const DType dtype = promote(values.dtype(), matrix.dtype());
  if (is_half(dtype))
    return sparse_product(positions, values.to(DType::float32), matrix.to(DType::float32), rows).to(dtype);
  if (dtype == DType::float32 || dtype == DType::float64)
    return apply_sparse_product(positions, values.to(dtype), matrix.to(dtype), rows);
  const Tensor picked = index_select(matrix, 0, select(positions, 0, 1));
  return segment_sum(mul(picked, unsqueeze(values, 1)), select(positions, 0, 0), rows);
}

Tensor sampled_product(const Tensor& positions, const Tensor& a, const Tensor& b) {
  const Tensor left = index_select(a, 0, select(positions, 0, 0)),
               right = index_select(b, 0, select(positions, 0, 1));
  return sum(mul(left, right), 1);
}

}  // namespace phlox
