#include "python/frame.h"

#include <Python.h>
#include <frameobject.h>
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace phlox::python {

namespace {

// The folder of the package, with a separator at its end.
const std::string& package_folder() {
  static const std::string folder = [] {
    std::string path = nb::cast<const char*>(nb::module_::import_("phlox").attr("__file__"));
    return path.substr(0, path.find_last_of("/\\") + 1);
  }();
  return folder;
}

std::string describe(PyFrameObject* frame, const std::string& file) {
  const int number = PyFrame_GetLineNumber(frame);
  nb::object globals = nb::borrow(reinterpret_cast<PyObject*>(frame)).attr("f_globals");
  nb::object line = nb::module_::import_("linecache").attr("getline")(file.c_str(), number, globals);
  line = line.attr("strip")();
  const std::string name = file.substr(file.find_last_of("/\\") + 1);
  std::string text = name + ":" + std::to_string(number);
  if (nb::len(line) > 0) text += std::string("   ") + nb::cast<const char*>(line);
  return text;
}

}  // namespace

std::string user_line() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  std::string found;
  try {
    nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
    while (frame.is_valid()) {
      auto* raw = reinterpret_cast<PyFrameObject*>(frame.ptr());
      nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(raw)));
      const std::string file = nb::cast<const char*>(code.attr("co_filename"));
      // Python's contextlib stands between the program and context managers that are generators.
      if (file.rfind(package_folder(), 0) != 0 && !file.ends_with("/contextlib.py")) {
        found = describe(raw, file);
        break;
      }
      frame = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(raw)));
    }
  } catch (const std::exception&) {
    found.clear();  // an error about the error helps nobody
    PyErr_Clear();
  }
  PyErr_Restore(type, value, traceback);
  return found;
}

}  // namespace phlox::python
