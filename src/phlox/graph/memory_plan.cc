#include "phlox/graph/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "phlox/core/allocator.h"
#include "phlox/core/charged_bytes.h"
#include "phlox/graph/captured.h"
#include "phlox/graph/evaluate.h"

namespace phlox::graph {

std::size_t MemoryPlan::intermediate() const {
  std::size_t bytes = 0;
  for (const std::size_t block : blocks) bytes += charged_bytes(block);
  return bytes;
}

std::string to_string(const MemoryPlan& plan) {
  const auto line = [](const char* what, std::size_t bytes) {
    return fmt::format("  {:<14}{:>12}\n", what, readable_bytes(bytes));
  };
  const std::string further = plan.kept_by_turn
                                  ? fmt::format(" for one turn, and {} more with each further turn",
                                                readable_bytes(plan.kept_by_turn))
                                  : "";
  std::string text = fmt::format("peak {}{}\n", readable_bytes(plan.peak()), further) +
                     line("inputs", plan.inputs) + line("constants", plan.constants) +
                     line("in between", plan.intermediate()) + line("evaluated", plan.evaluated) +
                     (plan.kept ? line("kept by loops", plan.kept) : "") + line("results", plan.outputs) +
                     "largest\n";
  for (const MemoryPlan::Value& value : plan.largest) {
    text += fmt::format("  {:>10}  {}\n", readable_bytes(value.bytes), value.node);
    if (!value.location.empty()) text += fmt::format("  {:>10}  {}\n", "", value.location);
  }
  return text;
}

std::optional<std::int64_t> largest_batch(const std::function<Captured(const TensorList&)>& capture,
                                          const TensorList& arguments, std::optional<std::size_t> limit) {
  constexpr std::int64_t largest_asked = 1 << 30;
  if (arguments.empty() || arguments[0].rank() == 0) return std::nullopt;
  const std::int64_t given = arguments[0].size(0);
  const auto needed = [&](std::int64_t batch) {
    TensorList examples;
    for (const Tensor& argument : arguments) {
      Type type = type_of(argument);
      if (!type.shape.empty() && type.shape[0] == given) type.shape[0] = batch;
      examples.push_back(abstract_tensor(type));
      if (argument.requires_grad()) examples.back().set_requires_grad();
    }
    return capture(examples).memory_plan(examples);
  };
  const MemoryPlan first = needed(given);
  const auto living = static_cast<std::size_t>(memory_statistics().allocated_bytes);
  const std::size_t others = living - std::min(living, first.inputs + first.constants);
  const std::size_t most = limit.value_or(memory_limit() - std::min(memory_limit(), others));
  std::int64_t fits = 0, beyond = given;
  std::size_t at_fits = 0, at_beyond = first.peak();
  // From the given batch upwards, to one that does not fit. A function that does not take another batch keeps its own.
  while (at_beyond <= most) {
    fits = beyond, at_fits = at_beyond;
    if (fits > largest_asked / 2) return fits;
    beyond = 2 * fits;
    try {
      at_beyond = needed(beyond).peak();
    } catch (const std::exception&) {
      return fits;
    }
    if (at_beyond <= at_fits) return fits;
  }
  // What is needed grows with the batch, nearly in proportion: between a batch that fits and one that does not, the next to
  // look at lies where the line through both crosses the limit.
  for (int turn = 0; beyond - fits > 1 && turn < 24; ++turn) {
    const double share = turn % 3 == 2 || at_beyond <= at_fits
                             ? 0.5
                             : static_cast<double>(most - at_fits) / static_cast<double>(at_beyond - at_fits);
    const auto step = static_cast<std::int64_t>(share * static_cast<double>(beyond - fits));
    const std::int64_t batch = std::clamp(fits + step, fits + 1, beyond - 1);
    const std::size_t bytes = needed(batch).peak();
    if (bytes <= most) fits = batch, at_fits = bytes;
    else beyond = batch, at_beyond = bytes;
  }
  return fits > 0 ? std::optional(fits) : std::nullopt;
}

}  // namespace phlox::graph
