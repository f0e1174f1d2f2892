#include "python/tensor/dlpack.h"

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include <memory>

#include "python/errors.h"
#include "python/tensor/foreign_memory.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace phlox::python {

namespace {

// The structures of the protocol, version 1.
struct DLDevice {
  std::int32_t type;
  std::int32_t index;
};
struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t rank;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // null: row-major
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  std::uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  DLTensor tensor;
};
constexpr std::int32_t device_cpu = 1;
constexpr std::uint64_t flag_read_only = 1, flag_copied = 2;
constexpr std::uint8_t code_int = 0, code_uint = 1, code_float = 2, code_bfloat = 4, code_complex = 5,
                       code_bool = 6;

constexpr const char* name_plain = "dltensor";
constexpr const char* name_versioned = "dltensor_versioned";

DLDataType code_of(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  const auto bits = static_cast<std::uint8_t>(element_size(dtype) * 8);
  if (is_boolean(dtype)) return {code_bool, 8, 1};
  if (is_unsigned(dtype)) return {code_uint, bits, 1};
  if (is_integer(dtype)) return {code_int, bits, 1};
  if (dtype == DType::bfloat16) return {code_bfloat, 16, 1};
  if (is_floating(dtype)) return {code_float, bits, 1};
  if (is_complex(dtype)) return {code_complex, bits, 1};
  fail<DTypeError>(ErrorCode::wrong_dtype, "dlpack: the protocol has no {}", info(dtype).name)
      .detail("tensor", describe(tensor))
      .raise();
}

DType dtype_of_code(DLDataType type) {
  const auto sized = [&](DType one, DType two, DType four, DType eight) {
    return type.bits == 8 ? one : type.bits == 16 ? two : type.bits == 32 ? four : eight;
  };
  if (type.lanes == 1 && (type.bits == 8 || type.bits == 16 || type.bits == 32 || type.bits == 64)) {
    switch (type.code) {
      case code_int: return sized(DType::int8, DType::int16, DType::int32, DType::int64);
      case code_uint: return sized(DType::uint8, DType::uint16, DType::uint32, DType::uint64);
      case code_float:
        if (type.bits != 8) return sized(DType::float16, DType::float16, DType::float32, DType::float64);
        break;
      case code_bfloat:
        if (type.bits == 16) return DType::bfloat16;
        break;
      case code_bool:
        if (type.bits == 8) return DType::bool_;
        break;
      case code_complex:
        if (type.bits == 64) return DType::complex64;
        break;
      default: break;
    }
  }
  if (type.code == code_complex && type.bits == 128 && type.lanes == 1) return DType::complex128;
  fail<DTypeError>(ErrorCode::wrong_dtype, "from_dlpack: the dtype (code {}, {} bits, {} lanes) is not known",
                   type.code, type.bits, type.lanes)
      .raise();
}

Tensor share_managed(const DLTensor& t, bool read_only, void (*release)(void*), void* owner) {
  if (t.device.type != device_cpu)
    fail<DeviceError>(ErrorCode::wrong_device, "from_dlpack: the data are on device type {}, not on the CPU",
                      t.device.type)
        .raise();
  if (t.rank > max_rank) throw_too_many_dimensions(t.rank);
  const DType dtype = dtype_of_code(t.dtype);
  const Shape shape(std::span<const std::int64_t>(t.shape, static_cast<std::size_t>(t.rank)));
  const Strides strides =
      t.strides ? Strides(std::span<const std::int64_t>(t.strides, shape.size())) : contiguous_strides(shape);
  // Others give no address for no elements; here a tensor without one has no memory at all.
  static char nothing;
  char* data = t.data ? static_cast<char*>(t.data) + t.byte_offset : &nothing;
  return share_memory(data, shape, strides, dtype, read_only, release, owner);
}

template <class Managed>
void release_managed(void* owner) {
  auto* managed = static_cast<Managed*>(owner);
  if (!managed->deleter) return;
  if (!Py_IsInitialized()) return;
  nb::gil_scoped_acquire gil;  // the deleter may be Python's
  managed->deleter(managed);
}

// What an exported tensor keeps alive.
struct Exported {
  Tensor tensor;
  DLManagedTensorVersioned versioned;
  DLManagedTensor plain;
};

template <class Managed>
void delete_exported(Managed* managed) {
  delete static_cast<Exported*>(managed->context);
}

template <class Managed>
void drop_capsule(PyObject* capsule, const char* name) {
  if (!PyCapsule_IsValid(capsule, name)) return;  // somebody took it over
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  managed->deleter(managed);
}

}  // namespace

PyObject* tensor_to_dlpack(const Tensor& tensor, bool versioned, bool copied) {
  if (tensor.requires_grad())
    fail<GradientError>(ErrorCode::requires_grad_dtype,
                        "dlpack: a tensor that requires gradients is not exported")
        .detail("tensor", describe(tensor))
        .hint("x.detach()")
        .raise();
  const TensorImpl& t = *tensor.impl();
  if (t.storage->read_only && !versioned)
    fail<StateError>(ErrorCode::invalid_value, "dlpack: read-only data need the protocol's version 1")
        .hint("x.clone()")
        .raise();
  auto exported = std::make_unique<Exported>();
  exported->tensor = tensor;
  const DLTensor description = {tensor.data_pointer(),
                                {device_cpu, 0},
                                t.rank,
                                code_of(tensor),
                                const_cast<std::int64_t*>(t.sizes),
                                const_cast<std::int64_t*>(t.strides),
                                0};
  PyObject* capsule;
  if (versioned) {
    const std::uint64_t flags = (t.storage->read_only ? flag_read_only : 0) | (copied ? flag_copied : 0);
    exported->versioned = {1,     0,          exported.get(), delete_exported<DLManagedTensorVersioned>,
                           flags, description};
    capsule = PyCapsule_New(&exported->versioned, name_versioned,
                            [](PyObject* c) { drop_capsule<DLManagedTensorVersioned>(c, name_versioned); });
  } else {
    exported->plain = {description, exported.get(), delete_exported<DLManagedTensor>};
    capsule = PyCapsule_New(&exported->plain, name_plain,
                            [](PyObject* c) { drop_capsule<DLManagedTensor>(c, name_plain); });
  }
  if (!capsule) throw_python_error();
  exported.release();
  return capsule;
}

Tensor tensor_from_dlpack(PyObject* object) {
  nb::object capsule = nb::borrow(object);
  if (!PyCapsule_CheckExact(object)) {
    if (!nb::hasattr(object, "__dlpack__"))
      fail<TypeError>(ErrorCode::wrong_argument_type, "from_dlpack: {} has no __dlpack__",
                      Py_TYPE(object)->tp_name)
          .raise();
    nb::object method = nb::handle(object).attr("__dlpack__");
    try {
      capsule = method("max_version"_a = nb::make_tuple(1, 0));
    } catch (nb::python_error& error) {
      if (!error.matches(PyExc_TypeError)) throw;
      capsule = method();
    }
  }
  if (PyCapsule_IsValid(capsule.ptr(), name_versioned)) {
    auto* managed =
        static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule.ptr(), name_versioned));
    if (managed->major > 1)
      fail<NotSupportedError>(ErrorCode::not_supported, "from_dlpack: version {} of the protocol",
                              managed->major)
          .raise();
    Tensor tensor = share_managed(managed->tensor, managed->flags & flag_read_only,
                                  release_managed<DLManagedTensorVersioned>, managed);
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    return tensor;
  }
  if (!PyCapsule_IsValid(capsule.ptr(), name_plain))
    fail<ValueError>(ErrorCode::invalid_value, "from_dlpack: the capsule has been used already").raise();
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), name_plain));
  Tensor tensor = share_managed(managed->tensor, false, release_managed<DLManagedTensor>, managed);
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  return tensor;
}

}  // namespace phlox::python
