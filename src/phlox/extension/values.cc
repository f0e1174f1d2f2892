#include "phlox/extension/values.h"

#include <algorithm>
#include <cstring>

#include "phlox/core/recording.h"

namespace phlox::extension {
namespace {

std::string& error_of_thread() {
  thread_local std::string text;
  return text;
}

phlox_tensor handle_of(const Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  return reinterpret_cast<phlox_tensor>(new Tensor(tensor));
}
const Tensor& tensor_of(phlox_tensor handle) {
  if (!handle)
    fail<ValueError>(ErrorCode::undefined_tensor, "a tensor that was never given a value is used").raise();
  return *reinterpret_cast<const Tensor*>(handle);
}

static_assert(static_cast<int>(DType::bool_) == PHLOX_BOOL && static_cast<int>(DType::int8) == PHLOX_INT8 &&
              static_cast<int>(DType::float16) == PHLOX_FLOAT16 &&
              static_cast<int>(DType::float32) == PHLOX_FLOAT32 &&
              static_cast<int>(DType::complex128) == PHLOX_COMPLEX128 && PHLOX_MAX_RANK == max_rank);

// An argument with the memory that it borrows.
struct Argument {
  Value value;
  std::vector<std::int64_t> integers;
  std::string text;
};

void read(const phlox_value& given, Argument& argument) {
  Value& value = argument.value;
  switch (given.kind) {
    case PHLOX_NONE: break;  // missing: its default
    case PHLOX_TENSOR:
      value.kind = Value::Kind::tensor;
      value.tensor = &tensor_of(given.as.tensor);
      break;
    case PHLOX_INTEGER:
      value.kind = Value::Kind::integer;
      value.integer = given.as.integer;
      break;
    case PHLOX_FLOATING:
      value.kind = Value::Kind::floating;
      value.floating = given.as.floating;
      break;
    case PHLOX_BOOLEAN:
      value.kind = Value::Kind::boolean;
      value.boolean = given.as.integer != 0;
      break;
    case PHLOX_TEXT:
      argument.text = given.as.text;
      value.kind = Value::Kind::text;
      value.text = &argument.text;
      break;
    case PHLOX_INTEGERS:
      argument.integers.assign(given.as.integers, given.as.integers + given.count);
      value.kind = Value::Kind::integers;
      value.integers = &argument.integers;
      break;
    case PHLOX_DTYPE:
      value.kind = Value::Kind::dtype;
      value.dtype = dtype_from_c(static_cast<std::int32_t>(given.as.integer));
      break;
    default: fail<ValueError>(ErrorCode::invalid_value, "{} is no kind of values", given.kind).raise();
  }
}

}  // namespace

const char* last_error() { return error_of_thread().c_str(); }
void set_error(const char* text) { error_of_thread() = text ? text : ""; }

void raise_last_error(const char* operation) {
  fail<StateError>(ErrorCode::extension_failed, "{}: {}", operation, error_of_thread()).raise();
}

DType dtype_from_c(std::int32_t dtype) {
  if (dtype < 0 || dtype >= computable_dtype_count)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{} is the number of no dtype", dtype).raise();
  return static_cast<DType>(dtype);
}

phlox_type type_to_c(DType dtype, const Shape& shape) {
  phlox_type type{.dtype = static_cast<std::int32_t>(dtype), .rank = shape.rank(), .sizes = {}};
  std::copy(shape.begin(), shape.end(), type.sizes);
  return type;
}

Shape shape_from_c(const phlox_type& type) {
  if (type.rank < 0 || type.rank > PHLOX_MAX_RANK)
    fail<ShapeError>(ErrorCode::too_many_dimensions, "a type with {} dimensions", type.rank).raise();
  return Shape(IntList(Integers(type.sizes, type.sizes + type.rank)));
}

phlox_array array_of(const Tensor& tensor) {
  return {.type = type_to_c(tensor.dtype(), tensor.shape()), .data = tensor.impl()->address()};
}

phlox_value tensor_value(phlox_tensor tensor) {
  phlox_value result{.kind = PHLOX_TENSOR, .count = 0, .as = {}};
  result.as.tensor = tensor;
  return result;
}

phlox_value number_to_c(const Scalar& number) {
  phlox_value value{.kind = PHLOX_FLOATING, .count = 0, .as = {}};
  if (number.kind() == Scalar::Kind::floating) value.as.floating = number.real();
  else value.as.integer = number.integer();
  if (number.kind() == Scalar::Kind::integer) value.kind = PHLOX_INTEGER;
  if (number.kind() == Scalar::Kind::boolean) value.kind = PHLOX_BOOLEAN;
  return value;
}

phlox_value value_to_c(const Value& value) {
  phlox_value result{.kind = PHLOX_NONE, .count = 0, .as = {}};
  switch (value.kind) {
    case Value::Kind::boolean: return number_to_c(value.boolean);
    case Value::Kind::integer: return number_to_c(value.integer);
    case Value::Kind::floating: return number_to_c(value.floating);
    case Value::Kind::text:
      result.kind = PHLOX_TEXT;
      result.as.text = value.text->c_str();
      break;
    default: break;
  }
  return result;
}

std::vector<phlox_value> values_of(std::span<const Scalar> numbers) {
  std::vector<phlox_value> values;
  for (const Scalar& number : numbers) values.push_back(number_to_c(number));
  return values;
}

Handles::Handles(const TensorList& tensors) {
  for (const Tensor& tensor : tensors) handles_.push_back(handle_of(tensor));
}
Handles::~Handles() {
  for (phlox_tensor handle : handles_) tensor_release(handle);
}
TensorList Handles::tensors() const {
  TensorList tensors;
  for (phlox_tensor handle : handles_) tensors.push_back(handle ? tensor_of(handle) : Tensor());
  return tensors;
}

int tensor_from(const phlox_array* array, phlox_tensor* result) {
  return attempt([&] {
    const Tensor tensor = make_tensor(shape_from_c(array->type), dtype_from_c(array->type.dtype), Device{});
    const auto bytes = static_cast<std::size_t>(tensor.numel() * element_size(tensor.dtype()));
    if (bytes > 0) std::memcpy(tensor.impl()->address(), array->data, bytes);
    *result = handle_of(tensor);
  });
}

void tensor_release(phlox_tensor tensor) { delete reinterpret_cast<Tensor*>(tensor); }

phlox_tensor tensor_retain(phlox_tensor tensor) { return tensor ? handle_of(tensor_of(tensor)) : nullptr; }

int tensor_type(phlox_tensor tensor, phlox_type* type) {
  return attempt([&] { *type = type_to_c(tensor_of(tensor).dtype(), tensor_of(tensor).shape()); });
}

int tensor_elements(phlox_tensor tensor, phlox_array* array, phlox_tensor* holder) {
  return attempt([&] {
    const Tensor dense = tensor_of(tensor).detach().contiguous();
    *array = array_of(dense);
    *holder = handle_of(dense);
  });
}

int call_by_name(const char* name, const phlox_value* arguments, std::int32_t count, phlox_value* results,
                 std::int32_t capacity, std::int32_t* result_count) {
  return attempt([&] {
    const Operation* operation = find_operation(name);
    if (!operation) fail<ValueError>(ErrorCode::unknown_name, "there is no operation '{}'", name).raise();
    const auto& declared = parameters(*operation);
    if (count < 0 || static_cast<std::size_t>(count) > declared.size())
      fail<TypeError>(ErrorCode::wrong_argument_type, "{}: takes {} arguments, not {}", name, declared.size(),
                      count)
          .raise();
    std::vector<Argument> held(declared.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) read(arguments[i], held[i]);
    std::vector<Value> values;
    for (const Argument& argument : held) values.push_back(argument.value);
    const Result result = phlox::call(*operation, values);
    const auto put = [&](std::int32_t i, phlox_value value) {
      if (i >= capacity)
        fail<ValueError>(ErrorCode::invalid_value, "{}: it has more than {} results", name, capacity).raise();
      results[i] = value;
      *result_count = i + 1;
    };
    *result_count = 0;
    if (const auto* tensor = std::get_if<Tensor>(&result)) {
      put(0, tensor_value(handle_of(*tensor)));
    } else if (const auto* list = std::get_if<TensorList>(&result)) {
      for (std::size_t i = 0; i < list->size(); ++i)
        put(static_cast<std::int32_t>(i), tensor_value(handle_of((*list)[i])));
    } else if (const auto* truth = std::get_if<bool>(&result)) {
      put(0, number_to_c(*truth));
    } else if (const auto* integer = std::get_if<std::int64_t>(&result)) {
      put(0, number_to_c(*integer));
    } else if (const auto* floating = std::get_if<double>(&result)) {
      put(0, number_to_c(*floating));
    } else if (!std::holds_alternative<std::monostate>(result)) {
      fail<NotSupportedError>(ErrorCode::not_supported, "{}: its result cannot cross the C ABI", name)
          .raise();
    }
  });
}

}  // namespace phlox::extension
