// phlox.optim: optimisers and schedules.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_optimizers(PyObject* module);

}  // namespace phlox::python
