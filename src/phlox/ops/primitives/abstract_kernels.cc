// What stands in the place of a device's kernels where nothing is to be computed.
#include "phlox/ops/primitives/device_kernels.h"

namespace phlox {
namespace {

std::int64_t refuse_size_from_values(const TensorImpl& mask) {
  fail<GraphError>(ErrorCode::not_capturable, "the shape of a result depends on the values of a tensor")
      .detail("mask", fmt::format("{} elements", mask.count))
      .hint("where() and masks keep shapes: px.where(mask, x, 0) in place of x[mask]")
      .raise();
}

// Only what must answer does anything.
constexpr DeviceKernels kernels = {
    .pointwise = [](const PointwiseCall&) {},
    .convert = [](const TensorImpl&, TensorImpl&) {},
    .fill = [](TensorImpl&, const Scalar&) {},
    .arange = [](TensorImpl&, const Scalar&, const Scalar&) {},
    .gather = [](const IndexedLoop&) {},
    .scatter = [](const IndexedLoop&, ScatterMode) {},
    .find_outside = [](const TensorImpl&, std::int64_t, std::int64_t) -> std::int64_t { return -1; },
    .count_nonzero = refuse_size_from_values,
    .nonzero = [](const TensorImpl&, TensorImpl&) {},
    .random = [](const RandomCall&, TensorImpl&) {},
    .dropout = [](const TensorImpl&, TensorImpl&, double, const GeneratorState&) {},
    .reduce = [](const ReduceCall&) {},
    .contraction = [](const ContractionCall&) {},
    .convolution = [](const ConvolutionCall&) {},
    .max_pool = [](const MaxPoolCall&) {},
    .average_pool = [](const AveragePoolCall&) {},
    .arg_reduce = [](const ArgReduceCall&) {},
    .scan = [](const ScanCall&) {},
    .sort = [](const SortCall&) {},
    .search = [](const SearchCall&) {},
    .softmax = [](const SoftmaxCall&) {},
    .softmax_gradient = [](const SoftmaxGradientCall&) {},
    .cross_entropy = [](const CrossEntropyCall&) {},
    .cross_entropy_gradient = [](const CrossEntropyCall&) {},
    .normalize = [](const NormalizationCall&) {},
    .normalize_gradient = [](const NormalizationGradientCall&) {},
    .fft = [](const FftCall&) {},
    .sample = [](const SampleCall&) {},
    .gamma_gradient = [](const TensorImpl&, const TensorImpl&, TensorImpl&) {},
    .linear_algebra = [](const MatrixCall&) {},
    .sparse_product = [](const SparseProductCall&) {},
};

}  // namespace

PHLOX_THREAD_LOCAL AbstractEvaluation abstract_evaluation{&kernels};

}  // namespace phlox
