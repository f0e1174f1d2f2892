// Every operation of the registry as a Python function and, where it takes a tensor first, as a method of Tensor.
// This is the whole binding: names, defaults, documentation and conversions are read from the registry.
#pragma once

#include <Python.h>

#include <span>
#include <string>
#include <vector>

#include "phlox/ops/registry/operation.h"

namespace phlox::python {

// How the operation is called from Python; lives as long as the process.
struct Binding {
  enum class Form : std::uint8_t { plain, in_place };

  const Operation* operation;
  Form form = Form::plain;
  std::string name;              // in Python: "relu", "relu_"
  std::vector<PyObject*> names;  // interned, of the parameters
  std::vector<std::vector<PyObject*>> synonyms;
  std::vector<Value> defaults;  // one for each parameter, as `required`
  std::vector<char> required;
  int count = 0;      // of parameters
  int variadic = -1;  // position of a list parameter that takes all further integers
  bool takes_requires_grad = false;
  bool takes_out = false;                     // out=: a tensor, or as many as there are results
  std::vector<KernelScalar> default_scalars;  // of a pointwise operation
  std::vector<char> telling;  // what must be given for this overload of another operation, flags as true
  std::vector<const Binding*> overloads;  // other operations that the name means, where their arguments fit
  // Python functions for calls that the signature does not cover: those with the keyword, or at the position with a
  // tensor where a list is expected, or with a list of lists.
  struct OtherForm {
    PyObject* function;
    PyObject* keyword;  // null: the position decides
    Py_ssize_t position;
  };
  std::vector<OtherForm> forms;
  mutable PyTypeObject* result_type = nullptr;  // a named tuple, made when first returned
  const std::vector<Parameter>& parameters() const { return phlox::parameters(*operation); }
};

// The function of an operation, or its method: callable, with documentation and signature.
struct OperationObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  const Binding* binding;
};
extern PyTypeObject* operation_type;
extern PyTypeObject* method_type;

// Puts the functions into the module and the methods into Tensor.
void add_operations(PyObject* module);

// Calls of the operation or in-place method NAME that have the keyword, or without one a tensor or a list of lists at the position, go to
// a Python function.
void add_form(const std::string& name, PyObject* function, PyObject* keyword, Py_ssize_t position);

// A new reference to a function for an operation that was added while the program runs.
PyObject* object_for(const Operation& operation);

// The function called NAME; null when there is none.
const Binding* find_binding(std::string_view name);

// Calls with positional arguments only; for operators and for methods written by hand. Throws.
PyObject* call_binding(const Binding& binding, std::span<PyObject* const> arguments);

// A pointwise operation on two operands, of which at least one is a tensor. Throws; NotImplemented when an operand is
// neither a tensor nor a number.
PyObject* call_binary(const Binding& binding, PyObject* a, PyObject* b);
PyObject* call_unary(const Binding& binding, PyObject* a);
// a is changed.
PyObject* call_binary_in_place(const Binding& binding, PyObject* a, PyObject* b);

// Lets other Python threads run in this scope when there are enough elements to make it worthwhile.
class ReleaseGil {
 public:
  explicit ReleaseGil(std::int64_t work) : state_(work >= threshold ? PyEval_SaveThread() : nullptr) {}
  ~ReleaseGil() {
    if (state_) PyEval_RestoreThread(state_);
  }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;
  static constexpr std::int64_t threshold = 32768;

 private:
  PyThreadState* state_;
};

}  // namespace phlox::python
