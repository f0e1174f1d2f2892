// Tensors in formulas: x * 2.0 + y, 1 - x, -x, x += y. Each is the operation of the same meaning; see there for
// promotion, broadcasting and errors. Comparisons are functions (lt, eq, ...), because their results are tensors.
#pragma once

#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {

#define PHLOX_OPERATOR(symbol, operation)                                                              \
  inline Tensor operator symbol(const Tensor& x, const Operand& y) { return operation(x, y); }         \
  inline Tensor operator symbol(const Scalar& x, const Tensor& y) { return operation(Operand(x), y); } \
  inline const Tensor& operator symbol## = (const Tensor& x, const Operand& y) { return x.operation##_(y); }
PHLOX_OPERATOR(+, add)
PHLOX_OPERATOR(-, sub)
PHLOX_OPERATOR(*, mul)
PHLOX_OPERATOR(/, div)
#undef PHLOX_OPERATOR
inline Tensor operator-(const Tensor& x) { return neg(x); }

}  // namespace phlox
