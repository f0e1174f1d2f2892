// Norms of vectors and matrices.
#include <cmath>

#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {
namespace {

Tensor as_floating(const char* operation, const Tensor& input, OptionalDType dtype) {
  if (!is_floating(input.dtype()) && !is_complex(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes floats and complex numbers, not {}", operation,
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("<input>.to(px.float32)")
        .raise();
  if (!dtype) return input;
  if (is_complex(input.dtype()) != is_complex(*dtype) || !is_differentiable(*dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: cannot compute in {}", operation, info(*dtype).name)
        .detail("input", describe(input))
        .raise();
  return input.to(*dtype);
}

// The two dimensions of `dim` moved to the end.
Tensor as_last_two(const char* operation, const Tensor& input, const DimList& dim) {
  if (dim.size() != 2)
    fail<ValueError>(ErrorCode::invalid_value, "{}: a norm of matrices needs two dimensions, not {}",
                     operation, dim.size())
        .detail("input", describe(input))
        .raise();
  check_matrix(operation, "input", input);
  const int first = normalize_dim(dim[0], input.rank(), operation),
            second = normalize_dim(dim[1], input.rank(), operation);
  if (first == second)
    fail<ValueError>(ErrorCode::duplicate_dimension, "{}: dimension {} is named twice", operation, first)
        .detail("input", describe(input))
        .raise();
  return movedim(input, {first, second}, {-2, -1});
}

// Puts dimensions of size 1 where `dim` was.
Tensor with_kept_dims(const Tensor& result, const Tensor& input, const DimList& dim) {
  Shape shape = input.shape();
  for (std::int64_t d : dim) shape[static_cast<std::size_t>(d < 0 ? d + input.rank() : d)] = 1;
  return reshape(result, shape);
}

// The largest of nothing is 0: sizes are not negative.
Tensor extreme(const Tensor& values, bool largest) {
  if (largest && values.size(-1) == 0) return sum(values, DimList(-1));
  return largest ? amax(values, DimList(-1)) : amin(values, DimList(-1));
}

}  // namespace

PHLOX_OPERATION(
    Tensor, linalg_vector_norm,
    (const Tensor& x, double ord = 2.0, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc =
        "The norm (sum |x|^ord)^(1/ord) of vectors along the dimensions `dim`, or of all elements; inf gives the "
        "largest, -inf the smallest |x|, 0 the number of elements that are not 0.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_vector_norm(A(3, 4)); linalg_vector_norm(A(3, 4), 3, dim=1); "
        "linalg_vector_norm(A(2, 3, 4), inf, dim=(0, 2), keepdim=True); linalg_vector_norm(A(3), 0.5)",
    .reference =
        "np.abs(x).max(axis=dim, keepdims=keepdim) if ord == np.inf else (np.abs(x) ** ord).sum(axis=dim, "
        "keepdims=keepdim) ** (1 / ord)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  return norm(as_floating("vector_norm", x, dtype), ord, dim, keepdim);
}

PHLOX_OPERATION(
    Tensor, linalg_matrix_norm,
    (const Tensor& A, const OptionalScalar& ord = {}, const DimList& dim = {-2, -1}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc =
        "A norm of matrices: \"fro\" (the default), \"nuc\" (the sum of singular values), 2 (the largest of them), 1 (the "
        "largest sum of a column), inf (of a row), and -2, -1, -inf for the smallest.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_matrix_norm(A(3, 4)); linalg_matrix_norm(A(3, 4), 2); linalg_matrix_norm(A(2, 3, 4), 1, keepdim=True); "
        "linalg_matrix_norm(A(2, 3, 4), -inf, dim=(0, 1))",
    .reference = "np.linalg.norm(A, ord, axis=dim, keepdims=keepdim)", .integers = false, .complex = true,
    .tolerance = 1e-4) {
  if (!ord) return linalg_matrix_norm_named(A, "fro", dim, keepdim, dtype);
  const double p = ord->real(), size = std::abs(p);
  const char* const operation = "matrix_norm";
  if (size != 1 && size != 2 && !std::isinf(size))
    fail<ValueError>(ErrorCode::invalid_value,
                     "matrix_norm: the order is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {}", p)
        .raise();
  const Tensor input = as_floating(operation, A, dtype), x = as_last_two(operation, input, dim);
  Tensor result;
  if (size == 2) {
    result = extreme(svdvals(x), p > 0);
  } else {
    result = extreme(sum(abs(x), DimList(size == 1 ? -2 : -1)), p > 0);
  }
  return keepdim ? with_kept_dims(result, input, dim) : result;
}

PHLOX_OPERATION(
    Tensor, linalg_matrix_norm_named,
    (const Tensor& A, const std::string& ord, const DimList& dim = {-2, -1}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc = "The Frobenius norm (\"fro\") or the nuclear norm (\"nuc\") of matrices.",
    .family = Family::linalg, .method = false,
    .samples =
        "linalg_matrix_norm_named(A(3, 4), 'fro'); linalg_matrix_norm_named(A(2, 3, 4), 'nuc', dim=(0, 2)); "
        "linalg_matrix_norm_named(A(2, 3, 4), 'nuc', keepdim=True)",
    .reference = "np.linalg.norm(A, ord, axis=dim, keepdims=keepdim)", .integers = false, .complex = true,
    .tolerance = 1e-4, .overload_of = "linalg_matrix_norm") {
  const char* const operation = "matrix_norm";
  if (ord != "fro" && ord != "nuc")
    fail<ValueError>(ErrorCode::invalid_value,
                     "matrix_norm: the order is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not '{}'", ord)
        .raise();
  const Tensor input = as_floating(operation, A, dtype), x = as_last_two(operation, input, dim);
  if (ord == "fro") return norm(input, 2.0, OptionalDims(dim), keepdim);
  const Tensor result = sum(svdvals(x), DimList(-1));
  return keepdim ? with_kept_dims(result, input, dim) : result;
}

PHLOX_OPERATION(
    Tensor, linalg_norm,
    (const Tensor& input, const OptionalScalar& ord = {}, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc =
        "A norm of vectors or matrices. With one dimension in `dim` (or a vector), that of linalg.vector_norm; with two "
        "(or a matrix) and an order, that of linalg.matrix_norm. Without both, the 2-norm of all elements.",
    .family = Family::linalg, .home = "linalg", .method = false,
    .samples =
        "linalg_norm(A(3, 4)); linalg_norm(A(4), 3); linalg_norm(A(3, 4), 1); linalg_norm(A(2, 3, 4), 2, dim=(0, 1)); "
        "linalg_norm(A(2, 3, 4), inf, dim=1, keepdim=True); linalg_norm(A(2, 3, 4), dim=(1, 2))",
    .reference =
        "np.linalg.norm(input.ravel() if ord is None and dim is None else input, ord, axis=dim, keepdims=keepdim)",
    .integers = false, .complex = true, .tolerance = 1e-4) {
  if (!ord) return linalg_vector_norm(input, 2.0, dim, keepdim, dtype);
  if (dim && dim->size() == 1) return linalg_vector_norm(input, ord->real(), dim, keepdim, dtype);
  if (dim && dim->size() == 2) return linalg_matrix_norm(input, *ord, DimList(*dim), keepdim, dtype);
  if (dim || input.rank() < 1 || input.rank() > 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "norm: an order needs a vector, a matrix, or one or two dimensions")
        .detail("input", describe(input))
        .hint("dim=(-2, -1)")
        .raise();
  if (input.rank() == 1) return linalg_vector_norm(input, ord->real(), dim, keepdim, dtype);
  return linalg_matrix_norm(input, *ord, {-2, -1}, keepdim, dtype);
}

PHLOX_OPERATION(
    Tensor, linalg_norm_named,
    (const Tensor& input, const std::string& ord, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc = "The norm \"fro\" or \"nuc\" of matrices.", .family = Family::linalg, .method = false,
    .samples = "linalg_norm_named(A(3, 4), 'fro'); linalg_norm_named(A(2, 3, 4), 'nuc', dim=(0, 1))",
    .reference = "np.linalg.norm(input, ord, axis=dim, keepdims=keepdim)", .integers = false, .complex = true,
    .tolerance = 1e-4, .overload_of = "linalg_norm") {
  if (!dim && input.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "norm: '{}' needs a matrix, or two dimensions", ord)
        .detail("input", describe(input))
        .hint("dim=(-2, -1)")
        .raise();
  return linalg_matrix_norm_named(input, ord, dim ? DimList(*dim) : DimList{-2, -1}, keepdim, dtype);
}

PHLOX_OPERATION(
    Tensor, norm_named,
    (const Tensor& input, const std::string& p, const OptionalDims& dim = {}, bool keepdim = false,
     OptionalDType dtype = {}),
    .doc = "The 2-norm of elements (\"fro\") over any dimensions, or the nuclear norm (\"nuc\") of matrices.",
    .family = Family::linalg, .method = false,
    .samples = "norm_named(A(3, 4), 'fro'); norm_named(A(2, 3, 4), 'fro', dim=1); norm_named(A(3, 4), 'nuc')",
    .reference = "np.linalg.norm(input, None if dim == 1 else p, axis=dim, keepdims=keepdim)",
    .integers = false, .complex = true, .tolerance = 1e-4, .overload_of = "norm") {
  if (p == "fro") return linalg_vector_norm(input, 2.0, dim, keepdim, dtype);
  return linalg_norm_named(input, p, dim, keepdim, dtype);
}

}  // namespace phlox
