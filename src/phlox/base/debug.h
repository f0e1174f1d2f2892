// How much Phlox says about what it does: docs/debugging.md lists what each level adds.
//
//   PHLOX_DEBUG=1 python train.py
//
//   phlox::DebugScope scope(2);                // this thread, until the scope ends
//   if (debug_level() >= 1) debug_log("simplify: 61 -> 48 nodes");
#pragma once

#include <string_view>

namespace phlox {

inline constexpr int max_debug_level = 7;

// That of the innermost scope of this thread; outside of all, that of the environment variable PHLOX_DEBUG.
int debug_level();

// Sets the level for this thread. Throws ValueError unless it is from 0 to 7.
class DebugScope {
 public:
  explicit DebugScope(int level);
  ~DebugScope();
  DebugScope(const DebugScope&) = delete;
  DebugScope& operator=(const DebugScope&) = delete;

 private:
  int before_;
};

// Writes a line, or several, to standard error.
void debug_log(std::string_view text);

}  // namespace phlox
