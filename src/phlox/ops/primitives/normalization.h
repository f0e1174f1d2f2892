// The fast form of normalisation by mean and variance that devices offer beside the definition in normalization.cc.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// How an input lies in memory: elements (outer, kept, inner), consecutive, with a statistic for each `kept`. The
// channel of an element, whose weight and bias it takes, is (kept * inner_size + inner) / run % channels.
struct NormalizationLayout {
  std::int64_t outer;
  std::int64_t kept;
  std::int64_t inner;
  std::int64_t run;  // consecutive elements of one channel; divides `inner`
  std::int64_t channels;
  template <class Visitor>
  void visit(Visitor& v) {
    v("outer", outer), v("kept", kept), v("inner", inner), v("run", run), v("channels", channels);
  }
};

// float32 or float64 throughout. Weight and bias are consecutive, or null for 1 and 0; statistics hold `kept` elements.
struct NormalizationCall {
  NormalizationLayout layout;
  double eps;
  const TensorImpl* input;
  const TensorImpl* weight;
  const TensorImpl* bias;
  TensorImpl* output;
  TensorImpl* mean;
  TensorImpl* variance;
  TensorImpl* inverse;  // 1 / sqrt(variance + eps)
};

// Of the gradients, those that are null are not wanted; those of weight and bias hold `channels` elements.
struct NormalizationGradientCall {
  NormalizationLayout layout;
  const TensorImpl* input;
  const TensorImpl* gradient;
  const TensorImpl* mean;
  const TensorImpl* inverse;
  const TensorImpl* weight;
  TensorImpl* input_gradient;
  TensorImpl* weight_gradient;
  TensorImpl* bias_gradient;
};

}  // namespace phlox
