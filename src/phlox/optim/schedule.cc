#include "phlox/optim/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numbers>

#include "phlox/graph/control_flow.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox::optim {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

void check(bool fits, const char* schedule, const char* rule) {
  if (!fits) fail<ValueError>(ErrorCode::invalid_value, "{}: {}", schedule, rule).raise();
}

void set(const Tensor& number, double value) {
  NoGrad guard;
  fill_(number, value);
}

// In f64, which holds every step exactly.
Tensor as_real(const Tensor& epoch) { return epoch.to(DType::float64); }

std::vector<double> rates_of(const Optimizer& optimizer) {
  std::vector<double> rates;
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) rates.push_back(optimizer.lr(group));
  return rates;
}

}  // namespace

std::vector<double> Schedule::learning_rates() const { return rates_of(optimizer_); }
std::vector<double> ReduceLROnPlateau::learning_rates() const { return rates_of(optimizer_); }

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer), epoch_(zeros({}, DType::int64)) {}

void Schedule::step() {
  NoGrad guard;
  epoch_.add_(1);
  apply();
}

void Schedule::apply() {
  optimizer_.note_use();
  NoGrad guard;
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group)
    copy_(optimizer_.lr_tensor(group), value(optimizer_.initial_lr(group), epoch_));
}

StateDict Schedule::state_dict() const {
  StateDict state;
  state.set_integer("last_epoch", last_epoch());
  return state;
}

void Schedule::load_state_dict(const StateDict& state) {
  set(epoch_, static_cast<double>(state.integer("last_epoch")));
  apply();
}

StepLR::StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma)
    : Schedule(optimizer), step_size_(step_size), gamma_(gamma) {
  check(step_size > 0, "StepLR", "step_size must be positive");
  StepLR::apply();
}

Tensor StepLR::value(double base, const Tensor& epoch) const {
  return mul(base, pow(gamma_, floor(div(as_real(epoch), static_cast<double>(step_size_)))));
}

MultiStepLR::MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma)
    : Schedule(optimizer), milestones_(std::move(milestones)), gamma_(gamma) {
  std::sort(milestones_.begin(), milestones_.end());
  MultiStepLR::apply();
}

Tensor MultiStepLR::value(double base, const Tensor& epoch) const {
  Tensor passed = zeros({}, DType::float64);
  for (std::int64_t milestone : milestones_) passed = passed + ge(epoch, milestone);
  return mul(base, pow(gamma_, passed));
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma) : Schedule(optimizer), gamma_(gamma) {
  ExponentialLR::apply();
}

Tensor ExponentialLR::value(double base, const Tensor& epoch) const {
  return mul(base, pow(gamma_, as_real(epoch)));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, std::int64_t steps, double minimum)
    : Schedule(optimizer), steps_(steps), minimum_(minimum) {
  check(steps > 0, "CosineAnnealingLR", "the number of steps must be positive");
  CosineAnnealingLR::apply();
}

Tensor CosineAnnealingLR::value(double base, const Tensor& epoch) const {
  const Tensor angle = as_real(epoch) * (std::numbers::pi / static_cast<double>(steps_));
  return minimum_ + (base - minimum_) * (1 + cos(angle)) / 2;
}

LinearLR::LinearLR(Optimizer& optimizer, LinearOptions options) : Schedule(optimizer), options_(options) {
  check(options.steps > 0, "LinearLR", "the number of steps must be positive");
  check(options.start_factor > 0 && options.end_factor >= 0, "LinearLR", "factors must be positive");
  LinearLR::apply();
}

Tensor LinearLR::value(double base, const Tensor& epoch) const {
  const double steps = static_cast<double>(options_.steps);
  const Tensor part = minimum(as_real(epoch), steps) / steps;
  return base * (options_.start_factor + (options_.end_factor - options_.start_factor) * part);
}

LambdaLR::LambdaLR(Optimizer& optimizer, std::function<double(std::int64_t)> factor)
    : Schedule(optimizer), factor_(std::move(factor)) {
  LambdaLR::apply();
}

Tensor LambdaLR::value(double base, const Tensor& epoch) const {
  if (thread_mode.capture)
    fail<GraphError>(ErrorCode::not_capturable,
                     "LambdaLR steps in a captured function, which would call its function once")
        .hint("scheduler.step() after the call: the captured step reads the rate anew each time")
        .raise();
  const double rate = base * factor_(epoch.item<std::int64_t>());
  return from_values<double>(std::span(&rate, 1), {});
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, OneCycleOptions options)
    : Schedule(optimizer), options_(options) {
  check(options.total_steps > 0, "OneCycleLR", "total_steps must be positive");
  check(options.rising_part >= 0 && options.rising_part <= 1, "OneCycleLR",
        "rising_part must lie between 0 and 1");
  if (options.cycle_momentum)
    for (std::size_t group = 0; group < optimizer.group_count(); ++group)
      optimizer.set_momentum(options.max_momentum, group);
  OneCycleLR::apply();
}

Tensor OneCycleLR::interpolate(double start, double peak, double end, const Tensor& epoch) const {
  const double total = static_cast<double>(options_.total_steps);
  const double top = options_.rising_part * total - 1, last = total - 1;
  const Tensor at = minimum(as_real(epoch), last);
  const auto between = [&](double from, double to, const Tensor& part) {
    if (options_.linear) return from + (to - from) * part;
    return to + (from - to) / 2 * (1 + cos(std::numbers::pi * part));
  };
  const auto part = [](const Tensor& done, double all) { return all > 0 ? done / all : ones_like(done); };
  return where(le(at, top), between(start, peak, part(at, top)),
               between(peak, end, part(at - top, last - top)));
}

Tensor OneCycleLR::value(double, const Tensor& epoch) const {
  const double start = options_.max_lr / options_.start_division;
  return interpolate(start, options_.max_lr, start / options_.final_division, epoch);
}

void OneCycleLR::apply() {
  NoGrad guard;
  Schedule::apply();
  if (!options_.cycle_momentum) return;
  const Tensor momentum =
      interpolate(options_.max_momentum, options_.base_momentum, options_.max_momentum, epoch_);
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group)
    copy_(optimizer_.momentum_tensor(group), momentum);
}

SequentialLR::SequentialLR(Optimizer& optimizer, std::vector<std::shared_ptr<Schedule>> schedules,
                           std::vector<std::int64_t> milestones)
    : Schedule(optimizer), schedules_(std::move(schedules)), milestones_(std::move(milestones)) {
  check(!schedules_.empty() && schedules_.size() == milestones_.size() + 1, "SequentialLR",
        "one milestone is needed between each two schedules");
  check(std::is_sorted(milestones_.begin(), milestones_.end()), "SequentialLR", "milestones must rise");
  SequentialLR::apply();
}

Tensor SequentialLR::value(double base, const Tensor& epoch) const {
  const std::function<Tensor(std::size_t)> from = [&](std::size_t i) -> Tensor {
    const auto rate = [&] { return schedules_[i]->value(base, i == 0 ? epoch : epoch - milestones_[i - 1]); };
    if (i == milestones_.size()) return rate();
    return cond(
        lt(epoch, milestones_[i]), [&] { return TensorList{rate()}; },
        [&] { return TensorList{from(i + 1)}; })[0];
  };
  return from(0);
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, PlateauOptions options)
    : optimizer_(optimizer),
      options_(options),
      best_(full({}, options.maximize ? -infinity : infinity, DType::float64)),
      bad_steps_(zeros({}, DType::int64)),
      cooling_(zeros({}, DType::int64)),
      epoch_(zeros({}, DType::int64)) {
  check(options.factor < 1, "ReduceLROnPlateau", "the factor must be less than 1");
}

void ReduceLROnPlateau::step(double metric) { step(from_values<double>(std::span(&metric, 1), {})); }

void ReduceLROnPlateau::step(const Tensor& metric) {
  optimizer_.note_use();
  NoGrad guard;
  epoch_.add_(1);
  const double sign = options_.maximize ? -1 : 1;
  const Tensor value = metric.detach().to(DType::float64).reshape({});
  const Tensor margin =
      options_.relative ? options_.threshold * abs(best_) : full_like(best_, options_.threshold);
  const Tensor needed = where(isinf(best_), sign * best_, sign * best_ - margin);
  const Tensor is_better = lt(sign * value, needed);
  copy_(best_, where(is_better, value, best_));
  // While it cools down, bad steps are not counted.
  const Tensor is_cooling = gt(cooling_, 0);
  cooling_.sub_(is_cooling);
  copy_(bad_steps_, where(logical_or(is_better, is_cooling), 0, bad_steps_ + 1));

  const Tensor is_due = gt(bad_steps_, options_.patience);
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) {
    const Tensor& rate = optimizer_.lr_tensor(group);
    const Tensor smaller = maximum(rate * options_.factor, options_.min_lr);
    copy_(rate, where(logical_and(is_due, gt(rate - smaller, options_.eps)), smaller, rate));
  }
  copy_(cooling_, where(is_due, options_.cooldown, cooling_));
  copy_(bad_steps_, where(is_due, 0, bad_steps_));
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
  state.set_number("best", best_.item<double>());
  state.set_integer("num_bad_epochs", bad_steps_.item<std::int64_t>());
  state.set_integer("cooldown_counter", cooling_.item<std::int64_t>());
  state.set_integer("last_epoch", epoch_.item<std::int64_t>());
  return state;
}

void ReduceLROnPlateau::load_state_dict(const StateDict& state) {
  set(best_, state.number("best"));
  set(bad_steps_, static_cast<double>(state.integer("num_bad_epochs")));
  set(cooling_, static_cast<double>(state.integer("cooldown_counter")));
  set(epoch_, static_cast<double>(state.integer("last_epoch")));
}

}  // namespace phlox::optim
