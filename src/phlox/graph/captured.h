// A captured function: its graph, and what of the program around it the graph reads and changes.
//
//   phlox::Tensor weight = phlox::randn({4, 2});
//   auto captured = phlox::graph::trace([&](const auto& x) { return phlox::TensorList{relu(matmul(x[0], weight))}; },
//                                       {phlox::randn({3, 4})});
//   phlox::Tensor y = captured.run({x})[0];           // the same bits as the function gives
//   std::cout << to_string(*captured.graph);
#pragma once

#include <functional>
#include <optional>

#include "phlox/graph/configuration.h"
#include "phlox/graph/graph.h"

namespace phlox::graph {

// What an input of the graph is in the program around it: the memory of an argument, of a tensor that the function got
// hold of in another way, or of a leaf's gradient; or the state of a generator; or the count of effects (ops/effects.h),
// which begins at 0.
struct Source {
  int argument = -1;               // its number
  Tensor tensor = {};              // or the tensor,
  bool gradient = false;           // or the gradient of the tensor
  Generator* generator = nullptr;  // or the generator
  bool effects = false;            // or the count of effects
  // No memory of the program.
  bool is_state() const { return generator || effects; }
  bool flat = false;  // all elements of the memory in their order there, not as the tensor shows them
  // Where the elements lay; `exact` if the graph, or a view of the memory that is a result, counts on it.
  Strides strides = {};
  std::int64_t offset = 0;
  bool exact = false;
  bool absolute = false;       // as_strided() counted elements from the beginning of the memory
  bool requires_grad = false;  // the tensor, where it is no argument
};

class Plan;
class Workspace;
struct Donation;
struct MemoryPlan;

// The argument of this number, or where there is none (-1) the tensor around the function.
inline const Tensor& given_or_around(const TensorList& given, int argument, const Tensor& around) {
  return argument < 0 ? around : given[static_cast<std::size_t>(argument)];
}

struct Captured {
  GraphPointer graph;

  // How each argument looks at the memory of its source.
  struct Argument {
    int source;
    Type type;
    Strides strides = {};
    std::int64_t offset = 0;
    bool shared = false;  // with another argument: then it must lie where it lay
    bool requires_grad = false;
    bool is_leaf = true;
    int same = -1;  // the first argument that is the same tensor
  };
  std::vector<Argument> arguments;

  std::vector<Source> sources;  // one for each input of the graph

  // A tensor that the function leaves behind: the only one that looks at an output of the graph; or a view of the memory
  // of a source, or of an output that others look at too, as they do eagerly.
  struct Result {
    int output = -1;
    int source = -1;              // whose memory it is, where it is one's
    bool shared = false;          // others look at the output,
    Strides memory_strides = {};  // which lies in memory like this
    DType dtype = DType::float32;
    Shape shape = {};
    Strides strides = {};
    std::int64_t offset = 0;
    bool differentiable = false;  // it takes part in gradients
    int written_history = -1;     // it is this tensor around the function itself
    // Of a branch or loop: what it eagerly may be, in the memory of these tensors or arguments, or of these numbers.
    TensorList may_be = {};
    std::vector<int> may_be_arguments = {}, may_be_memories = {};
  };
  std::vector<Result> results;
  // Of a branch or loop: what may have been written through another name, and then is not what the graph takes it for.
  struct Stale {
    Tensor tensor;
    int argument = -1;  // it lies in the memory of this argument
    std::string where;  // the line of the write
  };
  std::vector<Stale> stale;
  struct Write {
    int source;
    int output;
  };
  std::vector<Write> writes;  // sources that get new values
  // A tensor around the function that is written, and that gradients flow through from then on.
  struct WrittenHistory {
    Tensor tensor;
    int argument = -1;  // it is this argument
    int output;         // its value
    const Tensor& of(const TensorList& given) const { return given_or_around(given, argument, tensor); }
  };
  std::vector<WrittenHistory> written_histories;
  struct Gradient {
    Tensor leaf;
    int argument = -1;                 // the leaf is this argument
    std::optional<Result> after = {};  // none: the leaf keeps no gradient any more
    int present = -1;                  // an output, bool[]: if false, it keeps none either
  };
  std::vector<Gradient> gradients;
  std::vector<int> required;  // outputs that are computed for the checks in them only
  // What gives results gradients that the graph does not know: "the function Twice", "a hook", "vmap()"; empty if nothing
  // does.
  std::string own_gradient = {};
  // The gradients that the program gives itself then, as far as they are captured. From the inputs of the graph and
  // gradients for all differentiable outputs, of which some are given, the first graph where all are and then one for
  // each that is given alone, they compute those of sources.
  struct OwnGradients {
    std::vector<bool> given;
    GraphPointer graph;
    std::vector<int> sources;
  };
  std::shared_ptr<const std::vector<OwnGradients>> own_gradients = {};
  // Leaves whose gradient was looked at: it matters to what the function does whether there is one.
  struct ExpectedGradient {
    Tensor leaf;
    int argument = -1;  // the leaf is this argument
    bool present = false;
    int source = -1;  // the memory of the gradient, where the graph reads it
  };
  std::vector<ExpectedGradient> expected_gradients;
  // Hooks of leaves that got gradients: what they do is in the graph.
  struct ExpectedHooks {
    Tensor leaf;
    int argument = -1;  // the leaf is this argument
    std::uint64_t hooks = 0;
  };
  std::vector<ExpectedHooks> expected_hooks;

  // What the function depended on besides tensors: modules and optimisers that ran, and whether tensors around it require
  // gradients. A trace keeps to it; who captures again when the program changes asks what_changed().
  std::vector<Configuration::Used> configurations;
  struct ExpectedFlag {
    Tensor tensor;
    bool requires_grad;
  };
  std::vector<ExpectedFlag> expected_flags;
  bool is_current() const;
  // "a module changed between train() and eval()"; nothing while is_current().
  std::optional<std::string> what_changed() const;

  // What is not as it was in the capture, where that matters: dtypes, shapes, which share memory, whether gradients are
  // there, how views that are results lie.
  struct Misfit {
    Tensor tensor;  // which it is, where it is one's
    std::string captured, called;
    [[noreturn]] void raise() const;  // as a GraphError
  };
  std::optional<Misfit> misfit(const TensorList& given) const;

  // Does what the function does. Throws GraphError where there is a misfit. Gradients flow through results to what the
  // function found around it; for them the graph is run again with the tape on.
  TensorList run(const TensorList& given) const;
  // The same, or none where there is a misfit.
  std::optional<TensorList> run_if_fits(const TensorList& given) const;
  // The memory that a call with these arguments takes; they need no data.
  MemoryPlan memory_plan(const TensorList& given) const;
  // The inputs that the graph gets for these arguments, in their state now.
  TensorList inputs_for(const TensorList& given) const;
  // The same with another graph that has the same inputs and outputs.
  Captured with_graph(GraphPointer other) const;
  // What lives in between lies there from now on: captures of one function need the memory of the largest only.
  void use_workspace(std::shared_ptr<Workspace> workspace);

 private:
  // The inputs of the graph, unchecked.
  TensorList collect(const TensorList& given) const;
  std::optional<Misfit> find_misfit(const TensorList& given, const TensorList& inputs) const;
  TensorList run_on(const TensorList& given, TensorList inputs) const;
  // The outputs, each in memory of its own, or in that of the input that it is written to.
  TensorList compute(const TensorList& inputs) const;
  // Copies outputs that look at the memory of an input, a constant or another output.
  void give_memory(const TensorList& inputs, TensorList& outputs, const Plan* plan) const;
  std::vector<Donation> donations() const;
  friend class Tracer;
  void set_graph(GraphPointer other);
  // What the tape saves for gradients of the results: the inputs before the graph writes any. Nothing if there is nothing
  // to follow backwards.
  struct Operands {
    TensorList tensors;
    std::vector<Edge> edges;
  };
  std::optional<Operands> operands_for(const TensorList& given, const TensorList& inputs) const;
  void record(const Operands& operands, const TensorList& given, const TensorList& returned) const;
  // The outputs that gradients flow to from outside.
  std::vector<int> differentiable_outputs() const;
  bool has_differentiable_outputs() const;
  std::shared_ptr<Plan> plan_for(const TensorList& inputs) const;

  // Plans for the layouts of inputs that the last runs had; one for others takes the place of the oldest.
  using Plans = std::vector<std::shared_ptr<Plan>>;
  mutable std::shared_ptr<const Plans> plans_, watched_plans_;
  std::shared_ptr<Workspace> workspace_;
  std::vector<const Storage*> constants_;  // memory of the graph's constants
  std::vector<char> written_;              // whether each source is
  std::vector<char> overwritten_;          // and results that gradients flow to depend on what it was
};

// Calls the function once, with arguments like the examples, and notes what it does with tensors. Its Python or C++ code
// runs; its tensors have no values. Throws GraphError (E1001, E1002) where the function asks for values.
Captured trace(const std::function<TensorList(const TensorList&)>& function, const TensorList& examples);

// Runs a graph with the kernels of eager execution; every node once. Inputs must have the types of the graph's.
TensorList execute(const Graph& graph, std::span<const Tensor> inputs);

}  // namespace phlox::graph
