// Puts other SavedTensorHooks in force for a scope. Null for what saves tensors that nothing outside of it can make
// again: the samples of a vmap, a branch that is being captured.
#pragma once

#include "phlox/core/saved_tensor.h"

namespace phlox::autograd {

class HooksScope {
 public:
  explicit HooksScope(SavedTensorHooks* hooks) : before_(SavedTensorHooks::set_current(hooks)) {}
  ~HooksScope() { SavedTensorHooks::set_current(before_); }
  HooksScope(const HooksScope&) = delete;
  HooksScope& operator=(const HooksScope&) = delete;

 private:
  SavedTensorHooks* before_;
};

}  // namespace phlox::autograd
