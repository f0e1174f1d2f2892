// phlox.nn.Module: the C++ class, as one that Python code can subclass. What a module consists of is
// registered with the C++ side and kept in the object's __dict__ as well, so that reading self.conv is
// reading any attribute.

#include "python/training/nn.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/errors.h"
#include "python/training/module_class.h"
#include "python/tensor/operations.h"
#include "phlox/core/mode.h"
#include "phlox/nn/running_module.h"
#include "python/training/state_dict.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

PyObject* module_type = nullptr;
PyObject* parameter_type = nullptr;  // phlox.nn.Parameter, a class written in Python
PyObject* backward_watch = nullptr;  // a class in python/phlox/nn/module.py
PyObject *forward_name, *hooks_name, *pre_hooks_name, *backward_hooks_name;
constexpr Py_ssize_t few_arguments = 4;

nn::Module& module_of(nb::handle self) {
  if (!nb::inst_ready(self)) {
    fail<StateError>(ErrorCode::module_misuse, "{}: the module is used before Module.__init__() has run",
                     Py_TYPE(self.ptr())->tp_name)
        .hint("super().__init__() as the first line of __init__")
        .raise();
  }
  return *nb::inst_ptr<nn::Module>(self);
}

bool is_module(nb::handle object) {
  return PyObject_TypeCheck(object.ptr(), reinterpret_cast<PyTypeObject*>(module_type));
}
bool is_parameter(nb::handle object) {
  return is_tensor(object.ptr()) &&
         PyObject_TypeCheck(object.ptr(), reinterpret_cast<PyTypeObject*>(parameter_type));
}

nb::object object_of(nn::Module* module) { return nb::cast(module, nb::rv_policy::reference); }

// --- attributes

void set_plainly(nb::handle self, nb::handle name, nb::handle value) {
  if (PyObject_GenericSetAttr(self.ptr(), name.ptr(), value.ptr()) < 0) throw nb::python_error();
}

// A parameter of the module under this name, also an absent one; the same for buffers.
bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool has_part(const nn::Module& module, const std::string& name) {
  for (const auto& [known, part] : module.parts()) {
    if (known == name) return true;
  }
  return false;
}
bool has_name(const nn::Module& module, const std::string& name) {
  return has(module.parameter_names(), name) || has(module.buffer_names(), name) || has_part(module, name);
}

// self.name = value: registers parameters and modules, and replaces what is registered.
void set_member(nb::handle self, nb::handle name, nb::handle value) {
  const bool tensor = is_tensor(value.ptr()), part = !tensor && is_module(value);
  if (!tensor && !part && !value.is_none()) {
    if (nb::inst_ready(self)) {
      nn::Module& module = *nb::inst_ptr<nn::Module>(self);
      const std::string text = nb::cast<std::string>(name);
      if (has(module.parameter_names(), text)) {
        fail<TypeError>(ErrorCode::wrong_argument_type, "{}: the parameter \"{}\" cannot become a {}",
                        module.type_name(), text, Py_TYPE(value.ptr())->tp_name)
            .hint("px.nn.Parameter(...), or None")
            .raise();
      }
      if (has_name(module, text)) module.unregister(text);
    }
    return set_plainly(self, name, value);
  }
  if (value.is_none() && !nb::inst_ready(self)) return set_plainly(self, name, value);
  if (tensor && !is_parameter(value) && !nb::inst_ready(self)) return set_plainly(self, name, value);
  nn::Module& module = module_of(self);
  const std::string text = nb::cast<std::string>(name);
  if (part) {
    if (has_part(module, text)) {
      module.set_module(text, module_of(value));
    } else {
      if (has_name(module, text)) module.unregister(text);
      module.register_module(text, module_of(value));
    }
  } else if (has(module.parameter_names(), text)) {
    if (tensor && !is_parameter(value)) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: the parameter \"{}\" cannot become a plain tensor",
                      module.type_name(), text)
          .hint("px.nn.Parameter(tensor), or with px.no_grad(): module." + text + ".copy_(tensor)")
          .raise();
    }
    module.set_parameter(text, tensor ? tensor_of(value.ptr()) : Tensor());
  } else if (tensor && is_parameter(value)) {
    if (has_name(module, text)) module.unregister(text);
    module.register_parameter(text, tensor_of(value.ptr()));
  } else if (has(module.buffer_names(), text)) {
    module.set_buffer(text, tensor ? tensor_of(value.ptr()) : Tensor());
  } else if (has_part(module, text)) {
    module.unregister(text);
  }
  set_plainly(self, name, value);
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) noexcept {
  PHLOX_TRY
  if (value) {
    set_member(self, name, value);
    return 0;
  }
  if (nb::inst_ready(self)) {
    nn::Module& module = module_of(self);
    if (const std::string text = nb::cast<std::string>(nb::handle(name)); has_name(module, text))
      module.unregister(text);
  }
  return PyObject_GenericSetAttr(self, name, nullptr);
  PHLOX_CATCH_INT
}

// --- calls

// Hooks that Python code has put into the object's __dict__, as pairs of the hook and whether it takes keyword
// arguments; null when there are none.
PyObject* find_hooks(PyObject* self, PyObject* name) {
  PyObject** dict = _PyObject_GetDictPtr(self);
  PyObject* hooks = dict && *dict ? PyDict_GetItem(*dict, name) : nullptr;
  return hooks && PyDict_GET_SIZE(hooks) > 0 ? hooks : nullptr;
}
// A copy, as hooks may remove themselves.
nb::object hooks_of(PyObject* self, PyObject* name) {
  PyObject* hooks = find_hooks(self, name);
  return hooks ? nb::list(nb::borrow<nb::dict>(hooks).values()) : nb::object();
}

bool find_backward_hooks(PyObject* self) {
  return !thread_mode.gradients_off && find_hooks(self, backward_hooks_name);
}

// While a function is captured: gives for a bound forward(), or a hook, the one to call in its place.
thread_local PyObject* forward_converter = nullptr;

nb::object converted(nb::handle function) {
  return forward_converter ? nb::handle(forward_converter)(function) : nb::borrow(function);
}

// forward() with a few positional arguments and nothing around it: the usual call.
PyObject* call_forward_alone(PyObject* self, PyObject* arguments) {
  PyObject* stack[1 + few_arguments] = {self};
  const Py_ssize_t count = PyTuple_GET_SIZE(arguments);
  for (Py_ssize_t i = 0; i < count; ++i) stack[1 + i] = PyTuple_GET_ITEM(arguments, i);
  return PyObject_VectorcallMethod(forward_name, stack, static_cast<std::size_t>(1 + count), nullptr);
}

PyObject* call(PyObject* self, PyObject* arguments, PyObject* keywords) noexcept {
  PHLOX_TRY
  nn::Module& module = module_of(self);
  const nn::RunningModule running(module);
  const bool one_tensor = PyTuple_GET_SIZE(arguments) == 1 && is_tensor(PyTuple_GET_ITEM(arguments, 0)) &&
                          (!keywords || PyDict_GET_SIZE(keywords) == 0);
  const bool watched = find_backward_hooks(self);
  const bool python_derived = nb::inst_python_derived(self);
  if (python_derived && !(one_tensor && module.has_hooks())) {
    if (!forward_converter && !keywords && !watched && PyTuple_GET_SIZE(arguments) <= few_arguments &&
        !find_hooks(self, hooks_name) && !find_hooks(self, pre_hooks_name))
      return call_forward_alone(self, arguments);
    return call_python_forward(self, arguments, keywords);
  }
  // A C++ module that takes something else than one tensor, or an error that says so.
  if (!one_tensor || (watched && !python_derived)) return call_python_forward(self, arguments, keywords);
  const Tensor& input = tensor_of(PyTuple_GET_ITEM(arguments, 0));
  Tensor output;
  try {
    ReleaseGil release(input.numel());
    output = module(input);
  } catch (const StateError& error) {
    if (error.code() != ErrorCode::module_misuse) throw;
    return call_python_forward(self, arguments, keywords);  // a loss: its forward takes more, and says so
  }
  return wrap(std::move(output));
  PHLOX_CATCH_CALL(PySequence_Fast_ITEMS(arguments), PyTuple_GET_SIZE(arguments))
}

nb::list objects_of(const nn::NamedModules& modules) {
  nb::list list;
  for (const auto& [name, module] : modules) list.append(nb::make_tuple(name, object_of(module)));
  return list;
}

nb::object iterator(nb::handle list) { return nb::steal(PyObject_GetIter(list.ptr())); }

nb::object names_and_tensors(const nn::NamedTensors& tensors) {
  nb::list list;
  for (const auto& [name, tensor] : tensors) list.append(nb::make_tuple(name, tensor));
  return iterator(list);
}

nb::object tensors(const std::vector<Tensor>& all) {
  nb::list list;
  for (const Tensor& tensor : all) list.append(nb::cast(tensor));
  return iterator(list);
}

// A class must not have something else under the name, such as a method, which the new member would hide.
void check_no_attribute(nb::handle self, nb::str name) {
  if (!nb::hasattr(self.type(), name)) return;
  fail<ValueError>(ErrorCode::module_misuse,
                   "{}: nothing can be registered under \"{}\", the class has an attribute "
                   "of this name",
                   Py_TYPE(self.ptr())->tp_name, name.c_str())
      .raise();
}

void register_parameter(nb::handle self, nb::str name, nb::object value) {
  nn::Module& module = module_of(self);
  check_no_attribute(self, name);
  if (!value.is_none() && !is_parameter(value)) {
    fail<TypeError>(ErrorCode::wrong_argument_type,
                    "register_parameter: \"{}\" must be a px.nn.Parameter or None, not {}", name.c_str(),
                    kind_of(value.ptr()))
        .raise();
  }
  if (has(module.parameter_names(), name.c_str())) module.unregister(name.c_str());
  module.register_parameter(name.c_str(), value.is_none() ? Tensor() : tensor_of(value.ptr()));
  set_plainly(self, name, value);
}

void register_buffer(nb::handle self, nb::str name, const Tensor& tensor, bool persistent) {
  nn::Module& module = module_of(self);
  check_no_attribute(self, name);
  if (has(module.buffer_names(), name.c_str())) module.unregister(name.c_str());
  module.register_buffer(name.c_str(), tensor, persistent);
  set_plainly(self, name, nb::cast(tensor));
}

void add_module(nb::handle self, nb::str name, nb::handle part) {
  if (part.is_none()) return set_plainly(self, name, part);
  if (!is_module(part)) {
    auto error =
        fail<TypeError>(ErrorCode::wrong_argument_type, "{}: the part \"{}\" must be a module, not {}",
                        Py_TYPE(self.ptr())->tp_name, name.c_str(), kind_of(part.ptr()));
    if (PyType_Check(part.ptr())) error.hint("nn.ReLU() makes a module of the class nn.ReLU");
    else error.hint("a function is called in forward(); nn.ReLU() is the module for px.relu");
    error.raise();
  }
  nn::Module& module = module_of(self);
  check_no_attribute(self, name);
  if (has_part(module, name.c_str())) module.set_module(name.c_str(), module_of(part));
  else module.register_module(name.c_str(), module_of(part));
  set_plainly(self, name, part);
}

// Calls the hook that Python code has put into the object's __dict__ under a number. The C++ side keeps the number
// alone: the garbage collector could not follow a reference from there, and hooks often refer to their module.
Tensor call_hook(nn::Module& module, std::int64_t number, const Tensor& input, const Tensor* output) {
  const nb::gil_scoped_acquire gil;
  const nb::object self = object_of(&module);
  PyObject* hooks = find_hooks(self.ptr(), output ? hooks_name : pre_hooks_name);
  const nb::object entry = nb::borrow(hooks ? PyDict_GetItem(hooks, nb::int_(number).ptr()) : nullptr);
  if (!entry.is_valid()) return {};  // removed by another hook or thread
  const nb::object hook = converted(entry[0]), given = nb::make_tuple(input);
  nb::object result;
  if (nb::cast<bool>(entry[1])) {
    result = output ? hook(self, given, nb::dict(), *output) : hook(self, given, nb::dict());
    const bool both = !output && PyTuple_Check(result.ptr()) && PyTuple_GET_SIZE(result.ptr()) == 2;
    if (both && PyDict_Check(PyTuple_GET_ITEM(result.ptr(), 1)) &&
        PyDict_GET_SIZE(PyTuple_GET_ITEM(result.ptr(), 1)) == 0)
      result = result[0];
  } else {
    result = output ? hook(self, given, *output) : hook(self, given);
  }
  if (result.is_none()) return {};
  if (PyTuple_Check(result.ptr()) && PyTuple_GET_SIZE(result.ptr()) == 1) result = result[0];
  if (is_tensor(result.ptr())) return tensor_of(result.ptr());
  fail<TypeError>(ErrorCode::wrong_argument_type, "{}: must give a tensor or None, not {}",
                  output ? "register_forward_hook" : "register_forward_pre_hook",
                  Py_TYPE(result.ptr())->tp_name)
      .raise();
}

// Hooks of a module of a C++ class, which C++ code may call too.
std::int64_t register_hook(nn::Module& module, std::int64_t number, bool before, bool prepend) {
  if (before) {
    return module.register_forward_pre_hook(
        [number](nn::Module& m, const Tensor& input) { return call_hook(m, number, input, nullptr); },
        prepend);
  }
  return module.register_forward_hook(
      [number](nn::Module& m, const Tensor& input, const Tensor& output) {
        return call_hook(m, number, input, &output);
      },
      prepend);
}

using ModuleClass = nb::class_<nn::Module, PythonModule<nn::Module>>;

void add_registration(ModuleClass& type) {
  type.def(
          "register_parameter",
          [](nb::pointer_and_handle<nn::Module> self, nb::str name, nb::object value) {
            register_parameter(self.h, name, value);
          },
          nb::sig("def register_parameter(self, name: str, param: Parameter | None) -> None"), "name"_a,
          "param"_a.none(),
          "Adds a parameter; None keeps its place. Raises ValueError for a name that the class has for "
          "something "
          "else.")
      .def(
          "register_buffer",
          [](nb::pointer_and_handle<nn::Module> self, nb::str name, const Tensor& tensor, bool persistent) {
            register_buffer(self.h, name, tensor, persistent);
          },
          nb::sig(
              "def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None"),
          "name"_a, "tensor"_a.none(), "persistent"_a = true,
          "Adds a buffer: a tensor that belongs to the state and is not trained. One that is not "
          "persistent is no part "
          "of state_dict().")
      .def(
          "add_module",
          [](nb::pointer_and_handle<nn::Module> self, nb::str name, nb::handle part) {
            add_module(self.h, name, part);
          },
          nb::sig("def add_module(self, name: str, module: Module | None) -> None"), "name"_a,
          "module"_a.none(), "Adds a part under a name.")
      .def("_register_hook", register_hook)
      .def("_remove_hook", &nn::Module::remove_hook)
      // What captured functions notice of the module.
      .def("_change_configuration", [](nn::Module& self) { self.configuration().change(); })
      .def("_note_use", [](const nn::Module& self) { self.configuration().note_use("a module"); })
      .def("_configuration", [](const nn::Module& self) { return self.configuration().state(); })
      .def("_restore_configuration",
           [](nn::Module& self, std::uint64_t state) { self.configuration().restore(state); })
      .def("_parameter_names", &nn::Module::parameter_names)
      .def("_buffer_names", &nn::Module::buffer_names)
      .def(
          "state_dict",
          [](const nn::Module& self, const std::string& prefix) {
            return state_to_python(self.state_dict(prefix));
          },
          nb::sig("def state_dict(self, *, prefix: str = '') -> dict[str, Tensor]"), nb::kw_only(),
          "prefix"_a = "",
          "The parameters and persistent buffers by name. They share their memory with the module.\n\n"
          "Example:\n    px.save(model.state_dict(), \"model.safetensors\")")
      .def("_load_state_dict", [](nn::Module& self, nb::handle state, bool strict) {
        const nn::StateDifference difference =
            self.load_state_dict(state_from_python(state, "load_state_dict"), strict);
        return nb::make_tuple(difference.missing, difference.unexpected);
      });
}

void add_lists(ModuleClass& type) {
  type.def(
          "parameters",
          [](const nn::Module& self, bool recurse) { return tensors(self.parameters(recurse)); },
          nb::sig("def parameters(self, recurse: bool = True) -> Iterator[Parameter]"), "recurse"_a = true,
          "The parameters of the module and its parts, each once.")
      .def(
          "named_parameters",
          [](const nn::Module& self, const std::string& prefix, bool recurse, bool remove_duplicate) {
            return names_and_tensors(self.named_parameters(prefix, recurse, remove_duplicate));
          },
          nb::sig(
              "def named_parameters(self, prefix: str = '', recurse: bool = True, remove_duplicate: bool = "
              "True) "
              "-> Iterator[tuple[str, Parameter]]"),
          "prefix"_a = "", "recurse"_a = true, "remove_duplicate"_a = true,
          "Pairs of name and parameter; one that several parts share comes once, under its first name.")
      .def(
          "buffers", [](const nn::Module& self, bool recurse) { return tensors(self.buffers(recurse)); },
          nb::sig("def buffers(self, recurse: bool = True) -> Iterator[Tensor]"), "recurse"_a = true,
          "The buffers: tensors that belong to the state and are not trained.")
      .def(
          "named_buffers",
          [](const nn::Module& self, const std::string& prefix, bool recurse, bool remove_duplicate) {
            return names_and_tensors(self.named_buffers(prefix, recurse, remove_duplicate));
          },
          nb::sig(
              "def named_buffers(self, prefix: str = '', recurse: bool = True, remove_duplicate: bool = True) "
              "-> Iterator[tuple[str, Tensor]]"),
          "prefix"_a = "", "recurse"_a = true, "remove_duplicate"_a = true, "Pairs of name and buffer.")
      .def(
          "named_children", [](nn::Module& self) { return iterator(objects_of(self.named_children())); },
          nb::sig("def named_children(self) -> Iterator[tuple[str, Module]]"),
          "Pairs of name and direct part, each part once.")
      .def("_parts", [](nn::Module& self) { return objects_of(self.parts()); })
      .def(
          "named_modules",
          [](nn::Module& self, nb::handle, const std::string& prefix) {
            return iterator(objects_of(self.named_modules(prefix)));
          },
          nb::sig(
              "def named_modules(self, memo: Any = None, prefix: str = '') -> Iterator[tuple[str, Module]]"),
          "memo"_a = nb::none(), "prefix"_a = "",
          "The module itself and all below it, with their names; one that is there twice comes once.");
}

PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(call)},
                       {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
                       {0, nullptr}};

}  // namespace

PyObject* call_python_forward(PyObject* self, PyObject* arguments, PyObject* keywords) {
  nb::object given = nb::borrow(arguments);
  nb::object named = keywords ? nb::borrow(keywords) : nb::object(nb::dict());
  if (nb::object hooks = hooks_of(self, pre_hooks_name); hooks.is_valid()) {
    for (nb::handle entry : hooks) {
      const nb::object hook = converted(entry[0]);
      const bool with_keywords = nb::cast<bool>(entry[1]);
      nb::object changed =
          with_keywords ? hook(nb::handle(self), given, named) : hook(nb::handle(self), given);
      if (changed.is_none()) continue;
      if (!with_keywords) {
        given = PyTuple_Check(changed.ptr()) ? changed : nb::make_tuple(changed);
        continue;
      }
      if (!PyTuple_Check(changed.ptr()) || PyTuple_GET_SIZE(changed.ptr()) != 2 ||
          !PyTuple_Check(PyTuple_GET_ITEM(changed.ptr(), 0)) ||
          !PyDict_Check(PyTuple_GET_ITEM(changed.ptr(), 1))) {
        fail<TypeError>(
            ErrorCode::wrong_argument_type,
            "register_forward_pre_hook: with_kwargs=True needs a hook that gives None, or a tuple of "
            "arguments and a dict of keyword arguments")
            .raise();
      }
      given = changed[0];
      named = changed[1];
    }
  }
  nb::object watch;  // of the gradients, as they go back through this call
  if (find_backward_hooks(self)) {
    watch = nb::handle(backward_watch)(nb::handle(self));
    given = watch.attr("enter")(given);
  }
  const nb::object forward = converted(nb::handle(self).attr(nb::handle(forward_name)));
  nb::object output = nb::steal(PyObject_Call(forward.ptr(), given.ptr(), named.ptr()));
  if (!output.is_valid()) throw nb::python_error();
  if (nb::object hooks = hooks_of(self, hooks_name); hooks.is_valid()) {
    for (nb::handle entry : hooks) {
      const nb::object hook = converted(entry[0]);
      nb::object changed = nb::cast<bool>(entry[1]) ? hook(nb::handle(self), given, named, output)
                                                    : hook(nb::handle(self), given, output);
      if (!changed.is_none()) output = changed;
    }
  }
  if (watch.is_valid()) output = watch.attr("leave")(output);
  return output.release().ptr();
}

Tensor call_python_forward(nb::handle self, const Tensor& input) {
  const nb::object output = nb::steal(call_python_forward(self.ptr(), nb::make_tuple(input).ptr(), nullptr));
  if (is_tensor(output.ptr())) return tensor_of(output.ptr());
  fail<TypeError>(ErrorCode::wrong_argument_type, "{}: forward must return a tensor here, not {}",
                  Py_TYPE(self.ptr())->tp_name, Py_TYPE(output.ptr())->tp_name)
      .raise();
}

void adopt_members(nb::handle self, nb::dict arguments) {
  nn::Module& module = *nb::inst_ptr<nn::Module>(self);
  set_plainly(self, nb::str("_arguments"), arguments);
  nn::NamedTensors parameters = module.named_parameters("", false), buffers = module.named_buffers("", false);
  for (const std::string& name : module.parameter_names())
    set_plainly(self, nb::str(name.c_str()), nb::none());
  for (const std::string& name : module.buffer_names()) set_plainly(self, nb::str(name.c_str()), nb::none());
  for (auto& [name, parameter] : parameters) {
    nb::object object =
        nb::steal(wrap_as(reinterpret_cast<PyTypeObject*>(parameter_type), std::move(parameter)));
    set_plainly(self, nb::str(name.c_str()), object);
  }
  for (const auto& [name, buffer] : buffers) set_plainly(self, nb::str(name.c_str()), nb::cast(buffer));
  for (const auto& [name, part] : module.parts()) set_plainly(self, nb::str(name.c_str()), object_of(part));
}

std::string settings_text(nb::handle self, const std::vector<ArgumentDefault>& defaults) {
  const nb::object arguments = nb::getattr(self, "_arguments", nb::dict());
  std::string text;
  for (const auto& [name, standard] : defaults) {
    if (!PyDict_Contains(arguments.ptr(), nb::str(name).ptr())) continue;
    const nb::object value = arguments[name];
    if (is_tensor(value.ptr()) || (standard.is_valid() && value.equal(standard))) continue;
    text += (text.empty() ? "" : ", ") + std::string(name) + "=" + nb::cast<std::string>(nb::repr(value));
  }
  return text;
}

void add_module_class(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  forward_name = PyUnicode_InternFromString("forward");
  hooks_name = PyUnicode_InternFromString("_forward_hooks");
  pre_hooks_name = PyUnicode_InternFromString("_forward_pre_hooks");
  backward_hooks_name = PyUnicode_InternFromString("_backward_hooks");
  m.def("_set_parameter_type", [](nb::handle type) { parameter_type = nb::borrow(type).release().ptr(); });
  m.def(
      "_set_forward_converter",
      [](nb::object converter) {
        nb::object before = forward_converter ? nb::steal(forward_converter) : nb::none();
        forward_converter = converter.is_none() ? nullptr : converter.release().ptr();
        return before;
      },
      nb::arg("converter").none(),
      "Lets the modules of this thread call converter(forward) in place of forward; gives what was set before.");
  m.def("_exchange_tensor", [](nb::handle self, const std::string& name, const Tensor& value) {
    module_of(self).exchange_tensor(name, value);
    set_plainly(self, nb::str(name.c_str()), nb::cast(value));
  });
  m.def("_set_backward_watch", [](nb::handle type) { backward_watch = nb::borrow(type).release().ptr(); });

  ModuleClass type(
      m, "Module", nb::dynamic_attr(), nb::is_weak_referenceable(), nb::type_slots(slots),
      "A part of a network, with parameters, buffers and parts of its own.\n\n"
      "A subclass calls super().__init__(), assigns parameters and modules to attributes, and defines "
      "forward().\n"
      "Calling the module runs forward() and the hooks.\n\n"
      "Example:\n"
      "    class Net(nn.Module):\n"
      "        def __init__(self):\n"
      "            super().__init__()\n"
      "            self.head = nn.Linear(8, 2)\n\n"
      "        def forward(self, x):\n"
      "            return px.relu(self.head(x))");
  type.def(nb::init<>());
  module_type = type.ptr();
  type.attr("__module__") = "phlox.nn";
  type.def(
          "forward", [](nn::Module& self, nb::args, nb::kwargs) { self.nn::Module::forward(Tensor()); },
          "What the module computes. Raises StateError unless a subclass defines it.")
      .def(
          "extra_repr", [](const nn::Module& self) { return self.nn::Module::settings(); },
          "Settings for the text form.")
      .def_prop_rw(
          "training", [](const nn::Module& self) { return self.training(); },
          [](nn::Module& self, bool on) { self.set_training(on); },
          "Whether the module is in training; train() and eval() set it in all parts.")
      .def(
          "train",
          [](nb::pointer_and_handle<nn::Module> self, bool mode) {
            self.p->train(mode);
            return nb::borrow(self.h);
          },
          nb::sig("def train(self, mode: bool = True) -> Self"), "mode"_a = true,
          "Sets the module and its parts to training, or not.")
      .def(
          "eval", [](nb::handle self) { return self.attr("train")(false); },
          nb::sig("def eval(self) -> Self"), "The same as train(False).")
      .def(
          "zero_grad", [](nn::Module& self, bool set_to_none) { self.zero_grad(set_to_none); },
          "set_to_none"_a = true, "Drops the gradients of the parameters, or fills them with zeros in place.")
      .def(
          "requires_grad_",
          [](nb::pointer_and_handle<nn::Module> self, bool on) {
            self.p->requires_grad_(on);
            return nb::borrow(self.h);
          },
          nb::sig("def requires_grad_(self, requires_grad: bool = True) -> Self"), "requires_grad"_a = true,
          "Says whether the parameters are to be trained.")
      .def(
          "summary", [](nn::Module& self, const Tensor& input) { return self.summary(input); },
          "input"_a.none() = nb::none(),
          "A table of the parts with their numbers of parameters and, for an input, the shapes of their "
          "outputs.\n\n"
          "Example:\n    print(model.summary(px.zeros(1, 3, 32, 32)))")
      .def("_to_dtype",
           [](nn::Module& self, nb::handle dtype) {
             DType found;
             if (dtype_from_python(dtype.ptr(), found)) self.to(found);
           })
      .def("_to_device", [](nn::Module& self, nb::handle device) {
        Device found;
        if (device_from_python(device.ptr(), found)) self.to(found);
      });
  add_registration(type);
  add_lists(type);
}

}  // namespace phlox::python
