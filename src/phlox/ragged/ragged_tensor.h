// Rows of different lengths, one behind the other in an ordinary tensor.
//
//   RaggedTensor sentences = nested_tensor({ones({3, 8}), ones({5, 8})});   // [2, *, 8]
//   Tensor mean_of_words = mean(sentences);                               // [2, 8]
//   RaggedTensor hidden = sentences.with_values(matmul(sentences.values(), weight));
//
// Row i is values()[offsets[i] : offsets[i + 1]]. What concerns each element by itself, or the dimensions within a row's
// elements, is done on values(); gradients flow to it as to any tensor. Offsets are checked when a tensor is made from them:
// ValueError unless they begin with 0, never fall and end with the number of elements. While a function is captured
// the check becomes part of the graph, and what needs the longest row or the length of one is a GraphError (E1001).
#pragma once

#include <optional>
#include <string>

#include "phlox/core/tensor.h"

namespace phlox {

// Rows of different lengths; see the top of this file.
class RaggedTensor {
 public:
  // Nothing is checked; see nested_from_jagged().
  RaggedTensor(Tensor values, Tensor offsets) : values_(std::move(values)), offsets_(std::move(offsets)) {}

  const Tensor& values() const { return values_; }            // [elements of all rows, ...]
  const Tensor& offsets() const { return offsets_; }          // int64[rows + 1], "row splits" in TensorFlow
  Tensor lengths() const;                                     // int64[rows]
  Tensor row_numbers() const;                                 // of each element, int64[elements]
  std::int64_t size() const { return offsets_.numel() - 1; }  // the number of rows
  // The dimensions, rows and elements of rows among them.
  int rank() const { return values_.rank() + 1; }
  // The type of the elements.
  DType dtype() const { return values_.dtype(); }

  // Rows of the same lengths with other elements, as many as there are. Throws ShapeError.
  RaggedTensor with_values(const Tensor& values) const;
  // Views. Negative positions count from the end; throws IndexError.
  Tensor row(std::int64_t position) const;
  // All rows.
  TensorList unbind() const;
  // [rows, longest, ...] with `padding` behind each row. `longest` cuts rows or makes them longer; without it, it is the
  // length of the longest row.
  Tensor to_padded(const Scalar& padding, std::optional<std::int64_t> longest = {}) const;
  // What Python's repr() shows.
  std::string to_string() const;

 private:
  Tensor values_;
  Tensor offsets_;
};

// "ragged f32[2,*,8], 16 elements"
Description describe(const RaggedTensor& tensor);

// From rows that agree in all dimensions but the first. Throws ShapeError, and ValueError for no rows.
RaggedTensor nested_tensor(const TensorList& rows);
// From elements and offsets int64[rows + 1]. Throws ValueError for offsets that do not fit.
RaggedTensor nested_from_jagged(const Tensor& values, const Tensor& offsets);
// From elements and lengths int64[rows], which add up to their number.
RaggedTensor nested_from_lengths(const Tensor& values, const Tensor& lengths);
// The first lengths[i] elements of each row of a dense tensor [rows, longest, ...].
RaggedTensor nested_from_padded(const Tensor& padded, const Tensor& lengths);
// The elements of [rows, columns, ...] where the mask bool[rows, columns] is true.
RaggedTensor ragged_boolean_mask(const Tensor& data, const Tensor& mask);
// Rows behind rows (0), or each row behind the row of the same position (1).
RaggedTensor cat(const std::vector<RaggedTensor>& tensors, std::int64_t dim = 0);

// Over the elements of each row, [rows, ...]. Of an empty row: 0, NaN, and the least or largest value.
Tensor sum(const RaggedTensor& input);
// The mean over each row; NaN of an empty one.
Tensor mean(const RaggedTensor& input);
// The largest element of each row.
Tensor amax(const RaggedTensor& input);
// The least element of each row.
Tensor amin(const RaggedTensor& input);
// Softmax over the elements of each row.
RaggedTensor softmax(const RaggedTensor& input);
// Its logarithm, without overflow.
RaggedTensor log_softmax(const RaggedTensor& input);

// `other` as something that broadcasts with values(): elements of a tensor with equal offsets; a row for each row, from
// [rows, 1, ...]; anything of lower rank as it is. Throws ShapeError, ValueError where offsets differ.
Tensor elements_of(const RaggedTensor& input, const RaggedTensor& other, const char* operation);
// The same for a dense tensor.
Tensor elements_of(const RaggedTensor& input, const Tensor& other, const char* operation);
// The sums of elements; both have the same offsets.
RaggedTensor add(const RaggedTensor& input, const RaggedTensor& other);
// The differences of elements; both have the same offsets.
RaggedTensor sub(const RaggedTensor& input, const RaggedTensor& other);
// The products of elements; both have the same offsets.
RaggedTensor mul(const RaggedTensor& input, const RaggedTensor& other);
// The quotients of elements; both have the same offsets.
RaggedTensor div(const RaggedTensor& input, const RaggedTensor& other);
// Of the last dimension with a matrix.
RaggedTensor matmul(const RaggedTensor& input, const Tensor& other);

// scaled_dot_product_attention() within each row: [rows, *, heads, size]. Query may have other rows than key and value.
RaggedTensor ragged_attention(const RaggedTensor& query, const RaggedTensor& key, const RaggedTensor& value,
                              bool is_causal = false);

}  // namespace phlox
