// Exchange with other libraries without copies: the DLPack protocol, https://dmlc.github.io/dlpack.
#pragma once

#include <Python.h>

#include "phlox/core/tensor.h"

namespace phlox::python {

// From any object with __dlpack__; shares its memory.
Tensor tensor_from_dlpack(PyObject* object);

// A capsule for other libraries; a new reference. `versioned` is the format since DLPack 1.0.
// Throws GradientError for a tensor that requires gradients, DTypeError for dtypes the protocol lacks.
PyObject* tensor_to_dlpack(const Tensor& tensor, bool versioned, bool copied);

}  // namespace phlox::python
