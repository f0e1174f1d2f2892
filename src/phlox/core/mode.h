// What a thread is doing besides running operations: whether gradients are recorded, and the stack of interpreters
// (trace, vmap, autocast, ...) that see every primitive before it runs.
#pragma once

#include <cstdint>

#include "phlox/base/macros.h"

namespace phlox {

class Interpreter;

struct ThreadMode {
  std::uint32_t interpreter_count = 0;  // zero on the hot path: tested once a call
  bool gradients_off = false;
  bool inference = false;
  bool anomaly = false;
  bool abstract = false;  // tensors get no memory and kernels do nothing: only shapes and dtypes are computed
  std::uint32_t capture = 0;  // the number of the capture that runs; memory made meanwhile is marked with it
  Interpreter* top = nullptr;
};
extern PHLOX_THREAD_LOCAL ThreadMode thread_mode;

inline bool gradients_enabled() { return !thread_mode.gradients_off; }

// Sets a field of the mode for a scope.
class ModeGuard {
 public:
  ModeGuard() : saved_(thread_mode) {}
  ~ModeGuard() { thread_mode = saved_; }
  ModeGuard(const ModeGuard&) = delete;
  ModeGuard& operator=(const ModeGuard&) = delete;

 private:
  ThreadMode saved_;
};

// No operation in this scope is recorded for gradients.
struct NoGrad : ModeGuard {
  NoGrad() { thread_mode.gradients_off = true; }
};
// Recording is on (again) in this scope.
struct EnableGrad : ModeGuard {
  explicit EnableGrad(bool on = true) { thread_mode.gradients_off = !on; }
};
// Like NoGrad, and the tensors made in this scope can never take part in gradients.
struct InferenceMode : ModeGuard {
  InferenceMode() {
    thread_mode.gradients_off = true;
    thread_mode.inference = true;
  }
};

// In this scope nothing is captured: what is made here was there before, as far as a captured function can tell.
struct OutsideCapture : ModeGuard {
  OutsideCapture() {
    thread_mode.interpreter_count = 0;
    thread_mode.top = nullptr;
    thread_mode.abstract = false;
    thread_mode.capture = 0;
  }
};

// In this scope operations compute shapes, dtypes and gradient records, but no values. Tensors that come out of it have
// no data; asking for them is an error.
struct AbstractScope : ModeGuard {
  AbstractScope() { thread_mode.abstract = true; }
};

}  // namespace phlox
