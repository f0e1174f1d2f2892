#include "phlox/ops/primitives/sparse_product.h"

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

struct SparseProductAttributes {
  std::int64_t rows = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("rows", rows);
  }
};

TensorList evaluate_sparse_product(std::span<const Operand> inputs, const void* attributes) {
  return {apply_sparse_product(inputs[0].tensor(), inputs[1].tensor(), inputs[2].tensor(),
                               static_cast<const SparseProductAttributes*>(attributes)->rows)};
}
PHLOX_PRIMITIVE(sparse_product, 51, evaluate_sparse_product, SparseProductAttributes);
void check_sparse_product(const PrimitiveCall& call) {
  call.takes(3);
  const Tensor &positions = call.tensor(0), &values = call.tensor(1), &matrix = call.tensor(2);
  call.require(values.rank() == 1 && matrix.rank() == 2, "the values are a vector, and the matrix is one");
  call.require_dtype("the positions", positions, DType::int64);
  call.require_shape("the positions", positions, {2, values.size(0)});
  call.require(values.dtype() == DType::float32 || values.dtype() == DType::float64, "it multiplies {}",
               info(values.dtype()).name);
  call.require_dtype("the matrix", matrix, values.dtype());
  const std::int64_t rows = call.attributes<SparseProductAttributes>().rows;
  call.require_sizes("the result", {rows, matrix.size(1)});
}
PHLOX_PRIMITIVE_RULE(sparse_product, check_sparse_product);

class SparseProductNode final : public GradientNode {
 public:
  SparseProductNode(const Tensor& positions, const Tensor& values, const Tensor& matrix)
      : GradientNode("sparse_product", 2), positions_(positions, this) {
    edges()[0] = gradient_edge(values);
    edges()[1] = gradient_edge(matrix);
    if (needs_gradient(matrix)) values_ = SavedTensor(values, this);
    if (needs_gradient(values)) matrix_ = SavedTensor(matrix, this);
    columns_ = matrix.size(0);
  }
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    const Tensor& gradient = output_gradients[0];
    if (!gradient.defined()) return;
    const Tensor positions = positions_.get(*this);
    const Tensor rows = select(positions, 0, 0), columns = select(positions, 0, 1);
    if (wants(0))
      input_gradients[0] =
          sum(mul(index_select(gradient, 0, rows), index_select(matrix_.get(*this), 0, columns)), DimList(1));
    if (wants(1))
      input_gradients[1] =
          apply_sparse_product(stack({columns, rows}, 0), values_.get(*this), gradient, columns_);
  }
  void release_saved() override {
    positions_.release();
    values_.release();
    matrix_.release();
  }
  bool released() const override { return positions_.released(); }

 private:
  SavedTensor positions_, values_, matrix_;
  std::int64_t columns_;
};

void require_inside(const Tensor& positions, std::int64_t bound) {
  const std::int64_t bad = device_kernels(positions.device()).find_outside(*positions.impl(), 0, bound);
  if (bad < 0) return;
  fail<IndexError>(ErrorCode::index_out_of_range,
                   "sparse product: position {} is out of range for a dimension of size {}",
                   positions.data<std::int64_t>()[bad], bound)
      .raise();
}

}  // namespace

Tensor apply_sparse_product(const Tensor& positions, const Tensor& values, const Tensor& matrix,
                            std::int64_t rows) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {positions, values, matrix};
    const SparseProductAttributes attributes{rows};
    return interpret(sparse_product_primitive, operands, &attributes)[0];
  }
  Tensor at, factors, dense;
  {
    NoGrad no_grad;
    at = positions.contiguous(), factors = values.contiguous(), dense = matrix.contiguous();
    require_inside(select(at, 0, 0), rows);
    require_inside(select(at, 0, 1), matrix.size(0));
  }
  const Tensor result = make_tensor({rows, matrix.size(1)}, values.dtype(), values.device());
  if (result.numel() > 0)
    device_kernels(result.device())
        .sparse_product({at.impl(), factors.impl(), dense.impl(), result.unsafe_impl()});
  if (needs_gradient(values) || needs_gradient(matrix))
    set_history(result, Reference<GradientNode>::adopt(new SparseProductNode(positions, values, matrix)));
  return result;
}

}  // namespace phlox
