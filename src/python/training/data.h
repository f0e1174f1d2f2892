// phlox.data: datasets, loaders and the progress bar.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_data(PyObject* module);

}  // namespace phlox::python
