// The closed set of scalar functions that pointwise expressions consist of. Each has one generic implementation in
// math/, one derivative in math/derivative.h, and one loop in the expression interpreter.
// The order is that of the saved file: never reorder, only append.
#pragma once

#include <cstdint>

namespace phlox::math {

// name, number of arguments, relative cost (used to weigh saving a value against computing it again)
// clang-format off
#define PHLOX_UNARY_FLOAT_FUNCTIONS(V)                                                                       \
  V(abs, 1) V(sqrt, 4) V(rsqrt, 6) V(exp, 10) V(exp2, 10) V(expm1, 12) V(log, 10) V(log2, 10) V(log10, 10)   \
  V(log1p, 12) V(sin, 12) V(cos, 12) V(tan, 16) V(asin, 16) V(acos, 16) V(atan, 16) V(sinh, 16) V(cosh, 16)  \
  V(tanh, 12) V(asinh, 16) V(acosh, 16) V(atanh, 16) V(sigmoid, 12) V(erf, 12) V(erfc, 16) V(erfinv, 20)     \
  V(lgamma, 40) V(digamma, 40) V(trigamma, 40) V(cbrt, 16) V(floor, 1) V(ceil, 1) V(trunc, 1) V(round, 1)  \
  V(ndtr, 16) V(erfcx, 16) V(ndtri, 24) V(log_ndtr, 30) V(frexp_mantissa, 4) V(frexp_exponent, 4)          \
  V(bessel_j0, 60) V(bessel_j1, 60) V(bessel_y0, 60) V(bessel_y1, 60) V(bessel_i0, 60) V(bessel_i0e, 60)     \
  V(bessel_i1, 60) V(bessel_i1e, 60) V(bessel_k0, 60) V(bessel_k0e, 60) V(bessel_k1, 60) V(bessel_k1e, 60)   \
  V(airy_ai, 60) V(airy_ai_prime, 60) V(logit, 16) V(sinpi, 16) V(cospi, 16)
#define PHLOX_BINARY_FLOAT_FUNCTIONS(V)                                                                      \
  V(pow, 30) V(atan2, 20) V(hypot, 8) V(fmod, 10) V(remainder, 10) V(floor_divide, 10) V(copysign, 1)        \
  V(min, 2) V(max, 2) V(nextafter, 4) V(zeta, 200) V(polygamma, 200) V(igamma, 200) V(igammac, 200)          \
  V(gamma_density, 100) V(chebyshev_t, 60) V(hermite_h, 60) V(hermite_he, 60)
#define PHLOX_TERNARY_FUNCTIONS(V) V(gegenbauer, 60) V(laguerre, 60) V(betainc, 200) V(beta_density, 100)
// clang-format on
#define PHLOX_UNARY_INTEGER_FUNCTIONS(V) V(bitwise_not, 1)
#define PHLOX_BINARY_INTEGER_FUNCTIONS(V) \
  V(bitwise_and, 1) V(bitwise_or, 1) V(bitwise_xor, 1) V(shift_left, 1) V(shift_right, 1) V(gcd, 40)
#define PHLOX_UNARY_FUNCTIONS(V) PHLOX_UNARY_FLOAT_FUNCTIONS(V) PHLOX_UNARY_INTEGER_FUNCTIONS(V)
#define PHLOX_BINARY_FUNCTIONS(V) PHLOX_BINARY_FLOAT_FUNCTIONS(V) PHLOX_BINARY_INTEGER_FUNCTIONS(V)
// The same with those that are written with an operator.
#define PHLOX_UNARY_OPCODES(V) V(neg, 1) PHLOX_UNARY_FUNCTIONS(V)
#define PHLOX_BINARY_OPCODES(V) V(add, 1) V(sub, 1) V(mul, 1) V(div, 4) PHLOX_BINARY_FUNCTIONS(V)
#define PHLOX_COMPARISON_OPCODES(V) V(lt, 1) V(le, 1) V(gt, 1) V(ge, 1) V(eq, 1) V(ne, 1)
#define PHLOX_MASK_OPCODES(V) V(mask_and, 1) V(mask_or, 1) V(mask_xor, 1) V(mask_not, 1)

enum class Opcode : std::uint8_t {
  input,
  scalar,
  constant,
#define PHLOX_ENUMERATE(name, cost) name,
  PHLOX_UNARY_OPCODES(PHLOX_ENUMERATE) PHLOX_BINARY_OPCODES(PHLOX_ENUMERATE)
      PHLOX_COMPARISON_OPCODES(PHLOX_ENUMERATE) PHLOX_MASK_OPCODES(PHLOX_ENUMERATE)
#undef PHLOX_ENUMERATE
          select,
#define PHLOX_ENUMERATE(name, cost) name,
  PHLOX_TERNARY_FUNCTIONS(PHLOX_ENUMERATE)
#undef PHLOX_ENUMERATE
};

inline constexpr const char* opcode_name(Opcode opcode) {
  switch (opcode) {
    case Opcode::input: return "input";
    case Opcode::scalar: return "scalar";
    case Opcode::constant: return "constant";
    case Opcode::select: return "select";
#define PHLOX_NAME(name, cost) \
  case Opcode::name: return #name;
      PHLOX_UNARY_OPCODES(PHLOX_NAME)
      PHLOX_BINARY_OPCODES(PHLOX_NAME)
      PHLOX_TERNARY_FUNCTIONS(PHLOX_NAME)
      PHLOX_COMPARISON_OPCODES(PHLOX_NAME)
      PHLOX_MASK_OPCODES(PHLOX_NAME)
#undef PHLOX_NAME
  }
  return "";
}

inline constexpr int opcode_cost(Opcode opcode) {
  switch (opcode) {
#define PHLOX_COST(name, cost) \
  case Opcode::name: return cost;
    PHLOX_UNARY_OPCODES(PHLOX_COST)
    PHLOX_BINARY_OPCODES(PHLOX_COST)
    PHLOX_TERNARY_FUNCTIONS(PHLOX_COST)
    PHLOX_COMPARISON_OPCODES(PHLOX_COST)
    PHLOX_MASK_OPCODES(PHLOX_COST)
#undef PHLOX_COST
    case Opcode::select: return 1;
    default: return 0;
  }
}

}  // namespace phlox::math
