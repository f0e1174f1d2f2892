// Batching rules: what a primitive does when some of its inputs hold a tensor for each sample of a batch.
//
//   TensorList batch_softmax(const BatchedCall& call) {
//     const auto& a = call.attributes_as<SoftmaxAttributes>();
//     return {apply_softmax(call.tensor(0), a.dim + 1, a.log)};
//   }
//   PHLOX_BATCHING_RULE(softmax, batch_softmax);
//
// stands beside the primitive's PHLOX_PRIMITIVE. A rule gets real tensors, those with samples with the batch as their
// first dimension, and gives results of that kind. It computes with operations and is not recorded for gradients.
// A primitive without a rule runs once for each sample.
#pragma once

#include "phlox/ops/primitives/primitive.h"

namespace phlox {

class BatchedCall {
 public:
  BatchedCall(const Primitive& primitive, std::int64_t batch, std::span<const Operand> inputs,
              const std::vector<bool>& batched, const void* attributes)
      : primitive_(primitive), batch_(batch), inputs_(inputs), batched_(batched), attributes_(attributes) {}

  const Primitive& primitive() const { return primitive_; }
  // The number of samples.
  std::int64_t batch() const { return batch_; }
  std::span<const Operand> inputs() const { return inputs_; }
  // Whether an input is there, and no number.
  bool has(std::size_t i) const {
    return i < inputs_.size() && inputs_[i].is_tensor() && inputs_[i].tensor().defined();
  }
  // Whether an input has the batch dimension, or is shared by all samples.
  bool is_batched(std::size_t i) const { return i < batched_.size() && batched_[i]; }
  // The input as it is.
  const Tensor& tensor(std::size_t i) const { return inputs_[i].tensor(); }
  // The input with the batch dimension; a shared one is expanded, which takes no memory.
  Tensor batched(std::size_t i) const;
  // The number of dimensions of the input in one sample.
  int rank(std::size_t i) const { return tensor(i).rank() - (is_batched(i) ? 1 : 0); }
  const void* attributes() const { return attributes_; }
  template <class T>
  const T& attributes_as() const {
    return *static_cast<const T*>(attributes_);
  }
  // For inputs that are states of a generator, each `blocks` counters after that of the sample before: the first.
  Tensor first_state;
  std::int64_t blocks = 0;

 private:
  const Primitive& primitive_;
  std::int64_t batch_;
  std::span<const Operand> inputs_;
  const std::vector<bool>& batched_;
  const void* attributes_;
};

using BatchingFunction = TensorList (*)(const BatchedCall& call);
struct BatchingRule {
  const Primitive* primitive;
  BatchingFunction function;
};
PHLOX_TABLE(BatchingRule, phlox_batching_rules);

#define PHLOX_BATCHING_RULE(primitive_name, rule_function)                                              \
  constexpr ::phlox::BatchingRule primitive_name##_batching PHLOX_TABLE_ENTRY(phlox_batching_rules) = { \
      &primitive_name##_primitive, rule_function}

// The rule of a primitive; null when it has none.
BatchingFunction find_batching_rule(const Primitive& primitive);
// The primitive run for each sample, and the results stacked.
TensorList run_each_sample(const BatchedCall& call);

// --- helpers of rules

// [batch, n, ...] as [batch * n, ...], and the reverse.
Tensor fold_batch(const Tensor& tensor);
Tensor unfold_batch(const Tensor& tensor, std::int64_t batch);
// With dimensions of size 1 behind the batch dimension, so that it has `rank` dimensions without that one.
Tensor with_sample_rank(const Tensor& batched, int rank);
// Dimensions of a sample as those of the batch.
Dims behind_batch(const Dims& dims);
// Sizes or other numbers of a sample with that of the batch dimension in front.
IntList with_batch(std::int64_t first, const IntList& list);

}  // namespace phlox
