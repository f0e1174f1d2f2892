// Tensors on memory that a Python object owns.
#pragma once

#include <Python.h>

#include "phlox/core/tensor.h"

namespace phlox::python {

// `data` is the address of the first element; strides may be negative. Keeps `owner` alive.
Tensor share_memory_of(PyObject* owner, void* data, const Shape& shape, const Strides& strides, DType dtype,
                       bool read_only);

// The same with a C callback instead of a Python object.
Tensor share_memory(void* data, const Shape& shape, const Strides& strides, DType dtype, bool read_only,
                    void (*release)(void*), void* owner);

}  // namespace phlox::python
