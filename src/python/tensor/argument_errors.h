// Wrong arguments of the functions that nanobind binds, as errors of our own form.
#pragma once

#include <Python.h>

namespace phlox::python {

// nanobind describes wrong arguments in a text of its own, without a code and with names of C++ templates' making.
// From now on, the functions and methods in the module and its submodules raise TypeError [E0104] instead.
void explain_argument_errors(PyObject* module);

}  // namespace phlox::python
