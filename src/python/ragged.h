// RaggedTensor, and the module phlox._phlox._ragged of the functions that make one.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_ragged(PyObject* module);

}  // namespace phlox::python
