// Python arguments as the uniform values of the registry.
#pragma once

#include <Python.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "python/tensor/operations.h"
#include "phlox/ops/registry/operation.h"

namespace phlox::python {

inline constexpr int max_arguments = 26;
inline constexpr int max_lists = 8;  // of integers, among them

// A call's arguments by position of the parameter; null where the default holds. Borrowed.
struct BoundArguments {
  PyObject* values[max_arguments] = {};
  PyObject* out = nullptr;
  bool requires_grad = false;
  bool in_place = false;  // relu(x, inplace=True)
  // Positional integers that a list parameter takes together: px.zeros(2, 3).
  PyObject* const* rest = nullptr;
  Py_ssize_t rest_count = 0;
};

// Sorts positional and keyword arguments. Throws TypeError with a message for the user; with `quiet`, returns false.
bool bind_arguments(const Binding& binding, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords,
                    BoundArguments& bound, bool quiet = false);

// True when the arguments look as if they were meant for this operation, judging by their Python types.
bool arguments_fit(const Binding& binding, const BoundArguments& bound);

// The values, and what they borrow.
class ArgumentValues {
 public:
  ArgumentValues(const Binding& binding, const BoundArguments& bound);
  std::span<const Value> span() const { return {slots_.values, static_cast<std::size_t>(count_)}; }
  // The number of elements of all tensors.
  std::int64_t work() const { return work_; }

 private:
  void convert(const Binding& binding, int position, PyObject* object);
  bool convert_kind(ParameterKind kind, PyObject* object, Value& value);
  bool convert_scalar(PyObject* object, Value& value);
  bool convert_integers(PyObject* object, Value& value);
  bool convert_sizes_to_keep(PyObject* object, Value& value);
  bool convert_tensors(PyObject* object, Value& value);

  // Only as many are made as there are parameters.
  union Slots {
    Slots() {}
    Value values[max_arguments];
  } slots_;
  int count_;
  std::int64_t work_ = 0;
  int used_lists_ = 0;
  std::vector<std::int64_t> integers_[max_lists];
  std::vector<double> floats_;
  std::vector<TensorList> tensor_lists_;
  std::vector<std::string> texts_;
  std::vector<Tensor> converted_;
};

}  // namespace phlox::python
