// What must be at a call of a captured function as it was when it was captured.
#include <fmt/format.h>

#include "phlox/graph/captured.h"

namespace phlox::graph {
namespace {

[[noreturn]] void refuse(const Tensor& tensor, const std::string& captured, const std::string& called) {
  auto error = fail<GraphError>(ErrorCode::not_capturable, "the function was captured for other inputs");
  if (tensor.defined()) error.detail("tensor", describe(tensor));
  error.detail("captured for", captured)
      .detail("called with", called)
      .hint("capture it again for these")
      .raise();
}

// Strides along which nobody steps do not matter.
bool same_strides(const Tensor& tensor, const Strides& strides) {
  for (int d = 0; d < tensor.rank(); ++d)
    if (tensor.size(d) > 1 && tensor.stride(d) != strides[static_cast<std::size_t>(d)]) return false;
  return true;
}

std::string layout(const Strides& strides, std::int64_t offset) {
  return fmt::format("strides {} from element {}", to_string(strides), offset);
}

}  // namespace

void Captured::check(const TensorList& given, const TensorList& inputs) const {
  if (given.size() != arguments.size())
    refuse({}, fmt::format("{} tensors", arguments.size()), fmt::format("{} tensors", given.size()));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Type& type = graph->inputs()[i].type();
    const auto wanted = [&] {
      return fmt::format("{} {}", graph->input_name(static_cast<int>(i)), to_string(type));
    };
    if (!inputs[i].defined()) refuse(sources[i].tensor, wanted(), "no gradient");
    if (!sources[i].flat && type_of(inputs[i]) != type) refuse({}, wanted(), describe(inputs[i]));
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    const Tensor& tensor = given[i];
    if (type_of(tensor) != argument.type)
      refuse({}, fmt::format("argument {}, {}", i, to_string(argument.type)), describe(tensor));
    const Source& source = sources[static_cast<std::size_t>(argument.source)];
    const auto first = static_cast<std::size_t>(source.argument);
    if (!tensor.shares_storage_with(given[first]))
      refuse(tensor, "arguments that share memory", "arguments that do not");
    if (argument.requires_grad != tensor.requires_grad() && !expected_gradients.empty())
      refuse(tensor, fmt::format("requires_grad={}", argument.requires_grad),
             fmt::format("requires_grad={}", tensor.requires_grad()));
    if (argument.requires_grad && argument.leaf != static_cast<int>(i) &&
        tensor.unsafe_impl() != given[static_cast<std::size_t>(argument.leaf)].unsafe_impl())
      refuse(tensor, "the same tensor twice", "two tensors");
    if (!source.exact && !source.absolute && !argument.shared) continue;
    const std::int64_t moved =
        source.flat || source.absolute ? 0 : given[first].storage_offset() - arguments[first].offset;
    if (!same_strides(tensor, argument.strides) || tensor.storage_offset() != argument.offset + moved)
      refuse(tensor, layout(argument.strides, argument.offset + moved),
             layout(tensor.strides(), tensor.storage_offset()));
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    if (source.is_state()) continue;
    if (source.gradient && (source.exact || source.flat)) {
      const Tensor& leaf =
          source.argument < 0 ? source.tensor : given[static_cast<std::size_t>(source.argument)];
      const Tensor gradient = leaf.grad();
      if (!same_strides(gradient, source.strides) ||
          (source.flat && gradient.storage_offset() != source.offset))
        refuse(gradient, layout(source.strides, source.offset),
               layout(gradient.strides(), gradient.storage_offset()));
    }
    if (type_of(inputs[i]) != graph->inputs()[i].type())
      refuse(inputs[i], to_string(graph->inputs()[i].type()), to_string(type_of(inputs[i])));
  }
  // What is written must not be seen by others that were apart from it.
  for (const Write& write : writes) {
    const auto written = static_cast<std::size_t>(write.source);
    if (sources[written].is_state()) continue;
    for (std::size_t i = 0; i < sources.size(); ++i)
      if (i != written && !sources[i].is_state() && inputs[i].shares_storage_with(inputs[written]))
        refuse(inputs[i], "what it writes as memory of its own", "tensors that share memory with it");
  }
  for (const ExpectedGradient& expected : expected_gradients) {
    const Tensor& leaf =
        expected.argument < 0 ? expected.leaf : given[static_cast<std::size_t>(expected.argument)];
    const Tensor now = leaf.grad();
    if (now.defined() != expected.present)
      refuse(leaf, expected.present ? "a gradient" : "no gradient",
             now.defined() ? "a gradient" : "no gradient");
    if (expected.source >= 0 && !now.shares_storage_with(inputs[static_cast<std::size_t>(expected.source)]))
      refuse(leaf, "a gradient that is also used in another way", "another gradient");
  }
}

}  // namespace phlox::graph
