#include "phlox/device/cpu/device.h"

namespace phlox {

// ops/device_kernels.cc starts from this table.
extern const DeviceKernels cpu_device_kernels;
const DeviceKernels cpu_device_kernels = {
    .pointwise = cpu::pointwise,
    .convert = cpu::convert,
    .fill = cpu::fill,
    .arange = cpu::arange,
    .gather = cpu::gather,
    .scatter = cpu::scatter,
    .find_outside = cpu::find_outside,
    .count_nonzero = cpu::count_nonzero,
    .nonzero = cpu::nonzero,
    .random = cpu::random,
    .dropout = cpu::dropout,
    .reduce = cpu::reduce,
    .contraction = cpu::contraction,
    .convolution = cpu::convolution,
    .max_pool = cpu::max_pool,
    .average_pool = cpu::average_pool,
    .arg_reduce = cpu::arg_reduce,
    .scan = cpu::scan,
    .sort = cpu::sort,
    .search = cpu::search,
    .softmax = cpu::softmax,
    .softmax_gradient = cpu::softmax_gradient,
    .cross_entropy = cpu::cross_entropy,
    .cross_entropy_gradient = cpu::cross_entropy_gradient,
    .normalize = cpu::normalize,
    .normalize_gradient = cpu::normalize_gradient,
    .fft = cpu::fft,
    .sample = cpu::sample,
    .gamma_gradient = cpu::gamma_gradient,
    .linear_algebra = cpu::linear_algebra,
    .sparse_product = cpu::sparse_product,
};

}  // namespace phlox
