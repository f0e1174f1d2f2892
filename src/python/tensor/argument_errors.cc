#include "python/tensor/argument_errors.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "python/errors.h"
#include "phlox/base/error.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

// How nanobind itself calls each function. Written while the module is made, read afterwards.
std::unordered_map<PyObject*, vectorcallfunc>& original_calls() {
  static std::unordered_map<PyObject*, vectorcallfunc> calls;
  return calls;
}

bool is_bound_function(PyObject* object) {
  const char* name = Py_TYPE(object)->tp_name;
  const char* dot = std::strrchr(name, '.');
  name = dot ? dot + 1 : name;
  return Py_TYPE(object)->tp_vectorcall_offset > 0 &&
         (std::strcmp(name, "nb_func") == 0 || std::strcmp(name, "nb_method") == 0);
}

vectorcallfunc& call_slot(PyObject* function) {
  return *reinterpret_cast<vectorcallfunc*>(reinterpret_cast<char*>(function) +
                                            Py_TYPE(function)->tp_vectorcall_offset);
}

// "Linear(in_features: int, bias: bool = True)" for each line "    1. __init__(self, in_features: int, ...) -> None".
std::vector<std::string> signatures_in(const std::string& text, const std::string& name,
                                       const std::string& shown) {
  std::vector<std::string> found;
  for (std::size_t at = text.find("\n    "); at != text.npos; at = text.find("\n    ", at + 1)) {
    const std::size_t end = std::min(text.find('\n', at + 1), text.size());
    const std::size_t start = text.find(name + "(", at);
    if (start == text.npos || start > end) continue;
    std::string signature = text.substr(start + name.size(), end - start - name.size());
    if (const std::size_t arrow = signature.rfind(" -> "); arrow != signature.npos) signature.resize(arrow);
    for (const char* self : {"(self, ", "(self"}) {
      if (signature.starts_with(self)) signature = "(" + signature.substr(std::strlen(self));
    }
    found.push_back(shown + signature);
  }
  return found;
}

// Replaces the Python error that is set if it is nanobind's about arguments.
void explain(PyObject* function, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const nb::object text_object = nb::steal(PyObject_Str(value));
  const std::string text = text_object.is_valid() ? nb::cast<std::string>(text_object) : "";
  if (text.find("(): incompatible function arguments.") == text.npos)
    return PyErr_Restore(type, value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);

  const std::string name = nb::cast<std::string>(nb::str(nb::handle(function).attr("__name__")));
  const bool method = std::strstr(Py_TYPE(function)->tp_name, "nb_method") != nullptr && count > 0;
  std::string shown = name;
  if (method) {
    const std::string owner = Py_TYPE(arguments[0])->tp_name;
    const std::string plain = owner.substr(owner.rfind('.') + 1);
    shown = name == "__init__" ? plain : plain + "." + name;
  }
  std::string got;
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t i = method ? 1 : 0; i < count + keyword_count; ++i) {
    if (!got.empty()) got += ", ";
    if (i >= count) got += nb::cast<std::string>(nb::handle(PyTuple_GET_ITEM(keywords, i - count))) + "=";
    got += kind_of(arguments[i]);
  }
  auto error = fail<TypeError>(ErrorCode::wrong_argument_type, "{}: these arguments do not fit", shown);
  error.detail("got", got.empty() ? "nothing" : got);
  const std::vector<std::string> signatures = signatures_in(text, name, shown);
  for (std::size_t i = 0; i + 1 < signatures.size(); ++i) error.detail("or", signatures[i]);
  if (!signatures.empty()) error.hint(signatures.back());
  error.raise();
}

PyObject* call_checked(PyObject* function, PyObject* const* arguments, std::size_t flags,
                       PyObject* keywords) noexcept {
  PyObject* result = original_calls().find(function)->second(function, arguments, flags, keywords);
  if (result || !PyErr_ExceptionMatches(PyExc_TypeError)) return result;
  PHLOX_TRY
  // The high bits of the number are flags, of which nanobind has some of its own.
  explain(function, arguments, static_cast<Py_ssize_t>(flags & 0xFFFF), keywords);
  return nullptr;
  PHLOX_CATCH
}

void visit(PyObject* dict) {
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &value)) {
    if (is_bound_function(value)) {
      vectorcallfunc& slot = call_slot(value);
      if (!slot || slot == call_checked) continue;
      original_calls()[value] = slot;
      slot = call_checked;
    } else if (PyType_Check(value)) {
      if (PyObject* members = reinterpret_cast<PyTypeObject*>(value)->tp_dict) visit(members);
    } else if (PyModule_Check(value)) {
      visit(PyModule_GetDict(value));
    }
  }
}

}  // namespace

void explain_argument_errors(PyObject* module) { visit(PyModule_GetDict(module)); }

}  // namespace phlox::python
