#include "phlox/train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "phlox/base/error.h"

namespace phlox {
namespace {

constexpr std::int64_t bar_width = 30;
constexpr auto redraw_interval = std::chrono::milliseconds(100);

std::string duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole % 3600 / 60);
}

std::string with_separators(std::int64_t number) {
  std::string text = fmt::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

}  // namespace

Progress::Progress(std::int64_t total, ProgressOptions options)
    : total_(total),
      options_(std::move(options)),
      start_(Clock::now()),
      last_drawn_(start_ - redraw_interval) {
  if (total < 0)
    fail<ValueError>(ErrorCode::invalid_value, "progress: {} steps are not possible", total).raise();
  terminal_ = options_.terminal.value_or(options_.stream && isatty(fileno(options_.stream)));
}

Progress::~Progress() { close(); }

void Progress::count(std::int64_t amount) {
  counted_ += amount;
  draw(false);
}

void Progress::set(const std::string& name, double value) {
  const auto known =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  if (known == values_.end()) {
    values_.emplace_back(name, value);
  } else {
    known->second = value;
  }
  draw(false);
}

void Progress::advance() {
  ++done_;
  draw(true);
}

void Progress::close() {
  if (std::exchange(closed_, true) || !options_.stream || !terminal_ || drawn_width_ == 0) return;
  fmt::print(options_.stream, "\r{:<{}}\n", line(), drawn_width_);
  std::fflush(options_.stream);
}

std::string Progress::line() const {
  const std::int64_t filled = total_ > 0 ? std::min(done_, total_) * bar_width / total_ : bar_width;
  const double elapsed = seconds();
  std::string text =
      fmt::format("{} {:>{}}/{} [{:#<{}}{:-<{}}] {}", options_.label, done_, fmt::to_string(total_).size(),
                  total_, "", filled, "", bar_width - filled, duration(elapsed));
  if (done_ > 0 && done_ < total_) {
    text += fmt::format(", {} left",
                        duration(elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_)));
  }
  if (counted_ > 0 && elapsed > 0) {
    text += fmt::format(", {} {}/s",
                        with_separators(static_cast<std::int64_t>(static_cast<double>(counted_) / elapsed)),
                        options_.unit);
  }
  for (const auto& [name, value] : values_) text += fmt::format(", {} {:.4g}", name, value);
  return text;
}

void Progress::draw(bool step_done) {
  if (!options_.stream || closed_) return;
  if (!terminal_) {
    if (step_done) fmt::print(options_.stream, "{}\n", line());
    return;
  }
  const auto now = Clock::now();
  if (!step_done && now - last_drawn_ < redraw_interval) return;
  last_drawn_ = now;
  const std::string text = line();
  fmt::print(options_.stream, "\r{:<{}}", text, drawn_width_);
  std::fflush(options_.stream);
  drawn_width_ = text.size();
}

}  // namespace phlox
