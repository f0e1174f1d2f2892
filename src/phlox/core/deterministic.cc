#include "phlox/core/deterministic.h"

#include <atomic>

namespace phlox {

namespace {
std::atomic<bool> deterministic = false;
}

bool is_deterministic() { return deterministic.load(std::memory_order_relaxed); }
void set_deterministic(bool on) { deterministic.store(on, std::memory_order_relaxed); }

}  // namespace phlox
