#include "phlox/device/cpu/complex_interpreter.h"

#include <algorithm>

#include "phlox/base/error.h"
#include "phlox/math/complex.h"
#include "phlox/math/derivation.h"

namespace phlox::cpu {
namespace {

using namespace math;

constexpr int block = 16;

struct Registers {
  Complex values[body_capacity][block];
  bool masks[body_capacity][block];
};

// A template, because only there may `requires` ask whether a function exists.
template <class Function>
void apply(Opcode opcode, const Function& function, Complex* out, const Complex* x, const Complex* y) {
  if constexpr (requires { function(*x, *y); }) {
    for (int j = 0; j < block; ++j) out[j] = function(x[j], y[j]);
  } else {
    fail<NotSupportedError>(ErrorCode::not_supported, "{}: is not defined for complex numbers",
                            opcode_name(opcode))
        .raise();
  }
}

void run_block(const ExpressionProgram& program, unsigned mask_inputs, const void* const* inputs,
               const KernelScalar* scalars, std::int64_t start, std::int64_t n, Registers& r) {
  for (int i = 0; i < program.count; ++i) {
    const ExpressionNode& node = program.nodes[i];
    const int a = std::max<int>(node.arguments[0], 0), b = std::max<int>(node.arguments[1], 0),
              c = std::max<int>(node.arguments[2], 0);
    const int index = static_cast<int>(node.value);
    Complex* v = r.values[i];
    bool* m = r.masks[i];
    const Complex *x = r.values[a], *y = r.values[b], *z = r.values[c];
    const bool *p = r.masks[a], *q = r.masks[b];
    switch (node.opcode) {
      case Opcode::input:
        if (mask_inputs >> index & 1u)
          std::copy_n(static_cast<const std::uint8_t*>(inputs[index]) + start, n, m);
        else std::copy_n(static_cast<const Complex*>(inputs[index]) + start, n, v);
        break;
      case Opcode::scalar: std::fill_n(v, block, Complex(scalars[index].floating)); break;
      case Opcode::constant: std::fill_n(v, block, Complex(node.value)); break;
#define PHLOX_LOOP(opcode, target, expression)              \
  case Opcode::opcode:                                      \
    for (int j = 0; j < block; ++j) target[j] = expression; \
    break;
        PHLOX_LOOP(neg, v, -x[j])
        PHLOX_LOOP(add, v, x[j] + y[j])
        PHLOX_LOOP(sub, v, x[j] - y[j])
        PHLOX_LOOP(mul, v, x[j] * y[j])
        PHLOX_LOOP(div, v, x[j] / y[j])
        PHLOX_LOOP(lt, m, x[j] < y[j])
        PHLOX_LOOP(le, m, x[j] <= y[j])
        PHLOX_LOOP(gt, m, x[j] > y[j])
        PHLOX_LOOP(ge, m, x[j] >= y[j])
        PHLOX_LOOP(eq, m, x[j] == y[j])
        PHLOX_LOOP(ne, m, x[j] != y[j])
        PHLOX_LOOP(mask_and, m, p[j] && q[j])
        PHLOX_LOOP(mask_or, m, p[j] || q[j])
        PHLOX_LOOP(mask_xor, m, p[j] != q[j])
        PHLOX_LOOP(mask_not, m, !p[j])
        PHLOX_LOOP(select, v, p[j] ? y[j] : z[j])
#undef PHLOX_LOOP
#define PHLOX_UNARY(f, cost)          \
  case Opcode::f:                     \
    apply(                            \
        node.opcode, [](auto s, auto) \
          requires requires { f(s); } \
        { return f(s); },             \
        v, x, y);                     \
    break;
#define PHLOX_BINARY(f, cost)            \
  case Opcode::f:                        \
    apply(                               \
        node.opcode, [](auto s, auto t)  \
          requires requires { f(s, t); } \
        { return f(s, t); },             \
        v, x, y);                        \
    break;
        PHLOX_UNARY_FUNCTIONS(PHLOX_UNARY)
        PHLOX_BINARY_FUNCTIONS(PHLOX_BINARY)
#undef PHLOX_UNARY
#undef PHLOX_BINARY
// None of these has a complex meaning.
#define PHLOX_TERNARY(f, cost) \
  case Opcode::f: apply(node.opcode, 0, v, x, y); break;
        PHLOX_TERNARY_FUNCTIONS(PHLOX_TERNARY)
#undef PHLOX_TERNARY
    }
  }
}

}  // namespace

void interpret_complex(const ExpressionProgram& program, unsigned mask_inputs, const void* const* inputs,
                       const KernelScalar* scalars, void* output, std::int64_t count) {
  Registers registers = {};
  for (std::int64_t start = 0; start < count; start += block) {
    const std::int64_t n = std::min<std::int64_t>(block, count - start);
    run_block(program, mask_inputs, inputs, scalars, start, n, registers);
    if (program.is_mask)
      std::copy_n(registers.masks[program.result], n, static_cast<std::uint8_t*>(output) + start);
    else std::copy_n(registers.values[program.result], n, static_cast<Complex*>(output) + start);
  }
}

}  // namespace phlox::cpu
