#include "phlox/sparse/sparse_tensor.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "phlox/ops/checked_positions.h"
#include "phlox/ops/functions.h"
#include "phlox/sparse/positions.h"

namespace phlox {
namespace {

constexpr std::array<const char*, 5> layout_names{"coo", "csr", "csc", "bsr", "bsc"};

bool goes_by_rows(SparseLayout layout) { return layout == SparseLayout::csr || layout == SparseLayout::bsr; }
bool has_blocks(SparseLayout layout) { return layout == SparseLayout::bsr || layout == SparseLayout::bsc; }
std::string constructor_of(SparseLayout layout) { return fmt::format("sparse_{}_tensor", name_of(layout)); }

SparseLayout transposed(SparseLayout layout) {
  switch (layout) {
    case SparseLayout::csr: return SparseLayout::csc;
    case SparseLayout::csc: return SparseLayout::csr;
    case SparseLayout::bsr: return SparseLayout::bsc;
    case SparseLayout::bsc: return SparseLayout::bsr;
    case SparseLayout::coo: break;
  }
  return layout;
}

// The sizes that go with rows of positions: elements, or blocks.
Shape counted_shape(const Shape& shape, const Shape& block) {
  return {shape[0] / block[0], shape[1] / block[1]};
}

// Rows of positions in the order in which elements are sorted.
Tensor major_first(const Tensor& positions, SparseLayout layout) {
  return layout == SparseLayout::coo || goes_by_rows(layout) ? positions : flip(positions, 0);
}
Shape major_first(const Shape& shape, SparseLayout layout) {
  return layout == SparseLayout::coo || goes_by_rows(layout) ? shape : Shape{shape[1], shape[0]};
}

// The same elements in ascending order of their numbers, those of equal numbers added up unless there are none.
void sort_and_add(Tensor& numbers, Tensor& values, bool different) {
  if (numbers.numel() == 0) return;
  const auto [sorted, order] = sort(numbers);
  values = index_select(values, 0, order);
  numbers = sorted;
  if (different) return;
  if (!has_values(sorted))
    fail<GraphError>(ErrorCode::value_while_capturing,
                     "coalesce: how many positions differ is not known while a function is captured")
        .hint("coalesce() before the captured function, or is_coalesced=True where that is so")
        .raise();
  const Tensor begins = begins_run(sorted);
  const Tensor runs = sub(cumsum(begins, 0), 1);
  const std::int64_t count = runs[-1].item<std::int64_t>() + 1;
  if (count == numbers.numel()) return;
  values = segment_sum(values, runs, count);
  numbers = masked_select(sorted, begins);
}

// The leading sizes of a coo tensor, which positions count in.
Shape sparse_shape(const SparseTensor::Parts& p) {
  return Shape(std::span(p.shape.data(), static_cast<std::size_t>(p.positions.size(0))));
}

SparseTensor from_coordinates(SparseTensor::Parts p, bool different, SparseLayout layout,
                              const Shape& block) {
  const Shape sizes = sparse_shape(p);
  const bool by_columns = layout != SparseLayout::coo && !goes_by_rows(layout);
  if (!p.coalesced || by_columns || has_blocks(layout)) {
    if (has_blocks(layout)) {
      const Shape counts = counted_shape(p.shape, block);
      const Tensor sizes_of_blocks = reshape(from_values<std::int64_t>(block, {2}), {2, 1});
      const Tensor within = remainder(p.positions, sizes_of_blocks);
      const auto [numbers, place] = unique_inverse(numbers_of(
          major_first(floor_divide(p.positions, sizes_of_blocks), layout), major_first(counts, layout)));
      const std::int64_t stored = numbers.numel();
      p.values = index_put(zeros({stored, block[0], block[1]}, p.values.dtype(), p.values.device()),
                           {place, select(within, 0, 0), select(within, 0, 1)}, p.values, true);
      p.positions = major_first(positions_of(numbers, major_first(counts, layout)), layout);
    } else {
      Tensor numbers = numbers_of(major_first(p.positions, layout), major_first(sizes, layout));
      sort_and_add(numbers, p.values, different);
      p.positions = major_first(positions_of(numbers, major_first(sizes, layout)), layout);
    }
  }
  p.coalesced = layout == SparseLayout::coo;
  p.layout = layout;
  if (layout != SparseLayout::coo) {
    const Shape counts = has_blocks(layout) ? counted_shape(p.shape, block) : p.shape;
    const int major = by_columns ? 1 : 0;
    p.pointers =
        pointers_of(contiguous(select(p.positions, 0, major)), counts[static_cast<std::size_t>(major)]);
  }
  return SparseTensor(std::move(p));
}

[[noreturn]] void fail_sizes(const std::string& operation, const std::string& what, const Tensor& positions,
                             const Tensor& values) {
  fail<ShapeError>(ErrorCode::sizes_differ, "{}: {}", operation, what)
      .detail("indices", describe(positions))
      .detail("values", describe(values))
      .raise();
}

void require_rank(const Tensor& tensor, int rank, const char* name, const std::string& operation) {
  if (tensor.rank() != rank)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: '{}' has {} dimension{}, not {}", operation, name, rank,
                     rank == 1 ? "" : "s", tensor.rank())
        .detail(name, describe(tensor))
        .raise();
}

// Whether each number is larger than the one before: bool[].
Tensor ascends(const Tensor& numbers) {
  const std::int64_t count = numbers.numel() - 1;
  return all(gt(narrow(numbers, 0, 1, count), narrow(numbers, 0, 0, count)));
}

// One more than the largest number of a row of positions.
std::int64_t extent(const Tensor& numbers) {
  if (numbers.numel() == 0 || !is_integer(numbers.dtype())) return 0;
  return std::max<std::int64_t>(amax(numbers.to(DType::int64)).item<std::int64_t>() + 1, 0);
}

void require_matrix(const SparseTensor& tensor, const char* operation) {
  if (tensor.rank() != 2 || tensor.sparse_dim() != 2)
    fail<NotSupportedError>(ErrorCode::not_supported,
                            "{}: compressed layouts are of matrices whose dimensions are sparse", operation)
        .detail("input", describe(tensor))
        .raise();
}

}  // namespace

const char* name_of(SparseLayout layout) { return layout_names[static_cast<std::size_t>(layout)]; }

SparseLayout sparse_layout_from(const std::string& name) {
  const std::string_view bare = name.starts_with("sparse_") ? std::string_view(name).substr(7) : name;
  for (std::size_t i = 0; i < layout_names.size(); ++i)
    if (bare == layout_names[i]) return static_cast<SparseLayout>(i);
  fail<ValueError>(ErrorCode::unknown_name, "to_sparse: there is no sparse layout '{}'", name)
      .hint("\"coo\", \"csr\", \"csc\", \"bsr\" or \"bsc\"")
      .raise();
}

Description describe(const SparseTensor& tensor) {
  return {fmt::format("sparse {} {}[{}], {} stored", name_of(tensor.layout()),
                      info(tensor.dtype()).short_name, to_string(tensor.shape()), tensor.nnz()),
          nullptr};
}

std::int64_t SparseTensor::size(std::int64_t dim) const {
  return shape()[static_cast<std::size_t>(normalize_dim(dim, rank(), "size"))];
}

Shape SparseTensor::block_size() const {
  return has_blocks() ? Shape{values().size(1), values().size(2)} : Shape{1, 1};
}

Tensor SparseTensor::indices() const {
  if (layout() != SparseLayout::coo)
    fail<StateError>(ErrorCode::invalid_value, "indices: only the layout coo has them, not {}",
                     name_of(layout()))
        .detail("input", describe(*this))
        .hint("to_sparse_coo().indices(), or crow_indices() and col_indices()")
        .raise();
  return parts_.positions;
}

Tensor SparseTensor::part(bool by_rows, bool pointers, const char* name) const {
  if (layout() == SparseLayout::coo || goes_by_rows(layout()) != by_rows)
    fail<StateError>(ErrorCode::invalid_value, "{}: the layout {} has none", name, name_of(layout()))
        .detail("input", describe(*this))
        .hint(by_rows ? "to_sparse_csr()" : "to_sparse_csc()")
        .raise();
  return pointers ? parts_.pointers : select(parts_.positions, 0, by_rows ? 1 : 0);
}
Tensor SparseTensor::crow_indices() const { return part(true, true, "crow_indices"); }
Tensor SparseTensor::col_indices() const { return part(true, false, "col_indices"); }
Tensor SparseTensor::ccol_indices() const { return part(false, true, "ccol_indices"); }
Tensor SparseTensor::row_indices() const { return part(false, false, "row_indices"); }

SparseTensor SparseTensor::with_values(const Tensor& values) const {
  Parts p = parts_;
  const Shape before = p.values.shape(), now = values.shape();
  if (now.empty() || now[0] != before[0] || (layout() != SparseLayout::coo && !(now == before)))
    fail<ShapeError>(ErrorCode::sizes_differ, "with_values: there are {} stored elements", nnz())
        .detail("before", describe(p.values))
        .detail("values", describe(values))
        .raise();
  if (layout() == SparseLayout::coo) {
    p.shape.resize(static_cast<std::size_t>(sparse_dim()));
    for (std::size_t d = 1; d < now.size(); ++d) p.shape.push_back(now[d]);
  }
  p.values = values;
  return SparseTensor(std::move(p));
}

SparseTensor SparseTensor::coordinates() const {
  Parts p = parts_;
  if (has_blocks()) {
    const Shape block = block_size();
    const std::int64_t n = nnz();
    const auto coordinates = [&](int d, const Shape& along) {
      const Tensor within = arange(block[static_cast<std::size_t>(d)], {}, 1, DType::int64, device());
      const Tensor first = mul(select(p.positions, 0, d), block[static_cast<std::size_t>(d)]);
      return reshape(expand(add(reshape(first, {n, 1, 1}), reshape(within, along)), p.values.shape()), {-1});
    };
    const std::int64_t count = n * block[0] * block[1];
    p.positions =
        reshape(stack({coordinates(0, {1, block[0], 1}), coordinates(1, {1, 1, block[1]})}, 0), {2, count});
    p.values = reshape(p.values, {count});
  }
  p.coalesced = p.layout == SparseLayout::csr || (p.layout == SparseLayout::coo && p.coalesced);
  p.layout = SparseLayout::coo;
  p.pointers = Tensor();
  return SparseTensor(std::move(p));
}

Tensor SparseTensor::to_dense() const {
  const Parts p = coordinates().parts();
  return index_put(zeros(p.shape, dtype(), device()), unbind(p.positions, 0), p.values, true);
}

SparseTensor SparseTensor::to_layout(SparseLayout to, const Shape& block_size) const {
  const bool blocks = phlox::has_blocks(to);
  if (to != SparseLayout::coo) require_matrix(*this, "to_sparse");
  if (blocks && (block_size.size() != 2 || block_size[0] < 1 || block_size[1] < 1 ||
                 shape()[0] % block_size[0] != 0 || shape()[1] % block_size[1] != 0))
    fail<ValueError>(ErrorCode::invalid_value, "to_sparse: blocks of the size [{}] do not fill a matrix [{}]",
                     phlox::to_string(block_size), phlox::to_string(shape()))
        .detail("input", describe(*this))
        .hint("blocksize=(rows, columns), which divide those of the matrix")
        .raise();
  if (to == layout() && (!blocks || block_size == this->block_size())) return *this;
  if (to != SparseLayout::coo && dense_dim() > 0) require_matrix(SparseTensor(parts_), "to_sparse");
  return from_coordinates(coordinates().parts(), is_coalesced(), to, block_size);
}

SparseTensor SparseTensor::coalesce() const {
  return is_coalesced() ? *this : from_coordinates(parts_, false, SparseLayout::coo, {});
}

SparseTensor SparseTensor::transpose(std::int64_t dim0, std::int64_t dim1) const {
  const auto a = static_cast<std::size_t>(normalize_dim(dim0, rank(), "transpose"));
  const auto b = static_cast<std::size_t>(normalize_dim(dim1, rank(), "transpose"));
  if (a == b) return *this;
  const auto sparse = static_cast<std::size_t>(sparse_dim());
  Parts p = parts_;
  std::swap(p.shape[a], p.shape[b]);
  if ((a < sparse) != (b < sparse))
    fail<NotSupportedError>(ErrorCode::not_supported, "transpose: dimension {} is sparse and {} is dense",
                            std::min(a, b), std::max(a, b))
        .detail("input", describe(*this))
        .raise();
  if (a >= sparse) {
    p.values = phlox::transpose(p.values, static_cast<std::int64_t>(a - sparse + 1),
                                static_cast<std::int64_t>(b - sparse + 1));
    return SparseTensor(std::move(p));
  }
  p.layout = transposed(p.layout);
  TensorList rows = unbind(p.positions, 0);
  std::swap(rows[a], rows[b]);
  p.positions = stack(rows, 0);
  p.coalesced = false;
  if (has_blocks()) p.values = phlox::transpose(p.values, 1, 2);
  return SparseTensor(std::move(p));
}

const SparseTensor& SparseTensor::set_requires_grad(bool on) const {
  values().set_requires_grad(on);
  return *this;
}

std::optional<SparseTensor> SparseTensor::grad() const {
  const Tensor gradient = values().grad();
  if (!gradient.defined()) return {};
  return with_values(gradient);
}

std::string SparseTensor::to_string() const {
  std::string text = constructor_of(layout()) + "(";
  const auto add_part = [&](const std::string& name, const Tensor& tensor) {
    const std::string shown = tensor.to_string();
    text += name + "=";
    for (const char c : shown) {
      text += c;
      if (c == '\n') text.append(name.size() + 3, ' ');
    }
    text += ",\n  ";
  };
  const bool by_rows = goes_by_rows(layout());
  if (layout() == SparseLayout::coo) {
    add_part("indices", parts_.positions);
  } else {
    add_part(by_rows ? "crow_indices" : "ccol_indices", parts_.pointers);
    add_part(by_rows ? "col_indices" : "row_indices", select(parts_.positions, 0, by_rows ? 1 : 0));
  }
  add_part("values", values());
  std::string sizes = phlox::to_string(shape());
  for (std::size_t i = sizes.size(); i-- > 0;)
    if (sizes[i] == ',') sizes.insert(i + 1, " ");
  return text + fmt::format("size=({}{}), nnz={})", sizes, rank() == 1 ? "," : "", nnz());
}

SparseTensor sparse_coo_tensor(const Tensor& indices, const Tensor& values, const std::optional<Shape>& size,
                               bool is_coalesced) {
  const std::string operation = "sparse_coo_tensor";
  require_rank(indices, 2, "indices", operation);
  const std::int64_t stored = indices.size(1);
  const auto sparse = static_cast<std::size_t>(indices.size(0));
  if (sparse == 0)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: indices have no row, so there is no sparse dimension",
                     operation)
        .detail("indices", describe(indices))
        .raise();
  if (values.rank() == 0 || values.size(0) != stored)
    fail_sizes(
        operation,
        fmt::format("indices have {} column{}, one for each of the values", stored, stored == 1 ? "" : "s"),
        indices, values);
  const Shape dense = Shape(std::span(values.shape().data() + 1, values.shape().size() - 1));
  if (size && (size->size() != sparse + dense.size() ||
               !std::equal(dense.begin(), dense.end(), size->begin() + static_cast<std::ptrdiff_t>(sparse))))
    fail_sizes(operation,
               fmt::format("the size [{}] is not {} sparse dimension{} and then those of a value",
                           to_string(*size), sparse, sparse == 1 ? "" : "s"),
               indices, values);
  if (size) element_count(*size);  // throws for sizes that are negative or too large
  SparseTensor::Parts p;
  TensorList rows;
  for (std::size_t d = 0; d < sparse; ++d) {
    const Tensor row = select(indices, 0, static_cast<std::int64_t>(d));
    p.shape.push_back(size ? (*size)[d] : extent(row));
    rows.push_back(carrying_checks(checked_positions(row, 0, p.shape[d], "indices", operation.c_str())));
  }
  for (const std::int64_t n : dense) p.shape.push_back(n);
  p.positions = stack(rows, 0);
  p.values = values;
  if (is_coalesced) {
    p.coalesced = true;
    if (stored > 1) {
      p.positions = carrying_checks(
          require_true(p.positions, ascends(numbers_of(p.positions, sparse_shape(p))), operation.c_str(),
                       "is_coalesced says that positions ascend and differ, but they do not"));
    }
  }
  return SparseTensor(std::move(p));
}

SparseTensor sparse_compressed_tensor(SparseLayout layout, const Tensor& pointers, const Tensor& indices,
                                      const Tensor& values, const std::optional<Shape>& size) {
  if (layout == SparseLayout::coo) return sparse_coo_tensor(indices, values, size);
  const std::string text = constructor_of(layout);
  const char* operation = text.c_str();
  const bool by_rows = goes_by_rows(layout), blocks = has_blocks(layout);
  const char* pointer_name = by_rows ? "crow_indices" : "ccol_indices";
  const char* index_name = by_rows ? "col_indices" : "row_indices";
  require_rank(pointers, 1, pointer_name, operation);
  require_rank(indices, 1, index_name, operation);
  require_rank(values, blocks ? 3 : 1, "values", operation);
  const std::int64_t stored = indices.size(0);
  if (values.size(0) != stored)
    fail_sizes(operation, fmt::format("'{}' has {} elements, one for each of the values", index_name, stored),
               indices, values);
  SparseTensor::Parts p;
  p.layout = layout;
  p.values = values;
  const Shape block = blocks ? Shape{values.size(1), values.size(2)} : Shape{1, 1};
  const std::int64_t rows = std::max<std::int64_t>(pointers.numel() - 1, 0);
  if (size && size->size() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "{}: the size of a matrix is two numbers, not [{}]", operation,
                     to_string(*size))
        .raise();
  if (element_count(block) == 0)
    fail<ShapeError>(ErrorCode::invalid_value, "{}: a block has no elements", operation)
        .detail("values", describe(values))
        .raise();
  if (size) {
    p.shape = *size;
  } else {
    const Shape counts{rows, extent(indices)};
    p.shape = {counts[by_rows ? 0 : 1] * block[0], counts[by_rows ? 1 : 0] * block[1]};
  }
  element_count(p.shape);
  const Shape counts = major_first(counted_shape(p.shape, block), layout);
  if (pointers.numel() != counts[0] + 1 || p.shape[0] % block[0] != 0 || p.shape[1] % block[1] != 0)
    fail<ShapeError>(ErrorCode::sizes_differ,
                     "{}: '{}' has one element more than there are {}{}, which is {}", operation,
                     pointer_name, blocks ? "blocks of " : "", by_rows ? "rows" : "columns", counts[0] + 1)
        .detail(pointer_name, describe(pointers))
        .detail("values", describe(values))
        .detail("size", fmt::format("[{}]", to_string(p.shape)))
        .raise();
  Tensor bounds = checked_positions(pointers, 0, stored + 1, pointer_name, operation);
  const Tensor first = narrow(bounds, 0, 0, 1), last = narrow(bounds, 0, counts[0], 1);
  const Tensor falls = lt(narrow(bounds, 0, 1, counts[0]), narrow(bounds, 0, 0, counts[0]));
  bounds = carrying_checks(require_true(
      bounds, logical_and(logical_not(any(falls)), logical_and(all(eq(first, 0)), all(eq(last, stored)))),
      operation,
      fmt::format("'{}' must begin with 0, never fall, and end with {}, the number of stored {}",
                  pointer_name, stored, blocks ? "blocks" : "elements")));
  const Tensor minor = carrying_checks(checked_positions(indices, 0, counts[1], index_name, operation));
  const Tensor major = rows_of(bounds, stored);
  p.positions = stack({by_rows ? major : minor, by_rows ? minor : major}, 0);
  if (stored > 1) {
    p.positions = carrying_checks(require_true(
        p.positions, ascends(add(mul(major, counts[1]), minor)), operation,
        fmt::format("'{}' does not ascend within each {}", index_name, by_rows ? "row" : "column")));
  }
  p.pointers = bounds;
  return SparseTensor(std::move(p));
}

SparseTensor sparse_csr_tensor(const Tensor& crow_indices, const Tensor& col_indices, const Tensor& values,
                               const std::optional<Shape>& size) {
  return sparse_compressed_tensor(SparseLayout::csr, crow_indices, col_indices, values, size);
}
SparseTensor sparse_csc_tensor(const Tensor& ccol_indices, const Tensor& row_indices, const Tensor& values,
                               const std::optional<Shape>& size) {
  return sparse_compressed_tensor(SparseLayout::csc, ccol_indices, row_indices, values, size);
}
SparseTensor sparse_bsr_tensor(const Tensor& crow_indices, const Tensor& col_indices, const Tensor& values,
                               const std::optional<Shape>& size) {
  return sparse_compressed_tensor(SparseLayout::bsr, crow_indices, col_indices, values, size);
}
SparseTensor sparse_bsc_tensor(const Tensor& ccol_indices, const Tensor& row_indices, const Tensor& values,
                               const std::optional<Shape>& size) {
  return sparse_compressed_tensor(SparseLayout::bsc, ccol_indices, row_indices, values, size);
}

SparseTensor to_sparse(const Tensor& input, std::optional<std::int64_t> sparse_dim) {
  const int rank = input.rank();
  const std::int64_t sparse = sparse_dim.value_or(rank);
  if (sparse < 1 || sparse > rank)
    fail<ShapeError>(ErrorCode::dimension_out_of_range, "to_sparse: of {} dimensions, {} cannot be sparse",
                     rank, sparse)
        .detail("input", describe(input))
        .hint(rank == 0 ? "<input>.reshape(1).to_sparse()" : "from 1 to all of them")
        .raise();
  Tensor stored = ne(input.detach(), 0);
  if (sparse < rank) stored = any(flatten(stored, sparse), OptionalDims(DimList(sparse)));
  SparseTensor::Parts p;
  p.shape = input.shape();
  p.coalesced = true;
  p.positions = contiguous(transpose(nonzero(stored), 0, 1));
  p.values = elements_at(input, p.positions);
  return SparseTensor(std::move(p));
}

SparseTensor to_sparse(const Tensor& input, SparseLayout layout, const Shape& block_size) {
  if (layout != SparseLayout::coo && input.rank() != 2)
    fail<ShapeError>(ErrorCode::wrong_rank, "to_sparse: the layout {} is of matrices", name_of(layout))
        .detail("input", describe(input))
        .raise();
  return to_sparse(input).to_layout(layout, block_size);
}

SparseTensor sparse_mask(const Tensor& input, const SparseTensor& mask) {
  if (!(input.shape() == mask.shape()))
    fail<ShapeError>(ErrorCode::sizes_differ, "sparse_mask: the mask has another shape")
        .detail("input", describe(input))
        .detail("mask", describe(mask))
        .raise();
  const SparseTensor stored = mask.coalesce();
  return stored.with_values(
      reshape(elements_at(input, stored.coordinates().indices()), stored.values().shape()));
}

}  // namespace phlox
