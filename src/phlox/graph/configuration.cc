#include "phlox/graph/configuration.h"

#include <fmt/format.h>

#include <algorithm>

#include "phlox/base/error.h"

namespace phlox::graph {
namespace {

PHLOX_THREAD_LOCAL Configuration::Collector* innermost = nullptr;

}  // namespace

void Configuration::change() {
  if (innermost && made_in_ != thread_mode.capture) [[unlikely]]
    fail<GraphError>(ErrorCode::not_capturable,
                     "the settings, parts or hooks of a module or an optimiser change in a captured function")
        .hint("change them before or after the call; it is captured again then")
        .raise();
  renew();
}

void Configuration::renew() noexcept {
  static std::atomic<std::uint64_t> versions{0};
  const std::uint64_t version = (versions.fetch_add(1, std::memory_order_relaxed) + 1) << 1;
  for (std::uint64_t before = state();
       !state_->compare_exchange_weak(before, version | (before & mode_bit));) {
  }
}

void Configuration::note(const char* what) const {
  if (!innermost) return;
  std::vector<Used>& used = innermost->used_;
  const auto is_same = [&](const Used& known) { return known.state == state_; };
  if (std::none_of(used.rbegin(), used.rend(), is_same)) used.push_back({state_, what, 0});
}

void Configuration::note_mode() const {
  if (!innermost || made_in_ == thread_mode.capture) return;
  std::vector<Used>& modes = innermost->modes_;
  const auto is_same = [&](const Used& known) { return known.state == state_; };
  if (std::none_of(modes.begin(), modes.end(), is_same)) modes.push_back({state_, "", state()});
}

std::string Configuration::Used::difference() const {
  const bool same_settings = (state->load(std::memory_order_acquire) | mode_bit) == (captured | mode_bit);
  return same_settings ? fmt::format("{} changed between train() and eval()", what)
                       : fmt::format("the settings, parts or hooks of {} changed", what);
}

Configuration::Collector::Collector() : outer_(innermost) { innermost = this; }
Configuration::Collector::~Collector() { innermost = outer_; }

std::vector<Configuration::Used> Configuration::Collector::used() const {
  for (const Used& mode : modes_)
    if (!mode.holds())
      fail<GraphError>(ErrorCode::not_capturable,
                       "a captured function leaves a module in another mode than it found it in")
          .hint("call train() and eval() before or after the call; it is captured again then")
          .raise();
  std::vector<Used> now = used_;
  for (Used& used : now) used.captured = used.state->load(std::memory_order_acquire);
  return now;
}

}  // namespace phlox::graph
