// Where the elements of a view lie, and which views there are of a tensor.
#pragma once

#include "phlox/ops/primitives/rules.h"
#include "phlox/ops/view.h"

namespace phlox {

struct ViewLayout {
  Shape sizes;
  Strides strides;
  std::int64_t offset;
};

// False where strides cannot say it: a reshape that must copy, pairs that do not lie side by side.
bool layout_of(const TensorImpl& from, const ViewAttributes& view, ViewLayout& to);

// The dtype of a view of this dtype, and that of what a view of this dtype is a view of.
DType viewed_dtype(const ViewAttributes& view, DType dtype);
DType origin_dtype(const ViewAttributes& view, DType dtype);

// Throws GraphError (E1003) unless the view stays within a row-major tensor like this.
void check_view_of(const PrimitiveCall& call, const Tensor& input, const ViewAttributes& view);

}  // namespace phlox
