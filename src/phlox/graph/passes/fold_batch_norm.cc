#include "phlox/graph/evaluate.h"
#include "phlox/graph/passes/passes.h"
#include "phlox/graph/passes/rebuild.h"
#include "phlox/ops/primitives/pointwise.h"
#include "phlox/ops/view.h"

namespace phlox::graph {
namespace {

// The value as [1, channels, 1, ...]: one number for each channel, which is dimension `dim`.
bool is_along(const Value* value, const Type& type, int dim) {
  if (!value || value->type().dtype != type.dtype || value->type().shape.rank() != type.shape.rank())
    return false;
  for (int d = 0; d < type.shape.rank(); ++d) {
    const auto at = static_cast<std::size_t>(d);
    if (value->type().shape[at] != (d == dim ? type.shape[at] : 1)) return false;
  }
  return true;
}

// addend + result * factor, with a number for each channel, which is how batch_norm() reads outside of training.
Replacement fold(Rebuilder& to, const Candidate& c, const std::vector<int>& uses) {
  if (!c.origin || !c.is("addcmul") || !is_floating(c.types[0].dtype)) return std::nullopt;
  const auto& scalars = c.attributes_as<PointwiseAttributes>().scalars;
  if (scalars.size() != 1 || scalars[0].kind() == Scalar::Kind::complex || scalars[0].real() != 1)
    return std::nullopt;
  const Node* convolution = c.made_by(1, "convolution");
  const Node* product = convolution ? convolution : c.made_by(1, "contraction");
  const auto* before = std::get_if<Value>(&c.origin->inputs()[1]);
  if (!product || !before || uses[static_cast<std::size_t>(before->node->number())] != 1) return std::nullopt;
  const Type& type = c.types[0];
  if (c.value(1)->type() != type) return std::nullopt;
  const int rank = type.shape.rank(), dim = convolution ? 1 : rank - 1;
  if (!is_along(c.value(0), type, dim) || !is_along(c.value(2), type, dim)) return std::nullopt;

  const auto reshaped = [&](const Value& value, const Shape& shape) {
    const ViewAttributes reshape{ViewKind::reshape, shape};
    return to.make("view", {value}, &reshape, c.location);
  };
  const std::int64_t channels = type.shape[static_cast<std::size_t>(dim)];
  Shape across(static_cast<std::size_t>(rank), 1);
  across[convolution ? 0 : static_cast<std::size_t>(dim)] = channels;
  std::vector<Input> inputs(product->inputs().begin(), product->inputs().end());
  const Value factor = *c.value(2);
  Value bias = reshaped(*c.value(0), {channels});
  if (inputs.size() > 2)
    bias = to.make_pointwise(
        "add", {to.make_pointwise("mul", {inputs[2], reshaped(factor, {channels})}, c.location), bias},
        c.location);
  inputs[1] = to.make_pointwise("mul", {inputs[1], reshaped(factor, across)}, c.location);
  inputs.resize(2);
  inputs.emplace_back(bias);
  return {{to.make(product->primitive().name, std::move(inputs), product->attributes().get(), c.location)}};
}

}  // namespace

GraphPointer fold_batch_norm(const GraphPointer& graph) {
  return rebuild(*graph, fold_batch_norm,
                 [uses = count_uses(*graph)](Rebuilder& to, const Candidate& candidate) {
                   return fold(to, candidate, uses);
                 });
}

}  // namespace phlox::graph
