// Other dtypes, as values and as bits.
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"

namespace phlox {

PHLOX_OPERATION(Tensor, cast, (const Tensor& input, DType dtype),
                .doc = "The values in another dtype: `x.to(dtype)` as a function.",
                .family = Family::conversion, .method = false,
                .example = "cast(px.tensor([1.7, -1.7]), px.int64)", .complex = true) {
  return input.to(dtype);
}

PHLOX_OPERATION(
    Tensor, view_dtype, (const Tensor& input, DType dtype),
    .doc =
        "The same memory read as another dtype. Where the elements differ in size, the last dimension grows or shrinks "
        "by their ratio, and lies without gaps. No gradients flow through.",
    .family = Family::view, .method = false, .example = "px.tensor([1.0, -1.0]).view(px.int32)",
    .differentiable = false, .complex = true, .overload_of = "view") {
  const std::int64_t from = info(input.dtype()).bits / 8, to = info(dtype).bits / 8;
  const auto has_bytes = [](DType d) { return is_castable(d) && info(d).bits >= 8; };
  if (!has_bytes(dtype) || !has_bytes(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "view: the bits of {} cannot be read as {}",
                     info(input.dtype()).name, info(dtype).name)
        .detail("input", describe(input))
        .raise();
  if (from == to) return apply_view(input.detach(), ViewAttributes::bits(input.dtype(), dtype));
  if (input.rank() == 0 || (to > from && input.size(-1) % (to / from) != 0))
    fail<ShapeError>(ErrorCode::sizes_differ, "view: the last dimension does not fill elements of {} bytes",
                     to)
        .detail("input", describe(input))
        .raise();
  const Tensor result = apply_view(input.detach(), ViewAttributes::bits(input.dtype(), dtype));
  if (!result.defined())
    fail<ShapeError>(ErrorCode::not_viewable, "view: strides and offset do not allow elements of {} bytes",
                     to)
        .detail("input", describe(input))
        .hint("<input>.contiguous()")
        .raise();
  return result;
}

PHLOX_OPERATION(
    Tensor, bitcast, (const Tensor& input, DType dtype),
    .doc =
        "The bits of the elements as another dtype, in memory of their own; the last dimension grows or "
        "shrinks where the elements differ in size.",
    .family = Family::conversion, .method = false, .example = "bitcast(px.tensor([1.0, -1.0]), px.int32)",
    .differentiable = false, .complex = true) {
  return clone(view_dtype(contiguous(input.detach()), dtype));
}

PHLOX_OPERATION(Tensor, rsub, (const Tensor& input, const Operand& other, Scalar alpha = 1),
                .doc = "other - alpha * input.", .family = Family::pointwise, .method = false,
                .samples = "rsub(A(3, 4), A(3, 4)); rsub(A(3, 4), 2.5); rsub(A(3, 4), A(4), alpha=3)",
                .reference = "other - alpha * input", .complex = true) {
  const bool one = alpha.kind() <= Scalar::Kind::integer && alpha.integer() == 1;
  return sub(other, one ? input : mul(input, alpha));
}

}  // namespace phlox
