// Python's operators. Which operation an operator means is a field of the registry (python_operator), or the
// operation has the operator's own name (matmul).

#include <Python.h>

#include <array>
#include <cstring>

#include "python/tensor/convert.h"
#include "python/errors.h"
#include "python/tensor/operations.h"
#include "python/tensor/tensor_object.h"
#include "python/tensor/unknown_values.h"

namespace phlox::python {

namespace {

enum Operator : int {
  op_add,
  op_sub,
  op_mul,
  op_matmul,
  op_truediv,
  op_floordiv,
  op_mod,
  op_pow,
  op_and,
  op_or,
  op_xor,
  op_lshift,
  op_rshift,
  op_lt,
  op_le,
  op_eq,
  op_ne,
  op_gt,
  op_ge,
  op_neg,
  op_abs,
  op_invert,
  operator_count,
};
constexpr const char* operator_names[operator_count] = {
    "add",    "sub",    "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "or",  "xor",
    "lshift", "rshift", "lt",  "le",     "eq",      "ne",       "gt",  "ge",  "neg", "abs", "invert"};

const Binding* bound_operators[operator_count];

// Found on first use, so that the types can be made before the operations.
const Binding* binding_of(Operator which) {
  if (bound_operators[which]) [[likely]]
    return bound_operators[which];
  for (const Operation* operation : operations()) {
    const PointwiseTraits* traits = operation->pointwise_traits;
    if (traits && std::strcmp(traits->python_operator, operator_names[which]) == 0)
      bound_operators[which] = find_binding(operation->name);
  }
  if (!bound_operators[which]) bound_operators[which] = find_binding(operator_names[which]);
  return bound_operators[which];
}

template <Operator which>
PyObject* binary(PyObject* a, PyObject* b) noexcept {
  PyObject* const operands[] = {a, b};
  PHLOX_TRY
  if (const Binding* binding = binding_of(which)) return call_binary(*binding, a, b);
  Py_RETURN_NOTIMPLEMENTED;
  PHLOX_CATCH_CALL(operands, 2)
}

template <Operator which>
PyObject* binary_in_place(PyObject* a, PyObject* b) noexcept {
  PyObject* const operands[] = {a, b};
  PHLOX_TRY
  if (const Binding* binding = binding_of(which)) return call_binary_in_place(*binding, a, b);
  Py_RETURN_NOTIMPLEMENTED;
  PHLOX_CATCH_CALL(operands, 2)
}

template <Operator which>
PyObject* unary(PyObject* a) noexcept {
  PHLOX_TRY
  if (const Binding* binding = binding_of(which)) return call_unary(*binding, a);
  PyErr_Format(PyExc_TypeError, "there is no operation for the operator %s", operator_names[which]);
  return nullptr;
  PHLOX_CATCH_CALL(&a, 1)
}

PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) noexcept {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary<op_pow>(a, b);
}

PyObject* power_in_place(PyObject* a, PyObject* b, PyObject*) noexcept {
  return binary_in_place<op_pow>(a, b);
}

PyObject* compare(PyObject* a, PyObject* b, int operation) noexcept {
  switch (operation) {
    case Py_LT: return binary<op_lt>(a, b);
    case Py_LE: return binary<op_le>(a, b);
    case Py_EQ: return binary<op_eq>(a, b);
    case Py_NE: return binary<op_ne>(a, b);
    case Py_GT: return binary<op_gt>(a, b);
    default: return binary<op_ge>(a, b);
  }
}

PyObject* positive(PyObject* a) noexcept { return Py_NewRef(a); }

int truth(PyObject* a) noexcept {
  PHLOX_TRY
  const Tensor& tensor = tensor_of(a);
  if (tensor.numel() != 1)
    fail<ValueError>(ErrorCode::invalid_value, "bool: the truth of a tensor of {} elements is ambiguous",
                     tensor.numel())
        .detail("tensor", describe(tensor))
        .hint("x.any() or x.all()")
        .raise();
  return known_condition(tensor).boolean();
  PHLOX_CATCH_INT
}

// The only element as a Python number of its own kind.
PyObject* number(PyObject* a, const char* operation) {
  try {
    return scalar_to_python(tensor_of(a).item(), tensor_of(a).dtype());
  } catch (Error& error) {
    error.set_operation(operation);
    throw;
  }
}

// The same through PyNumber_Long or PyNumber_Float.
template <PyObject* (*convert)(PyObject*)>
PyObject* number_as(PyObject* a) noexcept {
  PHLOX_TRY
  PyObject* value = number(a, convert == PyNumber_Long ? "int" : "float");
  PyObject* result = value ? convert(value) : nullptr;
  Py_XDECREF(value);
  return result;
  PHLOX_CATCH
}

PyObject* to_index(PyObject* a) noexcept {
  PHLOX_TRY
  const Tensor& tensor = tensor_of(a);
  if (tensor.numel() != 1 || !is_integer(tensor.dtype()))
    fail<TypeError>(ErrorCode::wrong_argument_type,
                    "index: only an integer tensor of one element counts as an integer")
        .detail("tensor", describe(tensor))
        .raise();
  const char* hint = "index a tensor: px.tensor([1, 2, 3])[<tensor>]; or pass the number as an int";
  return PyLong_FromLongLong(known_item(tensor, "index: an integer", hint).integer());
  PHLOX_CATCH
}

int contains(PyObject* self, PyObject* value) noexcept {
  PyObject* equal = binary<op_eq>(self, value);
  if (!equal) return -1;
  int found = 0;
  if (equal == Py_NotImplemented) {
    PyErr_Format(PyExc_TypeError, "a tensor cannot contain a %s", Py_TYPE(value)->tp_name);
    found = -1;
  } else {
    PyObject* any = PyObject_CallMethod(equal, "any", nullptr);
    found = any ? PyObject_IsTrue(any) : -1;
    Py_XDECREF(any);
  }
  Py_DECREF(equal);
  return found;
}

template <class F>
PyType_Slot slot(int id, F* function) {
  return {id, reinterpret_cast<void*>(function)};
}

}  // namespace

PyType_Slot* number_slots() {
  static PyType_Slot slots[] = {
      slot(Py_nb_add, binary<op_add>),
      slot(Py_nb_subtract, binary<op_sub>),
      slot(Py_nb_multiply, binary<op_mul>),
      slot(Py_nb_matrix_multiply, binary<op_matmul>),
      slot(Py_nb_true_divide, binary<op_truediv>),
      slot(Py_nb_floor_divide, binary<op_floordiv>),
      slot(Py_nb_remainder, binary<op_mod>),
      slot(Py_nb_power, power),
      slot(Py_nb_and, binary<op_and>),
      slot(Py_nb_or, binary<op_or>),
      slot(Py_nb_xor, binary<op_xor>),
      slot(Py_nb_lshift, binary<op_lshift>),
      slot(Py_nb_rshift, binary<op_rshift>),
      slot(Py_nb_inplace_add, binary_in_place<op_add>),
      slot(Py_nb_inplace_subtract, binary_in_place<op_sub>),
      slot(Py_nb_inplace_multiply, binary_in_place<op_mul>),
      slot(Py_nb_inplace_true_divide, binary_in_place<op_truediv>),
      slot(Py_nb_inplace_floor_divide, binary_in_place<op_floordiv>),
      slot(Py_nb_inplace_remainder, binary_in_place<op_mod>),
      slot(Py_nb_inplace_power, power_in_place),
      slot(Py_nb_inplace_and, binary_in_place<op_and>),
      slot(Py_nb_inplace_or, binary_in_place<op_or>),
      slot(Py_nb_inplace_xor, binary_in_place<op_xor>),
      slot(Py_nb_inplace_lshift, binary_in_place<op_lshift>),
      slot(Py_nb_inplace_rshift, binary_in_place<op_rshift>),
      slot(Py_nb_negative, unary<op_neg>),
      slot(Py_nb_absolute, unary<op_abs>),
      slot(Py_nb_invert, unary<op_invert>),
      slot(Py_nb_positive, positive),
      slot(Py_nb_bool, truth),
      slot(Py_nb_int, number_as<PyNumber_Long>),
      slot(Py_nb_float, number_as<PyNumber_Float>),
      slot(Py_nb_index, to_index),
      slot(Py_tp_richcompare, compare),
      slot(Py_sq_contains, contains),
      {0, nullptr},
  };
  return slots;
}

}  // namespace phlox::python
