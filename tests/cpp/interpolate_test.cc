#include <gtest/gtest.h>

#include <cmath>

#include "finite_differences.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

// 0, 37, 74, ... modulo 11: an image that is not smooth.
Tensor image(const Shape& shape) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) values.push_back(static_cast<double>(i * 37 % 11));
  return from_values<double>(values, shape);
}

void expect_values(const Tensor& actual, const std::vector<double>& expected) {
  const auto values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], 1e-9) << "element " << i;
}

// Values computed by PyTorch 2.13.
TEST(Interpolate, AgainstKnownValues) {
  const Tensor x = image({1, 1, 5, 4});
  const DimList size{3, 7};
  expect_values(interpolate(x, size, {}, "bilinear"), {1.666666666667,
                                                       3.095238095238,
                                                       5.380952380952,
                                                       5.833333333333,
                                                       5.761904761905,
                                                       3.857142857143,
                                                       2.666666666667,
                                                       10.0,
                                                       7.5,
                                                       3.5,
                                                       5.0,
                                                       6.5,
                                                       2.5,
                                                       0.0,
                                                       7.333333333333,
                                                       6.142857142857,
                                                       4.238095238095,
                                                       4.166666666667,
                                                       4.619047619048,
                                                       6.904761904762,
                                                       8.333333333333});
  expect_values(interpolate(x, size, {}, "bilinear", true),
                {0.0, 2.0, 4.0, 6.0, 8.0, 4.5, 1.0, 10.0, 6.5, 3.0, 5.0,
                 7.0, 3.5, 0.0, 9.0, 5.5, 2.0, 4.0, 6.0,  8.0, 10.0});
  expect_values(interpolate(x, size, {}, "bicubic"), {0.838798118454,
                                                      2.87205755318,
                                                      5.647000863838,
                                                      6.576967592593,
                                                      5.662502699492,
                                                      3.899842079689,
                                                      2.617107358817,
                                                      10.694515306122,
                                                      7.368804664723,
                                                      3.215743440233,
                                                      5.0,
                                                      6.784256559767,
                                                      2.631195335277,
                                                      -0.694515306122,
                                                      7.382892641183,
                                                      6.100157920311,
                                                      4.337497300508,
                                                      3.423032407407,
                                                      4.352999136162,
                                                      7.12794244682,
                                                      9.161201881546});
  expect_values(interpolate(x, size), {0, 0, 4, 4, 8, 8, 1, 5, 5, 9, 9, 2, 2, 6, 4, 4, 8, 8, 1, 1, 5});
  expect_values(interpolate(x, size, {}, "nearest-exact"),
                {0, 0, 4, 8, 8, 1, 1, 10, 10, 3, 7, 7, 0, 0, 9, 9, 2, 6, 6, 10, 10});
  const Tensor scaled = interpolate(x, {}, Doubles{1.5}, "bilinear");
  EXPECT_EQ(scaled.shape(), (Shape{1, 1, 7, 6}));
  expect_values(narrow(scaled, 2, 1, 1), {2.5, 4.5, 6.25, 5.25, 4.25, 3.5});
  expect_values(interpolate(x, DimList{1, 2}, {}, "area"),
                adaptive_avg_pool2d(x, {1, 2}).to_vector<double>());
}

TEST(Interpolate, ShapesGradientsAndErrors) {
  EXPECT_EQ(interpolate(image({2, 3, 4}), DimList(6), {}, "linear").shape(), (Shape{2, 3, 6}));
  EXPECT_EQ(interpolate(image({1, 2, 3, 4, 2}), DimList(5), {}, "trilinear").shape(), (Shape{1, 2, 5, 5, 5}));
  check_gradients([](const TensorList& x) { return interpolate(x[0], DimList{3, 5}, {}, "bilinear"); },
                  {random_doubles({1, 2, 2, 3})});
  check_gradients([](const TensorList& x) { return interpolate(x[0], DimList{4, 2}); },
                  {random_doubles({1, 1, 2, 3})});
  const Tensor x = image({1, 1, 4, 4});
  EXPECT_THROW(interpolate(x), ValueError);
  EXPECT_THROW(interpolate(x, DimList(2), Doubles{2.0}), ValueError);
  EXPECT_THROW(interpolate(x, DimList(2), {}, "trilinear"), ValueError);
  EXPECT_THROW(interpolate(x, DimList(2), {}, "nearest", true), ValueError);
  EXPECT_THROW(interpolate(x, DimList{1, 2, 3}), ValueError);
}

TEST(PixelShuffle, MovesChannelsIntoSpaceAndBack) {
  const Tensor x = image({2, 8, 2, 3});
  const Tensor shuffled = pixel_shuffle(x, 2);
  ASSERT_EQ(shuffled.shape(), (Shape{2, 2, 4, 6}));
  const auto from = x.to_vector<double>(), to = shuffled.to_vector<double>();
  for (int n = 0; n < 2; ++n)
    for (int c = 0; c < 2; ++c)
      for (int h = 0; h < 4; ++h)
        for (int w = 0; w < 6; ++w)
          EXPECT_EQ(to[((n * 2 + c) * 4 + h) * 6 + w],
                    from[((n * 8 + c * 4 + h % 2 * 2 + w % 2) * 2 + h / 2) * 3 + w / 2]);
  expect_values(pixel_unshuffle(shuffled, 2), from);
  expect_values(channel_shuffle(image({1, 4, 1}), 2), {0, 8, 4, 1});
  EXPECT_THROW(pixel_shuffle(x, 3), ShapeError);
  EXPECT_THROW(pixel_unshuffle(x, 2), ShapeError);
}

}  // namespace
}  // namespace phlox
