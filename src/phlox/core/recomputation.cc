#include "phlox/core/recomputation.h"

#include <utility>

namespace phlox {

namespace {

thread_local bool recomputing = false;

}  // namespace

bool is_recomputing() { return recomputing; }

Recomputation::Recomputation() : before_(std::exchange(recomputing, true)) {}
Recomputation::~Recomputation() { recomputing = before_; }

}  // namespace phlox
