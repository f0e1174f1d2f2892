#include "phlox/core/scalar.h"

#include <cmath>
#include <limits>
#include <string>

#include "phlox/base/error.h"

namespace phlox {

namespace {

// Truncates toward zero; what does not fit goes to the nearest end, NaN to zero.
template <class T>
T truncate(double value) {
  if (std::isnan(value)) return 0;
  constexpr double low = static_cast<double>(std::numeric_limits<T>::min());
  // One above the maximum is a power of two, hence exact.
  constexpr double high = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2.0;
  if (value <= low) return std::numeric_limits<T>::min();
  if (value >= high) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

bool fits(DType dtype, std::int64_t value, bool large_unsigned) {
  if (large_unsigned) return dtype == DType::uint64;
  int bits = info(dtype).bits;
  if (is_unsigned(dtype)) return value >= 0 && (bits == 64 || value < (std::int64_t{1} << bits));
  if (bits == 64) return true;
  std::int64_t bound = std::int64_t{1} << (bits - 1);
  return value >= -bound && value < bound;
}

}  // namespace

DType Scalar::dtype() const {
  switch (kind_) {
    case Kind::boolean: return DType::bool_;
    case Kind::integer: return large_unsigned_ ? DType::uint64 : DType::int64;
    case Kind::floating: return default_dtype();
    default: return default_dtype() == DType::float64 ? DType::complex128 : DType::complex64;
  }
}

DType Scalar::promote_with(DType dtype) const {
  if (kind_ == Kind::boolean) return dtype;
  if (kind_ == Kind::integer) return is_boolean(dtype) ? DType::int64 : dtype;
  bool discrete = is_boolean(dtype) || is_integer(dtype);
  if (kind_ == Kind::floating) return discrete ? default_dtype() : dtype;
  if (is_complex(dtype)) return dtype;
  DType real = discrete ? default_dtype() : dtype;
  return real == DType::float64 ? DType::complex128 : DType::complex64;
}

void Scalar::check_fits(DType dtype) const {
  if (imaginary_ != 0 && !is_complex(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "the number {}{:+}j does not fit {}", real_, imaginary_,
                     info(dtype).name)
        .hint("give a complex dtype, or the real part")
        .raise();
  if (kind_ != Kind::integer || !is_integer(dtype) || fits(dtype, integer_, large_unsigned_)) return;
  std::string text =
      large_unsigned_ ? std::to_string(static_cast<std::uint64_t>(integer_)) : std::to_string(integer_);
  fail<DTypeError>(ErrorCode::integer_overflow, "the integer {} does not fit {}", text, info(dtype).name)
      .hint("give a dtype with more bits")
      .raise();
}

void Scalar::store(DType dtype, void* target) const {
  visit_dtype(dtype, [&]<class T>() {
    T value;
    if constexpr (std::is_same_v<T, bool>) {
      value = boolean();
    } else if constexpr (std::is_integral_v<T>) {
      value = kind_ <= Kind::integer ? static_cast<T>(integer_) : truncate<T>(real_);
    } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      value = T(static_cast<float>(real_));
    } else if constexpr (std::is_same_v<T, float>) {
      // Straight from the integer, so that it is rounded once.
      value = kind_ > Kind::integer ? static_cast<float>(real_)
              : large_unsigned_     ? static_cast<float>(static_cast<std::uint64_t>(integer_))
                                    : static_cast<float>(integer_);
    } else if constexpr (std::is_same_v<T, double>) {
      value = real_;
    } else {
      using Real = typename T::value_type;
      value = T(static_cast<Real>(real_), static_cast<Real>(imaginary_));
    }
    std::memcpy(target, &value, sizeof(T));
  });
}

Scalar Scalar::load(DType dtype, const void* source) {
  return visit_dtype(dtype, [&]<class T>() -> Scalar {
    T value;
    std::memcpy(&value, source, sizeof(T));
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
      return Scalar(static_cast<float>(value));
    else return Scalar(value);
  });
}

}  // namespace phlox
