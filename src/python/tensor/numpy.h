// Exchange with NumPy without copies. NumPy is loaded when it is first needed, because loading takes 50 ms.
#pragma once

#include <Python.h>

#include <optional>

#include "phlox/core/tensor.h"

namespace phlox::python {

// False, without loading NumPy, when the program has not loaded it.
bool is_numpy_array(PyObject* object);
bool is_numpy_bool(PyObject* object);
// The dtype of a number such as np.float32(1.5). Nothing for other objects.
std::optional<DType> dtype_of_numpy_number(PyObject* object);

// Shares memory with the array. Throws DTypeError for dtypes that Phlox lacks, ValueError for byte-swapped,
// unaligned and odd-strided arrays; `allow_copy` copies those instead. A read-only array gives a read-only tensor.
Tensor tensor_from_numpy(PyObject* array, bool allow_copy);

// An array that shares memory with the tensor; a new reference. Throws DTypeError for dtypes that NumPy lacks.
PyObject* tensor_to_numpy(const Tensor& tensor);

}  // namespace phlox::python
