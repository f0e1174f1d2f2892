// Gradients from Python: modes, hooks, functions with a gradient of their own.
#pragma once

#include <Python.h>

#include "phlox/core/tensor.h"

namespace phlox::python {

// The node that made the tensor, for x.grad_fn; None for a leaf. A new reference.
PyObject* gradient_function_of(const Tensor& tensor);

void add_autograd(PyObject* module);

}  // namespace phlox::python
