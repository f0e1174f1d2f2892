// A short list of 64-bit integers without heap memory: sizes, strides, dimensions, paddings.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace phlox {

// The largest number of dimensions of a tensor.
inline constexpr int max_rank = 32;

// Throws ShapeError: a list would be longer than max_rank.
[[noreturn]] void throw_too_many_dimensions(std::int64_t count);

// At most max_rank integers. Shape, Strides and Dims are other names of it.
class IntList {
 public:
  // An empty list, the shape of a single number.
  IntList() = default;
  // From what is written: Shape{2, 3}. Throws ShapeError for too many, as all of these do.
  IntList(std::initializer_list<std::int64_t> values) : IntList(std::span(values.begin(), values.size())) {}
  // From a vector.
  IntList(const std::vector<std::int64_t>& values) : IntList(std::span(values)) {}
  // From integers in a row.
  explicit IntList(std::span<const std::int64_t> values) {
    resize(values.size());
    std::copy(values.begin(), values.end(), values_.begin());
  }
  // The same number `count` times.
  IntList(std::size_t count, std::int64_t value) {
    resize(count);
    std::fill_n(values_.begin(), count, value);
  }
  IntList(const IntList& other) : size_(other.size_) {
    std::copy_n(other.values_.begin(), size_, values_.begin());
  }
  IntList& operator=(const IntList& other) {
    size_ = other.size_;
    std::copy_n(other.values_.begin(), size_, values_.begin());
    return *this;
  }

  // How many integers there are.
  std::size_t size() const { return size_; }
  // The same as an int.
  int rank() const { return static_cast<int>(size_); }
  // Whether there are none.
  bool empty() const { return size_ == 0; }
  // Integer i, which is not checked.
  std::int64_t& operator[](std::size_t i) { return values_[i]; }
  std::int64_t operator[](std::size_t i) const { return values_[i]; }
  std::int64_t* begin() { return values_.data(); }
  std::int64_t* end() { return values_.data() + size_; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + size_; }
  std::int64_t* data() { return values_.data(); }
  const std::int64_t* data() const { return values_.data(); }
  // The last integer of a list that is not empty.
  std::int64_t back() const { return values_[size_ - 1]; }

  // Cuts the list, or makes it longer by integers without a value.
  void resize(std::size_t count) {
    if (count > max_rank) throw_too_many_dimensions(static_cast<std::int64_t>(count));
    size_ = static_cast<std::uint32_t>(count);
  }
  // Adds an integer at the end.
  void push_back(std::int64_t value) {
    resize(size_ + 1);
    values_[size_ - 1] = value;
  }
  // Puts an integer in front of the one at `position`.
  void insert(std::size_t position, std::int64_t value) {
    resize(size_ + 1);
    std::copy_backward(begin() + position, end() - 1, end());
    values_[position] = value;
  }
  // Removes the integer at `position`.
  void erase(std::size_t position) {
    std::copy(begin() + position + 1, end(), begin() + position);
    --size_;
  }
  // Whether an integer is in the list.
  bool contains(std::int64_t value) const { return std::find(begin(), end(), value) != end(); }
  operator std::span<const std::int64_t>() const { return {data(), size()}; }

  friend bool operator==(const IntList& a, const IntList& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::uint32_t size_ = 0;
  std::array<std::int64_t, max_rank> values_;  // only the first size_ hold values
};

// Sizes of dimensions.
using Shape = IntList;
// Distances of neighbours, in elements.
using Strides = IntList;
// Numbers of dimensions.
using Dims = IntList;

// The product of all sizes. Throws ShapeError if it does not fit 63 bits or a size is negative.
std::int64_t element_count(const Shape& shape);
// Strides, in elements, of a row-major tensor.
Strides contiguous_strides(const Shape& shape);
// The common shape under NumPy's broadcasting rules. Throws ShapeError naming `operation`.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* operation = "broadcast");
// Dimension in 0..rank-1 from one that may count from the end. Throws ShapeError naming `operation`.
int normalize_dim(std::int64_t dim, int rank, const char* operation);
// The same for a list; an empty list means all dimensions when `empty_means_all`. Throws on duplicates.
Dims normalize_dims(const Dims& dims, int rank, const char* operation, bool empty_means_all = true);
// "3,4" for the sizes 3 and 4.
std::string to_string(const IntList& values);

}  // namespace phlox
