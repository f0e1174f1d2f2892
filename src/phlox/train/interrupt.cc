#include "phlox/train/interrupt.h"

#include <signal.h>

#include <atomic>

namespace phlox::train {
namespace {

std::atomic<bool> was_requested{false};
std::atomic<int> holders{0};
struct sigaction previous;
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler may only use lock-free atomics");

void on_interrupt(int) {
  if (!was_requested.exchange(true)) return;
  ::sigaction(SIGINT, &previous, nullptr);  // the second time
  ::raise(SIGINT);
}

}  // namespace

Interrupt::Interrupt() {
  if (holders.fetch_add(1) > 0) return;
  was_requested = false;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &previous);
}

Interrupt::~Interrupt() {
  if (holders.fetch_sub(1) == 1) ::sigaction(SIGINT, &previous, nullptr);
}

bool Interrupt::requested() const { return was_requested; }

}  // namespace phlox::train
