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

// The memory that a run takes, in bytes as memory_statistics() counts them.
struct MemoryPlan {
  std::size_t inputs = 0;        // there before
  std::size_t constants = 0;     // there before
  std::size_t intermediate = 0;  // one block for what lives in between; kept for the next run
  std::size_t evaluated = 0;     // results of nodes that need values to know what to do
  std::size_t outputs = 0;
  std::size_t peak() const { return inputs + constants + intermediate + evaluated + outputs; }
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
// The largest batch, up to that of the arguments, for which the memory of a call stays within `limit` bytes, or within what
// the limit of memory leaves beside the tensors that live now. A batch is the size of the first dimension of the first
// argument, which others that begin with this size share. `capture` gives the function captured for arguments without data.
// Nothing where a batch of 1 does not fit, or the first argument has no dimensions.
std::optional<std::int64_t> largest_batch(const std::function<Captured(const TensorList&)>& capture,
                                          const TensorList& arguments, std::optional<std::size_t> limit = {});

}  // namespace phlox::graph
