// Complex tensors: their parts, and what is made of these.
//
// The gradient of a real result with respect to z = x + iy is dL/dx + i dL/dy (the conjugate Wirtinger derivative,
// as in PyTorch): the direction in which L grows. It follows by itself for all that is written with parts; analytic
// pointwise functions multiply with the conjugate of their derivative (ops/pointwise.cc).
#include "phlox/ops/complex_forms.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/view.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

Tensor part(const Tensor& input, std::int64_t position) { return select(view_as_real(input), -1, position); }

// Both parts as floats of one dtype.
std::pair<Tensor, Tensor> floating_parts(const Tensor& first, const Tensor& second, const char* operation) {
  DType dtype = promote(first.dtype(), second.dtype());
  if (is_complex(dtype) || !is_computable(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: takes real numbers, not {}", operation, info(dtype).name)
        .detail("input", describe(first))
        .detail("other", describe(second))
        .raise();
  if (dtype != DType::float64) dtype = DType::float32;
  return {first.to(dtype), second.to(dtype)};
}

}  // namespace

PHLOX_OPERATION(
    Tensor, view_as_real, (const Tensor& input),
    .doc =
        "A complex tensor as real numbers: the same memory with a last dimension of 2, the real and the "
        "imaginary part.",
    .family = Family::view, .samples = "view_as_real(Z(3, 4))",
    .reference = "np.stack([input.real, input.imag], -1)", .complex = true) {
  if (!is_complex(input.dtype()))
    fail<DTypeError>(ErrorCode::wrong_dtype, "view_as_real: takes complex numbers, not {}",
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .raise();
  return apply_view(input, {ViewKind::real_pairs, {}});
}

PHLOX_OPERATION(
    Tensor, view_as_complex, (const Tensor& input),
    .doc =
        "Pairs of f32 or f64 numbers along the last dimension, of size 2, as complex numbers. The same "
        "memory where the parts lie next to each other, else a copy.",
    .family = Family::view, .samples = "view_as_complex(A(3, 2)); view_as_complex(A(2))",
    .reference = "input[..., 0] + 1j * input[..., 1]", .integers = false) {
  if (input.dtype() != DType::float32 && input.dtype() != DType::float64) {
    if (is_half(input.dtype())) return view_as_complex(widened(input));
    fail<DTypeError>(ErrorCode::wrong_dtype, "view_as_complex: takes f32 and f64, not {}",
                     info(input.dtype()).name)
        .detail("input", describe(input))
        .hint("x.to(px.float32)")
        .raise();
  }
  if (input.rank() == 0 || input.size(-1) != 2)
    fail<ShapeError>(ErrorCode::sizes_differ, "view_as_complex: the last dimension must hold two numbers")
        .detail("input", describe(input))
        .hint("px.complex(real, imag) joins two tensors")
        .raise();
  const ViewAttributes v{ViewKind::complex_pairs, {}};
  const Tensor result = apply_view(input, v);
  return result.defined() ? result
                          : apply_view(apply_convert(input, input.dtype(), MemoryOrder::row_major), v);
}

PHLOX_OPERATION(Tensor, real, (const Tensor& input),
                .doc = "The real part: a view of a complex tensor, any other tensor itself.",
                .family = Family::view, .method = false, .samples = "real(A(3, 4)); real(Z(3, 4))",
                .reference = "np.real(input)", .complex = true) {
  return is_complex(input.dtype()) ? part(input, 0) : input;
}

PHLOX_OPERATION(Tensor, imag, (const Tensor& input),
                .doc = "The imaginary part: a view of a complex tensor, zeros for any other.",
                .family = Family::view, .method = false, .samples = "imag(A(3, 4)); imag(Z(3, 4))",
                .reference = "np.imag(input)", .complex = true) {
  return is_complex(input.dtype()) ? part(input, 1) : zeros_like(input);
}

PHLOX_OPERATION(Tensor, complex, (const Tensor& real, const Tensor& imag),
                .doc = "Complex numbers from their parts. f64 gives complex128, anything else complex64.",
                .family = Family::conversion, .method = false,
                .samples = "complex(A(3, 4), A(3, 4)); complex(A(4), A(3, 1))",
                .reference = "real + 1j * imag") {
  const auto [x, y] = floating_parts(real, imag, "complex");
  return view_as_complex(stack(broadcast_tensors({x, y}), -1));
}

PHLOX_OPERATION(Tensor, polar, (const Tensor& abs, const Tensor& angle),
                .doc = "Complex numbers from their lengths and angles.", .family = Family::conversion,
                .method = false, .samples = "polar(P(3, 4), A(3, 4)); polar(P(4), A(3, 1))",
                .reference = "abs * np.exp(1j * angle)") {
  const auto [length, direction] = floating_parts(abs, angle, "polar");
  return complex(mul(length, cos(direction)), mul(length, sin(direction)));
}

PHLOX_OPERATION(Tensor, conj, (const Tensor& input), .doc = "The complex conjugate; a real tensor itself.",
                .family = Family::conversion, .alias = "conj_physical",
                .samples = "conj(A(3, 4)); conj(Z(3, 4))", .reference = "np.conj(input)", .complex = true) {
  return is_complex(input.dtype()) ? complex(part(input, 0), neg(part(input, 1))) : input;
}

PHLOX_OPERATION(Tensor, resolve_conj, (const Tensor& input),
                .doc = "The tensor itself: conj() and neg() are carried out at once.",
                .family = Family::conversion, .alias = "resolve_neg", .samples = "resolve_conj(Z(3))",
                .reference = "input", .complex = true) {
  return input;
}

PHLOX_OPERATION(Tensor, adjoint, (const Tensor& input),
                .doc = "The conjugate of the matrices with their last two dimensions swapped.",
                .family = Family::view, .samples = "adjoint(A(2, 3, 4)); adjoint(Z(3, 4))",
                .reference = "np.conj(np.swapaxes(input, -1, -2))", .complex = true) {
  return conj(matrix_transpose(input));
}

PHLOX_OPERATION(Tensor, angle, (const Tensor& input),
                .doc = "The angle of complex numbers in radians; pi for negative real numbers, else 0.",
                .family = Family::conversion, .samples = "angle(A(3, 4)); angle(A()); angle(Z(3, 4))",
                .reference = "np.angle(input.astype(complex))", .complex = true) {
  if (is_complex(input.dtype())) return atan2(part(input, 1), part(input, 0));
  const Tensor x = is_floating(input.dtype()) ? input : input.to(default_dtype());
  return where(isnan(x), x, where(lt(x, 0), 3.14159265358979323846, zeros_like(x)));
}

PHLOX_OPERATION(Tensor, sgn, (const Tensor& input),
                .doc = "The sign; for complex numbers the point of length 1 in their direction, 0 for 0.",
                .family = Family::conversion, .samples = "sgn(A(3, 4)); sgn(Z(3, 4))",
                .reference = "np.sign(input) if not np.iscomplexobj(input) else input / np.abs(input)",
                .complex = true) {
  if (!is_complex(input.dtype())) return sign(input);
  const Tensor length = abs(input);
  return div(input, where(eq(length, 0), 1, length));
}

PHLOX_OPERATION(Tensor, isreal, (const Tensor& input), .doc = "Whether the imaginary part is 0.",
                .family = Family::conversion, .samples = "isreal(A(3, 4)); isreal(Z(3))",
                .reference = "np.isreal(input)", .differentiable = false, .complex = true) {
  return eq(imag(input), 0);
}

Tensor complex_abs(const Tensor& input) { return hypot(part(input, 0), part(input, 1)); }
Tensor complex_softsign(const Tensor& input) { return div(input, add(complex_abs(input), 1.0)); }

// log(exp(a) + exp(b)) without overflow.
Tensor complex_logaddexp(const Tensor& a, const Tensor& b) {
  const Tensor first = ge(real(a.detach()), real(b.detach()));
  const Tensor large = where(first, a, b), small = where(first, b, a);
  // Two infinities of one sign would differ by NaN.
  const Tensor same = logical_and(eq(small, large), logical_not(isfinite(real(large.detach()))));
  const Tensor apart = where(same, 0, sub(small, large));
  return add(large, phlox::log(add(exp(apart), 1)));
}

Tensor complex_isinf(const Tensor& input) { return any(isinf(view_as_real(input)), -1); }
Tensor complex_isfinite(const Tensor& input) { return all(isfinite(view_as_real(input)), -1); }

}  // namespace phlox
