// Capturing functions and looking at their graphs.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_graph(PyObject* module);

}  // namespace phlox::python
