// Errors of who asks for the value of a tensor that has none yet, as a function is captured: what the value was to
// decide, and what to write instead.
#pragma once

#include <Python.h>

#include <string>

#include "phlox/core/scalar.h"
#include "phlox/core/tensor.h"

namespace phlox::python {

// Whether an error is the one that asking for such a value gives, outside of vmap(), whose text says more.
bool is_of_unknown_value(const Error& error);

// The only element. Where it is not known, throws GraphError [E1001] with this text: "index: a bound of a slice".
Scalar known_item(const Tensor& tensor, const std::string& what, const std::string& hint);

// The only element of a condition; the error looks at how the program came to ask.
Scalar known_condition(const Tensor& tensor);

// Throws such an error if `object` is a tensor without a value, or a list that holds one, in the place of a number that
// an operation takes; a size, a position or another integer if `is_integer`.
void check_known_argument(PyObject* object, const std::string& operation, const std::string& parameter,
                          bool is_integer);

}  // namespace phlox::python
