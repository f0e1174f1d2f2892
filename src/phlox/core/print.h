// Tensors as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

// The options of Tensor::to_string() in the whole process.
PrintOptions print_options();
void set_print_options(const PrintOptions& options);

}  // namespace phlox
