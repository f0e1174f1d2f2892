// phlox.Tensor as Python sees it: a type written by hand, because each operation makes one of these objects.
#pragma once

#include <Python.h>

#include <utility>

#include "phlox/core/tensor.h"

namespace phlox::python {

// There is at most one such object for a TensorImpl (TensorImpl::python_object), so `is` and attributes work for as
// long as the object lives.
struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject* weak_references;
  PyObject* attributes;  // __dict__, made when first needed
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* object) {
  return Py_TYPE(object) == tensor_type || PyType_IsSubtype(Py_TYPE(object), tensor_type);
}
inline const Tensor& tensor_of(PyObject* object) { return reinterpret_cast<TensorObject*>(object)->tensor; }

// A new reference to the object of the tensor; None for an undefined one.
PyObject* wrap(Tensor&& tensor);
inline PyObject* wrap(const Tensor& tensor) { return wrap(Tensor(tensor)); }

// An object of a subclass for a tensor that has no object yet; a null pointer with an error set on failure.
PyObject* wrap_as(PyTypeObject* type, Tensor&& tensor);

// Creates the type, without the operations, which come from the registry.
void add_tensor_type(PyObject* module);

// Parts of the type, each in a file of its own.
extern PyMethodDef tensor_methods[];
extern PyGetSetDef tensor_attributes[];
PyType_Slot* number_slots();
PyObject* tensor_subscript(PyObject* self, PyObject* key) noexcept;
int tensor_assign_subscript(PyObject* self, PyObject* key, PyObject* value) noexcept;
PyObject* tensor_item(PyObject* self, Py_ssize_t index) noexcept;

}  // namespace phlox::python
