// Finding the operation whose gradient goes wrong.
#pragma once

#include "phlox/core/mode.h"

namespace phlox::autograd {

// In this scope each recorded operation remembers where it was called, and backward() throws GradientError (E0609)
// for the first gradient that is NaN or infinite, naming that place. It slows everything down: for debugging only.
struct DetectAnomaly : ModeGuard {
  explicit DetectAnomaly(bool on = true) { thread_mode.anomaly = on; }
};

}  // namespace phlox::autograd
