// Products of vectors, matrices and batches of them.
#include <algorithm>
#include <limits>

#include "phlox/ops/primitives/contraction.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

[[noreturn]] void throw_inner_sizes(const char* operation, const Tensor& lhs, const Tensor& rhs,
                                    std::int64_t left, std::int64_t right) {
  auto error = fail<ShapeError>(ErrorCode::inner_sizes_differ, "{}: inner sizes differ, {} and {}", operation,
                                left, right);
  error.detail("lhs", describe(lhs)).detail("rhs", describe(rhs));
  if (lhs.rank() == 2 && rhs.rank() == 2) {
    if (left == rhs.size(1))
      error.hint(fmt::format("<lhs> @ <rhs>.T, which gives {}[{},{}]", info(lhs.dtype()).short_name,
                             lhs.size(0), rhs.size(0)));
    else if (lhs.size(0) == right)
      error.hint(fmt::format("<lhs>.T @ <rhs>, which gives {}[{},{}]", info(lhs.dtype()).short_name, left,
                             rhs.size(1)));
  }
  error.raise();
}

void check_rank(const char* operation, const char* name, const Tensor& tensor, int rank) {
  if (tensor.rank() == rank) return;
  fail<ShapeError>(ErrorCode::wrong_rank, "{}: {} needs {} dimension{}, not {}", operation, name, rank,
                   rank == 1 ? "" : "s", tensor.rank())
      .detail(name, describe(tensor))
      .hint("matmul takes any number of dimensions")
      .raise();
}

DType product_dtype(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device())
    fail<DeviceError>(ErrorCode::wrong_device, "{}: tensors are on {} and {}", operation,
                      to_string(a.device()), to_string(b.device()))
        .detail("lhs", describe(a))
        .detail("rhs", describe(b))
        .hint("other.to(input.device)")
        .raise();
  const DType dtype = promote(a.dtype(), b.dtype());
  if (dtype == DType::bool_ || !is_computable(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes numbers, not {}", operation, info(dtype).name)
        .detail("lhs", describe(a))
        .detail("rhs", describe(b))
        .hint("<lhs>.to(px.float32)")
        .raise();
  return dtype;
}

Shape leading(const Shape& shape, int count) {
  return Shape(std::span<const std::int64_t>(shape.begin(), static_cast<std::size_t>(count)));
}

// lhs [..., m, k] with rhs [k, n] as one tall product.
Tensor tall_product(const Tensor& lhs, const Tensor& rhs, const OptionalTensor& bias) {
  if (lhs.rank() == 2) return contract(lhs, rhs, bias);
  Shape shape = lhs.shape();
  const std::int64_t inner = shape.back();
  shape[shape.size() - 1] = rhs.size(1);
  std::int64_t rows = 1;
  for (int d = 0; d < lhs.rank() - 1; ++d) rows *= lhs.size(d);
  return reshape(contract(reshape(lhs, {rows, inner}), rhs, bias), shape);
}

Tensor batched_product(const Tensor& lhs, const Tensor& rhs) {
  const Shape batch =
      broadcast_shapes(leading(lhs.shape(), lhs.rank() - 2), leading(rhs.shape(), rhs.rank() - 2), "matmul");
  std::int64_t count = 1;
  for (std::int64_t size : batch) count *= size;
  const auto flatten = [&](const Tensor& x) {
    Shape wide = batch;
    wide.push_back(x.size(-2));
    wide.push_back(x.size(-1));
    const Tensor expanded = x.shape() == wide ? x : expand(x, wide);
    return expanded.rank() == 3 ? expanded : reshape(expanded, {count, x.size(-2), x.size(-1)});
  };
  const Tensor product = contract(flatten(lhs), flatten(rhs));
  if (batch.size() == 1) return product;
  Shape shape = batch;
  shape.push_back(lhs.size(-2));
  shape.push_back(rhs.size(-1));
  return reshape(product, shape);
}

Tensor product(const char* operation, const Tensor& input, const Tensor& other) {
  const DType dtype = product_dtype(operation, input, other);
  if (input.rank() == 0 || other.rank() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: a number has no dimension to multiply over", operation)
        .detail("lhs", describe(input))
        .detail("rhs", describe(other))
        .hint("<lhs> * <rhs>")
        .raise();
  const std::int64_t left = input.size(-1), right = other.size(other.rank() == 1 ? 0 : -2);
  if (left != right) throw_inner_sizes(operation, input, other, left, right);
  Tensor lhs = input.to(dtype), rhs = other.to(dtype);
  const bool lhs_vector = lhs.rank() == 1, rhs_vector = rhs.rank() == 1;
  if (lhs_vector) lhs = unsqueeze(lhs, 0);
  if (rhs_vector) rhs = unsqueeze(rhs, 1);
  Tensor result = rhs.rank() == 2 ? tall_product(lhs, rhs, {}) : batched_product(lhs, rhs);
  if (rhs_vector) result = squeeze(result, -1);
  if (lhs_vector) result = squeeze(result, rhs_vector ? -1 : -2);
  return result;
}

// beta input + alpha value, where 0 and 1 cost nothing. With beta 0 the input is not read.
Tensor combine(const Tensor& input, const Tensor& value, const Scalar& beta, const Scalar& alpha) {
  const auto is = [](const Scalar& s, double number) { return s.imaginary() == 0 && s.real() == number; };
  const Tensor scaled = is(alpha, 1) ? value : mul(value, alpha);
  if (is(beta, 0)) return scaled;
  return add(is(beta, 1) ? input : mul(input, beta), scaled);
}

}  // namespace

PHLOX_OPERATION(
    Tensor, matmul, (const Tensor& input, const Tensor& other),
    .doc =
        "The matrix product. Vectors act as a row on the left and a column on the right; dimensions before "
        "the last two are a batch and broadcast.",
    .family = Family::matmul,
    .samples =
        "matmul(A(3, 4), A(4, 5)); matmul(A(4), A(4)); matmul(A(3, 4), A(4)); matmul(A(4), A(4, 5)); "
        "matmul(A(2, 3, 4), A(4, 5)); matmul(A(2, 1, 3, 4), A(5, 4, 2)); matmul(A(4), A(2, 4, 3))",
    .reference = "np.matmul(input, other)", .complex = true, .tolerance = 1e-4,
    .autocast = AutocastClass::lower_precision) {
  return product("matmul", input, other);
}

PHLOX_OPERATION(Tensor, mm, (const Tensor& input, const Tensor& mat2),
                .doc = "The product of two matrices, [m, k] and [k, n].", .family = Family::matmul,
                .samples = "mm(A(3, 4), A(4, 5))", .reference = "np.matmul(input, mat2)", .complex = true,
                .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  check_rank("mm", "input", input, 2);
  check_rank("mm", "mat2", mat2, 2);
  return product("mm", input, mat2);
}

PHLOX_OPERATION(Tensor, bmm, (const Tensor& input, const Tensor& mat2),
                .doc = "Products of matrices in a batch, [batch, m, k] and [batch, k, n].",
                .family = Family::matmul, .samples = "bmm(A(2, 3, 4), A(2, 4, 5))",
                .reference = "np.matmul(input, mat2)", .complex = true, .tolerance = 1e-4,
                .autocast = AutocastClass::lower_precision) {
  check_rank("bmm", "input", input, 3);
  check_rank("bmm", "mat2", mat2, 3);
  if (input.size(0) != mat2.size(0))
    fail<ShapeError>(ErrorCode::sizes_differ, "bmm: batch sizes differ, {} and {}", input.size(0),
                     mat2.size(0))
        .detail("input", describe(input))
        .detail("mat2", describe(mat2))
        .hint("matmul broadcasts a batch of 1")
        .raise();
  return product("bmm", input, mat2);
}

PHLOX_OPERATION(Tensor, mv, (const Tensor& input, const Tensor& vec),
                .doc = "The product of a matrix [m, k] and a vector [k].", .family = Family::matmul,
                .samples = "mv(A(3, 4), A(4))", .reference = "np.matmul(input, vec)", .complex = true,
                .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  check_rank("mv", "input", input, 2);
  check_rank("mv", "vec", vec, 1);
  return product("mv", input, vec);
}

PHLOX_OPERATION(Tensor, dot, (const Tensor& input, const Tensor& other),
                .doc = "The sum of the products of two vectors of one size.", .family = Family::matmul,
                .samples = "dot(A(5), A(5))", .reference = "np.dot(input, other)", .complex = true,
                .tolerance = 1e-4) {
  check_rank("dot", "input", input, 1);
  check_rank("dot", "other", other, 1);
  return product("dot", input, other);
}

PHLOX_OPERATION(Tensor, vdot, (const Tensor& input, const Tensor& other),
                .doc = "The inner product of two vectors, the first one conjugated.",
                .family = Family::matmul, .samples = "vdot(A(5), A(5)); vdot(Z(4), Z(4))",
                .reference = "np.vdot(input, other)", .complex = true) {
  return dot(conj(input), other);
}

PHLOX_OPERATION(
    Tensor, vecdot, (const Tensor& input, const Tensor& other, std::int64_t dim = -1),
    .doc = "The sum of products along a dimension, the first tensor conjugated; the tensors broadcast.",
    .family = Family::matmul, .home = "linalg",
    .samples = "vecdot(A(3, 4), A(3, 4)); vecdot(A(2, 3), A(2, 1), dim=0)",
    .reference = "np.sum(np.conj(input) * other, axis=dim)", .complex = true, .tolerance = 1e-4) {
  return sum(mul(conj(input), other), dim);
}

PHLOX_OPERATION(Tensor, outer, (const Tensor& input, const Tensor& vec2),
                .doc = "All products of two vectors: [n] and [m] give [n, m].", .family = Family::matmul,
                .alias = "ger", .samples = "outer(A(3), A(4))", .reference = "np.outer(input, vec2)",
                .complex = true) {
  check_rank("outer", "input", input, 1);
  check_rank("outer", "vec2", vec2, 1);
  return mul(unsqueeze(input, 1), vec2);
}

PHLOX_OPERATION(
    Tensor, tensordot,
    (const Tensor& input, const Tensor& other, const DimList& dims = 2, const OptionalDims& other_dims = {}),
    .doc =
        "Sums products over several dimensions: the last `dims` of the first with the first `dims` of the "
        "second, or the dimensions `dims` of the first with `other_dims` of the second.",
    .family = Family::matmul,
    .samples = "tensordot(A(2, 3, 4), A(3, 4, 5)); tensordot(A(2, 3, 4), A(5, 4, 2), [0, 2], [2, 1])",
    .reference = "np.tensordot(input, other, dims if other_dims is None else (dims, other_dims))",
    .complex = true, .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  Dims left, right;
  if (other_dims) {
    left = normalize_dims(dims, input.rank(), "tensordot", false);
    right = normalize_dims(*other_dims, other.rank(), "tensordot", false);
    if (left.size() != right.size())
      fail<ValueError>(ErrorCode::invalid_value, "tensordot: {} dimensions meet {}", left.size(),
                       right.size())
          .detail("dims", to_string(dims))
          .detail("other_dims", to_string(*other_dims))
          .raise();
  } else {
    const std::int64_t count = dims.size() == 1 ? dims[0] : -1;
    if (count < 0 || count > input.rank() || count > other.rank())
      fail<ValueError>(ErrorCode::invalid_value,
                       "tensordot: dims must be one number up to the ranks, or come with other_dims")
          .detail("input", describe(input))
          .detail("other", describe(other))
          .raise();
    for (std::int64_t i = 0; i < count; ++i) {
      left.push_back(input.rank() - count + i);
      right.push_back(i);
    }
  }
  // A dimension of size 1 meets any other: then only the other is added up.
  for (std::size_t i = 0; i < left.size(); ++i) {
    const std::int64_t ours = input.size(left[i]), theirs = other.size(right[i]);
    if (ours != theirs && (ours == 1 || theirs == 1))
      return ours == 1 ? tensordot(input, sum(other, DimList(right[i]), true), left, OptionalDims(right))
                       : tensordot(sum(input, DimList(left[i]), true), other, left, OptionalDims(right));
  }
  std::int64_t inner = 1, rows = 1, columns = 1;
  DimList left_order, right_order(right);
  Shape shape;
  for (int d = 0; d < input.rank(); ++d) {
    if (left.contains(d)) continue;
    left_order.push_back(d);
    shape.push_back(input.size(d));
    rows *= input.size(d);
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    left_order.push_back(left[i]);
    inner *= input.size(left[i]);
    if (input.size(left[i]) != other.size(right[i]))
      throw_inner_sizes("tensordot", input, other, input.size(left[i]), other.size(right[i]));
  }
  for (int d = 0; d < other.rank(); ++d) {
    if (right.contains(d)) continue;
    right_order.push_back(d);
    shape.push_back(other.size(d));
    columns *= other.size(d);
  }
  const DType dtype = product_dtype("tensordot", input, other);
  const Tensor lhs = reshape(permute(input.to(dtype), left_order), {rows, inner});
  const Tensor rhs = reshape(permute(other.to(dtype), right_order), {inner, columns});
  return reshape(contract(lhs, rhs), shape);
}

PHLOX_OPERATION(Tensor, inner, (const Tensor& input, const Tensor& other),
                .doc = "Sums products over the last dimension of both.", .family = Family::matmul,
                .samples = "inner(A(4), A(4)); inner(A(2, 3, 4), A(5, 4))",
                .reference = "np.inner(input, other)", .complex = true, .tolerance = 1e-4) {
  if (input.rank() == 0 || other.rank() == 0) return mul(input, other);
  return tensordot(input, other, DimList(-1), DimList(-1));
}

PHLOX_OPERATION(
    Tensor, addmm,
    (const Tensor& input, const Tensor& mat1, const Tensor& mat2, const Scalar& beta = 1,
     const Scalar& alpha = 1),
    .doc = "beta input + alpha mat1 @ mat2.", .family = Family::matmul,
    .samples =
        "addmm(A(3, 5), A(3, 4), A(4, 5)); addmm(A(5), A(3, 4), A(4, 5)); addmm(A(3, 5), A(3, 4), A(4, "
        "5), beta=0.5, alpha=2)",
    .reference = "beta * input + alpha * np.matmul(mat1, mat2)", .in_place = true, .complex = true,
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  check_rank("addmm", "mat1", mat1, 2);
  check_rank("addmm", "mat2", mat2, 2);
  return combine(input, product("addmm", mat1, mat2), beta, alpha);
}

PHLOX_OPERATION(Tensor, addmv,
                (const Tensor& input, const Tensor& mat, const Tensor& vec, const Scalar& beta = 1,
                 const Scalar& alpha = 1),
                .doc = "beta input + alpha mat @ vec.", .family = Family::matmul,
                .samples = "addmv(A(3), A(3, 4), A(4), beta=2)",
                .reference = "beta * input + alpha * np.matmul(mat, vec)", .in_place = true, .complex = true,
                .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  check_rank("addmv", "mat", mat, 2);
  check_rank("addmv", "vec", vec, 1);
  return combine(input, product("addmv", mat, vec), beta, alpha);
}

PHLOX_OPERATION(Tensor, addr,
                (const Tensor& input, const Tensor& vec1, const Tensor& vec2, const Scalar& beta = 1,
                 const Scalar& alpha = 1),
                .doc = "beta input + alpha outer(vec1, vec2).", .family = Family::matmul,
                .samples = "addr(A(3, 4), A(3), A(4), alpha=2)",
                .reference = "beta * input + alpha * np.outer(vec1, vec2)", .in_place = true, .complex = true,
                .tolerance = 1e-4) {
  const DType dtype = promote(promote(input.dtype(), vec1.dtype()), vec2.dtype());
  const Tensor result = combine(widened(input), outer(widened(vec1), widened(vec2)), beta, alpha);
  return is_half(dtype) ? result.to(dtype) : result;
}

PHLOX_OPERATION(Tensor, baddbmm,
                (const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta = 1,
                 const Scalar& alpha = 1),
                .doc = "beta input + alpha batch1 @ batch2, for each matrix of a batch.",
                .family = Family::matmul, .samples = "baddbmm(A(2, 3, 5), A(2, 3, 4), A(2, 4, 5), beta=0.5)",
                .reference = "beta * input + alpha * np.matmul(batch1, batch2)", .in_place = true,
                .complex = true, .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return combine(input, bmm(batch1, batch2), beta, alpha);
}

PHLOX_OPERATION(Tensor, addbmm,
                (const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta = 1,
                 const Scalar& alpha = 1),
                .doc = "beta input + alpha times the sum of batch1 @ batch2 over the batch.",
                .family = Family::matmul, .samples = "addbmm(A(3, 5), A(2, 3, 4), A(2, 4, 5), alpha=2)",
                .reference = "beta * input + alpha * np.matmul(batch1, batch2).sum(0)", .in_place = true,
                .complex = true, .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  return combine(input, sum(bmm(batch1, batch2), 0), beta, alpha);
}

PHLOX_OPERATION(
    Tensor, linear, (const Tensor& input, const Tensor& weight, const OptionalTensor& bias = {}),
    .doc = "input @ weight.T + bias: input [..., in], weight [out, in], bias [out]; gives [..., out].",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .samples = "linear(A(3, 4), A(5, 4), A(5)); linear(A(2, 3, 4), A(5, 4)); linear(A(4), A(5, 4), A(5))",
    .reference = "np.matmul(input, weight.T) + (0 if bias is None else bias)", .complex = true,
    .tolerance = 1e-4, .autocast = AutocastClass::lower_precision) {
  check_rank("linear", "weight", weight, 2);
  DType dtype = product_dtype("linear", input, weight);
  const std::int64_t features = input.rank() ? input.size(-1) : 0;
  if (input.rank() == 0 || features != weight.size(1))
    fail<ShapeError>(ErrorCode::inner_sizes_differ, "linear: input has {} features, the weight takes {}",
                     features, weight.size(1))
        .detail("input", describe(input))
        .detail("weight", describe(weight))
        .hint(fmt::format("<input>.flatten(1) joins all but the batch dimension; or a layer for {} features",
                          features))
        .raise();
  if (bias && (bias->rank() != 1 || bias->size(0) != weight.size(0)))
    fail<ShapeError>(ErrorCode::sizes_differ, "linear: bias needs the shape [{}]", weight.size(0))
        .detail("weight", describe(weight))
        .detail("bias", describe(*bias))
        .raise();
  if (bias) dtype = promote(dtype, bias->dtype());
  OptionalTensor addend;
  if (bias) addend = bias->to(dtype);
  const Tensor transposed = transpose(weight.to(dtype), 0, 1);
  const Tensor x = input.to(dtype);
  if (x.rank() == 1) return squeeze(tall_product(unsqueeze(x, 0), transposed, addend), 0);
  return tall_product(x, transposed, addend);
}

PHLOX_OPERATION(
    Tensor, bilinear,
    (const Tensor& input1, const Tensor& input2, const Tensor& weight, const OptionalTensor& bias = {}),
    .doc =
        "input1 weight input2 + bias for each output: input1 [..., n], input2 [..., m], weight [out, n, m].",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .samples = "bilinear(A(3, 4), A(3, 5), A(2, 4, 5), A(2))",
    .reference = "np.einsum('...i,oij,...j->...o', input1, weight, input2) + bias", .tolerance = 1e-4,
    .autocast = AutocastClass::lower_precision) {
  DType dtype = promote(promote(input1.dtype(), input2.dtype()), weight.dtype());
  if (bias) dtype = promote(dtype, bias->dtype());
  Tensor result = einsum("...i,oij,...j->...o", {widened(input1), widened(weight), widened(input2)});
  if (bias) result = add(result, *bias);
  return is_half(dtype) ? result.to(dtype) : result;
}

PHLOX_OPERATION(
    Tensor, multi_dot, (const TensorList& tensors),
    .doc =
        "The product of matrices in the order of multiplication that costs least; the first and the last may "
        "be vectors.",
    .source = "Cormen et al., Introduction to algorithms, matrix-chain multiplication",
    .family = Family::matmul, .alias = "chain_matmul", .home = "linalg", .method = false,
    .samples = "multi_dot([A(3, 4), A(4, 2), A(2, 5)]); multi_dot([P(4), P(4, 5), P(5)])",
    .reference = "np.linalg.multi_dot(tensors)", .complex = true, .tolerance = 1e-4,
    .autocast = AutocastClass::lower_precision) {
  if (tensors.empty())
    fail<ValueError>(ErrorCode::invalid_value, "multi_dot: needs at least one tensor").raise();
  const std::size_t count = tensors.size();
  if (count == 1) return tensors[0];
  std::vector<Tensor> factors = tensors;
  const bool first_vector = factors[0].rank() == 1, last_vector = factors[count - 1].rank() == 1;
  if (first_vector) factors[0] = unsqueeze(factors[0], 0);
  if (last_vector) factors[count - 1] = unsqueeze(factors[count - 1], 1);
  for (std::size_t i = 0; i < count; ++i) {
    check_rank("multi_dot", "tensor", factors[i], 2);
    if (i && factors[i - 1].size(1) != factors[i].size(0))
      throw_inner_sizes("multi_dot", factors[i - 1], factors[i], factors[i - 1].size(1), factors[i].size(0));
  }
  // costs[i][j]: of the product of factors i to j, with the best place to split it.
  std::vector<std::vector<double>> costs(count, std::vector<double>(count, 0));
  std::vector<std::vector<std::size_t>> splits(count, std::vector<std::size_t>(count, 0));
  for (std::size_t length = 1; length < count; ++length)
    for (std::size_t i = 0; i + length < count; ++i) {
      const std::size_t j = i + length;
      costs[i][j] = std::numeric_limits<double>::infinity();
      for (std::size_t s = i; s < j; ++s) {
        const double cost = costs[i][s] + costs[s + 1][j] +
                            static_cast<double>(factors[i].size(0)) *
                                static_cast<double>(factors[s].size(1)) *
                                static_cast<double>(factors[j].size(1));
        if (cost >= costs[i][j]) continue;
        costs[i][j] = cost;
        splits[i][j] = s;
      }
    }
  const auto multiply = [&](const auto& self, std::size_t i, std::size_t j) -> Tensor {
    if (i == j) return factors[i];
    return matmul(self(self, i, splits[i][j]), self(self, splits[i][j] + 1, j));
  };
  Tensor result = multiply(multiply, 0, count - 1);
  if (last_vector) result = squeeze(result, 1);
  return first_vector ? squeeze(result, 0) : result;
}

}  // namespace phlox
