// A tensor kept for the backward pass.
#pragma once

#include <cstdint>

#include "phlox/core/tensor.h"

namespace phlox {

// Remembers the version of the data, so that a later in-place change is an error instead of a wrong gradient.
// Saving a node's own result makes no reference cycle: its record is cut off and joined again by get().
class SavedTensor {
 public:
  SavedTensor() = default;
  // `owner` is the node that saves; needed when `tensor` is a result of that very node.
  SavedTensor(const Tensor& tensor, const GradientNode* owner, bool is_result = false);

  // Throws GradientError: [E0601] when the data has changed since, [E0602] after release().
  Tensor get(GradientNode& owner) const;
  bool saved() const { return tensor_.defined(); }
  bool released() const { return released_; }
  void release();

 private:
  Tensor tensor_;
  std::uint32_t version_ = 0;
  std::uint32_t output_ = 0;
  bool is_result_ = false;
  bool released_ = false;
};

}  // namespace phlox
