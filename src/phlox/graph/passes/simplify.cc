#include <algorithm>
#include <cmath>

#include "phlox/graph/passes/memory_order.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"
#include "phlox/graph/passes/simplify_views.h"
#include "phlox/ops/primitives/convert.h"
#include "phlox/ops/primitives/fill.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/primitives/reduce.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

Replacement becomes(const Value& value) { return {{value}}; }
Value input_of(const Node& node, std::size_t input = 0) { return std::get<Value>(node.inputs()[input]); }

// The one number that all elements are, if that is known.
std::optional<Scalar> uniform(const Input& input) {
  if (const auto* number = std::get_if<Scalar>(&input)) return *number;
  const auto* value = std::get_if<Value>(&input);
  if (!value) return std::nullopt;
  const Node& node = *value->node;
  if (node.kind() == NodeKind::constant) {
    const Tensor& data = node.constant();
    if (data.numel() != 1 || !is_computable(data.dtype())) return std::nullopt;
    return Scalar::load(data.dtype(), data.impl()->address());
  }
  if (node.kind() == NodeKind::input) return std::nullopt;
  const std::string_view name = node.primitive().name;
  if (name == "fill") {
    // As the dtype holds it.
    const auto& fill = attributes_of<FillAttributes>(node);
    alignas(16) char element[16];
    fill.value.store(fill.dtype, element);
    return Scalar::load(fill.dtype, element);
  }
  if (name == "view") return uniform(node.inputs()[0]);
  return std::nullopt;
}

bool is_number(const Input& input, double wanted) {
  const std::optional<Scalar> number = uniform(input);
  return number && number->kind() != Scalar::Kind::complex && number->real() == wanted;
}
// Zeros of one sign: integers have none, and count as 0.
bool is_zero(const Input& input, bool negative) {
  const std::optional<Scalar> number = uniform(input);
  return number && number->kind() != Scalar::Kind::complex && number->real() == 0 &&
         (number->kind() == Scalar::Kind::floating && std::signbit(number->real())) == negative;
}

// --- pointwise

// The input that the candidate hands on as it is: same type, and the copy would lie as it does.
Replacement hands_on(const Candidate& candidate, std::size_t input) {
  const Value* value = candidate.value(input);
  if (!value || value->type() != candidate.types[0] || !lies_densely(*value)) return std::nullopt;
  // The copy would lie as the first input of the shape.
  for (const Input& other : candidate.inputs) {
    const auto* v = std::get_if<Value>(&other);
    if (!v || v->type().shape != value->type().shape) continue;
    if (*v == *value) return becomes(*value);
    if (!lies_row_major(*v) || !lies_row_major(*value)) return std::nullopt;
  }
  return becomes(*value);
}

bool are_equal(const Candidate& candidate, std::size_t a, std::size_t b) {
  return candidate.value(a) && candidate.value(b) && *candidate.value(a) == *candidate.value(b);
}

Replacement simplify_arithmetic(const Candidate& c) {
  const DType dtype = c.types[0].dtype;
  // A complex product with 1 turns infinities into NaN.
  if (is_complex(dtype)) return std::nullopt;
  const bool floating = is_floating(dtype);
  if (c.is("mul")) {
    if (is_number(c.inputs[1], 1)) return hands_on(c, 0);
    if (is_number(c.inputs[0], 1)) return hands_on(c, 1);
  }
  if (c.is("div") && floating && is_number(c.inputs[1], 1)) return hands_on(c, 0);
  // x + -0 is x for all x; x + 0 is 0 for -0.
  if (c.is("add")) {
    if (is_zero(c.inputs[1], floating)) return hands_on(c, 0);
    if (is_zero(c.inputs[0], floating)) return hands_on(c, 1);
    if (!floating && is_number(c.inputs[1], 0)) return hands_on(c, 0);
    if (!floating && is_number(c.inputs[0], 0)) return hands_on(c, 1);
  }
  // x - 0 is x + -0.
  if (c.is("sub") && (is_zero(c.inputs[1], false) || (!floating && is_number(c.inputs[1], 0))))
    return hands_on(c, 0);
  return std::nullopt;
}

// Functions that undo themselves: f(f(x)) is x.
bool is_involution(const Candidate& c) {
  if (c.is("logical_not")) return true;  // of truth values, which the types see to
  return c.is("neg") || c.is("bitwise_invert");
}
// Functions that change nothing the second time: f(f(x)) is f(x).
bool is_idempotent(const Candidate& c) {
  static constexpr const char* names[] = {"relu", "abs", "floor", "ceil", "trunc", "round", "relu6", "sign"};
  return std::any_of(std::begin(names), std::end(names), [&](const char* name) { return c.is(name); });
}

Replacement simplify_pointwise(const Candidate& c) {
  const auto& function = *c.attributes_as<PointwiseAttributes>().function;
  if (function.gradient_of >= 0) return std::nullopt;
  if (c.is("positive")) return hands_on(c, 0);
  if (is_involution(c)) {
    const Node* inner = c.made_by(0, function.name);
    if (!inner || !std::holds_alternative<Value>(inner->inputs()[0])) return std::nullopt;
    const Value value = input_of(*inner);
    if (value.type() == c.types[0] && lies_densely(value)) return becomes(value);
    return std::nullopt;
  }
  if (is_idempotent(c) && c.made_by(0, function.name)) return hands_on(c, 0);
  for (const char* name : {"maximum", "minimum", "fmax", "fmin", "bitwise_and", "bitwise_or"})
    if (c.is(name) && are_equal(c, 0, 1)) return hands_on(c, 0);
  for (const char* name : {"logical_and", "logical_or"})
    if (c.is(name) && are_equal(c, 0, 1)) return hands_on(c, 0);  // of truth values: else the type differs
  if (c.is("where")) {
    if (are_equal(c, 1, 2)) return hands_on(c, 1);
    if (const auto condition = uniform(c.inputs[0])) return hands_on(c, condition->boolean() ? 1 : 2);
  }
  return simplify_arithmetic(c);
}

// --- conversions

// Whether every value of `from` is one of `to`.
bool holds(DType to, DType from) {
  if (from == to) return true;
  if (!is_computable(to) || !is_computable(from)) return false;
  if (from == DType::bool_) return true;
  if (is_complex(to) || is_complex(from)) return false;
  const int bits = info(from).bits;
  if (is_floating(from)) {
    if (!is_floating(to)) return false;
    if (to == DType::float64) return true;
    return to == DType::float32 && bits == 16;
  }
  if (is_integer(to)) {
    if (is_unsigned(to) && !is_unsigned(from)) return false;
    return info(to).bits > bits;  // or of the same sign, and equal
  }
  const int digits = is_unsigned(from) ? bits : bits - 1;
  switch (to) {
    case DType::float64: return digits <= 53;
    case DType::float32: return digits <= 24;
    case DType::float16: return digits <= 11;
    case DType::bfloat16: return digits <= 8;
    default: return false;
  }
}

// Whether x -> middle -> to gives what x -> to does.
bool middle_is_needless(DType from, DType middle, DType to) {
  if (!holds(middle, from) || is_complex(to)) return false;
  if (to == from || from == DType::bool_) return true;
  if (is_integer(from) && is_integer(middle)) return is_integer(to) || to == DType::bool_;
  // Beyond here kernels may round on a way of their own, unless float32 holds all there is.
  return is_floating(to) && holds(DType::float32, from);
}

Replacement simplify_convert(Rebuilder& to, const Candidate& c) {
  const Value value = *c.value(0);
  const auto& own = c.attributes_as<ConvertAttributes>();
  if (own.order == MemoryOrder::keep && own.dtype == value.type().dtype && lies_densely(value))
    return becomes(value);
  const Node* inner = c.made_by(0, "convert");
  if (!inner) return std::nullopt;
  const auto& before = attributes_of<ConvertAttributes>(*inner);
  const Value source = input_of(*inner);
  if (before.order != MemoryOrder::keep || !middle_is_needless(source.type().dtype, before.dtype, own.dtype))
    return std::nullopt;
  return becomes(to.make("convert", {source}, &own, c.location));
}

// --- reductions, joins, checks

// Over dimensions of size 1: the elements themselves. Not sums, which turn -0 into 0, nor sums of squares.
Replacement simplify_reduce(Rebuilder& to, const Candidate& c) {
  const auto& reduce = c.attributes_as<ReduceAttributes>();
  const Value value = *c.value(0);
  const DType dtype = value.type().dtype;
  if (reduce.kind == ReduceKind::sum && !is_integer(dtype)) return std::nullopt;
  if (reduce.kind == ReduceKind::sum_of_squares) return std::nullopt;
  if (reduce.result != dtype || !holds(reduce.compute, dtype) || is_complex(dtype)) return std::nullopt;
  for (std::int64_t d : reduce.dims)
    if (value.type().shape[static_cast<std::size_t>(d)] != 1) return std::nullopt;
  if (!lies_row_major(value)) return std::nullopt;
  const ViewAttributes reshape{ViewKind::reshape, c.types[0].shape};
  return becomes(to.make("view", {value}, &reshape, c.location));
}

Replacement simplify_cat(const Candidate& c) {
  const Value* first = c.value(0);
  if (!first || first->type() != c.types[0]) {
    // All parts of one split, in order.
    if (!first || first->node->kind() != NodeKind::operation ||
        std::string_view(first->node->primitive().name) != "split")
      return std::nullopt;
    const Node& split = *first->node;
    if (split.types().size() != c.inputs.size()) return std::nullopt;
    for (std::size_t i = 0; i < c.inputs.size(); ++i)
      if (const Value* part = c.value(i); !part || *part != Value{&split, static_cast<int>(i)})
        return std::nullopt;
    const Value whole = input_of(split);
    const std::int64_t dim = c.attributes_as<CatAttributes>().dim, rank = c.types[0].shape.rank();
    if ((dim + rank) % rank != attributes_of<SplitAttributes>(split).dim) return std::nullopt;
    return whole.type() == c.types[0] && lies_row_major(whole) ? becomes(whole) : std::nullopt;
  }
  return c.inputs.size() == 1 && lies_densely(*first) ? becomes(*first) : std::nullopt;
}

Replacement rewrite(Rebuilder& to, const Candidate& c) {
  if (c.applies("pointwise")) return simplify_pointwise(c);
  if (c.applies("convert")) return simplify_convert(to, c);
  if (c.applies("view")) return simplify_view(to, c);
  if (c.applies("view_put")) return simplify_view_put(to, c);
  if (c.applies("reduce")) return simplify_reduce(to, c);
  if (c.applies("cat")) return simplify_cat(c);
  if (c.applies("split") && c.types.size() == 1) return becomes(*c.value(0));
  if (c.applies("check"))
    if (const auto condition = uniform(c.inputs[1]); condition && condition->boolean())
      return becomes(*c.value(0));
  return std::nullopt;
}

}  // namespace

GraphPointer simplify(const GraphPointer& graph) { return rebuild(*graph, simplify, rewrite); }

}  // namespace phlox::graph
