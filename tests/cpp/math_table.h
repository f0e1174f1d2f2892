// The scalar functions as loops over arrays, one table for each instruction set (math_table.kernel.cc) for
// the tests to compare.
#pragma once

#include <cstdint>

namespace phlox::test {

// Computes count elements of `out`; y is used by functions of two arguments only. count is a multiple of 64.
template <class T>
using MathLoop = void (*)(const T* x, const T* y, T* out, std::int64_t count);

struct MathFunction {
  const char* name;
  int arguments;
  MathLoop<float> f32, f32_scalar;
  MathLoop<double> f64, f64_scalar;
};

// What integer and float bodies share, by element type: the results of all operators one after the other.
template <class T>
using IntegerLoop = void (*)(const T* x, const T* y, T* out, std::int64_t count);

inline constexpr int kIntegerOperations = 18;

struct MathTable {
  const char* instruction_set;
  const MathFunction* functions;
  int count;
  IntegerLoop<std::int8_t> i8[2];  // vectors, scalars
  IntegerLoop<std::int16_t> i16[2];
  IntegerLoop<std::int32_t> i32[2];
  IntegerLoop<std::int64_t> i64[2];
  IntegerLoop<std::uint8_t> u8[2];
  IntegerLoop<std::uint16_t> u16[2];
  IntegerLoop<std::uint32_t> u32[2];
  IntegerLoop<std::uint64_t> u64[2];
};

#define PHLOX_TEST_UNARY(V)                                                                             \
  V(abs)                                                                                                \
  V(sqrt)                                                                                               \
  V(rsqrt)                                                                                              \
  V(cbrt) V(exp) V(exp2) V(expm1) V(log) V(log2) V(log10) V(log1p) V(log1pexp) V(sigmoid) V(sin) V(cos) \
      V(tan) V(asin) V(acos) V(atan) V(sinh) V(cosh) V(tanh) V(asinh) V(acosh) V(atanh) V(erf) V(erfc)  \
          V(erfinv) V(ndtr) V(lgamma) V(digamma) V(trigamma) V(floor) V(ceil) V(trunc) V(round) V(frac) \
              V(sign)
#define PHLOX_TEST_BINARY(V) \
  V(pow) V(atan2) V(hypot) V(fmod) V(remainder) V(floor_divide) V(copysign) V(min) V(max) V(nextafter)

// One for each instruction set of this build; null where it was not built.
extern const MathTable math_table_baseline __attribute__((weak));
extern const MathTable math_table_avx2 __attribute__((weak));
extern const MathTable math_table_avx512 __attribute__((weak));
extern const MathTable math_table_neon __attribute__((weak));

}  // namespace phlox::test
