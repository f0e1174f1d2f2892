// Scalar<T>: the domain of one element. A function gives the same bits here as in a lane of Simd<T, N>; it is
// the reference in tests and what code without vectors computes with.
//
//   double y = exp(Scalar<double>(0.5)).value;
#pragma once

#include "phlox/math/domain.h"

namespace phlox::math {
inline namespace PHLOX_ISA {

template <class T>
struct Scalar {
  static constexpr bool lowered = true;
  static constexpr int lanes = 1;
  static constexpr int width = static_cast<int>(sizeof(T)) * 8;
  static constexpr bool is_integer = std::is_integral_v<T>;

  using Element = T;
  using UnsignedElement = typename IntegerOfSize<sizeof(T)>::Unsigned;
  using Bits = Scalar<UnsignedElement>;

  struct Mask {
    bool value;

    PHLOX_INLINE static Mask load(const uint8_t* source) { return {*source != 0}; }
    PHLOX_INLINE void store(uint8_t* target) const { *target = value ? 1 : 0; }

    PHLOX_INLINE friend Mask operator&(Mask a, Mask b) { return {a.value && b.value}; }
    PHLOX_INLINE friend Mask operator|(Mask a, Mask b) { return {a.value || b.value}; }
    PHLOX_INLINE friend Mask operator^(Mask a, Mask b) { return {a.value != b.value}; }
    PHLOX_INLINE friend Mask operator!(Mask a) { return {!a.value}; }
    PHLOX_INLINE friend bool any(Mask a) { return a.value; }
  };

  T value;

  Scalar() = default;
  template <Number S>
  PHLOX_INLINE Scalar(S number) : value(constant_cast<T>(number)) {}

  PHLOX_INLINE static Scalar load(const T* source) { return *source; }
  PHLOX_INLINE void store(T* target) const { *target = value; }

  PHLOX_INLINE static Scalar from_bits(Bits b) { return __builtin_bit_cast(T, b.value); }
  PHLOX_INLINE friend Bits bits(Scalar a) { return __builtin_bit_cast(UnsignedElement, a.value); }

  // ---- Arithmetic. Integers are computed in uint64_t, where overflow is defined.
  PHLOX_INLINE friend Scalar operator+(Scalar a, Scalar b) {
    if constexpr (is_integer) {
      return static_cast<T>(wide(a) + wide(b));
    } else {
      return a.value + b.value;
    }
  }
  PHLOX_INLINE friend Scalar operator-(Scalar a, Scalar b) {
    if constexpr (is_integer) {
      return static_cast<T>(wide(a) - wide(b));
    } else {
      return a.value - b.value;
    }
  }
  PHLOX_INLINE friend Scalar operator*(Scalar a, Scalar b) {
    if constexpr (is_integer) {
      return static_cast<T>(wide(a) * wide(b));
    } else {
      return a.value * b.value;
    }
  }
  PHLOX_INLINE friend Scalar operator/(Scalar a, Scalar b) {
    if constexpr (is_integer) {
      if (b.value == 0) return T(0);
      if constexpr (std::is_signed_v<T>) {
        if (b.value == T(-1)) return -a;
      }
      return static_cast<T>(a.value / b.value);
    } else {
      return a.value / b.value;
    }
  }
  PHLOX_INLINE friend Scalar operator%(Scalar a, Scalar b)
    requires is_integer
  {
    if (b.value == 0) return T(0);
    if constexpr (std::is_signed_v<T>) {
      if (b.value == T(-1)) return T(0);
    }
    return static_cast<T>(a.value % b.value);
  }
  PHLOX_INLINE friend Scalar operator-(Scalar a) {
    if constexpr (is_integer) {
      return static_cast<T>(uint64_t{0} - wide(a));
    } else {
      return from_bits(bits(a) ^ FloatFormat<T>::sign_mask);
    }
  }

  // ---- Bits of integers
  PHLOX_INLINE friend Scalar operator&(Scalar a, Scalar b)
    requires is_integer
  {
    return static_cast<T>(a.value & b.value);
  }
  PHLOX_INLINE friend Scalar operator|(Scalar a, Scalar b)
    requires is_integer
  {
    return static_cast<T>(a.value | b.value);
  }
  PHLOX_INLINE friend Scalar operator^(Scalar a, Scalar b)
    requires is_integer
  {
    return static_cast<T>(a.value ^ b.value);
  }
  PHLOX_INLINE friend Scalar operator~(Scalar a)
    requires is_integer
  {
    return static_cast<T>(~a.value);
  }
  PHLOX_INLINE friend Scalar operator<<(Scalar a, int count)
    requires is_integer
  {
    return static_cast<T>(wide(a) << count);
  }
  PHLOX_INLINE friend Scalar operator>>(Scalar a, int count)
    requires is_integer
  {
    return static_cast<T>(a.value >> count);
  }
  // Counts beyond the width shift everything out, also negative ones.
  PHLOX_INLINE friend Scalar operator<<(Scalar a, Scalar count)
    requires is_integer
  {
    const UnsignedElement amount = static_cast<UnsignedElement>(count.value);
    return amount < width ? static_cast<T>(wide(a) << amount) : T(0);
  }
  PHLOX_INLINE friend Scalar operator>>(Scalar a, Scalar count)
    requires is_integer
  {
    const UnsignedElement amount = static_cast<UnsignedElement>(count.value);
    if (amount < width) return static_cast<T>(a.value >> amount);
    return static_cast<T>(a.value < 0 ? -1 : 0);
  }
  template <int size>
  PHLOX_INLINE friend Scalar lookup(const T (&table)[size], Scalar index)
    requires is_integer
  {
    return table[index.value];
  }

  // ---- Comparison and choice
  PHLOX_INLINE friend Mask operator<(Scalar a, Scalar b) { return {a.value < b.value}; }
  PHLOX_INLINE friend Mask operator<=(Scalar a, Scalar b) { return {a.value <= b.value}; }
  PHLOX_INLINE friend Mask operator>(Scalar a, Scalar b) { return {a.value > b.value}; }
  PHLOX_INLINE friend Mask operator>=(Scalar a, Scalar b) { return {a.value >= b.value}; }
  PHLOX_INLINE friend Mask operator==(Scalar a, Scalar b) { return {a.value == b.value}; }
  PHLOX_INLINE friend Mask operator!=(Scalar a, Scalar b) { return {a.value != b.value}; }
  PHLOX_INLINE friend Scalar select(Mask mask, Scalar a, Scalar b) { return mask.value ? a : b; }

  // ---- What floats need from the machine
  PHLOX_INLINE friend Scalar sqrt(Scalar a)
    requires(!is_integer)
  {
    if constexpr (sizeof(T) == 4) {
      return __builtin_sqrtf(a.value);
    } else {
      return __builtin_sqrt(a.value);
    }
  }
  PHLOX_INLINE friend Scalar fused(Scalar a, Scalar b, Scalar c)
    requires(!is_integer)
  {
    if constexpr (sizeof(T) == 4) {
      return __builtin_fmaf(a.value, b.value, c.value);
    } else {
      return __builtin_fma(a.value, b.value, c.value);
    }
  }
  PHLOX_INLINE friend Scalar fmod_exact(Scalar a, Scalar b)
    requires(!is_integer)
  {
    if constexpr (sizeof(T) == 4) {
      return __builtin_fmodf(a.value, b.value);
    } else {
      return __builtin_fmod(a.value, b.value);
    }
  }

 private:
  PHLOX_INLINE static uint64_t wide(Scalar a) { return static_cast<uint64_t>(a.value); }
};

PHLOX_INLINE Scalar<float> narrow(Scalar<double> x) { return static_cast<float>(x.value); }
PHLOX_INLINE Pair<Scalar<float>> narrow(Pair<Scalar<double>> x) {
  return {narrow(x.first), narrow(x.second)};
}

// function(x...) computed on doubles. The function may return one value or a Pair.
template <class F, class... Same>
PHLOX_INLINE auto in_double(F function, Scalar<float> x, Same... more) {
  return narrow(function(Scalar<double>(x.value), Scalar<double>(more.value)...));
}

}  // namespace PHLOX_ISA
}  // namespace phlox::math
