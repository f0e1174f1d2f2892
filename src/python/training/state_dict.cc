#include "python/training/state_dict.h"

#include <nanobind/stl/string.h>

#include "python/caster.h"
#include "phlox/base/error.h"

namespace nb = nanobind;

namespace phlox::python {

nb::dict state_to_python(const StateDict& state) {
  nb::dict dict;
  for (const auto& [name, tensor] : state) dict[name.c_str()] = tensor;
  return dict;
}

StateDict state_from_python(nb::handle state, const char* operation) {
  if (!PyMapping_Check(state.ptr()) || !nb::hasattr(state, "items")) {
    fail<TypeError>(ErrorCode::wrong_argument_type, "{}: a dict of tensors is needed, not {}", operation,
                    Py_TYPE(state.ptr())->tp_name)
        .raise();
  }
  StateDict result;
  for (nb::handle item : state.attr("items")()) {
    const nb::handle name = item[0], tensor = item[1];
    if (!PyUnicode_Check(name.ptr()) || !is_tensor(tensor.ptr())) {
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: the entry {} is a {}, not a tensor under a name",
                      operation, nb::cast<std::string>(nb::repr(name)), Py_TYPE(tensor.ptr())->tp_name)
          .raise();
    }
    result.set(nb::cast<std::string>(name), tensor_of(tensor.ptr()));
  }
  return result;
}

}  // namespace phlox::python
