#include <phlox/extension/extension.h>

using namespace phlox::extension;

struct SoftLog : Unary<1> {
  static constexpr auto body(auto x, auto scale) {
    return select(x > 0.0, log1p(x * scale), -log1p(-x * scale));
  }
};
PHLOX_EXTENSION_POINTWISE(softlog, SoftLog, "(Tensor input, float scale = 1.0)",
                          "Logarithm that keeps the sign.")
