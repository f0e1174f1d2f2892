// Reductions over blocks, in the order of reduction_order.h, compiled once for each instruction set.
#include "phlox/device/cpu/reduce_blocks.h"

namespace phlox {
namespace PHLOX_ISA {

template <class Op, class T>
void dense_block(const void* rows, std::int64_t row_count, std::int64_t columns, void* result) {
  alignas(64) T accumulators[lanes * reduce_columns];
  const T* source = static_cast<const T*>(rows);
  const std::int64_t wide = lanes * columns;  // one row for each lane
  const std::int64_t steps = row_count / lanes;
  start_lanes<Op>(accumulators, row_count < lanes ? row_count * columns : wide);
  std::int64_t s = 0;
  for (; s + 4 <= steps; s += 4) {
    const T* a = source + s * wide;
    take_four_rows<Op>(accumulators, a, a + wide, a + 2 * wide, a + 3 * wide, wide);
  }
  for (; s < steps; ++s) take_row<Op>(accumulators, source + s * wide, wide);
  take_row<Op>(accumulators, source + steps * wide, (row_count - steps * lanes) * columns);
  fold_lanes<Op>(accumulators, row_count < lanes ? row_count : lanes, columns);
  __builtin_memcpy(result, accumulators, static_cast<std::size_t>(columns) * sizeof(T));
}

template <class Op, class T>
void spread_block(const void* const* rows, std::int64_t row_count, std::int64_t columns, void* result) {
  alignas(64) T accumulators[lanes * reduce_columns];
  const auto row = [&](std::int64_t i) { return static_cast<const T*>(rows[i]); };
  const std::int64_t used = row_count < lanes ? row_count : lanes;
  start_lanes<Op>(accumulators, used * columns);
  std::int64_t first = 0;
  for (; first + 4 * lanes <= row_count; first += 4 * lanes)
    for (std::int64_t j = first; j < first + lanes; ++j)
      take_four_rows<Op>(accumulators + (j - first) * columns, row(j), row(j + lanes), row(j + 2 * lanes),
                         row(j + 3 * lanes), columns);
  for (; first < row_count; first += lanes)
    for (std::int64_t j = first; j < first + lanes && j < row_count; ++j)
      take_row<Op>(accumulators + (j - first) * columns, row(j), columns);
  fold_lanes<Op>(accumulators, used, columns);
  __builtin_memcpy(result, accumulators, static_cast<std::size_t>(columns) * sizeof(T));
}

template <class T, int N, int... i>
PHLOX_INLINE math::Simd<T, N> next_lanes(math::Simd<T, N> v, std::integer_sequence<int, i...>) {
  return math::Simd<T, N>(__builtin_shufflevector(v.value, v.value, ((i + 1) % N)...));
}

// All rows of one lane stay in registers, where the neighbouring columns are one move away. Memory is read once.
template <class Op, class T, int step>
PHLOX_INLINE void join_columns(const void* const* rows, std::int64_t columns, T* result) {
  using V = math::Simd<T, (Vector<T>::lanes < 4 ? 4 : Vector<T>::lanes)>;
  constexpr int rows_of_lane = reduction_block / step / lanes;
  for (std::int64_t next = 0; next < columns; next += V::lanes) {
    const std::int64_t c = next + V::lanes <= columns ? next : columns - V::lanes;
    V sums[lanes];
    for (int j = 0; j < lanes; ++j) {
      V elements[rows_of_lane];
      V sum(Op::template identity<T>());
#pragma GCC unroll 16
      for (int k = 0; k < rows_of_lane; ++k) {
        elements[k] = V::load(static_cast<const T*>(rows[j + k * lanes]) + c);
        sum = take<Op>(sum, elements[k]);
      }
#pragma GCC unroll 4
      for (int s = 1; s < step; ++s) {
#pragma GCC unroll 16
        for (int k = 0; k < rows_of_lane; ++k) {
          elements[k] = next_lanes(elements[k], std::make_integer_sequence<int, V::lanes>{});
          sum = take<Op>(sum, elements[k]);
        }
      }
      sums[j] = sum;
    }
#pragma GCC unroll 4
    for (int half = lanes / 2; half >= 1; half /= 2) {
#pragma GCC unroll 8
      for (int k = 0; k < half; ++k) sums[k] = Op::combine(sums[k], sums[k + half]);
    }
    sums[0].store(result + c);
  }
}

template <class Op, class T>
void joined_columns(const void* const* rows, int step, std::int64_t columns, void* result) {
  T* results = static_cast<T*>(result);
  if (step == 2) join_columns<Op, T, 2>(rows, columns, results);
  else join_columns<Op, T, 4>(rows, columns, results);
}

template <class Op, class T>
void combine_rows(void* left, const void* right, std::int64_t count) {
  add_row<Op>(static_cast<T*>(left), static_cast<const T*>(right), count);
}

template <class Op, class T>
void fold_blocks(void* blocks, std::int64_t count) {
  using S = math::Scalar<T>;
  T* values = static_cast<T*>(blocks);
  for (; count > 1; count = (count + 1) / 2) {
    for (std::int64_t i = 0; i < count / 2; ++i)
      values[i] = Op::combine(S(values[2 * i]), S(values[2 * i + 1])).value;
    if (count % 2) values[count / 2] = values[count - 1];
  }
}

template <class Op, class T>
void whole_rows(const void* elements, std::int64_t count, std::int64_t row_count, std::int64_t stride,
                void* results) {
  const char* row = static_cast<const char*>(elements);
  T* result = static_cast<T*>(results);
  // Short rows come in numbers: without the tree, they overlap in the processor.
  if (count <= reduction_block) {
    for (std::int64_t r = 0; r < row_count; ++r, row += stride)
      result[r] = block_in_registers<Op>(reinterpret_cast<const T*>(row), count);
  } else {
    for (std::int64_t r = 0; r < row_count; ++r, row += stride)
      result[r] = reduce_whole<Op>(reinterpret_cast<const T*>(row), count);
  }
}

template <class Op, class T>
constexpr ReduceFunctions functions_of() {
  return {dense_block<Op, T>, spread_block<Op, T>, joined_columns<Op, T>,
          whole_rows<Op, T>,  combine_rows<Op, T>, fold_blocks<Op, T>};
}

#define PHLOX_REDUCE_TYPES(Op)                                                              \
  {functions_of<Op, float>(), functions_of<Op, double>(), functions_of<Op, std::int64_t>(), \
   functions_of<Op, std::uint64_t>(), functions_of<Op, std::uint8_t>()}
#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr ReduceKernels entry PHLOX_TABLE_ENTRY(phlox_reduce_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA),
    {PHLOX_REDUCE_TYPES(Sum), PHLOX_REDUCE_TYPES(Product), PHLOX_REDUCE_TYPES(Minimum),
     PHLOX_REDUCE_TYPES(Maximum), PHLOX_REDUCE_TYPES(SumOfSquares)}};

}  // namespace PHLOX_ISA
}  // namespace phlox
