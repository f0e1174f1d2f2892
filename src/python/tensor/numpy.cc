#include "python/tensor/numpy.h"

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstring>

#include "python/errors.h"
#include "python/tensor/foreign_memory.h"
#include "phlox/core/recording.h"
#include "python/tensor/tensor_object.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

namespace nb = nanobind;

namespace phlox::python {

namespace {

bool numpy_ready = false;

void load_numpy() {
  if (numpy_ready) [[likely]]
    return;
  if (_import_array() < 0) throw_python_error();
  numpy_ready = true;
}

bool numpy_loaded() {
  if (numpy_ready) [[likely]]
    return true;
  PyObject* modules = PyImport_GetModuleDict();
  // A module that is being imported right now is not usable yet.
  if (!PyDict_GetItemString(modules, "numpy") || !PyDict_GetItemString(modules, "numpy.linalg")) return false;
  load_numpy();
  return true;
}

bool dtype_of_array(PyArrayObject* array, DType& dtype) {
  const char kind = PyArray_DESCR(array)->kind;
  const npy_intp bytes = PyArray_ITEMSIZE(array);
  const auto sized = [&](DType one, DType two, DType four, DType eight) {
    dtype = bytes == 1 ? one : bytes == 2 ? two : bytes == 4 ? four : eight;
    return true;
  };
  switch (kind) {
    case 'b': dtype = DType::bool_; return true;
    case 'u': return sized(DType::uint8, DType::uint16, DType::uint32, DType::uint64);
    case 'i': return sized(DType::int8, DType::int16, DType::int32, DType::int64);
    case 'f':
      if (bytes > 8) return false;
      return sized(DType::float16, DType::float16, DType::float32, DType::float64);
    case 'c':
      if (bytes > 16) return false;
      dtype = bytes == 8 ? DType::complex64 : DType::complex128;
      return true;
    default: return false;
  }
}

int numpy_type(DType dtype) {
  switch (dtype) {
    case DType::bool_: return NPY_BOOL;
    case DType::uint8: return NPY_UINT8;
    case DType::uint16: return NPY_UINT16;
    case DType::uint32: return NPY_UINT32;
    case DType::uint64: return NPY_UINT64;
    case DType::int8: return NPY_INT8;
    case DType::int16: return NPY_INT16;
    case DType::int32: return NPY_INT32;
    case DType::int64: return NPY_INT64;
    case DType::float16: return NPY_FLOAT16;
    case DType::float32: return NPY_FLOAT32;
    case DType::float64: return NPY_FLOAT64;
    case DType::complex64: return NPY_COMPLEX64;
    case DType::complex128: return NPY_COMPLEX128;
    default: return -1;
  }
}

bool has_whole_strides(PyArrayObject* array) {
  for (int i = 0; i < PyArray_NDIM(array); ++i)
    if (PyArray_STRIDE(array, i) % std::max<npy_intp>(PyArray_ITEMSIZE(array), 1)) return false;
  return true;
}

}  // namespace

bool is_numpy_array(PyObject* object) { return numpy_loaded() && PyArray_Check(object); }
bool is_numpy_bool(PyObject* object) { return numpy_loaded() && PyArray_IsScalar(object, Bool); }

std::optional<DType> dtype_of_numpy_number(PyObject* object) {
  if (!numpy_loaded() || !PyArray_IsScalar(object, Generic)) return std::nullopt;
  nb::object array = nb::steal(PyArray_FromScalar(object, nullptr));
  if (!array.is_valid()) throw_python_error();
  DType dtype;
  if (!dtype_of_array(reinterpret_cast<PyArrayObject*>(array.ptr()), dtype)) return std::nullopt;
  return dtype;
}

Tensor tensor_from_numpy(PyObject* object, bool allow_copy) {
  load_numpy();
  if (!PyArray_Check(object))
    fail<TypeError>(ErrorCode::wrong_argument_type, "from_numpy: takes a numpy.ndarray, not {}",
                    Py_TYPE(object)->tp_name)
        .hint("px.tensor(data), which copies")
        .raise();
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  DType dtype;
  if (!dtype_of_array(array, dtype)) {
    nb::object name = nb::borrow(reinterpret_cast<PyObject*>(PyArray_DESCR(array))).attr("name");
    fail<DTypeError>(ErrorCode::wrong_dtype, "from_numpy: there is no dtype for NumPy's {}",
                     nb::cast<const char*>(name))
        .hint("array.astype(\"float32\")")
        .raise();
  }
  if (!PyArray_ISALIGNED(array) || !PyArray_ISNOTSWAPPED(array) || !has_whole_strides(array)) {
    if (!allow_copy)
      fail<ValueError>(
          ErrorCode::invalid_value,
          "from_numpy: the array is unaligned, byte-swapped or of odd strides, and sharing it is impossible")
          .hint("px.tensor(array), which copies")
          .raise();
    nb::object native = nb::steal(PyArray_FromArray(
        array, PyArray_DescrFromType(numpy_type(dtype)),
        NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_C_CONTIGUOUS));
    if (!native.is_valid()) throw_python_error();
    return tensor_from_numpy(native.ptr(), false);
  }
  Shape shape;
  Strides strides;
  for (int i = 0; i < PyArray_NDIM(array); ++i) {
    shape.push_back(PyArray_DIM(array, i));
    strides.push_back(PyArray_ITEMSIZE(array) ? PyArray_STRIDE(array, i) / PyArray_ITEMSIZE(array) : 0);
  }
  return share_memory_of(object, PyArray_DATA(array), shape, strides, dtype, !PyArray_ISWRITEABLE(array));
}

PyObject* tensor_to_numpy(const Tensor& tensor) {
  load_numpy();
  const TensorImpl& t = *tensor.impl();
  const int type = numpy_type(t.dtype);
  if (type < 0)
    fail<DTypeError>(ErrorCode::wrong_dtype, "numpy: NumPy has no dtype for {}", info(t.dtype).name)
        .detail("tensor", describe(tensor))
        .hint("x.float().numpy()")
        .raise();
  npy_intp shape[max_rank], strides[max_rank];
  for (int i = 0; i < t.rank; ++i) {
    shape[i] = t.sizes[i];
    strides[i] = t.strides[i] * element_size(t.dtype);
  }
  const int flags = t.storage->read_only ? 0 : NPY_ARRAY_WRITEABLE;
  nb::object array = nb::steal(
      PyArray_New(&PyArray_Type, t.rank, shape, type, strides, tensor.data_pointer(), 0, flags, nullptr));
  if (!array.is_valid()) throw_python_error();
  // The array keeps a handle of its own, so that the tensor may be resized or assigned to.
  PyObject* owner = wrap(shallow_alias(tensor));
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.ptr()), owner) < 0) throw_python_error();
  return array.release().ptr();
}

}  // namespace phlox::python
