#include "phlox/autograd/gradient_presence.h"

#include "phlox/ops/functions.h"

namespace phlox::autograd {

PHLOX_THREAD_LOCAL GradientPresence* gradient_presence = nullptr;

GradientPresence::When GradientPresence::of(const Tensor& gradient) const {
  const auto found = whens_.find(gradient.impl()->storage);
  return found == whens_.end() ? When{} : found->second.second;
}

void GradientPresence::set(const Tensor& gradient, const When& when) {
  const Storage* storage = gradient.impl()->storage;
  if (when.always()) whens_.erase(storage);
  else whens_.insert_or_assign(storage, std::pair(gradient.detach(), when));
}

GradientPresence::When GradientPresence::both(const When& a, const When& b) {
  if (a.always() || b.always()) return a.always() ? b : a;
  if (a.unknown || b.unknown) return {.unknown = true};
  if (a.condition.unsafe_impl() == b.condition.unsafe_impl()) return a;
  return {.condition = logical_and(a.condition, b.condition)};
}

GradientPresence::When GradientPresence::either(const When& a, const When& b) {
  if (a.always() || b.always()) return {};
  if (a.unknown || b.unknown) return {.unknown = true};
  if (a.condition.unsafe_impl() == b.condition.unsafe_impl()) return a;
  return {.condition = logical_or(a.condition, b.condition)};
}

}  // namespace phlox::autograd
