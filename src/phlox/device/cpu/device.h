// The verbs of the CPU, gathered in device.cc.
#pragma once

#include "phlox/ops/device_kernels.h"

namespace phlox::cpu {

void pointwise(const PointwiseCall& call);
void convert(const TensorImpl& source, TensorImpl& target);
void fill(TensorImpl& target, const Scalar& value);
void reduce(const ReduceCall& call);

}  // namespace phlox::cpu
