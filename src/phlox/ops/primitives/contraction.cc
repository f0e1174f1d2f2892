#include "phlox/ops/primitives/contraction.h"

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

// Transposed in memory: the rows lie next to each other.
bool is_column_major(const Tensor& matrix) {
  return matrix.stride(-2) == 1 && matrix.stride(-1) != 1 && matrix.size(-1) > 1;
}

Tensor transposed(const Tensor& matrix) { return transpose(matrix, -2, -1); }

// d(A B) = dA B + A dB, so the gradients are G Bᵀ and Aᵀ G, with conjugates of complex A and B. Each is computed in the memory order of its operand:
// a gradient that lies differently from its parameter would make every later pass over both slow.
class ContractionNode final : public GradientNode {
 public:
  ContractionNode(const Tensor& lhs, const Tensor& rhs, const OptionalTensor& bias)
      : GradientNode("matmul", bias ? 3 : 2),
        lhs_column_major_(is_column_major(lhs)),
        rhs_column_major_(is_column_major(rhs)) {
    edges()[0] = gradient_edge(lhs);
    edges()[1] = gradient_edge(rhs);
    if (bias) edges()[2] = gradient_edge(*bias);
    if (wants(0)) rhs_ = SavedTensor(rhs, this);
    if (wants(1)) lhs_ = SavedTensor(lhs, this);
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    if (wants(0)) {
      const Tensor rhs = conj(rhs_.get(*this));
      input_gradients[0] = lhs_column_major_ ? transposed(contract(rhs, transposed(gradient)))
                                             : contract(gradient, transposed(rhs));
    }
    if (wants(1)) {
      const Tensor lhs = conj(lhs_.get(*this));
      input_gradients[1] = rhs_column_major_ ? transposed(contract(transposed(gradient), lhs))
                                             : contract(transposed(lhs), gradient);
    }
    if (input_count() == 3 && wants(2))
      input_gradients[2] = sum(gradient, gradient.rank() == 2 ? DimList{0} : DimList{0, 1});
  }

  void release_saved() override {
    lhs_.release();
    rhs_.release();
  }
  bool released() const override { return lhs_.released() || rhs_.released(); }

 private:
  SavedTensor lhs_, rhs_;
  bool lhs_column_major_, rhs_column_major_;
};

TensorList evaluate_contraction(std::span<const Operand> inputs, const void*) {
  return {contract(inputs[0].tensor(), inputs[1].tensor(),
                   inputs.size() > 2 ? OptionalTensor(inputs[2].tensor()) : OptionalTensor())};
}
PHLOX_PRIMITIVE(contraction, 40, evaluate_contraction, NoAttributes);
void check_contraction(const PrimitiveCall& call) {
  call.takes(2, 3);
  const Tensor &lhs = call.tensor(0), &rhs = call.tensor(1);
  const DType dtype = lhs.dtype();
  call.require(is_computable(dtype) && dtype != DType::bool_, "it does not multiply {}", info(dtype).name);
  call.require_dtype("the right side", rhs, dtype);
  call.require((lhs.rank() == 2 || lhs.rank() == 3) && rhs.rank() == lhs.rank(),
               "the sides are not two matrices or two batches of them");
  call.require(lhs.rank() == 2 || lhs.size(0) == rhs.size(0), "the batches differ");
  call.require(lhs.size(-1) == rhs.size(-2), "the inner sizes are {} and {}", lhs.size(-1), rhs.size(-2));
  if (call.count() < 3) return;
  call.require_shape("the bias", call.tensor(2), {rhs.size(-1)});
  call.require_dtype("the bias", call.tensor(2), dtype);
}
PHLOX_PRIMITIVE_RULE(contraction, check_contraction);

// Samples are rows of one product where they share the right matrix, and one of a batch of products else.
TensorList batch_contraction(const BatchedCall& call) {
  const bool is_product = call.rank(0) == 2, shared_bias = call.has(2) && !call.is_batched(2);
  const OptionalTensor bias = shared_bias ? OptionalTensor(call.tensor(2)) : std::nullopt;
  Tensor result;
  if (is_product && !call.is_batched(1)) {
    result = unfold_batch(contract(fold_batch(call.batched(0)), call.tensor(1), bias), call.batch());
  } else if (is_product) {
    result = contract(call.batched(0), call.batched(1), bias);
  } else {
    result =
        unfold_batch(contract(fold_batch(call.batched(0)), fold_batch(call.batched(1)), bias), call.batch());
  }
  if (call.is_batched(2)) result = add(result, with_sample_rank(call.tensor(2), call.rank(0)));
  return {result};
}
PHLOX_BATCHING_RULE(contraction, batch_contraction);

}  // namespace

Tensor contract(const Tensor& lhs, const Tensor& rhs, const OptionalTensor& bias) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand inputs[] = {lhs, rhs, bias ? Operand(*bias) : Operand(0)};
    return interpret(contraction_primitive, {inputs, bias ? std::size_t{3} : std::size_t{2}}, nullptr)[0];
  }
  Shape shape = lhs.shape();
  shape[shape.size() - 1] = rhs.size(-1);
  Tensor output = make_tensor(shape, lhs.dtype(), lhs.device());
  device_kernels(lhs.device())
      .contraction({lhs.impl(), rhs.impl(), bias ? bias->impl() : nullptr, output.impl()});
  if (needs_gradient(lhs) || needs_gradient(rhs) || (bias && needs_gradient(*bias))) {
    set_history(output, Reference<GradientNode>::adopt(new ContractionNode(lhs, rhs, bias)));
  }
  return output;
}

}  // namespace phlox
