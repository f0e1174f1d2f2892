// phlox._phlox._CapturedCall: what px.jit and px.trace do at each call, without Python code.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_captured_call(PyObject* module);

}  // namespace phlox::python
