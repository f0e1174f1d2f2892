#include "phlox/ops/sum_to_shape.h"

#include "phlox/ops/functions.h"

namespace phlox {

Tensor sum_to_shape(const Tensor& tensor, const Shape& shape) {
  if (tensor.shape() == shape) return tensor;
  const int missing = tensor.rank() - shape.rank();
  DimList added, stretched;
  for (int d = 0; d < missing; ++d) added.push_back(d);
  for (int d = missing; d < tensor.rank(); ++d)
    if (shape[static_cast<std::size_t>(d - missing)] == 1 && tensor.size(d) != 1) stretched.push_back(d);
  const DType dtype = tensor.dtype();
  Tensor result = tensor;
  if (!stretched.empty()) result = sum(result, stretched, true, dtype);
  if (!added.empty()) result = sum(result, added, false, dtype);
  return result;
}

}  // namespace phlox
