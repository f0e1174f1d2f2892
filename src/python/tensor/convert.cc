#include "python/tensor/convert.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/operators.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <limits>
#include <string>

#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "python/tensor/tensor_object.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

struct DTypeObject {
  DType value;
};
struct DeviceObject {
  Device value;
  std::vector<Device> previous = {};  // of nested `with` blocks
};

PyTypeObject* dtype_type = nullptr;
PyTypeObject* device_type = nullptr;
PyTypeObject* size_type = nullptr;
PyObject* dtype_objects[dtype_count];

void integer_to_scalar(PyObject* object, Scalar& scalar) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    if (value == -1 && PyErr_Occurred()) throw_python_error();
    scalar = Scalar(static_cast<std::int64_t>(value));
    return;
  }
  const unsigned long long large = PyLong_AsUnsignedLongLong(object);
  if (!PyErr_Occurred()) {
    scalar = Scalar(static_cast<std::uint64_t>(large));
    return;
  }
  PyErr_Clear();
  fail<DTypeError>(ErrorCode::integer_overflow, "a Python integer does not fit 64 bits")
      .hint("float(number)")
      .raise();
}

}  // namespace

// --- numbers

bool scalar_from_python(PyObject* object, Scalar& scalar) {
  if (PyFloat_Check(object)) {
    scalar = Scalar(PyFloat_AS_DOUBLE(object));
  } else if (PyBool_Check(object)) {
    scalar = Scalar(object == Py_True);
  } else if (PyLong_Check(object)) {
    integer_to_scalar(object, scalar);
  } else if (PyComplex_Check(object)) {
    scalar = Scalar(std::complex<double>(PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object)));
  } else if (is_tensor(object) || is_numpy_array(object) || PySequence_Check(object)) {
    return false;
  } else if (is_numpy_bool(object)) {
    scalar = Scalar(PyObject_IsTrue(object) == 1);
  } else if (PyIndex_Check(object)) {
    nb::object integer = nb::steal(PyNumber_Index(object));
    if (!integer.is_valid()) throw_python_error();
    integer_to_scalar(integer.ptr(), scalar);
  } else if (Py_TYPE(object)->tp_as_number && Py_TYPE(object)->tp_as_number->nb_float) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1 && PyErr_Occurred()) throw_python_error();
    scalar = Scalar(value);
  } else {
    return false;
  }
  return true;
}

PyObject* scalar_to_python(const Scalar& scalar, DType dtype) {
  if (is_boolean(dtype)) return PyBool_FromLong(scalar.boolean());
  if (dtype == DType::uint64)
    return PyLong_FromUnsignedLongLong(static_cast<std::uint64_t>(scalar.integer()));
  if (is_integer(dtype)) return PyLong_FromLongLong(scalar.integer());
  if (is_complex(dtype)) return PyComplex_FromDoubles(scalar.real(), scalar.imaginary());
  return PyFloat_FromDouble(scalar.real());
}

bool integer_from_python(PyObject* object, std::int64_t& value) {
  if (!PyLong_Check(object)) {
    if (!PyIndex_Check(object)) return false;
    nb::object integer = nb::steal(PyNumber_Index(object));
    if (!integer.is_valid()) {
      PyErr_Clear();
      return false;
    }
    return integer_from_python(integer.ptr(), value);
  }
  int overflow = 0;
  value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow)
    fail<DTypeError>(ErrorCode::integer_overflow, "a Python integer does not fit 64 bits").raise();
  return true;
}

bool integers_from_python(PyObject* object, std::vector<std::int64_t>& values) {
  if (PyUnicode_Check(object) || is_tensor(object)) return false;
  nb::object fast = nb::borrow(object);
  if (!PyTuple_Check(object) && !PyList_Check(object)) {
    if (!PySequence_Check(object)) return false;
    fast = nb::steal(PySequence_List(object));
    if (!fast.is_valid()) throw_python_error();
  }
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast.ptr());
  values.resize(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!integer_from_python(PySequence_Fast_GET_ITEM(fast.ptr(), i), values[static_cast<std::size_t>(i)]))
      return false;
  return true;
}

// --- shapes

PyObject* size_to_python(std::span<const std::int64_t> sizes) {
  PyObject* result = size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(sizes.size()));
  if (!result) throw_python_error();
  for (std::size_t i = 0; i < sizes.size(); ++i)
    PyTuple_SET_ITEM(result, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(sizes[i]));
  return result;
}

static PyObject* size_numel(PyObject* self, PyObject*) noexcept {
  long long product = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) {
    const long long size = PyLong_AsLongLong(PyTuple_GET_ITEM(self, i));
    if (size == -1 && PyErr_Occurred()) return nullptr;
    product *= size;
  }
  return PyLong_FromLongLong(product);
}

// --- dtypes

PyObject* dtype_to_python(DType dtype) { return Py_NewRef(dtype_objects[static_cast<int>(dtype)]); }

bool dtype_from_python(PyObject* object, DType& dtype) {
  if (Py_TYPE(object) == dtype_type) {
    dtype = nb::inst_ptr<DTypeObject>(object)->value;
    return true;
  }
  std::string name;
  if (PyUnicode_Check(object)) {
    name = nb::cast<std::string>(nb::handle(object));
  } else if (PyType_Check(object)) {
    if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) name = "float64";
    else if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) name = "int64";
    else if (object == reinterpret_cast<PyObject*>(&PyComplex_Type)) name = "complex128";
    else name = nb::cast<std::string>(nb::handle(object).attr("__name__"));
  } else if (nb::hasattr(object, "itemsize") && nb::hasattr(object, "name")) {
    name = nb::cast<std::string>(nb::handle(object).attr("name"));
  } else {
    return false;
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  dtype = parse_dtype(name);
  return true;
}

std::optional<DType> optional_dtype(PyObject* object, const char* operation) {
  if (!object || object == Py_None) return std::nullopt;
  DType dtype;
  if (!dtype_from_python(object, dtype))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: 'dtype' must be a dtype, not {}", operation,
                    Py_TYPE(object)->tp_name)
        .hint("dtype=px.float32")
        .raise();
  return dtype;
}

// --- devices

PyObject* device_to_python(Device device) { return nb::cast(DeviceObject{device}).release().ptr(); }

bool device_from_python(PyObject* object, Device& device) {
  if (Py_TYPE(object) == device_type) {
    device = nb::inst_ptr<DeviceObject>(object)->value;
  } else if (PyUnicode_Check(object)) {
    device = parse_device(nb::cast<std::string>(nb::handle(object)));
  } else if (PyLong_Check(object) && !PyBool_Check(object)) {
    device = parse_device(fmt::format("cuda:{}", PyLong_AsLong(object)));
  } else {
    return false;
  }
  return true;
}

std::optional<Device> optional_device(PyObject* object, const char* operation) {
  if (!object || object == Py_None) return std::nullopt;
  Device device;
  if (!device_from_python(object, device))
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: 'device' must be a device, not {}", operation,
                    Py_TYPE(object)->tp_name)
        .hint("device=\"cpu\"")
        .raise();
  return device;
}

// --- the module

static void add_size(PyObject* module) {
  static PyMethodDef methods[] = {
      {"numel", size_numel, METH_NOARGS, "numel($self, /)\n--\n\nThe product of all sizes."},
      {nullptr, nullptr, 0, nullptr}};
  static const char doc[] = "The sizes of a tensor: a tuple of integers, with their product as numel().";
  PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>(doc)}, {Py_tp_methods, methods}, {0, nullptr}};
  PyType_Spec spec = {"phlox.Size", static_cast<int>(PyTuple_Type.tp_basicsize), sizeof(PyObject*),
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  size_type = reinterpret_cast<PyTypeObject*>(
      PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(&PyTuple_Type)));
  if (!size_type || PyModule_AddObjectRef(module, "Size", reinterpret_cast<PyObject*>(size_type)) < 0)
    throw_python_error();
}

static void add_dtypes(nb::module_& m) {
  auto type =
      nb::class_<DTypeObject>(m, "dtype", "The type of the elements of a tensor, such as px.float32.")
          .def_prop_ro(
              "name", [](const DTypeObject& d) { return std::string(info(d.value).name); },
              "The whole name: \"float32\".")
          .def_prop_ro(
              "short_name", [](const DTypeObject& d) { return std::string(info(d.value).short_name); },
              "As in error messages: \"f32\".")
          .def_prop_ro(
              "itemsize", [](const DTypeObject& d) { return element_size(d.value); }, "Bytes of one element.")
          .def_prop_ro(
              "is_floating_point", [](const DTypeObject& d) { return is_floating(d.value); },
              "True for float16, bfloat16, float32 and float64.")
          .def_prop_ro(
              "is_complex", [](const DTypeObject& d) { return is_complex(d.value); },
              "True for complex64 and complex128.")
          .def_prop_ro(
              "is_signed", [](const DTypeObject& d) { return !is_boolean(d.value) && !is_unsigned(d.value); },
              "False for bool and unsigned integers.")
          .def(
              "to_real", [](const DTypeObject& d) { return nb::steal(dtype_to_python(info(d.value).real)); },
              "The dtype of the real part: float32 for complex64.")
          .def("__repr__", [](const DTypeObject& d) { return "phlox." + std::string(info(d.value).name); })
          .def("__reduce__", [](const DTypeObject& d) { return std::string(info(d.value).name); });
  type.attr("__module__") = "phlox";
  dtype_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  nb::dict names;
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype = static_cast<DType>(i);
    nb::object object = nb::cast(DTypeObject{dtype});
    dtype_objects[i] = nb::object(object).release().ptr();
    // Those one can compute with; the others only appear in files.
    names[nb::str(info(dtype).name.data(), info(dtype).name.size())] = object;
  }
  m.attr("dtypes") = names;
  m.def(
      "get_default_dtype", [] { return nb::steal(dtype_to_python(default_dtype())); },
      "The dtype of Python floats and of floating results of integers; px.float32 unless changed.");
  m.def(
      "set_default_dtype",
      [](nb::handle dtype) { set_default_dtype(*optional_dtype(dtype.ptr(), "set_default_dtype")); },
      "dtype"_a, "Sets the dtype of Python floats and of floating results of integers.");
  m.def(
      "promote_types",
      [](nb::handle a, nb::handle b) {
        return nb::steal(dtype_to_python(
            promote(*optional_dtype(a.ptr(), "promote_types"), *optional_dtype(b.ptr(), "promote_types"))));
      },
      "type1"_a, "type2"_a, "The smallest dtype that holds both.");
}

static void add_device(nb::module_& m) {
  auto type =
      nb::class_<DeviceObject>(m, "device",
                               "Where a tensor lives: px.device(\"cpu\"), px.device(\"cuda\", 1).\n\n"
                               "In a `with` statement, the device of new tensors.")
          .def(
              "__init__",
              [](DeviceObject* self, nb::handle device, std::optional<int> index) {
                Device value;
                if (PyUnicode_Check(device.ptr()) && index)
                  value = parse_device(fmt::format("{}:{}", nb::cast<std::string>(device), *index));
                else value = *optional_device(device.ptr(), "device");
                new (self) DeviceObject{value};
              },
              "device"_a, "index"_a = nb::none())
          .def_prop_ro(
              "type",
              [](const DeviceObject& d) {
                const std::string name = to_string(d.value);
                return name.substr(0, name.find(':'));
              },
              "The kind: \"cpu\" or \"cuda\".")
          .def_prop_ro(
              "index",
              [](const DeviceObject& d) -> std::optional<int> {
                if (d.value.type == DeviceType::cpu) return std::nullopt;
                return d.value.index;
              },
              "The number among devices of its kind; None for the CPU.")
          .def("__str__", [](const DeviceObject& d) { return to_string(d.value); })
          .def("__repr__", [](const DeviceObject& d) { return "device('" + to_string(d.value) + "')"; })
          .def("__hash__",
               [](const DeviceObject& d) { return static_cast<int>(d.value.type) * 256 + d.value.index; })
          .def("__eq__",
               [](const DeviceObject& d, nb::handle other) {
                 Device device;
                 return device_from_python(other.ptr(), device) && device == d.value;
               })
          .def("__reduce__",
               [](nb::handle self) { return nb::make_tuple(self.type(), nb::make_tuple(nb::str(self))); })
          .def("__enter__",
               [](nb::handle self) {
                 auto* d = nb::inst_ptr<DeviceObject>(self);
                 d->previous.push_back(default_device());
                 set_default_device(d->value);
                 return nb::borrow(self);
               })
          .def("__exit__", [](DeviceObject& d, nb::args) {
            set_default_device(d.previous.back());
            d.previous.pop_back();
          });
  type.attr("__module__") = "phlox";
  device_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  m.def(
      "is_available",
      [](nb::handle device) { return is_available(*optional_device(device.ptr(), "is_available")); },
      "device"_a, "True when the device can be used now.");
}

void add_conversions(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  add_size(module);
  add_dtypes(m);
  add_device(m);
}

}  // namespace phlox::python
