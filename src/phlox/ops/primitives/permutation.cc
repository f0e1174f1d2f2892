#include "phlox/ops/primitives/permutation.h"

#include <utility>

#include "phlox/core/mode.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/primitives/device_kernels.h"
#include "phlox/ops/primitives/primitive.h"
#include "phlox/ops/primitives/rules.h"

namespace phlox {
namespace {

TensorList evaluate_permutation(std::span<const Operand> inputs, const void*) {
  return {apply_permutation(inputs[0].tensor())};
}
PHLOX_PRIMITIVE(permutation, 65, evaluate_permutation, NoAttributes);

void check_permutation(const PrimitiveCall& call) {
  call.takes(1);
  call.require_dtype("the words", call.tensor(0), DType::int64);
  call.require(call.tensor(0).rank() == 1, "the words have one dimension");
}
PHLOX_PRIMITIVE_RULE(permutation, check_permutation);

}  // namespace

Tensor apply_permutation(const Tensor& words) {
  if (thread_mode.interpreter_count) [[unlikely]] {
    const Operand operands[] = {words};
    return interpret(permutation_primitive, operands, nullptr)[0];
  }
  const std::int64_t count = words.numel();
  const Tensor order = arange(count, {}, 1, DType::int64, Device{});
  if (thread_mode.abstract) {
    abstract_evaluation.needs_values = true;
    return order;
  }
  const Tensor dense = words.contiguous();
  auto* place = order.data<std::int64_t>();
  const auto* word = dense.data<std::int64_t>();
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    const auto rest = static_cast<unsigned __int128>(count - i) * static_cast<std::uint64_t>(word[i]);
    std::swap(place[i], place[i + static_cast<std::int64_t>(rest >> 64)]);
  }
  return order;
}

}  // namespace phlox
