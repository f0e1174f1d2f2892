#include "phlox/ops/signal/window_arguments.h"

#include "phlox/ops/functions.h"

namespace phlox {

IntList for_each_dimension(const IntList& values, int dims, std::int64_t minimum, const char* operation,
                           const char* parameter) {
  if (values.rank() != 1 && values.rank() != dims)
    fail<ValueError>(ErrorCode::invalid_value, "{}: {} needs 1 or {} numbers, not {}", operation, parameter,
                     dims, values.rank())
        .detail(parameter, to_string(values))
        .raise();
  IntList result(static_cast<std::size_t>(dims), values[0]);
  for (int d = 0; d < dims; ++d) {
    if (values.rank() == dims) result[d] = values[d];
    constexpr std::int64_t most = std::int64_t{1} << 31;  // keeps all sums and products of them in 63 bits
    if (result[d] > most)
      fail<ValueError>(ErrorCode::invalid_value, "{}: {} must be at most {}, not {}", operation, parameter,
                       most, result[d])
          .detail(parameter, to_string(values))
          .raise();
    if (result[d] < minimum)
      fail<ValueError>(ErrorCode::invalid_value, "{}: {} must be at least {}, not {}", operation, parameter,
                       minimum, result[d])
          .detail(parameter, to_string(values))
          .raise();
  }
  return result;
}

Tensor with_batch(const Tensor& input, int dims, const char* operation, bool& added) {
  added = input.rank() == dims + 1;
  if (added) return unsqueeze(input, 0);
  if (input.rank() != dims + 2)
    fail<ShapeError>(ErrorCode::wrong_rank,
                     "{}: input needs {} dimensions (batch, channels, {} spatial), not {}", operation,
                     dims + 2, dims, input.rank())
        .detail("input", describe(input))
        .hint("<input>.unsqueeze(0) adds a batch dimension in front, <input>.unsqueeze(1) a channel")
        .raise();
  return input;
}

}  // namespace phlox
