// Tensors as text.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "phlox/core/dtype_enum.h"
#include "phlox/core/int_list.h"

namespace phlox {

class Tensor;

struct PrintOptions {
  int precision = 4;              // digits after the point
  std::int64_t threshold = 1000;  // more elements than this are summarised
  int edge_items = 3;             // shown at each end of a summarised dimension
  int line_width = 80;
  std::optional<bool> scientific = {};  // unset: when the magnitudes ask for it
};

// "tensor([[1., 2.],\n        [3., 4.]])". The dtype follows where it is not what the literals mean by themselves.
std::string to_string(const Tensor& tensor, const PrintOptions& options = {});

// std::cout << tensor writes what tensor.to_string() gives, << shape "[2,3]", << dtype "float32".
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);
std::ostream& operator<<(std::ostream& stream, const IntList& sizes);
std::ostream& operator<<(std::ostream& stream, DType dtype);

// The options of Tensor::to_string() in the whole process.
PrintOptions print_options();
void set_print_options(const PrintOptions& options);

}  // namespace phlox
