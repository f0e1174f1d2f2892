// SparseTensor, and the module phlox._phlox._sparse of the functions that make one.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_sparse(PyObject* module);

}  // namespace phlox::python
