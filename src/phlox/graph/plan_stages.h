// Which steps of a plan run at the same time. Steps that need each other's memory stay in one thread, in their order, so
// results do not depend on it.
#pragma once

#include <span>
#include <vector>

namespace phlox::graph {

// What a step does.
struct StepUse {
  double cost = -1;  // nanoseconds, about; negative: it waits for all before it, and all after it wait
  std::vector<int> memories;  // that it reads or writes
  int written = -1;           // the one of them that it writes
};

// Steps from `first` to before `last`: one after the other, or those of each lane at the same time as the others.
struct Stage {
  int first, last;
  std::vector<std::vector<int>> lanes = {};
};

// For this many threads. Lanes are made only where they save more than threads take to begin and end together.
std::vector<Stage> make_stages(std::span<const StepUse> steps, int threads);

}  // namespace phlox::graph
