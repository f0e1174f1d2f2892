// argmax and argmin on the CPU.
#include <vector>

#include "phlox/device/cpu/arg_reduce_kernel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/rows.h"

namespace phlox::cpu {

PHLOX_TABLE(ArgReduceKernels, phlox_arg_reduce_kernels);

namespace {

constexpr std::int64_t chunk = 1 << 16;  // of a long row, for one thread

ExtremumIndex kernel(bool maximum, DType compute) {
  static const ArgReduceKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_arg_reduce_kernels));
  const int type = static_cast<int>(reduce_type(compute));
  return maximum ? best.maximum[type] : best.minimum[type];
}

// The extremum of chunks, and then of their extrema: the first is first in both.
std::int64_t find_in_long_row(ExtremumIndex find, const char* row, std::int64_t count, int bytes) {
  const std::int64_t chunks = (count + chunk - 1) / chunk;
  std::vector<char> values(static_cast<std::size_t>(chunks * bytes));
  std::vector<std::int64_t> indices(static_cast<std::size_t>(chunks));
  parallel_for(0, chunks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t c = first; c < last; ++c)
      indices[static_cast<std::size_t>(c)] =
          c * chunk +
          find(row + c * chunk * bytes, std::min(chunk, count - c * chunk), values.data() + c * bytes);
  });
  char unused[8];
  return indices[static_cast<std::size_t>(find(values.data(), chunks, unused))];
}

}  // namespace

void arg_reduce(const ArgReduceCall& call) {
  const DType compute = comparison_dtype(call.input->dtype);
  const ExtremumIndex find = kernel(call.maximum, compute);
  const int bytes = element_size(compute);
  const RowsLast source(*call.input, call.dim, RowsLast::Use::read);
  const RowOperand input(source.impl(), source.dim(), compute), output(*call.output, call.dim, DType::int64);
  const std::int64_t length = input.length();
  const auto write = [&](std::int64_t row, std::int64_t index) {
    *reinterpret_cast<std::int64_t*>(output.address(row)) = index;
  };
  if (input.direct() && length > chunk && input.rows() < 2 * thread_count()) {
    for (std::int64_t row = 0; row < input.rows(); ++row)
      write(row, find_in_long_row(find, input.address(row), length, bytes));
    return;
  }
  for_row_ranges(input.rows(), length, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(length * bytes);
    char unused[8];
    for (std::int64_t row = first; row < last; ++row)
      write(row, find(input.read(row, scratch.at(0)), length, unused));
  });
}

}  // namespace phlox::cpu
