// Small things between Python and C++: numbers, shapes, dtypes, devices.
#pragma once

#include <Python.h>

#include <optional>

#include "phlox/core/tensor.h"

namespace phlox::python {

// All functions throw; those that return a PyObject give a new reference.

// False when the object is not a number. Python's numbers, NumPy's scalars and whatever has __index__ or __float__
// count; arrays and tensors do not. Throws DTypeError for integers of more than 64 bits.
bool scalar_from_python(PyObject* object, Scalar& scalar);
PyObject* scalar_to_python(const Scalar& scalar, DType dtype);

// False when the object is not an integer.
bool integer_from_python(PyObject* object, std::int64_t& value);
// False when the object is not a sequence of integers.
bool integers_from_python(PyObject* object, std::vector<std::int64_t>& values);

// px.Size, a tuple with numel().
PyObject* size_to_python(std::span<const std::int64_t> sizes);

// px.float32, "float32", float, numpy.float32, numpy.dtype("float32").
bool dtype_from_python(PyObject* object, DType& dtype);
PyObject* dtype_to_python(DType dtype);
// px.device("cuda:1"), "cuda:1", 1.
bool device_from_python(PyObject* object, Device& device);
PyObject* device_to_python(Device device);

// The same for arguments that may be left out: null and None mean "unset". Throw TypeError naming `operation`.
std::optional<DType> optional_dtype(PyObject* object, const char* operation);
std::optional<Device> optional_device(PyObject* object, const char* operation);

// Adds Size, dtype, device and the dtypes to the module.
void add_conversions(PyObject* module);

}  // namespace phlox::python
