#include <gtest/gtest.h>

#include <sstream>

#include "phlox/core/print.h"
#include "phlox/core/tensor.h"

namespace phlox {
namespace {

Tensor numbers(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return from_values<float>(values, shape);
}

Tensor transposed(const Tensor& matrix) {
  return make_view(matrix, {matrix.size(1), matrix.size(0)}, {matrix.stride(1), matrix.stride(0)},
                   matrix.storage_offset());
}

TEST(TensorTest, KnowsItsLayout) {
  Tensor x = make_tensor({2, 3, 4}, DType::float32);
  EXPECT_EQ(x.rank(), 3);
  EXPECT_EQ(x.numel(), 24);
  EXPECT_EQ(x.size(-1), 4);
  EXPECT_EQ(x.stride(0), 12);
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data_pointer()) % 64, 0u);
  EXPECT_THROW(x.size(3), ShapeError);
  EXPECT_EQ(describe(x), "f32[2,3,4] cpu");
  Tensor empty = make_tensor({2, 0, 3}, DType::int64);
  EXPECT_EQ(empty.numel(), 0);
  EXPECT_TRUE(empty.is_contiguous());
  EXPECT_THROW(make_tensor({-1}, DType::float32), ShapeError);
  EXPECT_THROW(make_tensor({1ll << 40, 1ll << 40}, DType::float32), ShapeError);
  EXPECT_THROW(make_tensor({1ll << 60}, DType::float64), OutOfMemoryError);
}

TEST(TensorTest, UndefinedTensorsSaySo) {
  Tensor x;
  EXPECT_FALSE(x.defined());
  EXPECT_THROW(x.shape(), StateError);
}

TEST(TensorTest, ReadsAnyStrides) {
  Tensor x = numbers({2, 3});
  EXPECT_EQ(transposed(x).to_vector<std::int32_t>().size(), 6u);
  EXPECT_EQ(transposed(x).to_vector<double>(), (std::vector<double>{0, 3, 1, 4, 2, 5}));
  Tensor flipped = make_view(x, {2, 3}, {-3, -1}, 5);
  EXPECT_EQ(flipped.to_vector<std::int64_t>(), (std::vector<std::int64_t>{5, 4, 3, 2, 1, 0}));
  Tensor expanded = make_view(x, {2, 2}, {0, 1}, 1);
  EXPECT_EQ(expanded.to_vector<float>(), (std::vector<float>{1, 2, 1, 2}));
  EXPECT_TRUE(x.shares_storage_with(flipped));
}

TEST(TensorTest, ItemAndData) {
  Tensor x(2.5);
  EXPECT_EQ(x.dtype(), DType::float32);
  EXPECT_EQ(x.item<double>(), 2.5);
  EXPECT_EQ(x.item<int>(), 2);
  EXPECT_EQ(*x.data<float>(), 2.5f);
  EXPECT_EQ(Tensor(std::complex<double>(1, 2)).item<std::complex<float>>(), std::complex<float>(1, 2));
  EXPECT_THROW(x.data<double>(), DTypeError);
  EXPECT_THROW(numbers({2}).item(), ValueError);
  EXPECT_EQ(Tensor(7, {.dtype = DType::uint8}).item<int>(), 7);
  EXPECT_THROW(Tensor(300, {.dtype = DType::uint8}), DTypeError);
  EXPECT_THROW(from_values<float>(std::vector<float>{1, 2, 3}, {2}), ShapeError);
}

TEST(TensorTest, KeepsMemoryOrder) {
  Tensor base = make_tensor({2, 4, 5, 3}, DType::float32);
  Tensor x = make_view(base, {2, 3, 4, 5}, {60, 1, 15, 3}, 0);
  EXPECT_TRUE(x.is_channels_last());
  EXPECT_FALSE(x.is_contiguous());
  Tensor y = make_tensor_like(x, {2, 8, 4, 5}, DType::float64);
  EXPECT_TRUE(y.is_channels_last());
  EXPECT_EQ(y.dtype(), DType::float64);
  Tensor matrix = transposed(make_tensor({2, 3}, DType::float32));
  EXPECT_EQ(make_tensor_like(matrix, {3, 2}, DType::float32).strides(), (Strides{1, 3}));
  Tensor volume = make_view(make_tensor({120}, DType::float32), {1, 2, 3, 4, 5}, {120, 1, 40, 10, 2}, 0);
  EXPECT_TRUE(volume.is_channels_last());
  Tensor expanded = make_view(base, {3, 4}, {0, 1}, 0);
  EXPECT_TRUE(make_tensor_like(expanded, {3, 4}, DType::float32).is_contiguous());
}

TEST(TensorTest, ForeignMemoryIsReleasedWithTheLastView) {
  float values[6] = {0, 1, 2, 3, 4, 5};
  int released = 0;
  {
    Tensor view;
    {
      Tensor x = wrap_memory(
          values, {2, 3}, {3, 1}, DType::float32, [](void* owner) { ++*static_cast<int*>(owner); },
          &released);
      view = transposed(x);
      EXPECT_EQ(x.data_pointer(), values);
    }
    EXPECT_EQ(released, 0);
    EXPECT_EQ(view.to_vector<float>()[1], 3);
  }
  EXPECT_EQ(released, 1);
}

TEST(TensorTest, BroadcastingRule) {
  EXPECT_EQ(broadcast_shapes({3, 1}, {2, 1, 4}), (Shape{2, 3, 4}));
  EXPECT_EQ(broadcast_shapes({}, {0}), (Shape{0}));
  EXPECT_EQ(broadcast_shapes({1}, {0}), (Shape{0}));
  try {
    broadcast_shapes({2, 3}, {4}, "add");
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_EQ(error.code(), ErrorCode::shapes_do_not_broadcast);
    EXPECT_EQ(error.summary(), "add: sizes 3 and 4 of dimension 1 do not broadcast");
  }
  EXPECT_EQ(normalize_dims({-1, 0}, 3, "sum"), (Dims{2, 0}));
  EXPECT_THROW(normalize_dims({0, -3}, 3, "sum"), ShapeError);
  EXPECT_THROW((IntList(33, 1)), ShapeError);
}

TEST(PrintTest, AlignsColumns) {
  std::ostringstream stream;
  stream << numbers({2}) << ' ' << numbers({2, 3}).shape() << ' ' << DType::bfloat16;
  EXPECT_EQ(stream.str(), "tensor([0., 1.]) [2,3] bfloat16");
  EXPECT_EQ(numbers({2, 3}).to_string(), "tensor([[0., 1., 2.],\n        [3., 4., 5.]])");
  std::vector<float> mixed{1.5f, -20.25f};
  EXPECT_EQ(from_values<float>(mixed, {2}).to_string(), "tensor([  1.5000, -20.2500])");
  std::vector<float> small{1e-6f, 1.0f};
  EXPECT_EQ(from_values<float>(small, {2}).to_string(), "tensor([1.0000e-06, 1.0000e+00])");
  EXPECT_EQ(Tensor(3).to_string(), "tensor(3)");
  EXPECT_EQ(Tensor(true).to_string(), "tensor(True)");
  EXPECT_EQ(Tensor(1.5, {.dtype = DType::float64}).to_string(), "tensor(1.5000, dtype=float64)");
  EXPECT_EQ(Tensor(std::complex<double>(1, -2.5)).to_string(), "tensor(1.-2.5000j)");
  EXPECT_EQ(make_tensor({0, 3}, DType::float32).to_string(), "tensor([], shape=(0,3))");
  EXPECT_EQ(Tensor().to_string(), "tensor(undefined)");
  EXPECT_EQ(numbers({1, 2, 1}).set_requires_grad().to_string(),
            "tensor([[[0.],\n         [1.]]], requires_grad=True)");
  EXPECT_EQ(numbers({2, 1, 1}).to_string(), "tensor([[[0.]],\n\n        [[1.]]])");
}

TEST(PrintTest, SummarisesAndWraps) {
  EXPECT_EQ(numbers({2000}).to_string(), "tensor([   0.,    1.,    2., ..., 1997., 1998., 1999.])");
  std::string lines = numbers({30}).to_string();
  EXPECT_NE(lines.find(",\n        "), std::string::npos);
  PrintOptions options{
      .precision = 2, .threshold = 4, .edge_items = 1, .line_width = 80, .scientific = false};
  EXPECT_EQ(to_string(from_values<double>(std::vector<double>{0.125, 1, 2, 3, 4.5}, {5}), options),
            "tensor([0.12, ..., 4.50], dtype=float64)");
}

}  // namespace
}  // namespace phlox
