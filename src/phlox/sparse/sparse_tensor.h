// Tensors of which only some elements are stored: their positions and values, which are ordinary tensors.
//
//   auto indices = tensor({{0, 1, 1}, {2, 0, 2}});                      // a column for each stored element
//   SparseTensor a = sparse_coo_tensor(indices, tensor({3.0, 4.0, 5.0}), Shape{2, 3});
//   Tensor y = matmul(a, ones({3, 4}));                                 // sparse/operations.h
//   SparseTensor rows = a.to_layout(SparseLayout::csr);
//
// What is not stored is 0. Gradients flow to values() as to any tensor; positions have none. Positions are checked
// when a tensor is made from them: DTypeError for what is no integer, ShapeError for shapes that do not fit,
// IndexError (E0501) for a position outside, ValueError for row pointers that do not begin at 0, fall, or do not end
// at the number of stored elements, and for columns of a row that do not ascend. While a function is captured these
// checks become part of the graph; what needs the number of different positions, such as coalesce(), is a GraphError
// there, as its shape depends on values.
//
// Source of the layouts: Saad, Iterative Methods for Sparse Linear Systems, 2003, section 3.4
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "phlox/core/tensor.h"

namespace phlox {

// Coordinates of each element; rows or columns one after the other, with pointers to where each begins; the same for
// dense blocks.
enum class SparseLayout : std::uint8_t { coo, csr, csc, bsr, bsc };
// The name of a layout.
const char* name_of(SparseLayout layout);  // "coo"
// Throws ValueError (E0103).
SparseLayout sparse_layout_from(const std::string& name);

// A tensor of which some elements are stored; see the top of this file.
class SparseTensor {
 public:
  // What it consists of, for those who take it apart and put it together again; see the functions for what fits.
  struct Parts {
    SparseLayout layout = SparseLayout::coo;  // how positions are kept
    Shape shape;                              // of the whole tensor
    bool coalesced = false;                   // positions of coo are different and in order
    Tensor positions;  // int64[sparse dimensions, stored]; of blocks where there are blocks
    Tensor pointers;   // int64[rows or columns + 1]; undefined for coo
    Tensor values;     // [stored, dense dimensions] or [stored, rows of a block, columns of a block]
  };
  // Nothing is checked: positions that are out of range are an IndexError when they are used.
  explicit SparseTensor(Parts parts) : parts_(std::move(parts)) {}
  // What it consists of.
  const Parts& parts() const { return parts_; }

  // How positions are kept.
  SparseLayout layout() const { return parts_.layout; }
  // The sizes of all dimensions, sparse and dense.
  const Shape& shape() const { return parts_.shape; }
  // The number of dimensions.
  int rank() const { return shape().rank(); }
  // The size of a dimension, which may count from the end.
  std::int64_t size(std::int64_t dim) const;
  // The number of elements, stored or not.
  std::int64_t numel() const { return element_count(shape()); }
  // The type of the elements.
  DType dtype() const { return parts_.values.dtype(); }
  // Where values and positions are.
  Device device() const { return parts_.values.device(); }
  // Stored elements along the sparse dimensions: columns of indices(), elements of a compressed layout, blocks.
  std::int64_t nnz() const { return parts_.positions.size(1); }
  // How many dimensions positions have.
  int sparse_dim() const { return static_cast<int>(parts_.positions.size(0)); }
  // Dimensions of what is stored for each position of a coo tensor.
  int dense_dim() const { return has_blocks() ? 0 : parts_.values.rank() - 1; }
  // Whether positions are different and in row-major order. Compressed layouts always are, in their order.
  bool is_coalesced() const { return layout() != SparseLayout::coo || parts_.coalesced; }
  // Whether blocks are stored in place of elements.
  bool has_blocks() const { return layout() == SparseLayout::bsr || layout() == SparseLayout::bsc; }
  // Rows and columns of a block; 1 and 1 without.
  Shape block_size() const;

  // int64[sparse_dim, nnz], of coo only.
  Tensor indices() const;
  // Where each row begins in col_indices() and values(), and the end: of csr and bsr (whose rows are of blocks).
  Tensor crow_indices() const;
  // The column of each stored element or block of csr and bsr.
  Tensor col_indices() const;
  // The same for columns, of csc and bsc.
  Tensor ccol_indices() const;
  // The row of each stored element or block of csc and bsc.
  Tensor row_indices() const;
  // The stored elements; what gradients flow to.
  const Tensor& values() const { return parts_.values; }

  // The same positions with other values, as many as there are.
  SparseTensor with_values(const Tensor& values) const;

  // All elements as an ordinary tensor.
  Tensor to_dense() const;
  // Block sizes divide those of the matrix. Throws NotSupportedError unless it is a matrix without dense dimensions;
  // to coo this is always possible.
  SparseTensor to_layout(SparseLayout layout, const Shape& block_size = {}) const;
  // As coo, with one position for each element of values(), in their order.
  SparseTensor coordinates() const;
  // Elements of equal positions added up, in row-major order; a compressed layout is what it is.
  SparseTensor coalesce() const;
  // The transpose of csr is csc of the same values, and so on.
  SparseTensor transpose(std::int64_t dim0, std::int64_t dim1) const;
  // The same with values of another dtype.
  SparseTensor to(DType dtype) const { return with_values(values().to(dtype)); }
  // The same, cut off from gradients.
  SparseTensor detach() const { return with_values(values().detach()); }

  // Whether gradients flow to the values.
  bool requires_grad() const { return values().requires_grad(); }
  // Marks the values, which must be a leaf.
  const SparseTensor& set_requires_grad(bool on = true) const;
  // That of values(), at the same positions; nothing before there is one.
  std::optional<SparseTensor> grad() const;

  // "sparse_coo_tensor(indices=..., values=..., size=(2, 3), nnz=3)"
  std::string to_string() const;

 private:
  Tensor part(bool by_rows, bool pointers, const char* name) const;

  Parts parts_;
};

// "sparse csr f32[2,3], 4 stored"
Description describe(const SparseTensor& tensor);

// indices int64[sparse_dim, nnz], values [nnz, dense dimensions]. Without a size it is the smallest that holds them.
// Positions may repeat, and stand for the sum then; `is_coalesced` promises that they ascend and do not.
SparseTensor sparse_coo_tensor(const Tensor& indices, const Tensor& values,
                               const std::optional<Shape>& size = {}, bool is_coalesced = false);
// Matrices row by row or column by column: pointers int64[rows + 1], indices int64[nnz], values [nnz]; blocks have
// values [nnz, rows of a block, columns of a block] and count rows and columns in blocks.
SparseTensor sparse_compressed_tensor(SparseLayout layout, const Tensor& pointers, const Tensor& indices,
                                      const Tensor& values, const std::optional<Shape>& size = {});
// Rows one after the other, with pointers to where each begins.
SparseTensor sparse_csr_tensor(const Tensor& crow_indices, const Tensor& col_indices, const Tensor& values,
                               const std::optional<Shape>& size = {});
// Columns one after the other.
SparseTensor sparse_csc_tensor(const Tensor& ccol_indices, const Tensor& row_indices, const Tensor& values,
                               const std::optional<Shape>& size = {});
// Rows of blocks.
SparseTensor sparse_bsr_tensor(const Tensor& crow_indices, const Tensor& col_indices, const Tensor& values,
                               const std::optional<Shape>& size = {});
// Columns of blocks.
SparseTensor sparse_bsc_tensor(const Tensor& ccol_indices, const Tensor& row_indices, const Tensor& values,
                               const std::optional<Shape>& size = {});

// The elements that are not 0. The last dimensions beyond `sparse_dim` are stored whole where anything in them is not.
SparseTensor to_sparse(const Tensor& input, std::optional<std::int64_t> sparse_dim = {});
// The elements, or blocks, of a matrix that are not 0.
SparseTensor to_sparse(const Tensor& input, SparseLayout layout, const Shape& block_size = {});
// The elements of a dense tensor at the positions that `mask` stores.
SparseTensor sparse_mask(const Tensor& input, const SparseTensor& mask);

}  // namespace phlox
