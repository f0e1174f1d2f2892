#include "phlox/core/recording.h"
#include "phlox/ops/device_kernels.h"
namespace phlox {
class TempNode final : public GradientNode {
 public:
  explicit TempNode(const Tensor& x) : GradientNode("to", 1), d_(x.dtype()) { edges()[0] = gradient_edge(x); }
  void backward(std::span<const Tensor> o, std::span<Tensor> i) override { i[0] = o[0].to(d_); }
  void release_saved() override {}
  DType d_;
};
Tensor Tensor::to(DType dtype, bool) const {
  if (dtype == this->dtype()) return *this;
  Tensor r = make_tensor(shape(), dtype);
  device_kernels(device()).convert(*impl(), *r.impl());
  if (is_differentiable(dtype) && needs_gradient(*this)) set_history(r, Reference<GradientNode>::adopt(new TempNode(*this)));
  return r;
}
}
