#include "python/tensor/tensor_object.h"

#include <structmember.h>

#include <cstddef>
#include <new>
#include <vector>

#include "python/tensor/convert.h"
#include "python/tensor/creation.h"
#include "python/errors.h"
#include "phlox/core/recording.h"
#include "phlox/ops/functions.h"

namespace phlox::python {

PyTypeObject* tensor_type = nullptr;

namespace {

// Objects that died, ready for reuse. The GIL protects the list.
constexpr int free_limit = 256;
PyObject* free_objects[free_limit];
int free_count = 0;

TensorObject* cast(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

// An object is shown to the garbage collector only when it has attributes, through which alone a cycle can go.
void track(PyObject* self) {
  if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
}

PyObject* allocate_object() {
  if (free_count > 0) [[likely]] {
    PyObject* object = free_objects[--free_count];
    _Py_NewReference(object);
    Py_INCREF(tensor_type);
    return object;
  }
  TensorObject* object = PyObject_GC_New(TensorObject, tensor_type);
  if (!object) throw_python_error();
  return reinterpret_cast<PyObject*>(object);
}

void set_tensor(PyObject* self, Tensor&& tensor) {
  TensorObject* object = cast(self);
  new (&object->tensor) Tensor(std::move(tensor));
  object->weak_references = nullptr;
  object->attributes = nullptr;
  object->tensor.unsafe_impl()->python_object = self;
}

void dealloc(PyObject* self) {
  TensorObject* object = cast(self);
  PyTypeObject* type = Py_TYPE(self);
  if (PyObject_GC_IsTracked(self)) PyObject_GC_UnTrack(self);
  if (object->weak_references) [[unlikely]]
    PyObject_ClearWeakRefs(self);
  if (object->attributes) [[unlikely]]
    Py_CLEAR(object->attributes);
  if (TensorImpl* impl = object->tensor.unsafe_impl()) {
    if (impl->python_object == self) impl->python_object = nullptr;
  }
  object->tensor.~Tensor();
  if (type == tensor_type && free_count < free_limit) [[likely]]
    free_objects[free_count++] = self;
  else type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(cast(self)->attributes);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(cast(self)->attributes);
  return 0;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  const int status = PyObject_GenericSetAttr(self, name, value);
  if (cast(self)->attributes) track(self);
  return status;
}

PyObject* get_dict(PyObject* self, void* context) {
  PyObject* dict = PyObject_GenericGetDict(self, context);
  if (dict) track(self);
  return dict;
}

// Tensor(data): a new tensor of the default dtype; Tensor(tensor): another object for the same data.
PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  PHLOX_TRY
  PyObject* data = PyTuple_GET_SIZE(arguments) > 0 ? PyTuple_GET_ITEM(arguments, 0) : nullptr;
  if (!data && keywords) data = PyDict_GetItemString(keywords, "data");
  Tensor tensor;
  std::vector<std::int64_t> sizes;  // Tensor(2, 3), as in PyTorch; what it holds is not promised there
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(arguments); ++i) {
    PyObject* size = PyTuple_GET_ITEM(arguments, i);
    if (!PyLong_CheckExact(size)) break;
    sizes.push_back(PyLong_AsLongLong(size));
    if (sizes.back() == -1 && PyErr_Occurred()) throw_python_error();
  }
  if (!sizes.empty()) tensor = zeros(Shape(sizes), default_dtype());
  else if (!data) tensor = make_tensor({0}, default_dtype());
  else if (is_tensor(data)) tensor = shallow_alias(tensor_of(data));
  else tensor = tensor_from_python(data, default_dtype(), std::nullopt, true);
  return wrap_as(type, std::move(tensor));
  PHLOX_CATCH
}

PyObject* represent(PyObject* self) {
  PHLOX_TRY
  const Tensor& tensor = tensor_of(self);
  if (thread_mode.capture && tensor.impl()->has_data() &&
      tensor.impl()->storage->capture != thread_mode.capture) [[unlikely]]
    fail<GraphError>(
        ErrorCode::value_while_capturing,
        "a tensor becomes a text while a function is captured, which would tell its values of this "
        "call for ever")
        .detail("tensor", describe(tensor))
        .hint("px.debug.print(\"{}\", <tensor>) prints it in each run")
        .raise();
  return PyUnicode_FromString(tensor.to_string().c_str());
  PHLOX_CATCH
}

Py_hash_t hash(PyObject* self) { return static_cast<Py_hash_t>(reinterpret_cast<std::size_t>(self) >> 4); }

[[noreturn]] void throw_no_dimension(const char* operation, const Tensor& tensor) {
  fail<TypeError>(ErrorCode::wrong_argument_type,
                  "{}: a tensor of 0 dimensions is a number, and no list of them", operation)
      .detail("tensor", describe(tensor))
      .hint("<tensor>.item(), or <tensor>.reshape(1)")
      .raise();
}

Py_ssize_t length(PyObject* self) {
  const TensorImpl* impl = tensor_of(self).unsafe_impl();
  if (impl->rank > 0) return static_cast<Py_ssize_t>(impl->sizes[0]);
  PHLOX_TRY
  throw_no_dimension("len", tensor_of(self));
  PHLOX_CATCH_INT
}

// Iteration over the first dimension.
struct IteratorObject {
  PyObject_HEAD PyObject* tensor;
  Py_ssize_t position;
};
PyTypeObject* iterator_type = nullptr;

PyObject* iterate(PyObject* self) {
  PHLOX_TRY
  if (tensor_of(self).unsafe_impl()->rank == 0) throw_no_dimension("iteration", tensor_of(self));
  PHLOX_CATCH
  IteratorObject* iterator = PyObject_New(IteratorObject, iterator_type);
  if (!iterator) return nullptr;
  iterator->tensor = Py_NewRef(self);
  iterator->position = 0;
  return reinterpret_cast<PyObject*>(iterator);
}

PyObject* iterator_next(PyObject* self) {
  auto* iterator = reinterpret_cast<IteratorObject*>(self);
  if (iterator->position >= tensor_of(iterator->tensor).unsafe_impl()->sizes[0]) return nullptr;
  return tensor_item(iterator->tensor, iterator->position++);
}

void iterator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(reinterpret_cast<IteratorObject*>(self)->tensor);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weak_references), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, attributes), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef dict_attribute = {"__dict__", get_dict, PyObject_GenericSetDict, nullptr, nullptr};

const char* const documentation =
    "An n-dimensional array of one dtype on one device, with a record for gradients.\n\n"
    "Made by px.tensor(data), px.zeros(...), px.from_numpy(array) and the like. All operations that take a tensor\n"
    "first are methods as well. Indexing is that of NumPy.";

}  // namespace

PyObject* wrap(Tensor&& tensor) {
  TensorImpl* impl = tensor.unsafe_impl();
  if (!impl) [[unlikely]]
    Py_RETURN_NONE;
  if (impl->python_object) [[unlikely]]
    return Py_NewRef(static_cast<PyObject*>(impl->python_object));
  PyObject* self = allocate_object();
  set_tensor(self, std::move(tensor));
  return self;
}

PyObject* wrap_as(PyTypeObject* type, Tensor&& tensor) {
  if (type == tensor_type) return wrap(std::move(tensor));
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  set_tensor(self, std::move(tensor));
  return self;
}

void add_tensor_type(PyObject* module) {
  std::vector<PyGetSetDef>& attributes = *new std::vector<PyGetSetDef>{dict_attribute};
  for (PyGetSetDef* attribute = tensor_attributes;; ++attribute) {
    attributes.push_back(*attribute);
    if (!attribute->name) break;
  }
  std::vector<PyType_Slot> slots = {
      {Py_tp_doc, const_cast<char*>(documentation)},
      {Py_tp_new, reinterpret_cast<void*>(make)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
      {Py_tp_repr, reinterpret_cast<void*>(represent)},
      {Py_tp_hash, reinterpret_cast<void*>(hash)},
      {Py_tp_iter, reinterpret_cast<void*>(iterate)},
      {Py_mp_length, reinterpret_cast<void*>(length)},
      {Py_sq_length, reinterpret_cast<void*>(length)},
      {Py_mp_subscript, reinterpret_cast<void*>(tensor_subscript)},
      {Py_mp_ass_subscript, reinterpret_cast<void*>(tensor_assign_subscript)},
      {Py_tp_methods, tensor_methods},
      {Py_tp_members, members},
      {Py_tp_getset, attributes.data()},
  };
  for (PyType_Slot* slot = number_slots(); slot->slot; ++slot) slots.push_back(*slot);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"phlox.Tensor", sizeof(TensorObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  tensor_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!tensor_type || PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(tensor_type)) < 0)
    throw_python_error();

  PyType_Slot iterator_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(iterator_dealloc)},
                                  {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                                  {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
                                  {0, nullptr}};
  PyType_Spec iterator_spec = {"phlox._phlox.TensorIterator", sizeof(IteratorObject), 0, Py_TPFLAGS_DEFAULT,
                               iterator_slots};
  iterator_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&iterator_spec));
  if (!iterator_type) throw_python_error();
}

}  // namespace phlox::python
