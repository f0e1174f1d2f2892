// phlox.metrics: how well a model predicts.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_metrics(PyObject* module);

}  // namespace phlox::python
