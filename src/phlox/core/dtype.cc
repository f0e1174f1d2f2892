#include "phlox/core/dtype.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>

#include "phlox/base/error.h"

namespace phlox {

namespace {

using Kind = DTypeKind;

constexpr DType no_dtype = DType::string;

// The dtype of two floating dtypes.
constexpr DType promote_floats(DType a, DType b) {
  if (a == b) return a;
  DType wide = std::max(a, b);
  return wide <= DType::bfloat16 ? DType::float32 : wide;
}

constexpr DType real_part(DType d) {
  return d == DType::complex64 ? DType::float32 : d == DType::complex128 ? DType::float64 : d;
}

// no_dtype stands for the default floating dtype, which is known only at run time.
constexpr DType promote_computable(DType a, DType b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  if (is_complex(b)) {
    if (is_integer(a) || is_boolean(a)) return b;
    return promote_floats(real_part(a), real_part(b)) == DType::float64 ? DType::complex128
                                                                        : DType::complex64;
  }
  if (is_floating(b)) return is_floating(a) ? promote_floats(a, b) : b;
  if (is_boolean(a)) return b;
  if (is_unsigned(a) == is_unsigned(b)) return b;
  int unsigned_bytes = element_size(a), signed_bytes = element_size(b);
  if (signed_bytes > unsigned_bytes) return b;
  switch (unsigned_bytes) {
    case 1: return DType::int16;
    case 2: return DType::int32;
    case 4: return DType::int64;
    default: return no_dtype;
  }
}

struct PromotionTable {
  DType entry[computable_dtype_count][computable_dtype_count];
};

constexpr PromotionTable make_promotion_table() {
  PromotionTable table{};
  for (int a = 0; a < computable_dtype_count; ++a)
    for (int b = 0; b < computable_dtype_count; ++b)
      table.entry[a][b] = promote_computable(static_cast<DType>(a), static_cast<DType>(b));
  return table;
}

constexpr PromotionTable promotion_table = make_promotion_table();

std::atomic<DType> default_floating{DType::float32};

struct Alias {
  std::string_view name;
  DType dtype;
};
constexpr Alias aliases[] = {
    {"float", DType::float32},      {"double", DType::float64}, {"half", DType::float16},
    {"long", DType::int64},         {"int", DType::int32},      {"short", DType::int16},
    {"byte", DType::uint8},         {"char", DType::int8},      {"cfloat", DType::complex64},
    {"cdouble", DType::complex128},
};

}  // namespace

const DTypeInfo dtype_table[dtype_count] = {
    {"bool", "bool", Kind::boolean, 8, DType::bool_},
    {"uint8", "u8", Kind::unsigned_integer, 8, DType::uint8},
    {"uint16", "u16", Kind::unsigned_integer, 16, DType::uint16},
    {"uint32", "u32", Kind::unsigned_integer, 32, DType::uint32},
    {"uint64", "u64", Kind::unsigned_integer, 64, DType::uint64},
    {"int8", "i8", Kind::signed_integer, 8, DType::int8},
    {"int16", "i16", Kind::signed_integer, 16, DType::int16},
    {"int32", "i32", Kind::signed_integer, 32, DType::int32},
    {"int64", "i64", Kind::signed_integer, 64, DType::int64},
    {"float16", "f16", Kind::floating, 16, DType::float16},
    {"bfloat16", "bf16", Kind::floating, 16, DType::bfloat16},
    {"float32", "f32", Kind::floating, 32, DType::float32},
    {"float64", "f64", Kind::floating, 64, DType::float64},
    {"complex64", "c64", Kind::complex, 64, DType::float32},
    {"complex128", "c128", Kind::complex, 128, DType::float64},
    {"complex32", "c32", Kind::complex, 32, DType::float16},
    {"float8_e4m3fn", "f8e4m3fn", Kind::floating, 8, DType::float8_e4m3fn},
    {"float8_e5m2", "f8e5m2", Kind::floating, 8, DType::float8_e5m2},
    {"float8_e4m3fnuz", "f8e4m3fnuz", Kind::floating, 8, DType::float8_e4m3fnuz},
    {"float8_e5m2fnuz", "f8e5m2fnuz", Kind::floating, 8, DType::float8_e5m2fnuz},
    {"float8_e8m0fnu", "f8e8m0fnu", Kind::floating, 8, DType::float8_e8m0fnu},
    {"float4_e2m1fn_x2", "f4e2m1fnx2", Kind::floating, 4, DType::float4_e2m1fn_x2},
    {"int4", "i4", Kind::signed_integer, 4, DType::int4},
    {"uint4", "u4", Kind::unsigned_integer, 4, DType::uint4},
    {"int2", "i2", Kind::signed_integer, 2, DType::int2},
    {"uint2", "u2", Kind::unsigned_integer, 2, DType::uint2},
    {"string", "str", Kind::string, 128, DType::string},
    {"sequence", "seq", Kind::sequence, 128, DType::sequence},
};

DType promote(DType a, DType b) {
  if (is_computable(a) && is_computable(b)) {
    DType result = promotion_table.entry[static_cast<int>(a)][static_cast<int>(b)];
    return result == no_dtype ? default_dtype() : result;
  }
  if (a == b) return a;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{} and {} have no common dtype", info(a).name, info(b).name)
      .hint("cast one of them with to() first")
      .raise();
}

DType parse_dtype(std::string_view name) {
  for (int i = 0; i < dtype_count; ++i)
    if (dtype_table[i].name == name || dtype_table[i].short_name == name) return static_cast<DType>(i);
  for (const Alias& alias : aliases)
    if (alias.name == name) return alias.dtype;
  fail<ValueError>(ErrorCode::unknown_name, "\"{}\" is not a dtype", name)
      .hint(
          "one of bool, uint8 ... uint64, int8 ... int64, float16, bfloat16, float32, float64, complex64, complex128")
      .raise();
}

DType default_dtype() { return default_floating.load(std::memory_order_relaxed); }

void set_default_dtype(DType dtype) {
  if (!is_floating(dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "the default dtype must be floating, not {}", info(dtype).name)
        .raise();
  default_floating.store(dtype, std::memory_order_relaxed);
}

BFloat16::BFloat16(float value) {
  std::uint32_t wide = std::bit_cast<std::uint32_t>(value);
  if ((wide & 0x7fffffffu) > 0x7f800000u) {  // NaN: keep it quiet, never round it to infinity
    bits = static_cast<std::uint16_t>((wide >> 16) | 0x40u);
    return;
  }
  wide += 0x7fffu + ((wide >> 16) & 1u);  // ties to even
  bits = static_cast<std::uint16_t>(wide >> 16);
}

Half::Half(float value) {
  std::uint32_t wide = std::bit_cast<std::uint32_t>(value);
  std::uint32_t sign = (wide >> 16) & 0x8000u;
  std::uint32_t magnitude = wide & 0x7fffffffu;
  std::uint32_t result;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
    result = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal: rebias, then round to even
    magnitude -= 0x38000000u;
    result = (magnitude + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  } else {
    // Subnormal: adding 0.5 makes the hardware round at the last bit of a half, 2^-24.
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    result = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u;
  }
  bits = static_cast<std::uint16_t>(sign | result);
}

Half::operator float() const {
  std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  std::uint32_t exponent = (bits >> 10) & 0x1fu;
  std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  float small = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -small : small;
}

}  // namespace phlox
