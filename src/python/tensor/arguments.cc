#include "python/tensor/arguments.h"

#include <nanobind/nanobind.h>

#include <new>

#include "python/tensor/convert.h"
#include "python/errors.h"
#include "python/tensor/numpy.h"
#include "python/tensor/random.h"
#include "python/tensor/tensor_object.h"
#include "python/tensor/unknown_values.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

PyObject* const k_out = PyUnicode_InternFromString("out");
PyObject* const k_inplace = PyUnicode_InternFromString("inplace");
PyObject* const k_requires_grad = PyUnicode_InternFromString("requires_grad");

bool same_name(PyObject* a, PyObject* b) { return a == b || PyUnicode_Compare(a, b) == 0; }

// -1 when no parameter has the name.
int position_of(const Binding& binding, PyObject* name) {
  for (int i = 0; i < binding.count; ++i)
    if (binding.names[static_cast<std::size_t>(i)] == name) return i;
  for (int i = 0; i < binding.count; ++i) {
    const auto p = static_cast<std::size_t>(i);
    if (same_name(binding.names[p], name)) return i;
    for (PyObject* synonym : binding.synonyms[p])
      if (same_name(synonym, name)) return i;
  }
  return -1;
}

// "(input, dim=None, keepdim=False)"
std::string signature_of(const Binding& binding) {
  std::string text = "(";
  for (const Parameter& p : binding.parameters()) {
    if (text.size() > 1) text += ", ";
    text += p.required ? p.name : p.name + "=" + p.default_text;
  }
  return text + ")";
}

[[noreturn]] void throw_signature(const Binding& binding, ErrorCode code, const std::string& problem) {
  fail<TypeError>(code, "{}: {}", binding.name, problem).hint(binding.name + signature_of(binding)).raise();
}

bool takes_integers(ParameterKind kind) {
  return kind == ParameterKind::integer || kind == ParameterKind::optional_integer ||
         kind == ParameterKind::integers || kind == ParameterKind::optional_integers;
}

// In the place of a number a tensor is as good, where its value is known.
void check_known(PyObject* object, const Binding& binding, int position) {
  const ParameterKind kind = binding.operation->kinds[position];
  const bool is_integer = takes_integers(kind);
  if (!is_integer && kind != ParameterKind::scalar && kind != ParameterKind::optional_scalar &&
      kind != ParameterKind::floating && kind != ParameterKind::optional_floating &&
      kind != ParameterKind::optional_floats)
    return;
  const std::string& parameter = binding.parameters()[static_cast<std::size_t>(position)].name;
  check_known_argument(object, binding.name, parameter, is_integer);
}

[[noreturn]] void throw_wrong_kind(const Binding& binding, int position, PyObject* object) {
  const ParameterKind kind = binding.operation->kinds[position];
  check_known(object, binding, position);
  try {
    detail::throw_wrong_argument(*binding.operation, position);
  } catch (TypeError& error) {
    error.add_detail("got", kind_of(object));
    const bool wants_tensor = kind == ParameterKind::tensor || kind == ParameterKind::optional_tensor;
    if (wants_tensor && is_numpy_array(object)) error.add_hint("px.from_numpy(array)");
    else if (wants_tensor && PySequence_Check(object)) error.add_hint("px.tensor(data)");
    else error.add_hint(binding.name + signature_of(binding));
    throw;
  }
}

bool is_integer_object(PyObject* object) {
  return PyLong_Check(object) || (PyIndex_Check(object) && !is_tensor(object));
}

// The first of several numbers without brackets: x.reshape(n, 2).
bool is_integer_tensor(PyObject* object) {
  return is_tensor(object) && tensor_of(object).rank() == 0 && is_integer(tensor_of(object).dtype());
}

}  // namespace

bool bind_arguments(const Binding& binding, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords,
                    BoundArguments& bound, bool quiet) {
  Py_ssize_t direct = count;
  const int variadic = binding.variadic;
  // A flag or a name behind the first number belongs to the next parameter where that takes one: pool(x, 5, True).
  const auto is_for_next = [&](PyObject* value) -> bool {
    if (variadic + 1 >= binding.count) return false;
    const ParameterKind kind = binding.operation->kinds[variadic + 1];
    return kind == ParameterKind::boolean ? PyBool_Check(value)
                                          : kind == ParameterKind::text && PyUnicode_Check(value);
  };
  if (variadic >= 0 && count > variadic &&
      (is_integer_object(arguments[variadic]) ||
       (count > binding.count && is_integer_tensor(arguments[variadic]))) &&
      !(count > variadic + 1 && is_for_next(arguments[variadic + 1]))) {
    bound.rest = arguments + variadic;
    bound.rest_count = count - variadic;
    direct = variadic;
  }
  if (direct > binding.count) {
    if (quiet) return false;
    throw_signature(binding, ErrorCode::wrong_argument_type,
                    fmt::format("takes at most {} arguments, and {} were given", binding.count, count));
  }
  for (Py_ssize_t i = 0; i < direct; ++i) bound.values[i] = arguments[i];
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < keyword_count; ++k) {
    PyObject* name = PyTuple_GET_ITEM(keywords, k);
    PyObject* value = arguments[count + k];
    const int position = position_of(binding, name);
    if (position < 0) {
      if (binding.takes_out && same_name(name, k_out)) {
        if (value != Py_None) bound.out = value;
        continue;
      }
      if (same_name(name, k_inplace) && binding.operation->pointwise &&
          binding.form == Binding::Form::plain) {
        bound.in_place = PyObject_IsTrue(value) == 1;
        continue;
      }
      if (binding.takes_requires_grad && same_name(name, k_requires_grad)) {
        bound.requires_grad = PyObject_IsTrue(value) == 1;
        continue;
      }
      if (quiet) return false;
      throw_signature(binding, ErrorCode::wrong_argument_type,
                      fmt::format("there is no argument '{}'", PyUnicode_AsUTF8(name)));
    }
    if (bound.values[position] || (position == variadic && bound.rest)) {
      if (quiet) return false;
      throw_signature(binding, ErrorCode::wrong_argument_type,
                      fmt::format("the argument '{}' is given twice", PyUnicode_AsUTF8(name)));
    }
    bound.values[position] = value;
  }
  for (int i = 0; i < binding.count; ++i) {
    if (bound.values[i] || (i == variadic && bound.rest)) continue;
    if (!binding.required[static_cast<std::size_t>(i)]) continue;
    if (i == variadic && variadic == count &&
        keyword_count == 0) {  // px.zeros(), x.reshape(): no sizes at all
      bound.rest = arguments + count;
      continue;
    }
    if (quiet) return false;
    throw_signature(
        binding, ErrorCode::missing_argument,
        fmt::format("the argument '{}' is missing", binding.parameters()[static_cast<std::size_t>(i)].name));
  }
  return true;
}

bool arguments_fit(const Binding& binding, const BoundArguments& bound) {
  // Numbers without brackets are sizes only for the function whose name it is: randint(2, 10, 3).
  if (bound.rest_count > 1) return false;
  for (int i = 0; i < binding.count; ++i) {
    PyObject* value = bound.values[i];
    if (binding.telling[static_cast<std::size_t>(i)] &&
        (binding.operation->kinds[i] == ParameterKind::boolean ? value != Py_True : !value))
      return false;
    if (!value) continue;
    const bool tensor = is_tensor(value), list = PyList_Check(value) || PyTuple_Check(value);
    const bool number = PyFloat_Check(value) || PyIndex_Check(value);
    bool fits = true;
    switch (binding.operation->kinds[i]) {
      case ParameterKind::tensor: fits = tensor; break;
      case ParameterKind::optional_tensor: fits = tensor || value == Py_None; break;
      case ParameterKind::operand: fits = tensor || number || is_numpy_array(value); break;
      case ParameterKind::integer: fits = number && !tensor && !PyFloat_Check(value); break;
      case ParameterKind::optional_integer:
        fits = (number && !tensor && !PyFloat_Check(value)) || value == Py_None;
        break;
      case ParameterKind::scalar:
      case ParameterKind::floating: fits = number && !tensor; break;
      case ParameterKind::boolean: fits = PyBool_Check(value); break;
      case ParameterKind::integers: fits = list || (number && !tensor); break;
      case ParameterKind::optional_integers: fits = list || (number && !tensor) || value == Py_None; break;
      case ParameterKind::tensors: fits = list; break;
      case ParameterKind::text: fits = PyUnicode_Check(value); break;
      case ParameterKind::dtype:
      case ParameterKind::optional_dtype:
      case ParameterKind::optional_device:
      case ParameterKind::generator: fits = !list && !number && !tensor; break;
      default: break;
    }
    if (!fits) return false;
  }
  return true;
}

// --- values

ArgumentValues::ArgumentValues(const Binding& binding, const BoundArguments& bound) : count_(binding.count) {
  for (int i = 0; i < count_; ++i) {
    new (&slots_.values[i]) Value;
    if (PyObject* object = bound.values[i]) {
      convert(binding, i, object);
    } else if (bound.rest && i == binding.variadic) {
      auto& list = integers_[used_lists_++];
      list.resize(static_cast<std::size_t>(bound.rest_count));
      for (Py_ssize_t k = 0; k < bound.rest_count; ++k)
        if (!integer_from_python(bound.rest[k], list[static_cast<std::size_t>(k)]))
          throw_wrong_kind(binding, i, bound.rest[k]);
      slots_.values[i].kind = Value::Kind::integers;
      slots_.values[i].integers = &list;
    } else {
      slots_.values[i] = binding.defaults[static_cast<std::size_t>(i)];
    }
  }
}

void ArgumentValues::convert(const Binding& binding, int position, PyObject* object) {
  const ParameterKind kind = binding.operation->kinds[position];
  Value& value = slots_.values[position];
  if (kind == ParameterKind::tensor && is_tensor(object)) [[likely]] {
    value.kind = Value::Kind::tensor;
    value.tensor = &tensor_of(object);
    work_ += value.tensor->impl()->count;
    return;
  }
  try {
    if (convert_kind(kind, object, value)) return;
  } catch (const GraphError& error) {
    if (is_of_unknown_value(error)) check_known(object, binding, position);
    throw;
  }
  if (kind == ParameterKind::integers &&
      binding.parameters()[static_cast<std::size_t>(position)].name == "output_size" &&
      convert_sizes_to_keep(object, value))
    return;
  throw_wrong_kind(binding, position, object);
}

// (None, 3): None is the size that the input has, -1 in C++.
bool ArgumentValues::convert_sizes_to_keep(PyObject* object, Value& value) {
  if (!PyTuple_Check(object) && !PyList_Check(object)) return false;
  auto& list = integers_[used_lists_];
  list.clear();
  for (const nb::handle item : nb::borrow<nb::sequence>(object)) {
    std::int64_t size = -1;
    if (!item.is_none() && !integer_from_python(item.ptr(), size)) return false;
    list.push_back(size);
  }
  ++used_lists_;
  value.kind = Value::Kind::integers;
  value.integers = &list;
  return true;
}

bool ArgumentValues::convert_scalar(PyObject* object, Value& value) {
  Scalar scalar;
  if (is_tensor(object)) {
    const Tensor& tensor = tensor_of(object);
    if (tensor.numel() != 1 || tensor.requires_grad()) return false;
    scalar = tensor.item();
  } else if (!scalar_from_python(object, scalar)) {
    return false;
  }
  switch (scalar.kind()) {
    case Scalar::Kind::boolean:
      value.kind = Value::Kind::boolean;
      value.boolean = scalar.boolean();
      break;
    case Scalar::Kind::integer:
      value.kind = Value::Kind::integer;
      value.integer = scalar.integer();
      break;
    case Scalar::Kind::complex:
      value.kind = Value::Kind::complex;
      value.floating = scalar.real();
      value.imaginary = scalar.imaginary();
      break;
    case Scalar::Kind::floating:
      value.kind = Value::Kind::floating;
      value.floating = scalar.real();
      break;
  }
  return true;
}

bool ArgumentValues::convert_integers(PyObject* object, Value& value) {
  std::int64_t single;
  if (integer_from_python(object, single)) {
    value.kind = Value::Kind::integer;
    value.integer = single;
    return true;
  }
  auto& list = integers_[used_lists_];
  if (!integers_from_python(object, list)) return false;
  ++used_lists_;
  value.kind = Value::Kind::integers;
  value.integers = &list;
  return true;
}

bool ArgumentValues::convert_tensors(PyObject* object, Value& value) {
  if (is_tensor(object) || PyUnicode_Check(object)) return false;
  nb::object items = nb::steal(PySequence_Fast(object, ""));
  if (!items.is_valid()) {
    PyErr_Clear();
    return false;
  }
  TensorList list;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(items.ptr(), i);
    if (!is_tensor(item)) return false;
    list.push_back(tensor_of(item));
    work_ += list.back().numel();
  }
  if (tensor_lists_.empty()) tensor_lists_.reserve(max_arguments);  // values point into it
  tensor_lists_.push_back(std::move(list));
  value.kind = Value::Kind::tensors;
  value.tensors = &tensor_lists_.back();
  return true;
}

bool ArgumentValues::convert_kind(ParameterKind kind, PyObject* object, Value& value) {
  const auto none = [&] {
    value.kind = Value::Kind::none;
    return true;
  };
  const bool is_none = object == Py_None;
  switch (kind) {
    case ParameterKind::optional_tensor:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::tensor:
      if (!is_tensor(object)) return false;
      value.kind = Value::Kind::tensor;
      value.tensor = &tensor_of(object);
      work_ += value.tensor->numel();
      return true;
    case ParameterKind::optional_operand:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::operand:
      if (is_tensor(object)) return convert_kind(ParameterKind::tensor, object, value);
      if (is_numpy_array(object)) {
        if (converted_.empty()) converted_.reserve(max_arguments);
        converted_.push_back(tensor_from_numpy(object, true));
        value.kind = Value::Kind::tensor;
        value.tensor = &converted_.back();
        return true;
      }
      return convert_scalar(object, value);
    case ParameterKind::optional_scalar:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::scalar: return convert_scalar(object, value);
    case ParameterKind::optional_boolean:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::boolean:
      if (!PyBool_Check(object) && !is_numpy_bool(object)) return false;
      value.kind = Value::Kind::boolean;
      value.boolean = PyObject_IsTrue(object) == 1;
      return true;
    case ParameterKind::optional_integer:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::integer: {
      std::int64_t integer;
      if (!integer_from_python(object, integer)) return false;
      value.kind = Value::Kind::integer;
      value.integer = integer;
      return true;
    }
    case ParameterKind::optional_floating:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::floating: return convert_scalar(object, value) && value.kind != Value::Kind::complex;
    case ParameterKind::optional_integers:
      if (is_none) return none();
      return convert_integers(object, value);
    case ParameterKind::integers:
      if (is_none) {  // "all dimensions"
        auto& list = integers_[used_lists_++];
        list.clear();
        value.kind = Value::Kind::integers;
        value.integers = &list;
        return true;
      }
      return convert_integers(object, value);
    case ParameterKind::tensors: return convert_tensors(object, value);
    case ParameterKind::optional_text:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::text:
      if (!PyUnicode_Check(object)) return false;
      if (texts_.empty()) texts_.reserve(max_arguments);
      texts_.emplace_back(PyUnicode_AsUTF8(object));
      value.kind = Value::Kind::text;
      value.text = &texts_.back();
      return true;
    case ParameterKind::optional_dtype:
      if (is_none) return none();
      [[fallthrough]];
    case ParameterKind::dtype: value.kind = Value::Kind::dtype; return dtype_from_python(object, value.dtype);
    case ParameterKind::optional_device:
      if (is_none) return none();
      value.kind = Value::Kind::device;
      return device_from_python(object, value.device);
    case ParameterKind::generator:
      if (is_none) return none();
      value.kind = Value::Kind::generator;
      value.generator = generator_from_python(object);
      return value.generator != nullptr;
    case ParameterKind::optional_floats: {
      if (is_none) return none();
      Scalar single;
      if (!is_tensor(object) && scalar_from_python(object, single)) {  // one number stands for all
        floats_.assign(1, single.real());
        value.kind = Value::Kind::floats;
        value.floats = &floats_;
        return true;
      }
      nb::object items = nb::steal(PySequence_Fast(object, ""));
      if (!items.is_valid()) {
        PyErr_Clear();
        return false;
      }
      floats_.clear();
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); ++i) {
        Scalar scalar;
        if (!scalar_from_python(PySequence_Fast_GET_ITEM(items.ptr(), i), scalar)) return false;
        floats_.push_back(scalar.real());
      }
      value.kind = Value::Kind::floats;
      value.floats = &floats_;
      return true;
    }
  }
  return false;
}

}  // namespace phlox::python
