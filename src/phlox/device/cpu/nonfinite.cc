#include "phlox/device/cpu/nonfinite.h"

#include <atomic>

#include "phlox/core/parallel.h"
#include "phlox/core/strided.h"
#include "phlox/device/cpu/nonfinite_kernel.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/ops/primitives/watch.h"

namespace phlox::cpu {

PHLOX_TABLE(NonfiniteKernels, phlox_nonfinite_kernels);

namespace {

constexpr std::int64_t grain = 1 << 16;  // elements

NonfiniteScan scan_of(DType dtype) {
  static const NonfiniteKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_nonfinite_kernels));
  switch (dtype) {
    case DType::float32:
    case DType::complex64: return best.float32;
    case DType::float64:
    case DType::complex128: return best.float64;
    case DType::float16: return best.half;
    case DType::bfloat16: return best.bfloat16;
    default: return nullptr;
  }
}

}  // namespace

bool has_nonfinite(DType dtype, const void* elements, std::int64_t count) {
  const NonfiniteScan scan = scan_of(dtype);
  return scan && scan(elements, is_complex(dtype) ? 2 * count : count);
}

bool has_nonfinite(const TensorImpl& tensor) {
  const NonfiniteScan scan = scan_of(tensor.dtype);
  if (!scan) return false;
  const std::int64_t parts = is_complex(tensor.dtype) ? 2 : 1;
  const std::int64_t bytes = element_size(tensor.dtype);
  const auto* data = static_cast<const char*>(tensor.address());
  Dims order;
  if (!tensor.contiguous && !dense_order(tensor, order)) {
    bool found = false;
    for_each_offset(tensor, [&](std::int64_t offset) { found |= scan(data + offset * bytes, parts); });
    return found;
  }
  if (tensor.count <= grain) return scan(data, tensor.count * parts);
  std::atomic<bool> found = false;
  parallel_for(0, tensor.count, grain, [&](std::int64_t begin, std::int64_t end) {
    if (scan(data + begin * bytes, (end - begin) * parts)) found.store(true, std::memory_order_relaxed);
  });
  return found;
}

}  // namespace phlox::cpu

namespace phlox {
bool (*const has_nonfinite_on_cpu)(const TensorImpl& tensor) = cpu::has_nonfinite;
NonfiniteScan (*const nonfinite_scan_on_cpu)(DType dtype) = cpu::scan_of;
}  // namespace phlox
