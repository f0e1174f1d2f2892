// Errors on their way from C++ to Python and back.
#pragma once

#include <Python.h>

#include <string>

namespace phlox::python {

// Inside a catch block: turns the exception into the Python error of the same name, with the line of the user's
// program that led to it and the program's names of the tensors in it. `arguments` are those of the operation, where
// they are known. Always returns null, as a failing C function does.
PyObject* raise_python_error(PyObject* const* arguments = nullptr, Py_ssize_t count = 0) noexcept;

// A Python error that is set now, as a C++ exception: it passes through C++ code and raise_python_error() sets it again.
[[noreturn]] void throw_python_error();

// What an object is, for messages: "int", "the class ReLU", "the function relu".
std::string kind_of(PyObject* object);

// Creates the classes of errors and puts them into the module.
void add_error_classes(PyObject* module);

// Runs code that may throw; the result in case of an error is null (or -1 for integers).
#define PHLOX_TRY try {
#define PHLOX_CATCH                               \
  }                                               \
  catch (...) {                                   \
    return ::phlox::python::raise_python_error(); \
  }
#define PHLOX_CATCH_CALL(...)                                \
  }                                                          \
  catch (...) {                                              \
    return ::phlox::python::raise_python_error(__VA_ARGS__); \
  }
#define PHLOX_CATCH_INT                    \
  }                                        \
  catch (...) {                            \
    ::phlox::python::raise_python_error(); \
    return -1;                             \
  }

}  // namespace phlox::python
