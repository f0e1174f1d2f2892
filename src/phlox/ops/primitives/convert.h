// The primitive `convert`: the same values in another dtype or memory order.
#pragma once

#include <span>
#include <string>

#include "phlox/core/tensor.h"

namespace phlox {

enum class MemoryOrder : std::uint8_t { keep, row_major, channels_last };
inline std::span<const char* const> names_of(MemoryOrder) {
  static constexpr const char* names[] = {"keep", "row_major", "channels_last"};
  return names;
}

struct ConvertAttributes {
  DType dtype = DType::float32;
  MemoryOrder order = MemoryOrder::keep;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dtype", dtype), v("order", order);
  }
};

// Whether there are casts to and from the dtype: also where nothing else can be computed with it.
constexpr bool is_castable(DType dtype) {
  return is_computable(dtype) || (dtype >= DType::float8_e4m3fn && dtype <= DType::uint2);
}

// A copy, even when nothing changes. `channels_last` needs four or five dimensions.
Tensor apply_convert(const Tensor& input, DType dtype, MemoryOrder order = MemoryOrder::keep);
// Uninitialised memory in the given order; `like` is asked for MemoryOrder::keep.
Tensor make_tensor_ordered(const Tensor& like, const Shape& shape, DType dtype, MemoryOrder order);
// "preserve", "row_major" or "channels_last", and PyTorch's names of these. Throws ValueError.
MemoryOrder parse_memory_order(const std::string& name, const char* operation);

}  // namespace phlox
