#include "phlox/ops/vision/sampling.h"

#include "phlox/ops/functions.h"
#include "phlox/ops/operators.h"

namespace phlox {
namespace {

// Neighbours int64 as positions on the grid. Anything may come in, also what NaN became.
Tensor onto_grid(const Tensor& index, std::int64_t size, Outside outside) {
  switch (outside) {
    case Outside::zero:
    case Outside::nearest: return clamp_range(index, 0, size - 1);
    case Outside::wrap: return remainder(index, size);
    case Outside::reflect: {
      const Tensor folded = remainder(index, 2 * size);
      return minimum(folded, 2 * size - 1 - folded);
    }
    case Outside::mirror: {
      if (size == 1) return zeros_like(index);
      const Tensor folded = remainder(index, 2 * size - 2);
      return minimum(folded, 2 * size - 2 - folded);
    }
  }
  return index;
}

// One neighbour of every position, in one dimension.
struct Neighbour {
  Tensor index;   // on the grid
  Tensor weight;  // undefined for 1
};

Neighbour neighbour(const Tensor& index, const Tensor& weight, std::int64_t size, Outside outside) {
  Neighbour result{onto_grid(index, size, outside), weight};
  if (outside == Outside::zero) {
    const Tensor inside = logical_and(ge(index, 0), lt(index, size));
    result.weight = weight.defined() ? where(inside, weight, 0) : inside;
  }
  return result;
}

// The sum over all combinations of one neighbour for each dimension.
Tensor weighted_sum(const GridRows& grid, const std::vector<std::vector<Neighbour>>& neighbours) {
  Tensor total;
  std::vector<std::size_t> chosen(neighbours.size(), 0);
  for (bool more = true; more;) {
    Tensor place, weight;
    for (std::size_t d = 0; d < neighbours.size(); ++d) {
      const Neighbour& n = neighbours[d][chosen[d]];
      place = place.defined() ? place * grid.sizes[d] + n.index : n.index;
      if (n.weight.defined())
        weight = !weight.defined() ? n.weight
                 : weight.dtype() == DType::bool_ && n.weight.dtype() == DType::bool_
                     ? logical_and(weight, n.weight)
                     : weight * n.weight;
    }
    if (grid.firsts.defined()) place = place + grid.firsts;
    Shape shape = place.shape();
    shape.push_back(grid.rows.size(1));
    Tensor part = reshape(index_select(grid.rows, 0, reshape(place, {-1})), shape);
    if (weight.defined())
      part = weight.dtype() == DType::bool_ ? where(unsqueeze(weight, -1), part, 0)
                                            : part * unsqueeze(weight, -1).to(part.dtype());
    total = total.defined() ? total + part : part;
    more = false;
    for (std::size_t d = neighbours.size(); d-- > 0 && !more;) {
      more = ++chosen[d] < neighbours[d].size();
      if (!more) chosen[d] = 0;
    }
  }
  return total;
}

}  // namespace

GridRows grid_rows(const Tensor& images) {
  const int dims = images.rank() - 2;
  std::int64_t places = 1;
  GridRows grid;
  DimList order{0};
  for (int d = 0; d < dims; ++d) {
    grid.sizes.push_back(images.size(2 + d));
    places *= images.size(2 + d);
    order.push_back(2 + d);
  }
  order.push_back(1);
  grid.rows = reshape(permute(images, order), {images.size(0) * places, images.size(1)});
  grid.firsts = unsqueeze(arange(0, images.size(0), 1, DType::int64, images.device()) * places, 1);
  return grid;
}

Tensor sample_grid(const GridRows& grid, const std::vector<Tensor>& positions, int order, Outside outside) {
  std::vector<std::vector<Neighbour>> neighbours;
  for (std::size_t d = 0; d < positions.size(); ++d) {
    const Tensor& at = positions[d];
    const std::int64_t size = grid.sizes[d];
    if (order == 0) {
      neighbours.push_back({neighbour(round(at.detach()).to(DType::int64), {}, size, outside)});
      continue;
    }
    const Tensor left = floor(at.detach()), fraction = at - left;
    const Tensor index = left.to(DType::int64);
    neighbours.push_back(
        {neighbour(index, 1.0 - fraction, size, outside), neighbour(index + 1, fraction, size, outside)});
  }
  return weighted_sum(grid, neighbours);
}

Tensor sample_grid_cubic(const GridRows& grid, const std::vector<Tensor>& positions, Outside outside) {
  constexpr double a = -0.75;
  std::vector<std::vector<Neighbour>> neighbours;
  for (std::size_t d = 0; d < positions.size(); ++d) {
    const Tensor left = floor(positions[d].detach()), near = positions[d] - left;
    const Tensor index = left.to(DType::int64);
    std::vector<Neighbour> taps;
    for (int tap = 0; tap < 4; ++tap) {
      // Distance from the position, always positive: 1 + t, t, 1 - t, 2 - t.
      const Tensor x = tap == 0 ? near + 1.0 : tap == 1 ? near : static_cast<double>(tap - 1) - near;
      const Tensor weight = tap == 1 || tap == 2 ? ((a + 2) * x - (a + 3)) * x * x + 1.0
                                                 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
      taps.push_back(neighbour(index + (tap - 1), weight, grid.sizes[d], outside));
    }
    neighbours.push_back(std::move(taps));
  }
  return weighted_sum(grid, neighbours);
}

Tensor images_from_samples(const Tensor& samples, const Shape& spatial) {
  Shape shape{samples.size(0), samples.size(2)};
  for (std::int64_t size : spatial) shape.push_back(size);
  return reshape(contiguous(transpose(samples, 1, 2)), shape);
}

Tensor clip_positions(const Tensor& positions, double size) {
  const Tensor above = where(ge(positions, size - 1), size - 1, positions);
  return where(le(positions, 0), 0, above);
}

}  // namespace phlox
