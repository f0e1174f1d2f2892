// A progress bar in text.
//
//   auto bar = progress(10, {.unit = "images"});
//   for (int epoch : bar) {
//     ...
//     bar.count(x.size(0));             // images/s
//     bar.set("loss", loss);
//   }
//
//   epoch  4/10 [############------------------]  3.1 s, 14 s left, 12,345 images/s, loss 0.123
//
// On a terminal the line is drawn anew, at most ten times a second; into a file or pipe goes one line a step.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phlox {

// Settings of progress().
struct ProgressOptions {
  std::string label = "epoch";        // what a step is called
  std::string unit = "";              // of what count() counts
  std::FILE* stream = stderr;         // null: nothing is shown
  std::optional<bool> terminal = {};  // whether lines can be drawn anew; found out unless given
};

// A bar that a loop moves; progress() makes one.
class Progress {
 public:
  // A bar of `total` steps.
  explicit Progress(std::int64_t total, ProgressOptions options = {});
  // Closes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Says that so many things of the unit have been done.
  void count(std::int64_t amount);
  // Shows a value until it is set again.
  void set(const std::string& name, double value);
  // One step more. The loop does it by itself.
  void advance();
  // Draws the last state and ends the line. The destructor does it too.
  void close();
  // The line as it stands.
  std::string line() const;
  // The number of steps.
  std::int64_t total() const { return total_; }
  // The steps that are done.
  std::int64_t done() const { return done_; }
  // Whether all are.
  bool finished() const { return done_ >= total_; }

  // The step that is going on.
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    int operator*() const { return static_cast<int>(progress_->done_); }
    Iterator& operator++() {
      progress_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.progress_->finished(); }

   private:
    friend class Progress;
    explicit Iterator(Progress* progress) : progress_(progress) {}
    Progress* progress_;
  };
  // Shows the bar and begins.
  Iterator begin() {
    draw(false);
    return Iterator(this);
  }
  // What a loop compares with.
  std::default_sentinel_t end() const { return {}; }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void draw(bool step_done);

  std::int64_t total_, done_ = 0, counted_ = 0;
  ProgressOptions options_;
  bool terminal_;
  bool closed_ = false;
  std::size_t drawn_width_ = 0;
  Clock::time_point start_, last_drawn_;
  std::vector<std::pair<std::string, double>> values_;
};

// for (int epoch : progress(10)) ...
inline Progress progress(std::int64_t total, ProgressOptions options = {}) {
  return Progress(total, std::move(options));
}

}  // namespace phlox
