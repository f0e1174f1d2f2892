#include "python/errors.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>

#include "python/frame.h"
#include "phlox/base/error.h"
#include "phlox/core/gradient_node.h"
#include "phlox/train/trap_nonfinite.h"
#include "python/tensor/tensor_object.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

struct ErrorClasses {
  PyObject* base;
  PyObject* shape;
  PyObject* dtype;
  PyObject* device;
  PyObject* index;
  PyObject* value;
  PyObject* type;
  PyObject* gradient;
  PyObject* state;
  PyObject* format;
  PyObject* file;
  PyObject* file_not_found;
  PyObject* out_of_memory;
  PyObject* not_supported;
  PyObject* graph;
  PyObject* assertion;
  PyObject* nonfinite;
  PyObject* linear_algebra;
};
ErrorClasses classes;

PyObject* class_of(const Error& error) {
  if (dynamic_cast<const ShapeError*>(&error)) return classes.shape;
  if (dynamic_cast<const DTypeError*>(&error)) return classes.dtype;
  if (dynamic_cast<const DeviceError*>(&error)) return classes.device;
  if (dynamic_cast<const IndexError*>(&error)) return classes.index;
  if (dynamic_cast<const ValueError*>(&error)) return classes.value;
  if (dynamic_cast<const TypeError*>(&error)) return classes.type;
  if (dynamic_cast<const GradientError*>(&error)) return classes.gradient;
  if (dynamic_cast<const StateError*>(&error)) return classes.state;
  if (dynamic_cast<const FormatError*>(&error)) return classes.format;
  if (dynamic_cast<const FileNotFoundError*>(&error)) return classes.file_not_found;
  if (dynamic_cast<const FileError*>(&error)) return classes.file;
  if (dynamic_cast<const OutOfMemoryError*>(&error)) return classes.out_of_memory;
  if (dynamic_cast<const NotSupportedError*>(&error)) return classes.not_supported;
  if (dynamic_cast<const GraphError*>(&error)) return classes.graph;
  if (dynamic_cast<const AssertionError*>(&error)) return classes.assertion;
  if (dynamic_cast<const NonFiniteError*>(&error)) return classes.nonfinite;
  if (dynamic_cast<const LinAlgError*>(&error)) return classes.linear_algebra;
  return classes.base;
}

// What the program calls the tensors in the error, and which of them are parameters of a module.
void add_names(Error& error, PyObject* const* arguments, Py_ssize_t count) {
  nb::list subjects, values;
  for (const Error::Detail& detail : error.details()) {
    if (detail.subject) subjects.append(reinterpret_cast<std::uintptr_t>(detail.subject));
  }
  if (nb::len(subjects) == 0) return;
  for (Py_ssize_t i = 0; i < count; ++i) values.append(nb::handle(arguments[i]));
  const nb::tuple found =
      nb::cast<nb::tuple>(nb::module_::import_("phlox._places").attr("explain")(subjects, values));
  const auto each = [&](nb::handle pairs, auto set) {
    for (nb::handle pair : pairs) {
      const auto* subject = reinterpret_cast<const void*>(nb::cast<std::uintptr_t>(pair[0]));
      set(subject, nb::cast<std::string>(pair[1]));
    }
  };
  each(found[0], [&](const void* subject, const std::string& text) { error.set_name(subject, text); });
  each(found[1], [&](const void* subject, const std::string& text) { error.set_note(subject, text); });
}

// The line of the program stands beside the first tensor that has a name, or else on a line of its own.
void add_place(Error& error) {
  for (const Error::Detail& detail : error.details())
    if (detail.label == "from") return;  // it knows better
  const std::string line = user_line();
  if (line.empty()) return;
  for (const Error::Detail& detail : error.details()) {
    if (!detail.subject || detail.name.empty() || !detail.note.empty()) continue;
    error.set_note(detail.subject, line);
    return;
  }
  error.add_detail("at", line);
}

void raise(Error& error, PyObject* const* arguments = nullptr, Py_ssize_t count = 0) {
  try {
    add_names(error, arguments, count);
  } catch (const std::exception&) {
    PyErr_Clear();  // an error about the error helps nobody
  }
  add_place(error);
  PyObject* text = PyUnicode_FromString(error.what());
  PyObject* exception = text ? PyObject_CallOneArg(class_of(error), text) : nullptr;
  Py_XDECREF(text);
  if (!exception) return;
  PyObject* code = PyUnicode_FromString(fmt::format("E{:04}", static_cast<unsigned>(error.code())).c_str());
  if (code) PyObject_SetAttrString(exception, "code", code);
  Py_XDECREF(code);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
  Py_DECREF(exception);
}

PyObject* add_class(PyObject* module, const char* name, const char* doc, PyObject* base, PyObject* built_in) {
  const std::string full = std::string("phlox.errors.") + name;
  PyObject* bases = built_in ? PyTuple_Pack(2, base, built_in) : PyTuple_Pack(1, base);
  PyObject* attributes = Py_BuildValue("{s:s}", "code", "");
  PyObject* made = PyErr_NewExceptionWithDoc(full.c_str(), doc, bases, attributes);
  Py_XDECREF(bases);
  Py_XDECREF(attributes);
  if (!made || PyModule_AddObjectRef(module, name, made) < 0) throw nb::python_error();
  return made;
}

// Errors of code written in Python have the same form.
void fail_from_python(const std::string& kind, const std::string& name, const std::string& summary,
                      const nb::dict& details, const std::string& hint) {
  ErrorCode code{};
  for (const ErrorEntry& entry : error_catalog()) {
    if (entry.name == name) code = entry.code;
  }
  const auto throw_as = [&]<class E>(E error) {
    for (auto [label, text] : details) {
      const std::string key = nb::cast<std::string>(label);
      if (is_tensor(text.ptr())) {
        const Description description = describe(tensor_of(text.ptr()));
        error.add_detail(key, description, description.subject);
      } else {
        error.add_detail(key, nb::cast<std::string>(nb::str(text)));
      }
    }
    if (!hint.empty()) error.add_hint(hint);
    throw error;
  };
  if (kind == "ShapeError") throw_as(ShapeError(code, summary));
  if (kind == "DTypeError") throw_as(DTypeError(code, summary));
  if (kind == "IndexError") throw_as(IndexError(code, summary));
  if (kind == "TypeError") throw_as(TypeError(code, summary));
  if (kind == "GradientError") throw_as(GradientError(code, summary));
  if (kind == "GraphError") throw_as(GraphError(code, summary));
  if (kind == "StateError") throw_as(StateError(code, summary));
  if (kind == "FormatError") throw_as(FormatError(code, summary));
  if (kind == "DeviceError") throw_as(DeviceError(code, summary));
  if (kind == "FileError") throw_as(FileError(code, summary));
  if (kind == "FileNotFoundError") throw_as(FileNotFoundError(code, summary));
  if (kind == "AssertionError") throw_as(AssertionError(code, summary));
  if (kind == "NotSupportedError") throw_as(NotSupportedError(code, summary));
  throw_as(ValueError(code, summary));
}

std::string python_location() {
  nb::gil_scoped_acquire gil;
  return user_line();
}

}  // namespace

PyObject* raise_python_error(PyObject* const* arguments, Py_ssize_t count) noexcept {
  try {
    throw;
  } catch (nb::python_error& error) {
    error.restore();
  } catch (Error& error) {
    raise(error, arguments, count);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

std::string kind_of(PyObject* object) {
  const char* type = Py_TYPE(object)->tp_name;
  if (PyType_Check(object)) {
    const std::string name = reinterpret_cast<PyTypeObject*>(object)->tp_name;
    return "the class " + name.substr(name.rfind('.') + 1);
  }
  if (PyCallable_Check(object) && PyObject_HasAttrString(object, "__name__"))
    return "the function " + nb::cast<std::string>(nb::str(nb::handle(object).attr("__name__")));
  return type;
}

void throw_python_error() { throw nb::python_error(); }

void add_error_classes(PyObject* module) {
  PyObject* base =
      add_class(module, "PhloxError", "Base of all errors of Phlox. `code` is its entry in the catalogue.",
                PyExc_Exception, nullptr);
  const auto add = [&](const char* name, const char* doc, PyObject* built_in) {
    return add_class(module, name, doc, base, built_in);
  };
  classes.base = base;
  classes.shape = add("ShapeError", "Sizes or numbers of dimensions do not fit.", PyExc_ValueError);
  classes.dtype = add("DTypeError", "An operation does not exist for a dtype.", PyExc_TypeError);
  classes.device =
      add("DeviceError", "A device does not exist, or tensors are on different ones.", PyExc_RuntimeError);
  classes.index = add("IndexError", "An index is out of range or of the wrong kind.", PyExc_IndexError);
  classes.value = add("ValueError", "An argument has a value that is not allowed.", PyExc_ValueError);
  classes.type = add("TypeError", "An argument has the wrong type or is missing.", PyExc_TypeError);
  classes.gradient = add("GradientError", "Gradients cannot be computed as asked.", PyExc_RuntimeError);
  classes.state = add("StateError", "An object is not in a state that allows this.", PyExc_RuntimeError);
  classes.format = add("FormatError", "A file does not follow its format.", PyExc_ValueError);
  classes.file = add("FileError", "A file cannot be read or written.", PyExc_OSError);
  classes.file_not_found = add_class(module, "FileNotFoundError", "A file or its folder does not exist.",
                                     classes.file, PyExc_FileNotFoundError);
  classes.out_of_memory = add("OutOfMemoryError", "Memory is exhausted.", PyExc_MemoryError);
  classes.not_supported =
      add("NotSupportedError", "The combination asked for is not supported.", PyExc_NotImplementedError);
  classes.assertion =
      add("AssertionError", "An assertion of a captured function does not hold.", PyExc_AssertionError);
  classes.nonfinite = add("NonFiniteError", "An operation gives NaN or infinity.", PyExc_ArithmeticError);
  classes.linear_algebra =
      add("LinAlgError", "A matrix is singular, or cannot be factorised.", PyExc_RuntimeError);
  classes.graph =
      add("GraphError", "A function cannot be captured, or a graph is not valid.", PyExc_RuntimeError);
  nb::module_ m = nb::borrow<nb::module_>(module);
  m.def("_identity",
        [](nb::handle tensor) { return reinterpret_cast<std::uintptr_t>(tensor_of(tensor.ptr()).impl()); });
  m.def("_fail", fail_from_python, nb::arg("kind"), nb::arg("code"), nb::arg("summary"), nb::arg("details"),
        nb::arg("hint"));
  // Cold functions are bound by nanobind; they raise the same classes.
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (Error& error) {
      raise(error);
    }
  });
  current_location = python_location;
}

}  // namespace phlox::python
