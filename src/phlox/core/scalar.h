// A number without a tensor: an argument written in the source, of weak type.
#pragma once

#include <complex>
#include <concepts>
#include <cstdint>
#include <limits>

#include "phlox/core/dtype.h"

namespace phlox {

class Scalar {
 public:
  enum class Kind : std::uint8_t { boolean, integer, floating, complex };

  Scalar() : Scalar(0) {}
  Scalar(bool value) : kind_(Kind::boolean), integer_(value), real_(value) {}
  template <std::integral T>
  Scalar(T value)
      : kind_(Kind::integer), integer_(static_cast<std::int64_t>(value)), real_(static_cast<double>(value)) {
    large_unsigned_ = std::unsigned_integral<T> && integer_ < 0;
  }
  template <std::floating_point T>
  Scalar(T value) : kind_(Kind::floating), integer_(0), real_(static_cast<double>(value)) {}
  template <std::floating_point T>
  Scalar(std::complex<T> value)
      : kind_(Kind::complex), integer_(0), real_(value.real()), imaginary_(value.imag()) {}

  Kind kind() const { return kind_; }
  double real() const { return real_; }
  double imaginary() const { return imaginary_; }
  std::complex<double> complex() const { return {real_, imaginary_}; }
  // The integer, or the floating value truncated toward zero; the least integer for what has none.
  std::int64_t integer() const {
    if (kind_ <= Kind::integer) return integer_;
    return real_ >= -0x1p63 && real_ < 0x1p63 ? static_cast<std::int64_t>(real_)
                                              : std::numeric_limits<std::int64_t>::min();
  }
  bool boolean() const { return kind_ <= Kind::integer ? integer_ != 0 : real_ != 0 || imaginary_ != 0; }

  // The dtype of a tensor made from this number alone.
  DType dtype() const;
  // The dtype of the result with a tensor of the given dtype: the scalar is weak, it only raises the kind.
  DType promote_with(DType dtype) const;
  // Throws DTypeError (integer_overflow) when an integer does not fit the dtype.
  void check_fits(DType dtype) const;
  // Writes the value as one element of `dtype` (computable kinds).
  void store(DType dtype, void* target) const;
  static Scalar load(DType dtype, const void* source);

 private:
  Kind kind_;
  bool large_unsigned_ = false;
  std::int64_t integer_;
  double real_;
  double imaginary_ = 0;
};

}  // namespace phlox
