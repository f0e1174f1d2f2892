// A graph made ready to run many times on inputs of the same memory layout.
//
// The primitives of the graph are evaluated once, without data, and what they ask of the device is noted: a list of
// kernel calls on memory that is laid out beforehand, in one block with room for what lives at the same time. Running
// the plan makes these calls and nothing else: no checks, no shapes, no allocation. What needs values to know what to
// do (places given by tensors, random numbers, checks) is evaluated as it comes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "phlox/graph/memory_plan.h"
#include "phlox/graph/workspace.h"

namespace phlox::graph {

// An output of the graph that may be written to the memory of an input, whose old value nobody needs afterwards.
struct Donation {
  int output;
  int input;
};

class Plan {
 public:
  enum class Kind : std::uint8_t {
    plain,
    watched,  // results are looked at (ops/primitives/watch.h)
    memory,   // is never run, only asked how much memory it would take
  };
  // For inputs with the strides of these, which need no data. What lives in between lies in the workspace while it runs.
  Plan(GraphPointer graph, std::span<const Tensor> inputs, std::span<const Donation> donations = {},
       Kind kind = Kind::plain, std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>());
  ~Plan();

  // Whether the inputs have the layout that the plan is for.
  bool fits(std::span<const Tensor> inputs) const;
  // The outputs; undefined are those for which `is_donated()`, which are in the memory of their inputs. Nothing while
  // another thread runs the plan.
  std::optional<TensorList> run(std::span<const Tensor> inputs);
  bool is_donated(int output) const;
  // Whether each output that is not donated is sure to have memory of its own.
  bool has_fresh_outputs() const;

  std::size_t arena_bytes() const;  // of intermediate values
  MemoryPlan memory() const;
  std::size_t step_count() const;

  struct Implementation;

 private:
  std::unique_ptr<Implementation> self_;
};

}  // namespace phlox::graph
