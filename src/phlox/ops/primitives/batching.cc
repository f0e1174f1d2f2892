#include "phlox/ops/primitives/batching.h"

#include <map>

#include "phlox/ops/functions.h"
#include "phlox/ops/view.h"

namespace phlox {

BatchingFunction find_batching_rule(const Primitive& primitive) {
  static const auto& rules = *[] {
    auto* found = new std::map<const Primitive*, BatchingFunction>;
    for (const BatchingRule& rule : PHLOX_TABLE_SPAN(phlox_batching_rules))
      found->emplace(rule.primitive, rule.function);
    return found;
  }();
  const auto rule = rules.find(&primitive);
  return rule == rules.end() ? nullptr : rule->second;
}

Tensor BatchedCall::batched(std::size_t i) const {
  const Tensor& t = tensor(i);
  return is_batched(i) ? t : apply_view(t, {ViewKind::expand, with_batch(batch_, t.shape())});
}

TensorList run_each_sample(const BatchedCall& call) {
  std::vector<TensorList> samples;
  for (std::int64_t sample = 0; sample < call.batch(); ++sample) {
    TensorList held(call.inputs().size());
    std::vector<Operand> operands(call.inputs().begin(), call.inputs().end());
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!call.is_batched(i)) continue;
      held[i] = select_dim(call.tensor(i), 0, sample);
      operands[i] = Operand(held[i]);
    }
    samples.push_back(call.primitive().evaluate(operands, call.attributes()));
  }
  TensorList results;
  for (std::size_t k = 0; k < samples[0].size(); ++k) {
    TensorList parts;
    for (const TensorList& sample : samples) parts.push_back(sample[k]);
    results.push_back(parts[0].defined() ? stack(parts, 0) : Tensor());
  }
  return results;
}

Tensor fold_batch(const Tensor& tensor) {
  Shape shape = tensor.shape();
  const std::int64_t batch = shape[0];
  shape.erase(0);
  shape[0] *= batch;
  return reshape(tensor, shape);
}

Tensor unfold_batch(const Tensor& tensor, std::int64_t batch) {
  Shape shape = tensor.shape();
  shape[0] /= batch;
  return reshape(tensor, with_batch(batch, shape));
}

Tensor with_sample_rank(const Tensor& batched, int rank) {
  Shape shape = batched.shape();
  while (shape.rank() < rank + 1) shape.insert(1, 1);
  return shape == batched.shape() ? batched : reshape(batched, shape);
}

Dims behind_batch(const Dims& dims) {
  Dims moved = dims;
  for (std::int64_t& dim : moved) ++dim;
  return moved;
}

IntList with_batch(std::int64_t first, const IntList& list) {
  IntList result = list;
  result.insert(0, first);
  return result;
}

}  // namespace phlox
