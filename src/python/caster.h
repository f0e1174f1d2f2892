// Lets functions bound by nanobind take and return tensors. An undefined tensor is None.
#pragma once

#include <nanobind/nanobind.h>

#include "python/tensor/tensor_object.h"

NAMESPACE_BEGIN(NB_NAMESPACE)
NAMESPACE_BEGIN(detail)

template <>
struct type_caster<phlox::Tensor> {
  NB_TYPE_CASTER(phlox::Tensor, const_name("phlox.Tensor"))
  bool from_python(handle source, std::uint32_t, cleanup_list*) noexcept {
    if (source.is_none()) {
      value = phlox::Tensor();
      return true;
    }
    if (!phlox::python::is_tensor(source.ptr())) return false;
    value = phlox::python::tensor_of(source.ptr());
    return true;
  }
  static handle from_cpp(const phlox::Tensor& tensor, rv_policy, cleanup_list*) noexcept {
    try {
      return phlox::python::wrap(tensor);
    } catch (...) {
      return handle();
    }
  }
};

NAMESPACE_END(detail)
NAMESPACE_END(NB_NAMESPACE)
