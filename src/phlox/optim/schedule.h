// Schedules: how learning rates change from step to step. Each writes the learning rates of its optimiser
// when it is made (step 0) and at every step(), which comes after optimizer.step().
//
//   optim::AdamW optimizer(net.parameters(), {.lr = 1e-3});
//   optim::SequentialLR schedule(optimizer, {std::make_shared<optim::LinearLR>(optimizer,
//   optim::LinearOptions{.start_factor = 0.01, .steps = 100}),
//                                            std::make_shared<optim::CosineAnnealingLR>(optimizer, 900)},
//                                            {100});
//
// The rate at a step is a function of the step and of the optimiser's initial rate alone, so a schedule that
// is restored from its state continues exactly. Steps and rates are tensors, so that a captured training step may call
// schedule.step() too.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "phlox/optim/optimizer.h"

namespace phlox::optim {

// What schedules have in common; a subclass says what the rate is at a step.
class Schedule {
 public:
  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // Goes on by one step and sets the learning rates.
  void step();
  // The steps taken so far.
  std::int64_t last_epoch() const { return epoch_.item<std::int64_t>(); }
  // The present learning rates of the optimiser's groups.
  std::vector<double> learning_rates() const;
  // The rate, f64[], of a group at a step, i64[], for an initial rate `base`.
  virtual Tensor value(double base, const Tensor& epoch) const = 0;
  // "step_size=30, gamma=0.1": what it was made with, by PyTorch's names.
  virtual std::string settings() const { return {}; }

  // The number of steps taken.
  StateDict state_dict() const;
  // Throws StateError for missing entries. Sets the learning rates.
  void load_state_dict(const StateDict& state);

 protected:
  explicit Schedule(Optimizer& optimizer);
  // Sets the learning rates of the present step. Constructors call it last.
  virtual void apply();

  Optimizer& optimizer_;
  Tensor epoch_;  // i64[]
};

// Times gamma every step_size steps.
class StepLR : public Schedule {
 public:
  // {.lr = 0.1} with StepLR(o, 30) is 0.1, from step 30 on 0.01, from step 60 on 0.001.
  StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma = 0.1);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  std::int64_t step_size_;
  double gamma_;
};

// Times gamma at each milestone.
class MultiStepLR : public Schedule {
 public:
  // Milestones are numbers of steps, in any order.
  MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma = 0.1);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  std::vector<std::int64_t> milestones_;
  double gamma_;
};

// Times gamma at each step.
class ExponentialLR : public Schedule {
 public:
  // gamma is a little below 1.
  ExponentialLR(Optimizer& optimizer, double gamma);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  double gamma_;
};

// Half a cosine from the initial rate to `minimum` in `steps`, and back. Source: Loshchilov, Hutter 2016,
// arXiv:1608.03983, without restarts.
class CosineAnnealingLR : public Schedule {
 public:
  // `steps` is half a period.
  CosineAnnealingLR(Optimizer& optimizer, std::int64_t steps, double minimum = 0);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  std::int64_t steps_;
  double minimum_;
};

// Settings of LinearLR.
struct LinearOptions {
  double start_factor = 1.0 / 3;  // of the initial rate, at step 0
  double end_factor = 1;          // from `steps` on
  std::int64_t steps = 5;         // how long the way is
};

// A factor that goes in a straight line: the usual warm-up.
class LinearLR : public Schedule {
 public:
  // By default from a third to the whole rate in 5 steps.
  explicit LinearLR(Optimizer& optimizer, LinearOptions options = {});
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  LinearOptions options_;
};

// A factor of one's own: base * factor(step). Throws GraphError where a captured function steps it, since `factor` is a
// function of the program.
class LambdaLR : public Schedule {
 public:
  // The factor is asked for each step and each group.
  LambdaLR(Optimizer& optimizer, std::function<double(std::int64_t)> factor);
  Tensor value(double base, const Tensor& epoch) const override;

 private:
  std::function<double(std::int64_t)> factor_;
};

// Settings of OneCycleLR.
struct OneCycleOptions {
  double max_lr = 1e-2;          // at the peak
  std::int64_t total_steps = 1;  // of the whole cycle
  double rising_part = 0.3;      // of all steps
  double start_division = 25;    // starts at max_lr / start_division
  double final_division = 1e4;   // ends at the start / final_division
  bool linear = false;           // straight lines in place of half cosines
  bool cycle_momentum = true;    // momentum goes the other way round
  double base_momentum = 0.85;   // at the peak of the rate
  double max_momentum = 0.95;    // at both ends
};

// Up to max_lr and far down again, with momentum the other way round. Source: Smith, Topin 2017,
// arXiv:1708.07120.
class OneCycleLR : public Schedule {
 public:
  // Throws ValueError for a part that is not between 0 and 1.
  OneCycleLR(Optimizer& optimizer, OneCycleOptions options);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  void apply() override;
  Tensor interpolate(double start, double peak, double end, const Tensor& epoch) const;
  OneCycleOptions options_;
};

// Other schedules one after the other: schedule i + 1 begins, with its step 0, at milestones[i].
class SequentialLR : public Schedule {
 public:
  // One milestone fewer than schedules.
  SequentialLR(Optimizer& optimizer, std::vector<std::shared_ptr<Schedule>> schedules,
               std::vector<std::int64_t> milestones);
  Tensor value(double base, const Tensor& epoch) const override;
  std::string settings() const override;

 private:
  std::vector<std::shared_ptr<Schedule>> schedules_;
  std::vector<std::int64_t> milestones_;
};

// Settings of ReduceLROnPlateau.
struct PlateauOptions {
  bool maximize = false;       // a larger metric is better
  double factor = 0.1;         // what rates are multiplied by
  std::int64_t patience = 10;  // steps without improvement that are borne
  double threshold = 1e-4;     // a smaller improvement is none
  bool relative = true;        // the threshold is a part of the best value
  std::int64_t cooldown = 0;   // steps after a change in which nothing is counted
  double min_lr = 0;           // rates do not fall below
  double eps = 1e-8;           // smaller changes are not made
};

// Times `factor` when a metric has stopped improving.
class ReduceLROnPlateau {
 public:
  // The optimiser must outlive it.
  explicit ReduceLROnPlateau(Optimizer& optimizer, PlateauOptions options = {});
  // The metric is a single number.
  void step(const Tensor& metric);
  // Says what the metric is now, usually once an epoch.
  void step(double metric);
  // The present learning rates of the optimiser's groups.
  std::vector<double> learning_rates() const;
  // The best metric and the counters.
  StateDict state_dict() const;
  // Throws StateError for missing entries.
  void load_state_dict(const StateDict& state);
  // "mode=min, factor=0.1, ...", by PyTorch's names.
  std::string settings() const;

 private:
  Optimizer& optimizer_;
  PlateauOptions options_;
  Tensor best_;                         // f64[]
  Tensor bad_steps_, cooling_, epoch_;  // i64[]
};

}  // namespace phlox::optim
