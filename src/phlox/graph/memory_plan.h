// How much memory a captured function takes, told before it runs.
//
//   std::cout << to_string(captured.memory_plan({images, labels}));
//   auto batch = largest_batch(capture, {images, labels}, std::size_t{2} << 30);
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "phlox/graph/graph.h"

namespace phlox::graph {

// The memory that a run takes, in bytes: large blocks as memory_statistics() counts them, and small ones too.
struct MemoryPlan {
  std::size_t inputs = 0;     // there before
  std::size_t constants = 0;  // there before
  // What lives in between: of the function, of the branches and loops in it, of those within these, and so on. These blocks
  // are kept for the next run.
  std::vector<std::size_t> blocks;
  std::size_t intermediate() const;
  std::size_t evaluated =
      0;  // results of nodes that need values to know what to do, of branches and of turns of loops
  std::size_t kept = 0;  // what loops remember for their gradients
  // How many of these bytes come again with each further turn of loops whose number of turns follows from values; one turn
  // is counted.
  std::size_t kept_by_turn = 0;
  std::size_t outputs = 0;
  std::size_t peak() const { return inputs + constants + intermediate() + evaluated + kept + outputs; }
  // The largest tensors that a run makes, with the node and its place in the program.
  struct Value {
    std::size_t bytes;
    std::string node, location;
  };
  std::vector<Value> largest;
};
// On several lines, for people.
std::string to_string(const MemoryPlan& plan);

struct Captured;
// The largest batch for which the memory of a call stays within `limit` bytes, or within what the limit of memory leaves
// beside the tensors that live now. A batch is the size of the first dimension of the first argument, which others that begin
// with this size share. `capture` gives the function captured for arguments without data; where it throws for a larger batch
// than that of the arguments, these are the largest. Nothing where a batch of 1 does not fit, or the first argument has no
// dimensions.
std::optional<std::int64_t> largest_batch(const std::function<Captured(const TensorList&)>& capture,
                                          const TensorList& arguments, std::optional<std::size_t> limit = {});

}  // namespace phlox::graph
