// What a plan consists of, for those who make it: plan_recorder.h notes its steps, plan_layout.cc gives memory its places.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "phlox/graph/plan.h"
#include "phlox/graph/plan_stages.h"
#include "phlox/graph/plan_steps.h"
#include "phlox/graph/workspace.h"

namespace phlox::graph {

// Where a tensor of the plan gets its memory from.
enum class Home : std::uint8_t { arena, input, output, result };

// Memory in the plan; a storage without data stands for it while the plan is made.
struct PlannedMemory {
  Home home = Home::arena;
  int number = 0;        // of the input
  bool donated = false;  // an output in the memory of the input
  std::size_t bytes = 0;
  int first = -1, last = -1;  // steps that use it
  std::size_t place = 0;      // in the arena
  Device device = {};
  const Node* maker = nullptr;                                // the node that makes it, or looks at it first
  std::vector<std::pair<TensorImpl*, std::int64_t>> lookers;  // tensors in it, with their offsets
};

// The same elements in the same places.
bool same_layout(const TensorImpl& a, const TensorImpl& b);

// What nodes that are evaluated as they come need beside their operands (graph/evaluated_memory.h).
struct EvaluatedMemory {
  std::size_t results = 0;  // of these nodes
  std::size_t most = 0;     // at a time, with the results up to then
  std::size_t kept = 0;     // in sequences
  std::size_t kept_by_turn =
      0;  // and again with each further turn of loops whose number of turns is not known
  std::size_t constants = 0;
  std::vector<std::size_t> blocks;  // of the workspace, for plans within this one, within these, ...
  std::vector<MemoryPlan::Value> largest;
};

struct Plan::Implementation {
  GraphPointer graph;
  std::deque<TensorImpl> tensors;
  std::vector<PlannedMemory> memories;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<StepUse> step_uses;
  std::vector<Stage> stages;
  std::vector<Strides> input_strides;
  std::vector<int> input_memories;
  struct Output {
    TensorImpl* tensor = nullptr;
    int memory = 0;
    bool donated = false;
  };
  std::vector<Output> outputs;
  bool fresh_outputs = false;
  std::vector<std::pair<int, PlannedMemory*>> bound_inputs;  // and the inputs whose memory they are
  std::vector<PlannedMemory*> bound_outputs;
  std::vector<std::pair<int, Tensor>> constants;  // and their memories
  TensorList results;                             // of nodes evaluated as they come; in a run
  // For each step, the memory of inputs that it reads exactly where it writes; for pointwise steps only.
  std::vector<std::vector<int>> elementwise;
  // The memory of intermediate values, in a block that the workspace lends for a run.
  struct ArenaPart {
    Storage* storage;
    std::size_t place;
  };
  std::shared_ptr<Workspace> workspace;
  std::vector<ArenaPart> arena_parts;
  std::size_t arena_bytes = 0;
  const char* arena = nullptr;  // the block of the last run
  EvaluatedMemory evaluated;    // of plans that are asked for it
  std::atomic_flag running;     // and no lock: a callback may call the function that it is part of

  Implementation(GraphPointer graph_, std::shared_ptr<Workspace> workspace_)
      : graph(std::move(graph_)), workspace(std::move(workspace_)) {}
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  // Once all steps are there: takes donations, finds what runs at the same time, and gives memory its places.
  void accept(std::span<const Donation> donations);
  void find_stages(int threads);
  void place();

  void use_arena(char* block);
  void run(const Stage& stage);
  void bind(PlannedMemory& memory, Storage* storage, std::int64_t base) {
    for (auto& [tensor, offset] : memory.lookers) {
      tensor->storage = storage;
      tensor->offset = base + offset;
    }
  }
};

}  // namespace phlox::graph
