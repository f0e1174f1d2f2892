// Tensors from Python data: px.tensor(), px.as_tensor() and wherever data may stand for a tensor.
#pragma once

#include <Python.h>

#include <optional>

#include "phlox/core/tensor.h"

namespace phlox::python {

// From numbers, nested sequences of numbers, arrays, tensors, and objects with __dlpack__ or __array__.
// The dtype, where none is given: that of arrays and tensors; bool, int64 or the default dtype for Python numbers.
// With `share`, memory is shared where possible; otherwise always copied. Carries no gradient record.
Tensor tensor_from_python(PyObject* data, std::optional<DType> dtype, std::optional<Device> device,
                          bool share);

// A nested list of Python numbers; a new reference.
PyObject* tensor_to_list(const Tensor& tensor);

// Adds tensor(), as_tensor(), from_numpy(), ... to the module.
void add_creation(PyObject* module);

}  // namespace phlox::python
