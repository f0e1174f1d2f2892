// The verbs of the CPU, gathered in device.cc.
#pragma once

#include "phlox/ops/primitives/device_kernels.h"

namespace phlox::cpu {

void pointwise(const PointwiseCall& call);
void convert(const TensorImpl& source, TensorImpl& target);
void fill(TensorImpl& target, const Scalar& value);
void arange(TensorImpl& target, const Scalar& start, const Scalar& step);
void gather(const IndexedLoop& loop);
void scatter(const IndexedLoop& loop, ScatterMode mode);
std::int64_t find_outside(const TensorImpl& indices, std::int64_t lowest, std::int64_t bound);
std::int64_t count_nonzero(const TensorImpl& mask);
void nonzero(const TensorImpl& mask, TensorImpl& target);
void random(const RandomCall& call, TensorImpl& target);
void sample(const SampleCall& call);
void gamma_gradient(const TensorImpl& shape_parameter, const TensorImpl& sample, TensorImpl& target);
void dropout(const TensorImpl& source, TensorImpl& target, double probability, const GeneratorState& state);
void reduce(const ReduceCall& call);
void contraction(const ContractionCall& call);
void convolution(const ConvolutionCall& call);
void max_pool(const MaxPoolCall& call);
void average_pool(const AveragePoolCall& call);
void arg_reduce(const ArgReduceCall& call);
void scan(const ScanCall& call);
void sort(const SortCall& call);
void search(const SearchCall& call);
void softmax(const SoftmaxCall& call);
void softmax_gradient(const SoftmaxGradientCall& call);
void cross_entropy(const CrossEntropyCall& call);
void cross_entropy_gradient(const CrossEntropyCall& call);
void normalize(const NormalizationCall& call);
void normalize_gradient(const NormalizationGradientCall& call);
void fft(const FftCall& call);
void linear_algebra(const MatrixCall& call);
void sparse_product(const SparseProductCall& call);

}  // namespace phlox::cpu
