// Formulas with tensors and numbers on either side.
#include "phlox/ops/operators.h"

#include <gtest/gtest.h>

namespace phlox {
namespace {

TEST(Operators, TensorsAndNumbersOnEitherSide) {
  const std::vector<double> values{1, 2, 4};
  const Tensor x = from_values(std::span<const double>(values), {3});
  EXPECT_EQ((x * 2.0 + x).to_vector<double>(), (std::vector<double>{3, 6, 12}));
  EXPECT_EQ((1 - x).to_vector<double>(), (std::vector<double>{0, -1, -3}));
  EXPECT_EQ((8 / x).to_vector<double>(), (std::vector<double>{8, 4, 2}));
  EXPECT_EQ((-x).to_vector<double>(), (std::vector<double>{-1, -2, -4}));
  x += x;
  x -= 1;
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 3, 7}));
}

}  // namespace
}  // namespace phlox
