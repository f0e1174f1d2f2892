#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "phlox/base/error.h"
#include "phlox/core/dtype.h"
#include "phlox/core/scalar.h"

namespace phlox {
namespace {

TEST(DTypeTest, PromotionFollowsKindsThenWidths) {
  EXPECT_EQ(promote(DType::bool_, DType::uint8), DType::uint8);
  EXPECT_EQ(promote(DType::int64, DType::float16), DType::float16);
  EXPECT_EQ(promote(DType::float16, DType::bfloat16), DType::float32);
  EXPECT_EQ(promote(DType::bfloat16, DType::float64), DType::float64);
  EXPECT_EQ(promote(DType::uint8, DType::int8), DType::int16);
  EXPECT_EQ(promote(DType::int32, DType::uint16), DType::int32);
  EXPECT_EQ(promote(DType::uint32, DType::int8), DType::int64);
  EXPECT_EQ(promote(DType::uint64, DType::int8), DType::float32);
  EXPECT_EQ(promote(DType::uint64, DType::uint8), DType::uint64);
  EXPECT_EQ(promote(DType::float64, DType::complex64), DType::complex128);
  EXPECT_EQ(promote(DType::bfloat16, DType::complex64), DType::complex64);
  EXPECT_EQ(promote(DType::int64, DType::complex64), DType::complex64);
  EXPECT_THROW(promote(DType::int4, DType::int8), DTypeError);
}

TEST(DTypeTest, PromotionIsSymmetricAndIdempotent) {
  for (int i = 0; i < computable_dtype_count; ++i) {
    auto a = static_cast<DType>(i);
    EXPECT_EQ(promote(a, a), a);
    for (int j = 0; j < computable_dtype_count; ++j) {
      auto b = static_cast<DType>(j);
      DType common = promote(a, b);
      EXPECT_EQ(common, promote(b, a));
      EXPECT_EQ(promote(common, a), common) << info(a).name << " " << info(b).name;
    }
  }
}

TEST(DTypeTest, TableAgreesWithSizes) {
  for (int i = 0; i < dtype_count; ++i) {
    auto dtype = static_cast<DType>(i);
    EXPECT_EQ(element_size(dtype), (info(dtype).bits + 7) / 8) << info(dtype).name;
    EXPECT_EQ(parse_dtype(info(dtype).name), dtype);
    EXPECT_EQ(parse_dtype(info(dtype).short_name), dtype);
  }
  EXPECT_EQ(parse_dtype("double"), DType::float64);
  EXPECT_THROW(parse_dtype("float17"), ValueError);
}

TEST(DTypeTest, DefaultDTypeMustBeFloating) {
  EXPECT_THROW(set_default_dtype(DType::int32), DTypeError);
  set_default_dtype(DType::float64);
  EXPECT_EQ(Scalar(1.5).dtype(), DType::float64);
  EXPECT_EQ(promote(DType::uint64, DType::int64), DType::float64);
  set_default_dtype(DType::float32);
}

// The compiler's own conversion is the judge.
TEST(DTypeTest, HalfMatchesTheCompiler) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half half;
    half.bits = static_cast<std::uint16_t>(bits);
    _Float16 native = std::bit_cast<_Float16>(half.bits);
    float expected = static_cast<float>(native);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(half)));
    } else {
      ASSERT_EQ(static_cast<float>(half), expected) << bits;
    }
  }
  for (std::uint64_t wide = 0; wide <= 0xffffffffu; wide += 4099) {
    float value = std::bit_cast<float>(static_cast<std::uint32_t>(wide));
    Half half(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(half)));
    } else {
      ASSERT_EQ(half.bits, std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
    }
  }
}

TEST(DTypeTest, HalfRoundsTiesToEven) {
  EXPECT_EQ(Half(65519.0f).bits, 0x7bff);
  EXPECT_EQ(Half(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Half(0x1p-25f).bits, 0);
  EXPECT_EQ(Half(0x1.8p-24f).bits, 2);
  EXPECT_EQ(Half(-0.0f).bits, 0x8000);
}

TEST(DTypeTest, BFloat16RoundsTiesToEvenAndKeepsNaN) {
  EXPECT_EQ(BFloat16(1.0f + 0x1p-8f).bits, BFloat16(1.0f).bits);
  EXPECT_EQ(BFloat16(1.0f + 0x1.8p-7f).bits, BFloat16(1.0f + 0x1p-6f).bits);
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(ScalarTest, NumbersThatAreNoIntegersGiveTheLeast) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  for (double value : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                       std::numeric_limits<double>::quiet_NaN(), 1e300, 0x1p63})
    EXPECT_EQ(Scalar(value).integer(), least) << value;
  EXPECT_EQ(Scalar(-2.9).integer(), -2);
  EXPECT_EQ(Scalar(-0x1p63).integer(), least);
}

TEST(ScalarTest, IsWeak) {
  EXPECT_EQ(Scalar(2).promote_with(DType::float16), DType::float16);
  EXPECT_EQ(Scalar(2.5).promote_with(DType::int8), DType::float32);
  EXPECT_EQ(Scalar(2.5).promote_with(DType::float16), DType::float16);
  EXPECT_EQ(Scalar(2).promote_with(DType::bool_), DType::int64);
  EXPECT_EQ(Scalar(true).promote_with(DType::bool_), DType::bool_);
  EXPECT_EQ(Scalar(std::complex<double>(1, 2)).promote_with(DType::float64), DType::complex128);
  EXPECT_EQ(Scalar(std::complex<double>(1, 2)).promote_with(DType::int64), DType::complex64);
}

TEST(ScalarTest, ChecksRanges) {
  EXPECT_NO_THROW(Scalar(-128).check_fits(DType::int8));
  EXPECT_THROW(Scalar(128).check_fits(DType::int8), DTypeError);
  EXPECT_THROW(Scalar(-1).check_fits(DType::uint64), DTypeError);
  EXPECT_NO_THROW(Scalar(~std::uint64_t{0}).check_fits(DType::uint64));
  EXPECT_THROW(Scalar(~std::uint64_t{0}).check_fits(DType::int64), DTypeError);
  EXPECT_NO_THROW(Scalar(1e300).check_fits(DType::int8));
}

TEST(ScalarTest, StoreAndLoadGoRoundForEveryDType) {
  for (int i = 0; i < computable_dtype_count; ++i) {
    auto dtype = static_cast<DType>(i);
    alignas(16) unsigned char element[16];
    Scalar(1).store(dtype, element);
    EXPECT_EQ(Scalar::load(dtype, element).real(), 1.0) << info(dtype).name;
  }
  std::uint64_t large;
  Scalar(~std::uint64_t{0}).store(DType::uint64, &large);
  EXPECT_EQ(large, ~std::uint64_t{0});
  std::int32_t clamped;
  Scalar(1e20).store(DType::int32, &clamped);
  EXPECT_EQ(clamped, std::numeric_limits<std::int32_t>::max());
  // 2^60 + 2^36 + 1 rounded to double first would be a tie, and round to the wrong float.
  float once;
  Scalar((std::int64_t{1} << 60) + (std::int64_t{1} << 36) + 1).store(DType::float32, &once);
  EXPECT_EQ(once, 0x1p60f + 0x1p37f);
}

}  // namespace
}  // namespace phlox
