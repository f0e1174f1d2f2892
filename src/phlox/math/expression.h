// Pointwise expressions: hash-consed nodes in an arena, built by running a body on `Expression` values, at compile
// time or at run time. Forward expressions are kept as written: only constants are folded and x*1 is dropped, because
// x+0 and x*0 are not identities for -0, infinities and NaN. Derivatives are built with `simplify` on.
#pragma once

#include <cstdint>

#include "phlox/math/opcodes.h"

namespace phlox::math {

// Throws NotSupportedError: an expression has more nodes than its arena holds.
[[noreturn]] void throw_too_many_nodes();

struct ExpressionNode {
  Opcode opcode = Opcode::constant;
  std::int16_t arguments[3] = {-1, -1, -1};
  double value = 0;  // of a constant; the index of an input or scalar
};

// Where nodes are kept. Node numbers ascend from arguments to results.
struct ExpressionArena {
  ExpressionNode* nodes;
  int capacity;
  int count = 0;
  bool simplify = false;
  bool unknown_derivative = false;  // a derivative was asked for that nobody has written

  constexpr ExpressionArena(ExpressionNode* storage, int room) : nodes(storage), capacity(room) {}

  constexpr int intern(Opcode opcode, double value, int a = -1, int b = -1, int c = -1) {
    for (int i = 0; i < count; ++i) {
      const ExpressionNode& n = nodes[i];
      if (n.opcode == opcode && same_bits(n.value, value) && n.arguments[0] == a && n.arguments[1] == b &&
          n.arguments[2] == c)
        return i;
    }
    if (count == capacity) throw_too_many_nodes();  // no constant expression: at compile time an error
    nodes[count] = {
        opcode,
        {static_cast<std::int16_t>(a), static_cast<std::int16_t>(b), static_cast<std::int16_t>(c)},
        value};
    return count++;
  }

 private:
  static constexpr bool same_bits(double x, double y) {
    return __builtin_bit_cast(std::uint64_t, x) == __builtin_bit_cast(std::uint64_t, y);
  }
};

// A value of an expression under construction; a constant has no arena until it meets a node.
struct Expression {
  ExpressionArena* arena = nullptr;
  int node = -1;
  double value = 0;

  constexpr Expression(double constant) : value(constant) {}
  constexpr Expression(ExpressionArena* where, int id)
      : arena(where),
        node(id),
        value(where->nodes[id].opcode == Opcode::constant ? where->nodes[id].value : 0) {}

  constexpr bool is_constant() const { return !arena || arena->nodes[node].opcode == Opcode::constant; }
  constexpr bool is(double v) const { return is_constant() && value == v; }
  constexpr int in(ExpressionArena* target) const {
    return arena ? node : target->intern(Opcode::constant, value);
  }
  constexpr bool is_a(Opcode opcode) const { return arena && arena->nodes[node].opcode == opcode; }
  constexpr Expression argument(int i) const { return {arena, arena->nodes[node].arguments[i]}; }
};

// A truth value of an expression under construction.
struct ExpressionMask {
  Expression value;
};

namespace detail {
constexpr ExpressionArena* arena_of(Expression a, Expression b) { return a.arena ? a.arena : b.arena; }
constexpr bool simplifies(Expression a, Expression b) {
  ExpressionArena* arena = arena_of(a, b);
  return arena && arena->simplify;
}
// A folded constant stays in the arena, so that functions of constants have one to go to.
constexpr Expression folded(Expression a, Expression b, double value) {
  ExpressionArena* arena = arena_of(a, b);
  if (!arena) return value;
  return {arena, arena->intern(Opcode::constant, value)};
}
constexpr Expression node1(Opcode opcode, Expression a) {
  return {a.arena, a.arena->intern(opcode, 0, a.node)};
}
constexpr Expression node2(Opcode opcode, Expression a, Expression b) {
  ExpressionArena* arena = arena_of(a, b);
  int i = a.in(arena), j = b.in(arena);
  return {arena, arena->intern(opcode, 0, i, j)};
}
constexpr Expression node3(Opcode opcode, Expression a, Expression b, Expression c) {
  ExpressionArena* arena = a.arena ? a.arena : arena_of(b, c);
  int i = a.in(arena), j = b.in(arena), k = c.in(arena);
  return {arena, arena->intern(opcode, 0, i, j, k)};
}
}  // namespace detail

constexpr Expression operator-(Expression a) {
  if (a.is_constant()) return detail::folded(a, a, -a.value);
  if (a.is_a(Opcode::neg)) return a.argument(0);
  return detail::node1(Opcode::neg, a);
}
constexpr Expression operator+(Expression a, Expression b) {
  if (a.is_constant() && b.is_constant()) return detail::folded(a, b, a.value + b.value);
  if (detail::simplifies(a, b)) {
    if (a.is(0)) return b;
    if (b.is(0)) return a;
  }
  return detail::node2(Opcode::add, a, b);
}
constexpr Expression operator-(Expression a, Expression b) {
  if (a.is_constant() && b.is_constant()) return detail::folded(a, b, a.value - b.value);
  if (detail::simplifies(a, b)) {
    if (b.is(0)) return a;
    if (a.is(0)) return -b;
  }
  return detail::node2(Opcode::sub, a, b);
}
constexpr Expression operator*(Expression a, Expression b) {
  if (a.is_constant() && b.is_constant()) return detail::folded(a, b, a.value * b.value);
  if (a.is(1)) return b;
  if (b.is(1)) return a;
  if (detail::simplifies(a, b)) {
    if (a.is(0) || b.is(0)) return 0.0;
    if (a.is(-1)) return -b;
    if (b.is(-1)) return -a;
    if (a.is_a(Opcode::neg)) return -(a.argument(0) * b);
    if (b.is_a(Opcode::neg)) return -(a * b.argument(0));
  }
  return detail::node2(Opcode::mul, a, b);
}
constexpr Expression operator/(Expression a, Expression b) {
  if (a.is_constant() && b.is_constant()) return detail::folded(a, b, a.value / b.value);
  if (b.is(1)) return a;
  if (detail::simplifies(a, b)) {
    if (a.is(0)) return 0.0;
    if (a.is_a(Opcode::neg)) return -(a.argument(0) / b);
  }
  return detail::node2(Opcode::div, a, b);
}

// Everything that is not an operator is a plain node.
#define PHLOX_PLAIN_UNARY(name, cost) \
  constexpr Expression name(Expression a) { return detail::node1(Opcode::name, a); }
#define PHLOX_PLAIN_BINARY(name, cost) \
  constexpr Expression name(Expression a, Expression b) { return detail::node2(Opcode::name, a, b); }
#define PHLOX_PLAIN_TERNARY(name, cost)                                 \
  constexpr Expression name(Expression a, Expression b, Expression c) { \
    return detail::node3(Opcode::name, a, b, c);                        \
  }
PHLOX_UNARY_FUNCTIONS(PHLOX_PLAIN_UNARY)
PHLOX_BINARY_FUNCTIONS(PHLOX_PLAIN_BINARY)
PHLOX_TERNARY_FUNCTIONS(PHLOX_PLAIN_TERNARY)
#undef PHLOX_PLAIN_UNARY
#undef PHLOX_PLAIN_BINARY
#undef PHLOX_PLAIN_TERNARY

constexpr ExpressionMask operator<(Expression a, Expression b) { return {detail::node2(Opcode::lt, a, b)}; }
constexpr ExpressionMask operator<=(Expression a, Expression b) { return {detail::node2(Opcode::le, a, b)}; }
constexpr ExpressionMask operator>(Expression a, Expression b) { return {detail::node2(Opcode::gt, a, b)}; }
constexpr ExpressionMask operator>=(Expression a, Expression b) { return {detail::node2(Opcode::ge, a, b)}; }
constexpr ExpressionMask operator==(Expression a, Expression b) { return {detail::node2(Opcode::eq, a, b)}; }
constexpr ExpressionMask operator!=(Expression a, Expression b) { return {detail::node2(Opcode::ne, a, b)}; }
constexpr ExpressionMask operator&(ExpressionMask a, ExpressionMask b) {
  return {detail::node2(Opcode::mask_and, a.value, b.value)};
}
constexpr ExpressionMask operator|(ExpressionMask a, ExpressionMask b) {
  return {detail::node2(Opcode::mask_or, a.value, b.value)};
}
constexpr ExpressionMask operator^(ExpressionMask a, ExpressionMask b) {
  return {detail::node2(Opcode::mask_xor, a.value, b.value)};
}
constexpr ExpressionMask operator!(ExpressionMask a) { return {detail::node1(Opcode::mask_not, a.value)}; }
constexpr Expression operator&(Expression a, Expression b) { return bitwise_and(a, b); }
constexpr Expression operator|(Expression a, Expression b) { return bitwise_or(a, b); }
constexpr Expression operator^(Expression a, Expression b) { return bitwise_xor(a, b); }
constexpr Expression operator~(Expression a) { return bitwise_not(a); }
constexpr Expression operator<<(Expression a, Expression b) { return shift_left(a, b); }
constexpr Expression operator>>(Expression a, Expression b) { return shift_right(a, b); }

constexpr Expression select(ExpressionMask m, Expression a, Expression b) {
  ExpressionArena* arena = m.value.arena;
  if (a.is_constant() && b.is_constant() && arena->simplify && a.value == b.value) return a;
  int i = a.in(arena), j = b.in(arena);
  if (i == j && arena->simplify) return a;
  return {arena, arena->intern(Opcode::select, 0, m.value.node, i, j)};
}

constexpr ExpressionMask isnan(Expression a) { return a != a; }
constexpr ExpressionMask isinf(Expression a) { return abs(a) == Expression(__builtin_inf()); }
constexpr ExpressionMask isfinite(Expression a) { return abs(a) < Expression(__builtin_inf()); }

}  // namespace phlox::math
