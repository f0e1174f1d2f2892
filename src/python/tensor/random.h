// Random generators in Python.
#pragma once

#include <Python.h>

#include "phlox/core/random.h"

namespace phlox::python {

// Null when the object is not a px.Generator.
Generator* generator_from_python(PyObject* object);

void add_random(PyObject* module);

}  // namespace phlox::python
