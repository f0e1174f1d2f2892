// The primitive `view`: another look at the same memory. Each kind of view is its own attributes and knows
// its gradient; what users call (permute, squeeze, x[1:3], ...) is written with these.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

enum class ViewKind : std::uint8_t {
  reshape,        // a: sizes
  expand,         // a: sizes
  permute,        // a: order of dimensions
  select,         // a: dimension, position
  slice,          // a: sizes, b: first positions, c: steps; one for each dimension
  diagonal,       // a: offset, first dimension, second dimension
  unfold,         // a: dimension, size, step
  strided,        // a: sizes, b: strides, offset
  real_pairs,     // a complex tensor as real numbers, with a last dimension of 2
  complex_pairs,  // the reverse; undefined where the parts do not lie next to each other
  bits,           // from, to: another dtype, whose elements may be larger or smaller
};
inline std::span<const char* const> names_of(ViewKind) {
  static constexpr const char* names[] = {"reshape",    "expand",        "permute", "select",
                                          "slice",      "diagonal",      "unfold",  "strided",
                                          "real_pairs", "complex_pairs", "bits"};
  return names;
}

struct ViewAttributes {
  ViewKind kind = ViewKind::reshape;
  IntList a, b, c;
  std::int64_t offset = 0;
  DType from = DType::float32, to = DType::float32;
  template <class Visitor>
  void visit(Visitor& v) {
    v("kind", kind);
    const auto numbers = [&](std::initializer_list<const char*> names) {
      if (a.size() != names.size()) a = IntList(names.size(), 0);
      std::size_t i = 0;
      for (const char* name : names) v(name, a[i++]);
    };
    switch (kind) {
      case ViewKind::reshape:
      case ViewKind::expand: v("sizes", a); break;
      case ViewKind::permute: v("dims", a); break;
      case ViewKind::select: numbers({"dim", "position"}); break;
      case ViewKind::slice: v("sizes", a), v("starts", b), v("steps", c); break;
      case ViewKind::diagonal: numbers({"offset", "dim1", "dim2"}); break;
      case ViewKind::unfold: numbers({"dim", "size", "step"}); break;
      case ViewKind::strided: v("sizes", a), v("strides", b), v("offset", offset); break;
      case ViewKind::real_pairs:
      case ViewKind::complex_pairs: break;
      case ViewKind::bits: v("from", from), v("to", to); break;
    }
  }

  ViewAttributes() = default;
  static ViewAttributes bits(DType from, DType to) {
    ViewAttributes view{ViewKind::bits, {}};
    view.from = from;
    view.to = to;
    return view;
  }

  // A constructor, because `{}` for the lists would clear their memory.
  ViewAttributes(ViewKind k, const IntList& first) : kind(k), a(first) {}
  ViewAttributes(ViewKind k, const IntList& first, const IntList& second, const IntList& third,
                 std::int64_t o = 0)
      : kind(k), a(first), b(second), c(third), offset(o) {}
};

// The view. Arguments have been checked, dimensions are not negative.
// A reshape that the strides do not allow gives an undefined tensor.
Tensor apply_view(const Tensor& input, const ViewAttributes& attributes);

// Adds up, in a tensor of the given shape, what each element of the view gives to its origin: the gradient of
// select, slice, diagonal and unfold. Elements outside of the view are `outside`, which makes it padding too.
Tensor apply_view_gradient(const Tensor& gradient, const Shape& shape, const ViewAttributes& attributes,
                           const Scalar& outside = 0);

// `base` with the elements that the view shows replaced by `value`, as a new tensor. Not for reshape and permute, which
// show all elements.
Tensor apply_view_put(const Tensor& base, const Tensor& value, const ViewAttributes& attributes);

// The gradient of a strided view of a row-major tensor of this shape; elements that are seen twice add up.
Tensor strided_gradient(const Tensor& gradient, const Shape& shape, const ViewAttributes& attributes);

// The slice at one position of a dimension.
Tensor select_dim(const Tensor& input, int dim, std::int64_t position);

// Elements start, start + step, ... of one dimension, `size` of them.
Tensor slice_dim(const Tensor& input, int dim, std::int64_t start, std::int64_t size, std::int64_t step = 1);

struct SplitAttributes {
  int dim = 0;
  Integers sizes;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim), v("sizes", sizes);
  }
};

// Parts along one dimension; their gradients come together in one concatenation.
TensorList apply_split(const Tensor& input, int dim, const Integers& sizes);

struct CatAttributes {
  std::int64_t dim = 0;
  template <class Visitor>
  void visit(Visitor& v) {
    v("dim", dim);
  }
};

// Joins along a dimension that exists. Shapes and dtypes are checked and promoted here.
Tensor apply_cat(const TensorList& tensors, std::int64_t dim, const char* operation);

// The shape with at most one -1 replaced. Throws ShapeError.
Shape infer_shape(const Shape& asked, std::int64_t count, const char* operation);

}  // namespace phlox
