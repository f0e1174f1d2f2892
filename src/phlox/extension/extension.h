// For those who write operations of their own. This header and those it includes are all that is needed; the library is
// met through the C ABI (c_abi.h), so that an extension runs with later versions too.
//
//   #include <phlox/extension/extension.h>
//   using namespace phlox::extension;
//
//   struct SoftLog : Unary<1> {                                            // an expression of each element,
//     static constexpr auto body(auto x, auto scale) {                     // with `scale` as a parameter;
//       return select(x > 0.0, log1p(x * scale), -log1p(-x * scale));      // gradients are derived from it
//     }
//   };
//   PHLOX_EXTENSION_POINTWISE(softlog, SoftLog, "(Tensor input, float scale = 1.0)", "Logarithm with a sign.")
//
//   Tensor rms(const Tensor& x, double epsilon) {                          // made of other operations,
//     return sqrt(call("mean", x * x, -1, true) + epsilon);                // which bring their gradients
//   }
//   PHLOX_EXTENSION_COMPOSITE(rms, "(Tensor input, float epsilon = 1e-6)", "Root of the mean square.")
//
//   struct RunningMax {                                                    // a loop over elements,
//     static Type type(const Type& x) { return x; }                        // the type of its result,
//     template <class T> static void run(Array<const T> x, Array<T> y) {   // for each dtype in `dtypes`,
//       for (std::int64_t i = 0; i < x.size(); ++i) y[i] = i ? std::max(y[i - 1], x[i]) : x[i];
//     }
//     static Tensor gradient(const Tensor& x, const Tensor& y, const Tensor& gradient) {
//       return ...;                                                        // made of operations
//     }
//   };
//   PHLOX_EXTENSION_KERNEL(running_max, RunningMax, "(Tensor input)", "The largest element so far.")
//
// Compile it to a shared library (px.extension.load(["softlog.cc"]) does it, phlox_add_extension() in CMake) and load it
// with phlox::load_extension() or px.extension.load_library(). Throw std::exceptions where something is wrong.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "phlox/extension/c_abi.h"
#include "phlox/math/derivation.h"

// Each extension has this for itself, also where two define structs of the same name.
#ifdef _WIN32
#define PHLOX_EXTENSION_OWN
#define PHLOX_EXTENSION_EXPORT extern "C" __declspec(dllexport)
#else
#define PHLOX_EXTENSION_OWN __attribute__((visibility("hidden")))
#define PHLOX_EXTENSION_EXPORT extern "C" __attribute__((visibility("default"), used))
#endif

namespace phlox::extension {

using namespace phlox::math;

// What the library gave when it loaded the extension.
PHLOX_EXTENSION_OWN inline const phlox_api*& api() {
  static const phlox_api* given = nullptr;
  return given;
}

// Throws what the library says went wrong.
inline void check(int failed) {
  if (failed) throw std::runtime_error(api()->last_error());
}

// --- tensors

// A tensor of the library. It knows its type; operations are called by their names.
class Tensor {
 public:
  // No tensor; as the gradient of an input it means zero.
  Tensor() = default;
  // Takes the reference over.
  explicit Tensor(phlox_tensor owned) : handle_(owned) {}
  // Another reference to the same tensor; no data is copied.
  Tensor(const Tensor& other) : handle_(other.handle_ ? api()->tensor_retain(other.handle_) : nullptr) {}
  // Takes the reference of another, which is empty then.
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  // Lets go of what it referred to.
  Tensor& operator=(Tensor other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  // Gives the reference back to the library.
  ~Tensor() {
    if (handle_) api()->tensor_release(handle_);
  }

  // A reference of the caller's that stays his.
  static Tensor borrowed(phlox_tensor handle) { return Tensor(api()->tensor_retain(handle)); }
  // What the C ABI works with; the reference stays here.
  phlox_tensor handle() const { return handle_; }
  // The same, with the reference: who gets it releases it.
  phlox_tensor release() { return std::exchange(handle_, nullptr); }

  // Its dtype and shape.
  phlox_type type() const {
    phlox_type type;
    check(api()->tensor_type(handle_, &type));
    return type;
  }
  // The number of dimensions.
  int rank() const { return type().rank; }
  // The size of a dimension, which may count from the end.
  std::int64_t size(int dim) const {
    const phlox_type t = type();
    return t.sizes[dim < 0 ? dim + t.rank : dim];
  }

 private:
  phlox_tensor handle_ = nullptr;
};

// A list of integers as an argument: call("permute", x, Ints{1, 0}).
using Ints = std::vector<std::int64_t>;

namespace detail PHLOX_EXTENSION_OWN {
inline phlox_value value_of(const Tensor& tensor) {
  phlox_value value{PHLOX_TENSOR, 0, {}};
  value.as.tensor = tensor.handle();
  return value;
}
inline phlox_value value_of(const Ints& list) {
  phlox_value value{PHLOX_INTEGERS, static_cast<std::int32_t>(list.size()), {}};
  value.as.integers = list.data();
  return value;
}
inline phlox_value value_of(const char* text) {
  phlox_value value{PHLOX_TEXT, 0, {}};
  value.as.text = text;
  return value;
}
template <class T>
  requires std::is_arithmetic_v<T>
phlox_value value_of(T number) {
  phlox_value value{PHLOX_FLOATING, 0, {}};
  if constexpr (std::is_floating_point_v<T>) value.as.floating = number;
  else value.as.integer = number;
  if constexpr (std::is_same_v<T, bool>) value.kind = PHLOX_BOOLEAN;
  else if constexpr (std::is_integral_v<T>) value.kind = PHLOX_INTEGER;
  return value;
}
}  // namespace detail PHLOX_EXTENSION_OWN

// The results of an operation of the library, or of an extension, by its name.
template <class... Arguments>
std::vector<Tensor> call_all(const char* operation, const Arguments&... arguments) {
  const phlox_value values[] = {detail::value_of(arguments)..., {}};
  constexpr std::int32_t capacity = 64;
  phlox_value results[capacity];
  std::int32_t count = 0;
  check(api()->call(operation, values, sizeof...(arguments), results, capacity, &count));
  std::vector<Tensor> tensors;
  for (std::int32_t i = 0; i < count; ++i) {
    if (results[i].kind != PHLOX_TENSOR)
      throw std::invalid_argument(std::string(operation) + " gives no tensor");
    tensors.emplace_back(results[i].as.tensor);
  }
  return tensors;
}
// The first result.
template <class... Arguments>
Tensor call(const char* operation, const Arguments&... arguments) {
  return call_all(operation, arguments...).at(0);
}

// Two tensors, or a tensor and a number.
template <class A, class B>
concept TensorAndOperand =
    (std::is_same_v<A, Tensor> && (std::is_same_v<B, Tensor> || std::is_arithmetic_v<B>)) ||
    (std::is_same_v<B, Tensor> && std::is_arithmetic_v<A>);
// The sum of elements; shapes broadcast and dtypes promote.
template <class A, class B>
  requires TensorAndOperand<A, B>
Tensor operator+(const A& a, const B& b) {
  return call("add", a, b);
}
// The difference of elements; shapes broadcast and dtypes promote.
template <class A, class B>
  requires TensorAndOperand<A, B>
Tensor operator-(const A& a, const B& b) {
  return call("sub", a, b);
}
// The product of elements; shapes broadcast and dtypes promote.
template <class A, class B>
  requires TensorAndOperand<A, B>
Tensor operator*(const A& a, const B& b) {
  return call("mul", a, b);
}
// The quotient of elements; shapes broadcast and dtypes promote.
template <class A, class B>
  requires TensorAndOperand<A, B>
Tensor operator/(const A& a, const B& b) {
  return call("div", a, b);
}
// Each element with the other sign.
inline Tensor operator-(const Tensor& a) { return call("neg", a); }
// e to the power of each element, with its gradient.
inline Tensor exp(const Tensor& a) { return call("exp", a); }
// The natural logarithm of each element, with its gradient.
inline Tensor log(const Tensor& a) { return call("log", a); }
// The square root of each element, with its gradient.
inline Tensor sqrt(const Tensor& a) { return call("sqrt", a); }
// The hyperbolic tangent of each element, with its gradient.
inline Tensor tanh(const Tensor& a) { return call("tanh", a); }
// 1 / (1 + exp(-x)) of each element, with its gradient.
inline Tensor sigmoid(const Tensor& a) { return call("sigmoid", a); }

// --- kernels

// The dtype and shape of an input or result.
struct Type {
  std::int32_t dtype = PHLOX_FLOAT32;  // a phlox_dtype
  std::vector<std::int64_t> sizes;     // of the dimensions
  // The size of a dimension, which may count from the end. Throws std::out_of_range.
  std::int64_t size(int dim) const {
    return sizes.at(static_cast<std::size_t>(dim < 0 ? dim + rank() : dim));
  }
  // The number of dimensions.
  int rank() const { return static_cast<int>(sizes.size()); }
};

// Elements in row-major order.
template <class T>
class Array {
 public:
  // The library makes these for run().
  Array(T* data, const phlox_type& type) : data_(data), type_(type) {
    for (int d = 0; d < type.rank; ++d) size_ *= type.sizes[d];
  }
  // The number of elements.
  std::int64_t size() const { return size_; }
  // The size of a dimension, which may count from the end.
  std::int64_t size(int dim) const { return type_.sizes[dim < 0 ? dim + type_.rank : dim]; }
  // The number of dimensions.
  int rank() const { return type_.rank; }
  // Element i in row-major order; i is not checked.
  T& operator[](std::int64_t i) const { return data_[i]; }
  // The first element.
  T* begin() const { return data_; }
  // Behind the last element.
  T* end() const { return data_ + size_; }

 private:
  T* data_;
  phlox_type type_;
  std::int64_t size_ = 1;
};

// Calls body(first, last) on parts of [0, count), in the threads of the library. How it is cut must not change results.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  check(api()->parallel_for(
      count, grain,
      [](void* context, std::int64_t first, std::int64_t last) {
        (*static_cast<const Body*>(context))(first, last);
      },
      const_cast<void*>(static_cast<const void*>(&body))));
}

// --- registration: what the macros are made of

namespace detail PHLOX_EXTENSION_OWN {

template <class Work>
int attempt(const Work& work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::exception& error) {
    api()->set_error(error.what());
  } catch (...) {
    api()->set_error("an exception of an unknown kind");
  }
  return 1;
}

// What an extension adds, in the order of its files.
struct Entry {
  int (*add)();
  Entry* next = nullptr;
  static Entry*& first() {
    static Entry* entries = nullptr;
    return entries;
  }
  explicit Entry(int (*function)()) : add(function) {
    Entry** last = &first();
    while (*last) last = &(*last)->next;
    *last = this;
  }
};

inline int load(const phlox_api* given) {
  if (given->version < PHLOX_ABI_VERSION || given->size < sizeof(phlox_api)) {
    given->set_error("it was built for a newer library");
    return 1;
  }
  api() = given;
  for (Entry* entry = Entry::first(); entry; entry = entry->next)
    if (const int failed = entry->add()) return failed;
  return 0;
}

template <class B>
constexpr std::int32_t types_of() {
  if constexpr (requires { B::types; }) return static_cast<std::int32_t>(B::types);
  else return PHLOX_FLOATING_TYPES;
}

struct OpcodeNames {
  const char* of[body_capacity] = {};
  explicit consteval OpcodeNames(const ExpressionProgram& program) {
    for (int i = 0; i < program.count; ++i) of[i] = opcode_name(program.nodes[i].opcode);
  }
};

template <class B>
int add_pointwise(const char* name, const char* signature, const char* doc) {
  static constexpr ExpressionProgram program = expression_of<B>;
  static constexpr OpcodeNames names(program);
  phlox_expression_node nodes[body_capacity];
  for (int i = 0; i < program.count; ++i) {
    const ExpressionNode& node = program.nodes[i];
    nodes[i] = {names.of[i], {node.arguments[0], node.arguments[1], node.arguments[2]}, node.value};
  }
  const phlox_pointwise operation{
      sizeof(phlox_pointwise), types_of<B>(),  name,           signature, doc, B::tensors, B::scalars, nodes,
      program.count,           program.result, program.is_mask};
  return api()->add_pointwise(&operation);
}

// The parameters of a function, as what crosses the ABI says.
template <class T>
T number_from(const phlox_value& value) {
  if (value.kind == PHLOX_FLOATING) return static_cast<T>(value.as.floating);
  return static_cast<T>(value.as.integer);
}
template <class T>
std::remove_cvref_t<T> argument_from(const phlox_value& value) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<Plain, Tensor>) return Tensor::borrowed(value.as.tensor);
  else if constexpr (std::is_same_v<Plain, std::string>) return value.as.text;
  else return number_from<Plain>(value);
}

template <auto function>
struct Composite;
template <class Result, class... P, Result (*function)(P...)>
struct Composite<function> {
  static constexpr bool one = std::is_same_v<Result, Tensor>;
  template <std::size_t... i>
  static auto run(const phlox_value* arguments, std::index_sequence<i...>) {
    return function(argument_from<P>(arguments[i])...);
  }
  static int call(const phlox_value* arguments, std::int32_t, phlox_tensor* results) {
    return attempt([&] {
      auto result = run(arguments, std::index_sequence_for<P...>{});
      if constexpr (one) results[0] = result.release();
      else std::apply([&](auto&... each) { ((*results++ = each.release()), ...); }, result);
    });
  }
  static constexpr std::int32_t results() {
    if constexpr (one) return 1;
    else return static_cast<std::int32_t>(std::tuple_size_v<Result>);
  }
};

template <auto function>
int add_composite(const char* name, const char* signature, const char* doc) {
  const phlox_composite operation{
      sizeof(phlox_composite),  Composite<function>::results(), name, signature, doc,
      Composite<function>::call};
  return api()->add_composite(&operation);
}

inline Type type_from(const phlox_type& type) { return {type.dtype, {type.sizes, type.sizes + type.rank}}; }
inline phlox_type type_to(const Type& type) {
  if (type.sizes.size() > PHLOX_MAX_RANK) throw std::length_error("a type with too many dimensions");
  phlox_type result{type.dtype, type.rank(), {}};
  for (int d = 0; d < type.rank(); ++d) result.sizes[d] = type.sizes[static_cast<std::size_t>(d)];
  return result;
}

// How many of the parameters are inputs: Type in type(), Tensor in gradient().
template <class T, class... P>
constexpr int count_of = (0 + ... + (std::is_same_v<std::remove_cvref_t<P>, T> ? 1 : 0));

template <class K, auto type_function>
struct Kernel;
template <class K, class Result, class... P, Result (*type_function)(P...)>
struct Kernel<K, type_function> {
  static constexpr int inputs = count_of<Type, P...>;
  static constexpr int numbers = static_cast<int>(sizeof...(P)) - inputs;
  static constexpr int results() {
    if constexpr (std::is_same_v<Result, Type>) return 1;
    else return static_cast<int>(std::tuple_size_v<Result>);
  }
  using Numbers = std::make_index_sequence<static_cast<std::size_t>(numbers)>;
  using Inputs = std::make_index_sequence<static_cast<std::size_t>(inputs)>;
  using Results = std::make_index_sequence<static_cast<std::size_t>(results())>;
  template <std::size_t i>
  using Number =
      std::remove_cvref_t<std::tuple_element_t<static_cast<std::size_t>(inputs) + i, std::tuple<P...>>>;

  static int types(const phlox_type* in, const phlox_value* values, phlox_type* out) {
    return attempt([&] {
      const auto of = [&]<std::size_t... i, std::size_t... n>(std::index_sequence<i...>,
                                                              std::index_sequence<n...>) {
        return type_function(type_from(in[i])..., number_from<Number<n>>(values[n])...);
      };
      const Result result = of(Inputs{}, Numbers{});
      if constexpr (std::is_same_v<Result, Type>) *out = type_to(result);
      else std::apply([&](const auto&... each) { ((*out++ = type_to(each)), ...); }, result);
    });
  }

  template <class T>
  static void run_on(const phlox_array* in, const phlox_value* values, const phlox_array* out) {
    const auto on = [&]<std::size_t... i, std::size_t... r, std::size_t... n>(
                        std::index_sequence<i...>, std::index_sequence<r...>, std::index_sequence<n...>) {
      K::template run<T>(Array<const T>(static_cast<const T*>(in[i].data), in[i].type)...,
                         number_from<Number<n>>(values[n])...,
                         Array<T>(static_cast<T*>(out[r].data), out[r].type)...);
    };
    on(Inputs{}, Results{}, Numbers{});
  }

  static int run(const phlox_array* in, const phlox_value* values, const phlox_array* out) {
    return attempt([&] {
      for (int i = 1; i < inputs; ++i)
        if (in[i].type.dtype != in[0].type.dtype)
          throw std::invalid_argument("its inputs have different dtypes");
      for (int i = 0; i < results(); ++i)
        if (out[i].type.dtype != in[0].type.dtype)
          throw std::invalid_argument("its results have another dtype than its inputs");
      switch (in[0].type.dtype) {
        case PHLOX_FLOAT32: return run_on<float>(in, values, out);
        case PHLOX_FLOAT64: return run_on<double>(in, values, out);
        default: break;
      }
      if constexpr (requires { requires K::integers; }) {
        switch (in[0].type.dtype) {
          case PHLOX_INT32: return run_on<std::int32_t>(in, values, out);
          case PHLOX_INT64: return run_on<std::int64_t>(in, values, out);
          case PHLOX_UINT8: return run_on<std::uint8_t>(in, values, out);
          default: break;
        }
      }
      throw std::invalid_argument("it takes f32 and f64; cast with x.to(px.float32)");
    });
  }

  static int gradient(const phlox_tensor* in, const phlox_tensor* out, const phlox_tensor* of_results,
                      const phlox_value* values, phlox_tensor* found) {
    return attempt([&] {
      const auto of = [&]<std::size_t... i, std::size_t... r, std::size_t... n>(
                          std::index_sequence<i...>, std::index_sequence<r...>, std::index_sequence<n...>) {
        return K::gradient(Tensor::borrowed(in[i])..., Tensor::borrowed(out[r])...,
                           Tensor::borrowed(of_results[r])..., number_from<Number<n>>(values[n])...);
      };
      auto result = of(Inputs{}, Results{}, Numbers{});
      if constexpr (std::is_same_v<decltype(result), Tensor>) *found = result.release();
      else std::apply([&](auto&... each) { ((*found++ = each.release()), ...); }, result);
    });
  }
};

template <class K>
int add_kernel(const char* name, const char* signature, const char* doc) {
  using Of = Kernel<K, &K::type>;
  phlox_kernel operation{sizeof(phlox_kernel), 0,         name,    signature, doc, Of::inputs,
                         Of::results(),        Of::types, Of::run, nullptr};
  if constexpr (requires { requires K::batched; }) operation.batched = 1;
  if constexpr (requires { &K::gradient; }) operation.gradient = Of::gradient;
  return api()->add_kernel(&operation);
}

}  // namespace detail PHLOX_EXTENSION_OWN
}  // namespace phlox::extension

// One definition, however many files an extension has.
PHLOX_EXTENSION_EXPORT inline int phlox_extension(const phlox_api* api) {
  return phlox::extension::detail::load(api);
}

#define PHLOX_EXTENSION_ENTRY(name, ...) \
  static ::phlox::extension::detail::Entry name##_extension_entry([] { return __VA_ARGS__; });
// `body` is a struct derived from Unary, Binary, Ternary or Selection<scalars>; `types`, if it has it, a phlox_pointwise_types.
#define PHLOX_EXTENSION_POINTWISE(name, body, signature, doc) \
  PHLOX_EXTENSION_ENTRY(name, ::phlox::extension::detail::add_pointwise<body>(#name, signature, doc))
// `name` is a function of Tensors, numbers and strings that gives a Tensor or a std::tuple of them.
#define PHLOX_EXTENSION_COMPOSITE(name, signature, doc) \
  PHLOX_EXTENSION_ENTRY(name, ::phlox::extension::detail::add_composite<&name>(#name, signature, doc))
// `kernel` has type(Type..., numbers...), run<T>(Array<const T>..., numbers..., Array<T>...) and perhaps
// gradient(Tensor inputs..., results..., gradients of results..., numbers...); `batched = true` where leading dimensions
// are a batch, `integers = true` where it takes i32, i64 and u8 too.
#define PHLOX_EXTENSION_KERNEL(name, kernel, signature, doc) \
  PHLOX_EXTENSION_ENTRY(name, ::phlox::extension::detail::add_kernel<kernel>(#name, signature, doc))
