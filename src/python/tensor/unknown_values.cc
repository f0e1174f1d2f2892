#include "python/tensor/unknown_values.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "python/tensor/tensor_object.h"
#include "phlox/base/error.h"
#include "phlox/core/sample_mode.h"

namespace nb = nanobind;

namespace phlox::python {

namespace {

[[noreturn]] void throw_unknown(const Tensor& tensor, const char* label, const std::string& summary,
                                const std::string& hint) {
  fail<GraphError>(ErrorCode::value_while_capturing, "{}", summary)
      .detail(label, describe(tensor))
      .hint(hint)
      .raise();
}

// The only element of a tensor without a value is asked for.
bool is_unknown(const Tensor& tensor) {
  if (!(thread_mode.capture || active_vmaps) || tensor.numel() != 1) return false;
  try {
    tensor.item();
  } catch (const GraphError& error) {
    if (!is_of_unknown_value(error)) throw;
    return true;
  }
  return false;
}

}  // namespace

bool is_of_unknown_value(const Error& error) {
  return error.code() == ErrorCode::value_while_capturing && active_vmaps == 0;
}

Scalar known_item(const Tensor& tensor, const std::string& what, const std::string& hint) {
  try {
    return tensor.item();
  } catch (const GraphError& error) {
    if (!is_of_unknown_value(error)) throw;
  }
  throw_unknown(tensor, "tensor",
                what + " must be known while a function is captured, and this tensor has no value yet", hint);
}

Scalar known_condition(const Tensor& tensor) {
  try {
    return tensor.item();
  } catch (const GraphError& error) {
    if (!is_of_unknown_value(error)) throw;
  }
  const nb::object said = nb::module_::import_("phlox._places").attr("unknown_condition")();
  throw_unknown(tensor, "condition", nb::cast<std::string>(said[0]), nb::cast<std::string>(said[1]));
}

void check_known_argument(PyObject* object, const std::string& operation, const std::string& parameter,
                          bool is_integer) {
  if (PyList_Check(object) || PyTuple_Check(object)) {
    for (const nb::handle part : nb::borrow<nb::sequence>(object))
      if (is_tensor(part.ptr())) check_known_argument(part.ptr(), operation, parameter, is_integer);
    return;
  }
  if (!is_tensor(object) || !is_unknown(tensor_of(object))) return;
  throw_unknown(
      tensor_of(object), parameter.c_str(),
      fmt::format("{}: '{}' must be known while a function is captured, and this tensor has no value yet",
                  operation, parameter),
      is_integer
          ? "pass it as an int: each value is a graph of its own; shapes are known: x.shape[0]"
          : "pass it as a number: each value is a graph of its own; or compute with tensors: *, +, px.where");
}

}  // namespace phlox::python
