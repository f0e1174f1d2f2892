// Gradients of scattered products and extremes.
#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/gather.h"

namespace phlox {
namespace {

class ScatterReduceNode final : public GradientNode {
 public:
  ScatterReduceNode(const Tensor& base, int dim, const Tensor& index, const Tensor& src, const Tensor& result,
                    ScatterMode mode)
      : GradientNode("scatter_reduce", 2),
        dim_(dim),
        mode_(mode),
        base_(base, this),
        index_(index, this),
        src_(src, this),
        result_(result.detach(), this) {
    edges()[0] = gradient_edge(base);
    edges()[1] = gradient_edge(src);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (!output_gradients[0].defined()) return;
    const Tensor base = base_.get(*this), index = index_.get(*this), src = src_.get(*this);
    if (mode_ == ScatterMode::multiply)
      product(output_gradients[0], conj(base), index, conj(src), input_gradients);
    else extreme(output_gradients[0], base, index, src, input_gradients);
  }
  void release_saved() override {
    for (SavedTensor* saved : {&base_, &index_, &src_, &result_}) saved->release();
  }
  bool released() const override { return base_.released(); }

 private:
  // Equal extremes share the gradient.
  void extreme(const Tensor& gradient, const Tensor& base, const Tensor& index, const Tensor& src,
               std::span<Tensor> results) {
    const Tensor best = result_.get(*this);
    const Tensor from_base = eq(base, best).to(gradient.dtype());
    const Tensor from_src = eq(src, apply_gather(best, dim_, index)).to(gradient.dtype());
    const Tensor share =
        div(gradient, clamp_min(apply_scatter(from_base, dim_, index, from_src, ScatterMode::add), 1));
    if (wants(0)) results[0] = mul(share, from_base);
    if (wants(1)) results[1] = mul(apply_gather(share, dim_, index), from_src);
  }
  // The product of all other factors, without dividing by a zero. One other zero is a factor by itself, since the product
  // has a derivative there.
  void product(const Tensor& gradient, const Tensor& base, const Tensor& index, const Tensor& src,
               std::span<Tensor> results) {
    if (wants(0)) results[0] = mul(gradient, scatter_reduce(ones_like(base), dim_, index, src, "prod"));
    if (!wants(1)) return;
    const Tensor zero = zeros({}, src.dtype(), src.device()), one = ones({}, src.dtype(), src.device());
    const Tensor is_zero = eq(src, 0);
    const Tensor factors = phlox::where(is_zero, one, src);
    const auto of_place = [&](const Tensor& values) {
      return apply_gather(apply_scatter(zeros_like(base), dim_, index, values, ScatterMode::add), dim_,
                          index);
    };
    const Tensor own_zero = phlox::where(is_zero, src, zero), is_own = is_zero.to(src.dtype());
    const Tensor other_zeros = sub(of_place(is_own), is_own), other_zero = sub(of_place(own_zero), own_zero);
    const Tensor others =
        div(apply_gather(scatter_reduce(base, dim_, index, factors, "prod"), dim_, index), factors);
    const Tensor by_zeros =
        phlox::where(eq(other_zeros, 0), one, phlox::where(eq(other_zeros, 1), other_zero, zero));
    results[1] = mul(apply_gather(gradient, dim_, index), mul(others, by_zeros));
  }

  int dim_;
  ScatterMode mode_;
  SavedTensor base_, index_, src_, result_;
};

}  // namespace

Reference<GradientNode> scatter_reduction_node(const Tensor& data, int dim, const Tensor& index,
                                               const Tensor& values, const Tensor& result, ScatterMode mode) {
  return Reference<GradientNode>::adopt(new ScatterReduceNode(data, dim, index, values, result, mode));
}

}  // namespace phlox
