// Element types: what they are called, how large they are, how two of them combine.
#pragma once

#include <complex>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "phlox/core/dtype_enum.h"

namespace phlox {

// What the elements of a dtype are; promotion goes from a kind to one behind it.
enum class DTypeKind : std::uint8_t {
  boolean,
  unsigned_integer,
  signed_integer,
  floating,
  complex,
  string,
  sequence
};

// What there is to know of a dtype: info(DType::float32).name.
struct DTypeInfo {
  std::string_view name;        // "float32"
  std::string_view short_name;  // "f32"
  DTypeKind kind;               // what its elements are
  std::uint8_t bits;            // of one element
  DType real;                   // the type of the real part; itself unless complex
};

// One entry for each dtype, in their order.
extern const DTypeInfo dtype_table[dtype_count];

// The entry of a dtype.
inline const DTypeInfo& info(DType dtype) { return dtype_table[static_cast<int>(dtype)]; }
// Bytes of one element, by dtype; element_size() reads it.
inline constexpr std::uint8_t dtype_bytes[dtype_count] = {1,  1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8,  8,
                                                          16, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 16, 16};
// Bytes of one element. The sub-byte kinds are held one element a byte in tensors and packed in files.
inline constexpr int element_size(DType dtype) { return dtype_bytes[static_cast<int>(dtype)]; }

// Whether the elements are truth values.
inline constexpr bool is_boolean(DType d) { return d == DType::bool_; }
// Whether they are integers of 8 bits and more, signed or not; bool is none.
inline constexpr bool is_integer(DType d) { return d >= DType::uint8 && d <= DType::int64; }
// Whether they are integers without a sign.
inline constexpr bool is_unsigned(DType d) { return d >= DType::uint8 && d <= DType::uint64; }
// Whether they are real floating numbers: float16, bfloat16, float32, float64.
inline constexpr bool is_floating(DType d) { return d >= DType::float16 && d <= DType::float64; }
// Whether they are complex numbers.
inline constexpr bool is_complex(DType d) { return d == DType::complex64 || d == DType::complex128; }
// Gradients of sequences are sequences.
inline constexpr bool is_differentiable(DType d) {
  return is_floating(d) || is_complex(d) || d == DType::sequence;
}
// Whether operations compute with them. What is left is text, sequences and numbers of few bits, which are cast first.
inline constexpr bool is_computable(DType d) { return d <= DType::complex128; }

// The smallest type that holds both, for operands that take part fully. int + float gives the float; the two
// half-width floats give float32; unsigned and signed give the next wider signed (uint64 with a signed: float32).
DType promote(DType a, DType b);

// "float32", "f32" and the numpy/torch aliases "float", "double", "half", "long", "int". Throws ValueError.
DType parse_dtype(std::string_view name);

// The dtype of floating results of integer inputs and of Python floats; float32 unless changed.
DType default_dtype();
// Throws DTypeError for what is not floating.
void set_default_dtype(DType dtype);

// 16-bit floats are only stored; arithmetic happens in float32.
struct BFloat16 {
  std::uint16_t bits;
  BFloat16() = default;
  explicit BFloat16(float value);
  explicit operator float() const {
    std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
  }
};
// IEEE binary16, likewise.
struct Half {
  std::uint16_t bits;
  Half() = default;
  explicit Half(float value);
  explicit operator float() const;
};

// The dtype whose elements are a T, such as dtype_of<float>.
template <class T>
inline constexpr DType dtype_of = DType::string;
template <>
inline constexpr DType dtype_of<bool> = DType::bool_;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::uint8;
template <>
inline constexpr DType dtype_of<std::uint16_t> = DType::uint16;
template <>
inline constexpr DType dtype_of<std::uint32_t> = DType::uint32;
template <>
inline constexpr DType dtype_of<std::uint64_t> = DType::uint64;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::int8;
template <>
inline constexpr DType dtype_of<std::int16_t> = DType::int16;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::int64;
template <>
inline constexpr DType dtype_of<Half> = DType::float16;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bfloat16;
template <>
inline constexpr DType dtype_of<float> = DType::float32;
template <>
inline constexpr DType dtype_of<double> = DType::float64;
template <>
inline constexpr DType dtype_of<std::complex<float>> = DType::complex64;
template <>
inline constexpr DType dtype_of<std::complex<double>> = DType::complex128;

// Calls f.template operator()<T>() with the C++ type of a computable dtype.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::bool_: return f.template operator()<bool>();
    case DType::uint8: return f.template operator()<std::uint8_t>();
    case DType::uint16: return f.template operator()<std::uint16_t>();
    case DType::uint32: return f.template operator()<std::uint32_t>();
    case DType::uint64: return f.template operator()<std::uint64_t>();
    case DType::int8: return f.template operator()<std::int8_t>();
    case DType::int16: return f.template operator()<std::int16_t>();
    case DType::int32: return f.template operator()<std::int32_t>();
    case DType::int64: return f.template operator()<std::int64_t>();
    case DType::float16: return f.template operator()<Half>();
    case DType::bfloat16: return f.template operator()<BFloat16>();
    case DType::float64: return f.template operator()<double>();
    case DType::complex64: return f.template operator()<std::complex<float>>();
    case DType::complex128: return f.template operator()<std::complex<double>>();
    default: return f.template operator()<float>();
  }
}

}  // namespace phlox
