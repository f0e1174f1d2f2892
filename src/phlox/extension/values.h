// What crosses the C ABI, and what it is on the side of the library.
#pragma once

#include <string>
#include <vector>

#include "phlox/extension/c_abi.h"
#include "phlox/ops/registry/operation.h"

namespace phlox::extension {

// --- errors

const char* last_error();
void set_error(const char* text);
// As a StateError (E0109) of the operation.
[[noreturn]] void raise_last_error(const char* operation);

// Runs something for a caller that takes no exceptions: 0, or 1 with an error set.
template <class Work>
int attempt(const Work& work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::exception& error) {
    set_error(error.what());
  } catch (...) {
    set_error("an exception of an unknown kind");
  }
  return 1;
}

// --- values

DType dtype_from_c(std::int32_t dtype);
phlox_type type_to_c(DType dtype, const Shape& shape);
Shape shape_from_c(const phlox_type& type);
phlox_array array_of(const Tensor& row_major);
phlox_value tensor_value(phlox_tensor tensor);
phlox_value number_to_c(const Scalar& number);
// Anything but a tensor.
phlox_value value_to_c(const Value& value);
std::vector<phlox_value> values_of(std::span<const Scalar> numbers);

// References to tensors, released with this.
class Handles {
 public:
  explicit Handles(std::size_t empty) : handles_(empty, nullptr) {}
  explicit Handles(const TensorList& tensors);
  Handles(Handles&& other) noexcept = default;
  Handles& operator=(Handles&&) = delete;
  ~Handles();
  phlox_tensor* data() { return handles_.data(); }
  const phlox_tensor* data() const { return handles_.data(); }
  // Undefined where there is none.
  TensorList tensors() const;

 private:
  std::vector<phlox_tensor> handles_;
};

// --- functions of phlox_api

int tensor_from(const phlox_array* array, phlox_tensor* result);
void tensor_release(phlox_tensor tensor);
phlox_tensor tensor_retain(phlox_tensor tensor);
int tensor_type(phlox_tensor tensor, phlox_type* type);
int tensor_elements(phlox_tensor tensor, phlox_array* array, phlox_tensor* holder);
int call_by_name(const char* operation, const phlox_value* arguments, std::int32_t count,
                 phlox_value* results, std::int32_t capacity, std::int32_t* result_count);

}  // namespace phlox::extension
