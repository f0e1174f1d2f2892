// Elements of grids at real positions, by interpolation between neighbours: what grid_sample, roi_align,
// deform_conv2d, map_coordinates and their like have in common. Composites, so gradients reach elements and positions.
#pragma once

#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

// What neighbours outside of the grid are.
enum class Outside : std::uint8_t {
  zero,     // 0
  nearest,  // the nearest element
  reflect,  // d c b a | a b c d | d c b a
  mirror,   // d c b | a b c d | c b a
  wrap,     // a b c d | a b c d | a b c d
};

// Grids as a table: rows[first + row-major position in the grid] is one element with its channels.
struct GridRows {
  Tensor rows;  // [places, channels]
  Shape sizes;  // of one grid
  Tensor
      firsts;  // int64, broadcasts with positions: where the grid of a position begins; undefined for one grid
};

// Images [batch, channels, spatial...] as such a table; `firsts` is int64[batch, 1], for positions [batch, n].
GridRows grid_rows(const Tensor& images);

// `order` 1 interpolates linearly between the 2^n neighbours, 0 takes the nearest (of two equally near the even one).
// positions: one tensor a dimension, all of one shape; the result has that shape and the channels behind.
Tensor sample_grid(const GridRows& grid, const std::vector<Tensor>& positions, int order, Outside outside);

// Cubic convolution between 4^n neighbours (a = -0.75).
Tensor sample_grid_cubic(const GridRows& grid, const std::vector<Tensor>& positions, Outside outside);

// Results [batch, n, channels] as images [batch, channels, spatial...].
Tensor images_from_samples(const Tensor& samples, const Shape& spatial);

// Real positions kept within [0, size - 1]: those at the border and beyond get no gradient.
Tensor clip_positions(const Tensor& positions, double size);

}  // namespace phlox
