// Reading and writing elements whose places are given by tensors of integers.
#pragma once

#include "phlox/core/tensor.h"

namespace phlox {

// What a write does with the value that is there.
enum class ScatterMode : std::uint8_t { assign, add, multiply, minimum, maximum };
inline std::span<const char* const> names_of(ScatterMode) {
  static constexpr const char* names[] = {"assign", "add", "multiply", "minimum", "maximum"};
  return names;
}

// A loop over places of `data` and the elements of `other` (the result of a read, the values of a write) that
// go with them. Along each dimension of the loop either a stride moves in `data` or the index tensors do.
// What devices get.
struct IndexedLoop {
  struct Index {
    const std::int64_t* values;      // checked; negative ones count from the end
    std::int64_t strides[max_rank];  // of `values`, by dimension of the loop
    std::int64_t bound;
    std::int64_t step;  // elements of `data` for one step of the index
  };
  int rank = 0;
  int index_count = 0;
  DType dtype;
  char* data;
  char* other;
  std::int64_t count = 1;
  std::int64_t sizes[max_rank];
  std::int64_t data_strides[max_rank];  // in elements; 0 where indices move
  std::int64_t other_strides[max_rank];
  Index indices[max_rank];
};

// True when a tensor of shape `from` can be broadcast to shape `to`.
bool broadcasts_to(const Shape& from, const Shape& to);

// Indexing by several tensors at once, as NumPy does it. The tensors (any integers) broadcast to one shape,
// which takes the place of the dimensions they index, at `position` among the dimensions that remain.
struct IndexPlaces {
  Dims dims;  // of the data, ascending, one for each tensor
  int position = 0;
  TensorList tensors;
};

// The elements at these places. Throws IndexError (E0501).
Tensor apply_index(const Tensor& data, const IndexPlaces& places, const char* operation = "index");
// `data` with `values`, which broadcast to the shape of apply_index(), written to these places. Writes happen
// in the order of the places, whatever the number of threads.
Tensor apply_index_put(const Tensor& data, const IndexPlaces& places, const Tensor& values, ScatterMode mode,
                       const char* operation = "index_put");
// The same into `target` itself, without any recording.
void index_put_data(const Tensor& target, const IndexPlaces& places, const Tensor& values, ScatterMode mode,
                    const char* operation);

// result[i][j][k] = data[index[i][j][k]][j][k] for dim 0, and so on. These indices count from the front only: a
// negative one is an IndexError (E0501), as in PyTorch.
Tensor apply_gather(const Tensor& data, int dim, const Tensor& index, const char* operation = "gather");
// The node of a scatter that multiplies, or takes extremes.
Reference<GradientNode> scatter_reduction_node(const Tensor& data, int dim, const Tensor& index,
                                               const Tensor& values, const Tensor& result, ScatterMode mode);
// data[index[i][j][k]][j][k] = values[i][j][k] for dim 0, and so on.
Tensor apply_scatter(const Tensor& data, int dim, const Tensor& index, const Tensor& values, ScatterMode mode,
                     const char* operation = "scatter");
void scatter_data(const Tensor& target, int dim, const Tensor& index, const Tensor& values, ScatterMode mode,
                  const char* operation);

// Positions of true elements, int64[n, rank], in row-major order.
Tensor apply_nonzero(const Tensor& input);

}  // namespace phlox
