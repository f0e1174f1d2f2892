// Running sums, products and extrema on the CPU: each row from its first element on, so that threads change no bit.
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/rows.h"
#include "phlox/math/functions.h"

namespace phlox::cpu {

namespace {

template <class T>
bool is_nan(T x) {
  return x != x;
}

// Rows side by side: each step waits for the one before it, and those of several rows do so at the same time.
template <int rows, class T, class Combine>
void scan_side_by_side(const T* const* x, T* const* y, std::int64_t count, T start, const Combine& combine) {
  using S = math::Scalar<T>;
  S total[rows];
  for (S& t : total) t = S(start);
  for (std::int64_t i = 0; i < count; ++i)
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) y[r][i] = (total[r] = combine(total[r], S(x[r][i]))).value;
}

constexpr int most_side_by_side = 4;

// Sums or products of one row, or of most_side_by_side rows.
template <class T>
void scan_arithmetic(ScanKind kind, int rows, const T* const* x, T* const* y, std::int64_t count) {
  const auto scan = [&](T start, const auto& combine) {
    if (rows == 1) scan_side_by_side<1>(x, y, count, start, combine);
    else scan_side_by_side<most_side_by_side>(x, y, count, start, combine);
  };
  if (kind == ScanKind::sum) scan(T(0), [](auto a, auto b) { return a + b; });
  else scan(T(1), [](auto a, auto b) { return a * b; });
}

// Equal elements move the position on, as in PyTorch; nothing follows a NaN but another one.
template <class T>
void scan_extremum(bool maximum, const T* x, T* y, std::int64_t* indices, std::int64_t count) {
  T best = x[0];
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool better = maximum ? x[i] >= best : x[i] <= best;
    if (is_nan(x[i]) || (!is_nan(best) && better)) {
      best = x[i];
      at = i;
    }
    y[i] = best;
    indices[i] = at;
  }
}

// sum holds exp(x - largest) of all elements so far.
void scan_log_sum_exp(const double* x, double* y, std::int64_t count) {
  using S = math::Scalar<double>;
  double largest = -math::kInfinity, sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (x[i] > largest) {
      sum = sum == 0 ? 1 : sum * exp(S(largest - x[i])).value + 1;
      largest = x[i];
    } else if (x[i] == largest) {
      sum += largest == -math::kInfinity ? 0 : 1;
    } else if (x[i] != -math::kInfinity) {
      sum += exp(S(x[i] - largest)).value;
    }
    y[i] = sum == 0 ? -math::kInfinity : largest + log(S(sum)).value;
  }
}

template <class T>
void scan_rows(const ScanCall& call) {
  const RowsLast source(*call.input, call.dim, RowsLast::Use::read);
  RowsLast result(*call.output, call.dim, RowsLast::Use::write);
  const RowOperand input(source.impl(), source.dim(), call.compute),
      output(result.impl(), result.dim(), call.compute);
  const std::int64_t length = input.length(), row_bytes = length * static_cast<std::int64_t>(sizeof(T));
  const bool extremum = call.kind == ScanKind::minimum || call.kind == ScanKind::maximum;
  const RowOperand indices = extremum ? RowOperand(*call.indices, call.dim, DType::int64) : output;
  for_row_ranges(input.rows(), 2 * length, [&](std::int64_t first, std::int64_t last) {
    const bool arithmetic = call.kind == ScanKind::sum || call.kind == ScanKind::product;
    const int most = arithmetic ? most_side_by_side : 1;
    const Scratch scratch(2 * most * row_bytes + (extremum ? length * 8 : 0));
    for (std::int64_t row = first; row < last;) {
      const int rows = last - row < most ? 1 : most;
      const T* x[most_side_by_side];
      T* y[most_side_by_side];
      for (int r = 0; r < rows; ++r) {
        x[r] = input.read(row + r, reinterpret_cast<T*>(scratch.at(2 * r * row_bytes)));
        y[r] = output.target(row + r, reinterpret_cast<T*>(scratch.at((2 * r + 1) * row_bytes)));
      }
      if (arithmetic) {
        scan_arithmetic(call.kind, rows, x, y, length);
      } else if (call.kind == ScanKind::log_sum_exp) {
        if constexpr (std::is_same_v<T, double>) scan_log_sum_exp(x[0], y[0], length);
      } else {
        auto* at = indices.target(row, reinterpret_cast<std::int64_t*>(scratch.at(2 * row_bytes)));
        scan_extremum(call.kind == ScanKind::maximum, x[0], y[0], at, length);
        indices.write(row, at);
      }
      for (int r = 0; r < rows; ++r) output.write(row + r, y[r]);
      row += rows;
    }
  });
  result.finish();
}

}  // namespace

void scan(const ScanCall& call) {
  switch (call.compute) {
    case DType::float32: return scan_rows<float>(call);
    case DType::float64: return scan_rows<double>(call);
    case DType::uint64: return scan_rows<std::uint64_t>(call);
    case DType::uint8:
    case DType::bool_: return scan_rows<std::uint8_t>(call);
    default: return scan_rows<std::int64_t>(call);
  }
}

}  // namespace phlox::cpu
