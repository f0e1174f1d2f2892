// A number without a tensor: an argument written in the source, of weak type.
#pragma once

#include <complex>
#include <concepts>
#include <cstdint>
#include <limits>

#include "phlox/core/dtype.h"

namespace phlox {

// A truth value, an integer of 64 bits with a sign or without, a float64 or a complex128.
class Scalar {
 public:
  // What it was written as.
  enum class Kind : std::uint8_t { boolean, integer, floating, complex };

  // The integer 0.
  Scalar() : Scalar(0) {}
  // A truth value.
  Scalar(bool value) : kind_(Kind::boolean), integer_(value), real_(value) {}
  // An integer.
  template <std::integral T>
  Scalar(T value)
      : kind_(Kind::integer), integer_(static_cast<std::int64_t>(value)), real_(static_cast<double>(value)) {
    large_unsigned_ = std::unsigned_integral<T> && integer_ < 0;
  }
  // A real number.
  template <std::floating_point T>
  Scalar(T value) : kind_(Kind::floating), integer_(0), real_(static_cast<double>(value)) {}
  // A complex number.
  template <std::floating_point T>
  Scalar(std::complex<T> value)
      : kind_(Kind::complex), integer_(0), real_(value.real()), imaginary_(value.imag()) {}

  // What it is.
  Kind kind() const { return kind_; }
  // The value, or its real part.
  double real() const { return real_; }
  // The imaginary part; 0 unless complex.
  double imaginary() const { return imaginary_; }
  // Both parts.
  std::complex<double> complex() const { return {real_, imaginary_}; }
  // The integer, or the floating value truncated toward zero; the least integer for what has none.
  std::int64_t integer() const {
    if (kind_ <= Kind::integer) return integer_;
    return real_ >= -0x1p63 && real_ < 0x1p63 ? static_cast<std::int64_t>(real_)
                                              : std::numeric_limits<std::int64_t>::min();
  }
  // Whether it is anything but zero; NaN counts as true.
  bool boolean() const { return kind_ <= Kind::integer ? integer_ != 0 : real_ != 0 || imaginary_ != 0; }

  // The dtype of a tensor made from this number alone.
  DType dtype() const;
  // The dtype of the result with a tensor of the given dtype: the scalar is weak, it only raises the kind.
  DType promote_with(DType dtype) const;
  // Throws DTypeError (integer_overflow) when an integer does not fit the dtype.
  void check_fits(DType dtype) const;
  // Writes the value as one element of `dtype` (computable kinds).
  void store(DType dtype, void* target) const;
  // Reads one element of `dtype`.
  static Scalar load(DType dtype, const void* source);

 private:
  Kind kind_;
  bool large_unsigned_ = false;
  std::int64_t integer_;
  double real_;
  double imaginary_ = 0;
};

}  // namespace phlox
