#include "phlox/device/cpu/library_choice.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace phlox::cpu {

namespace {

std::atomic<bool>& setting() {
  static std::atomic<bool> on = [] {
#if defined(PHLOX_STD_THREADS)
    return true;  // the libraries bring OpenMP threads of their own
#else
    const char* text = std::getenv("PHLOX_PORTABLE_KERNELS");
    return text && *text && std::string_view(text) != "0";
#endif
  }();
  return on;
}

}  // namespace

bool portable_kernels() { return setting().load(std::memory_order_relaxed); }
void set_portable_kernels(bool on) { setting().store(on, std::memory_order_relaxed); }

}  // namespace phlox::cpu
