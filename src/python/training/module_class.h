// How classes of modules are shown to Python, so that they can be subclassed there.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/trampoline.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/tensor/argument_casters.h"
#include "python/caster.h"
#include "phlox/nn/module.h"

namespace phlox::python {

// Calls the hooks and the forward() that Python code gave to a module; a new reference. `arguments` and
// `keywords` are those of a call.
PyObject* call_python_forward(PyObject* self, PyObject* arguments, PyObject* keywords);
Tensor call_python_forward(nanobind::handle self, const Tensor& input);

// Puts the parameters, buffers and parts that a C++ class has registered into the object's __dict__, where
// reading them costs nothing, and keeps the constructor's arguments, so that the module can be copied.
void adopt_members(nanobind::handle self, nanobind::dict arguments);

// An argument of a constructor; `standard` is its default, null for one that must be given.
struct ArgumentDefault {
  const char* name;
  nanobind::object standard;
};
template <class Argument>
ArgumentDefault argument_default(const Argument& argument) {
  if constexpr (requires { argument.value; }) return {argument.name_, argument.value};
  else return {argument.name_, {}};
}

// The constructor's arguments that must be given or differ from their defaults: "in_features=3, out_features=2".
std::string settings_text(nanobind::handle self, const std::vector<ArgumentDefault>& defaults);

// What the C++ side of an object of a Python subclass of Base is.
template <class Base>
class PythonModule : public Base {
 public:
  NB_TRAMPOLINE(Base);
  using Base::forward;  // losses have one of two tensors

  Tensor forward(Tensor input) override {
    nanobind::gil_scoped_acquire gil;
    return call_python_forward(nb_trampoline.base(), input);
  }
  std::string type_name() const override {
    nanobind::gil_scoped_acquire gil;
    return nanobind::cast<std::string>(nb_trampoline.base().type().attr("__name__"));
  }
  std::string settings() const override {
    nanobind::gil_scoped_acquire gil;
    return nanobind::cast<std::string>(nb_trampoline.base().attr("extra_repr")());
  }
  void train(bool on) override { NB_OVERRIDE(train, on); }
};

// Makes the C++ side of a new object.
template <class Layer>
class Maker {
 public:
  explicit Maker(nanobind::pointer_and_handle<Layer> place) : place_(place) {}
  template <class... Arguments>
  void operator()(Arguments&&... arguments) const {
    if (nanobind::inst_python_derived(place_.h)) {
      new (static_cast<void*>(place_.p)) PythonModule<Layer>(std::forward<Arguments>(arguments)...);
    } else {
      new (static_cast<void*>(place_.p)) Layer(std::forward<Arguments>(arguments)...);
    }
  }

 private:
  nanobind::pointer_and_handle<Layer> place_;
};

template <class Layer>
using LayerClass = nanobind::class_<Layer, nn::Module, PythonModule<Layer>>;

// Adds a class of layers. `make(maker, arguments...)` gives the constructor's arguments to the maker; their
// names and defaults follow as nb::arg. Each argument can be read as an attribute of its name.
// All take `device` and `dtype`, to which the new layer is converted.
template <class Layer, class Make, class... Given, class... Named>
LayerClass<Layer> add_layer(nanobind::module_& m, const char* name, const char* documentation,
                            const Make& make, void (Make::*)(const Maker<Layer>&, Given...) const,
                            const Named&... named) {
  namespace nb = nanobind;
  LayerClass<Layer> type(m, name, documentation);
  const auto names = std::array<const char*, sizeof...(Named)>{named.name_...};
  type.def(
      "__init__",
      [make, names](nb::pointer_and_handle<Layer> self, Given... given, nb::object device, nb::object dtype) {
        nb::dict arguments;
        [[maybe_unused]] std::size_t i = 0;
        static_cast<void>(names);  // not needed by layers without arguments
        ((arguments[names[i++]] = nb::cast(given)), ...);
        make(Maker<Layer>(self), given...);
        nb::inst_mark_ready(self.h);
        adopt_members(self.h, arguments);
        if (!device.is_none() || !dtype.is_none())
          self.h.attr("to")(nb::arg("device") = device, nb::arg("dtype") = dtype);
      },
      named..., nb::kw_only(), nb::arg("device").none() = nb::none(), nb::arg("dtype").none() = nb::none());
  for (const char* argument : names) {
    const std::string_view text = argument;
    if (text == "bias" || text == "weight" || text == "pos_weight") continue;  // tensors have these names
    type.def_prop_ro(
        argument, [argument](nb::handle self) { return self.attr("_arguments")[argument]; },
        "As given to the constructor.");
  }
  if constexpr (requires(Layer& self, const Tensor& input) { self.Layer::forward(input); }) {
    type.def(
        "forward", [](Layer& self, const Tensor& input) { return self.Layer::forward(input); },
        nb::arg("input"), nb::call_guard<nb::gil_scoped_release>(), "What the layer computes.");
  }
  type.def(
      "extra_repr",
      [defaults = std::vector<ArgumentDefault>{argument_default(named)...}](nb::handle self) {
        return settings_text(self, defaults);
      },
      "The constructor's arguments that are no defaults.");
  type.attr("__module__") = "phlox.nn";
  return type;
}

template <class Layer, class Make, class... Named>
LayerClass<Layer> add_layer(nanobind::module_& m, const char* name, const char* documentation,
                            const Make& make, const Named&... named) {
  return add_layer<Layer>(m, name, documentation, make, &Make::operator(), named...);
}

}  // namespace phlox::python
