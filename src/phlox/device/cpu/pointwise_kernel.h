// Opens a kernel file for pointwise bodies: it is compiled once for each instruction set, with PHLOX_ISA naming it.
// Everything whose signature lacks a type of that instruction set lives in its namespace, or the linker could merge
// an AVX-512 instance into the baseline.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/device/cpu/pointwise_kernel_entry.h"
#include "phlox/math/derivation.h"
#include "phlox/math/functions.h"
#include "phlox/math/integer.h"
#include "phlox/ops/complex_forms.h"
#include "phlox/ops/parameter_checks.h"
#include "phlox/ops/registry/pointwise_traits.h"

namespace phlox {
namespace PHLOX_ISA {

using namespace math;

// Evaluates node `i` of a program on domain D: values into v, truth values into m.
template <const ExpressionProgram& program, int i, class D>
PHLOX_INLINE void evaluate_node(D* v, typename D::Mask* m, const D* inputs, const typename D::Mask* masks,
                                const D* scalars) {
  constexpr ExpressionNode n = program.nodes[i];
  constexpr int a = n.arguments[0], b = n.arguments[1], c = n.arguments[2];
  if constexpr (n.opcode == Opcode::input) {
    v[i] = inputs[static_cast<int>(n.value)];
    m[i] = masks[static_cast<int>(n.value)];
  } else if constexpr (n.opcode == Opcode::scalar) {
    v[i] = scalars[static_cast<int>(n.value)];
  } else if constexpr (n.opcode == Opcode::constant) {
    v[i] = D(n.value);
  } else if constexpr (n.opcode == Opcode::neg) {
    v[i] = -v[a];
  } else if constexpr (n.opcode == Opcode::add) {
    v[i] = v[a] + v[b];
  } else if constexpr (n.opcode == Opcode::sub) {
    v[i] = v[a] - v[b];
  } else if constexpr (n.opcode == Opcode::mul) {
    v[i] = v[a] * v[b];
  } else if constexpr (n.opcode == Opcode::div) {
    v[i] = v[a] / v[b];
  } else if constexpr (n.opcode == Opcode::lt) {
    m[i] = v[a] < v[b];
  } else if constexpr (n.opcode == Opcode::le) {
    m[i] = v[a] <= v[b];
  } else if constexpr (n.opcode == Opcode::gt) {
    m[i] = v[a] > v[b];
  } else if constexpr (n.opcode == Opcode::ge) {
    m[i] = v[a] >= v[b];
  } else if constexpr (n.opcode == Opcode::eq) {
    m[i] = v[a] == v[b];
  } else if constexpr (n.opcode == Opcode::ne) {
    m[i] = v[a] != v[b];
  } else if constexpr (n.opcode == Opcode::mask_and) {
    m[i] = m[a] & m[b];
  } else if constexpr (n.opcode == Opcode::mask_or) {
    m[i] = m[a] | m[b];
  } else if constexpr (n.opcode == Opcode::mask_xor) {
    m[i] = m[a] ^ m[b];
  } else if constexpr (n.opcode == Opcode::mask_not) {
    m[i] = !m[a];
  } else if constexpr (n.opcode == Opcode::select) {
    v[i] = select(m[a], v[b], v[c]);
  }
#define PHLOX_CASE_UNARY(name, cost)             \
  else if constexpr (n.opcode == Opcode::name) { \
    v[i] = name(v[a]);                           \
  }
#define PHLOX_CASE_BINARY(name, cost)            \
  else if constexpr (n.opcode == Opcode::name) { \
    v[i] = name(v[a], v[b]);                     \
  }
#define PHLOX_CASE_TERNARY(name, cost)           \
  else if constexpr (n.opcode == Opcode::name) { \
    v[i] = name(v[a], v[b], v[c]);               \
  }
  PHLOX_UNARY_FLOAT_FUNCTIONS(PHLOX_CASE_UNARY)
  PHLOX_BINARY_FLOAT_FUNCTIONS(PHLOX_CASE_BINARY)
  PHLOX_TERNARY_FUNCTIONS(PHLOX_CASE_TERNARY)
#undef PHLOX_CASE_UNARY
#undef PHLOX_CASE_BINARY
#undef PHLOX_CASE_TERNARY
}

template <const ExpressionProgram& program, class D, int... i>
PHLOX_INLINE D evaluate(const D* inputs, const typename D::Mask* masks, const D* scalars,
                        std::integer_sequence<int, i...>) {
  D v[program.count];
  typename D::Mask m[program.count];
  (evaluate_node<program, i>(v, m, inputs, masks, scalars), ...);
  return v[program.result];
}

template <class D>
PHLOX_INLINE D scalar_value(const KernelScalar& s) {
  if constexpr (std::is_floating_point_v<typename D::Element>) return D(s.floating);
  else return D(static_cast<typename D::Element>(s.integer));
}

// A body as written.
template <class B>
struct ForwardBody {
  static constexpr int inputs = B::tensors;
  static constexpr unsigned masks = B::masks;
  template <class D>
  PHLOX_INLINE static auto run(const D* v, const typename D::Mask* m, const D* s) {
    return call(v, m, s, std::make_integer_sequence<int, B::tensors - 1>{},
                std::make_integer_sequence<int, B::scalars>{});
  }
  template <class D, int... i, int... j>
  PHLOX_INLINE static auto call(const D* v, const typename D::Mask* m, const D* s,
                                std::integer_sequence<int, i...>, std::integer_sequence<int, j...>) {
    if constexpr (B::masks & 1u) return B::body(m[0], v[i + 1]..., s[j]...);
    else return B::body(v[0], v[i + 1]..., s[j]...);
  }
};

// The derived gradient of a body.
template <class B, int k>
struct GradientBody {
  static constexpr const GradientProgram& gradient = gradient_of<B, k>;
  static constexpr int inputs = gradient.inputs;
  static constexpr unsigned masks = gradient.masks;
  template <class D>
  PHLOX_INLINE static D run(const D* v, const typename D::Mask* m, const D* s) {
    return evaluate<gradient_of<B, k>.program>(v, m, s,
                                               std::make_integer_sequence<int, gradient.program.count>{});
  }
};

template <class Body, class T, int scalar_count>
void pointwise_kernel(const void* const* inputs, const KernelScalar* scalars, void* output,
                      std::int64_t count) {
  using D = Native<T>;
  using Mask = typename D::Mask;
  constexpr int width = D::lanes;
  constexpr int n = Body::inputs;
  D s[scalar_count + 1];
  for (int j = 0; j < scalar_count; ++j) s[j] = scalar_value<D>(scalars[j]);

  const char* in[n];
  for (int k = 0; k < n; ++k) in[k] = static_cast<const char*>(inputs[k]);
  char* out = static_cast<char*>(output);
  // The last, partial vector runs through the same code on copies, so that every element takes the same path.
  alignas(64) char tail_in[n][64];
  alignas(64) char tail_out[64];
  std::int64_t whole = count & ~static_cast<std::int64_t>(width - 1);
  const int rest = static_cast<int>(count - whole);
  bool in_tail = false;
  for (;;) {
    for (std::int64_t i = 0; i < whole; i += width) {
      D v[n];
      Mask m[n];
#pragma GCC unroll 8
      for (int k = 0; k < n; ++k) {
        if (Body::masks >> k & 1u) m[k] = Mask::load(reinterpret_cast<const std::uint8_t*>(in[k]) + i);
        else v[k] = D::load(reinterpret_cast<const T*>(in[k]) + i);
      }
      auto result = Body::run(v, m, s);
      if constexpr (std::is_same_v<decltype(result), Mask>)
        result.store(reinterpret_cast<std::uint8_t*>(out) + i);
      else result.store(reinterpret_cast<T*>(out) + i);
    }
    if (in_tail || rest == 0) break;
    in_tail = true;
    for (int k = 0; k < n; ++k) {
      const int bytes = Body::masks >> k & 1u ? 1 : static_cast<int>(sizeof(T));
      __builtin_memset(tail_in[k], 0, 64);
      __builtin_memcpy(tail_in[k], in[k] + whole * bytes, static_cast<std::size_t>(rest * bytes));
      in[k] = tail_in[k];
    }
    inputs = nullptr;
    out = tail_out;
    whole = width;
  }
  if (rest) {
    constexpr bool predicate =
        std::is_same_v<decltype(Body::run(static_cast<const D*>(nullptr), static_cast<const Mask*>(nullptr),
                                          static_cast<const D*>(nullptr))),
                       Mask>;
    const int bytes = predicate ? 1 : static_cast<int>(sizeof(T));
    __builtin_memcpy(static_cast<char*>(output) + (count - rest) * bytes, tail_out,
                     static_cast<std::size_t>(rest * bytes));
  }
}

// Kernels of one function, by dtype.
template <class Body, int scalar_count, PointwiseTypes types>
constexpr PointwiseKernelSet kernel_set() {
  PointwiseKernelSet set{};
  if constexpr (types != PointwiseTypes::integral) {
    set.by_dtype[static_cast<int>(DType::float32)] = pointwise_kernel<Body, float, scalar_count>;
    set.by_dtype[static_cast<int>(DType::float64)] = pointwise_kernel<Body, double, scalar_count>;
  }
  if constexpr (types != PointwiseTypes::floating) {
    set.by_dtype[static_cast<int>(DType::uint8)] = pointwise_kernel<Body, std::uint8_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::uint16)] = pointwise_kernel<Body, std::uint16_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::uint32)] = pointwise_kernel<Body, std::uint32_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::uint64)] = pointwise_kernel<Body, std::uint64_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::int8)] = pointwise_kernel<Body, std::int8_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::int16)] = pointwise_kernel<Body, std::int16_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::int32)] = pointwise_kernel<Body, std::int32_t, scalar_count>;
    set.by_dtype[static_cast<int>(DType::int64)] = pointwise_kernel<Body, std::int64_t, scalar_count>;
  }
  return set;
}

template <class B>
constexpr PointwiseKernelSet forward_kernels() {
  return kernel_set<ForwardBody<B>, B::scalars, B::traits.types>();
}
// Gradients exist for floats only.
template <class B, int k>
constexpr PointwiseKernelSet gradient_kernels() {
  if constexpr (k < B::tensors && B::traits.differentiable) {
    if constexpr (gradient_of<B, k>.form == GradientForm::computed)
      return kernel_set<GradientBody<B, k>, B::scalars, PointwiseTypes::floating>();
  }
  return {};
}

}  // namespace PHLOX_ISA
}  // namespace phlox

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
#define PHLOX_POINTWISE(name, Body, ...)                                                             \
  static constexpr ::phlox::PointwiseKernelEntry name##_kernels PHLOX_TABLE_ENTRY(phlox_kernels) = { \
      #name,                                                                                         \
      PHLOX_STRINGIFY(PHLOX_ISA),                                                                    \
      forward_kernels<Body>(),                                                                       \
      {gradient_kernels<Body, 0>(), gradient_kernels<Body, 1>(), gradient_kernels<Body, 2>()}};

// Each file in ops/pointwise opens and closes its namespace with these.
#define PHLOX_BEGIN_POINTWISE \
  namespace phlox {           \
  namespace PHLOX_ISA {
#define PHLOX_END_POINTWISE \
  }                         \
  }
