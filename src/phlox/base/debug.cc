#include "phlox/base/debug.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "phlox/base/error.h"

namespace phlox {
namespace {

constexpr int not_set = -1;
thread_local int level_of_scope = not_set;

int level_of_environment() {
  static const int level = [] {
    const char* text = std::getenv("PHLOX_DEBUG");
    if (!text || !*text) return 0;
    if (text[0] >= '0' && text[0] <= '0' + max_debug_level && !text[1]) return text[0] - '0';
    debug_log(fmt::format("PHLOX_DEBUG: '{}' is not one of 0 to {}", text, max_debug_level));
    return 0;
  }();
  return level;
}

}  // namespace

int debug_level() { return level_of_scope == not_set ? level_of_environment() : level_of_scope; }

DebugScope::DebugScope(int level) : before_(level_of_scope) {
  if (level < 0 || level > max_debug_level)
    fail<ValueError>(ErrorCode::invalid_value, "debug: level {} is not one of 0 to {}", level,
                     max_debug_level)
        .raise();
  level_of_scope = level;
}
DebugScope::~DebugScope() { level_of_scope = before_; }

void debug_log(std::string_view text) {
  std::string line(text);
  if (!line.ends_with('\n')) line += '\n';
  std::fputs(line.c_str(), stderr);
}

}  // namespace phlox
