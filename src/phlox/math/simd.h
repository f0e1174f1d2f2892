// Simd<T, N>: N elements in one vector register, on the vector extensions of GCC and Clang.
//
//   using V = Native<float>;                       // 4, 8 or 16 lanes, by the instruction set of this
//   compilation (V::load(p) * 2.0 + exp(V::load(q))).store(r); // any alignment
//
// The operators are those of math/domain.h. Integer arithmetic wraps; division by zero gives 0.
#pragma once

#include "phlox/math/domain.h"

#if defined(__has_builtin)
#define PHLOX_HAS_BUILTIN(name) __has_builtin(name)
#else
#define PHLOX_HAS_BUILTIN(name) 0
#endif

namespace phlox::math {
inline namespace PHLOX_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T, int N>
struct Simd;

// The widest register that this instruction set handles in one piece.
template <class T>
using Native = Simd<T, kVectorBytes / static_cast<int>(sizeof(T))>;

// A vector type of the compiler, by element and size in bytes.
template <class T, int bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
  typedef T unaligned __attribute__((vector_size(bytes), aligned(alignof(T)), may_alias));
};

// Whether a bit is set.
template <class V>
PHLOX_INLINE bool any_bit(V v) {
  constexpr int bytes = static_cast<int>(sizeof(V));
#if defined(__AVX512DQ__)
  if constexpr (bytes == 64)
    return __builtin_ia32_cvtd2mask512(reinterpret_cast<typename VectorOf<int, 64>::type>(v)) != 0;
#endif
#if defined(__AVX2__)
  if constexpr (bytes == 32)
    return __builtin_ia32_pmovmskb256(reinterpret_cast<typename VectorOf<char, 32>::type>(v)) != 0;
#endif
#if defined(__SSE2__)
  if constexpr (bytes == 16)
    return __builtin_ia32_pmovmskb128(reinterpret_cast<typename VectorOf<char, 16>::type>(v)) != 0;
#endif
  const auto words = reinterpret_cast<typename VectorOf<uint64_t, bytes>::type>(v);
  uint64_t all = words[0];
  for (int i = 1; i < bytes / 8; ++i) all |= words[i];
  return all != 0;
}

template <class T, int N>
struct Simd {
  static_assert(N > 1 && (N & (N - 1)) == 0,
                "Simd<T, N>: N must be a power of two above 1; one element is Scalar<T>");
  static constexpr bool lowered = true;
  static constexpr int lanes = N;
  static constexpr int width = static_cast<int>(sizeof(T)) * 8;  // bits of a lane
  static constexpr bool is_integer = std::is_integral_v<T>;

  using Element = T;
  using UnsignedElement = typename IntegerOfSize<sizeof(T)>::Unsigned;
  using SignedElement = typename IntegerOfSize<sizeof(T)>::Signed;
  using Bits = Simd<UnsignedElement, N>;

  using Vector = typename VectorOf<T, sizeof(T) * N>::type;
  using UnalignedVector = typename VectorOf<T, sizeof(T) * N>::unaligned;
  using UnsignedVector = typename VectorOf<UnsignedElement, sizeof(T) * N>::type;
  using SignedVector = typename VectorOf<SignedElement, sizeof(T) * N>::type;
  using ByteVector = typename VectorOf<uint8_t, N>::type;
  using UnalignedByteVector = typename VectorOf<uint8_t, N>::unaligned;

  // One truth value for each lane: all bits of the lane set or clear.
  struct Mask {
    SignedVector value;

    // Doubling the width again and again: GCC 12 takes larger steps element by element.
    template <int bytes>
    PHLOX_INLINE static auto widened(ByteVector v) {
      if constexpr (bytes == 1) return __builtin_convertvector(v, typename VectorOf<int8_t, N>::type);
      else
        return __builtin_convertvector(
            widened<bytes / 2>(v), typename VectorOf<typename IntegerOfSize<bytes>::Signed, bytes * N>::type);
    }

    // From and to bytes of 0 and 1, the storage of bool tensors.
    PHLOX_INLINE static Mask load(const uint8_t* source) {
      const ByteVector bytes = *reinterpret_cast<const UnalignedByteVector*>(source);
      return {widened<sizeof(T)>(bytes) != 0};
    }
    PHLOX_INLINE void store(uint8_t* target) const {
      *reinterpret_cast<UnalignedByteVector*>(target) = __builtin_convertvector(value, ByteVector) & 1;
    }

    PHLOX_INLINE friend Mask operator&(Mask a, Mask b) { return {a.value & b.value}; }
    PHLOX_INLINE friend Mask operator|(Mask a, Mask b) { return {a.value | b.value}; }
    PHLOX_INLINE friend Mask operator^(Mask a, Mask b) { return {a.value ^ b.value}; }
    PHLOX_INLINE friend Mask operator!(Mask a) { return {~a.value}; }
    PHLOX_INLINE friend bool any(Mask a) { return any_bit(a.value); }
  };

  Vector value;

  Simd() = default;
  PHLOX_INLINE Simd(Vector v) : value(v) {}
  template <Number S>
  PHLOX_INLINE Simd(S number) : value(Vector{} + constant_cast<T>(number)) {}

  PHLOX_INLINE static Simd load(const T* source) {
    return static_cast<Vector>(*reinterpret_cast<const UnalignedVector*>(source));
  }
  PHLOX_INLINE void store(T* target) const { *reinterpret_cast<UnalignedVector*>(target) = value; }

  PHLOX_INLINE static Simd from_bits(Bits b) { return reinterpret_cast<Vector>(b.value); }
  PHLOX_INLINE friend Bits bits(Simd a) { return reinterpret_cast<UnsignedVector>(a.value); }

  // ---- Arithmetic. Integers are computed unsigned, where overflow is defined.
  PHLOX_INLINE friend Simd operator+(Simd a, Simd b) {
    if constexpr (is_integer) {
      return reinterpret_cast<Vector>(a.as_unsigned() + b.as_unsigned());
    } else {
      return a.value + b.value;
    }
  }
  PHLOX_INLINE friend Simd operator-(Simd a, Simd b) {
    if constexpr (is_integer) {
      return reinterpret_cast<Vector>(a.as_unsigned() - b.as_unsigned());
    } else {
      return a.value - b.value;
    }
  }
  PHLOX_INLINE friend Simd operator*(Simd a, Simd b) {
    if constexpr (is_integer) {
      return reinterpret_cast<Vector>(a.as_unsigned() * b.as_unsigned());
    } else {
      return a.value * b.value;
    }
  }
  PHLOX_INLINE friend Simd operator/(Simd a, Simd b) {
    if constexpr (is_integer) {
      // Zero divisors are replaced before the division, as is -1, whose quotient may overflow.
      Vector quotient;
      for (int i = 0; i < N; ++i) quotient[i] = quotient_of(a.value[i], b.value[i]);
      return quotient;
    } else {
      return a.value / b.value;
    }
  }
  PHLOX_INLINE friend Simd operator%(Simd a, Simd b)
    requires is_integer
  {
    Vector rest;
    for (int i = 0; i < N; ++i) rest[i] = rest_of(a.value[i], b.value[i]);
    return rest;
  }
  PHLOX_INLINE friend Simd operator-(Simd a) {
    if constexpr (is_integer) {
      return reinterpret_cast<Vector>(-a.as_unsigned());
    } else {
      return from_bits(bits(a) ^ FloatFormat<T>::sign_mask);
    }
  }

  // ---- Bits of integers
  PHLOX_INLINE friend Simd operator&(Simd a, Simd b)
    requires is_integer
  {
    return a.value & b.value;
  }
  PHLOX_INLINE friend Simd operator|(Simd a, Simd b)
    requires is_integer
  {
    return a.value | b.value;
  }
  PHLOX_INLINE friend Simd operator^(Simd a, Simd b)
    requires is_integer
  {
    return a.value ^ b.value;
  }
  PHLOX_INLINE friend Simd operator~(Simd a)
    requires is_integer
  {
    return ~a.value;
  }
  // By a count from 0 to one less than the width; to the right arithmetic for signed, logical for unsigned
  // elements.
  PHLOX_INLINE friend Simd operator<<(Simd a, int count)
    requires is_integer
  {
    return reinterpret_cast<Vector>(a.as_unsigned() << count);
  }
  PHLOX_INLINE friend Simd operator>>(Simd a, int count)
    requires is_integer
  {
    return a.value >> count;
  }
  // By a count for each lane. Counts beyond the width shift everything out, also negative ones.
  PHLOX_INLINE friend Simd operator<<(Simd a, Simd count)
    requires is_integer
  {
    const UnsignedVector amount = count.as_unsigned();
    const UnsignedVector last = UnsignedVector{} + static_cast<UnsignedElement>(width - 1);
    const UnsignedVector shifted = a.as_unsigned() << (amount & last);
    return reinterpret_cast<Vector>(amount > last ? UnsignedVector{} : shifted);
  }
  PHLOX_INLINE friend Simd operator>>(Simd a, Simd count)
    requires is_integer
  {
    const UnsignedVector amount = count.as_unsigned();
    const UnsignedVector last = UnsignedVector{} + static_cast<UnsignedElement>(width - 1);
    if constexpr (std::is_signed_v<T>) {
      return a.value >> reinterpret_cast<Vector>(amount > last ? last : amount);
    } else {
      return reinterpret_cast<Vector>(amount > last ? UnsignedVector{} : a.as_unsigned() >> (amount & last));
    }
  }
  template <int size>
  PHLOX_INLINE friend Simd lookup(const T (&table)[size], Simd index)
    requires is_integer
  {
    Vector found;
    for (int i = 0; i < N; ++i) found[i] = table[index.value[i]];
    return found;
  }

  // ---- Comparison and choice
  PHLOX_INLINE friend Mask operator<(Simd a, Simd b) { return {a.value < b.value}; }
  PHLOX_INLINE friend Mask operator<=(Simd a, Simd b) { return {a.value <= b.value}; }
  PHLOX_INLINE friend Mask operator>(Simd a, Simd b) { return {a.value > b.value}; }
  PHLOX_INLINE friend Mask operator>=(Simd a, Simd b) { return {a.value >= b.value}; }
  PHLOX_INLINE friend Mask operator==(Simd a, Simd b) { return {a.value == b.value}; }
  PHLOX_INLINE friend Mask operator!=(Simd a, Simd b) { return {a.value != b.value}; }
  PHLOX_INLINE friend Simd select(Mask mask, Simd a, Simd b) { return mask.value ? a.value : b.value; }

  // ---- What floats need from the machine
  PHLOX_INLINE friend Simd sqrt(Simd a)
    requires(!is_integer)
  {
    return square_root(a.value);
  }
#if defined(__AVX512DQ__) && !defined(__clang__)
  PHLOX_INLINE friend Simd scaled_by_machine(Simd x, Bits n)
    requires(!is_integer && sizeof(Vector) == 64)
  {
    constexpr int current_rounding = 4;
    const Vector exponent = __builtin_convertvector(reinterpret_cast<SignedVector>(n.value), Vector);
    if constexpr (sizeof(T) == 4)
      return __builtin_ia32_scalefps512_mask(x.value, exponent, x.value, -1, current_rounding);
    else return __builtin_ia32_scalefpd512_mask(x.value, exponent, x.value, -1, current_rounding);
  }
  // The same for n that is there as a float already.
  PHLOX_INLINE friend Simd scaled_by_machine_float(Simd x, Simd n)
    requires(!is_integer && sizeof(Vector) == 64)
  {
    constexpr int current_rounding = 4;
    if constexpr (sizeof(T) == 4)
      return __builtin_ia32_scalefps512_mask(x.value, n.value, x.value, -1, current_rounding);
    else return __builtin_ia32_scalefpd512_mask(x.value, n.value, x.value, -1, current_rounding);
  }
#endif
#if defined(__AVX512F__) && !defined(__clang__)
  template <bool above>
  PHLOX_INLINE friend Simd extreme_by_machine(Simd a, Simd b)
    requires(!is_integer && sizeof(Vector) == 64)
  {
    constexpr int current_rounding = 4;
    if constexpr (sizeof(T) == 4)
      return above ? __builtin_ia32_maxps512_mask(b.value, a.value, a.value, -1, current_rounding)
                   : __builtin_ia32_minps512_mask(b.value, a.value, a.value, -1, current_rounding);
    else
      return above ? __builtin_ia32_maxpd512_mask(b.value, a.value, a.value, -1, current_rounding)
                   : __builtin_ia32_minpd512_mask(b.value, a.value, a.value, -1, current_rounding);
  }
#endif
  PHLOX_INLINE friend Simd fused(Simd a, Simd b, Simd c)
    requires(!is_integer)
  {
#if PHLOX_HAS_BUILTIN(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a.value, b.value, c.value);
#else
    Vector result;
    for (int i = 0; i < N; ++i) {
      if constexpr (sizeof(T) == 4) {
        result[i] = __builtin_fmaf(a.value[i], b.value[i], c.value[i]);
      } else {
        result[i] = __builtin_fma(a.value[i], b.value[i], c.value[i]);
      }
    }
    return result;
#endif
  }
  PHLOX_INLINE friend Simd fmod_exact(Simd a, Simd b)
    requires(!is_integer)
  {
    Vector result;
    for (int i = 0; i < N; ++i) {
      if constexpr (sizeof(T) == 4) {
        result[i] = __builtin_fmodf(a.value[i], b.value[i]);
      } else {
        result[i] = __builtin_fmod(a.value[i], b.value[i]);
      }
    }
    return result;
  }

 private:
  PHLOX_INLINE UnsignedVector as_unsigned() const { return reinterpret_cast<UnsignedVector>(value); }

  PHLOX_INLINE static T quotient_of(T a, T b) {
    if (b == 0) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return static_cast<T>(UnsignedElement(0) - static_cast<UnsignedElement>(a));
    }
    return static_cast<T>(a / b);
  }
  PHLOX_INLINE static T rest_of(T a, T b) {
    if (b == 0) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return T(0);
    }
    return static_cast<T>(a % b);
  }

  PHLOX_INLINE static Vector square_root(Vector v) {
#if PHLOX_HAS_BUILTIN(__builtin_elementwise_sqrt)
    return __builtin_elementwise_sqrt(v);
#else
#if defined(__AVX512F__)
    if constexpr (sizeof(Vector) == 64) {
      constexpr int current_rounding = 4;
      if constexpr (sizeof(T) == 4) {
        return __builtin_ia32_sqrtps512_mask(v, v, -1, current_rounding);
      } else {
        return __builtin_ia32_sqrtpd512_mask(v, v, -1, current_rounding);
      }
    }
#endif
#if defined(__AVX__)
    if constexpr (sizeof(Vector) == 32) {
      if constexpr (sizeof(T) == 4) {
        return __builtin_ia32_sqrtps256(v);
      } else {
        return __builtin_ia32_sqrtpd256(v);
      }
    }
#endif
#if defined(__SSE2__)
    if constexpr (sizeof(Vector) == 16) {
      if constexpr (sizeof(T) == 4) {
        return __builtin_ia32_sqrtps(v);
      } else {
        return __builtin_ia32_sqrtpd(v);
      }
    }
#endif
    Vector result;
    for (int i = 0; i < N; ++i) {
      if constexpr (sizeof(T) == 4) {
        result[i] = __builtin_sqrtf(v[i]);
      } else {
        result[i] = __builtin_sqrt(v[i]);
      }
    }
    return result;
#endif
  }
};

// ---- float lanes as two vectors of doubles, for functions that need the digits

template <int N>
PHLOX_INLINE Pair<Simd<double, N / 2>> widen(Simd<float, N> x) {
  using Double = Simd<double, N / 2>;
  using Wide = typename Double::Vector;
  const typename VectorOf<float, 4 * N>::type v = x.value;
  if constexpr (N == 4) {
    return {Double(__builtin_convertvector(__builtin_shufflevector(v, v, 0, 1), Wide)),
            Double(__builtin_convertvector(__builtin_shufflevector(v, v, 2, 3), Wide))};
  } else if constexpr (N == 8) {
    return {Double(__builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3), Wide)),
            Double(__builtin_convertvector(__builtin_shufflevector(v, v, 4, 5, 6, 7), Wide))};
  } else {
    static_assert(N == 16, "widen: 4, 8 or 16 lanes of float");
    return {
        Double(__builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), Wide)),
        Double(__builtin_convertvector(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), Wide))};
  }
}

template <int M>
PHLOX_INLINE Simd<float, 2 * M> narrow(Simd<double, M> low, Simd<double, M> high) {
  using Half = typename VectorOf<float, 4 * M>::type;
  const Half a = __builtin_convertvector(low.value, Half), b = __builtin_convertvector(high.value, Half);
  if constexpr (M == 2) {
    return Simd<float, 2 * M>(__builtin_shufflevector(a, b, 0, 1, 2, 3));
  } else if constexpr (M == 4) {
    return Simd<float, 2 * M>(__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7));
  } else {
    static_assert(M == 8, "narrow: 2, 4 or 8 lanes of double");
    return Simd<float, 2 * M>(
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  }
}
template <int M>
PHLOX_INLINE Pair<Simd<float, 2 * M>> narrow(Pair<Simd<double, M>> low, Pair<Simd<double, M>> high) {
  return {narrow(low.first, high.first), narrow(low.second, high.second)};
}

// function(x...) computed on doubles. The function may return one value or a Pair.
template <class F, int N, class... Same>
PHLOX_INLINE auto in_double(F function, Simd<float, N> x, Same... more) {
  return narrow(function(widen(x).first, widen(more).first...),
                function(widen(x).second, widen(more).second...));
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
