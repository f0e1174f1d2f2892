// Results of operations as Python objects, and the Python types of operations themselves.
#pragma once

#include <Python.h>

#include "python/tensor/operations.h"

namespace phlox::python {

// A new reference. Several results come as a named tuple where the registry names them. Throws.
PyObject* result_to_python(Result&& result, const Binding& binding);

// Creates operation_type and method_type.
void add_operation_types(PyObject* module);

}  // namespace phlox::python
