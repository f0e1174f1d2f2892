#include <gtest/gtest.h>

#include <cmath>

#include "finite_differences.h"
#include "phlox/device/cpu/library_choice.h"
#include "phlox/ops/primitives/convolution.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

struct Case {
  Shape input, weight;
  IntList stride, padding, dilation;
  std::int64_t groups = 1;
};

// By definition, in double: 3 spatial dimensions, missing ones in front.
Tensor naive(const Tensor& input, const Tensor& weight, const Case& c) {
  const int dims = input.rank() - 2;
  const auto widen = [&](const Shape& shape) {
    Shape wide{shape[0], shape[1]};
    for (int d = dims; d < 3; ++d) wide.push_back(1);
    for (int d = 0; d < dims; ++d) wide.push_back(shape[2 + d]);
    return wide;
  };
  const Shape x = widen(input.shape()), w = widen(weight.shape());
  std::int64_t stride[3] = {1, 1, 1}, padding[3] = {}, dilation[3] = {1, 1, 1}, out[3];
  for (int d = 0; d < dims; ++d) {
    stride[3 - dims + d] = c.stride[d];
    padding[3 - dims + d] = c.padding[d];
    dilation[3 - dims + d] = c.dilation[d];
  }
  for (int d = 0; d < 3; ++d)
    out[d] = (x[2 + d] + 2 * padding[d] - dilation[d] * (w[2 + d] - 1) - 1) / stride[d] + 1;
  const auto a = input.to_vector<double>(), b = weight.to_vector<double>();
  const std::int64_t per_group = w[0] / c.groups;
  std::vector<double> result;
  for (std::int64_t n = 0; n < x[0]; ++n)
    for (std::int64_t o = 0; o < w[0]; ++o)
      for (std::int64_t p = 0; p < out[0]; ++p)
        for (std::int64_t q = 0; q < out[1]; ++q)
          for (std::int64_t r = 0; r < out[2]; ++r) {
            double sum = 0;
            for (std::int64_t i = 0; i < w[1]; ++i)
              for (std::int64_t kp = 0; kp < w[2]; ++kp)
                for (std::int64_t kq = 0; kq < w[3]; ++kq)
                  for (std::int64_t kr = 0; kr < w[4]; ++kr) {
                    const std::int64_t ip = p * stride[0] - padding[0] + kp * dilation[0];
                    const std::int64_t iq = q * stride[1] - padding[1] + kq * dilation[1];
                    const std::int64_t ir = r * stride[2] - padding[2] + kr * dilation[2];
                    if (ip < 0 || iq < 0 || ir < 0 || ip >= x[2] || iq >= x[3] || ir >= x[4]) continue;
                    const std::int64_t channel = o / per_group * w[1] + i;
                    sum += a[(((n * x[1] + channel) * x[2] + ip) * x[3] + iq) * x[4] + ir] *
                           b[(((o * w[1] + i) * w[2] + kp) * w[3] + kq) * w[4] + kr];
                  }
            result.push_back(sum);
          }
  Shape shape{x[0], w[0]};
  for (int d = 3 - dims; d < 3; ++d) shape.push_back(out[d]);
  return from_values<double>(result, shape);
}

Tensor conv(const Tensor& input, const Tensor& weight, const OptionalTensor& bias, const Case& c) {
  switch (input.rank()) {
    case 3: return conv1d(input, weight, bias, c.stride, c.padding, c.dilation, c.groups);
    case 4: return conv2d(input, weight, bias, c.stride, c.padding, c.dilation, c.groups);
    default: return conv3d(input, weight, bias, c.stride, c.padding, c.dilation, c.groups);
  }
}

void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const auto a = actual.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << "element " << i;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{2, 3, 9}, {4, 3, 3}, {1}, {1}, {1}},
      {{2, 4, 11}, {6, 2, 3}, {2}, {0}, {2}, 2},
      {{2, 3, 8, 7}, {5, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {{1, 1, 8, 8}, {16, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {{2, 16, 9, 9}, {32, 16, 3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {{2, 17, 6, 5}, {19, 17, 1, 1}, {1, 1}, {0, 0}, {1, 1}},
      {{2, 8, 7, 9}, {8, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 8},
      {{2, 8, 7, 9}, {16, 1, 3, 2}, {2, 1}, {0, 1}, {1, 2}, 8},
      {{1, 12, 6, 6}, {6, 4, 3, 3}, {1, 1}, {2, 2}, {2, 2}, 3},
      {{1, 3, 5, 9}, {2, 3, 5, 1}, {3, 2}, {2, 0}, {1, 1}},
      {{2, 2, 5, 4, 6}, {3, 2, 2, 3, 2}, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}},
      {{1, 4, 5, 5, 5}, {4, 2, 3, 2, 3}, {2, 1, 2}, {1, 0, 1}, {1, 2, 1}, 2},
  };
  return all;
}

Tensor channels_last(const Tensor& x) {
  const Tensor result = make_channels_last(x.shape(), x.dtype(), x.device());
  result.copy_(x);
  return result;
}

template <class Body>
void with_both_kernels(Body&& body) {
  for (bool portable : {false, true}) {
    SCOPED_TRACE(portable ? "portable" : "library");
    cpu::set_portable_kernels(portable);
    body();
  }
  cpu::set_portable_kernels(false);
}

TEST(Convolution, AgainstTheDefinition) {
  with_both_kernels([] {
    for (std::size_t i = 0; i < cases().size(); ++i)
      for (auto [dtype, tolerance] : {std::pair{DType::float32, 1e-5},
                                      {DType::float64, 1e-12},
                                      {DType::bfloat16, 2e-2},
                                      {DType::float16, 4e-3}}) {
        const Case& c = cases()[i];
        SCOPED_TRACE(fmt::format("case {} {}", i, info(dtype).name));
        const Tensor input = random_doubles(c.input).to(dtype),
                     weight = random_doubles(c.weight, 2).to(dtype);
        const Tensor bias = random_doubles({c.weight[0]}, 3).to(dtype);
        Shape bias_shape(c.input.size(), 1);
        bias_shape[1] = c.weight[0];
        const Tensor plain = naive(input.to(DType::float64), weight.to(DType::float64), c);
        const Tensor expected = add(plain, reshape(bias.to(DType::float64), bias_shape));
        const Tensor actual = conv(input, weight, bias, c);
        EXPECT_EQ(actual.dtype(), dtype);
        const double scale = std::sqrt(static_cast<double>(weight.numel() / weight.size(0)));
        expect_close(actual, expected, tolerance * scale);
        expect_close(conv(input, weight, {}, c), plain, tolerance * scale);
        // The memory order of the operands must not matter.
        expect_close(conv(channels_last(input), channels_last(weight), bias, c), expected, tolerance * scale);
        const Tensor transposed = transpose(transpose(input, 0, -1).contiguous(), 0, -1);
        expect_close(conv(transposed, weight, bias, c), expected, tolerance * scale);
      }
  });
}

TEST(Convolution, OutputIsChannelsLast) {
  const Tensor x = random_doubles({2, 3, 5, 6}).to(DType::float32),
               w = random_doubles({4, 3, 3, 3}).to(DType::float32);
  EXPECT_TRUE(conv2d(x, w).is_channels_last());
}

// float32 gradients against those of the portable loops in double.
TEST(Convolution, GradientsOfTheLibrary) {
  for (std::size_t i = 0; i < cases().size(); ++i) {
    const Case& c = cases()[i];
    SCOPED_TRACE(fmt::format("case {}", i));
    const auto run = [&](DType dtype) {
      const Tensor input = random_doubles(c.input).to(dtype).set_requires_grad();
      const Tensor weight = random_doubles(c.weight, 2).to(dtype).set_requires_grad();
      const Tensor bias = random_doubles({c.weight[0]}, 3).to(dtype).set_requires_grad();
      const Tensor result = conv(input, weight, bias, c);
      result.backward(random_doubles(result.shape(), 4).to(dtype));
      return std::array{input.grad(), weight.grad(), bias.grad()};
    };
    const auto actual = run(DType::float32), expected = run(DType::float64);
    for (int k = 0; k < 3; ++k) {
      SCOPED_TRACE(k);
      expect_close(actual[k], expected[k], 1e-4);
    }
    const auto rounded = run(DType::bfloat16);
    for (int k = 0; k < 3; ++k) expect_close(rounded[k], expected[k], 0.3);
  }
}

TEST(Convolution, GradientsAndDoubleBackward) {
  const std::vector<Case> small{
      {{2, 2, 4}, {2, 2, 2}, {1}, {1}, {1}},
      {{1, 2, 4, 3}, {2, 2, 2, 2}, {2, 1}, {1, 0}, {1, 1}},
      {{1, 4, 4, 4}, {2, 2, 2, 2}, {1, 1}, {1, 1}, {2, 2}, 2},
      {{1, 2, 2, 3, 2}, {2, 1, 2, 2, 1}, {1, 2, 1}, {0, 1, 0}, {1, 1, 1}, 2},
  };
  for (const Case& c : small)
    check_gradients([&](const TensorList& x) { return conv(x[0], x[1], x[2], c); },
                    {random_doubles(c.input), random_doubles(c.weight, 2), random_doubles({c.weight[0]}, 3)});
  check_gradients(
      [](const TensorList& x) { return conv_transpose2d(x[0], x[1], x[2], {2, 1}, {1, 0}, {1, 0}, 2); },
      {random_doubles({1, 4, 2, 3}), random_doubles({4, 1, 3, 2}, 2), random_doubles({2}, 3)});
}

// <conv(x), y> = <x, conv_transpose(y)>
TEST(Convolution, TransposeIsTheAdjoint) {
  with_both_kernels([] {
    for (DType dtype : {DType::float32, DType::float64}) {
      struct Transposed {
        Shape input, weight;
        IntList stride, padding, output_padding, dilation;
        std::int64_t groups;
      };
      for (const Transposed& t :
           {Transposed{{2, 4, 5}, {4, 3, 3}, {2}, {1}, {1}, {1}, 1},
            Transposed{{2, 4, 5, 6}, {4, 3, 3, 2}, {2, 3}, {1, 0}, {1, 2}, {1, 1}, 2},
            Transposed{{1, 2, 4, 4}, {2, 2, 3, 3}, {1, 1}, {1, 1}, {1, 1}, {2, 2}, 1},
            Transposed{{1, 2, 2, 3, 4}, {2, 2, 2, 2, 3}, {2, 1, 2}, {0, 1, 1}, {0, 0, 1}, {1, 1, 1}, 1}}) {
        const Tensor y = random_doubles(t.input).to(dtype), w = random_doubles(t.weight, 2).to(dtype);
        const Tensor up =
            y.rank() == 3
                ? conv_transpose1d(y, w, {}, t.stride, t.padding, t.output_padding, t.groups, t.dilation)
            : y.rank() == 4
                ? conv_transpose2d(y, w, {}, t.stride, t.padding, t.output_padding, t.groups, t.dilation)
                : conv_transpose3d(y, w, {}, t.stride, t.padding, t.output_padding, t.groups, t.dilation);
        for (int d = 0; d < y.rank() - 2; ++d)
          EXPECT_EQ(up.size(2 + d), (y.size(2 + d) - 1) * t.stride[d] - 2 * t.padding[d] +
                                        t.dilation[d] * (w.size(2 + d) - 1) + t.output_padding[d] + 1);
        const Tensor x = random_doubles(up.shape(), 3).to(dtype);
        Case c{x.shape(), w.shape(), t.stride, t.padding, t.dilation, t.groups};
        Tensor down = naive(x.to(DType::float64), w.to(DType::float64), c);
        for (int d = 0; d < y.rank() - 2; ++d) down = narrow(down, 2 + d, 0, y.size(2 + d));
        EXPECT_NEAR(sum(mul(down, y.to(DType::float64))).item<double>(),
                    sum(mul(x.to(DType::float64), up.to(DType::float64))).item<double>(), 1e-3);
      }
    }
  });
}

TEST(Convolution, EmptyUnbatchedAndUneven) {
  const Tensor w = random_doubles({4, 3, 3, 3}).to(DType::float32);
  EXPECT_EQ(conv2d(random_doubles({0, 3, 5, 5}).to(DType::float32), w).shape(), (Shape{0, 4, 3, 3}));
  const Tensor x = random_doubles({3, 5, 5}).to(DType::float32);
  expect_close(conv2d(x, w), squeeze(conv2d(unsqueeze(x, 0), w), 0), 0);
  // One more row above and two more columns on the right.
  const Tensor wide = pad(unsqueeze(x, 0), {0, 2, 1, 0});
  expect_close(conv2d(unsqueeze(x, 0), w, {}, 1, {1, 0, 0, 2}), conv2d(wide, w), 1e-5);
  const Tensor integers = conv1d(from_values<std::int64_t>(std::vector<std::int64_t>{1, 2, 3, 4}, {1, 1, 4}),
                                 from_values<std::int64_t>(std::vector<std::int64_t>{1, -1}, {1, 1, 2}));
  EXPECT_EQ(integers.to_vector<std::int64_t>(), (std::vector<std::int64_t>{-1, -1, -1}));
}

TEST(Convolution, Errors) {
  const Tensor x = random_doubles({1, 3, 5, 5}), w = random_doubles({4, 3, 3, 3});
  EXPECT_THROW(conv2d(random_doubles({5, 5}), w), ShapeError);
  EXPECT_THROW(conv2d(random_doubles({1, 2, 5, 5}), w), ShapeError);
  EXPECT_THROW(conv2d(x, random_doubles({4, 3, 7, 3})), ShapeError);
  EXPECT_THROW(conv2d(x, w, random_doubles({3})), ShapeError);
  EXPECT_THROW(conv2d(x, w, {}, 0), ValueError);
  EXPECT_THROW(conv2d(x, w, {}, {1, 1, 1}), ValueError);
  EXPECT_THROW(conv2d(x, w, {}, 1, -1), ValueError);
  EXPECT_THROW(conv2d(x, w, {}, 1, 0, 1, 3), ShapeError);
  EXPECT_THROW(conv_transpose2d(random_doubles({1, 4, 5, 5}), w, {}, 2, 0, 2), ValueError);
}

}  // namespace
}  // namespace phlox
