// Gradients of loops that are captured.
//
// A loop that takes part in gradients remembers its state at the beginning of each turn, in sequences that go round with
// it. Its gradient is a loop over the turns from the last to the first, which runs each turn again from what is
// remembered and the gradient of that turn. It is a loop like others, so it has a gradient itself.
//
// Source: A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM 2008, chapters 3 and 12.
#pragma once

#include <vector>

#include "phlox/core/gradient_node.h"
#include "phlox/graph/graph.h"

namespace phlox::graph {

// A loop as its node has it (graph/control_flow.h).
struct Loop {
  bool has_index = false;  // for_loop: the body gets the number of the turn first
  std::size_t states = 0;  // first among the inputs, and all outputs of the body
  GraphPointer body;
  std::vector<bool> carries;  // which states gradients flow to
};

// The body with a sequence for each state behind the states, to which it pushes the state that it gets, and a number of
// type i64[] that it increases.
GraphPointer remembering_body(const Loop& loop);
// The test of a while_loop with the inputs of such a body.
GraphPointer remembering_test(const Graph& test, std::size_t states);

// The loop in the tape. `operands` are the states in the beginning and the others; `results` the last states, what was
// remembered of each, and the number of turns. Gives the results their history.
void record_loop(const Loop& loop, const TensorList& operands, const TensorList& results);

}  // namespace phlox::graph
