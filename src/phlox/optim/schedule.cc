#include "phlox/optim/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace phlox::optim {
namespace {

void check(bool fits, const char* schedule, const char* rule) {
  if (!fits) fail<ValueError>(ErrorCode::invalid_value, "{}: {}", schedule, rule).raise();
}

std::vector<double> rates_of(const Optimizer& optimizer) {
  std::vector<double> rates;
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) rates.push_back(optimizer.lr(group));
  return rates;
}

}  // namespace

std::vector<double> Schedule::learning_rates() const { return rates_of(optimizer_); }
std::vector<double> ReduceLROnPlateau::learning_rates() const { return rates_of(optimizer_); }

void Schedule::step() {
  if (thread_mode.capture)
    fail<GraphError>(ErrorCode::not_capturable,
                     "a schedule steps in a captured function, which would happen once")
        .hint("scheduler.step() after the call: the captured step reads the rate anew each time")
        .raise();
  ++last_epoch_;
  apply();
}

void Schedule::apply() {
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) {
    optimizer_.set_lr(value(optimizer_.initial_lr(group), last_epoch_), group);
  }
}

StateDict Schedule::state_dict() const {
  StateDict state;
  state.set_integer("last_epoch", last_epoch_);
  return state;
}

void Schedule::load_state_dict(const StateDict& state) {
  last_epoch_ = state.integer("last_epoch");
  apply();
}

StepLR::StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma)
    : Schedule(optimizer), step_size_(step_size), gamma_(gamma) {
  check(step_size > 0, "StepLR", "step_size must be positive");
  StepLR::apply();
}

double StepLR::value(double base, std::int64_t epoch) const {
  return base * std::pow(gamma_, static_cast<double>(epoch / step_size_));
}

MultiStepLR::MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma)
    : Schedule(optimizer), milestones_(std::move(milestones)), gamma_(gamma) {
  std::sort(milestones_.begin(), milestones_.end());
  MultiStepLR::apply();
}

double MultiStepLR::value(double base, std::int64_t epoch) const {
  const auto passed = std::upper_bound(milestones_.begin(), milestones_.end(), epoch) - milestones_.begin();
  return base * std::pow(gamma_, static_cast<double>(passed));
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma) : Schedule(optimizer), gamma_(gamma) {
  ExponentialLR::apply();
}

double ExponentialLR::value(double base, std::int64_t epoch) const {
  return base * std::pow(gamma_, static_cast<double>(epoch));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, std::int64_t steps, double minimum)
    : Schedule(optimizer), steps_(steps), minimum_(minimum) {
  check(steps > 0, "CosineAnnealingLR", "the number of steps must be positive");
  CosineAnnealingLR::apply();
}

double CosineAnnealingLR::value(double base, std::int64_t epoch) const {
  const double angle = std::numbers::pi * static_cast<double>(epoch) / static_cast<double>(steps_);
  return minimum_ + (base - minimum_) * (1 + std::cos(angle)) / 2;
}

LinearLR::LinearLR(Optimizer& optimizer, LinearOptions options) : Schedule(optimizer), options_(options) {
  check(options.steps > 0, "LinearLR", "the number of steps must be positive");
  check(options.start_factor > 0 && options.end_factor >= 0, "LinearLR", "factors must be positive");
  LinearLR::apply();
}

double LinearLR::value(double base, std::int64_t epoch) const {
  const double part =
      static_cast<double>(std::min(epoch, options_.steps)) / static_cast<double>(options_.steps);
  return base * (options_.start_factor + (options_.end_factor - options_.start_factor) * part);
}

LambdaLR::LambdaLR(Optimizer& optimizer, std::function<double(std::int64_t)> factor)
    : Schedule(optimizer), factor_(std::move(factor)) {
  LambdaLR::apply();
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, OneCycleOptions options)
    : Schedule(optimizer), options_(options) {
  check(options.total_steps > 0, "OneCycleLR", "total_steps must be positive");
  check(options.rising_part >= 0 && options.rising_part <= 1, "OneCycleLR",
        "rising_part must lie between 0 and 1");
  OneCycleLR::apply();
}

double OneCycleLR::interpolate(double start, double peak, double end, std::int64_t epoch) const {
  const double total = static_cast<double>(options_.total_steps);
  const double top = options_.rising_part * total - 1, last = total - 1;
  const double at = std::min(static_cast<double>(epoch), last);
  const auto between = [&](double from, double to, double part) {
    if (options_.linear) return from + (to - from) * part;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * part));
  };
  if (at <= top) return between(start, peak, top > 0 ? at / top : 1);
  return between(peak, end, last > top ? (at - top) / (last - top) : 1);
}

double OneCycleLR::value(double, std::int64_t epoch) const {
  const double start = options_.max_lr / options_.start_division;
  return interpolate(start, options_.max_lr, start / options_.final_division, epoch);
}

void OneCycleLR::apply() {
  Schedule::apply();
  if (!options_.cycle_momentum) return;
  const double momentum =
      interpolate(options_.max_momentum, options_.base_momentum, options_.max_momentum, last_epoch_);
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group)
    optimizer_.set_momentum(momentum, group);
}

SequentialLR::SequentialLR(Optimizer& optimizer, std::vector<std::shared_ptr<Schedule>> schedules,
                           std::vector<std::int64_t> milestones)
    : Schedule(optimizer), schedules_(std::move(schedules)), milestones_(std::move(milestones)) {
  check(!schedules_.empty() && schedules_.size() == milestones_.size() + 1, "SequentialLR",
        "one milestone is needed between each two schedules");
  check(std::is_sorted(milestones_.begin(), milestones_.end()), "SequentialLR", "milestones must rise");
  SequentialLR::apply();
}

double SequentialLR::value(double base, std::int64_t epoch) const {
  const auto index = static_cast<std::size_t>(
      std::upper_bound(milestones_.begin(), milestones_.end(), epoch) - milestones_.begin());
  return schedules_[index]->value(base, index == 0 ? epoch : epoch - milestones_[index - 1]);
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, PlateauOptions options)
    : optimizer_(optimizer),
      options_(options),
      best_(options.maximize ? -std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::infinity()) {
  check(options.factor < 1, "ReduceLROnPlateau", "the factor must be less than 1");
}

void ReduceLROnPlateau::step(double metric) {
  ++last_epoch_;
  const double sign = options_.maximize ? -1 : 1;
  const double margin = options_.relative ? options_.threshold * std::abs(best_) : options_.threshold;
  const bool first = std::isinf(best_);
  if (first ? sign * metric < sign * best_ : sign * metric < sign * best_ - margin) {
    best_ = metric;
    bad_steps_ = 0;
  } else {
    ++bad_steps_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_steps_ = 0;
  }
  if (bad_steps_ <= options_.patience) return;
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) {
    const double old = optimizer_.lr(group), smaller = std::max(old * options_.factor, options_.min_lr);
    if (old - smaller > options_.eps) optimizer_.set_lr(smaller, group);
  }
  cooling_ = options_.cooldown;
  bad_steps_ = 0;
}

std::string StepLR::settings() const { return fmt::format("step_size={}, gamma={}", step_size_, gamma_); }

std::string MultiStepLR::settings() const {
  return fmt::format("milestones=[{}], gamma={}", fmt::join(milestones_, ", "), gamma_);
}

std::string ExponentialLR::settings() const { return fmt::format("gamma={}", gamma_); }

std::string CosineAnnealingLR::settings() const {
  return fmt::format("T_max={}, eta_min={}", steps_, minimum_);
}

std::string LinearLR::settings() const {
  return fmt::format("start_factor={}, end_factor={}, total_iters={}", options_.start_factor,
                     options_.end_factor, options_.steps);
}

std::string OneCycleLR::settings() const {
  return fmt::format("max_lr={}, total_steps={}", options_.max_lr, options_.total_steps);
}

std::string SequentialLR::settings() const {
  return fmt::format("{} schedules, milestones=[{}]", schedules_.size(), fmt::join(milestones_, ", "));
}

std::string ReduceLROnPlateau::settings() const {
  return fmt::format("mode=\"{}\", factor={}, patience={}", options_.maximize ? "max" : "min",
                     options_.factor, options_.patience);
}

StateDict ReduceLROnPlateau::state_dict() const {
  StateDict state;
  state.set_number("best", best_);
  state.set_integer("num_bad_epochs", bad_steps_);
  state.set_integer("cooldown_counter", cooling_);
  state.set_integer("last_epoch", last_epoch_);
  return state;
}

void ReduceLROnPlateau::load_state_dict(const StateDict& state) {
  best_ = state.number("best");
  bad_steps_ = state.integer("num_bad_epochs");
  cooling_ = state.integer("cooldown_counter");
  last_epoch_ = state.integer("last_epoch");
}

}  // namespace phlox::optim
