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

void Error::add_detail(std::string_view label, std::string_view text, const void* subject) {
  // The cure stays last, also when the place is added on the way to the user.
  const bool before_hint = label != "try" && !details_.empty() && details_.back().label == "try";
  details_.insert(details_.end() - (before_hint ? 1 : 0),
                  {std::string(label), {}, std::string(text), {}, subject});
  compose();
}

void Error::add_hint(std::string_view text) { add_detail("try", text); }

namespace {

bool change(std::vector<Error::Detail>& details, const void* subject, std::string Error::Detail::* field,
            std::string_view text, bool all) {
  bool changed = false;
  for (Error::Detail& detail : details) {
    if (!subject || detail.subject != subject) continue;
    detail.*field = text;
    changed = true;
    if (!all) break;
  }
  return changed;
}

}  // namespace

void Error::set_name(const void* subject, std::string_view name) {
  if (change(details_, subject, &Detail::name, name, true)) compose();
}

void Error::set_note(const void* subject, std::string_view note) {
  if (change(details_, subject, &Detail::note, note, false)) compose();
}

void Error::set_operation(std::string_view name) {
  const std::size_t end = summary_.find(": ");
  const std::size_t space = summary_.find(' ');
  if (end == summary_.npos || space < end) summary_ = fmt::format("{}: {}", name, summary_);
  else summary_.replace(0, end, name);
  compose();
}

std::string Error::with_names(std::string_view hint) const {
  std::string text(hint);
  for (const Detail& detail : details_) {
    const std::string_view name = detail.name.empty() ? detail.label : detail.name;
    const bool simple = name.find(' ') == name.npos;
    const std::string mark = "<" + detail.label + ">",
                      place = simple ? std::string(name) : fmt::format("({})", name);
    for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += place.size())
      text.replace(at, mark.size(), place);
  }
  return text;
}

void Error::compose() {
  std::size_t labels = 0, names = 0, texts = 0;
  for (const Detail& detail : details_) {
    labels = std::max(labels, detail.label.size());
    names = std::max(names, detail.name.size());
    if (detail.subject) texts = std::max(texts, detail.text.size());
  }
  text_ = fmt::format("[E{:04}] {}", static_cast<unsigned>(code_), summary_);
  for (const Detail& detail : details_) {
    text_ += fmt::format("\n  {:<{}}  ", detail.label, labels);
    if (names > 0 && detail.subject) text_ += fmt::format("{:<{}}  ", detail.name, names);
    if (!detail.note.empty()) text_ += fmt::format("{:<{}}   {}", detail.text, texts, detail.note);
    else text_ += detail.label == "try" ? with_names(detail.text) : detail.text;
  }
}

}  // namespace phlox
