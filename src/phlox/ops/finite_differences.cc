// Derivatives of sampled functions along dimensions: gradient() of NumPy and PyTorch.
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/widened.h"

namespace phlox {
namespace {

std::vector<std::int64_t> dimensions_of(const Tensor& input, const OptionalDims& dim,
                                        std::int64_t edge_order) {
  std::vector<std::int64_t> dims;
  if (dim) {
    for (std::int64_t d : *dim) dims.push_back(d < 0 ? d + input.rank() : d);
  } else {
    for (std::int64_t d = 0; d < input.rank(); ++d) dims.push_back(d);
  }
  if (edge_order != 1 && edge_order != 2)
    fail<ValueError>(ErrorCode::invalid_value, "gradient: edge_order is {}; it must be 1 or 2", edge_order)
        .detail("input", describe(input))
        .raise();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0 || dims[i] >= input.rank())
      fail<IndexError>(ErrorCode::dimension_out_of_range, "gradient: dimension {} of a tensor with {}",
                       (*dim)[i], input.rank())
          .detail("input", describe(input))
          .raise();
    for (std::size_t j = 0; j < i; ++j)
      if (dims[i] == dims[j])
        fail<ValueError>(ErrorCode::invalid_value, "gradient: dimension {} is named twice", dims[i])
            .detail("input", describe(input))
            .raise();
    if (input.size(dims[i]) <= edge_order)
      fail<ShapeError>(ErrorCode::sizes_differ,
                       "gradient: dimension {} has {} elements, and edge_order={} needs at least {}", dims[i],
                       input.size(dims[i]), edge_order, edge_order + 1)
          .detail("input", describe(input))
          .raise();
  }
  return dims;
}

void check_count(std::size_t spacings, std::size_t dims, const Tensor& input) {
  if (spacings == dims) return;
  fail<ShapeError>(ErrorCode::sizes_differ, "gradient: {} spacings for {} dimensions", spacings, dims)
      .detail("input", describe(input))
      .hint("one spacing for each dimension in dim, or a single number")
      .raise();
}

// Along a dimension with equal distances.
Tensor even_gradient(const Tensor& x, std::int64_t dim, double spacing, std::int64_t edge_order) {
  const std::int64_t n = x.size(dim);
  const auto at = [&](std::int64_t i) { return narrow(x, dim, i, 1); };
  Tensor first, last;
  if (edge_order == 1) {
    first = sub(at(1), at(0));
    last = sub(at(n - 1), at(n - 2));
  } else {
    first = sub(sub(mul(at(1), 2.0), mul(at(0), 1.5)), mul(at(2), 0.5));
    last = sub(add(mul(at(n - 1), 1.5), mul(at(n - 3), 0.5)), mul(at(n - 2), 2.0));
  }
  if (n == 2) return div(cat({first, last}, dim), spacing);
  const Tensor inner = mul(sub(narrow(x, dim, 2, n - 2), narrow(x, dim, 0, n - 2)), 0.5);
  return div(cat({first, inner, last}, dim), spacing);
}

// Along a dimension with given places: the derivative of the parabola through three neighbours.
Tensor uneven_gradient(const Tensor& x, std::int64_t dim, const Tensor& places, std::int64_t edge_order) {
  const std::int64_t n = x.size(dim);
  Shape shape(static_cast<std::size_t>(x.rank()), 1);
  shape[static_cast<std::size_t>(dim)] = n - 1;
  const Tensor steps = reshape(sub(narrow(places, 0, 1, n - 1), narrow(places, 0, 0, n - 1)), shape);
  const auto at = [&](std::int64_t i) { return narrow(x, dim, i, 1); };
  const auto step = [&](std::int64_t i) { return narrow(steps, dim, i, 1); };
  const auto slope = [&](std::int64_t i) { return div(sub(at(i + 1), at(i)), step(i)); };
  Tensor first = slope(0), last = slope(n - 2);
  if (edge_order == 2) {
    const auto bend = [&](std::int64_t i) {
      return div(sub(slope(i + 1), slope(i)), add(step(i), step(i + 1)));
    };
    first = sub(first, mul(bend(0), step(0)));
    last = add(last, mul(bend(n - 3), step(n - 2)));
  }
  if (n == 2) return cat({first, last}, dim);
  const Tensor left = narrow(steps, dim, 0, n - 2), right = narrow(steps, dim, 1, n - 2);
  const Tensor before = narrow(x, dim, 0, n - 2), here = narrow(x, dim, 1, n - 2),
               after = narrow(x, dim, 2, n - 2);
  const Tensor left_slope = div(sub(here, before), left), right_slope = div(sub(after, here), right);
  const Tensor inner = div(add(mul(left_slope, right), mul(right_slope, left)), add(left, right));
  return cat({first, inner, last}, dim);
}

Tensor floating_input(const Tensor& input) {
  const DType dtype = input.dtype();
  return is_floating(dtype) || is_complex(dtype) ? widened(input) : input.to(default_dtype());
}

// In the dtype that the input has as a floating tensor.
Tensor rounded(const Tensor& result, const Tensor& input) {
  return is_half(input.dtype()) ? result.to(input.dtype()) : result;
}

}  // namespace

PHLOX_OPERATION(
    TensorList, gradient,
    (const Tensor& input, const std::optional<Doubles>& spacing = {}, const OptionalDims& dim = {},
     std::int64_t edge_order = 1),
    .doc =
        "The derivative of a sampled function along each dimension, or those in `dim`, by central differences; at the "
        "ends differences of order `edge_order`. `spacing` is the distance of samples: one number, or one for each "
        "dimension, or for each dimension a tensor of places.",
    .source = "Fornberg 1988, Math. Comp. 51", .method = false,
    .samples =
        "gradient(A(5)); gradient(A(4, 5)); gradient(A(4, 5), dim=1, edge_order=2); "
        "gradient(A(4, 5), spacing=(0.5, 2.0), edge_order=2)",
    .complex = true) {
  const std::vector<std::int64_t> dims = dimensions_of(input, dim, edge_order);
  if (spacing && spacing->size() != 1) check_count(spacing->size(), dims.size(), input);
  const Tensor x = floating_input(input);
  TensorList results;
  for (std::size_t i = 0; i < dims.size(); ++i)
    results.push_back(rounded(
        even_gradient(x, dims[i], spacing ? (*spacing)[spacing->size() == 1 ? 0 : i] : 1.0, edge_order),
        input));
  return results;
}

PHLOX_OPERATION(
    TensorList, gradient_at,
    (const Tensor& input, const TensorList& places, const OptionalDims& dim = {},
     std::int64_t edge_order = 1),
    .doc = "gradient() of samples at given places: one tensor with one dimension for each in `dim`.",
    .method = false,
    .samples =
        "gradient_at(A(5), [P(5).cumsum(0)]); "
        "gradient_at(A(4, 5), [P(5).cumsum(0)], dim=1, edge_order=2)",
    .complex = true) {
  const std::vector<std::int64_t> dims = dimensions_of(input, dim, edge_order);
  check_count(places.size(), dims.size(), input);
  const Tensor x = floating_input(input);
  TensorList results;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (places[i].rank() != 1 || places[i].size(0) != x.size(dims[i]))
      fail<ShapeError>(ErrorCode::sizes_differ, "gradient: {} places for the {} elements of dimension {}",
                       to_string(places[i].shape()), x.size(dims[i]), dims[i])
          .detail("input", describe(input))
          .detail("spacing", describe(places[i]))
          .raise();
    results.push_back(rounded(uneven_gradient(x, dims[i], widened(places[i]), edge_order), input));
  }
  return results;
}

}  // namespace phlox
