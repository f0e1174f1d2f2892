// Sparse times dense on the CPU: threads share out the rows of the result, so each row is summed by one of them.
#include <algorithm>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/sparse_product_kernel.h"

namespace phlox::cpu {

PHLOX_TABLE(SparseProductKernels, phlox_sparse_product_kernels);

void sparse_product(const SparseProductCall& call) {
  static const SparseProductKernels& kernels = best_of(PHLOX_TABLE_SPAN(phlox_sparse_product_kernels));
  const SparseProductFunctions& functions =
      call.values->dtype == DType::float64 ? kernels.float64 : kernels.float32;
  const std::int64_t stored = call.values->count, rows = call.output->sizes[0], width = call.output->sizes[1];
  const auto* row_of = static_cast<const std::int64_t*>(call.positions->address());
  const SparseRows all{row_of,
                       row_of + stored,
                       call.values->address(),
                       0,
                       stored,
                       call.matrix->address(),
                       call.output->address(),
                       width,
                       0,
                       rows};
  const bool ordered = kernels.is_ordered(row_of, stored);
  constexpr std::int64_t worthwhile = 32768;  // products and written elements, for one thread
  const std::int64_t work_of_row = (stored / rows + 1) * width + 1;
  std::int64_t grain = std::max<std::int64_t>(1, worthwhile / work_of_row);
  // Out of order, each thread looks at all rows: no more parts than threads.
  if (!ordered) grain = std::max(grain, (rows + thread_count() - 1) / thread_count());
  parallel_for(0, rows, grain, [&](std::int64_t first, std::int64_t last) {
    SparseRows part = all;
    part.first_row = first;
    part.last_row = last;
    if (!ordered) return functions.in_any_order(part);
    part.first = std::lower_bound(row_of, row_of + stored, first) - row_of;
    part.last = std::lower_bound(row_of + part.first, row_of + stored, last) - row_of;
    functions.in_order(part);
  });
}

}  // namespace phlox::cpu
