// What must be at a call of a captured function as it was when it was captured.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "phlox/graph/tracer.h"

namespace phlox::graph {
namespace {

// Strides along which nobody steps do not matter.
bool same_strides(const Tensor& tensor, const Strides& strides) {
  for (int d = 0; d < tensor.rank(); ++d)
    if (tensor.size(d) > 1 && tensor.stride(d) != strides[static_cast<std::size_t>(d)]) return false;
  return true;
}

bool has_type(const Tensor& tensor, const Type& type) {
  const TensorImpl& t = *tensor.impl();
  return t.dtype == type.dtype && t.rank == type.shape.rank() &&
         std::equal(t.sizes, t.sizes + t.rank, type.shape.begin()) && t.device == type.device;
}

// Which memory was seen, and whether it is written.
class SeenMemory {
 public:
  explicit SeenMemory(std::size_t count) : slots_(std::bit_ceil(2 * count + 2)) {}
  struct Slot {
    const Storage* storage = nullptr;
    std::size_t input = 0;
    bool written = false;
  };
  // The slot of the storage; new ones are empty.
  Slot& at(const Storage* storage) {
    std::size_t i = (reinterpret_cast<std::uintptr_t>(storage) >> 6) * 0x9e3779b97f4a7c15u >> 32;
    for (;; ++i) {
      Slot& slot = slots_[i & (slots_.size() - 1)];
      if (!slot.storage || slot.storage == storage) return slot;
    }
  }

 private:
  std::vector<Slot> slots_;
};

std::string layout(const Strides& strides, std::int64_t offset) {
  return fmt::format("strides {} from element {}", to_string(strides), offset);
}

}  // namespace

const GradientNode::Hooks* existing_hooks(const Tensor& leaf) {
  const AutogradRecord* record = leaf.impl()->autograd;
  return record && record->accumulator ? record->accumulator->existing_hooks() : nullptr;
}

std::uint64_t number_of_hooks(const Tensor& leaf) {
  std::uint64_t all = 0;
  if (const GradientNode::Hooks* hooks = existing_hooks(leaf))
    for (const auto* each : {&hooks->before, &hooks->after})
      for (const auto& [number, hook] : *each) all = all * 31 + static_cast<std::uint64_t>(number) + 1;
  return all;
}

void Captured::Misfit::raise() const {
  auto error = fail<GraphError>(ErrorCode::not_capturable, "the function was captured for other inputs");
  if (tensor.defined()) error.detail("tensor", describe(tensor));
  error.detail("captured for", captured)
      .detail("called with", called)
      .hint("capture it again for these")
      .raise();
}

bool Captured::is_current() const {
  return std::all_of(configurations.begin(), configurations.end(),
                     [](const auto& used) { return used.holds(); }) &&
         std::all_of(expected_flags.begin(), expected_flags.end(), [](const ExpectedFlag& expected) {
           return expected.tensor.requires_grad() == expected.requires_grad;
         });
}

std::optional<std::string> Captured::what_changed() const {
  for (const Configuration::Used& used : configurations)
    if (!used.holds()) return used.difference();
  if (!is_current()) return "requires_grad of a tensor changed";
  return {};
}

std::optional<Captured::Misfit> Captured::misfit(const TensorList& given) const {
  return find_misfit(given, collect(given));
}

std::optional<Captured::Misfit> Captured::find_misfit(const TensorList& given,
                                                      const TensorList& inputs) const {
  if (given.size() != arguments.size())
    return Misfit{{}, fmt::format("{} tensors", arguments.size()), fmt::format("{} tensors", given.size())};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Type& type = graph->inputs()[i].type();
    const auto wanted = [&] {
      return fmt::format("{} {}", graph->input_name(static_cast<int>(i)), to_string(type));
    };
    if (!inputs[i].defined()) return Misfit{sources[i].tensor, wanted(), "no gradient"};
    if (!sources[i].flat && !has_type(inputs[i], type)) return Misfit{{}, wanted(), describe(inputs[i])};
  }
  // Gradients that were not wanted in the capture are not part of it, and those that were go on being made.
  const bool makes_gradients = !gradients.empty() || !expected_gradients.empty();
  const auto gradient_misfit = [&](const Tensor& tensor, bool captured) -> std::optional<Misfit> {
    const bool now = tensor.requires_grad();
    if (now == captured || !(makes_gradients || (now && gradients_enabled()))) return {};
    return Misfit{tensor, fmt::format("requires_grad={}", captured), fmt::format("requires_grad={}", now)};
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    const Tensor& tensor = given[i];
    if (!has_type(tensor, argument.type))
      return Misfit{{}, fmt::format("argument {}, {}", i, to_string(argument.type)), describe(tensor)};
    const Source& source = sources[static_cast<std::size_t>(argument.source)];
    const auto first = static_cast<std::size_t>(source.argument);
    if (!tensor.shares_storage_with(given[first]))
      return Misfit{tensor, "arguments that share memory", "arguments that do not"};
    if (auto misfit = gradient_misfit(tensor, argument.requires_grad)) return misfit;
    // The function writes it, or its gradient.
    const bool is_changed = written_[static_cast<std::size_t>(argument.source)] ||
                            std::any_of(gradients.begin(), gradients.end(), [&](const Gradient& gradient) {
                              return gradient.argument == static_cast<int>(i);
                            });
    if (is_changed && argument.requires_grad && argument.is_leaf != tensor.is_leaf())
      return Misfit{tensor, argument.is_leaf ? "a leaf" : "the result of operations",
                    argument.is_leaf ? "the result of operations" : "a leaf"};
    if (argument.requires_grad && argument.same != static_cast<int>(i) &&
        tensor.unsafe_impl() != given[static_cast<std::size_t>(argument.same)].unsafe_impl())
      return Misfit{tensor, "the same tensor twice", "two tensors"};
    if (!source.exact && !source.absolute && !argument.shared) continue;
    const std::int64_t moved =
        source.flat || source.absolute ? 0 : given[first].storage_offset() - arguments[first].offset;
    if (!same_strides(tensor, argument.strides) || tensor.storage_offset() != argument.offset + moved)
      return Misfit{tensor, layout(argument.strides, argument.offset + moved),
                    layout(tensor.strides(), tensor.storage_offset())};
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    if (source.is_state()) continue;
    if (source.argument < 0 && !source.gradient) {
      if (auto misfit = gradient_misfit(source.tensor, source.requires_grad)) return misfit;
      if (source.exact && !source.flat && !same_strides(source.tensor, source.strides))
        return Misfit{source.tensor, layout(source.strides, source.offset),
                      layout(source.tensor.strides(), source.tensor.storage_offset())};
    }
    if (source.gradient && (source.exact || source.flat)) {
      const Tensor& leaf = given_or_around(given, source.argument, source.tensor);
      const Tensor gradient = leaf.grad();
      if (!same_strides(gradient, source.strides) ||
          (source.flat && gradient.storage_offset() != source.offset))
        return Misfit{gradient, layout(source.strides, source.offset),
                      layout(gradient.strides(), gradient.storage_offset())};
    }
    if (source.flat && !has_type(inputs[i], graph->inputs()[i].type()))
      return Misfit{inputs[i], to_string(graph->inputs()[i].type()), to_string(type_of(inputs[i]))};
  }
  // What is written must not be seen by others that were apart from it.
  SeenMemory seen(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].is_state()) continue;
    auto& slot = seen.at(inputs[i].impl()->storage);
    if (slot.storage && (slot.written || written_[i]))
      return Misfit{inputs[written_[i] ? slot.input : i], "what it writes as memory of its own",
                    "tensors that share memory with it"};
    slot = {inputs[i].impl()->storage, i, written_[i] != 0};
  }
  for (const ExpectedGradient& expected : expected_gradients) {
    const Tensor& leaf = given_or_around(given, expected.argument, expected.leaf);
    const Tensor now = leaf.grad();
    if (now.defined() != expected.present)
      return Misfit{leaf, expected.present ? "a gradient" : "no gradient",
                    now.defined() ? "a gradient" : "no gradient"};
    if (expected.source >= 0 && !now.shares_storage_with(inputs[static_cast<std::size_t>(expected.source)]))
      return Misfit{leaf, "a gradient that is also used in another way", "another gradient"};
  }
  for (const ExpectedHooks& expected : expected_hooks) {
    const Tensor& leaf = given_or_around(given, expected.argument, expected.leaf);
    if (number_of_hooks(leaf) != expected.hooks)
      return Misfit{leaf, expected.hooks ? "its hooks" : "no hooks", "other hooks"};
  }
  return {};
}

}  // namespace phlox::graph
