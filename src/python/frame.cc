#include "python/frame.h"

#include <Python.h>
#include <frameobject.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <unordered_map>

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

// Lines of a function that were asked for. While results are watched, each recorded operation asks for its own.
struct Lines {
  nb::object code;                             // keeps its address
  std::string file;                            // empty for Phlox's own functions
  std::unordered_map<int, std::string> known;  // by instruction
};

Lines& lines_of(const nb::object& code) {
  static std::unordered_map<PyObject*, Lines>& all = *new std::unordered_map<PyObject*, Lines>;
  constexpr std::size_t most = 4096;
  const auto entry = all.find(code.ptr());
  if (entry != all.end()) return entry->second;
  if (all.size() == most) all.clear();
  Lines lines{code, nb::cast<std::string>(code.attr("co_filename")), {}};
  // Python's contextlib stands between the program and context managers that are generators, and what runs modules and
  // imports them before it.
  if (lines.file.rfind(package_folder(), 0) == 0 || lines.file.ends_with("/contextlib.py") ||
      lines.file.starts_with("<frozen "))
    lines.file.clear();
  return all[code.ptr()] = std::move(lines);
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
      const nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(raw)));
      Lines& lines = lines_of(code);
      if (!lines.file.empty()) {
        std::string& line = lines.known[PyFrame_GetLasti(raw)];
        if (line.empty()) line = describe(raw, lines.file);
        found = line;
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
