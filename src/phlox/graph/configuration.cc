#include "phlox/graph/configuration.h"

#include <fmt/format.h>

#include <algorithm>

namespace phlox::graph {
namespace {

PHLOX_THREAD_LOCAL Configuration::Collector* innermost = nullptr;

}  // namespace

void Configuration::change() {
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

std::string Configuration::Used::difference() const {
  const bool same_settings = (state->load(std::memory_order_acquire) | mode_bit) == (captured | mode_bit);
  return same_settings ? fmt::format("{} changed between train() and eval()", what)
                       : fmt::format("the settings, parts or hooks of {} changed", what);
}

Configuration::Collector::Collector() : outer_(innermost) { innermost = this; }
Configuration::Collector::~Collector() { innermost = outer_; }

std::vector<Configuration::Used> Configuration::Collector::used() const {
  std::vector<Used> now = used_;
  for (Used& used : now) used.captured = used.state->load(std::memory_order_acquire);
  return now;
}

}  // namespace phlox::graph
