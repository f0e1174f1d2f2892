// x[...] and x[...] = value, as NumPy has them. One integer or one slice takes a short way.

#include <nanobind/nanobind.h>

#include <vector>

#include "python/tensor/convert.h"
#include "python/tensor/creation.h"
#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "python/tensor/operations.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/indexing.h"
#include "phlox/ops/view.h"
#include "python/tensor/tensor_object.h"
#include "python/tensor/unknown_values.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

struct PythonSlice {
  Py_ssize_t start, stop, step;
};

PythonSlice unpack_slice(PyObject* slice) {
  PythonSlice s;
  if (PySlice_Unpack(slice, &s.start, &s.stop, &s.step) == 0) return s;
  // A step of 0, or a bound that is no integer, or not known yet.
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const nb::object text = nb::steal(PyObject_Str(value));
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
  const auto* bounds = reinterpret_cast<const PySliceObject*>(slice);
  for (PyObject* bound : {bounds->start, bounds->stop, bounds->step})
    if (is_tensor(bound))
      known_item(
          tensor_of(bound), "index: a bound of a slice",
          "keep the shape: px.where(px.arange(x.shape[0]) < <tensor>, x, 0); or pass the bound as an int");
  fail<IndexError>(ErrorCode::bad_index, "index: {}", nb::cast<std::string>(text))
      .detail("got", nb::cast<std::string>(nb::str(nb::handle(slice))))
      .raise();
}

Tensor slice_first(const Tensor& tensor, PyObject* key) {
  PythonSlice s = unpack_slice(key);
  const Py_ssize_t count =
      PySlice_AdjustIndices(static_cast<Py_ssize_t>(tensor.impl()->sizes[0]), &s.start, &s.stop, s.step);
  return slice_dim(tensor, 0, s.start, count, s.step);
}

[[noreturn]] void throw_bad_index(PyObject* object) {
  fail<IndexError>(ErrorCode::bad_index,
                   "index: takes integers, slices, ..., None, and integer or boolean tensors, not {}",
                   Py_TYPE(object)->tp_name)
      .raise();
}

Index index_from_python(PyObject* object) {
  if (PyBool_Check(object)) return Index(Tensor(Scalar(object == Py_True)));
  if (PyLong_Check(object)) {
    std::int64_t position;
    integer_from_python(object, position);
    return Index(position);
  }
  if (PySlice_Check(object)) {
    auto* slice = reinterpret_cast<PySliceObject*>(object);
    const PythonSlice s = unpack_slice(object);
    Slice result;
    if (slice->start != Py_None) result.start = s.start;
    if (slice->stop != Py_None) result.stop = s.stop;
    result.step = s.step;
    return Index(result);
  }
  if (object == Py_Ellipsis) return Index(ellipsis);
  if (object == Py_None) return Index(newaxis);
  if (is_tensor(object)) {
    const Tensor& tensor = tensor_of(object);
    // Captured, a position that is not known yet gives a copy of what it names.
    if (tensor.rank() == 0 && is_integer(tensor.dtype()) && !thread_mode.interpreter_count)
      return Index(tensor.item().integer());
    return Index(tensor);
  }
  if (is_numpy_array(object)) return Index(tensor_from_numpy(object, true));
  if (PyList_Check(object) || PyTuple_Check(object)) {
    const bool empty = PySequence_Size(object) == 0;
    return Index(
        tensor_from_python(object, empty ? std::optional(DType::int64) : std::nullopt, std::nullopt, true));
  }
  if (is_numpy_bool(object)) return Index(Tensor(Scalar(PyObject_IsTrue(object) == 1)));
  std::int64_t position;
  if (integer_from_python(object, position)) return Index(position);
  throw_bad_index(object);
}

std::vector<Index> indices_from_python(PyObject* key) {
  std::vector<Index> indices;
  if (!PyTuple_Check(key)) {
    indices.push_back(index_from_python(key));
    return indices;
  }
  indices.reserve(static_cast<std::size_t>(PyTuple_GET_SIZE(key)));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i)
    indices.push_back(index_from_python(PyTuple_GET_ITEM(key, i)));
  return indices;
}

}  // namespace

PyObject* tensor_item(PyObject* self, Py_ssize_t index) noexcept {
  PHLOX_TRY
  return wrap(select(tensor_of(self), 0, index));
  PHLOX_CATCH
}

PyObject* tensor_subscript(PyObject* self, PyObject* key) noexcept {
  PyObject* const operands[] = {self, key};
  PHLOX_TRY
  const Tensor& tensor = tensor_of(self);
  if (tensor.impl()->rank > 0) [[likely]] {
    if (PySlice_Check(key)) return wrap(slice_first(tensor, key));
    if (PyLong_CheckExact(key)) {
      std::int64_t position;
      integer_from_python(key, position);
      const std::int64_t size = tensor.impl()->sizes[0];
      if (position >= -size && position < size) [[likely]]
        return wrap(select(tensor, 0, position));
    }
  }
  return wrap(index(tensor, indices_from_python(key)));
  PHLOX_CATCH_CALL(operands, 2)
}

int tensor_assign_subscript(PyObject* self, PyObject* key, PyObject* value) noexcept {
  PHLOX_TRY
  if (!value) {
    fail<TypeError>(ErrorCode::not_supported, "del: elements of a tensor cannot be deleted")
        .detail("tensor", describe(tensor_of(self)))
        .hint("x[keep], with a mask or the positions that stay, gives a new tensor")
        .raise();
  }
  const Tensor& tensor = tensor_of(self);
  const std::vector<Index> indices = indices_from_python(key);
  Scalar scalar;
  if (is_tensor(value)) {
    set_index(tensor, indices, tensor_of(value));
  } else if (scalar_from_python(value, scalar)) {
    set_index(tensor, indices, scalar);
  } else {
    set_index(tensor, indices, tensor_from_python(value, tensor.dtype(), std::nullopt, true));
  }
  return 0;
  PHLOX_CATCH_INT
}

}  // namespace phlox::python
