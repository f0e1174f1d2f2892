#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finite_differences.h"
#include "phlox/ops/primitives/convolution.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

struct Case {
  Shape input;
  IntList kernel, stride, padding, dilation;
  bool ceil_mode = false;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{2, 3, 8}, {2}, {2}, {0}, {1}},
      {{1, 2, 9}, {3}, {2}, {1}, {2}, true},
      {{2, 3, 6, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
      {{2, 37, 7, 6}, {3, 2}, {2, 3}, {1, 0}, {1, 2}},
      {{1, 5, 7, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, true},
      {{1, 2, 4, 5, 4}, {2, 3, 2}, {1, 2, 2}, {1, 1, 0}, {1, 1, 1}},
  };
  return all;
}

std::int64_t output_size(const Case& c, int d) {
  const std::int64_t room = c.input[2 + d] + 2 * c.padding[d] - c.dilation[d] * (c.kernel[d] - 1) - 1;
  std::int64_t count = room / c.stride[d] + 1;
  if (c.ceil_mode) {
    count = (room + c.stride[d] - 1) / c.stride[d] + 1;
    if ((count - 1) * c.stride[d] >= c.input[2 + d] + c.padding[d]) --count;
  }
  return count;
}

// Calls f for each window with the row-major positions inside the image and the number of positions up to the padding.
template <class F>
Shape for_each_window(const Case& c, F&& f) {
  const int dims = static_cast<int>(c.kernel.size());
  std::int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
               pad[3] = {}, dil[3] = {1, 1, 1};
  Shape shape{c.input[0], c.input[1]};
  for (int d = 0; d < dims; ++d) {
    const int t = 3 - dims + d;
    in[t] = c.input[2 + d];
    out[t] = output_size(c, d);
    kernel[t] = c.kernel[d];
    stride[t] = c.stride[d];
    pad[t] = c.padding[d];
    dil[t] = c.dilation[d];
    shape.push_back(out[t]);
  }
  for (std::int64_t plane = 0; plane < c.input[0] * c.input[1]; ++plane)
    for (std::int64_t a = 0; a < out[0]; ++a)
      for (std::int64_t b = 0; b < out[1]; ++b)
        for (std::int64_t e = 0; e < out[2]; ++e) {
          const std::int64_t at[3] = {a, b, e};
          std::vector<std::int64_t> positions;
          std::int64_t padded = 1;
          for (int d = 0; d < 3; ++d)
            padded *= std::min(at[d] * stride[d] - pad[d] + kernel[d], in[d] + pad[d]) -
                      (at[d] * stride[d] - pad[d]);
          for (std::int64_t x = 0; x < kernel[0]; ++x)
            for (std::int64_t y = 0; y < kernel[1]; ++y)
              for (std::int64_t z = 0; z < kernel[2]; ++z) {
                const std::int64_t tap[3] = {x, y, z};
                std::int64_t position = 0;
                bool inside = true;
                for (int d = 0; d < 3; ++d) {
                  const std::int64_t i = at[d] * stride[d] - pad[d] + tap[d] * dil[d];
                  inside = inside && i >= 0 && i < in[d];
                  position = position * in[d] + i;
                }
                if (inside) positions.push_back(position);
              }
          f(plane * in[0] * in[1] * in[2], positions, padded);
        }
  return shape;
}

Tensor max_pool(const Tensor& x, const Case& c) {
  switch (x.rank()) {
    case 3: return max_pool1d(x, c.kernel, DimList(c.stride), c.padding, c.dilation, c.ceil_mode);
    case 4: return max_pool2d(x, c.kernel, DimList(c.stride), c.padding, c.dilation, c.ceil_mode);
    default: return max_pool3d(x, c.kernel, DimList(c.stride), c.padding, c.dilation, c.ceil_mode);
  }
}

Tensor avg_pool(const Tensor& x, const Case& c, bool count_padding) {
  switch (x.rank()) {
    case 3: return avg_pool1d(x, c.kernel, DimList(c.stride), c.padding, c.ceil_mode, count_padding);
    case 4: return avg_pool2d(x, c.kernel, DimList(c.stride), c.padding, c.ceil_mode, count_padding);
    default: return avg_pool3d(x, c.kernel, DimList(c.stride), c.padding, c.ceil_mode, count_padding);
  }
}

Tensor channels_last(const Tensor& x) {
  const Tensor result = make_channels_last(x.shape(), x.dtype(), x.device());
  result.copy_(x);
  return result;
}

void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const auto a = actual.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << "element " << i;
}

TEST(Pooling, MaximumAgainstTheDefinition) {
  for (const Case& c : cases())
    for (DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      const Tensor x = random_doubles(c.input).to(dtype);
      const auto values = x.to_vector<double>();
      std::vector<double> expected;
      const Shape shape = for_each_window(
          c, [&](std::int64_t base, const std::vector<std::int64_t>& positions, std::int64_t) {
            double best = -std::numeric_limits<double>::infinity();
            for (std::int64_t p : positions) best = std::max(best, values[base + p]);
            expected.push_back(best);
          });
      const Tensor wanted = from_values<double>(expected, shape);
      expect_close(max_pool(x, c), wanted, 0);
      const Tensor pooled = max_pool(channels_last(x), c);
      expect_close(pooled, wanted, 0);
      if (x.rank() >= 4) {
        EXPECT_TRUE(pooled.is_channels_last());
      }
      expect_close(max_pool(transpose(transpose(x, 0, -1).contiguous(), 0, -1), c), wanted, 0);
    }
  EXPECT_EQ(max_pool1d(from_values<std::int64_t>(std::vector<std::int64_t>{3, 1, -2, -1}, {1, 1, 4}), 2)
                .to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{3, -1}));
}

TEST(Pooling, MeanAgainstTheDefinition) {
  for (const Case& given : cases())
    for (bool count_padding : {true, false})
      for (DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
        Case c = given;
        c.dilation = IntList(c.kernel.size(), 1);
        const Tensor x = random_doubles(c.input).to(dtype);
        const auto values = x.to_vector<double>();
        std::vector<double> expected;
        const Shape shape = for_each_window(
            c, [&](std::int64_t base, const std::vector<std::int64_t>& positions, std::int64_t padded) {
              double sum = 0;
              for (std::int64_t p : positions) sum += values[base + p];
              expected.push_back(
                  sum /
                  static_cast<double>(count_padding ? padded : static_cast<std::int64_t>(positions.size())));
            });
        const Tensor wanted = from_values<double>(expected, shape);
        const double tolerance = dtype == DType::bfloat16 ? 1e-2 : dtype == DType::float32 ? 1e-6 : 1e-14;
        expect_close(avg_pool(x, c, count_padding), wanted, tolerance);
        expect_close(avg_pool(channels_last(x), c, count_padding), wanted, tolerance);
      }
  const Tensor x = random_doubles({1, 2, 4, 4});
  expect_close(avg_pool2d(x, 2, {}, 0, false, true, 3), mul(avg_pool2d(x, 2), 4.0 / 3), 1e-14);
}

TEST(Pooling, IndicesPointAtTheMaxima) {
  const Tensor x = random_doubles({2, 3, 6, 7});
  auto [values, indices] = max_pool2d_with_indices(x, 3, DimList(2), 1);
  EXPECT_EQ(indices.dtype(), DType::int64);
  const auto all = x.to_vector<double>(), found = values.to_vector<double>();
  const auto at = indices.to_vector<std::int64_t>();
  const std::int64_t per_plane = values.size(2) * values.size(3);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i], all[static_cast<std::int64_t>(i) / per_plane * 42 + at[i]]);
  // The first of equal elements, and NaN above all.
  auto [ones_value, first] = max_pool1d_with_indices(ones({1, 1, 4}), 4);
  EXPECT_EQ(first.item<std::int64_t>(), 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (DType dtype : {DType::float32, DType::float64})
    EXPECT_TRUE(
        std::isnan(max_pool1d(from_values<double>(std::vector<double>{1, nan, 3, 2}, {1, 1, 4}).to(dtype), 4)
                       .item<double>()));
}

TEST(Pooling, AdaptiveWindows) {
  for (const Shape& shape : {Shape{2, 3, 7}, Shape{2, 3, 7, 5}, Shape{1, 2, 5, 4, 6}}) {
    const Tensor x = random_doubles(shape);
    const int dims = x.rank() - 2;
    const DimList size(
        IntList{3, 2, 4}.rank() >= dims
            ? IntList(std::span<const std::int64_t>(IntList{3, 2, 4}.begin(), static_cast<std::size_t>(dims)))
            : IntList{});
    const Tensor average = dims == 1   ? adaptive_avg_pool1d(x, size)
                           : dims == 2 ? adaptive_avg_pool2d(x, size)
                                       : adaptive_avg_pool3d(x, size);
    const Tensor maximum = dims == 1   ? adaptive_max_pool1d(x, size)
                           : dims == 2 ? adaptive_max_pool2d(x, size)
                                       : adaptive_max_pool3d(x, size);
    // One dimension after the other by slices; the mean of means is not the mean of all where windows overlap unevenly,
    // but every window is a box, so it is.
    Tensor mean_expected = x, max_expected = x;
    for (int d = 0; d < dims; ++d) {
      TensorList means, maxima;
      const std::int64_t n = shape[2 + d];
      for (std::int64_t o = 0; o < size[d]; ++o) {
        const std::int64_t first = o * n / size[d], last = ((o + 1) * n + size[d] - 1) / size[d];
        means.push_back(mean(narrow(mean_expected, 2 + d, first, last - first), 2 + d, true));
        maxima.push_back(amax(narrow(max_expected, 2 + d, first, last - first), 2 + d, true));
      }
      mean_expected = cat(means, 2 + d);
      max_expected = cat(maxima, 2 + d);
    }
    expect_close(average, mean_expected, 1e-13);
    expect_close(maximum, max_expected, 0);
  }
  const Tensor x = random_doubles({2, 3, 4, 5});
  expect_close(adaptive_avg_pool2d(x, 1), mean(x, DimList{2, 3}, true), 1e-14);
  EXPECT_EQ(adaptive_avg_pool2d(x, {-1, 2}).shape(), (Shape{2, 3, 4, 2}));
  EXPECT_EQ(adaptive_max_pool2d(select(x, 0, 0), 2).shape(), (Shape{3, 2, 2}));
}

TEST(Pooling, Gradients) {
  check_gradients([](const TensorList& x) { return max_pool2d(x[0], 3, DimList(2), 1); },
                  {random_doubles({1, 2, 5, 4})});
  check_gradients([](const TensorList& x) { return avg_pool2d(x[0], 3, DimList(2), 1, true, false); },
                  {random_doubles({1, 2, 5, 4})});
  check_gradients([](const TensorList& x) { return adaptive_avg_pool1d(x[0], 3); },
                  {random_doubles({2, 2, 5})});
  check_gradients([](const TensorList& x) { return adaptive_max_pool2d(x[0], 2); },
                  {random_doubles({1, 2, 3, 4})});
  check_gradients([](const TensorList& x) { return lp_pool2d(x[0], 3, 2); },
                  {add(abs(random_doubles({1, 1, 4, 4})), 0.1)});
}

// Overlapping windows in channels-last float32 against double.
TEST(Pooling, GradientsInBothMemoryOrders) {
  const auto run = [](Tensor x, bool maximum) {
    x = x.detach().set_requires_grad();
    const Tensor y = maximum ? max_pool2d(x, 3, DimList(2), 1) : avg_pool2d(x, 3, DimList(2), 1);
    y.backward(random_doubles(y.shape(), 3).to(x.dtype()));
    return x.grad();
  };
  const Tensor x = random_doubles({2, 21, 9, 8});
  for (bool maximum : {true, false}) {
    const Tensor expected = run(x, maximum), single = x.to(DType::float32);
    expect_close(run(single, maximum), expected, 1e-5);
    expect_close(run(channels_last(single), maximum), expected, 1e-5);
  }
}

TEST(Pooling, Errors) {
  const Tensor x = random_doubles({1, 2, 4, 4});
  EXPECT_THROW(max_pool2d(x, 5), ShapeError);
  EXPECT_THROW(max_pool2d(x, 2, DimList(1), 2), ValueError);
  EXPECT_THROW(max_pool2d(x, 0), ValueError);
  EXPECT_THROW(max_pool2d(x, {2, 2, 2}), ValueError);
  EXPECT_THROW(max_pool2d(random_doubles({4, 4}), 2), ShapeError);
  EXPECT_EQ(avg_pool2d(x.to(DType::int64), 2).dtype(), DType::int64);
  EXPECT_THROW(avg_pool2d(x, 2, {}, 0, false, true, 0), ValueError);
}

}  // namespace
}  // namespace phlox
