// Products of matrices in few bits, with scales, and of groups of rows.
#include "phlox/ops/functions.h"
#include "phlox/ops/linalg/matrices.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

PHLOX_OPERATION(
    Tensor, scaled_mm,
    (const Tensor& mat_a, const Tensor& mat_b, const Tensor& scale_a, const Tensor& scale_b,
     const OptionalTensor& bias = {}, OptionalDType output_dtype = {}),
    .doc =
        "(mat_a * scale_a) @ (mat_b * scale_b) + bias, for matrices in float8, int8 or any other dtype: scales are single "
        "numbers, or one for each row of mat_a [m, 1] and each column of mat_b [1, n]. Sums are in f32, or in f64 for f64; the result is bf16 "
        "by default.",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .samples =
        "scaled_mm(A(3, 4), A(4, 2), P(), P(), output_dtype=float64); "
        "scaled_mm(A(3, 4), A(4, 2), P(3, 1), P(1, 2), A(2), output_dtype=float64)",
    .reference = "(mat_a * scale_a) @ (mat_b * scale_b) + (0 if bias is None else bias)", .tolerance = 1e-4) {
  for (const Tensor* matrix : {&mat_a, &mat_b})
    if (matrix->rank() != 2)
      fail<ShapeError>(ErrorCode::wrong_rank, "scaled_mm: takes two matrices")
          .detail("mat_a", describe(mat_a))
          .detail("mat_b", describe(mat_b))
          .raise();
  const auto fits = [](const Tensor& scale, std::int64_t rows, std::int64_t columns) {
    return scale.numel() == 1 || scale.shape() == Shape{rows, columns};
  };
  if (!fits(scale_a, mat_a.size(0), 1) || !fits(scale_b, 1, mat_b.size(1)))
    fail<ShapeError>(ErrorCode::sizes_differ, "scaled_mm: scales are single numbers, or [{}, 1] and [1, {}]",
                     mat_a.size(0), mat_b.size(1))
        .detail("scale_a", describe(scale_a))
        .detail("scale_b", describe(scale_b))
        .raise();
  const bool is_double = mat_a.dtype() == DType::float64 || mat_b.dtype() == DType::float64;
  const DType dtype = is_double ? DType::float64 : DType::float32;
  const auto scale_of = [&](const Tensor& scale) {
    const Tensor wide = scale.to(dtype);
    return scale.numel() == 1 ? reshape(wide, {}) : wide;
  };
  Tensor product = matmul(mat_a.to(dtype), mat_b.to(dtype));
  product = mul(mul(product, scale_of(scale_a)), scale_of(scale_b));
  if (bias) product = add(product, bias->to(dtype));
  return product.to(output_dtype.value_or(DType::bfloat16));
}

PHLOX_OPERATION(
    Tensor, grouped_mm,
    (const Tensor& input, const Tensor& mat2, const OptionalTensor& offs = {},
     const OptionalTensor& bias = {}, OptionalDType out_dtype = {}),
    .doc =
        "Products of groups of rows, columns or matrices: `offs` holds where each group ends. [rows, k] with [groups, k, "
        "n] multiplies each group of rows with its matrix; [groups, m, k] with [k, columns] each matrix with its group of "
        "columns; [m, k] with [k, n] groups of the shared dimension, which gives [groups, m, n]; two batches are bmm(). "
        "Rows behind the last group are 0.",
    .family = Family::matmul, .home = "nn.functional", .method = false,
    .example = "grouped_mm(px.ones(3, 2), px.ones(2, 2, 2), offs=px.tensor([1, 3], dtype=px.int32))",
    .reads_values = true) {
  const auto refuse = [&](const char* what) {
    fail<ShapeError>(ErrorCode::sizes_differ, "grouped_mm: {}", what)
        .detail("input", describe(input))
        .detail("mat2", describe(mat2))
        .raise();
  };
  if (input.rank() < 2 || input.rank() > 3 || mat2.rank() < 2 || mat2.rank() > 3)
    refuse("takes matrices or batches of them");
  if (input.size(-1) != mat2.size(-2)) refuse("the inner sizes differ");
  const bool rows = input.rank() == 2, columns = mat2.rank() == 2;
  if ((rows || columns) != offs.has_value()) refuse("`offs` goes with matrices, and not with two batches");
  Tensor result;
  if (!rows && !columns) {
    result = bmm(input, mat2);
  } else {
    const Tensor ends = offs->to(DType::int64);
    const std::int64_t groups = ends.numel();
    if (ends.rank() != 1 || (!rows && groups != input.size(0)) || (!columns && groups != mat2.size(0)))
      refuse("`offs` needs a number for each matrix of the batch");
    const std::int64_t whole = rows && columns ? input.size(1) : rows ? input.size(0) : mat2.size(1);
    TensorList parts;
    std::int64_t begin = 0;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t end = select(ends, 0, g).item<std::int64_t>();
      if (end < begin || end > whole) refuse("`offs` must ascend, up to the size that is cut");
      const auto own = [&](const Tensor& x, std::int64_t dim) { return narrow(x, dim, begin, end - begin); };
      parts.push_back(matmul(rows ? own(input, columns ? 1 : 0) : select(input, 0, g),
                             columns ? own(mat2, rows ? 0 : 1) : select(mat2, 0, g)));
      begin = end;
    }
    if (rows && columns) {
      result = stack(parts, 0);
    } else {
      const std::int64_t rest = whole - begin;
      const DType dtype = promote(input.dtype(), mat2.dtype());
      if (rest > 0)
        parts.push_back(
            zeros(rows ? Shape{rest, mat2.size(-1)} : Shape{input.size(-2), rest}, dtype, input.device()));
      result = cat(parts, rows ? 0 : 1);
    }
  }
  if (bias) result = add(result, *bias);
  return out_dtype ? result.to(*out_dtype) : result;
}

PHLOX_OPERATION(Tensor, int8_mm, (const Tensor& input, const Tensor& mat2),
                .doc = "The product of two int8 matrices, exact in int32.", .family = Family::matmul,
                .method = false, .samples = "int8_mm(I(9, 3, 4).to(int8), I(9, 4, 2).to(int8))",
                .reference = "np.matmul(input.astype(np.int32), mat2.astype(np.int32))",
                .differentiable = false) {
  for (const Tensor* matrix : {&input, &mat2})
    if (matrix->dtype() != DType::int8)
      fail<DTypeError>(ErrorCode::wrong_dtype, "int8_mm: takes int8")
          .detail("input", describe(input))
          .detail("mat2", describe(mat2))
          .raise();
  return mm(input.to(DType::int32), mat2.to(DType::int32));
}

}  // namespace phlox
