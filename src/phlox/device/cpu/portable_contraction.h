// A product of matrices in plain loops: for dtypes that no library takes, and where results must not depend on one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace phlox::cpu {

// Integers wrap around; unsigned arithmetic does so without undefined behaviour.
template <class T, bool = std::is_integral_v<T>>
struct Accumulator {
  using type = T;
};
template <class T>
struct Accumulator<T, true> {
  using type = std::uint64_t;
};

// Strides of a matrix, in elements.
struct PortableMatrix {
  std::int64_t row_stride, column_stride;
};

// output [m, n], row-major, = lhs [m, k] rhs [k, n], or += when `add`. Each element is the sum over k in ascending
// order, whatever the blocks.
template <class T>
void portable_multiply(const T* lhs, PortableMatrix left, const T* rhs, PortableMatrix right, T* output,
                       std::int64_t m, std::int64_t n, std::int64_t k, bool add) {
  using Sum = typename Accumulator<T>::type;
  constexpr std::int64_t block = 64;
  Sum sums[block];
  std::vector<T> panel(static_cast<std::size_t>(k * std::min(block, n)));  // columns of rhs, row by row
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t width = std::min(block, n - first);
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t j = 0; j < width; ++j)
        panel[p * width + j] = rhs[p * right.row_stride + (first + j) * right.column_stride];
    for (std::int64_t i = 0; i < m; ++i) {
      T* row = output + i * n + first;
      for (std::int64_t j = 0; j < width; ++j) sums[j] = add ? static_cast<Sum>(row[j]) : Sum(0);
      for (std::int64_t p = 0; p < k; ++p) {
        const Sum factor = static_cast<Sum>(lhs[i * left.row_stride + p * left.column_stride]);
        const T* values = panel.data() + p * width;
        for (std::int64_t j = 0; j < width; ++j) sums[j] += factor * static_cast<Sum>(values[j]);
      }
      for (std::int64_t j = 0; j < width; ++j) row[j] = static_cast<T>(sums[j]);
    }
  }
}

}  // namespace phlox::cpu
