#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "error_matching.h"
#include "phlox/ops/functions.h"
#include "phlox/optim/optim.h"

namespace phlox {
namespace {

using optim::Optimizer;

constexpr int steps = 12;

Tensor parameter(DType dtype = DType::float64) {
  const double start[] = {1.0, -2.0, 0.5, 0.0, 3.0};
  Tensor p = from_values<double>(start, {5}).to(dtype, true);
  p.set_requires_grad();
  return p;
}

// A gradient that depends on the parameter and the step, so that errors add up.
double gradient_at(double p, int step) { return std::sin(3 * p + step) + 0.2 * p; }

// Runs the optimiser and returns the parameter; `reference(p, g, t)` must do the same to one number, t from 1
// on.
void expect_follows(Optimizer& optimizer, const Tensor& p,
                    const std::vector<std::function<double(double, double, int)>>& reference,
                    double tolerance = 1e-13) {
  std::vector<double> expected = p.to_vector<double>();
  for (int t = 1; t <= steps; ++t) {
    std::vector<double> gradients;
    for (double value : p.to_vector<double>()) gradients.push_back(gradient_at(value, t));
    p.set_grad(from_values<double>(gradients, p.shape()).to(p.dtype()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = reference[i](expected[i], gradient_at(expected[i], t), t);
    }
    optimizer.step();
    const auto now = p.to_vector<double>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(now[i], expected[i], tolerance * (1 + std::abs(expected[i])))
          << "element " << i << ", step " << t;
    }
  }
}

// One copy of the reference, with its own state, for each element.
template <class F>
std::vector<std::function<double(double, double, int)>> five(const F& f) {
  return {f, f, f, f, f};
}

TEST(OptimizerTest, SGD) {
  for (double weight_decay : {0.0, 0.1}) {
    Tensor p = parameter();
    optim::SGD optimizer({p}, {.lr = 0.05, .weight_decay = weight_decay});
    expect_follows(optimizer, p,
                   five([=](double x, double g, int) { return x - 0.05 * (g + weight_decay * x); }));
  }
}

TEST(OptimizerTest, SGDWithMomentum) {
  for (bool nesterov : {false, true}) {
    for (double dampening : {0.0, 0.3}) {
      if (nesterov && dampening > 0) continue;
      Tensor p = parameter();
      optim::SGD optimizer(
          {p},
          {.lr = 0.05, .momentum = 0.9, .dampening = dampening, .weight_decay = 0.01, .nesterov = nesterov});
      expect_follows(optimizer, p, five([=, buffer = 0.0](double x, double g, int t) mutable {
                       g += 0.01 * x;
                       buffer = t == 1 ? g : 0.9 * buffer + (1 - dampening) * g;
                       return x - 0.05 * (nesterov ? g + 0.9 * buffer : buffer);
                     }));
    }
  }
}

TEST(OptimizerTest, MaximizeClimbs) {
  Tensor p = parameter();
  optim::SGD optimizer({p}, {.lr = 0.05, .maximize = true});
  expect_follows(optimizer, p, five([](double x, double g, int) { return x + 0.05 * g; }));
}

double adam_step(double x, double g, int t, double& m, double& v, double& largest, bool amsgrad) {
  m = 0.9 * m + 0.1 * g;
  v = 0.99 * v + 0.01 * g * g;
  largest = std::max(largest, v);
  const double second = amsgrad ? largest : v;
  return x -
         0.02 / (1 - std::pow(0.9, t)) * m / (std::sqrt(second) / std::sqrt(1 - std::pow(0.99, t)) + 1e-8);
}

TEST(OptimizerTest, Adam) {
  for (bool amsgrad : {false, true}) {
    Tensor p = parameter();
    optim::Adam optimizer({p}, {.lr = 0.02, .betas = {0.9, 0.99}, .weight_decay = 0.1, .amsgrad = amsgrad});
    expect_follows(optimizer, p,
                   five([=, m = 0.0, v = 0.0, largest = 0.0](double x, double g, int t) mutable {
                     return adam_step(x, g + 0.1 * x, t, m, v, largest, amsgrad);
                   }),
                   1e-12);
  }
}

TEST(OptimizerTest, AdamW) {
  Tensor p = parameter();
  optim::AdamW optimizer({p}, {.lr = 0.02, .betas = {0.9, 0.99}, .weight_decay = 0.1});
  expect_follows(optimizer, p, five([=, m = 0.0, v = 0.0, largest = 0.0](double x, double g, int t) mutable {
                   return adam_step(x, g, t, m, v, largest, false) - 0.02 * 0.1 * x;
                 }),
                 1e-12);
}

TEST(OptimizerTest, RMSprop) {
  for (bool centered : {false, true}) {
    for (double momentum : {0.0, 0.8}) {
      Tensor p = parameter();
      optim::RMSprop optimizer({p}, {.lr = 0.01,
                                     .alpha = 0.9,
                                     .eps = 1e-3,
                                     .weight_decay = 0.1,
                                     .momentum = momentum,
                                     .centered = centered});
      expect_follows(optimizer, p,
                     five([=, v = 0.0, mean = 0.0, buffer = 0.0](double x, double g, int) mutable {
                       g += 0.1 * x;
                       v = 0.9 * v + 0.1 * g * g;
                       mean = 0.9 * mean + 0.1 * g;
                       const double direction = g / (std::sqrt(v - (centered ? mean * mean : 0)) + 1e-3);
                       buffer = momentum * buffer + direction;
                       return x - 0.01 * buffer;
                     }),
                     1e-11);
    }
  }
}

TEST(OptimizerTest, Adagrad) {
  Tensor p = parameter();
  optim::Adagrad optimizer(
      {p}, {.lr = 0.1, .lr_decay = 0.05, .weight_decay = 0.1, .initial_accumulator_value = 0.2});
  expect_follows(optimizer, p, five([sum = 0.2](double x, double g, int t) mutable {
                   g += 0.1 * x;
                   sum += g * g;
                   return x - 0.1 / (1 + (t - 1) * 0.05) * g / (std::sqrt(sum) + 1e-10);
                 }));
}

TEST(OptimizerTest, HalfWidthParametersKeepTheirDType) {
  for (DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    Tensor p = parameter(dtype);
    optim::AdamW optimizer({p}, {.lr = 0.02, .betas = {0.9, 0.99}, .weight_decay = 0.1});
    const double tolerance = dtype == DType::float32 ? 1e-5 : 0.2;
    expect_follows(optimizer, p,
                   five([=, m = 0.0, v = 0.0, largest = 0.0](double x, double g, int t) mutable {
                     return adam_step(x, g, t, m, v, largest, false) - 0.02 * 0.1 * x;
                   }),
                   tolerance);
    EXPECT_EQ(p.dtype(), dtype);
    EXPECT_EQ(optimizer.state_dict().at("state.0.exp_avg").dtype(), dtype);
  }
}

TEST(OptimizerTest, ParametersWithoutGradientStay) {
  Tensor a = parameter(), b = parameter();
  optim::Adam optimizer({a, b}, {.lr = 0.1});
  a.set_grad(ones_like(a));
  const auto before = b.to_vector<double>();
  optimizer.step();
  EXPECT_EQ(b.to_vector<double>(), before);
  EXPECT_NE(a.to_vector<double>(), before);
  EXPECT_FALSE(optimizer.state_dict().contains("state.1.exp_avg"));
  optimizer.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

TEST(OptimizerTest, GroupsHaveSettingsOfTheirOwn) {
  Tensor a = parameter(), b = parameter();
  optim::SGD optimizer({{{a}, {.lr = 0.1}}, {{b}, {.lr = 0.2, .momentum = 0.5}}});
  a.set_grad(ones_like(a));
  b.set_grad(ones_like(b));
  optimizer.step();
  EXPECT_NEAR(a.to_vector<double>()[0], 0.9, 1e-15);
  EXPECT_NEAR(b.to_vector<double>()[0], 0.8, 1e-15);
  optimizer.set_lr(0.3, 0);
  EXPECT_EQ(optimizer.lr(0), 0.3);
  EXPECT_EQ(optimizer.lr(1), 0.2);
}

TEST(OptimizerTest, StateHasPyTorchsStructureAndContinuesExactly) {
  const auto run = [](const Tensor& p, Optimizer& optimizer, int from, int to) {
    for (int t = from; t < to; ++t) {
      p.set_grad(from_values<double>(std::array{std::sin(1.0 * t), 0.1, 0.2, -0.3, 0.5}, {5}));
      optimizer.step();
    }
  };
  const optim::AdamWOptions options{.lr = 0.01, .betas = {0.8, 0.9}, .amsgrad = true};
  Tensor straight = parameter(), first = parameter();
  optim::AdamW all({straight}, options), before({first}, options);
  run(straight, all, 0, 8);
  run(first, before, 0, 4);
  before.set_lr(0.01);

  const StateDict state = before.state_dict();
  std::string names;
  for (const auto& [name, tensor] : state) names += name + ' ';
  EXPECT_EQ(names,
            "state.0.step state.0.exp_avg state.0.exp_avg_sq state.0.max_exp_avg_sq param_groups.0.betas "
            "param_groups.0.eps param_groups.0.weight_decay param_groups.0.amsgrad param_groups.0.maximize "
            "param_groups.0.lr param_groups.0.initial_lr param_groups.0.params ");
  EXPECT_EQ(state.number("state.0.step"), 4);

  Tensor second = first.detach().to(DType::float64, true);
  second.set_requires_grad();
  optim::AdamW after({second}, {.lr = 1});
  after.load_state_dict(state);
  EXPECT_EQ(after.lr(), 0.01);
  EXPECT_EQ(after.options().betas, std::pair(0.8, 0.9));
  run(second, after, 4, 8);
  EXPECT_EQ(second.to_vector<double>(), straight.to_vector<double>());
  // The loaded state is a copy.
  EXPECT_EQ(before.state_dict().number("state.0.step"), 4);
}

TEST(OptimizerTest, RefusesBadStatesAndSettings) {
  Tensor a = parameter(), b = parameter();
  optim::Adam one({a}), two({a, b});
  a.set_grad(ones_like(a));
  one.step();
  EXPECT_ERROR(two.load_state_dict(one.state_dict()), StateError, "[E0701]");
  EXPECT_ERROR(one.load_state_dict({}), StateError, "0 groups");
  StateDict state = one.state_dict();
  state.set("state.0.exp_avg", zeros({2}));
  EXPECT_ERROR(one.load_state_dict(state), StateError, "[E0702]");
  EXPECT_ERROR(optim::SGD(std::vector<Tensor>{}), ValueError, "no parameters");
  EXPECT_ERROR(optim::SGD(std::vector<Tensor>{a, a}), ValueError, "twice");
  EXPECT_ERROR(optim::SGD({a}, {.lr = -1}), ValueError, "negative");
  EXPECT_ERROR(optim::SGD({a}, {.nesterov = true}), ValueError, "nesterov");
  EXPECT_ERROR(optim::Adam({a}, {.betas = {1.0, 0.9}}), ValueError, "betas");
  EXPECT_ERROR(optim::SGD(std::vector<Tensor>{mul(a, 2)}), ValueError, "result of operations");
}

std::vector<double> rates(Optimizer& optimizer, optim::Schedule& schedule, int count) {
  std::vector<double> found;
  for (int i = 0; i < count; ++i) {
    found.push_back(optimizer.lr());
    schedule.step();
  }
  return found;
}

class ScheduleTest : public ::testing::Test {
 protected:
  void expect_rates(optim::Schedule& schedule, const std::vector<double>& expected) {
    const auto found = rates(optimizer, schedule, static_cast<int>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-12) << "step " << i;
  }
  Tensor p = parameter();
  optim::SGD optimizer{std::vector<Tensor>{p}, {.lr = 1, .momentum = 0.9}};
};

TEST_F(ScheduleTest, StepsAndMilestones) {
  optim::StepLR schedule(optimizer, 2, 0.5);
  expect_rates(schedule, {1, 1, 0.5, 0.5, 0.25});
}
TEST_F(ScheduleTest, Milestones) {
  optim::MultiStepLR schedule(optimizer, {3, 1}, 0.1);
  expect_rates(schedule, {1, 0.1, 0.1, 0.01, 0.01});
}
TEST_F(ScheduleTest, Exponential) {
  optim::ExponentialLR schedule(optimizer, 0.9);
  expect_rates(schedule, {1, 0.9, 0.81, 0.729});
}
TEST_F(ScheduleTest, Cosine) {
  optim::CosineAnnealingLR schedule(optimizer, 4, 0.2);
  const double half = std::sqrt(0.5);
  expect_rates(schedule, {1, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half, 0.2});
}
TEST_F(ScheduleTest, Linear) {
  optim::LinearLR schedule(optimizer, {.start_factor = 0.5, .end_factor = 1, .steps = 4});
  expect_rates(schedule, {0.5, 0.625, 0.75, 0.875, 1, 1});
}
TEST_F(ScheduleTest, Lambda) {
  optim::LambdaLR schedule(optimizer, [](std::int64_t step) { return 1.0 / static_cast<double>(1 + step); });
  expect_rates(schedule, {1, 0.5, 1.0 / 3});
}
TEST_F(ScheduleTest, WarmUpThenDecay) {
  auto warm_up =
      std::make_shared<optim::LinearLR>(optimizer, optim::LinearOptions{.start_factor = 0.5, .steps = 2});
  auto decay = std::make_shared<optim::ExponentialLR>(optimizer, 0.5);
  optim::SequentialLR schedule(optimizer, {warm_up, decay}, {2});
  expect_rates(schedule, {0.5, 0.75, 1, 0.5, 0.25});
}
TEST_F(ScheduleTest, OneCycle) {
  optim::OneCycleLR schedule(optimizer, {.max_lr = 2,
                                         .total_steps = 10,
                                         .rising_part = 0.3,
                                         .start_division = 4,
                                         .final_division = 10,
                                         .linear = true});
  EXPECT_NEAR(optimizer.momentum(0), 0.95, 1e-12);
  const auto found = rates(optimizer, schedule, 10);
  EXPECT_NEAR(found[0], 0.5, 1e-12);
  EXPECT_NEAR(found[1], 1.25, 1e-12);
  EXPECT_NEAR(found[2], 2, 1e-12);
  EXPECT_NEAR(found[9], 0.05, 1e-12);
  EXPECT_NEAR(optimizer.momentum(0), 0.95, 1e-12);
}
TEST_F(ScheduleTest, ContinuesFromItsState) {
  optim::StepLR schedule(optimizer, 2, 0.5);
  for (int i = 0; i < 3; ++i) schedule.step();
  const StateDict saved = schedule.state_dict();
  optim::SGD other(std::vector<Tensor>{p}, {.lr = 1});
  optim::StepLR restored(other, 2, 0.5);
  restored.load_state_dict(saved);
  EXPECT_EQ(other.lr(), optimizer.lr());
  restored.step();
  EXPECT_EQ(other.lr(), 0.25);
}
TEST_F(ScheduleTest, Plateau) {
  optim::ReduceLROnPlateau schedule(optimizer, {.factor = 0.5, .patience = 1});
  for (double metric : {1.0, 0.9, 0.9, 0.9}) schedule.step(metric);
  EXPECT_EQ(optimizer.lr(), 0.5);
  optim::ReduceLROnPlateau restored(optimizer, {.factor = 0.5, .patience = 1});
  restored.load_state_dict(schedule.state_dict());
  for (double metric : {0.9, 0.9}) restored.step(metric);
  EXPECT_EQ(optimizer.lr(), 0.25);
}
TEST_F(ScheduleTest, RefusesBadSettings) {
  EXPECT_ERROR(optim::StepLR(optimizer, 0), ValueError, "step_size");
  EXPECT_ERROR(optim::SequentialLR(optimizer, {}, {}), ValueError, "milestone");
  EXPECT_ERROR(optim::CosineAnnealingLR(optimizer, 0), ValueError, "positive");
}

}  // namespace
}  // namespace phlox
