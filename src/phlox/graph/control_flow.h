// Branches and loops on the values of tensors.
//
//   auto [y] = cond(lt(sum(x), 0), [&] { return TensorList{-x}; }, [&] { return TensorList{x * 2}; });
//
// Eagerly these are `if`, `while` and `for`. While a function is captured, conditions are not known: then the functions
// are called once, and become graphs of their own, the regions of a node. Tensors around that they use are operands of
// the node; those that they write in place are results.
#pragma once

#include <functional>

#include "phlox/graph/graph.h"

namespace phlox {

// Throws AssertionError (E1006) with this message where the condition, bool[], does not hold; captured, each run does.
void require(const Tensor& condition, const std::string& message);

// What the function of the side gives that `condition`, bool[], chooses. Both give as many tensors, of the same types.
// Gradients flow through.
TensorList cond(const Tensor& condition, const std::function<TensorList()>& if_true,
                const std::function<TensorList()>& if_false);

// While test(state) holds, state = body(state); the last state. Captured, shapes and dtypes of the state stay the same,
// and nothing in the loop takes part in gradients.
TensorList while_loop(const std::function<Tensor(const TensorList&)>& test,
                      const std::function<TensorList(const TensorList&)>& body, TensorList state);

// state = body(i, state) for i, int64[], from 0 to count - 1; the last state. Captured, under the rules of while_loop().
TensorList for_loop(const Tensor& count,
                    const std::function<TensorList(const Tensor&, const TensorList&)>& body,
                    TensorList state);

namespace graph {

// The types that a node of control flow gives. Throws GraphError where its regions do not fit its inputs.
//   cond(condition, operands...)     regions (operands...) -> results, for true and for false
//   while_loop(state..., others...)  regions (state..., others...) -> bool[], and -> state
//   for_loop(count, state..., others...)  region (index, state..., others...) -> state
std::vector<Type> types_of_regions(const Primitive& primitive, std::span<const Input> inputs,
                                   std::span<const GraphPointer> regions);

// The results of such a node.
TensorList run_regions(const Node& node, std::span<const Operand> operands);

}  // namespace graph
}  // namespace phlox
