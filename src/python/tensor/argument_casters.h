// Lets functions bound by nanobind take what operations take: sizes, dtypes, devices.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include "python/tensor/convert.h"
#include "phlox/core/arguments.h"

NAMESPACE_BEGIN(NB_NAMESPACE)
NAMESPACE_BEGIN(detail)

// One integer or several.
template <>
struct type_caster<phlox::DimList> {
  NB_TYPE_CASTER(phlox::DimList, const_name("int | collections.abc.Sequence[int]"))
  bool from_python(handle source, std::uint32_t, cleanup_list*) noexcept {
    try {
      std::int64_t one = 0;
      if (phlox::python::integer_from_python(source.ptr(), one)) {
        value = phlox::DimList(one);
        return true;
      }
      std::vector<std::int64_t> several;
      if (!phlox::python::integers_from_python(source.ptr(), several)) return false;
      value = phlox::DimList();
      for (std::int64_t number : several) value.push_back(number);
      return true;
    } catch (...) {
      PyErr_Clear();
      return false;
    }
  }
  static handle from_cpp(const phlox::DimList& list, rv_policy, cleanup_list*) noexcept {
    if (list.size() == 1) return PyLong_FromLongLong(list[0]);
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(list.size()));
    for (std::size_t i = 0; tuple && i < list.size(); ++i) {
      PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(list[i]));
    }
    return tuple;
  }
};

NAMESPACE_END(detail)
NAMESPACE_END(NB_NAMESPACE)
