// Calls a C++ function with uniform values: unboxing is deduced from its signature.
#pragma once

#include <type_traits>
#include <utility>

#include "phlox/ops/registry/operation.h"

namespace phlox::detail {

[[noreturn]] void throw_wrong_argument(const Operation& operation, int position);

// kind, and a conversion that returns false for a value of the wrong kind.
template <class T>
struct Unbox;

#define PHLOX_UNBOX(type, parameter_kind, ...)                                \
  template <>                                                                 \
  struct Unbox<type> {                                                        \
    using Stored = type;                                                      \
    static constexpr ParameterKind kind = ParameterKind::parameter_kind;      \
    static bool get([[maybe_unused]] const Value& v, Stored& out) __VA_ARGS__ \
  };

PHLOX_UNBOX(bool, boolean, {
  if (v.kind != Value::Kind::boolean) return false;
  out = v.boolean;
  return true;
})
PHLOX_UNBOX(std::int64_t, integer, {
  if (v.kind == Value::Kind::boolean) {
    out = v.boolean;
    return true;
  }
  if (v.kind != Value::Kind::integer) return false;
  out = v.integer;
  return true;
})
PHLOX_UNBOX(double, floating, {
  if (v.kind == Value::Kind::floating) {
    out = v.floating;
    return true;
  }
  if (v.kind == Value::Kind::integer) {
    out = static_cast<double>(v.integer);
    return true;
  }
  if (v.kind == Value::Kind::boolean) {
    out = v.boolean;
    return true;
  }
  return false;
})
PHLOX_UNBOX(Scalar, scalar, {
  switch (v.kind) {
    case Value::Kind::boolean: out = v.boolean; return true;
    case Value::Kind::integer: out = v.integer; return true;
    case Value::Kind::floating: out = v.floating; return true;
    case Value::Kind::complex: out = std::complex<double>(v.floating, v.imaginary); return true;
    default: return false;
  }
})
PHLOX_UNBOX(DimList, integers, {
  if (v.kind == Value::Kind::integer) {
    out = DimList(v.integer);
    return true;
  }
  if (v.kind != Value::Kind::integers) return false;
  out = DimList(IntList(*v.integers));
  return true;
})
PHLOX_UNBOX(IntList, integers, {
  if (v.kind == Value::Kind::integer) {
    out = IntList({v.integer});
    return true;
  }
  if (v.kind != Value::Kind::integers) return false;
  out = IntList(*v.integers);
  return true;
})
PHLOX_UNBOX(Integers, integers, {
  if (v.kind == Value::Kind::integer) {
    out = {v.integer};
    return true;
  }
  if (v.kind != Value::Kind::integers) return false;
  out = *v.integers;
  return true;
})
PHLOX_UNBOX(TensorList, tensors, {
  if (v.kind != Value::Kind::tensors) return false;
  out = *v.tensors;
  return true;
})
PHLOX_UNBOX(std::string, text, {
  if (v.kind != Value::Kind::text) return false;
  out = *v.text;
  return true;
})
PHLOX_UNBOX(DType, dtype, {
  if (v.kind != Value::Kind::dtype) return false;
  out = v.dtype;
  return true;
})
PHLOX_UNBOX(Device, optional_device, {
  if (v.kind != Value::Kind::device) return false;
  out = v.device;
  return true;
})
PHLOX_UNBOX(Doubles, optional_floats, {
  if (v.kind != Value::Kind::floats) return false;
  out = *v.floats;
  return true;
})
PHLOX_UNBOX(Generator*, generator, {
  out = v.kind == Value::Kind::generator ? v.generator : nullptr;
  return v.kind == Value::Kind::generator || v.kind == Value::Kind::none;
})
#undef PHLOX_UNBOX

constexpr ParameterKind optional_of(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::tensor: return ParameterKind::optional_tensor;
    case ParameterKind::scalar: return ParameterKind::optional_scalar;
    case ParameterKind::boolean: return ParameterKind::optional_boolean;
    case ParameterKind::integer: return ParameterKind::optional_integer;
    case ParameterKind::floating: return ParameterKind::optional_floating;
    case ParameterKind::integers: return ParameterKind::optional_integers;
    case ParameterKind::text: return ParameterKind::optional_text;
    case ParameterKind::dtype: return ParameterKind::optional_dtype;
    case ParameterKind::operand: return ParameterKind::optional_operand;
    default: return kind;
  }
}

template <class T>
struct Unbox<std::optional<T>> {
  using Stored = std::optional<T>;
  static constexpr ParameterKind kind = optional_of(Unbox<T>::kind);
  static bool get(const Value& v, Stored& out) {
    if (v.kind == Value::Kind::none) return true;
    typename Unbox<T>::Stored inner{};
    if (!Unbox<T>::get(v, inner)) return false;
    out = std::move(inner);
    return true;
  }
};

// Tensors are borrowed, not copied.
template <>
struct Unbox<Tensor> {
  struct Stored {
    const Tensor* tensor = nullptr;
    operator const Tensor&() const { return *tensor; }
  };
  static constexpr ParameterKind kind = ParameterKind::tensor;
  static bool get(const Value& v, Stored& out) {
    if (v.kind != Value::Kind::tensor) return false;
    out.tensor = v.tensor;
    return true;
  }
};
template <>
struct Unbox<std::optional<Tensor>> {
  using Stored = std::optional<Tensor>;
  static constexpr ParameterKind kind = ParameterKind::optional_tensor;
  static bool get(const Value& v, Stored& out) {
    if (v.kind == Value::Kind::none) return true;
    if (v.kind != Value::Kind::tensor) return false;
    if (v.tensor->defined()) out = *v.tensor;
    return true;
  }
};
template <>
struct Unbox<Operand> {
  struct Stored {
    Value value;
    operator Operand() const {
      if (value.kind == Value::Kind::tensor) return Operand(*value.tensor);
      Scalar s;
      Unbox<Scalar>::get(value, s);
      return Operand(s);
    }
  };
  static constexpr ParameterKind kind = ParameterKind::operand;
  static bool get(const Value& v, Stored& out) {
    out.value = v;
    Scalar s;
    return v.kind == Value::Kind::tensor || Unbox<Scalar>::get(v, s);
  }
};

template <class T>
struct ResultOf;
template <>
struct ResultOf<Tensor> {
  static constexpr ResultKind kind = ResultKind::tensor;
};
template <>
struct ResultOf<TensorList> {
  static constexpr ResultKind kind = ResultKind::tensors;
};
template <class... T>
struct ResultOf<std::tuple<T...>> {
  static constexpr ResultKind kind = ResultKind::tuple;
};
template <>
struct ResultOf<bool> {
  static constexpr ResultKind kind = ResultKind::boolean;
};
template <>
struct ResultOf<std::int64_t> {
  static constexpr ResultKind kind = ResultKind::integer;
};
template <>
struct ResultOf<double> {
  static constexpr ResultKind kind = ResultKind::floating;
};
template <>
struct ResultOf<Shape> {
  static constexpr ResultKind kind = ResultKind::integers;
};
template <>
struct ResultOf<DType> {
  static constexpr ResultKind kind = ResultKind::dtype;
};
template <>
struct ResultOf<std::string> {
  static constexpr ResultKind kind = ResultKind::text;
};
template <>
struct ResultOf<void> {
  static constexpr ResultKind kind = ResultKind::nothing;
};

template <class Function>
struct Boxed;

template <class R, class... P>
struct Boxed<R(P...)> {
  static constexpr int count = sizeof...(P);
  static constexpr ParameterKind kinds_[sizeof...(P) + 1] = {Unbox<std::remove_cvref_t<P>>::kind...,
                                                             ParameterKind::tensor};
  static constexpr const ParameterKind* kinds = kinds_;
  static constexpr ResultKind result = ResultOf<R>::kind;

  template <R (*function)(P...)>
  static Result call(std::span<const Value> arguments, const Operation& self) {
    return unboxed<function>(arguments, self, std::index_sequence_for<P...>{});
  }

 private:
  template <R (*function)(P...), std::size_t... i>
  static Result unboxed([[maybe_unused]] std::span<const Value> arguments,
                        [[maybe_unused]] const Operation& self, std::index_sequence<i...>) {
    std::tuple<typename Unbox<std::remove_cvref_t<P>>::Stored...> stored;
    (
        [&] {
          const Value* value = &arguments[i];
          if (value->kind == Value::Kind::missing) value = &parameters(self)[i].default_value;
          if (!Unbox<std::remove_cvref_t<P>>::get(*value, std::get<i>(stored)))
            throw_wrong_argument(self, static_cast<int>(i));
        }(),
        ...);
    if constexpr (std::is_void_v<R>) {
      function(static_cast<std::add_lvalue_reference_t<std::tuple_element_t<i, decltype(stored)>>>(
          std::get<i>(stored))...);
      return std::monostate{};
    } else {
      return box(function(std::get<i>(stored)...));
    }
  }

  static Result box(Tensor&& t) { return std::move(t); }
  static Result box(TensorList&& list) { return std::move(list); }
  template <class... T>
  static Result box(std::tuple<T...>&& tuple) {
    return std::apply([](auto&&... t) { return TensorList{std::move(t)...}; }, std::move(tuple));
  }
  static Result box(bool value) { return value; }
  static Result box(std::int64_t value) { return value; }
  static Result box(double value) { return value; }
  static Result box(DType value) { return value; }
  static Result box(std::string&& text) { return std::move(text); }
  static Result box(Shape&& shape) { return std::vector<std::int64_t>(shape.begin(), shape.end()); }
};

}  // namespace phlox::detail
