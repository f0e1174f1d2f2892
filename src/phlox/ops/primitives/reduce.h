// The primitives that reductions consist of. Reductions with a gradient are in reduce.cc.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

enum class ReduceKind : std::uint8_t { sum, product, minimum, maximum, sum_of_squares };
inline std::span<const char* const> names_of(ReduceKind) {
  static constexpr const char* names[] = {"sum", "product", "minimum", "maximum", "sum_of_squares"};
  return names;
}

// What a device must do: combine the elements over the reduced dimensions, or add up their squares, in the order of
// device/cpu/reduction_order.h. There is at least one element for each result.
struct ReduceCall {
  ReduceKind kind;
  const TensorImpl* input;
  bool reduced[max_rank];  // by dimension of the input
  DType compute;           // float32, float64, int64, uint64, uint8 or bool: elements are cast to it
  bool keepdim;
  TensorImpl* output;  // row-major; results are cast to its dtype
};

struct ReduceAttributes {
  ReduceKind kind = ReduceKind::sum;
  Dims dims;
  bool keepdim = false;
  DType compute = DType::float32;
  DType result = DType::float32;
  const char* operation = "reduce";  // for messages
  template <class Visitor>
  void visit(Visitor& v) {
    v("kind", kind), v("dims", dims), v("keepdim", keepdim), v("compute", compute), v("result", result);
  }
};

// Reduces; `result` is the dtype of the result. Over no elements sums give 0, product 1; the others
// throw ShapeError naming `operation`. With `compute` bool, maximum is "any" and minimum "all".
Tensor apply_reduce(ReduceKind kind, const Tensor& input, const Dims& dims, bool keepdim, DType compute,
                    DType result, const char* operation);

// The shape after a reduction over `dims`, which are in range and unlike.
Shape reduced_shape(const Shape& shape, const Dims& dims, bool keepdim);

// What extrema are found in, without loss of a digit: float32, float64, int64, uint64, uint8 or bool.
DType comparison_dtype(DType dtype);

}  // namespace phlox
