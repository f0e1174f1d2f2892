#include "phlox/base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace phlox {

std::span<const ErrorEntry> error_catalog() {
  static constexpr ErrorEntry entries[] = {
#define PHLOX_ENTRY(name, number, title) {ErrorCode::name, #name, title},
      PHLOX_ERROR_CATALOG(PHLOX_ENTRY)
#undef PHLOX_ENTRY
  };
  return entries;
}

void Error::add_detail(std::string_view label, std::string_view text) {
  // The cure stays last, also when the place is added on the way to the user.
  const bool before_hint = label != "try" && !details_.empty() && details_.back().first == "try";
  details_.emplace(details_.end() - (before_hint ? 1 : 0), label, text);
  compose();
}

void Error::add_hint(std::string_view text) { add_detail("try", text); }

void Error::compose() {
  size_t width = 0;
  for (const auto& [label, text] : details_) width = std::max(width, label.size());
  text_ = fmt::format("[E{:04}] {}", static_cast<unsigned>(code_), summary_);
  for (const auto& [label, text] : details_) text_ += fmt::format("\n  {:<{}}  {}", label, width, text);
}

}  // namespace phlox
