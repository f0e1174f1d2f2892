#include "phlox/ops/primitives/watch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "phlox/core/random.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox {
namespace {

// Whether a plan looks at what the function gives.
bool is_looked_at(const char* function, const Tensor& x, bool cheap) {
  const PointwiseAttributes attributes{find_pointwise_function(function), {}};
  const Operand input(x);
  const Tensor result = apply_pointwise(*attributes.function, {&input, 1});
  return needs_look({*find_primitive("pointwise"), {&input, 1}, &attributes, {&result, 1}}, cheap);
}

TEST(Watch, WhatCannotMakeANanIsNotLookedAt) {
  const Tensor small = randn({8}), large = randn({looked_at_block + 1});
  for (const char* function : {"relu", "tanh", "abs", "sigmoid"}) {
    EXPECT_FALSE(is_looked_at(function, large, true)) << function;
    EXPECT_FALSE(is_looked_at(function, large, false)) << function;
    EXPECT_FALSE(is_looked_at(function, small, false)) << function;
    // Sooner looked at than asked.
    EXPECT_TRUE(is_looked_at(function, small, true)) << function;
  }
  for (const char* function : {"exp", "log", "sqrt", "reciprocal"})
    for (const Tensor& x : {small, large}) EXPECT_TRUE(is_looked_at(function, x, false)) << function;
}

TEST(Watch, EachKindOfNumberIsScanned) {
  for (const DType dtype :
       {DType::float16, DType::bfloat16, DType::float32, DType::float64, DType::complex64}) {
    for (const std::int64_t count : {1, 3, 64, 200}) {
      const Tensor x = ones({count}, dtype);
      const auto scan = nonfinite_scan_on_cpu(dtype);
      ASSERT_NE(scan, nullptr);
      const std::int64_t numbers = is_complex(dtype) ? 2 * count : count;
      EXPECT_FALSE(scan(x.data_pointer(), numbers));
      for (const double bad : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
        const Tensor y = x.clone();
        y[count - 1].fill_(bad);
        EXPECT_TRUE(scan(y.data_pointer(), numbers)) << info(dtype).name << " " << count << " " << bad;
      }
    }
  }
  EXPECT_EQ(nonfinite_scan_on_cpu(DType::int32), nullptr);
}

}  // namespace
}  // namespace phlox
