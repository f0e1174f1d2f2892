#include "phlox/ragged/ragged_tensor.h"

#include <algorithm>

#include "phlox/ops/checked_positions.h"
#include "phlox/ops/functions.h"
#include "phlox/sparse/positions.h"

namespace phlox {
namespace {

Tensor positions_up_to(std::int64_t count, const Tensor& like) {
  return arange(count, {}, 1, DType::int64, like.device());
}

// Where each row begins, and the end.
Tensor offsets_of(const Tensor& lengths) {
  return cat({zeros({1}, DType::int64, lengths.device()), cumsum(lengths, 0)});
}

// The position of each element within its row.
Tensor places_in_rows(const RaggedTensor& input, const Tensor& row_numbers) {
  return sub(positions_up_to(input.values().size(0), input.values()),
             index_select(input.offsets(), 0, row_numbers));
}

void require_rank(const Tensor& tensor, int least, const char* name, const char* operation) {
  if (tensor.rank() < least)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: '{}' has {} dimension{} at least", operation, name, least,
                     least == 1 ? "" : "s")
        .detail(name, describe(tensor))
        .raise();
}

[[noreturn]] void fail_while_capturing(const char* operation, const char* hint) {
  fail<GraphError>(ErrorCode::value_while_capturing,
                   "{}: the lengths of rows are not known while a function is captured", operation)
      .hint(hint)
      .raise();
}

// A number for each row as one for each of its elements.
Tensor for_elements(const Tensor& of_rows, const Tensor& row_numbers) {
  return index_select(of_rows, 0, row_numbers);
}

RaggedTensor softmax_of_rows(const RaggedTensor& input, bool logarithm) {
  const Tensor rows = input.row_numbers(), &values = input.values();
  const Tensor shifted = sub(values, for_elements(segment_max(values.detach(), rows, input.size()), rows));
  const Tensor powers = exp(shifted);
  const Tensor sums = for_elements(segment_sum(powers, rows, input.size()), rows);
  return input.with_values(logarithm ? sub(shifted, log(sums)) : div(powers, sums));
}

}  // namespace

Description describe(const RaggedTensor& tensor) {
  const Shape shape = tensor.values().shape();
  std::string sizes = fmt::format("{},*", tensor.size());
  for (std::size_t d = 1; d < shape.size(); ++d) sizes += fmt::format(",{}", shape[d]);
  return {fmt::format("ragged {}[{}], {} elements", info(tensor.dtype()).short_name, sizes, shape[0]),
          nullptr};
}

Tensor RaggedTensor::lengths() const {
  return sub(narrow(offsets_, 0, 1, size()), narrow(offsets_, 0, 0, size()));
}
Tensor RaggedTensor::row_numbers() const { return rows_of(offsets_, values_.size(0)); }

RaggedTensor RaggedTensor::with_values(const Tensor& values) const {
  if (values.rank() == 0 || values.size(0) != values_.size(0))
    fail<ShapeError>(ErrorCode::sizes_differ, "with_values: there are {} elements in all rows",
                     values_.size(0))
        .detail("input", describe(*this))
        .detail("values", describe(values))
        .raise();
  return {values, offsets_};
}

Tensor RaggedTensor::row(std::int64_t position) const {
  const std::int64_t i = position < 0 ? position + size() : position;
  if (i < 0 || i >= size())
    fail<IndexError>(ErrorCode::index_out_of_range, "index: there is no row {}", position)
        .detail("input", describe(*this))
        .hint(size() > 0 ? fmt::format("allowed are {} to {}", -size(), size() - 1)
                         : "there is no row at all")
        .raise();
  const Tensor first = offsets_[i];
  if (!has_values(first)) fail_while_capturing("index", "px.ragged.map_flat_values, or sums over rows");
  const auto start = first.item<std::int64_t>();
  return narrow(values_, 0, start, offsets_[i + 1].item<std::int64_t>() - start);
}

TensorList RaggedTensor::unbind() const {
  const Tensor sizes = lengths();
  if (!has_values(sizes)) fail_while_capturing("unbind", "px.ragged.map_flat_values, or sums over rows");
  return split(values_, sizes.to_vector<std::int64_t>());
}

Tensor RaggedTensor::to_padded(const Scalar& padding, std::optional<std::int64_t> longest) const {
  if (!longest) {
    const Tensor all_lengths = lengths();
    if (!has_values(all_lengths)) fail_while_capturing("to_padded_tensor", "output_size=longest");
    longest = all_lengths.numel() == 0 ? 0 : amax(all_lengths).item<std::int64_t>();
  }
  if (*longest < 0)
    fail<ValueError>(ErrorCode::invalid_value, "to_padded_tensor: the size is {}", *longest).raise();
  Shape shape = values_.shape();
  shape[0] = *longest;
  shape.insert(0, size());
  if (values_.size(0) == 0) return full(shape, padding, dtype(), values_.device());
  // Each place of the result reads its element; places behind a row read any and are overwritten.
  const Tensor places = unsqueeze(positions_up_to(*longest, values_), 0);
  const Tensor starts = unsqueeze(narrow(offsets_, 0, 0, size()), 1);
  Tensor is_filled = lt(places, unsqueeze(lengths(), 1));
  const Tensor from = clamp(add(starts, places), 0, values_.size(0) - 1);
  const Tensor read = reshape(index_select(values_, 0, reshape(from, {-1})), shape);
  while (is_filled.rank() < read.rank()) is_filled = unsqueeze(is_filled, -1);
  return where(is_filled, read, full({}, padding, dtype(), values_.device()));
}

std::string RaggedTensor::to_string() const {
  std::string text = "ragged([";
  bool first = true;
  for (const Tensor& row : unbind()) {
    const std::string shown = row.to_string();
    text += first ? "" : ",\n        ";
    first = false;
    for (const char c : shown) {
      text += c;
      if (c == '\n') text.append(8, ' ');
    }
  }
  return text + "])";
}

RaggedTensor nested_tensor(const TensorList& rows) {
  if (rows.empty())
    fail<ValueError>(ErrorCode::invalid_value,
                     "nested_tensor: there is no row, so nothing tells dtype and sizes")
        .hint("nested_from_jagged(px.zeros(0, 8), px.tensor([0]))")
        .raise();
  std::vector<std::int64_t> offsets{0};
  for (const Tensor& row : rows) {
    require_rank(row, 1, "row", "nested_tensor");
    const Shape a = rows[0].shape(), b = row.shape();
    if (a.size() != b.size() || !std::equal(a.begin() + 1, a.end(), b.begin() + 1))
      fail<ShapeError>(ErrorCode::sizes_differ, "nested_tensor: rows differ in more than the first dimension")
          .detail("first", describe(rows[0]))
          .detail("other", describe(row))
          .raise();
    offsets.push_back(offsets.back() + row.size(0));
  }
  const auto count = static_cast<std::int64_t>(offsets.size());
  return {cat(rows, 0), from_values<std::int64_t>(offsets, {count})};
}

RaggedTensor nested_from_jagged(const Tensor& values, const Tensor& offsets) {
  const char* operation = "nested_from_jagged";
  require_rank(values, 1, "values", operation);
  if (offsets.rank() != 1 || offsets.numel() == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: offsets are a line of one number for each row and the end",
                     operation)
        .detail("offsets", describe(offsets))
        .raise();
  const std::int64_t count = values.size(0), rows = offsets.numel() - 1;
  const Tensor found = checked_positions(offsets, 0, count + 1, "offsets", operation);
  const Tensor falls = lt(narrow(found, 0, 1, rows), narrow(found, 0, 0, rows));
  const Tensor fits =
      logical_and(logical_not(any(falls)),
                  logical_and(all(eq(narrow(found, 0, 0, 1), 0)), all(eq(narrow(found, 0, rows, 1), count))));
  return {values, carrying_checks(require_true(
                      found, fits, operation,
                      fmt::format("offsets must begin with 0, never fall, and end with {}, the number "
                                  "of elements",
                                  count)))};
}

RaggedTensor nested_from_lengths(const Tensor& values, const Tensor& lengths) {
  const char* operation = "nested_from_jagged";
  if (lengths.rank() != 1)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: lengths are a line of numbers", operation)
        .detail("lengths", describe(lengths))
        .raise();
  require_rank(values, 1, "values", operation);
  return nested_from_jagged(
      values,
      offsets_of(carrying_checks(checked_positions(lengths, 0, values.size(0) + 1, "lengths", operation))));
}

RaggedTensor nested_from_padded(const Tensor& padded, const Tensor& lengths) {
  require_rank(padded, 2, "padded", "nested_from_padded");
  if (lengths.rank() != 1 || lengths.numel() != padded.size(0))
    fail<ShapeError>(ErrorCode::sizes_differ, "nested_from_padded: there is one length for each row")
        .detail("padded", describe(padded))
        .detail("lengths", describe(lengths))
        .raise();
  const Tensor found = checked_positions(lengths, 0, padded.size(1) + 1, "lengths", "nested_from_padded");
  return ragged_boolean_mask(padded,
                             lt(unsqueeze(positions_up_to(padded.size(1), padded), 0), unsqueeze(found, 1)));
}

RaggedTensor ragged_boolean_mask(const Tensor& data, const Tensor& mask) {
  const char* operation = "boolean_mask";
  require_rank(data, 2, "data", operation);
  if (mask.dtype() != DType::bool_)
    fail<DTypeError>(ErrorCode::wrong_dtype, "{}: a mask is bool, not {}", operation, info(mask.dtype()).name)
        .detail("mask", describe(mask))
        .raise();
  if (mask.rank() != 2 || mask.size(0) != data.size(0) || mask.size(1) != data.size(1))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: the mask has the first two dimensions of the data",
                     operation)
        .detail("data", describe(data))
        .detail("mask", describe(mask))
        .raise();
  const Tensor flat = flatten(data, 0, 1);
  const Tensor kept = squeeze(nonzero(reshape(mask, {-1})), 1);
  return {index_select(flat, 0, kept), offsets_of(sum(mask.to(DType::int64), 1))};
}

RaggedTensor cat(const std::vector<RaggedTensor>& tensors, std::int64_t dim) {
  if (tensors.empty()) fail<ValueError>(ErrorCode::invalid_value, "concat: there is no tensor").raise();
  if (dim != 0 && dim != 1)
    fail<ShapeError>(ErrorCode::dimension_out_of_range, "concat: the dimension is 0 or 1, not {}", dim)
        .hint("px.ragged.map_flat_values joins other dimensions")
        .raise();
  TensorList values, lengths, rows, places;
  for (const RaggedTensor& tensor : tensors) {
    if (dim == 1 && tensor.size() != tensors[0].size())
      fail<ShapeError>(ErrorCode::sizes_differ, "concat: numbers of rows differ")
          .detail("first", describe(tensors[0]))
          .detail("other", describe(tensor))
          .raise();
    values.push_back(tensor.values());
    lengths.push_back(tensor.lengths());
    rows.push_back(tensor.row_numbers());
  }
  const Tensor joined = cat(values, 0);
  if (dim == 0) return {joined, offsets_of(cat(lengths, 0))};
  // Sorting by rows keeps the order within them.
  Tensor all_lengths = lengths[0];
  for (std::size_t i = 1; i < lengths.size(); ++i) all_lengths = add(all_lengths, lengths[i]);
  return {index_select(joined, 0, argsort(cat(rows, 0))), offsets_of(all_lengths)};
}

Tensor sum(const RaggedTensor& input) {
  return segment_sum(input.values(), input.row_numbers(), input.size());
}
Tensor mean(const RaggedTensor& input) {
  Tensor count = input.lengths();
  while (count.rank() < input.values().rank()) count = unsqueeze(count, -1);
  return div(sum(input), count);
}
Tensor amax(const RaggedTensor& input) {
  return segment_max(input.values(), input.row_numbers(), input.size());
}
Tensor amin(const RaggedTensor& input) {
  return segment_min(input.values(), input.row_numbers(), input.size());
}
RaggedTensor softmax(const RaggedTensor& input) { return softmax_of_rows(input, false); }
RaggedTensor log_softmax(const RaggedTensor& input) { return softmax_of_rows(input, true); }

Tensor elements_of(const RaggedTensor& input, const RaggedTensor& other, const char* operation) {
  if (input.size() != other.size() || input.values().size(0) != other.values().size(0))
    fail<ShapeError>(ErrorCode::sizes_differ, "{}: rows differ", operation)
        .detail("lhs", describe(input))
        .detail("rhs", describe(other))
        .raise();
  if (input.offsets().unsafe_impl() == other.offsets().unsafe_impl()) return other.values();
  const Tensor equal = all(eq(input.offsets(), other.offsets()));
  if (has_values(equal)) {
    if (!equal.item<bool>())
      fail<ValueError>(ErrorCode::invalid_value, "{}: the lengths of rows differ", operation)
          .detail("lhs", describe(input))
          .detail("rhs", describe(other))
          .raise();
    return other.values();
  }
  return require_true(other.values(), equal, operation, "the lengths of rows differ");
}

Tensor elements_of(const RaggedTensor& input, const Tensor& other, const char* operation) {
  const int rank = input.values().rank();
  if (other.rank() < rank) return other;
  if (other.rank() == rank + 1 && other.size(1) == 1 &&
      (other.size(0) == input.size() || other.size(0) == 1)) {
    const Tensor rows = squeeze(other, 1);
    return other.size(0) == 1 ? rows : for_elements(rows, input.row_numbers());
  }
  fail<ShapeError>(
      ErrorCode::shapes_do_not_broadcast,
      "{}: a tensor for each row is [{}, 1, ...], one for all elements has the dimensions behind the rows",
      operation, input.size())
      .detail("lhs", describe(input))
      .detail("rhs", describe(other))
      .raise();
}

RaggedTensor add(const RaggedTensor& input, const RaggedTensor& other) {
  return input.with_values(add(input.values(), elements_of(input, other, "add")));
}
RaggedTensor sub(const RaggedTensor& input, const RaggedTensor& other) {
  return input.with_values(sub(input.values(), elements_of(input, other, "sub")));
}
RaggedTensor mul(const RaggedTensor& input, const RaggedTensor& other) {
  return input.with_values(mul(input.values(), elements_of(input, other, "mul")));
}
RaggedTensor div(const RaggedTensor& input, const RaggedTensor& other) {
  return input.with_values(div(input.values(), elements_of(input, other, "div")));
}

RaggedTensor matmul(const RaggedTensor& input, const Tensor& other) {
  if (other.rank() != 2 || input.values().rank() < 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "matmul: multiplies the last dimension of the elements with a matrix")
        .detail("lhs", describe(input))
        .detail("rhs", describe(other))
        .raise();
  return input.with_values(matmul(input.values(), other));
}

RaggedTensor ragged_attention(const RaggedTensor& query, const RaggedTensor& key, const RaggedTensor& value,
                              bool is_causal) {
  for (const RaggedTensor* part : {&query, &key, &value})
    if (part->rank() != 4 || part->size() != query.size())
      fail<ShapeError>(ErrorCode::wrong_rank, "attention: takes query, key and value [rows, *, heads, size]")
          .detail("query", describe(query))
          .detail("key", describe(key))
          .detail("value", describe(value))
          .raise();
  // [rows, heads, places, size]
  const auto padded = [](const RaggedTensor& part) { return transpose(part.to_padded(0), 1, 2); };
  const Tensor q = padded(query), k = padded(key);
  const Tensor v = padded(key.with_values(elements_of(key, value, "attention")));
  const std::int64_t places = k.size(2);
  // A row without keys looks at zeros: its results are 0.
  const Tensor within =
      lt(unsqueeze(positions_up_to(places, k), 0), unsqueeze(clamp_min(key.lengths(), 1), 1));
  Tensor mask = reshape(within, {key.size(), 1, 1, places});
  if (is_causal) mask = logical_and(mask, tril(ones({q.size(2), places}, DType::bool_, q.device())));
  if (q.numel() == 0 || places == 0)
    return query.with_values(mul(query.values(), 0).to(promote(query.dtype(), value.dtype())));
  const Tensor result = transpose(scaled_dot_product_attention(q, k, v, mask), 1, 2);
  const Tensor rows = query.row_numbers();
  const Tensor from = add(mul(rows, result.size(1)), places_in_rows(query, rows));
  return query.with_values(index_select(flatten(result, 0, 1), 0, from));
}

}  // namespace phlox
