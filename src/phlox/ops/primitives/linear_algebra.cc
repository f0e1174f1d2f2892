#include "phlox/ops/primitives/linear_algebra.h"

#include <algorithm>

#include "phlox/core/recording.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/ops/primitives/batching.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

int input_count(MatrixRoutine routine) {
  switch (routine) {
    case MatrixRoutine::ldl_solve: return 3;
    case MatrixRoutine::solve:
    case MatrixRoutine::solve_triangular:
    case MatrixRoutine::tridiagonal:
    case MatrixRoutine::pinv: return 2;
    default: return 1;
  }
}

bool needs_square(MatrixRoutine routine) {
  switch (routine) {
    case MatrixRoutine::lu:
    case MatrixRoutine::permutation:
    case MatrixRoutine::qr:
    case MatrixRoutine::geqrf:
    case MatrixRoutine::svd:
    case MatrixRoutine::svdvals:
    case MatrixRoutine::tridiagonal:
    case MatrixRoutine::pinv: return false;
    default: return true;
  }
}

struct ResultType {
  Shape shape;
  DType dtype;
};

// With the last `count` dimensions of `of` replaced.
Shape shape_like(const Tensor& of, int count, std::initializer_list<std::int64_t> sizes) {
  Shape shape = of.shape();
  shape.resize(shape.size() - static_cast<std::size_t>(count));
  for (std::int64_t size : sizes) shape.push_back(size);
  return shape;
}

std::vector<ResultType> result_types(const MatrixAttributes& a, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  if (a.routine == MatrixRoutine::permutation) {
    const Shape rows = shape_like(x, 1, {a.size});
    return {{rows, DType::int64}, {rows, DType::int64}};
  }
  const std::int64_t m = x.size(-2), n = x.size(-1), k = std::min(m, n);
  const DType dtype = x.dtype(), real = info(dtype).real,
              complex = real == DType::float64 ? DType::complex128 : DType::complex64;
  const Shape batch = shape_like(x, 2, {}), values = shape_like(x, 2, {k});
  const ResultType same{x.shape(), dtype}, info_type{batch, DType::int32}, pivots{values, DType::int32};
  switch (a.routine) {
    case MatrixRoutine::cholesky:
    case MatrixRoutine::inverse: return {same, info_type};
    case MatrixRoutine::lu:
    case MatrixRoutine::ldl: return {same, pivots, info_type};
    case MatrixRoutine::qr: {
      const std::int64_t columns = a.full ? m : k;
      return {{shape_like(x, 2, {m, columns}), dtype}, {shape_like(x, 2, {columns, n}), dtype}};
    }
    case MatrixRoutine::geqrf: return {same, {values, dtype}};
    case MatrixRoutine::eigh: return {{values, real}, same};
    case MatrixRoutine::eigvalsh: return {{values, real}};
    case MatrixRoutine::eig: return {{values, complex}, {x.shape(), complex}};
    case MatrixRoutine::eigvals: return {{values, complex}};
    case MatrixRoutine::svd:
      return {{shape_like(x, 2, {m, a.full ? m : k}), dtype},
              {values, real},
              {shape_like(x, 2, {a.full ? n : k, n}), dtype}};
    case MatrixRoutine::svdvals: return {{values, real}};
    case MatrixRoutine::ldl_solve: return {{inputs[2].shape(), dtype}};
    case MatrixRoutine::solve:
    case MatrixRoutine::tridiagonal: return {{inputs[1].shape(), dtype}, info_type};
    case MatrixRoutine::solve_triangular: return {{inputs[1].shape(), dtype}};
    case MatrixRoutine::det: return {{batch, dtype}};
    case MatrixRoutine::slogdet: return {{batch, dtype}, {batch, real}};
    case MatrixRoutine::pinv: return {{shape_like(x, 2, {n, m}), dtype}};
    default: return {same};
  }
}

// Whether gradients of the first input, and of the one at the right side, flow.
bool is_differentiable_routine(MatrixRoutine routine) {
  return routine != MatrixRoutine::permutation && routine != MatrixRoutine::geqrf &&
         routine != MatrixRoutine::ldl && routine != MatrixRoutine::ldl_solve;
}

// The input that holds right sides, or -1.
int right_side(MatrixRoutine routine) {
  if (routine == MatrixRoutine::ldl_solve) return 2;
  const bool is_equation = routine == MatrixRoutine::solve || routine == MatrixRoutine::solve_triangular ||
                           routine == MatrixRoutine::tridiagonal;
  return is_equation ? 1 : -1;
}

class MatrixNode final : public GradientNode {
 public:
  MatrixNode(const MatrixAttributes& attributes, std::span<const Tensor> inputs, int result_count)
      : GradientNode(names_of(MatrixRoutine{})[static_cast<std::size_t>(attributes.routine)], 2,
                     result_count),
        attributes_(attributes),
        input_count_(static_cast<int>(inputs.size())),
        result_count_(result_count) {
    const int side = right_side(attributes.routine);
    if (is_differentiable_routine(attributes.routine)) edges()[0] = gradient_edge(inputs[0]);
    if (side >= 0) edges()[1] = gradient_edge(inputs[static_cast<std::size_t>(side)]);
    // Gradients of equations need the matrix, not the right side.
    for (int i = 0; i < input_count_; ++i)
      if (i != side) inputs_[i] = SavedTensor(inputs[static_cast<std::size_t>(i)], this);
  }
  void save_results(std::span<const Tensor> results) {
    for (std::size_t i = 0; i < results.size(); ++i)
      results_[i] = SavedTensor(results[i], this, is_differentiable(results[i].dtype()));
  }

  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) override {
    if (std::none_of(output_gradients.begin(), output_gradients.end(),
                     [](const Tensor& gradient) { return gradient.defined(); }))
      return;
    const int side = right_side(attributes_.routine);
    TensorList inputs, results;
    for (int i = 0; i < input_count_; ++i) inputs.push_back(i == side ? Tensor() : inputs_[i].get(*this));
    for (int i = 0; i < result_count_; ++i) results.push_back(results_[i].get(*this));
    auto [first, second] = matrix_gradient({attributes_, inputs, results, output_gradients, wants(1)});
    if (wants(0)) input_gradients[0] = std::move(first);
    if (wants(1)) input_gradients[1] = std::move(second);
  }
  void release_saved() override {
    for (SavedTensor& saved : inputs_) saved.release();
    for (SavedTensor& saved : results_) saved.release();
  }
  bool released() const override { return results_[0].released(); }

 private:
  MatrixAttributes attributes_;
  int input_count_, result_count_;
  SavedTensor inputs_[MatrixCall::most];
  SavedTensor results_[MatrixCall::most];
};

TensorList evaluate_linear_algebra(std::span<const Operand> inputs, const void* attributes) {
  TensorList tensors;
  for (const Operand& input : inputs) tensors.push_back(input.tensor());
  return apply_matrix_routine(*static_cast<const MatrixAttributes*>(attributes), tensors);
}
PHLOX_PRIMITIVE(linear_algebra, 50, evaluate_linear_algebra, MatrixAttributes);

void require_batch(const PrimitiveCall& call, const Tensor& input, int rank) {
  const Shape first = call.tensor(0).shape(), shape = input.shape();
  call.require(shape.rank() == rank && std::equal(first.begin(), first.end() - 2, shape.begin()),
               "the batches of the inputs differ");
}

void check_linear_algebra(const PrimitiveCall& call) {
  const auto& a = call.attributes<MatrixAttributes>();
  call.takes(static_cast<std::size_t>(input_count(a.routine)));
  const Tensor& x = call.tensor(0);
  if (a.routine == MatrixRoutine::permutation) {
    call.require_dtype("the pivots", x, DType::int32);
    call.require(x.rank() >= 1, "the pivots have no dimension");
    call.require(a.size >= x.size(-1) && a.size <= max_elements, "{} rows for {} pivots", a.size, x.size(-1));
    return;
  }
  call.require(x.rank() >= 2, "the input is no matrix");
  call.require(has_matrix_routines(x.dtype()), "there is none of {}", info(x.dtype()).name);
  call.require(!needs_square(a.routine) || x.size(-1) == x.size(-2), "the matrices are not square");
  call.require(a.routine != MatrixRoutine::pinv || !a.hermitian || x.size(-1) == x.size(-2),
               "the matrices are not square");
  call.require(a.routine != MatrixRoutine::tridiagonal || x.size(-2) == 3, "there are no three diagonals");
  const int side = right_side(a.routine);
  if (side >= 0) {
    const Tensor& b = call.tensor(static_cast<std::size_t>(side));
    call.require_dtype("the right side", b, x.dtype());
    require_batch(call, b, x.rank());
    call.require(b.size(-2) == x.size(-1), "{} rows for a matrix of size {}", b.size(-2), x.size(-1));
  }
  if (a.routine == MatrixRoutine::ldl_solve) {
    call.require_dtype("the pivots", call.tensor(1), DType::int32);
    require_batch(call, call.tensor(1), x.rank() - 1);
    call.require(call.tensor(1).size(-1) == x.size(-1), "a pivot for each row is needed");
  }
  if (a.routine == MatrixRoutine::pinv) {
    call.require_dtype("the tolerances", call.tensor(1), info(x.dtype()).real);
    require_batch(call, call.tensor(1), x.rank() - 1);
    call.require(call.tensor(1).size(-1) == 2, "two tolerances are needed");
  }
}
PHLOX_PRIMITIVE_RULE(linear_algebra, check_linear_algebra);

// Samples are one more dimension of the batch.
TensorList batch_linear_algebra(const BatchedCall& call) {
  TensorList inputs;
  for (std::size_t i = 0; i < call.inputs().size(); ++i) inputs.push_back(call.batched(i));
  return apply_matrix_routine(call.attributes_as<MatrixAttributes>(), inputs);
}
PHLOX_BATCHING_RULE(linear_algebra, batch_linear_algebra);

}  // namespace

TensorList apply_matrix_routine(const MatrixAttributes& attributes, const TensorList& inputs) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const std::vector<Operand> operands(inputs.begin(), inputs.end());
    return interpret(linear_algebra_primitive, operands, &attributes);
  }
  MatrixCall call{attributes, {}, {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) call.inputs[i] = inputs[i].impl();
  TensorList results;
  for (const auto& [shape, dtype] : result_types(attributes, inputs)) {
    results.push_back(make_tensor(shape, dtype, inputs[0].device()));
    call.results[results.size() - 1] = results.back().impl();
  }
  device_kernels(inputs[0].device()).linear_algebra(call);
  const int side = right_side(attributes.routine);
  if ((is_differentiable_routine(attributes.routine) && needs_gradient(inputs[0])) ||
      (side >= 0 && needs_gradient(inputs[static_cast<std::size_t>(side)]))) {
    auto* node = new MatrixNode(attributes, inputs, static_cast<int>(results.size()));
    const auto reference = Reference<GradientNode>::adopt(node);
    for (std::size_t i = 0; i < results.size(); ++i)
      if (is_differentiable(results[i].dtype())) set_history(results[i], reference, static_cast<int>(i));
    node->save_results(results);
  }
  return results;
}

}  // namespace phlox
