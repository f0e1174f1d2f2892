#include "python/tensor/foreign_memory.h"

namespace phlox::python {

namespace {

// The last tensor may die in any thread, or after the interpreter.
void release_object(void* object) {
  if (!Py_IsInitialized()) return;
  const PyGILState_STATE state = PyGILState_Ensure();
  Py_DECREF(static_cast<PyObject*>(object));
  PyGILState_Release(state);
}

}  // namespace

Tensor share_memory(void* data, const Shape& shape, const Strides& strides, DType dtype, bool read_only,
                    void (*release)(void*), void* owner) {
  // A storage begins at its lowest address, which with negative strides is not that of the first element.
  std::int64_t below = 0, above = 1;
  bool negative = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0)
      return wrap_memory(data, shape, contiguous_strides(shape), dtype, release, owner, read_only);
    negative |= strides[i] < 0;
    (strides[i] < 0 ? below : above) += strides[i] * (shape[i] - 1);
  }
  if (!negative) return wrap_memory(data, shape, strides, dtype, release, owner, read_only);
  char* lowest = static_cast<char*>(data) + below * element_size(dtype);
  const Tensor whole = wrap_memory(lowest, {above - below}, {1}, dtype, release, owner, read_only);
  Tensor tensor = make_view(whole, shape, strides, -below);
  tensor.impl()->forget_base();  // nothing else refers to the whole
  return tensor;
}

Tensor share_memory_of(PyObject* owner, void* data, const Shape& shape, const Strides& strides, DType dtype,
                       bool read_only) {
  Py_INCREF(owner);
  try {
    return share_memory(data, shape, strides, dtype, read_only, release_object, owner);
  } catch (...) {
    Py_DECREF(owner);
    throw;
  }
}

}  // namespace phlox::python
