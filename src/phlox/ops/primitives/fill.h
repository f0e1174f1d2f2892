// What the primitive `fill` carries: a tensor of one value.
#pragma once

#include "phlox/core/arguments.h"

namespace phlox {

struct FillAttributes {
  Shape shape;
  Scalar value;
  DType dtype = DType::float32;
  Device device;
  template <class Visitor>
  void visit(Visitor& v) {
    v("shape", shape), v("value", value), v("dtype", dtype), v("device", device);
  }
};

}  // namespace phlox
