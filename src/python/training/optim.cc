#include "python/training/optim.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/caster.h"
#include "python/errors.h"
#include "phlox/optim/optim.h"
#include "python/training/state_dict.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

std::vector<Tensor> tensors_from(nb::handle given) {
  std::vector<Tensor> tensors;
  if (is_tensor(given.ptr())) return {tensor_of(given.ptr())};
  for (nb::handle item : given) {
    if (PyTuple_Check(item.ptr()) && PyTuple_GET_SIZE(item.ptr()) == 2)
      item = PyTuple_GET_ITEM(item.ptr(), 1);
    if (!is_tensor(item.ptr())) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "optimizer: a parameter is a {}, not a tensor",
                      Py_TYPE(item.ptr())->tp_name)
          .hint("model.parameters()")
          .raise();
    }
    tensors.push_back(tensor_of(item.ptr()));
  }
  return tensors;
}

// Settings of an optimiser under PyTorch's names, in the order of its positional arguments.
template <class Options, class F>
void visit_settings(Options& options, const F& function) {
  function("lr", options.lr);
  std::remove_const_t<Options>::visit(options, function);
}

template <class Options>
void set_setting(Options& options, const std::string& optimizer, const std::string& name, nb::handle value) {
  bool found = false;
  visit_settings(options, [&](const char* known, auto& member) {
    if (name != known) return;
    found = true;
    using Member = std::remove_reference_t<decltype(member)>;
    if (is_tensor(value.ptr()) && std::is_same_v<Member, double>) {
      member = nb::cast<Member>(value.attr("item")());
    } else if (!nb::try_cast(value, member)) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: {} cannot be a {}", optimizer, name,
                      Py_TYPE(value.ptr())->tp_name)
          .raise();
    }
  });
  if (found) return;
  auto error =
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: there is no setting \"{}\"", optimizer, name);
  std::string names;
  visit_settings(
      options, [&](const char* known, auto&) { names += (names.empty() ? "" : ", ") + std::string(known); });
  error.detail("settings", names).raise();
}

template <class Options>
using Groups = std::vector<std::pair<std::vector<Tensor>, Options>>;

// Tensors, (name, tensor) pairs, or dicts with "params" and settings of their own.
template <class Options>
Groups<Options> groups_from(const std::string& name, nb::handle given, const Options& defaults) {
  if (!is_tensor(given.ptr()) && !nb::hasattr(given, "__iter__"))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: params must be tensors or groups of them, not {}",
                    name, kind_of(given.ptr()))
        .hint("net.parameters()")
        .raise();
  const nb::list items = is_tensor(given.ptr()) ? nb::list(nb::make_tuple(given)) : nb::list(given);
  if (nb::len(items) == 0 || !PyDict_Check(nb::object(items[0]).ptr()))
    return {{tensors_from(items), defaults}};
  Groups<Options> groups;
  for (nb::handle item : items) {
    Options options = defaults;
    nb::dict group = nb::cast<nb::dict>(item);
    if (!group.contains("params"))
      fail<ValueError>(ErrorCode::invalid_value, "{}: a group has no \"params\"", name).raise();
    for (auto [key, value] : group) {
      const std::string setting = nb::cast<std::string>(key);
      if (setting != "params") set_setting(options, name, setting, value);
    }
    groups.emplace_back(tensors_from(group["params"]), options);
  }
  return groups;
}

// Options as the constructor takes them.
template <class Class, class Options>
auto constructor_options(const Options& o) {
  if constexpr (std::is_same_v<Class, optim::AdamW>) {
    return optim::AdamWOptions{o.lr, o.betas, o.eps, o.weight_decay, o.amsgrad, o.maximize};
  } else {
    return o;
  }
}

template <class Options>
Options options_from(const std::string& name, Options options, const nb::args& positional,
                     const nb::kwargs& named) {
  std::vector<std::string> names;
  visit_settings(options, [&](const char* known, auto&) { names.push_back(known); });
  if (positional.size() > names.size()) {
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: {} settings are given, and there are {}", name,
                    positional.size(), names.size())
        .raise();
  }
  for (std::size_t i = 0; i < positional.size(); ++i) set_setting(options, name, names[i], positional[i]);
  for (auto [key, value] : named) {
    const std::string setting = nb::cast<std::string>(key);
    // PyTorch's choices between implementations; there is one.
    if (setting == "foreach" || setting == "fused" || setting == "capturable" || setting == "differentiable")
      continue;
    set_setting(options, name, setting, value);
  }
  return options;
}

std::string default_text(bool value) { return value ? "True" : "False"; }
std::string default_text(double value) { return nb::cast<std::string>(nb::repr(nb::float_(value))); }
std::string default_text(const std::pair<double, double>& value) {
  return "(" + default_text(value.first) + ", " + default_text(value.second) + ")";
}
const char* type_text(bool) { return "bool"; }
const char* type_text(double) { return "float"; }
const char* type_text(const std::pair<double, double>&) { return "tuple[float, float]"; }

// "def __init__(self, params: ..., lr: float = 0.001, ...) -> None", from the settings; lives as long as the process.
template <class Options>
const char* constructor_signature(const Options& defaults) {
  auto& text = *new std::string("def __init__(self, params: Iterable[Any]");
  visit_settings(defaults, [&](const char* setting, const auto& value) {
    text += std::string(", ") + setting + ": " + type_text(value) + " = " + default_text(value);
  });
  text += ", **implementation: bool | None) -> None";
  return text.c_str();
}

// A class of optimisers; its settings come from Options::visit.
template <class Class, class Options>
void add_optimizer(nb::module_& m, const char* name, const char* documentation, const Options& defaults) {
  nb::class_<Class, optim::Optimizer> type(m, name, documentation);
  type.attr("__module__") = "phlox.optim";
  type.def(
      "__init__",
      [name, defaults](nb::pointer_and_handle<Class> self, nb::object params, nb::args positional,
                       nb::kwargs named) {
        const Options options = options_from(name, defaults, positional, named);
        const Groups<Options> groups = groups_from(name, params, options);
        new (static_cast<void*>(self.p)) Class(groups[0].first, constructor_options<Class>(groups[0].second));
        try {
          for (std::size_t i = 1; i < groups.size(); ++i)
            self.p->add_param_group(groups[i].first, groups[i].second);
        } catch (...) {
          self.p->~Class();
          throw;
        }
      },
      nb::sig(constructor_signature(defaults)), "params"_a, "settings"_a, "named"_a,
      "`params` are tensors, (name, tensor) pairs, or dicts with \"params\" and settings of their own. "
      "PyTorch's choices between implementations (`foreach`, `fused`, ...) are accepted; there is one.");
  type.def(
      "add_param_group",
      [name](Class& self, nb::dict group) {
        for (const auto& [parameters, options] :
             groups_from(name, nb::list(nb::make_tuple(group)), self.options(0)))
          self.add_param_group(parameters, options);
      },
      nb::sig("def add_param_group(self, param_group: dict[str, Any]) -> None"), "param_group"_a,
      "Adds parameters with settings of their own; the rest is as in the first group.");
  type.def("_setting_names", [](Class& self) {
    nb::list names;
    const Options options = self.options(0);
    visit_settings(options, [&](const char* known, auto&) { names.append(known); });
    return names;
  });
  type.def("_get_setting", [name](Class& self, std::size_t group, const std::string& setting) -> nb::object {
    if (setting == "lr") return nb::cast(self.lr(group));
    if (setting == "initial_lr") return nb::cast(self.initial_lr(group));
    nb::object found;
    const Options options = self.options(group);
    Options::visit(options, [&](const char* known, const auto& value) {
      if (setting == known) found = nb::cast(value);
    });
    if (!found.is_valid()) throw nb::key_error(setting.c_str());
    return found;
  });
  // The same in a captured function: what may change between its calls is a tensor.
  type.def("_get_captured_setting", [](Class& self, std::size_t group, const std::string& setting) {
    self.note_use();
    nb::object found;
    if (setting == "lr") return nb::cast(self.lr_tensor(group));
    if (setting == "initial_lr") return nb::cast(self.initial_lr(group));
    const Options& options = self.given_options(group);
    const void* momentum = nullptr;
    if constexpr (requires { Options::momentum_of(options); }) momentum = &Options::momentum_of(options);
    Options::visit(options, [&](const char* known, const auto& value) {
      if (setting != known) return;
      if (&value != momentum) found = nb::cast(value);
      else if constexpr (requires { value.second; })  // it is the first of two numbers
        found = nb::make_tuple(self.momentum_tensor(group), value.second);
      else found = nb::cast(self.momentum_tensor(group));
    });
    if (!found.is_valid()) throw nb::key_error(setting.c_str());
    return found;
  });
  type.def("_set_setting",
           [name](Class& self, std::size_t group, const std::string& setting, nb::handle value) {
             if (setting == "lr") {
               Options one;
               set_setting(one, name, setting, value);
               self.set_lr(one.lr, group);
             } else {
               Options changed = self.options(group);
               set_setting(changed, name, setting, value);
               self.set_options(changed, group);
             }
           });
}

// A class of schedules. The optimiser lives at least as long.
template <class Class, class... Arguments, class... Named>
void add_schedule(nb::module_& m, const char* name, const char* documentation,
                  nb::init<optim::Optimizer&, Arguments...> init, const Named&... named) {
  nb::class_<Class, optim::Schedule> type(m, name, documentation);
  type.def(std::move(init), nb::keep_alive<1, 2>(), "optimizer"_a, named...);
  type.attr("__module__") = "phlox.optim.lr_scheduler";
}

// state_dict() and load_state_dict().
template <class Class>
void add_state(Class& type) {
  using Schedule = typename Class::Type;
  type.def(
          "state_dict", [](const Schedule& self) { return state_to_python(self.state_dict()); },
          nb::sig("def state_dict(self) -> dict[str, Tensor]"),
          "Where the schedule stands, as tensors by name.")
      .def(
          "load_state_dict",
          [](Schedule& self, nb::handle state) {
            self.load_state_dict(state_from_python(state, "load_state_dict"));
          },
          nb::sig("def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None"), "state_dict"_a,
          "Takes up what state_dict() gave, and sets the learning rates.")
      .def("__repr__", [](nb::handle self) {
        const auto& schedule = nb::cast<const Schedule&>(self);
        return nb::cast<std::string>(self.type().attr("__name__")) + "(" + schedule.settings() + ")";
      });
}

void add_schedules(nb::module_& m) {
  nb::class_<optim::Schedule> base(m, "LRScheduler",
                                   "A schedule: how learning rates change from step to step.");
  base.attr("__module__") = "phlox.optim.lr_scheduler";
  base.def(
          "step", [](optim::Schedule& self) { self.step(); }, nb::sig("def step(self) -> None"),
          "Goes on by one step; after optimizer.step().")
      .def("get_last_lr", &optim::Schedule::learning_rates, "The present learning rates of the groups.")
      .def_prop_ro("last_epoch", &optim::Schedule::last_epoch, "The steps taken so far.")
      .def("get_lr", &optim::Schedule::learning_rates, "The same as get_last_lr().");
  add_state(base);
  using Integer = std::int64_t;
  add_schedule<optim::StepLR>(m, "StepLR",
                              "Times gamma every step_size steps.\n\n"
                              "Example:\n"
                              "    schedule = optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)",
                              nb::init<optim::Optimizer&, Integer, double>(), "step_size"_a, "gamma"_a = 0.1);
  add_schedule<optim::MultiStepLR>(
      m, "MultiStepLR",
      "Times gamma at each milestone.\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[30, 80])",
      nb::init<optim::Optimizer&, std::vector<Integer>, double>(), "milestones"_a, "gamma"_a = 0.1);
  add_schedule<optim::ExponentialLR>(m, "ExponentialLR",
                                     "Times gamma at each step.\n\n"
                                     "Example:\n"
                                     "    schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)",
                                     nb::init<optim::Optimizer&, double>(), "gamma"_a);
  add_schedule<optim::CosineAnnealingLR>(
      m, "CosineAnnealingLR",
      "Half a cosine from the initial rate to eta_min.\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)\n\n"
      "Source: Loshchilov, Hutter 2016, arXiv:1608.03983.",
      nb::init<optim::Optimizer&, Integer, double>(), "T_max"_a, "eta_min"_a = 0.0);
  add_schedule<optim::LambdaLR>(
      m, "LambdaLR",
      "The initial rate times lr_lambda(step).\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.95**step)",
      nb::init<optim::Optimizer&, std::function<double(Integer)>>(), "lr_lambda"_a);
  add_schedule<optim::SequentialLR>(
      m, "SequentialLR",
      "Schedules one after the other; number i + 1 begins at milestones[i].\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], milestones=[5])",
      nb::init<optim::Optimizer&, std::vector<std::shared_ptr<optim::Schedule>>, std::vector<Integer>>(),
      "schedulers"_a, "milestones"_a);

  nb::class_<optim::LinearLR, optim::Schedule> linear(
      m, "LinearLR",
      "A factor in a straight line: the usual warm-up.\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)");
  linear.attr("__module__") = "phlox.optim.lr_scheduler";
  linear.def(
      "__init__",
      [](optim::LinearLR* self, optim::Optimizer& optimizer, double start, double end, Integer steps) {
        new (self) optim::LinearLR(optimizer, {start, end, steps});
      },
      nb::keep_alive<1, 2>(), "optimizer"_a, "start_factor"_a = 1.0 / 3, "end_factor"_a = 1.0,
      "total_iters"_a = 5);

  nb::class_<optim::OneCycleLR, optim::Schedule> cycle(
      m, "OneCycleLR",
      "Up to max_lr and far down again.\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=1000)\n\n"
      "Source: Smith, Topin 2017, arXiv:1708.07120.");
  cycle.attr("__module__") = "phlox.optim.lr_scheduler";
  cycle.def(
      "__init__",
      [](optim::OneCycleLR* self, optim::Optimizer& optimizer, double max_lr, Integer total_steps,
         double pct_start, const std::string& strategy, bool cycle_momentum, double base_momentum,
         double max_momentum, double div_factor, double final_div_factor) {
        new (self)
            optim::OneCycleLR(optimizer, {max_lr, total_steps, pct_start, div_factor, final_div_factor,
                                          strategy == "linear", cycle_momentum, base_momentum, max_momentum});
      },
      nb::keep_alive<1, 2>(), "optimizer"_a, "max_lr"_a, "total_steps"_a, "pct_start"_a = 0.3,
      "anneal_strategy"_a = "cos", "cycle_momentum"_a = true, "base_momentum"_a = 0.85,
      "max_momentum"_a = 0.95, "div_factor"_a = 25.0, "final_div_factor"_a = 1e4);

  nb::class_<optim::ReduceLROnPlateau> plateau(
      m, "ReduceLROnPlateau",
      "Times factor when a metric stops improving.\n\n"
      "Example:\n"
      "    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=5)");
  plateau.attr("__module__") = "phlox.optim.lr_scheduler";
  plateau.def(
      "__init__",
      [](optim::ReduceLROnPlateau* self, optim::Optimizer& optimizer, const std::string& mode, double factor,
         Integer patience, double threshold, const std::string& threshold_mode, Integer cooldown,
         double min_lr, double eps) {
        new (self) optim::ReduceLROnPlateau(optimizer, {mode == "max", factor, patience, threshold,
                                                        threshold_mode == "rel", cooldown, min_lr, eps});
      },
      nb::keep_alive<1, 2>(), "optimizer"_a, "mode"_a = "min", "factor"_a = 0.1, "patience"_a = 10,
      "threshold"_a = 1e-4, "threshold_mode"_a = "rel", "cooldown"_a = 0, "min_lr"_a = 0.0, "eps"_a = 1e-8);
  plateau
      .def(
          "step",
          [](optim::ReduceLROnPlateau& self, nb::handle metric) {
            if (is_tensor(metric.ptr())) self.step(tensor_of(metric.ptr()));
            else self.step(nb::cast<double>(metric));
          },
          nb::sig("def step(self, metrics: float | Tensor) -> None"), "metrics"_a,
          "Takes up the metric of an epoch: a number or a 0-d tensor.")
      .def("get_last_lr", &optim::ReduceLROnPlateau::learning_rates,
           "The present learning rates of the groups.");
  add_state(plateau);
}

}  // namespace

void add_optimizers(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  nb::class_<optim::Optimizer> base(m, "Optimizer", "What all optimisers share.");
  base.attr("__module__") = "phlox.optim";
  base.def(
          "step",
          [](optim::Optimizer& self, nb::object closure) {
            nb::object loss = closure.is_none() ? nb::none() : closure();
            nb::gil_scoped_release release;
            self.step();
            return loss;
          },
          nb::sig("def step(self, closure: Callable[[], Any] | None = None) -> Any"),
          "closure"_a.none() = nb::none(),
          "Changes each parameter that has a gradient. A closure is called first; it computes the loss and "
          "its "
          "gradients, and the loss is returned.")
      .def(
          "zero_grad", [](optim::Optimizer& self, bool set_to_none) { self.zero_grad(set_to_none); },
          "set_to_none"_a = true, "Drops the gradients, or fills them with zeros in place.")
      .def("_group_count",
           [](const optim::Optimizer& self) {
             self.note_use();
             return self.group_count();
           })
      .def("_parameters",
           [](const optim::Optimizer& self, std::size_t group) {
             nb::list list;
             for (const Tensor& parameter : self.parameters(group)) list.append(nb::cast(parameter));
             return list;
           })
      .def(
          "state_dict", [](const optim::Optimizer& self) { return state_to_python(self.state_dict()); },
          nb::sig("def state_dict(self) -> dict[str, Tensor]"),
          "Settings and state by name, as one flat dict of tensors.")
      .def(
          "load_state_dict",
          [](optim::Optimizer& self, nb::handle state) {
            self.load_state_dict(state_from_python(state, "load_state_dict"));
          },
          nb::sig("def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None"), "state_dict"_a,
          "Takes up what state_dict() gave. Raises StateError when groups, parameters or shapes differ; "
          "then nothing "
          "changes.");
  add_optimizer<optim::SGD>(
      m, "SGD",
      "Stochastic gradient descent, with momentum. Raises ValueError for settings out of range.\n\n"
      "Example:\n    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n\n"
      "Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.",
      optim::SGDOptions{});
  add_optimizer<optim::Adam>(
      m, "Adam",
      "Steps scaled by running means of the gradients and of their squares. `amsgrad` keeps the "
      "largest of the latter.\n\n"
      "Example:\n"
      "    optimizer = optim.Adam(model.parameters(), lr=1e-3)\n\n"
      "Source: Kingma, Ba 2014, arXiv:1412.6980; Reddi, Kale, Kumar 2018.",
      optim::AdamOptions{});
  optim::AdamOptions decoupled;
  decoupled.weight_decay = optim::AdamWOptions{}.weight_decay;
  add_optimizer<optim::AdamW>(
      m, "AdamW",
      "Adam with weight decay apart from the gradients.\n\n"
      "Example:\n"
      "    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)\n\n"
      "Source: Loshchilov, Hutter 2017, arXiv:1711.05101.",
      decoupled);
  add_optimizer<optim::RMSprop>(m, "RMSprop",
                                "Steps divided by the root of a running mean of the squares of gradients.\n\n"
                                "Example:\n"
                                "    optimizer = optim.RMSprop(model.parameters(), lr=0.01)\n\n"
                                "Source: Hinton 2012, Neural networks for machine learning, lecture 6.",
                                optim::RMSpropOptions{});
  add_optimizer<optim::Adagrad>(
      m, "Adagrad",
      "Steps divided by the root of the sum of the squares of all gradients so far.\n\n"
      "Example:\n"
      "    optimizer = optim.Adagrad(model.parameters(), lr=0.01)\n\n"
      "Source: Duchi, Hazan, Singer 2011, JMLR 12.",
      optim::AdagradOptions{});
  add_schedules(m);
}

}  // namespace phlox::python
