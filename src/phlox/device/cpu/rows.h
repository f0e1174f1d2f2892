// Walks over the rows of tensors along one dimension, for operations that work row by row: softmax, scans, sorts.
//
//   RowOperand input(*call.input, dim, DType::float32), output(*call.output, dim, DType::float32);
//   for_each_row(input, [&](std::int64_t row) {
//     const float* x = input.read<float>(row, scratch);   // consecutive and cast; in place where possible
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "phlox/core/allocator.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/convert.h"

namespace phlox::cpu {

class RowOperand {
 public:
  // `wanted`: the dtype that the operation works in. A 0-d tensor is one row of one element.
  RowOperand(const TensorImpl& tensor, int dim, DType wanted)
      : base_(static_cast<char*>(tensor.address())),
        bytes_(element_size(tensor.dtype)),
        wanted_bytes_(element_size(wanted)) {
    for (int d = 0; d < tensor.rank; ++d) {
      if (d == dim) {
        length_ = tensor.sizes[d];
        stride_ = tensor.strides[d] * bytes_;
        continue;
      }
      rows_ *= tensor.sizes[d];
      if (tensor.sizes[d] == 1) continue;
      sizes_[rank_] = tensor.sizes[d];
      strides_[rank_++] = tensor.strides[d] * bytes_;
    }
    load_ = convert_run(tensor.dtype, wanted);
    store_ = convert_run(wanted, tensor.dtype);
    direct_ = tensor.dtype == wanted && (stride_ == bytes_ || length_ <= 1);
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t length() const { return length_; }
  // True when rows can be read and written where they lie.
  bool direct() const { return direct_; }

  char* address(std::int64_t row) const {
    char* p = base_;
    for (int d = rank_ - 1; d > 0; --d) {
      p += row % sizes_[d] * strides_[d];
      row /= sizes_[d];
    }
    return rank_ ? p + row * strides_[0] : p;
  }
  // The row, consecutive: where it lies or in `scratch`.
  template <class T>
  const T* read(std::int64_t row, T* scratch) const {
    if (direct_) return reinterpret_cast<const T*>(address(row));
    load_(address(row), stride_, scratch, wanted_bytes_, length_);
    return scratch;
  }
  // Where a result is to be written: in place or in `scratch`; write() brings it home.
  template <class T>
  T* target(std::int64_t row, T* scratch) const {
    return direct_ ? reinterpret_cast<T*>(address(row)) : scratch;
  }
  void write(std::int64_t row, const void* values) const {
    if (!direct_) store_(values, wanted_bytes_, address(row), stride_, length_);
  }

 private:
  char* base_;
  int bytes_;
  int wanted_bytes_;
  int rank_ = 0;
  std::int64_t rows_ = 1;
  std::int64_t length_ = 1;
  std::int64_t stride_ = 0;
  std::int64_t sizes_[max_rank];
  std::int64_t strides_[max_rank];
  ConvertRun load_;
  ConvertRun store_;
  bool direct_;
};

// A tensor with one dimension as the last. Long rows that lie across memory are copied first, since reading them one
// by one would touch each cache line many times.
class RowsLast {
 public:
  enum class Use { read, write };
  RowsLast(const TensorImpl& tensor, int dim, Use use) : use_(use) {
    view(tensor, dim);
    if (!lies_across(home_)) return;
    Shape shape;
    for (int d = 0; d < home_.rank; ++d) shape.push_back(home_.sizes[d]);
    copy_ = make_tensor(shape, home_.dtype, home_.device);
    if (use == Use::read) convert(home_, *copy_.impl());
  }
  const TensorImpl& impl() const { return copy_.defined() ? *copy_.impl() : home_; }
  int dim() const { return home_.rank - 1; }
  // Brings what was written home.
  void finish() {
    if (copy_.defined() && use_ == Use::write) convert(*copy_.impl(), home_);
  }

 private:
  // Without owning the storage.
  void view(const TensorImpl& tensor, int dim) {
    home_.dtype = tensor.dtype;
    home_.device = tensor.device;
    home_.rank = tensor.rank;
    home_.storage = tensor.storage;
    home_.offset = tensor.offset;
    int to = 0;
    for (int d = 0; d < tensor.rank; ++d) {
      if (d == dim) continue;
      home_.sizes[to] = tensor.sizes[d];
      home_.strides[to++] = tensor.strides[d];
    }
    if (tensor.rank > 0) {
      home_.sizes[to] = tensor.sizes[dim];
      home_.strides[to] = tensor.strides[dim];
    }
    home_.update_layout();
  }
  static bool lies_across(const TensorImpl& tensor) {
    constexpr std::int64_t long_row = 64;
    const int row = tensor.rank - 1;
    if (tensor.rank < 2 || tensor.sizes[row] < long_row) return false;
    for (int d = 0; d < row; ++d)
      if (tensor.sizes[d] > 1 && std::abs(tensor.strides[d]) < std::abs(tensor.strides[row])) return true;
    return false;
  }

  TensorImpl home_;
  Tensor copy_;
  Use use_;
};

// Room for rows that cannot be used in place.
class Scratch {
 public:
  explicit Scratch(std::int64_t bytes) : bytes_(static_cast<std::size_t>(bytes)), block_(allocate(bytes_)) {}
  ~Scratch() { deallocate(block_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  char* at(std::int64_t offset) const { return static_cast<char*>(block_) + offset; }

 private:
  std::size_t bytes_;
  void* block_;
};

// Calls body(first, last) on ranges of rows in parallel. `cost`: of a row, in about nanoseconds.
template <class Body>
void for_row_ranges(std::int64_t rows, std::int64_t cost, const Body& body) {
  constexpr std::int64_t worthwhile = 20000;
  parallel_for(0, rows, std::max<std::int64_t>(1, worthwhile / std::max<std::int64_t>(1, cost)), body);
}

}  // namespace phlox::cpu
