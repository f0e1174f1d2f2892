// The registry: everything Phlox knows about an operation that users can call. Bindings, stubs, documentation, tests
// and tools iterate it; no list of operations exists anywhere else.
//
// Two macros make an entry, each in the file that defines the operation:
//
//   PHLOX_POINTWISE(silu, Silu, (const Tensor& input))                     after a pointwise body, in ops/pointwise/
//
//   PHLOX_OPERATION(Tensor, trace, (const Tensor& input),                  anything else, in ops/*.cc
//                   .doc = "Sum of the diagonal.", .samples = "trace(A(3, 4))", .reference = "np.trace(input)") {
//     return sum(diagonal(input));
//   }
//
// The parameter list is plain C++ with default values. It is the signature in C++ (functions.h and the methods of
// Tensor are declared from it by tools/declare_operations.py), in Python and in the documentation.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "phlox/base/registration.h"
#include "phlox/core/random.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox {

enum class Family : std::uint8_t {
  pointwise,
  creation,
  view,
  join,
  index,
  reduction,
  scan,
  sort,
  matmul,
  convolution,
  pooling,
  normalization,
  activation,
  loss,
  random,
  linalg,
  fft,
  conversion,
  in_place,
};
const char* to_string(Family family);

// What an operation says about itself besides its code.
struct OperationTraits {
  const char* doc = "";     // first sentence: what it computes; then shapes, dtypes, errors
  const char* source = "";  // paper or standard
  Family family = Family::pointwise;
  const char* alias = "";      // other names, separated by spaces
  const char* home = "";       // "nn.functional", "linalg", ...; empty: top level only
  bool method = true;          // Tensor has it as a method (when the first parameter is a tensor)
  const char* samples = "";    // calls for the generated tests, separated by ';': "sum(A(3, 4), dim=1)"
  const char* example = "";    // calls for the documentation, where there are no samples: "rand(2, 3)"
  const char* reference = "";  // the same in NumPy or SciPy, over the parameter names
  bool differentiable = true;
  bool integers = true;   // takes integer tensors
  bool in_place = false;  // x.name_() exists: the result has the shape of x
  bool complex = false;   // takes complex tensors
  bool reads_values =
      false;  // asks for values of tensors, at least for some arguments: cannot be captured then
  double tolerance = 1e-5;  // relative, f32 against the reference in f64
  AutocastClass autocast = AutocastClass::follow;
  const char* results = "";  // names of several results: "values indices"
  const char* overload_of =
      "";  // a name that in Python also means this one where its arguments fit: max_dim for max
};

// An argument or result in uniform clothes. It borrows what it points to.
struct Value {
  enum class Kind : std::uint8_t {
    missing,
    none,
    tensor,
    boolean,
    integer,
    floating,
    complex,
    integers,
    tensors,
    text,
    dtype,
    device,
    generator,
    floats,
  };
  Kind kind = Kind::missing;
  DType dtype = DType::float32;
  Device device;
  union {
    const Tensor* tensor;
    bool boolean;
    std::int64_t integer;
    double floating;
    const std::vector<std::int64_t>* integers;
    const std::vector<double>* floats;
    const TensorList* tensors;
    const std::string* text;
    Generator* generator;
  };
  double imaginary = 0;
  Value() : integer(0) {}
};

// What a parameter accepts; bindings convert to it.
enum class ParameterKind : std::uint8_t {
  tensor,
  optional_tensor,
  operand,
  scalar,
  optional_scalar,
  boolean,
  optional_boolean,
  integer,
  optional_integer,
  floating,
  optional_floating,
  integers,
  optional_integers,
  tensors,
  text,
  optional_text,
  dtype,
  optional_dtype,
  optional_device,
  generator,
  optional_floats,
  optional_operand,
};

struct Parameter {
  std::string name;
  ParameterKind kind;
  bool required;
  std::string default_text;  // as Python would write it
  Value default_value;
};

enum class ResultKind : std::uint8_t {
  tensor,
  tensors,
  tuple,
  boolean,
  integer,
  floating,
  integers,
  dtype,
  text,
  nothing
};

using Result = std::variant<Tensor, TensorList, bool, std::int64_t, double, std::vector<std::int64_t>, DType,
                            std::string, std::monostate>;

struct Operation {
  const char* name;
  const char* signature;  // "(const Tensor& input, ...)", as written
  OperationTraits traits;
  const char* file;                    // where it is defined
  const PointwiseFunction* pointwise;  // null for the rest
  const PointwiseTraits* pointwise_traits;
  Result (*call)(std::span<const Value> arguments, const Operation& self);
  const ParameterKind* kinds;
  int parameter_count;
  ResultKind result;

  const char* doc() const { return pointwise_traits ? pointwise_traits->doc : traits.doc; }
  const char* source() const { return pointwise_traits ? pointwise_traits->source : traits.source; }
  const char* alias() const { return pointwise_traits ? pointwise_traits->alias : traits.alias; }
  const char* overload_of() const {
    return pointwise_traits ? pointwise_traits->overload_of : traits.overload_of;
  }
};

// All operations of the program, sorted by name.
std::span<const Operation* const> operations();
// By name or alias; null when there is none.
const Operation* find_operation(std::string_view name);
// Names, kinds and defaults of the parameters, read once from the signature.
const std::vector<Parameter>& parameters(const Operation& operation);
// Calls with one value for each parameter; `missing` takes the default. Throws TypeError on a wrong kind.
Result call(const Operation& operation, std::span<const Value> arguments);

PHLOX_TABLE(Operation, phlox_operations);

}  // namespace phlox

#include "phlox/ops/registry/boxing.h"
#include "phlox/ops/declarations.h"

// operation_NAME is declared, without default values, in the generated declarations.h; the definition adds them.
#define PHLOX_OPERATION(result_type, operation_name, parameter_list, ...)                             \
  static constexpr ::phlox::Operation operation_name##_entry PHLOX_TABLE_ENTRY(phlox_operations) = {  \
      #operation_name,                                                                                \
      #parameter_list,                                                                                \
      ::phlox::OperationTraits{__VA_ARGS__},                                                          \
      __FILE__,                                                                                       \
      nullptr,                                                                                        \
      nullptr,                                                                                        \
      ::phlox::detail::Boxed<decltype(operation_##operation_name)>::call<operation_##operation_name>, \
      ::phlox::detail::Boxed<decltype(operation_##operation_name)>::kinds,                            \
      ::phlox::detail::Boxed<decltype(operation_##operation_name)>::count,                            \
      ::phlox::detail::Boxed<decltype(operation_##operation_name)>::result};                          \
  result_type operation_##operation_name parameter_list
