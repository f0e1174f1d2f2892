#include "phlox/sparse/operations.h"

#include <algorithm>

#include "phlox/ops/functions.h"
#include "phlox/sparse/positions.h"
#include "phlox/sparse/products.h"

namespace phlox {
namespace {

using Parts = SparseTensor::Parts;

SparseTensor as_coo(const SparseTensor& input) { return input.to_layout(SparseLayout::coo); }

// A result in coordinates, in the layout of an operand.
SparseTensor like(const SparseTensor& operand, const SparseTensor& result) {
  return result.to_layout(operand.layout(), operand.has_blocks() ? operand.block_size() : Shape());
}

void require_matrices(const char* operation, const Description& lhs, int lhs_sparse, const Description& rhs,
                      int rhs_rank, int least_rank) {
  if (lhs_sparse == 2 && rhs_rank >= least_rank && rhs_rank <= 2) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: multiplies a sparse matrix and a {}", operation,
                   least_rank == 1 ? "matrix or vector" : "matrix")
      .detail("lhs", lhs)
      .detail("rhs", rhs)
      .raise();
}

void require_inner(const char* operation, std::int64_t a, std::int64_t b, const Description& lhs,
                   const Description& rhs) {
  if (a == b) return;
  fail<ShapeError>(ErrorCode::inner_sizes_differ, "{}: inner sizes differ, {} and {}", operation, a, b)
      .detail("lhs", lhs)
      .detail("rhs", rhs)
      .raise();
}

// The sparse dimensions of a matrix without dense ones; 0 otherwise.
int matrix_dims(const SparseTensor& input) { return input.rank() == 2 && input.sparse_dim() == 2 ? 2 : 0; }

void require_same_shape(const char* operation, const SparseTensor& input, const SparseTensor& other) {
  if (input.shape() == other.shape() && input.sparse_dim() == other.sparse_dim()) return;
  fail<ShapeError>(ErrorCode::sizes_differ,
                   "{}: sparse tensors have the same shape and the same sparse dimensions", operation)
      .detail("lhs", describe(input))
      .detail("rhs", describe(other))
      .raise();
}

// Blocks times the rows of the matrix that they meet, added up.
Tensor multiply_blocks(const SparseTensor& input, const Tensor& matrix) {
  const Parts& p = input.parts();
  const Shape block = input.block_size();
  const std::int64_t columns = matrix.size(1);
  const DType dtype = promote(input.dtype(), matrix.dtype());
  const Tensor tiles = reshape(matrix.to(dtype), {matrix.size(0) / block[1], block[1], columns});
  const Tensor products = bmm(p.values.to(dtype), index_select(tiles, 0, select(p.positions, 0, 1)));
  const std::int64_t rows = input.shape()[0] / block[0];
  return reshape(segment_sum(products, select(p.positions, 0, 0), rows), {input.shape()[0], columns});
}

// A dense operand at the positions of the stored elements, of which each may be a slice.
Tensor operand_at(const SparseTensor& input, const Tensor& other) {
  const Tensor elements = elements_at(broadcast_to(other, input.shape()), input.coordinates().indices());
  return reshape(elements, input.values().shape());
}

template <class Operation>
SparseTensor by_element(const SparseTensor& input, const Operand& other, const Operation& operation) {
  if (!other.is_tensor() || other.tensor().rank() == 0)
    return input.with_values(operation(input.values(), other));
  return input.with_values(operation(input.values(), operand_at(input, other.tensor())));
}

// Positions along the other sparse dimensions, as numbers below `count`.
Tensor groups_along(const SparseTensor& input, int dim, std::int64_t& count) {
  const Parts& p = input.parts();
  Shape shape;
  TensorList rows;
  for (int d = 0; d < input.sparse_dim(); ++d) {
    if (d == dim) continue;
    shape.push_back(p.shape[static_cast<std::size_t>(d)]);
    rows.push_back(select(p.positions, 0, d));
  }
  if (rows.empty()) {
    count = 1;
    return zeros({input.nnz()}, DType::int64, input.device());
  }
  count = element_count(shape);
  const Tensor numbers = numbers_of(stack(rows, 0), shape);
  if (shape.size() == 1) return numbers;
  const auto [different, group] = unique_inverse(numbers);
  count = different.numel();
  return group;
}

SparseTensor softmax_of_stored(const SparseTensor& given, std::int64_t dim, bool logarithm,
                               bool different = false) {
  const char* operation = logarithm ? "log_softmax" : "softmax";
  const int d = normalize_dim(dim, given.rank(), operation);
  if (given.has_blocks()) {
    const SparseTensor result = softmax_of_stored(given.coordinates(), dim, logarithm, true);
    return given.with_values(reshape(result.values(), given.values().shape()));
  }
  const SparseTensor input = different ? given : given.coalesce();
  const Tensor values = is_floating(input.dtype()) ? input.values() : input.values().to(default_dtype());
  if (d >= input.sparse_dim()) {
    const std::int64_t within = d - input.sparse_dim() + 1;
    return input.with_values(logarithm ? log_softmax(values, within) : softmax(values, within));
  }
  std::int64_t count = 0;
  const Tensor group = groups_along(input, d, count);
  const Tensor largest = segment_max(values.detach(), group, count);
  const Tensor shifted = sub(values, index_select(largest, 0, group));
  const Tensor powers = exp(shifted);
  const Tensor sums = index_select(segment_sum(powers, group, count), 0, group);
  return input.with_values(logarithm ? sub(shifted, log(sums)) : div(powers, sums));
}

}  // namespace

Tensor matmul(const SparseTensor& input, const Tensor& other) {
  require_matrices("matmul", describe(input), matrix_dims(input), describe(other), other.rank(), 1);
  require_inner("matmul", input.shape()[1], other.size(0), describe(input), describe(other));
  const Tensor matrix = other.rank() == 1 ? unsqueeze(other, 1) : other;
  const Parts& p = input.parts();
  const Tensor result = input.has_blocks() ? multiply_blocks(input, matrix)
                                           : sparse_product(p.positions, p.values, matrix, input.shape()[0]);
  return other.rank() == 1 ? squeeze(result, 1) : result;
}

Tensor matmul(const Tensor& input, const SparseTensor& other) {
  require_matrices("matmul", describe(input), matrix_dims(other), describe(other), input.rank(), 1);
  require_inner("matmul", input.size(-1), other.shape()[0], describe(input), describe(other));
  const SparseTensor turned = other.transpose(0, 1);
  return input.rank() == 1 ? matmul(turned, input) : transpose(matmul(turned, transpose(input, 0, 1)), 0, 1);
}

SparseTensor matmul(const SparseTensor& input, const SparseTensor& other) {
  require_matrices("matmul", describe(input), matrix_dims(input), describe(other), matrix_dims(other), 2);
  require_inner("matmul", input.shape()[1], other.shape()[0], describe(input), describe(other));
  const SparseTensor left = as_coo(input), right = other.to_layout(SparseLayout::csr);
  const Parts &a = left.parts(), &b = right.parts();
  // Each element of the left meets the elements of one row of the right, which lie one after the other.
  const Tensor rows = select(a.positions, 0, 0), inner = select(a.positions, 0, 1);
  const Tensor first = index_select(b.pointers, 0, inner);
  const Tensor counts = sub(index_select(b.pointers, 0, add(inner, 1)), first);
  const Tensor of_left = repeat_interleave(arange(left.nnz(), {}, 1, DType::int64, left.device()), counts);
  const Tensor before = sub(cumsum(counts, 0), counts);
  const Tensor of_right = add(arange(of_left.numel(), {}, 1, DType::int64, left.device()),
                              index_select(sub(first, before), 0, of_left));
  Parts p;
  p.shape = {input.shape()[0], other.shape()[1]};
  p.positions =
      stack({index_select(rows, 0, of_left), index_select(select(b.positions, 0, 1), 0, of_right)}, 0);
  p.values = mul(index_select(a.values, 0, of_left), index_select(b.values, 0, of_right));
  const SparseTensor result = SparseTensor(std::move(p)).coalesce();
  return result.to_layout(input.has_blocks() ? SparseLayout::csr : input.layout());
}

Tensor addmm(const Tensor& input, const SparseTensor& mat1, const Tensor& mat2, const Scalar& beta,
             const Scalar& alpha) {
  return add(mul(input, beta), mul(matmul(mat1, mat2), alpha));
}

SparseTensor sampled_addmm(const SparseTensor& input, const Tensor& mat1, const Tensor& mat2,
                           const Scalar& beta, const Scalar& alpha) {
  if (input.has_blocks() || matrix_dims(input) != 2 || mat1.rank() != 2 || mat2.rank() != 2 ||
      mat1.size(0) != input.shape()[0] || mat2.size(1) != input.shape()[1])
    fail<ShapeError>(
        ErrorCode::sizes_differ,
        "sampled_addmm: takes a sparse matrix without blocks [m, n], and matrices [m, k] and [k, n]")
        .detail("input", describe(input))
        .detail("mat1", describe(mat1))
        .detail("mat2", describe(mat2))
        .raise();
  require_inner("sampled_addmm", mat1.size(1), mat2.size(0), describe(mat1), describe(mat2));
  const Tensor products = sampled_product(input.parts().positions, mat1, transpose(mat2, 0, 1));
  return input.with_values(add(mul(input.values(), beta), mul(products, alpha)));
}

SparseTensor add(const SparseTensor& input, const SparseTensor& other, const Scalar& alpha) {
  require_same_shape("add", input, other);
  const SparseTensor a = as_coo(input), b = as_coo(other);
  Parts p = a.parts();
  p.positions = cat({p.positions, b.parts().positions}, 1);
  p.values = cat({p.values, mul(b.values(), alpha)}, 0);
  p.coalesced = false;
  const SparseTensor result(std::move(p));
  if (input.layout() != SparseLayout::coo) return like(input, result);
  return a.is_coalesced() && b.is_coalesced() && has_values(result.parts().positions) ? result.coalesce()
                                                                                      : result;
}

SparseTensor sub(const SparseTensor& input, const SparseTensor& other, const Scalar& alpha) {
  return add(input, neg(other), alpha);
}

Tensor add(const SparseTensor& input, const Tensor& other) {
  const Shape shape = broadcast_shapes(input.shape(), other.shape(), "add");
  if (!(shape == input.shape())) return add(input.to_dense(), other);
  const SparseTensor a = as_coo(input);
  const DType dtype = promote(input.dtype(), other.dtype());
  return index_put(broadcast_to(other, shape).to(dtype), unbind(a.parts().positions, 0), a.values().to(dtype),
                   true);
}

SparseTensor mul(const SparseTensor& input, const SparseTensor& other) {
  require_same_shape("mul", input, other);
  const SparseTensor a = as_coo(input).coalesce(), b = as_coo(other).coalesce();
  const Shape sizes(std::span(a.shape().data(), static_cast<std::size_t>(a.sparse_dim())));
  Parts p = a.parts();
  Tensor kept = zeros({0}, DType::int64, a.device()), place = kept;
  if (b.nnz() > 0) {
    const Tensor of_a = numbers_of(p.positions, sizes), of_b = numbers_of(b.parts().positions, sizes);
    place = minimum(searchsorted(of_b, of_a), b.nnz() - 1);
    kept = squeeze(nonzero(eq(index_select(of_b, 0, place), of_a)), 1);
    place = index_select(place, 0, kept);
  }
  p.positions = index_select(p.positions, 1, kept);
  p.values = mul(index_select(p.values, 0, kept), index_select(b.values(), 0, place));
  return like(input, SparseTensor(std::move(p)));
}

SparseTensor mul(const SparseTensor& input, const Operand& other) {
  return by_element(input, other, [](const Tensor& a, const Operand& b) { return mul(a, b); });
}
SparseTensor div(const SparseTensor& input, const Operand& other) {
  return by_element(input, other, [](const Tensor& a, const Operand& b) { return div(a, b); });
}
SparseTensor neg(const SparseTensor& input) { return input.with_values(neg(input.values())); }

Tensor sum(const SparseTensor& input) { return sum(input.values()); }

SparseTensor sum(const SparseTensor& input, const DimList& dim) {
  const Dims dims = normalize_dims(dim, input.rank(), "sum");
  const SparseTensor a = as_coo(input);
  Parts p = a.parts();
  p.shape = {};
  TensorList rows;
  DimList within;
  for (int d = 0; d < input.rank(); ++d) {
    const bool is_sparse = d < a.sparse_dim(), is_summed = dims.contains(d);
    if (!is_summed) p.shape.push_back(a.shape()[static_cast<std::size_t>(d)]);
    if (is_sparse && !is_summed) rows.push_back(select(a.parts().positions, 0, d));
    if (!is_sparse && is_summed) within.push_back(d - a.sparse_dim() + 1);
  }
  if (rows.empty())
    fail<ShapeError>(ErrorCode::dimension_out_of_range, "sum: no sparse dimension remains")
        .detail("input", describe(input))
        .hint("<input>.to_dense().sum(dim), or sum() of all")
        .raise();
  p.coalesced = p.coalesced && static_cast<int>(rows.size()) == a.sparse_dim();
  p.positions = stack(rows, 0);
  if (!within.empty()) p.values = sum(p.values, within);
  return SparseTensor(std::move(p));
}

SparseTensor softmax(const SparseTensor& input, std::int64_t dim) {
  return softmax_of_stored(input, dim, false);
}
SparseTensor log_softmax(const SparseTensor& input, std::int64_t dim) {
  return softmax_of_stored(input, dim, true);
}

}  // namespace phlox
