// The elements of a tensor as bytes in row-major order, as files hold them (little-endian).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox::io {

class TensorBytes {
 public:
  // Copies only when the tensor is not row-major in the memory of this machine.
  explicit TensorBytes(const Tensor& tensor);

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  Tensor tensor_;
  std::vector<std::uint8_t> copy_;
  const std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace phlox::io
