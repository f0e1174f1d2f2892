// Tools for finding out what a program does.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_debugging(PyObject* module);

}  // namespace phlox::python
