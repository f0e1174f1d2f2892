#include "phlox/core/origin.h"

#include <fmt/format.h>

#include "phlox/core/tensor.h"

namespace phlox {

PHLOX_THREAD_LOCAL const RunningPart* running_part = nullptr;
PHLOX_THREAD_LOCAL const GradientNode* running_gradient = nullptr;

std::string origin_of_call() {
  if (running_gradient) {
    const std::string where = running_gradient->where();
    if (!where.empty()) return fmt::format("{}   (gradient of {})", where, running_gradient->name());
  }
  std::string text = current_location();
  if (running_part)
    if (const std::string name = running_part->name(*running_part); !name.empty()) text += "   in " + name;
  return text;
}

void note_origin(std::span<const Tensor> results) {
  std::string origin;
  for (const Tensor& result : results) {
    const AutogradRecord* record = result.defined() ? result.impl()->autograd : nullptr;
    if (!record || !record->node || (record->node->existing_hooks() && !record->node->where().empty()))
      continue;
    if (origin.empty()) origin = origin_of_call();
    record->node->hooks().where = origin;
  }
}

}  // namespace phlox
