// Products of small matrices, for which the calls of a library cost as much as the work; compiled once for each
// instruction set. A tile of the output stays in registers while k runs.
#include "phlox/device/cpu/small_product_kernel.h"
#include "phlox/device/cpu/vector_registers.h"

namespace phlox {
namespace PHLOX_ISA {

using cpu::SmallProduct;

// Writes a matrix [k, n] row by row; rows are filled up to `width` with anything.
template <class T>
void pack(const T* source, std::int64_t row_stride, std::int64_t column_stride, std::int64_t k,
          std::int64_t n, T* panel, std::int64_t width) {
  using V = math::Native<T>;
  if (column_stride == 1) {
    for (std::int64_t p = 0; p < k; ++p)
      __builtin_memcpy(panel + p * width, source + p * row_stride, static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  const std::int64_t whole = k - k % V::lanes;
  for (std::int64_t j = 0; j < n; j += V::lanes) {
    const std::int64_t columns = n - j < V::lanes ? n - j : V::lanes;
    const T* from = source + j * column_stride;
    for (std::int64_t p = 0; p < whole; p += V::lanes) {
      V rows[V::lanes];
      PHLOX_UNROLL for (int i = 0; i < V::lanes; ++i) rows[i] =
          i < columns ? V::load(from + i * column_stride + p) : V(0);
      transpose_lanes<1>(rows);
      PHLOX_UNROLL for (int i = 0; i < V::lanes; ++i) rows[i].store(panel + (p + i) * width + j);
    }
    for (std::int64_t p = whole; p < k; ++p)
      for (std::int64_t i = 0; i < columns; ++i) panel[p * width + j + i] = from[i * column_stride + p];
  }
}

// A tile of R rows and C vectors; the last vector has `last` lanes that count.
template <int R, int C, class T>
PHLOX_INLINE void tile(const SmallProduct& s, const T* lhs, const T* rhs, std::int64_t rhs_row, const T* bias,
                       T* output, int last) {
  using V = math::Native<T>;
  V sums[R][C];
  PHLOX_UNROLL for (int c = 0; c < C; ++c) {
    const V start = bias ? V::load(bias + c * V::lanes) : V(0);
    PHLOX_UNROLL for (int r = 0; r < R; ++r) sums[r][c] = start;
  }
  const std::int64_t row = s.lhs_row, column = s.lhs_column, k = s.k;
  for (std::int64_t p = 0; p < k; ++p) {
    V right[C];
    PHLOX_UNROLL for (int c = 0; c < C; ++c) right[c] = V::load(rhs + c * V::lanes);
    PHLOX_UNROLL for (int r = 0; r < R; ++r) {
      const V left(lhs[r * row] - typename V::Vector{});
      PHLOX_UNROLL for (int c = 0; c < C; ++c) sums[r][c] = multiply_add(left, right[c], sums[r][c]);
    }
    lhs += column;
    rhs += rhs_row;
  }
  PHLOX_UNROLL for (int r = 0; r < R; ++r) {
    PHLOX_UNROLL for (int c = 0; c < C; ++c) {
      T* to = output + r * s.output_row + c * V::lanes;
      if (c + 1 < C || last == V::lanes) {
        sums[r][c].store(to);
      } else {
        alignas(64) T part[V::lanes];
        sums[r][c].store(part);
        __builtin_memcpy(to, part, static_cast<std::size_t>(last) * sizeof(T));
      }
    }
  }
}

template <int C, class T>
void columns(const SmallProduct& s, const T* rhs, std::int64_t rhs_row, const T* bias, std::int64_t first,
             int last) {
  constexpr int R = C == 1 ? 8 : 4;
  const T* lhs = static_cast<const T*>(s.lhs);
  T* output = static_cast<T*>(s.output) + first;
  std::int64_t i = 0;
  const auto at = [&](std::int64_t row) { return lhs + row * s.lhs_row; };
  for (; i + R <= s.m; i += R) tile<R, C>(s, at(i), rhs, rhs_row, bias, output + i * s.output_row, last);
  if constexpr (R > 4)
    for (; i + 4 <= s.m; i += 4) tile<4, C>(s, at(i), rhs, rhs_row, bias, output + i * s.output_row, last);
  for (; i + 2 <= s.m; i += 2) tile<2, C>(s, at(i), rhs, rhs_row, bias, output + i * s.output_row, last);
  if (i < s.m) tile<1, C>(s, at(i), rhs, rhs_row, bias, output + i * s.output_row, last);
}

template <class T>
void small_product(const SmallProduct& s) {
  using V = math::Native<T>;
  // As many vectors in a row of a tile as registers hold.
  constexpr int widest = math::kVectorBytes == 64 ? 4 : 2;
  const T* rhs = static_cast<const T*>(s.rhs);
  std::int64_t rhs_row = s.rhs_row;
  const std::int64_t width = (s.n + V::lanes - 1) / V::lanes * V::lanes;
  T* panel = static_cast<T*>(s.panel);
  // Rows that lie far apart would be fetched anew for each tile.
  constexpr std::int64_t page_bytes = 4096;
  const bool far_apart = s.m >= 16 && s.rhs_row * static_cast<std::int64_t>(sizeof(T)) >= page_bytes;
  if (s.rhs_column != 1 || width != s.n || far_apart) {
    pack(rhs, s.rhs_row, s.rhs_column, s.k, s.n, panel, width);
    rhs = panel;
    rhs_row = width;
  }
  const T* bias = static_cast<const T*>(s.bias);
  if (bias && (s.bias_stride != 1 || width != s.n)) {
    T* copy = panel + s.k * width;
    for (std::int64_t j = 0; j < s.n; ++j) copy[j] = bias[j * s.bias_stride];
    bias = copy;
  }
  for (std::int64_t j = 0; j < s.n;) {
    const std::int64_t vectors = (width - j) / V::lanes;
    const int count = vectors < widest ? static_cast<int>(vectors) : widest;
    const std::int64_t next = j + count * V::lanes;
    const int last = next <= s.n ? V::lanes : static_cast<int>(s.n - next + V::lanes);
    const T* start = bias ? bias + j : nullptr;
    switch (count) {
      case 1: columns<1>(s, rhs + j, rhs_row, start, j, last); break;
      case 2: columns<2>(s, rhs + j, rhs_row, start, j, last); break;
      case 3: columns<3 <= widest ? 3 : 1>(s, rhs + j, rhs_row, start, j, last); break;
      default: columns<4 <= widest ? 4 : 1>(s, rhs + j, rhs_row, start, j, last); break;
    }
    j = next;
  }
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr cpu::SmallProductKernels entry PHLOX_TABLE_ENTRY(phlox_small_product_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), math::kVectorBytes, small_product<float>, small_product<double>};

}  // namespace PHLOX_ISA
}  // namespace phlox
