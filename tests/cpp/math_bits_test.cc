// The same bits from every instruction set and from scalars, and integer arithmetic against plain C++.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "math_tables.h"

namespace phlox::test {
namespace {

// A third bit patterns, a third ordinary values, a third special ones.
template <class T>
std::vector<T> mixed_values(std::uint64_t seed, int count) {
  using L = std::numeric_limits<T>;
  const T special[] = {0,
                       L::min(),
                       L::denorm_min(),
                       L::max(),
                       L::infinity(),
                       L::quiet_NaN(),
                       T(0.5),
                       1,
                       2,
                       3,
                       T(1e-20),
                       T(1e10),
                       T(-0.0),
                       -1,
                       L::lowest(),
                       T(-1.5),
                       -L::infinity(),
                       T(88.722),
                       T(-103.9),
                       T(709.7),
                       T(-745.1)};
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, 8);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) {
    const std::uint64_t pattern = random();
    switch (random() % 3) {
      case 0: std::memcpy(&value, &pattern, sizeof(T)); break;
      case 1: value = static_cast<T>(normal(random)); break;
      default: value = special[pattern % (sizeof(special) / sizeof(T))];
    }
  }
  return values;
}

// The first element where two results differ other than in the payload of a NaN; -1 if none does.
template <class T>
int first_difference(const std::vector<T>& a, const std::vector<T>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0 && !(std::isnan(a[i]) && std::isnan(b[i])))
      return static_cast<int>(i);
  return -1;
}

template <class T>
void expect_equal_bits(MathLoop<T> MathFunction::* vector_loop, MathLoop<T> MathFunction::* scalar_loop) {
  constexpr int count = 30016;
  const std::vector<T> x = mixed_values<T>(1, count), y = mixed_values<T>(2, count);
  const std::vector<const MathTable*> tables = math_tables();
  ASSERT_FALSE(tables.empty());
  for (int f = 0; f < tables[0]->count; ++f) {
    std::vector<T> expected(count), got(count);
    (tables[0]->functions[f].*scalar_loop)(x.data(), y.data(), expected.data(), count);
    for (const MathTable* table : tables) {
      const MathFunction& function = table->functions[f];
      for (auto loop : {vector_loop, scalar_loop}) {
        (function.*loop)(x.data(), y.data(), got.data(), count);
        const int i = first_difference(expected, got);
        const auto at = static_cast<std::size_t>(std::max(i, 0));
        EXPECT_EQ(i, -1) << function.name << " " << table->instruction_set
                         << (loop == scalar_loop ? " scalar" : " vector") << " of " << std::hexfloat << x[at]
                         << ", " << y[at] << " gives " << got[at] << ", not " << expected[at];
      }
    }
  }
}

TEST(MathBits, EqualForAllInstructionSetsF32) {
  expect_equal_bits(&MathFunction::f32, &MathFunction::f32_scalar);
}
TEST(MathBits, EqualForAllInstructionSetsF64) {
  expect_equal_bits(&MathFunction::f64, &MathFunction::f64_scalar);
}

// ---- Integers

template <class T>
T wrap(__int128 value) {
  return static_cast<T>(static_cast<unsigned __int128>(value));
}

template <class T>
T integer_reference(int operation, T x, T y) {
  using Wide = __int128;
  constexpr int width = sizeof(T) * 8;
  const Wide a = x, b = y;
  const bool far = y < 0 || b >= width;
  const Wide quotient = y == 0 ? 0 : a / b, rest = y == 0 ? 0 : a % b;
  const bool opposite = rest != 0 && (rest < 0) != (b < 0);
  switch (operation) {
    case 0: return wrap<T>(a + b);
    case 1: return wrap<T>(a - b);
    case 2:
      return wrap<T>(
          static_cast<Wide>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b)));
    case 3: return wrap<T>(quotient);
    case 4: return wrap<T>(rest);
    case 5: return wrap<T>(-a);
    case 6: return wrap<T>(a & b);
    case 7: return wrap<T>(a | b);
    case 8: return wrap<T>(a ^ b);
    case 9: return wrap<T>(~a);
    case 10:
      return far ? T(0)
                 : wrap<T>(static_cast<Wide>(static_cast<unsigned __int128>(a) << static_cast<int>(b)));
    case 11: return far ? (x < 0 ? wrap<T>(-1) : T(0)) : wrap<T>(a >> static_cast<int>(b));
    case 12: return x < y ? y : x;
    case 13: return y < x ? y : x;
    case 14: return wrap<T>(a < 0 ? -a : a);
    case 15: return wrap<T>(opposite ? rest + b : rest);
    case 16: return wrap<T>(opposite ? quotient - 1 : quotient);
    default: break;
  }
  // pow
  if (y < 0) return x == 1 ? T(1) : a == -1 ? wrap<T>(y % 2 != 0 ? -1 : 1) : T(0);
  std::uint64_t power = 1, square = static_cast<std::uint64_t>(x);
  for (std::uint64_t n = static_cast<std::uint64_t>(y); n; n >>= 1) {
    if (n & 1) power *= square;
    square *= square;
  }
  return static_cast<T>(power);
}

template <class T>
void expect_integers(const IntegerLoop<T> (MathTable::*loops)[2]) {
  constexpr int count = 4096;
  using L = std::numeric_limits<T>;
  std::mt19937_64 random(3);
  std::vector<T> x(count), y(count);
  for (int i = 0; i < count; ++i) {
    const T special[] = {0, 1, T(-1), 2, T(-2), 7, 8, L::min(), L::max(), T(L::max() - 1)};
    const auto draw = [&]() -> T {
      switch (random() % 3) {
        case 0: return static_cast<T>(random());
        case 1: return static_cast<T>(random() % 20);
        default: return special[random() % 10];
      }
    };
    x[static_cast<std::size_t>(i)] = draw();
    y[static_cast<std::size_t>(i)] = draw();
  }
  for (const MathTable* table : math_tables()) {
    for (int kind = 0; kind < 2; ++kind) {
      // Operations write one behind the other, so the last needs room for all.
      std::vector<T> out(static_cast<std::size_t>(count * kIntegerOperations));
      (table->*loops)[kind](x.data(), y.data(), out.data(), count);
      int wrong = 0;
      for (int operation = 0; operation < kIntegerOperations && wrong < 5; ++operation) {
        for (int i = 0; i < count && wrong < 5; ++i) {
          const T a = x[static_cast<std::size_t>(i)], b = y[static_cast<std::size_t>(i)];
          const T got = out[static_cast<std::size_t>(operation * count + i)];
          if (got == integer_reference(operation, a, b)) continue;
          ++wrong;
          ADD_FAILURE() << table->instruction_set << (kind ? " scalar" : " vector") << " operation "
                        << operation << " of " << +a << ", " << +b << " gives " << +got << ", not "
                        << +integer_reference(operation, a, b);
        }
      }
    }
  }
}

TEST(MathBits, Integers) {
  expect_integers<std::int8_t>(&MathTable::i8);
  expect_integers<std::int16_t>(&MathTable::i16);
  expect_integers<std::int32_t>(&MathTable::i32);
  expect_integers<std::int64_t>(&MathTable::i64);
  expect_integers<std::uint8_t>(&MathTable::u8);
  expect_integers<std::uint16_t>(&MathTable::u16);
  expect_integers<std::uint32_t>(&MathTable::u32);
  expect_integers<std::uint64_t>(&MathTable::u64);
}

}  // namespace
}  // namespace phlox::test
