#include "phlox/graph/passes/simplify_views.h"

#include "phlox/graph/passes/memory_order.h"
#include "phlox/ops/primitives/fill.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

Value input_of(const Node& node, std::size_t input = 0) { return std::get<Value>(node.inputs()[input]); }

// Shows all elements of a tensor of this shape in their places.
bool shows_the_whole(const ViewAttributes& view, const Shape& shape) {
  switch (view.kind) {
    case ViewKind::reshape:
    case ViewKind::expand: return view.a == shape;
    case ViewKind::permute:
      for (int d = 0; d < view.a.rank(); ++d)
        if (view.a[static_cast<std::size_t>(d)] != d) return false;
      return true;
    case ViewKind::slice:
      for (std::size_t d = 0; d < shape.size(); ++d)
        if (view.b[d] != 0 || (view.c[d] != 1 && shape[d] > 1)) return false;
      return view.a == shape && element_count(shape) > 0;
    default: return false;
  }
}

bool are_equal(const ViewAttributes& x, const ViewAttributes& y) {
  return x.kind == y.kind && x.a == y.a && x.b == y.b && x.c == y.c && x.offset == y.offset;
}

// The view of a view as one view of the origin.
std::optional<ViewAttributes> composed(const ViewAttributes& first, const ViewAttributes& second,
                                       const Value& origin) {
  if (first.kind != second.kind) return std::nullopt;
  switch (first.kind) {
    case ViewKind::reshape:
      // Of what does not lie row-major the first one may be a copy, which does.
      return lies_row_major(origin) ? std::optional(second) : std::nullopt;
    case ViewKind::expand: return second;
    case ViewKind::permute: {
      ViewAttributes both = second;
      for (std::int64_t& dim : both.a) dim = first.a[static_cast<std::size_t>(dim)];
      return both;
    }
    case ViewKind::slice: {
      if (element_count(second.a) == 0) return std::nullopt;
      ViewAttributes both = second;
      for (std::size_t d = 0; d < second.a.size(); ++d) {
        both.b[d] = first.b[d] + first.c[d] * second.b[d];
        both.c[d] = second.a[d] > 1 ? first.c[d] * second.c[d] : 1;
      }
      return both;
    }
    default: return std::nullopt;
  }
}

}  // namespace

Replacement simplify_view(Rebuilder& to, const Candidate& c) {
  const auto& view = c.attributes_as<ViewAttributes>();
  const Value value = *c.value(0);
  if (shows_the_whole(view, value.type().shape)) return {{value}};
  if (const Node* inner = c.made_by(0, "view")) {
    const Value origin = input_of(*inner);
    if (const auto both = composed(attributes_of<ViewAttributes>(*inner), view, origin))
      return {{to.make("view", {origin}, &*both, c.location)}};
  }
  // What was just written is read back. Windows may hold an element twice, the last one written.
  if (const Node* put = c.made_by(0, "view_put")) {
    const Value base = input_of(*put), written = input_of(*put, 1);
    const bool once = view.kind == ViewKind::select || view.kind == ViewKind::slice;
    if (once && are_equal(attributes_of<ViewAttributes>(*put), view) && written.type() == c.types[0] &&
        lies_row_major(base) && lies_row_major(written))
      return {{written}};
  }
  return std::nullopt;
}

Replacement simplify_view_put(Rebuilder& to, const Candidate& c) {
  const auto& view = c.attributes_as<ViewAttributes>();
  const Value base = *c.value(0), written = *c.value(1);
  if (shows_the_whole(view, base.type().shape) && written.type() == c.types[0] && lies_row_major(base) &&
      lies_row_major(written))
    return {{written}};
  // The same place is written again.
  if (const Node* before = c.made_by(0, "view_put"))
    if (are_equal(attributes_of<ViewAttributes>(*before), view) && view.kind != ViewKind::expand)
      return {{to.make("view_put", {input_of(*before), written}, &view, c.location)}};
  // What is there is written.
  if (const Node* read = c.made_by(1, "view"))
    if (input_of(*read) == base && are_equal(attributes_of<ViewAttributes>(*read), view) &&
        lies_densely(base) && view.kind != ViewKind::expand)
      return {{base}};
  return std::nullopt;
}

}  // namespace phlox::graph
