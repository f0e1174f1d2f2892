// phlox.vision.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_vision(PyObject* module);

}  // namespace phlox::python
