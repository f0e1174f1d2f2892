#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>

#include "phlox/core/dtype.h"
#include "phlox/core/tensor.h"
#include "phlox/device/cpu/convert.h"
#include "phlox/device/cpu/device.h"

namespace phlox {
namespace {

template <class T, class F>
T cast_one(F value) {
  // Seventeen elements, so that both vectors and their tail are exercised.
  F source[17];
  T target[17];
  std::fill_n(source, 17, value);
  cpu::convert_run(dtype_of<F>, dtype_of<T>)(source, sizeof(F), target, sizeof(T), 17);
  for (int i = 1; i < 17; ++i) EXPECT_EQ(std::memcmp(&target[0], &target[i], sizeof(T)), 0);
  T strided[3];
  cpu::convert_run(dtype_of<F>, dtype_of<T>)(source, 2 * sizeof(F), strided, sizeof(T), 3);
  EXPECT_EQ(std::memcmp(&target[0], &strided[2], sizeof(T)), 0);
  return target[0];
}

TEST(ConvertTest, FloatsBecomeIntegersByTruncationAndSaturate) {
  EXPECT_EQ(cast_one<std::int32_t>(-2.9f), -2);
  EXPECT_EQ(cast_one<std::int32_t>(NAN), 0);
  EXPECT_EQ(cast_one<std::int32_t>(3e9f), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(cast_one<std::int32_t>(-INFINITY), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(cast_one<std::int32_t>(2147483647.0), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(cast_one<std::uint8_t>(300.f), 255);
  EXPECT_EQ(cast_one<std::uint8_t>(-1.f), 0);
  EXPECT_EQ(cast_one<std::int8_t>(-200.0), -128);
  EXPECT_EQ(cast_one<std::int64_t>(1e30), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(cast_one<std::int64_t>(-1e30f), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(cast_one<std::uint64_t>(1.8446744073709550e19), 18446744073709549568ull);
  EXPECT_EQ(cast_one<std::uint64_t>(1e20f), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(cast_one<std::uint32_t>(4294967295.0), 4294967295u);
  EXPECT_EQ(cast_one<std::uint32_t>(4294967296.0f), 4294967295u);
  EXPECT_EQ(cast_one<std::int16_t>(Half(1234.5f)), 1234);
}

TEST(ConvertTest, AnythingButZeroIsTrue) {
  EXPECT_TRUE(cast_one<bool>(0.25f));
  EXPECT_TRUE(cast_one<bool>(NAN));
  EXPECT_FALSE(cast_one<bool>(-0.0));
  EXPECT_TRUE(cast_one<bool>(256));
  EXPECT_TRUE(cast_one<bool>(std::complex<float>(0, 1)));
  EXPECT_FALSE(cast_one<bool>(Half(-0.0f)));
  EXPECT_EQ(cast_one<float>(true), 1.0f);
}

TEST(ConvertTest, ComplexLosesItsImaginaryPart) {
  EXPECT_EQ(cast_one<float>(std::complex<double>(2.5, 7)), 2.5f);
  EXPECT_EQ(cast_one<std::complex<double>>(3.0f), std::complex<double>(3, 0));
  EXPECT_EQ(cast_one<std::complex<float>>(std::complex<double>(1, -2)), std::complex<float>(1, -2));
}

TEST(ConvertTest, HalvesAgreeWithTheScalarConversionForEveryValue) {
  for (std::uint32_t bits = 0; bits < 65536; bits += 16) {
    Half half[16];
    BFloat16 bfloat[16];
    for (std::uint32_t i = 0; i < 16; ++i)
      half[i].bits = bfloat[i].bits = static_cast<std::uint16_t>(bits + i);
    float from_half[16], from_bfloat[16];
    cpu::convert_run(DType::float16, DType::float32)(half, 2, from_half, 4, 16);
    cpu::convert_run(DType::bfloat16, DType::float32)(bfloat, 2, from_bfloat, 4, 16);
    Half half_again[16];
    BFloat16 bfloat_again[16];
    cpu::convert_run(DType::float32, DType::float16)(from_half, 4, half_again, 2, 16);
    cpu::convert_run(DType::float32, DType::bfloat16)(from_bfloat, 4, bfloat_again, 2, 16);
    for (int i = 0; i < 16; ++i) {
      if (std::isnan(static_cast<float>(half[i]))) {
        EXPECT_TRUE(std::isnan(from_half[i]));
        EXPECT_TRUE(std::isnan(static_cast<float>(half_again[i])));
      } else {
        EXPECT_EQ(from_half[i], static_cast<float>(half[i]));
        EXPECT_EQ(half_again[i].bits, half[i].bits);
      }
      if (std::isnan(static_cast<float>(bfloat[i]))) EXPECT_TRUE(std::isnan(from_bfloat[i]));
      else EXPECT_EQ(bfloat_again[i].bits, bfloat[i].bits);
    }
  }
}

TEST(ConvertTest, HalvesAreRoundedOnce) {
  // Just above the middle of two bfloat16 numbers: through float32 it would become the middle, then the even
  // one.
  EXPECT_EQ(static_cast<float>(cast_one<BFloat16>(1.00390625 + 1e-12)), 1.0078125f);
  EXPECT_EQ(static_cast<float>(cast_one<BFloat16>(1.00390625)), 1.0f);
  EXPECT_EQ(static_cast<float>(cast_one<Half>(1.00048828125 + 1e-12)), 1.0009765625f);
  EXPECT_EQ(static_cast<float>(cast_one<Half>(-1.00048828125 - 1e-12)), -1.0009765625f);
  EXPECT_EQ(static_cast<float>(cast_one<Half>(1e-30)), 0.0f);
  EXPECT_EQ(static_cast<float>(cast_one<Half>(1e300)), INFINITY);
  EXPECT_EQ(static_cast<float>(cast_one<Half>(65519.99)), 65504.0f);
  const std::int64_t middle = (std::int64_t{1} << 62) + (std::int64_t{1} << 54);
  EXPECT_EQ(static_cast<float>(cast_one<BFloat16>(middle)), 0x1p62f);
  EXPECT_EQ(static_cast<float>(cast_one<BFloat16>(middle + 1)), 0x1.02p62f);
  EXPECT_EQ(static_cast<float>(cast_one<BFloat16>(-middle - 1)), -0x1.02p62f);
  EXPECT_TRUE(std::isnan(static_cast<float>(cast_one<Half>(std::nan("")))));
}

// The value of element i in logical order of a tensor that holds 0, 1, 2, ...
template <class T>
std::vector<T> counted(std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 120);
  return values;
}

template <class F, class T>
void check_copy(const Shape& shape, const Dims& source_order, const Dims& target_order, bool flip) {
  // Tensors whose memory follows the given orders of dimensions.
  const auto arranged = [&](const Dims& order, DType dtype) {
    Strides strides = contiguous_strides(shape);
    std::int64_t stride = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      strides[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = stride;
      stride *= shape[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    }
    return make_view(make_tensor(shape, dtype), shape, strides, 0);
  };
  Tensor source = arranged(source_order, dtype_of<F>);
  const auto values = counted<F>(source.numel());
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < shape[0]; ++i)
    for (std::int64_t j = 0; j < shape[1]; ++j)
      for (std::int64_t k = 0; k < shape[2]; ++k)
        source.data<F>()[i * source.stride(0) + j * source.stride(1) + k * source.stride(2)] =
            values[static_cast<std::size_t>(n++)];
  Tensor target = arranged(target_order, dtype_of<T>);
  if (flip) {
    Strides strides = target.strides();
    const std::int64_t offset = strides[1] * (shape[1] - 1);
    strides[1] = -strides[1];
    target = make_view(target, shape, strides, offset);
  }
  cpu::convert(*source.impl(), *target.impl());
  EXPECT_EQ(target.to_vector<T>(), counted<T>(source.numel()));
}

TEST(ConvertTest, CopiesBetweenAnyStrides) {
  const Dims orders[] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}, {2, 0, 1}};
  for (const Shape& shape : {Shape{3, 5, 7}, Shape{2, 70, 65}, Shape{64, 2, 100}, Shape{1, 33, 40}})
    for (const Dims& a : orders)
      for (const Dims& b : orders)
        for (bool flip : {false, true}) {
          check_copy<float, float>(shape, a, b, flip);
          check_copy<std::int32_t, double>(shape, a, b, flip);
          check_copy<double, std::int8_t>(shape, a, b, flip);
        }
}

TEST(ConvertTest, LargeCopiesStreamToTheLastElement) {
  const std::int64_t count = (std::int64_t{17} << 20) / 4 + 13;
  Tensor source = make_tensor({count + 3}, DType::int32);
  for (std::int64_t i = 0; i < count + 3; ++i) source.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  for (DType dtype : {DType::int32, DType::float64}) {
    Tensor base = make_tensor({count + 3}, dtype);
    cpu::fill(*base.impl(), -1);
    Tensor target = make_view(base, {count}, {1}, 1);
    cpu::convert(*make_view(source, {count}, {1}, 2).impl(), *target.impl());
    const auto values = base.to_vector<double>();
    EXPECT_EQ(values[0], -1);
    for (std::int64_t i = 0; i < count; ++i)
      ASSERT_EQ(values[static_cast<std::size_t>(i + 1)], static_cast<double>(i + 2));
    EXPECT_EQ(values[static_cast<std::size_t>(count + 1)], -1);
    EXPECT_EQ(values[static_cast<std::size_t>(count + 2)], -1);
  }
}

TEST(ConvertTest, FillWritesOnlyTheTarget) {
  Tensor base = make_tensor({6, 5}, DType::bfloat16);
  cpu::fill(*base.impl(), 1.5);
  Tensor column = make_view(base, {3}, {-10}, 4 * 5 + 2);
  cpu::fill(*column.impl(), 3);
  const auto values = base.to_vector<float>();
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(values[i], i == 2 || i == 12 || i == 22 ? 3.0f : 1.5f);
  Tensor empty = make_tensor({0, 3}, DType::float32);
  cpu::fill(*empty.impl(), 1);
  Tensor scalar = make_tensor({}, DType::complex128);
  cpu::fill(*scalar.impl(), std::complex<double>(1, 2));
  EXPECT_EQ(scalar.item().complex(), std::complex<double>(1, 2));
}

}  // namespace
}  // namespace phlox
