// Methods and attributes of Tensor that are no operations: layout, moving, gradients, exchange.

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include <cstring>
#include <utility>

#include "python/autograd.h"
#include "python/tensor/convert.h"
#include "python/tensor/creation.h"
#include "python/tensor/dlpack.h"
#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "python/tensor/operations.h"
#include "phlox/core/recording.h"
#include "phlox/graph/tracer.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/functions.h"
#include "python/tensor/tensor_object.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

const Tensor& get(PyObject* self) { return tensor_of(self); }

PyObject* bool_object(bool value) { return PyBool_FromLong(value); }

MemoryOrder memory_order(PyObject* object, const char* operation) {
  if (PyUnicode_Check(object)) return parse_memory_order(PyUnicode_AsUTF8(object), operation);
  fail<TypeError>(ErrorCode::wrong_argument_type, "{}: memory_format is a name, not {}", operation,
                  Py_TYPE(object)->tp_name)
      .hint("memory_format=px.channels_last")
      .raise();
}

// --- layout

PyObject* dim_or_all(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords,
                     const char* name, const std::int64_t* values,
                     std::int64_t (Tensor::*one)(std::int64_t) const) {
  PyObject* dim = count == 1                                    ? arguments[0]
                  : keywords && PyTuple_GET_SIZE(keywords) == 1 ? arguments[count]
                                                                : nullptr;
  if (!dim || dim == Py_None) return size_to_python({values, static_cast<std::size_t>(get(self).rank())});
  std::int64_t d;
  if (!integer_from_python(dim, d))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: 'dim' must be an integer, not {}", name,
                    Py_TYPE(dim)->tp_name)
        .raise();
  return PyLong_FromLongLong((get(self).*one)(d));
}

PyObject* size(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) noexcept {
  PHLOX_TRY
  return dim_or_all(self, arguments, count, keywords, "size", get(self).impl()->sizes, &Tensor::size);
  PHLOX_CATCH
}

PyObject* stride(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) noexcept {
  PHLOX_TRY
  graph::note_layout_read(get(self));
  PyObject* strides =
      dim_or_all(self, arguments, count, keywords, "stride", get(self).impl()->strides, &Tensor::stride);
  if (PyLong_Check(strides)) return strides;
  PyObject* tuple = PySequence_Tuple(strides);
  Py_DECREF(strides);
  return tuple;
  PHLOX_CATCH
}

PyObject* dim(PyObject* self, PyObject*) noexcept { return PyLong_FromLong(get(self).rank()); }
PyObject* numel(PyObject* self, PyObject*) noexcept { return PyLong_FromLongLong(get(self).numel()); }
PyObject* element_size_of(PyObject* self, PyObject*) noexcept {
  return PyLong_FromLong(element_size(get(self).dtype()));
}
PyObject* storage_offset(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  graph::note_layout_read(get(self), true);
  return PyLong_FromLongLong(get(self).storage_offset());
  PHLOX_CATCH
}
PyObject* data_ptr(PyObject* self, PyObject*) noexcept {
  return PyLong_FromVoidPtr(get(self).data_pointer());
}
PyObject* is_contiguous_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                               PyObject* keywords) noexcept {
  PHLOX_TRY
  const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (count + named > 1 ||
      (named && std::strcmp(PyUnicode_AsUTF8(PyTuple_GET_ITEM(keywords, 0)), "memory_format") != 0))
    fail<TypeError>(ErrorCode::wrong_argument_type, "is_contiguous: takes only memory_format").raise();
  graph::note_layout_read(get(self));
  if (count + named == 0) return bool_object(get(self).is_contiguous());
  const MemoryOrder order = memory_order(arguments[0], "is_contiguous");
  return bool_object(order == MemoryOrder::channels_last ? get(self).is_channels_last()
                                                         : get(self).is_contiguous());
  PHLOX_CATCH
}
PyObject* is_floating_point(PyObject* self, PyObject*) noexcept {
  return bool_object(is_floating(get(self).dtype()));
}
PyObject* is_complex_method(PyObject* self, PyObject*) noexcept {
  return bool_object(is_complex(get(self).dtype()));
}
PyObject* is_inference(PyObject* self, PyObject*) noexcept {
  return bool_object(get(self).impl()->inference);
}

PyObject* get_shape(PyObject* self, void*) noexcept {
  PHLOX_TRY
  const TensorImpl& t = *get(self).impl();
  return size_to_python({t.sizes, t.rank});
  PHLOX_CATCH
}
PyObject* get_dtype(PyObject* self, void*) noexcept { return dtype_to_python(get(self).dtype()); }
PyObject* get_device(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return device_to_python(get(self).device());
  PHLOX_CATCH
}
PyObject* get_ndim(PyObject* self, void*) noexcept { return PyLong_FromLong(get(self).rank()); }
PyObject* get_itemsize(PyObject* self, void*) noexcept {
  return PyLong_FromLong(element_size(get(self).dtype()));
}
PyObject* get_nbytes(PyObject* self, void*) noexcept {
  return PyLong_FromLongLong(get(self).numel() * element_size(get(self).dtype()));
}
PyObject* get_is_cpu(PyObject* self, void*) noexcept {
  return bool_object(get(self).device().type == DeviceType::cpu);
}
PyObject* get_is_cuda(PyObject* self, void*) noexcept {
  return bool_object(get(self).device().type == DeviceType::cuda);
}
PyObject* get_version(PyObject* self, void*) noexcept { return PyLong_FromUnsignedLong(get(self).version()); }

PyObject* get_reversed(PyObject* self, void*) noexcept {
  PHLOX_TRY
  DimList order;
  for (int d = get(self).rank() - 1; d >= 0; --d) order.push_back(d);
  return wrap(permute(get(self), order));
  PHLOX_CATCH
}

PyObject* get_real(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return wrap(real(get(self)));
  PHLOX_CATCH
}
PyObject* get_imag(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return wrap(imag(get(self)));
  PHLOX_CATCH
}
PyObject* get_adjoint(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return wrap(adjoint(get(self)));
  PHLOX_CATCH
}

PyObject* get_matrix_transposed(PyObject* self, void*) noexcept {
  PHLOX_TRY
  if (get(self).rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "mT: a matrix has two dimensions or more, not {}",
                     get(self).rank())
        .detail("tensor", describe(get(self)))
        .raise();
  return wrap(transpose(get(self), -2, -1));
  PHLOX_CATCH
}

// --- casting and moving

struct Target {
  std::optional<DType> dtype;
  std::optional<Device> device;
  MemoryOrder order = MemoryOrder::keep;
  bool copy = false;
};

void read_target(PyObject* object, Target& target) {
  DType dtype;
  Device device;
  if (object == Py_None || PyBool_Check(object)) return;
  if (is_tensor(object)) {
    target.dtype = get(object).dtype();
    target.device = get(object).device();
  } else if (PyUnicode_Check(object)) {
    // A device or a dtype by name.
    const char* name = PyUnicode_AsUTF8(object);
    if (std::strncmp(name, "cpu", 3) == 0 || std::strncmp(name, "cuda", 4) == 0 ||
        std::strncmp(name, "null", 4) == 0)
      target.device = parse_device(name);
    else target.dtype = parse_dtype(name);
  } else if (device_from_python(object, device)) {
    target.device = device;
  } else if (dtype_from_python(object, dtype)) {
    target.dtype = dtype;
  } else {
    fail<TypeError>(ErrorCode::wrong_argument_type, "to: takes a dtype, a device or a tensor, not {}",
                    Py_TYPE(object)->tp_name)
        .raise();
  }
}

PyObject* to(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) noexcept {
  PHLOX_TRY
  Target target;
  for (Py_ssize_t i = 0; i < count; ++i) read_target(arguments[i], target);
  for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); ++k) {
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(keywords, k));
    PyObject* value = arguments[count + k];
    if (std::strcmp(name, "dtype") == 0) {
      if (auto dtype = optional_dtype(value, "to")) target.dtype = dtype;
    } else if (std::strcmp(name, "device") == 0) {
      if (auto device = optional_device(value, "to")) target.device = device;
    } else if (std::strcmp(name, "copy") == 0) {
      target.copy = PyObject_IsTrue(value) == 1;
    } else if (std::strcmp(name, "memory_format") == 0) {
      if (value != Py_None) target.order = memory_order(value, "to");
    } else if (std::strcmp(name, "other") == 0) {
      read_target(value, target);
    } else if (std::strcmp(name, "non_blocking") != 0) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "to: there is no argument '{}'", name)
          .hint("x.to(dtype=None, device=None, copy=False, memory_format=None)")
          .raise();
    }
  }
  Tensor result = get(self);
  bool copy = target.copy;
  if (target.dtype && (*target.dtype != result.dtype() || copy)) {
    result = result.to(*target.dtype, copy);
    copy = false;
  }
  if (target.device && (*target.device != result.device() || copy)) {
    result = result.to(*target.device, copy);
    copy = false;
  }
  if (target.order == MemoryOrder::channels_last && !result.is_channels_last()) {
    result = apply_convert(result, result.dtype(), target.order);
    copy = false;
  } else if (target.order == MemoryOrder::row_major && !result.is_contiguous()) {
    result = apply_convert(result, result.dtype(), target.order);
    copy = false;
  }
  if (copy) result = clone(result);
  return wrap(std::move(result));
  PHLOX_CATCH
}

// x.float(): to(px.float32), with its further arguments.
template <DType dtype>
PyObject* cast_to(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) noexcept {
  PHLOX_TRY
  if (count > 0 || keywords) {
    const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    std::vector<PyObject*> all = {dtype_to_python(dtype)};
    all.insert(all.end(), arguments, arguments + total);
    PyObject* result = to(self, all.data(), count + 1, keywords);
    Py_DECREF(all[0]);
    return result;
  }
  Tensor result;
  {
    ReleaseGil release(get(self).numel());
    result = get(self).to(dtype);
  }
  return wrap(std::move(result));
  PHLOX_CATCH
}

PyObject* cpu(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  return wrap(get(self).to(Device{}));
  PHLOX_CATCH
}

PyObject* cuda(PyObject* self, PyObject* const* arguments, Py_ssize_t count) noexcept {
  PHLOX_TRY
  Device device{DeviceType::cuda, 0};
  if (count > 0) device_from_python(arguments[0], device);
  return wrap(get(self).to(device));
  PHLOX_CATCH
}

// --- gradients

PyObject* get_requires_grad(PyObject* self, void*) noexcept {
  PHLOX_TRY
  graph::note_flag_read(get(self));
  return bool_object(get(self).requires_grad());
  PHLOX_CATCH
}
int set_requires_grad(PyObject* self, PyObject* value, void*) noexcept {
  PHLOX_TRY
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "requires_grad cannot be deleted");
    return -1;
  }
  get(self).set_requires_grad(PyObject_IsTrue(value) == 1);
  return 0;
  PHLOX_CATCH_INT
}

PyObject* requires_grad_(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
  PHLOX_TRY
  const bool given = count > 0 || (keywords && PyTuple_GET_SIZE(keywords) > 0);
  get(self).set_requires_grad(!given || PyObject_IsTrue(arguments[0]) == 1);
  return Py_NewRef(self);
  PHLOX_CATCH
}

PyObject* get_is_leaf(PyObject* self, void*) noexcept { return bool_object(get(self).is_leaf()); }
PyObject* get_retains_grad(PyObject* self, void*) noexcept {
  const AutogradRecord* record = get(self).impl()->autograd;
  return bool_object(record && record->retained);
}

PyObject* get_grad(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return wrap(get(self).grad());
  PHLOX_CATCH
}

int set_grad(PyObject* self, PyObject* value, void*) noexcept {
  PHLOX_TRY
  if (!value || value == Py_None) {
    get(self).set_grad({});
  } else if (is_tensor(value)) {
    get(self).set_grad(get(value));
  } else {
    fail<TypeError>(ErrorCode::wrong_argument_type, "grad: must be a tensor or None, not {}",
                    Py_TYPE(value)->tp_name)
        .raise();
  }
  return 0;
  PHLOX_CATCH_INT
}

PyObject* get_grad_fn(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return gradient_function_of(get(self));
  PHLOX_CATCH
}

PyObject* get_data(PyObject* self, void*) noexcept {
  PHLOX_TRY
  return wrap(get(self).detach());
  PHLOX_CATCH
}

// x.data = y gives x the memory, shape and dtype of y; what refers to x sees it.
int set_data(PyObject* self, PyObject* value, void*) noexcept {
  PHLOX_TRY
  if (!value || !is_tensor(value)) {
    fail<TypeError>(ErrorCode::wrong_argument_type, "data: must be a tensor, not {}",
                    value ? kind_of(value) : "deleted")
        .raise();
  }
  TensorImpl& target = *get(self).impl();
  const TensorImpl& source = *get(value).impl();
  if (thread_mode.capture && target.storage->capture != thread_mode.capture)
    fail<GraphError>(ErrorCode::not_capturable,
                     "data: a tensor that exists outside of the captured function would have other memory "
                     "after the first call only")
        .detail("tensor", describe(get(self)))
        .hint("with px.no_grad(): <tensor>.copy_(value)")
        .raise();
  source.storage->references.acquire();
  const Reference<Storage> old = Reference<Storage>::adopt(std::exchange(target.storage, source.storage));
  target.dtype = source.dtype;
  target.device = source.device;
  target.rank = source.rank;
  target.offset = source.offset;
  std::copy_n(source.sizes, source.rank, target.sizes);
  std::copy_n(source.strides, source.rank, target.strides);
  target.forget_base();
  target.update_layout();
  return 0;
  PHLOX_CATCH_INT
}

PyObject* detach(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  return wrap(get(self).detach());
  PHLOX_CATCH
}

PyObject* retain_grad(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  get(self).retain_grad();
  Py_RETURN_NONE;
  PHLOX_CATCH
}

PyObject* backward(PyObject* self, PyObject* arguments, PyObject* keywords) noexcept {
  static const char* names[] = {"gradient", "retain_graph", "create_graph", nullptr};
  PyObject *gradient = Py_None, *retain = Py_None;
  int create = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OOp:backward", const_cast<char**>(names), &gradient,
                                   &retain, &create))
    return nullptr;
  PHLOX_TRY
  if (gradient != Py_None && !is_tensor(gradient))
    fail<TypeError>(ErrorCode::wrong_argument_type, "backward: 'gradient' must be a tensor, not {}",
                    Py_TYPE(gradient)->tp_name)
        .raise();
  const Tensor given = gradient == Py_None ? Tensor() : get(gradient);
  const std::optional<bool> keep =
      retain == Py_None ? std::nullopt : std::optional(PyObject_IsTrue(retain) == 1);
  {
    nb::gil_scoped_release release;
    get(self).backward(given, keep, create != 0);
  }
  Py_RETURN_NONE;
  PHLOX_CATCH
}

// --- exchange

PyObject* item(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  return scalar_to_python(get(self).item(), get(self).dtype());
  PHLOX_CATCH
}

PyObject* tolist(PyObject* self, PyObject*) noexcept {
  PHLOX_TRY
  return tensor_to_list(get(self));
  PHLOX_CATCH
}

PyObject* numpy(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) noexcept {
  PHLOX_TRY
  const bool force = (count > 0 || keywords) && PyObject_IsTrue(arguments[0]) == 1;
  Tensor tensor = get(self);
  if (force) tensor = tensor.detach().to(Device{});
  if (tensor.requires_grad())
    fail<GradientError>(
        ErrorCode::requires_grad_dtype,
        "numpy: a tensor that requires gradients does not become an array, which would lose them")
        .detail("tensor", describe(tensor))
        .hint("<tensor>.detach().numpy()")
        .raise();
  return tensor_to_numpy(tensor);
  PHLOX_CATCH
}

PyObject* dlpack(PyObject* self, PyObject* arguments, PyObject* keywords) noexcept {
  static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$OOOO:__dlpack__", const_cast<char**>(names),
                                   &stream, &version, &device, &copy))
    return nullptr;
  PHLOX_TRY
  bool versioned = false;
  if (PyTuple_Check(version) && PyTuple_GET_SIZE(version) >= 1)
    versioned = PyLong_AsLong(PyTuple_GET_ITEM(version, 0)) >= 1;
  const bool copied = copy == Py_True;
  return tensor_to_dlpack(copied ? clone(get(self).detach()) : get(self), versioned, copied);
  PHLOX_CATCH
}

PyObject* dlpack_device(PyObject*, PyObject*) noexcept { return Py_BuildValue("(ii)", 1, 0); }

PyCFunction function(PyObject* (*f)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

constexpr int fast = METH_FASTCALL | METH_KEYWORDS;

PyCFunction with_keywords(PyObject* (*f)(PyObject*, PyObject*, PyObject*) noexcept) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

}  // namespace

#define PHLOX_METHOD(name, function, signature, doc) \
  {name, function, METH_NOARGS, name "($self" signature ")\n--\n\n" doc}

#define PHLOX_CAST(name, dtype, doc) \
  {name, function(cast_to<DType::dtype>), fast, name "($self, *, memory_format=None)\n--\n\n" doc}

PyMethodDef tensor_methods[] = {
    {"size", function(size), fast, "size($self, dim=None)\n--\n\nThe shape, or the size of one dimension."},
    {"stride", function(stride), fast,
     "stride($self, dim=None)\n--\n\nThe strides in elements, or one of them."},
    PHLOX_METHOD("dim", dim, "", "The number of dimensions."),
    PHLOX_METHOD("ndimension", dim, "", "The number of dimensions."),
    PHLOX_METHOD("numel", numel, "", "The number of elements."),
    PHLOX_METHOD("nelement", numel, "", "The number of elements."),
    PHLOX_METHOD("element_size", element_size_of, "", "Bytes of one element."),
    PHLOX_METHOD("storage_offset", storage_offset, "",
                 "Where the first element is in the storage, in elements."),
    PHLOX_METHOD("data_ptr", data_ptr, "", "The address of the first element."),
    {"is_contiguous", function(is_contiguous_method), fast,
     "is_contiguous($self, memory_format=None)\n--\n\nTrue when the elements are row-major without gaps, or lie as "
     "memory_format=px.channels_last says."},
    PHLOX_METHOD("is_floating_point", is_floating_point, "", "True for floating dtypes."),
    PHLOX_METHOD("is_complex", is_complex_method, "", "True for complex dtypes."),
    PHLOX_METHOD("is_inference", is_inference, "", "True when made in inference mode."),
    {"to", function(to), fast,
     "to($self, *target, dtype=None, device=None, copy=False, memory_format=None)\n--\n\nThe tensor with another dtype or on another device: "
     "to(px.float64), to(\"cpu\"), to(other).\nThe tensor itself when there is nothing to do, unless `copy`."},
    PHLOX_CAST("float", float32, "The tensor as float32."),
    PHLOX_CAST("double", float64, "The tensor as float64."),
    PHLOX_CAST("half", float16, "The tensor as float16."),
    PHLOX_CAST("bfloat16", bfloat16, "The tensor as bfloat16."),
    PHLOX_CAST("int", int32, "The tensor as int32."),
    PHLOX_CAST("long", int64, "The tensor as int64."),
    PHLOX_CAST("short", int16, "The tensor as int16."),
    PHLOX_CAST("char", int8, "The tensor as int8."),
    PHLOX_CAST("byte", uint8, "The tensor as uint8."),
    PHLOX_CAST("bool", bool_, "The tensor as bool: true where not 0."),
    PHLOX_CAST("cfloat", complex64, "The tensor as complex64."),
    PHLOX_CAST("cdouble", complex128, "The tensor as complex128."),
    PHLOX_METHOD("cpu", cpu, "", "The tensor in the memory of the CPU."),
    {"cuda", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(cuda)), METH_FASTCALL,
     "cuda($self, device=None)\n--\n\nThe tensor in the memory of a GPU."},
    {"requires_grad_", function(requires_grad_), fast,
     "requires_grad_($self, requires_grad=True)\n--\n\nMarks the tensor as one whose gradient is wanted, and returns it."},
    PHLOX_METHOD("detach", detach, "", "The same data, cut off from gradients."),
    PHLOX_METHOD("retain_grad", retain_grad, "", "Keeps `grad` of a tensor that is not a leaf."),
    {"backward", with_keywords(backward), METH_VARARGS | METH_KEYWORDS,
     "backward($self, gradient=None, retain_graph=None, create_graph=False)\n--\n\nAdds the gradients of this tensor with "
     "respect to all leaves into their `grad`.\n`gradient` may be left out for a single element."},
    PHLOX_METHOD("item", item, "", "The only element as a Python number."),
    PHLOX_METHOD("tolist", tolist, "", "A nested list of Python numbers."),
    {"numpy", function(numpy), fast,
     "numpy($self, *, force=False)\n--\n\nA NumPy array on the same memory. Errors: GradientError when the tensor requires "
     "gradients,\nunless `force`; DTypeError for dtypes that NumPy lacks."},
    {"__dlpack__", with_keywords(dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__($self, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\nThe memory for another "
     "library, by the DLPack protocol."},
    PHLOX_METHOD("__dlpack_device__", dlpack_device, "", "The device in the numbers of the DLPack protocol."),
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef tensor_attributes[] = {
    {"shape", get_shape, nullptr, "The sizes.", nullptr},
    {"dtype", get_dtype, nullptr, "The type of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the elements are.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"T", get_reversed, nullptr, "The dimensions in reverse order; a view.", nullptr},
    {"mT", get_matrix_transposed, nullptr, "The last two dimensions swapped; a view.", nullptr},
    {"mH", get_adjoint, nullptr, "The last two dimensions swapped, conjugated.", nullptr},
    {"H", get_adjoint, nullptr, "The conjugate of the transposed matrix.", nullptr},
    {"real", get_real, nullptr, "The real part; a view.", nullptr},
    {"imag", get_imag, nullptr, "The imaginary part; a view of a complex tensor.", nullptr},
    {"grad", get_grad, set_grad, "The gradient that backward() has added up, or None.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "True when gradients flow to this tensor.",
     nullptr},
    {"is_leaf", get_is_leaf, nullptr, "True when no recorded operation made it.", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "True after retain_grad().", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The recorded operation that made it, or None.", nullptr},
    {"data", get_data, set_data, "The same data without gradients; assigning replaces the data.", nullptr},
    {"is_cpu", get_is_cpu, nullptr, "True on the CPU.", nullptr},
    {"is_cuda", get_is_cuda, nullptr, "True on an NVIDIA GPU.", nullptr},
    {"_version", get_version, nullptr, "Counts writes in place.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace phlox::python
