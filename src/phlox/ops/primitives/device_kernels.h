// The verbs that a device implements. Operations reach devices only through this table.
#pragma once

#include "phlox/core/device.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/primitives/gather.h"
#include "phlox/ops/primitives/contraction.h"
#include "phlox/ops/primitives/convolution.h"
#include "phlox/ops/primitives/fft.h"
#include "phlox/ops/primitives/linear_algebra.h"
#include "phlox/ops/primitives/normalization.h"
#include "phlox/ops/primitives/order.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/primitives/pooling.h"
#include "phlox/ops/primitives/random.h"
#include "phlox/ops/primitives/sampling.h"
#include "phlox/ops/primitives/reduce.h"
#include "phlox/ops/primitives/softmax.h"
#include "phlox/ops/primitives/sparse_product.h"

namespace phlox {

struct DeviceKernels {
  // Applies an expression to broadcast inputs.
  void (*pointwise)(const PointwiseCall& call);
  // Copies between any strides and dtypes of equal shape.
  void (*convert)(const TensorImpl& source, TensorImpl& target);
  // Writes one value everywhere.
  void (*fill)(TensorImpl& target, const Scalar& value);
  // start, start + step, ... in the order of a vector.
  void (*arange)(TensorImpl& target, const Scalar& start, const Scalar& step);
  // Reads and writes at places given by indices; writes to one place in the order of the loop.
  void (*gather)(const IndexedLoop& loop);
  void (*scatter)(const IndexedLoop& loop, ScatterMode mode);
  // The first of contiguous int64 indices that is not within -bound ... bound - 1, or -1.
  std::int64_t (*find_outside)(const TensorImpl& indices, std::int64_t lowest, std::int64_t bound);
  // Of a contiguous bool tensor: how many are true, and where, as int64[n, rank].
  std::int64_t (*count_nonzero)(const TensorImpl& mask);
  void (*nonzero)(const TensorImpl& mask, TensorImpl& target);
  // Fills a row-major tensor with random numbers.
  void (*random)(const RandomCall& call, TensorImpl& target);
  // Zeros elements with a probability, scales the others; source and target are dense and in the same order.
  void (*dropout)(const TensorImpl& source, TensorImpl& target, double probability,
                  const GeneratorState& state);
  // Combines elements over dimensions.
  void (*reduce)(const ReduceCall& call);
  // Products of matrices of any strides into a row-major output.
  void (*contraction)(const ContractionCall& call);
  // A convolution, or the gradient of one with respect to its input or its weight.
  void (*convolution)(const ConvolutionCall& call);
  // The largest element of each window, and where it was.
  void (*max_pool)(const MaxPoolCall& call);
  // Weighted sums over windows, or the transpose of that map.
  void (*average_pool)(const AveragePoolCall& call);
  // Positions of extrema, running results, orders and places in them.
  void (*arg_reduce)(const ArgReduceCall& call);
  void (*scan)(const ScanCall& call);
  void (*sort)(const SortCall& call);
  void (*search)(const SearchCall& call);
  // Rows of softmax, of its gradient, and of cross-entropy.
  void (*softmax)(const SoftmaxCall& call);
  void (*softmax_gradient)(const SoftmaxGradientCall& call);
  void (*cross_entropy)(const CrossEntropyCall& call);
  void (*cross_entropy_gradient)(const CrossEntropyCall& call);
  // Normalisation by mean and variance.
  void (*normalize)(const NormalizationCall& call);
  void (*normalize_gradient)(const NormalizationGradientCall& call);
  // Fourier transforms.
  void (*fft)(const FftCall& call);
  // Numbers drawn by trial and error, and how those of the gamma distribution move with its parameter.
  void (*sample)(const SampleCall& call);
  void (*gamma_gradient)(const TensorImpl& shape_parameter, const TensorImpl& sample, TensorImpl& target);
  // Factorisations, equations and functions of matrices.
  void (*linear_algebra)(const MatrixCall& call);
  // Sparse times dense.
  void (*sparse_product)(const SparseProductCall& call);
};

// Throws DeviceError when the device is not there, and GraphError outside of primitives while an interpreter is active.
// In an AbstractScope the kernels do nothing.
const DeviceKernels& device_kernels(Device device);
// Called by a device's library when it is loaded.
void register_device(DeviceType type, const DeviceKernels* kernels);

// How a thread evaluates in an AbstractScope.
struct AbstractEvaluation {
  const DeviceKernels* kernels;  // take note of what would be done; by default they do nothing at all
  // Set where a primitive left out something that needs values: what was noted is then not all that it does.
  bool needs_values = false;
};
extern PHLOX_THREAD_LOCAL AbstractEvaluation abstract_evaluation;

}  // namespace phlox
