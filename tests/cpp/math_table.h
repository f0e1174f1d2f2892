// The scalar functions as loops over arrays, one table for each instruction set (math_table.kernel.cc) for
// the tests to compare.
#pragma once

#include <cstdint>

#include "phlox/math/opcodes.h"

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

// Functions of math/ beyond those that expressions consist of.
#define PHLOX_TEST_UNARY(V) PHLOX_UNARY_FLOAT_FUNCTIONS(V) V(log1pexp, 0) V(frac, 0) V(sign, 0)
#define PHLOX_TEST_BINARY(V) PHLOX_BINARY_FLOAT_FUNCTIONS(V)

// One for each instruction set of this build; null where it was not built.
extern const MathTable math_table_baseline __attribute__((weak));
extern const MathTable math_table_avx2 __attribute__((weak));
extern const MathTable math_table_avx512 __attribute__((weak));
extern const MathTable math_table_neon __attribute__((weak));

}  // namespace phlox::test
