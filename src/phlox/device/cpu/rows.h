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
      : base_(static_cast<char*>(tensor.address())), bytes_(element_size(tensor.dtype)), wanted_bytes_(element_size(wanted)) {
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
