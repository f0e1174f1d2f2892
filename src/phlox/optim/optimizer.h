// What all optimisers share: groups of parameters, learning rates, state.
//
//   optim::AdamW optimizer(net.parameters(), {.lr = 3e-3});
//   for (auto [x, y] : loader) {
//     optimizer.zero_grad();
//     cross_entropy(net(x), y).backward();
//     optimizer.step();
//   }
//
// Groups have settings of their own: optim::SGD({{body, {.lr = 1e-3}}, {head, {.lr = 1e-2, .momentum =
// 0.9}}}).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "phlox/core/mode.h"
#include "phlox/core/tensor.h"
#include "phlox/graph/configuration.h"
#include "phlox/io/state_dict.h"

namespace phlox::optim {

// What all optimisers have: groups of parameters with a learning rate each, step(), zero_grad() and a state to save.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Changes each parameter that has a gradient. Nothing is recorded.
  void step();
  // Drops the gradients, or fills them with zeros in place.
  void zero_grad(bool set_to_none = true);

  // How many groups of parameters there are.
  std::size_t group_count() const { return groups_.size(); }
  // The parameters of a group.
  const std::vector<Tensor>& parameters(std::size_t group = 0) const { return groups_[group].parameters; }
  // The learning rate of a group. It is a 0-d f64 tensor inside, which set_lr() writes in place, so that a
  // captured training step sees the change. Throws GraphError [E1001] in a captured function: lr_tensor() is for it.
  double lr(std::size_t group = 0) const;
  // Sets the learning rate of one group.
  void set_lr(double lr, std::size_t group);
  // Sets the learning rate of all groups.
  void set_lr(double lr);
  // The same as that tensor.
  const Tensor& lr_tensor(std::size_t group = 0) const { return groups_[group].lr; }
  // The learning rate before any schedule changed it.
  double initial_lr(std::size_t group) const { return groups_[group].initial_lr; }
  // Momentum or the first beta, kept in the same way. Throws NotSupportedError for optimisers without.
  double momentum(std::size_t group = 0) const;
  // Sets it for one group. Throws NotSupportedError for optimisers without.
  virtual void set_momentum(double momentum, std::size_t group);
  const Tensor& momentum_tensor(std::size_t group = 0) const;
  // What is being captured depends on the groups and on their initial learning rates.
  void note_use() const { configuration_.note_use("an optimizer"); }

  // PyTorch's structure with dotted names: "state.0.exp_avg", "param_groups.0.lr", "param_groups.0.params".
  // Parameters are numbered through all groups. Throws GraphError [E1002] in a captured function.
  StateDict state_dict() const;
  // Throws StateError when groups or parameters differ in number [E0701] or shapes do [E0702]; then nothing
  // changes.
  void load_state_dict(const StateDict& state);

 protected:
  // Parameters that are trained with the same settings.
  struct Group {
    std::vector<Tensor> parameters;  // all leaves
    double initial_lr;               // what schedules multiply
    Tensor lr, momentum;             // f64[], and undefined where there is none
  };
  Optimizer() = default;
  // Throws ValueError: no parameters, one that is no leaf, one that is there twice, a negative learning rate.
  void add_group(const std::vector<Tensor>& parameters, double lr, std::optional<double> momentum);

  // Changes parameter `index` (through all groups) by its gradient.
  virtual void update_parameter(std::size_t group, std::size_t index, const Tensor& parameter,
                                const Tensor& gradient) = 0;
  // Puts the settings of a group into the state, each under `prefix` and its name.
  virtual void save_group(std::size_t group, const std::string& prefix, StateDict& state) const = 0;
  // Takes them from there.
  virtual void load_group(std::size_t group, const std::string& prefix, const StateDict& state) = 0;
  // Puts what is kept of a parameter into the state.
  virtual void save_parameter(std::size_t index, const std::string& prefix, StateDict& state) const = 0;
  // Takes it from there.
  virtual void load_parameter(std::size_t index, const std::string& prefix, const StateDict& state,
                              const Tensor& parameter) = 0;

  // A number of a group in the dtype of a parameter, and 1 minus it, computed once in a step.
  Tensor in_dtype(const Tensor& number, DType dtype) { return converted(number, dtype, false); }
  Tensor complement_in_dtype(const Tensor& number, DType dtype) { return converted(number, dtype, true); }

  std::vector<Group> groups_;           // in the order in which they were added
  graph::Configuration configuration_;  // what captured steps notice

 private:
  struct Converted {
    Tensor number, result;
    bool is_complement;
  };
  Tensor converted(const Tensor& number, DType dtype, bool complement);
  std::vector<Converted> converted_;  // in the present step
};

namespace detail {

inline void save_setting(StateDict& state, const std::string& name, double value) {
  state.set_number(name, value);
}
inline void save_setting(StateDict& state, const std::string& name, bool value) {
  state.set_integer(name, value);
}
void save_setting(StateDict& state, const std::string& name, const std::pair<double, double>& value);
inline void load_setting(const StateDict& state, const std::string& name, double& value) {
  value = state.number(name);
}
inline void load_setting(const StateDict& state, const std::string& name, bool& value) {
  value = state.integer(name) != 0;
}
void load_setting(const StateDict& state, const std::string& name, std::pair<double, double>& value);
// Brings a stored tensor into the dtype and onto the device of the parameter, and into the memory of the tensor that is
// there, which a captured step writes; false where there is none of its shape, so that `tensor` becomes another.
bool load_tensor(Tensor& tensor, const Tensor* stored, const Tensor& parameter, bool is_step);

}  // namespace detail

// An optimiser with settings `Options` for each group and tensors `State` for each parameter. Both list their
// members by a static function visit(self, f) that calls f(name, member). Options with a momentum say which member it is
// by a static function momentum_of(self).
template <class Options, class State>
class OptimizerOf : public Optimizer {
 public:
  // Parameters and the settings for them.
  using ParameterGroups = std::initializer_list<std::pair<std::vector<Tensor>, Options>>;

  // The settings of a group. The learning rate in them is the initial one, the momentum the present one.
  Options options(std::size_t group = 0) const {
    Options options = options_[group];
    if constexpr (has_momentum) Options::momentum_of(options) = momentum(group);
    return options;
  }
  // The settings as they were given: the learning rate and the momentum may be others by now.
  const Options& given_options(std::size_t group = 0) const { return options_[group]; }
  // Captured steps notice the change, and are captured again; but a momentum, like lr, they read each time.
  void set_options(const Options& options, std::size_t group = 0) {
    Options changed = options;
    if constexpr (has_momentum) {
      set_momentum(Options::momentum_of(options), group);
      Options::momentum_of(changed) = Options::momentum_of(options_[group]);
    }
    if (changed == options_[group]) return;
    configuration_.change();
    options_[group] = changed;
  }
  void set_momentum(double momentum, std::size_t group) override {
    Optimizer::set_momentum(momentum, group);
    if constexpr (has_momentum) {
      double& known = Options::momentum_of(options_[group]);
      // Without momentum a step is another one.
      if ((known == 0) != (momentum == 0)) configuration_.change();
      known = momentum;
    }
  }
  // Adds parameters with settings of their own. Throws ValueError for settings out of range.
  virtual void add_param_group(const std::vector<Tensor>& parameters, const Options& options) = 0;

 protected:
  static constexpr bool has_momentum = requires(Options& options) { Options::momentum_of(options); };

  // Adds a group after its settings have been checked.
  void add(const std::vector<Tensor>& parameters, const Options& options) {
    std::optional<double> momentum;
    if constexpr (has_momentum) momentum = Options::momentum_of(options);
    add_group(parameters, options.lr, momentum);
    options_.push_back(options);
    states_.resize(states_.size() + parameters.size());
  }

  void save_group(std::size_t group, const std::string& prefix, StateDict& state) const override {
    const Options saved = options(group);
    Options::visit(saved, [&](const char* name, const auto& value) {
      detail::save_setting(state, prefix + name, value);
    });
  }
  void load_group(std::size_t group, const std::string& prefix, const StateDict& state) override {
    Options loaded = options(group);
    Options::visit(loaded, [&](const char* name, auto& setting) {
      detail::load_setting(state, prefix + name, setting);
    });
    set_options(loaded, group);
  }
  void save_parameter(std::size_t index, const std::string& prefix, StateDict& state) const override {
    State::visit(states_[index], [&](const char* name, const Tensor& tensor) {
      if (tensor.defined()) state.set(prefix + name, tensor);
    });
  }
  void load_parameter(std::size_t index, const std::string& prefix, const StateDict& state,
                      const Tensor& parameter) override {
    State::visit(states_[index], [&](const char* name, Tensor& tensor) {
      const bool is_step = std::string_view(name) == "step";
      if (!detail::load_tensor(tensor, state.find(prefix + name), parameter, is_step))
        configuration_.change();
    });
  }

  std::vector<Options> options_;
  std::vector<State> states_;
};

}  // namespace phlox::optim
