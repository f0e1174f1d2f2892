// Evaluates pointwise expressions that have no kernel of their own: second derivatives and fused chains. Each node
// is one loop over a short block, with the same scalar functions as the kernels, so the bits are the same.
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/device/cpu/pointwise_kernel_entry.h"
#include "phlox/math/derivation.h"
#include "phlox/math/functions.h"

namespace phlox {
namespace PHLOX_ISA {

using namespace math;

constexpr int block = 64;

template <class T>
struct Registers {
  using D = Native<T>;
  using Mask = typename D::Mask;
  static constexpr int vectors = block / D::lanes;
  D values[body_capacity][vectors];
  Mask masks[body_capacity][vectors];
};

template <class T>
void run_block(const ExpressionProgram& program, unsigned mask_inputs, const void* const* inputs,
               const KernelScalar* scalars, Registers<T>& r) {
  using D = Native<T>;
  constexpr int vectors = Registers<T>::vectors;
  for (int i = 0; i < program.count; ++i) {
    const ExpressionNode& n = program.nodes[i];
    const int a = n.arguments[0] < 0 ? 0 : n.arguments[0];
    const int b = n.arguments[1] < 0 ? 0 : n.arguments[1];
    const int c = n.arguments[2] < 0 ? 0 : n.arguments[2];
    const int index = static_cast<int>(n.value);
    D* v = r.values[i];
    auto* m = r.masks[i];
    const D *x = r.values[a], *y = r.values[b], *z = r.values[c];
    const auto *p = r.masks[a], *q = r.masks[b];
    switch (n.opcode) {
      case Opcode::input:
        for (int j = 0; j < vectors; ++j) {
          if (mask_inputs >> index & 1u)
            m[j] = D::Mask::load(static_cast<const std::uint8_t*>(inputs[index]) + j * D::lanes);
          else v[j] = D::load(static_cast<const T*>(inputs[index]) + j * D::lanes);
        }
        break;
      case Opcode::scalar:
        for (int j = 0; j < vectors; ++j) v[j] = D(scalars[index].floating);
        break;
      case Opcode::constant:
        for (int j = 0; j < vectors; ++j) v[j] = D(n.value);
        break;
#define PHLOX_LOOP(opcode, target, expression)                \
  case Opcode::opcode:                                        \
    for (int j = 0; j < vectors; ++j) target[j] = expression; \
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
        PHLOX_LOOP(mask_and, m, p[j] & q[j])
        PHLOX_LOOP(mask_or, m, p[j] | q[j])
        PHLOX_LOOP(mask_xor, m, p[j] ^ q[j])
        PHLOX_LOOP(mask_not, m, !p[j])
        PHLOX_LOOP(select, v, select(p[j], y[j], z[j]))
      // Bits are for integers, which have kernels for all that exists.
      case Opcode::bitwise_and:
      case Opcode::bitwise_or:
      case Opcode::bitwise_xor:
      case Opcode::bitwise_not:
      case Opcode::shift_left:
      case Opcode::shift_right:
      case Opcode::gcd: break;
#define PHLOX_UNARY(f, cost) PHLOX_LOOP(f, v, f(x[j]))
#define PHLOX_BINARY(f, cost) PHLOX_LOOP(f, v, f(x[j], y[j]))
#define PHLOX_TERNARY(f, cost) PHLOX_LOOP(f, v, f(x[j], y[j], z[j]))
        PHLOX_UNARY_FLOAT_FUNCTIONS(PHLOX_UNARY)
        PHLOX_BINARY_FLOAT_FUNCTIONS(PHLOX_BINARY)
        PHLOX_TERNARY_FUNCTIONS(PHLOX_TERNARY)
    }
  }
}

template <class T>
void interpret(const ExpressionProgram& program, unsigned mask_inputs, const void* const* inputs,
               const KernelScalar* scalars, void* output, std::int64_t count) {
  using D = Native<T>;
  Registers<T> registers;
  constexpr int max_inputs = 6;
  alignas(64) char padded[max_inputs][block * sizeof(T)];
  int input_count = 0;
  for (int i = 0; i < program.count; ++i)
    if (program.nodes[i].opcode == Opcode::input && program.nodes[i].value >= input_count)
      input_count = static_cast<int>(program.nodes[i].value) + 1;
  for (std::int64_t start = 0; start < count; start += block) {
    const std::int64_t n = count - start < block ? count - start : block;
    const void* addresses[max_inputs];
    for (int k = 0; k < input_count; ++k) {
      const int bytes = mask_inputs >> k & 1u ? 1 : static_cast<int>(sizeof(T));
      const char* source = static_cast<const char*>(inputs[k]) + start * bytes;
      addresses[k] = source;
      if (n == block) continue;
      __builtin_memset(padded[k], 0, sizeof(padded[k]));
      __builtin_memcpy(padded[k], source, static_cast<std::size_t>(n * bytes));
      addresses[k] = padded[k];
    }
    run_block<T>(program, mask_inputs, addresses, scalars, registers);
    alignas(64) char result[block * sizeof(T)];
    const int bytes = program.is_mask ? 1 : static_cast<int>(sizeof(T));
    for (int j = 0; j < Registers<T>::vectors; ++j) {
      if (program.is_mask)
        registers.masks[program.result][j].store(reinterpret_cast<std::uint8_t*>(result) + j * D::lanes);
      else registers.values[program.result][j].store(reinterpret_cast<T*>(result) + j * D::lanes);
    }
    __builtin_memcpy(static_cast<char*>(output) + start * bytes, result, static_cast<std::size_t>(n * bytes));
  }
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr PointwiseInterpreterEntry entry PHLOX_TABLE_ENTRY(phlox_interpreters) = {
    PHLOX_STRINGIFY(PHLOX_ISA), interpret<float>, interpret<double>};

}  // namespace PHLOX_ISA
}  // namespace phlox
