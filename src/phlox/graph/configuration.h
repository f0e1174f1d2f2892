// What captured functions notice of modules and optimisers: each keeps one of these, says of it when something that its
// results depend on changes, and reports when it runs.
//
//   class Scale {
//     void set_factor(double f) { factor_ = f; configuration_.change(); }
//     Tensor operator()(const Tensor& x) { configuration_.note_use("a Scale"); return x * factor_; }
//   };
//
// A function that was captured while it ran is then captured again (graph/jit.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "phlox/core/mode.h"

namespace phlox::graph {

class Configuration {
 public:
  explicit Configuration(bool mode = false)
      : state_(std::make_shared<State>(mode ? mode_bit : 0)), made_in_(thread_mode.capture) {}
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;

  // Settings, parts or hooks are no longer what they were. Throws GraphError while a function is captured, since a run of
  // the graph would not change them, unless the function has made the object.
  void change();
  // The same where it cannot be refused, since a part was destroyed, or need not be, since all is put back in the end.
  void renew() noexcept;
  // One of two modes, such as training; who goes back to the other finds what was captured there.
  void set_mode(bool on) {
    if (thread_mode.capture) [[unlikely]]
      note_mode();
    if (on) state_->fetch_or(mode_bit, std::memory_order_acq_rel);
    else state_->fetch_and(~mode_bit, std::memory_order_acq_rel);
  }

  // For those who put everything back as it was.
  std::uint64_t state() const { return state_->load(std::memory_order_acquire); }
  void restore(std::uint64_t state) { state_->store(state, std::memory_order_release); }

  // The capture under way depends on it. `what` lives as long as the program: "a module".
  void note_use(const char* what) const {
    if (thread_mode.capture) [[unlikely]]
      note(what);
  }

  // What a captured function keeps of one that was used.
  using State = std::atomic<std::uint64_t>;
  struct Used {
    std::shared_ptr<const State> state;
    const char* what;
    std::uint64_t captured;  // the state in the end of the capture
    bool holds() const { return state->load(std::memory_order_acquire) == captured; }
    // "a module changed between train() and eval()"
    std::string difference() const;
  };

  // Collects the uses in this thread, for a scope.
  class Collector {
   public:
    Collector();
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;
    // What was used, as it is now. Throws GraphError where a mode is not what it was in the beginning.
    std::vector<Used> used() const;

   private:
    friend class Configuration;
    std::vector<Used> used_;
    std::vector<Used> modes_;  // that were set, as they were before
    Collector* outer_;
  };

 private:
  static constexpr std::uint64_t mode_bit = 1;
  void note(const char* what) const;
  void note_mode() const;

  std::shared_ptr<State> state_;
  std::uint32_t made_in_;  // the number of the capture, 0 outside of all
};

}  // namespace phlox::graph
