#include "python/tensor/creation.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <optional>
#include <vector>

#include "python/caster.h"
#include "python/tensor/convert.h"
#include "python/tensor/dlpack.h"
#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"
#include "python/tensor/tensor_object.h"
#include "python/tensor/unknown_values.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

// Reads a nested sequence: first all numbers in order, then the dtype, then the elements.
class SequenceReader {
 public:
  explicit SequenceReader(PyObject* data) {
    measure(data);
    read(data, 0);
  }

  Tensor make(std::optional<DType> asked) const {
    const DType dtype = asked.value_or(natural_dtype());
    if (!floats_.empty()) return from_values(std::span<const double>(floats_), shape_).to(dtype);
    if (!integers_.empty()) {
      const auto [least, most] = std::minmax_element(integers_.begin(), integers_.end());
      Scalar(*least).check_fits(dtype);
      Scalar(*most).check_fits(dtype);
      return from_values(std::span<const std::int64_t>(integers_), shape_).to(dtype);
    }
    Tensor tensor = make_tensor(shape_, dtype, Device{});
    auto* element = static_cast<char*>(tensor.impl()->address());
    for (const Scalar& number : numbers_) {
      number.check_fits(dtype);
      number.store(dtype, element);
      element += element_size(dtype);
    }
    return tensor;
  }

 private:
  static bool is_sequence(PyObject* object) {
    return PyList_Check(object) || PyTuple_Check(object) ||
           (PySequence_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object) &&
            !is_tensor(object));
  }

  void measure(PyObject* data) {
    nb::object level = nb::borrow(data);
    while (is_sequence(level.ptr())) {
      if (shape_.rank() == max_rank) throw_too_many_dimensions(max_rank + 1);
      const Py_ssize_t size = PySequence_Size(level.ptr());
      if (size < 0) throw_python_error();
      shape_.push_back(size);
      if (size == 0) break;
      level = nb::steal(PySequence_GetItem(level.ptr(), 0));
      if (!level.is_valid()) throw_python_error();
    }
  }

  void read(PyObject* data, int depth) {
    if (depth == shape_.rank()) return read_number(data);
    if (!is_sequence(data)) throw_ragged(depth);
    nb::object items = nb::steal(PySequence_Fast(data, "a sequence was expected"));
    if (!items.is_valid()) throw_python_error();
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.ptr());
    if (count != shape_[static_cast<std::size_t>(depth)]) throw_ragged(depth);
    for (Py_ssize_t i = 0; i < count; ++i) read(PySequence_Fast_GET_ITEM(items.ptr(), i), depth + 1);
  }

  void read_number(PyObject* data) {
    // Data are nearly always all floats or all integers.
    if (numbers_.empty()) {
      if (PyFloat_CheckExact(data) && integers_.empty()) {
        floats_.push_back(PyFloat_AS_DOUBLE(data));
        kind_ = Scalar::Kind::floating;
        return;
      }
      if (PyLong_CheckExact(data) && floats_.empty()) {
        int overflow;
        const long long value = PyLong_AsLongLongAndOverflow(data, &overflow);
        if (!overflow) {
          integers_.push_back(value);
          kind_ = Scalar::Kind::integer;
          return;
        }
      }
      numbers_.assign(floats_.begin(), floats_.end());
      numbers_.insert(numbers_.end(), integers_.begin(), integers_.end());
      floats_.clear();
      integers_.clear();
    }
    Scalar scalar;
    std::optional<DType> own = dtype_of_numpy_number(data);
    if (is_tensor(data)) {
      const Tensor& tensor = tensor_of(data);
      if (tensor.rank() != 0) throw_ragged(shape_.rank());
      scalar = known_item(tensor, "tensor: an element", "px.stack([a, b]) joins tensors");
      own = tensor.dtype();
    } else if (!scalar_from_python(data, scalar)) {
      if (is_sequence(data)) throw_ragged(shape_.rank());
      fail<TypeError>(ErrorCode::wrong_argument_type, "tensor: data must be numbers, not {}",
                      Py_TYPE(data)->tp_name)
          .raise();
    }
    numbers_.push_back(scalar);
    if (own) own_dtype_ = own_dtype_ ? promote(*own_dtype_, *own) : *own;
    else kind_ = std::max(kind_, scalar.kind());
  }

  [[noreturn]] void throw_ragged(int depth) const {
    fail<ValueError>(ErrorCode::invalid_value, "tensor: the sequences at depth {} have different lengths",
                     depth)
        .detail("so far", fmt::format("[{}]", to_string(shape_)))
        .raise();
  }

  DType natural_dtype() const {
    if (numbers_.empty() && floats_.empty() && integers_.empty()) return default_dtype();
    // Python's numbers are weak beside those that have a dtype: they only raise the kind.
    if (own_dtype_) {
      static const Scalar of_kind[] = {false, 0, 0.0, std::complex<double>()};
      return of_kind[static_cast<int>(kind_)].promote_with(*own_dtype_);
    }
    switch (kind_) {
      case Scalar::Kind::boolean: return DType::bool_;
      case Scalar::Kind::integer: return DType::int64;
      case Scalar::Kind::floating: return default_dtype();
      default: return default_dtype() == DType::float64 ? DType::complex128 : DType::complex64;
    }
  }

  Shape shape_;
  // The numbers, in one of these.
  std::vector<double> floats_;
  std::vector<std::int64_t> integers_;
  std::vector<Scalar> numbers_;
  std::optional<DType> own_dtype_;  // of the numbers of NumPy and the tensors among them
  Scalar::Kind kind_ = Scalar::Kind::boolean;
};

// A list of arrays or of tensors with dimensions is their stack.
bool holds_tensors(PyObject* data) {
  if (!(PyList_Check(data) || PyTuple_Check(data)) || PySequence_Fast_GET_SIZE(data) == 0) return false;
  PyObject* first = PySequence_Fast_GET_ITEM(data, 0);
  return is_numpy_array(first) || (is_tensor(first) && tensor_of(first).rank() > 0);
}

Tensor stack_of(PyObject* data) {
  TensorList parts;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(data); ++i)
    parts.push_back(tensor_from_python(PySequence_Fast_GET_ITEM(data, i), std::nullopt, std::nullopt, true));
  return stack(parts);
}

}  // namespace

Tensor tensor_from_python(PyObject* data, std::optional<DType> dtype, std::optional<Device> device,
                          bool share) {
  NoGrad no_grad;
  Tensor tensor;
  bool borrowed = true;  // memory that something else uses too
  if (is_tensor(data)) {
    tensor = shallow_alias(tensor_of(data));
  } else if (is_numpy_array(data)) {
    tensor = tensor_from_numpy(data, true);
  } else if (holds_tensors(data)) {
    tensor = stack_of(data);
    borrowed = false;
  } else if (!PyList_Check(data) && !PyTuple_Check(data) && nb::hasattr(data, "__dlpack__")) {
    tensor = tensor_from_dlpack(data);
  } else if (!PyList_Check(data) && !PyTuple_Check(data) && !PyFloat_Check(data) && !PyLong_Check(data) &&
             nb::hasattr(data, "__array__")) {
    nb::object array = nb::module_::import_("numpy").attr("asarray")(nb::handle(data));
    tensor = tensor_from_numpy(array.ptr(), true);
  } else {
    tensor = SequenceReader(data).make(dtype);
    borrowed = false;
  }
  const Storage* before = tensor.impl()->storage;
  if (dtype && *dtype != tensor.dtype()) tensor = tensor.to(*dtype);
  if (device && *device != tensor.device()) tensor = tensor.to(*device);
  if (borrowed && !share && tensor.impl()->storage == before) tensor = clone(tensor);
  return tensor;
}

// --- to lists

namespace {

// One row of Python numbers.
void fill_row(PyObject* list, DType dtype, const char* address, std::int64_t step) {
  const Py_ssize_t count = PyList_GET_SIZE(list);
  const auto each = [&](auto make) {
    for (Py_ssize_t i = 0; i < count; ++i, address += step) PyList_SET_ITEM(list, i, make());
  };
  switch (dtype) {
    case DType::float32:
      return each(
          [&] { return PyFloat_FromDouble(static_cast<double>(*reinterpret_cast<const float*>(address))); });
    case DType::float64:
      return each([&] { return PyFloat_FromDouble(*reinterpret_cast<const double*>(address)); });
    case DType::int64:
      return each([&] { return PyLong_FromLongLong(*reinterpret_cast<const std::int64_t*>(address)); });
    default: return each([&] { return scalar_to_python(Scalar::load(dtype, address), dtype); });
  }
}

PyObject* list_of(const TensorImpl& t, int dim, const char* address) {
  if (dim == t.rank) return scalar_to_python(Scalar::load(t.dtype, address), t.dtype);
  nb::object list = nb::steal(PyList_New(static_cast<Py_ssize_t>(t.sizes[dim])));
  if (!list.is_valid()) throw_python_error();
  const std::int64_t step = t.strides[dim] * element_size(t.dtype);
  if (dim == t.rank - 1) {
    fill_row(list.ptr(), t.dtype, address, step);
  } else {
    for (std::int64_t i = 0; i < t.sizes[dim]; ++i)
      PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), list_of(t, dim + 1, address + i * step));
  }
  return list.release().ptr();
}

}  // namespace

PyObject* tensor_to_list(const Tensor& tensor) {
  const Tensor here = is_computable(tensor.dtype()) ? tensor : tensor.to(DType::float32);
  return list_of(*here.impl(), 0, static_cast<const char*>(here.data_pointer()));
}

// --- the module

namespace {

nb::object make_tensor_object(nb::handle data, nb::handle dtype, nb::handle device, bool requires_grad,
                              bool share) {
  Tensor tensor = tensor_from_python(data.ptr(), optional_dtype(dtype.ptr(), "tensor"),
                                     optional_device(device.ptr(), "tensor"), share);
  if (requires_grad) tensor.set_requires_grad();
  return nb::steal(wrap(std::move(tensor)));
}

}  // namespace

void add_creation(PyObject* module) {
  nb::module_ m = nb::borrow<nb::module_>(module);
  m.def(
      "tensor",
      [](nb::handle data, nb::handle dtype, nb::handle device, bool requires_grad) {
        return make_tensor_object(data, dtype, device, requires_grad, false);
      },
      "data"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false,
      "A new tensor with a copy of `data`: numbers, nested sequences, arrays or tensors.\n\n"
      "Without `dtype`: that of an array or tensor; bool, int64 or the default dtype for Python numbers.\n"
      "Errors: ValueError for ragged sequences, DTypeError for integers that do not fit.");
  m.def(
      "as_tensor",
      [](nb::handle data, nb::handle dtype, nb::handle device) -> nb::object {
        const auto wanted = optional_dtype(dtype.ptr(), "as_tensor");
        const auto place = optional_device(device.ptr(), "as_tensor");
        if (is_tensor(data.ptr())) {
          const Tensor& tensor = tensor_of(data.ptr());
          if ((!wanted || *wanted == tensor.dtype()) && (!place || *place == tensor.device()))
            return nb::borrow(data);
          Tensor moved = wanted ? tensor.to(*wanted) : tensor;
          return nb::steal(wrap(place ? moved.to(*place) : moved));
        }
        return nb::steal(wrap(tensor_from_python(data.ptr(), wanted, place, true)));
      },
      "data"_a, "dtype"_a = nb::none(), "device"_a = nb::none(),
      "A tensor of `data` that shares its memory where possible; a tensor itself when it is one already.");
  m.attr("asarray") = m.attr("as_tensor");
  m.def(
      "from_numpy", [](nb::handle array) { return nb::steal(wrap(tensor_from_numpy(array.ptr(), false))); },
      "array"_a,
      "A tensor on the memory of a NumPy array. Negative strides are kept; a read-only array gives a tensor that\n"
      "cannot be written to. Errors: DTypeError where there is no such dtype, ValueError for unaligned or\n"
      "byte-swapped arrays.");
  // For pickling: the elements in row-major order.
  m.def("_to_bytes", [](const Tensor& tensor) {
    NoGrad no_grad;
    const Tensor dense = contiguous(tensor.to(Device{}));
    return nb::bytes(static_cast<const char*>(dense.data_pointer()),
                     static_cast<std::size_t>(dense.numel() * element_size(dense.dtype())));
  });
  m.def("_from_bytes", [](nb::bytes data, nb::handle dtype, const std::vector<std::int64_t>& shape) {
    Tensor tensor = make_tensor(shape, *optional_dtype(dtype.ptr(), "tensor"), Device{});
    const auto bytes = static_cast<std::size_t>(tensor.numel() * element_size(tensor.dtype()));
    if (data.size() != bytes)
      fail<ValueError>(ErrorCode::invalid_value, "unpickle: {} bytes for {}", data.size(), describe(tensor))
          .raise();
    std::memcpy(tensor.impl()->address(), data.c_str(), bytes);
    return tensor;
  });
  m.def(
      "from_dlpack", [](nb::handle data) { return nb::steal(wrap(tensor_from_dlpack(data.ptr()))); },
      "ext_tensor"_a, "A tensor on the memory of an array of another library, through __dlpack__.");
}

}  // namespace phlox::python
