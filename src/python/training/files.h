// phlox.io: safetensors, NumPy files, pictures.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_files(PyObject* module);

}  // namespace phlox::python
