#include "phlox/math/expression.h"

#include "phlox/base/error.h"

namespace phlox::math {

void throw_too_many_nodes() {
  fail<NotSupportedError>(ErrorCode::not_supported,
                          "a pointwise expression, or a derivative of it, is too large")
      .hint("split the computation into several operations")
      .raise();
}

}  // namespace phlox::math
