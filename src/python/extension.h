// Operations that are added while the program runs: from extensions, and from Python functions.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_extensions(PyObject* module);

}  // namespace phlox::python
