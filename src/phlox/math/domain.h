// What the scalar functions of deep learning need from the values they compute on.
//
// Every function of this folder is written once, as a template over a domain D:
//
//   Simd<T, N>     a vector register: the eager kernels, for each instruction set (math/simd.h)
//   Scalar<T>      one element, with the same bits as the vector (math/scalar.h)
//   expressions    operations see a function as one primitive; code generators expand it on their own domain
//
// A *lowered* domain (the first two, and code generators) offers:
//
//   D::Element                 float, double or an integer type;  D::lowered == true
//   D(number)                  broadcasts a constant, rounded to Element; implicit, so that `x * 0.5` works
//   + - * / and unary -        IEEE, rounded once each; integers wrap, x / 0 == x % 0 == 0, % takes the sign
//   of x < <= > >= == !=            give D::Mask, which has & | ^ ! and a member `value` select(mask, a, b)
//   a where the mask holds any(mask)                  whether a lane holds; a domain without branches may
//   always say true D::Bits                    the domain of unsigned integers of the same size; shifts are
//   logical there bits(x), D::from_bits(b)   reinterpretation sqrt(x)                    correctly rounded
//   fused(a, b, c)             a * b + c rounded once, used only where PHLOX_FMA is 1
//   lookup(table, b)           table[b] for each lane of a Bits domain, all in range (few uses, may be slow)
//   fmod_exact(x, y)           C's fmod (exact, therefore equal everywhere)
//   in_double(f, x...)         for float: f on the same lanes as doubles, its result (or Pair) rounded back
//
// No function branches on a value except through any(), and then only to skip work whose result is not
// selected. A result depends on the element alone, so all domains agree to the last bit (NaN payloads
// excepted).
//
// The folder is compiled once for each instruction set, in a namespace of its own, phlox::math::PHLOX_ISA, so
// that the linker never takes the AVX-512 copy of a function for a baseline caller. For this everything here
// is inlined by force, and no header of the standard library with code in it is included.
#pragma once

#include <cstdint>
#include <type_traits>

#include "phlox/base/macros.h"

// The instruction set of this compilation: baseline, avx2, avx512 or neon, given by the build.
#ifndef PHLOX_ISA
#define PHLOX_ISA baseline
#endif

// 1 lets multiply-then-add become one rounding. A switch for a whole library, as it changes bits.
#ifndef PHLOX_FMA
#define PHLOX_FMA 0
#endif

namespace phlox::math {
inline namespace PHLOX_ISA {

template <class D>
concept Lowered = D::lowered;

template <class D>
concept LoweredFloat = Lowered<D> && std::is_floating_point_v<typename D::Element>;

template <class D>
concept LoweredInteger = Lowered<D> && std::is_integral_v<typename D::Element>;

template <class T>
concept Number = std::is_arithmetic_v<T>;

template <class D>
inline constexpr bool is_f32 = std::is_same_v<typename D::Element, float>;

inline constexpr double kInfinity = __builtin_inf();
inline constexpr double kNaN = __builtin_nan("");

// The domain of a call with two arguments of which one may be a plain number: max(x, 0.0).
template <class A, class B>
struct CommonDomain {};
template <Lowered D>
struct CommonDomain<D, D> {
  using type = D;
};
template <Lowered D, Number B>
struct CommonDomain<D, B> {
  using type = D;
};
template <Number A, Lowered D>
struct CommonDomain<A, D> {
  using type = D;
};
template <class A, class B>
using Common = typename CommonDomain<A, B>::type;

// Two results of one function.
template <class D>
struct Pair {
  D first, second;
};

// The unsigned and signed integers of `size` bytes.
template <int size>
struct IntegerOfSize;
template <>
struct IntegerOfSize<1> {
  using Unsigned = uint8_t;
  using Signed = int8_t;
};
template <>
struct IntegerOfSize<2> {
  using Unsigned = uint16_t;
  using Signed = int16_t;
};
template <>
struct IntegerOfSize<4> {
  using Unsigned = uint32_t;
  using Signed = int32_t;
};
template <>
struct IntegerOfSize<8> {
  using Unsigned = uint64_t;
  using Signed = int64_t;
};

// A constant of type S as an element of type T. Integers wrap, as in the tensor library; numbers that an
// integer type cannot hold saturate, NaN becomes 0.
template <class T, class S>
PHLOX_INLINE constexpr T constant_cast(S number) {
  if constexpr (std::is_integral_v<T> && std::is_floating_point_v<S>) {
    constexpr bool is_signed = std::is_signed_v<T>;
    constexpr int value_bits = static_cast<int>(sizeof(T)) * 8 - (is_signed ? 1 : 0);
    constexpr T largest = static_cast<T>(~static_cast<uint64_t>(0) >> (64 - value_bits));
    constexpr T smallest = is_signed ? static_cast<T>(-largest - 1) : T(0);
    const double limit =
        value_bits == 64 ? 18446744073709551616.0 : static_cast<double>(uint64_t{1} << (value_bits & 63));
    const double d = static_cast<double>(number);
    if (d != d) return T(0);
    if (d >= limit) return largest;
    if (d <= (is_signed ? -limit : 0.0)) return smallest;
    return static_cast<T>(number);
  } else {
    return static_cast<T>(number);
  }
}

// Bit patterns of the two floating-point formats.
template <class T>
struct FloatFormat;
template <>
struct FloatFormat<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_bias = 127;
  static constexpr uint32_t sign_mask = 0x80000000u;
  static constexpr uint32_t magnitude_mask = 0x7fffffffu;
  static constexpr uint32_t upper_half_mask = 0xfffff000u;  // 12 significant bits
  static constexpr double integer_spacing = 8388608.0;      // 2^23: from here on all floats are integers
  static constexpr double round_shift = 12582912.0;         // 1.5 * 2^23
  static constexpr double smallest_normal = 0x1p-126;
};
template <>
struct FloatFormat<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int exponent_bias = 1023;
  static constexpr uint64_t sign_mask = 0x8000000000000000u;
  static constexpr uint64_t magnitude_mask = 0x7fffffffffffffffu;
  static constexpr uint64_t upper_half_mask = 0xfffffffff8000000u;  // 26 significant bits
  static constexpr double integer_spacing = 4503599627370496.0;     // 2^52
  static constexpr double round_shift = 6755399441055744.0;         // 1.5 * 2^52
  static constexpr double smallest_normal = 0x1p-1022;
};
template <class D>
using Format = FloatFormat<typename D::Element>;

// The same mask for another domain of equal element size and lanes.
template <Lowered D, class M>
PHLOX_INLINE typename D::Mask mask_of(M mask) {
  return {mask.value};
}

// a * b + c, in two roundings unless the library is built with PHLOX_FMA.
template <LoweredFloat D>
PHLOX_INLINE D multiply_add(D a, D b, D c) {
#if PHLOX_FMA
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}

// A polynomial by Horner's rule, highest power first.
template <LoweredFloat D, class... C>
PHLOX_INLINE D polynomial(D x, double highest, C... coefficients) {
  D sum = highest;
  ((sum = multiply_add(sum, x, D(coefficients))), ...);
  return sum;
}

// The nearest integer (ties to even) of |x| below 2^21 (f32) or 2^50 (f64), as a float and in two's
// complement.
template <LoweredFloat D>
struct Nearest {
  D value;
  typename D::Bits integer;
};
template <LoweredFloat D>
PHLOX_INLINE Nearest<D> nearest_small(D x) {
  const D shift = Format<D>::round_shift;
  const D shifted = x + shift;
  return {shifted - shift, bits(shifted) - bits(shift)};
}

// A small two's complement integer as a float; the same range.
template <LoweredFloat D>
PHLOX_INLINE D small_to_float(typename D::Bits integer) {
  const D shift = Format<D>::round_shift;
  return D::from_bits(bits(shift) + integer) - shift;
}

// 2^n for n in the normal range.
template <LoweredFloat D>
PHLOX_INLINE D power_of_two(typename D::Bits n) {
  return D::from_bits((n + Format<D>::exponent_bias) << Format<D>::mantissa_bits);
}

// x * 2^n, rounded once, also where it overflows or becomes denormal, while |n| < 2000 (f64) or 250 (f32) and x is
// neither huge nor tiny: with the processor's instruction or in two steps.
template <LoweredFloat D>
PHLOX_INLINE D scale_by_power_of_two(D x, typename D::Bits n) {
  if constexpr (requires { scaled_by_machine(x, n); }) return scaled_by_machine(x, n);
  constexpr int offset = 4 * (Format<D>::exponent_bias + 1);
  const typename D::Bits half = ((n + offset) >> 1) - offset / 2;
  return x * power_of_two<D>(half) * power_of_two<D>(n - half);
}

template <LoweredFloat D>
PHLOX_INLINE D scale_by_power_of_two(D x, Nearest<D> n) {
  if constexpr (requires { scaled_by_machine_float(x, n.value); }) return scaled_by_machine_float(x, n.value);
  else return scale_by_power_of_two(x, n.integer);
}

// ---- Arithmetic with twice the digits (Dekker 1971, Knuth 1969), without relying on fused operations.

// a + b == first + second exactly, for |a| >= |b| or a == 0.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> fast_two_sum(D a, D b) {
  const D sum = a + b;
  return {sum, b - (sum - a)};
}

// a + b == first + second exactly.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> two_sum(D a, D b) {
  const D sum = a + b;
  const D b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// The upper half of the digits; x - upper_half(x) is exact and holds the others.
template <LoweredFloat D>
PHLOX_INLINE D upper_half(D x) {
  return D::from_bits(bits(x) & Format<D>::upper_half_mask);
}

// a * b == first + second up to 2^-2p of the product, if nothing overflows or underflows.
template <LoweredFloat D>
PHLOX_INLINE Pair<D> two_product(D a, D b) {
  const D product = a * b;
  const D a_high = upper_half(a), b_high = upper_half(b);
  const D a_low = a - a_high, b_low = b - b_high;
  return {product, (((a_high * b_high - product) + a_high * b_low) + a_low * b_high) + a_low * b_low};
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
