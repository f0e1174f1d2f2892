// A Python object in C++ code that copies and releases it without holding the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

namespace phlox::python {

using SharedObject = std::shared_ptr<PyObject>;

inline SharedObject share_object(nanobind::handle object) {
  return SharedObject(nanobind::borrow(object).release().ptr(), [](PyObject* o) {
    if (!Py_IsInitialized()) return;
    nanobind::gil_scoped_acquire gil;
    Py_DECREF(o);
  });
}

}  // namespace phlox::python
