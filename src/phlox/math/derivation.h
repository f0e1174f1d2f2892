// From one pointwise body, while the library compiles: its expression, the expression of each gradient, and the
// smallest set of values that must be saved for it. A body is a struct such as
//
//   struct Silu : Unary<> {
//     static auto body(auto x) { return x * sigmoid(x); }
//   };
//
// A gradient is itself a pointwise body. Its inputs are the gradient of the result, then what was saved: of the
// inputs and the result, in this order.
#pragma once

#include <utility>

#include "phlox/base/macros.h"
#include "phlox/math/derivative.h"

namespace phlox::math {

// Tensor inputs, then scalar parameters. With `mask_first` the first input is a truth value.
template <int Tensors, int Scalars, bool MaskFirst = false>
struct Body {
  static constexpr int tensors = Tensors;
  static constexpr int scalars = Scalars;
  static constexpr unsigned masks = MaskFirst ? 1u : 0u;
};
template <int Scalars = 0>
struct Unary : Body<1, Scalars> {};
template <int Scalars = 0>
struct Binary : Body<2, Scalars> {};
template <int Scalars = 0>
struct Ternary : Body<3, Scalars> {};
template <int Scalars = 0>
struct Selection : Body<3, Scalars, true> {};  // mask, value, value

inline constexpr int body_capacity = 128;

// An expression with its own nodes, used up to `count`.
struct ExpressionProgram {
  ExpressionNode nodes[body_capacity];
  int count = 0;
  int result = -1;
  bool is_mask = false;  // the result is a truth value
};

enum class GradientForm : std::uint8_t {
  none,      // always zero, or the function has no derivative
  identity,  // the gradient of the result itself
  computed,
  unknown,  // it has one, which nobody has written: an error when it is asked for
};

struct GradientProgram {
  ExpressionProgram program;
  GradientForm form = GradientForm::none;
  unsigned saved = 0;  // bit i: input i; bit `tensors`: the result
  unsigned masks = 0;  // which inputs of the program are truth values
  int inputs = 0;
};

namespace detail {

// Runs a body with arguments made by `input(i)` (truth values by `mask(i)`) and `scalar(i)`.
template <class B, int... Rest, int... Scalars>
constexpr auto run_body(auto mask, auto input, auto scalar, std::integer_sequence<int, Rest...>,
                        std::integer_sequence<int, Scalars...>) {
  if constexpr (B::masks & 1u) return B::body(mask(0), input(Rest + 1)..., scalar(Scalars)...);
  else return B::body(input(0), input(Rest + 1)..., scalar(Scalars)...);
}
template <class B>
constexpr auto run_body(auto mask, auto input, auto scalar) {
  return run_body<B>(mask, input, scalar, std::make_integer_sequence<int, B::tensors - 1>{},
                     std::make_integer_sequence<int, B::scalars>{});
}

// Marks what `node` needs; false when it needs an input or result that is not in `saved`.
constexpr bool reachable(const ExpressionNode* nodes, int node, int result, unsigned saved, int tensors,
                         bool* seen, int& cost) {
  if (node == result && (saved >> tensors & 1u)) {
    seen[node] = true;
    return true;
  }
  if (seen[node]) return true;
  const ExpressionNode& n = nodes[node];
  if (n.opcode == Opcode::input && !(saved >> static_cast<int>(n.value) & 1u)) return false;
  seen[node] = true;
  cost += opcode_cost(n.opcode);
  for (int argument : n.arguments)
    if (argument >= 0 && !reachable(nodes, argument, result, saved, tensors, seen, cost)) return false;
  return true;
}

// Rewrites `slope * gradient` as a program over the gradient and what is saved.
constexpr GradientProgram extract(const ExpressionArena& arena, Expression slope, int result, int tensors,
                                  unsigned mask_inputs) {
  GradientProgram out;
  if (slope.is(0)) return out;
  if (slope.is(1)) {
    out.form = GradientForm::identity;
    return out;
  }
  out.form = GradientForm::computed;

  int best = 1 << 30;
  bool needed[4 * body_capacity] = {};
  if (slope.arena) {
    for (unsigned saved = 0; saved < (2u << tensors); ++saved) {
      bool seen[4 * body_capacity] = {};
      int cost = 0;
      if (!reachable(arena.nodes, slope.node, result, saved, tensors, seen, cost)) continue;
      cost += 1000 * __builtin_popcount(saved);
      if (cost >= best) continue;
      best = cost;
      out.saved = saved;
      for (int i = 0; i < arena.count; ++i) needed[i] = seen[i];
    }
  }

  ExpressionArena target(out.program.nodes, body_capacity);
  target.simplify = true;
  int gradient = target.intern(Opcode::input, 0);
  int saved_position[8] = {};
  out.inputs = 1;
  for (int i = 0; i <= tensors; ++i) {
    if (!(out.saved >> i & 1u)) continue;
    if (mask_inputs >> i & 1u) out.masks |= 1u << out.inputs;
    saved_position[i] = out.inputs++;
  }
  int moved[4 * body_capacity] = {};
  for (int i = 0; i < arena.count; ++i) {
    if (!needed[i]) continue;
    const ExpressionNode& n = arena.nodes[i];
    if (i == result && (out.saved >> tensors & 1u)) {
      moved[i] = target.intern(Opcode::input, saved_position[tensors]);
    } else if (n.opcode == Opcode::input) {
      moved[i] = target.intern(Opcode::input, saved_position[static_cast<int>(n.value)]);
    } else {
      int a[3] = {-1, -1, -1};
      for (int k = 0; k < 3; ++k)
        if (n.arguments[k] >= 0) a[k] = moved[n.arguments[k]];
      moved[i] = target.intern(n.opcode, n.value, a[0], a[1], a[2]);
    }
  }
  Expression moved_slope = slope.arena ? Expression(&target, moved[slope.node]) : slope;
  // gradient / x keeps one rounding where the slope is 1 / x, and a mask stays a mask: 0 * inf never appears.
  Expression g(&target, gradient);
  Expression product = 0.0;
  if (moved_slope.is_a(Opcode::div) && moved_slope.argument(0).is(1)) {
    product = g / moved_slope.argument(1);
  } else if (moved_slope.is_a(Opcode::select)) {
    Expression m = moved_slope.argument(0), a = moved_slope.argument(1), b = moved_slope.argument(2);
    product = select(ExpressionMask{m}, g * a, g * b);
  } else {
    product = g * moved_slope;
  }
  out.program.count = target.count;
  out.program.result = product.in(&target);
  out.program.count = target.count;
  return out;
}

}  // namespace detail

// The expression of a body.
template <class B>
consteval ExpressionProgram derive_expression() {
  ExpressionProgram out;
  ExpressionArena arena(out.nodes, body_capacity);
  for (int i = 0; i < B::tensors; ++i) arena.intern(Opcode::input, i);
  for (int i = 0; i < B::scalars; ++i) arena.intern(Opcode::scalar, i);
  auto result = detail::run_body<B>([&](int i) { return ExpressionMask{{&arena, i}}; },
                                    [&](int i) { return Expression{&arena, i}; },
                                    [&](int i) { return Expression{&arena, B::tensors + i}; });
  if constexpr (requires { result.value.arena; }) {
    out.is_mask = true;
    out.result = result.value.node;
  } else {
    out.result = result.in(&arena);
  }
  out.count = arena.count;
  return out;
}

// The gradient with respect to tensor input `k`.
template <class B, int k>
consteval GradientProgram derive_gradient() {
  ExpressionNode storage[4 * body_capacity];
  ExpressionArena arena(storage, 4 * body_capacity);
  for (int i = 0; i < B::tensors; ++i) arena.intern(Opcode::input, i);
  for (int i = 0; i < B::scalars; ++i) arena.intern(Opcode::scalar, i);
  arena.simplify = true;
  if constexpr (k == 0 && (B::masks & 1u)) {
    return {};
  } else {
    auto result = detail::run_body<B>(
        [&](int i) { return DualMask{ExpressionMask{{&arena, i}}}; },
        [&](int i) { return Dual{Expression{&arena, i}, Expression(i == k ? 1.0 : 0.0)}; },
        [&](int i) { return Dual{Expression{&arena, B::tensors + i}, 0.0}; });
    if constexpr (requires { result.mask; }) {
      return {};
    } else {
      GradientProgram gradient;
      if (arena.unknown_derivative) {
        gradient.form = GradientForm::unknown;
        return gradient;
      }
      int value = result.value.in(&arena);
      return detail::extract(arena, result.tangent, value, B::tensors, B::masks);
    }
  }
}

template <class B>
inline constexpr ExpressionProgram expression_of = derive_expression<B>();
template <class B, int k>
inline constexpr GradientProgram gradient_of = derive_gradient<B, k>();

}  // namespace phlox::math
