// Gradients of graphs, by running them with the tape on: eagerly, or once more while something is captured.
#pragma once

#include <span>
#include <vector>

#include "phlox/autograd/gradient_presence.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/graph/graph.h"

namespace phlox::graph {

// The gradients of those inputs that are wanted, from those of the outputs; undefined tensors stand for zero, also for
// inputs that nothing depends on. Where gradients are recorded, the result can be differentiated.
TensorList gradients_of(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                        std::span<const Tensor> output_gradients);
// The same with zeros for inputs that nothing depends on.
TensorList gradients_or_zeros(const Graph& graph, const TensorList& inputs, const std::vector<bool>& wanted,
                              std::span<const Tensor> output_gradients);

// Which outputs gradients flow to, if they flow to these inputs.
std::vector<bool> outputs_with_gradients(const Graph& graph, const std::vector<bool>& inputs);
// The same of the states of a loop with this body, after any number of turns; they come behind the first `skipped` inputs.
std::vector<bool> states_with_gradients(const Graph& body, std::vector<bool> inputs, std::size_t skipped);

// Notes when a gradient is there, while something is captured.
void mark_presence(const Tensor& gradient, const autograd::GradientPresence::When& when);

// Another tensor in the same memory, with a place of its own in the tape.
Tensor recorded_alias(const Tensor& tensor);

// Something in the tape that ran graphs on operands, and runs them again for its gradients.
class GraphNode : public GradientNode {
 public:
  GraphNode(const char* name, const TensorList& operands, std::span<const Edge> edges_of_operands,
            int outputs);
  void backward(std::span<const Tensor> output_gradients, std::span<Tensor> input_gradients) final;
  void release_saved() override;
  bool released() const final;

 private:
  // The gradients of the operands that are wanted, in order.
  virtual TensorList gradients(const TensorList& operands, const std::vector<bool>& wanted,
                               std::span<const Tensor> output_gradients) = 0;

  std::vector<SavedTensor> operands_;
};

}  // namespace phlox::graph
