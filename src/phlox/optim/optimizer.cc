#include "phlox/optim/optimizer.h"

#include <fmt/format.h>

#include <unordered_set>

#include "phlox/nn/utils.h"
#include "phlox/ops/functions.h"

namespace phlox::optim {
namespace {

constexpr const char* groups_key = "param_groups.";
constexpr const char* state_key = "state.";

Tensor number_tensor(double value) { return from_values<double>(std::span(&value, 1), {}); }

// What is kept in a tensor is not known while a function is captured.
double present(const Tensor& number, const char* name, const char* tensor) {
  if (thread_mode.capture)
    fail<GraphError>(ErrorCode::value_while_capturing,
                     "optimizer: {} is asked for, which has no value yet while a function is captured", name)
        .hint(fmt::format("compute with its tensor: param_groups[0][\"lr\"], in C++ {}()", tensor))
        .raise();
  return number.item<double>();
}

std::string group_prefix(std::size_t group) { return fmt::format("{}{}.", groups_key, group); }
std::string parameter_prefix(std::size_t index) { return fmt::format("{}{}.", state_key, index); }

}  // namespace

void Optimizer::add_group(const std::vector<Tensor>& parameters, double lr, std::optional<double> momentum) {
  std::unordered_set<const TensorImpl*> known;
  for (const Group& group : groups_) {
    for (const Tensor& parameter : group.parameters) known.insert(parameter.unsafe_impl());
  }
  if (parameters.empty()) {
    fail<ValueError>(ErrorCode::invalid_value, "optimizer: there are no parameters")
        .hint("net.parameters(); layers in a plain list are no part of the net, in a ModuleList they are")
        .raise();
  }
  if (!(lr >= 0))
    fail<ValueError>(ErrorCode::invalid_value, "optimizer: the learning rate {} is negative", lr).raise();
  for (const Tensor& parameter : parameters) {
    if (!parameter.is_leaf()) {
      fail<ValueError>(ErrorCode::not_a_leaf, "optimizer: a parameter is the result of operations")
          .detail("parameter", describe(parameter))
          .hint("<parameter>.detach().requires_grad_()")
          .raise();
    }
    if (!known.insert(parameter.unsafe_impl()).second) {
      fail<ValueError>(ErrorCode::invalid_value, "optimizer: a parameter is given twice")
          .detail("parameter", describe(parameter))
          .raise();
    }
  }
  configuration_.change();
  groups_.push_back({parameters, lr, number_tensor(lr), momentum ? number_tensor(*momentum) : Tensor()});
}

void Optimizer::step() {
  note_use();
  NoGrad guard;
  // Also where a gradient does not fit: in a capture these are no tensors with values.
  const struct Converting {
    ~Converting() { of_this_step.clear(); }
    std::vector<Converted>& of_this_step;
  } converting{converted_};
  std::size_t index = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    for (const Tensor& parameter : groups_[group].parameters) {
      if (const Tensor gradient = parameter.grad(); gradient.defined()) {
        update_parameter(group, index, parameter, gradient);
      }
      ++index;
    }
  }
}

Tensor Optimizer::converted(const Tensor& number, DType dtype, bool complement) {
  for (const auto& [known, result, is_complement] : converted_)
    if (known.unsafe_impl() == number.unsafe_impl() && is_complement == complement && result.dtype() == dtype)
      return result;
  const Tensor result = (complement ? sub(1.0, number) : number).to(dtype);
  converted_.push_back({number, result, complement});
  return result;
}

void Optimizer::zero_grad(bool set_to_none) {
  note_use();
  for (const Group& group : groups_) nn::zero_gradients(group.parameters, set_to_none);
}

double Optimizer::lr(std::size_t group) const {
  return present(groups_[group].lr, "the learning rate", "lr_tensor");
}

double Optimizer::momentum(std::size_t group) const {
  return present(momentum_tensor(group), "the momentum", "momentum_tensor");
}

void Optimizer::set_lr(double lr, std::size_t group) {
  NoGrad guard;
  fill_(groups_[group].lr, lr);
}

void Optimizer::set_lr(double lr) {
  for (std::size_t group = 0; group < groups_.size(); ++group) set_lr(lr, group);
}

const Tensor& Optimizer::momentum_tensor(std::size_t group) const {
  const Tensor& momentum = groups_[group].momentum;
  if (!momentum.defined())
    fail<NotSupportedError>(ErrorCode::not_supported, "optimizer: there is no momentum").raise();
  return momentum;
}

void Optimizer::set_momentum(double momentum, std::size_t group) {
  NoGrad guard;
  fill_(momentum_tensor(group), momentum);
}

StateDict Optimizer::state_dict() const {
  if (thread_mode.capture)
    fail<GraphError>(ErrorCode::not_capturable,
                     "optimizer: state_dict() copies numbers, which have no values yet while a function is "
                     "captured")
        .hint("call it outside of the captured function")
        .raise();
  StateDict state;
  std::size_t index = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const std::string prefix = group_prefix(group);
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < groups_[group].parameters.size(); ++i, ++index) {
      save_parameter(index, parameter_prefix(index), state);
      numbers.push_back(static_cast<std::int64_t>(index));
    }
    save_group(group, prefix, state);
    state.set_number(prefix + "lr", lr(group));
    state.set_number(prefix + "initial_lr", groups_[group].initial_lr);
    state.set(prefix + "params",
              from_values<std::int64_t>(numbers, {static_cast<std::int64_t>(numbers.size())}));
  }
  return state;
}

void Optimizer::load_state_dict(const StateDict& state) {
  std::size_t stored_groups = 0;
  while (state.contains(group_prefix(stored_groups) + "params")) ++stored_groups;
  if (stored_groups != groups_.size()) {
    fail<StateError>(ErrorCode::state_keys_differ,
                     "load_state_dict: {} groups are stored, and the optimizer has {}", stored_groups,
                     groups_.size())
        .raise();
  }
  std::size_t index = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const auto& parameters = groups_[group].parameters;
    const Tensor& numbers = state.at(group_prefix(group) + "params");
    if (numbers.numel() != static_cast<std::int64_t>(parameters.size())) {
      fail<StateError>(ErrorCode::state_keys_differ,
                       "load_state_dict: group {} is stored with {} parameters, and the optimizer has {}",
                       group, numbers.numel(), parameters.size())
          .raise();
    }
    for (const Tensor& parameter : parameters) {
      for (const auto& [name, tensor] : state.extract(parameter_prefix(index))) {
        if (tensor.rank() == 0 || tensor.shape() == parameter.shape()) continue;
        fail<StateError>(ErrorCode::state_shape_differs,
                         "load_state_dict: {} of parameter {} has another shape", name, index)
            .detail("stored", describe(tensor))
            .detail("parameter", describe(parameter))
            .raise();
      }
      ++index;
    }
  }
  index = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const std::string prefix = group_prefix(group);
    load_group(group, prefix, state);
    set_lr(state.number(prefix + "lr"), group);
    if (const Tensor* initial = state.find(prefix + "initial_lr")) {
      const double before = std::exchange(groups_[group].initial_lr, initial->item<double>());
      if (groups_[group].initial_lr != before) configuration_.change();
    }
    for (const Tensor& parameter : groups_[group].parameters) {
      load_parameter(index, parameter_prefix(index), state, parameter);
      ++index;
    }
  }
}

namespace detail {

void save_setting(StateDict& state, const std::string& name, const std::pair<double, double>& value) {
  const double values[] = {value.first, value.second};
  state.set(name, from_values<double>(values, {2}));
}

void load_setting(const StateDict& state, const std::string& name, std::pair<double, double>& value) {
  const auto values = state.at(name).to_vector<double>();
  if (values.size() != 2) {
    fail<StateError>(ErrorCode::state_shape_differs, "load_state_dict: \"{}\" needs two numbers", name)
        .raise();
  }
  value = {values[0], values[1]};
}

bool load_tensor(Tensor& tensor, const Tensor* stored, const Tensor& parameter, bool is_step) {
  if (!stored) return !std::exchange(tensor, Tensor()).defined();
  const DType dtype = is_step ? DType::float32 : parameter.dtype();
  const Device device = is_step ? Device{} : parameter.device();
  if (tensor.defined() && tensor.shape() == stored->shape() && tensor.dtype() == dtype &&
      tensor.device() == device) {
    NoGrad no_grad;
    copy_(tensor, *stored);
    return true;
  }
  tensor = stored->to(dtype, true).to(device);
  return false;
}

}  // namespace detail
}  // namespace phlox::optim
