// The pooling primitives. Tensors are [batch, channels, spatial...] with 1 to 3 spatial dimensions; channels-last
// stays channels-last.
#pragma once

#include <tuple>

#include "phlox/core/tensor.h"

namespace phlox {

// Where the windows lie. Lists have one entry a spatial dimension.
struct PoolGeometry {
  Shape output;           // spatial sizes of the result
  bool adaptive = false;  // windows that divide the input evenly; then the lists below are empty
  IntList kernel, stride, padding, dilation;
  // Averages: the window's size counts the padding it covers, or is this number when it is not 0.
  bool count_padding = true;
  double divisor = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("output", output), v("adaptive", adaptive), v("kernel", kernel), v("stride", stride),
        v("padding", padding);
    v("dilation", dilation), v("count_padding", count_padding), v("divisor", divisor);
  }

  struct Window {
    std::int64_t first, last, step;  // positions inside the input
    std::int64_t count;              // what an average divides by
  };
  // The window of output position `position` in spatial dimension `dim`, over an input of `size` there.
  Window window(int dim, std::int64_t position, std::int64_t size) const;
};

// The largest element of each window, NaN above all, and where it was: the row-major position within the spatial
// dimensions, int32. Differentiable with respect to the values.
TensorPair max_pool(const Tensor& input, const PoolGeometry& geometry);
// The mean of each window. Differentiable.
Tensor average_pool(const Tensor& input, const PoolGeometry& geometry);

// What a device must do.
enum class MaxPoolTask : std::uint8_t {
  select,   // output, indices from input
  scatter,  // input from output, indices: zeros, and each output element added at its index
  gather,   // output from input, indices
};
struct MaxPoolCall {
  MaxPoolTask task;
  TensorImpl* input;
  TensorImpl* output;
  TensorImpl* indices;  // int32, in the memory order of the output
  const PoolGeometry* geometry;
};
struct AveragePoolCall {
  bool transposed;  // input from output: each output element spread over its window
  TensorImpl* input;
  TensorImpl* output;
  const PoolGeometry* geometry;
};

}  // namespace phlox
