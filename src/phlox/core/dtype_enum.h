// The element types by number. Light, because kernel files include it.
#pragma once

#include <cstdint>

namespace phlox {

// The order is that of the saved file: never change a number, only append.
enum class DType : std::uint8_t {
  bool_,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
  // Kinds that can be stored and cast, but not computed with.
  complex32,
  float8_e4m3fn,
  float8_e5m2,
  float8_e4m3fnuz,
  float8_e5m2fnuz,
  float8_e8m0fnu,
  float4_e2m1fn_x2,
  int4,
  uint4,
  int2,
  uint2,
  string,
  sequence,  // of tensors, inside of graphs (ops/primitives/sequence.h)
};
inline constexpr int dtype_count = static_cast<int>(DType::sequence) + 1;
inline constexpr int computable_dtype_count = static_cast<int>(DType::complex128) + 1;

}  // namespace phlox
