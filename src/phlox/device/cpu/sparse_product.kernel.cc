// Rows of a dense matrix, multiplied by stored elements and added up, compiled once for each instruction set.
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/device/cpu/sparse_product_kernel.h"
#include "phlox/math/scalar.h"
#include "phlox/math/simd.h"

namespace phlox {
namespace PHLOX_ISA {

using cpu::SparseRows;

// `vectors` neighbours of a row of the result, from column `at` on: sums stay in registers until the row is done.
template <class V, int vectors>
PHLOX_INLINE void sum_columns(const SparseRows& call, std::int64_t begin, std::int64_t end, std::int64_t row,
                              std::int64_t at) {
  using T = typename V::Element;
  const auto* matrix = static_cast<const T*>(call.matrix) + at;
  const auto* values = static_cast<const T*>(call.values);
  V sums[vectors];
  for (V& sum : sums) sum = V(T(0));
  for (std::int64_t i = begin; i < end; ++i) {
    const T* source = matrix + call.columns[i] * call.width;
    const V factor(values[i]);
#pragma GCC unroll 4
    for (int k = 0; k < vectors; ++k) sums[k] = sums[k] + V::load(source + k * V::lanes) * factor;
  }
  T* target = static_cast<T*>(call.output) + row * call.width + at;
#pragma GCC unroll 4
  for (int k = 0; k < vectors; ++k) sums[k].store(target + k * V::lanes);
}

// Rows of one element: each stored element is looked at once.
template <class T>
void multiply_vector(const SparseRows& call) {
  using S = math::Scalar<T>;
  const T *matrix = static_cast<const T*>(call.matrix), *values = static_cast<const T*>(call.values);
  std::int64_t i = call.first;
  for (std::int64_t row = call.first_row; row < call.last_row; ++row) {
    S sum(T(0));
    for (; i < call.last && call.rows[i] == row; ++i) sum = sum + S(matrix[call.columns[i]]) * S(values[i]);
    static_cast<T*>(call.output)[row] = sum.value;
  }
}

template <class T>
void in_order(const SparseRows& call) {
  using V = math::Native<T>;
  std::int64_t i = call.first;
  if (call.width == 1) return multiply_vector<T>(call);
  for (std::int64_t row = call.first_row; row < call.last_row; ++row) {
    const std::int64_t begin = i;
    while (i < call.last && call.rows[i] == row) ++i;
    std::int64_t at = 0;
    for (; at + 4 * V::lanes <= call.width; at += 4 * V::lanes) sum_columns<V, 4>(call, begin, i, row, at);
    for (; at + V::lanes <= call.width; at += V::lanes) sum_columns<V, 1>(call, begin, i, row, at);
    for (; at < call.width; ++at) sum_columns<math::Scalar<T>, 1>(call, begin, i, row, at);
  }
}

template <class T>
void in_any_order(const SparseRows& call) {
  using V = math::Native<T>;
  using S = math::Scalar<T>;
  auto* output = static_cast<T*>(call.output);
  __builtin_memset(output + call.first_row * call.width, 0,
                   static_cast<std::size_t>((call.last_row - call.first_row) * call.width) * sizeof(T));
  for (std::int64_t i = call.first; i < call.last; ++i) {
    if (call.rows[i] < call.first_row || call.rows[i] >= call.last_row) continue;
    T* target = output + call.rows[i] * call.width;
    const T* source = static_cast<const T*>(call.matrix) + call.columns[i] * call.width;
    const T factor = static_cast<const T*>(call.values)[i];
    std::int64_t at = 0;
    for (; at + V::lanes <= call.width; at += V::lanes)
      (V::load(target + at) + V::load(source + at) * V(factor)).store(target + at);
    for (; at < call.width; ++at) target[at] = (S(target[at]) + S(source[at]) * S(factor)).value;
  }
}

bool is_ordered(const std::int64_t* numbers, std::int64_t count) {
  using V = math::Native<std::int64_t>;
  V descends(0);  // in the sign
  std::int64_t i = 1;
  for (; i + V::lanes <= count; i += V::lanes)
    descends = descends | (V::load(numbers + i) - V::load(numbers + i - 1));
  if (any(descends < V(0))) return false;
  for (; i < count; ++i)
    if (numbers[i] < numbers[i - 1]) return false;
  return true;
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr cpu::SparseProductKernels entry PHLOX_TABLE_ENTRY(phlox_sparse_product_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA),
    is_ordered,
    {in_order<float>, in_any_order<float>},
    {in_order<double>, in_any_order<double>}};

}  // namespace PHLOX_ISA
}  // namespace phlox
