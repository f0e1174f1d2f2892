// Branches and loops on the values of tensors.
//
//   const Tensor y = cond(lt(sum(x), 0), [&] { return TensorList{-x}; }, [&] { return TensorList{x * 2}; })[0];
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

// While test(state) holds, state = body(state); the last state. Captured, shapes and dtypes of the state stay the same.
// Gradients flow through; a captured loop keeps the states of its turns for them, and computes the rest again.
TensorList while_loop(const std::function<Tensor(const TensorList&)>& test,
                      const std::function<TensorList(const TensorList&)>& body, TensorList state);

// state = body(i, state) for i, int64[], from 0 to count - 1; the last state. Captured, under the rules of while_loop().
TensorList for_loop(const Tensor& count,
                    const std::function<TensorList(const Tensor&, const TensorList&)>& body,
                    TensorList state);

// What a turn of a scan gives, and the scan itself.
struct ScanResult {
  TensorList carry, outputs;
};

// carry, y = body(carry, row) for the rows of the inputs, which have the same size in their first dimension, from the
// first to the last or in reverse. The last carry, and for each y all of them, stacked where their rows were.
//
//   auto sums = scan([](const auto& carry, const auto& row) {          // cumulative sums of x, f32[n, 3]
//     const Tensor sum = carry[0] + row[0];
//     return ScanResult{{sum}, {sum}};
//   }, {zeros({3})}, {x}).outputs[0];
ScanResult scan(const std::function<ScanResult(const TensorList& carry, const TensorList& row)>& body,
                TensorList carry, const TensorList& inputs, bool reverse = false);

// The results of body(row), stacked. Throws ShapeError, as scan() does, where the inputs have no rows or not as many.
TensorList map(const std::function<TensorList(const TensorList& row)>& body, const TensorList& inputs);

namespace graph {

// The types that a node of control flow gives. Throws GraphError where its regions do not fit its inputs.
//   cond(condition, operands...)     regions (operands...) -> results, for true and for false
//   while_loop(state..., others...)  regions (state..., others...) -> bool[], and -> state
//   for_loop(count, state..., others...)  region (index, state..., others...) -> state
std::vector<Type> types_of_regions(const Primitive& primitive, std::span<const Input> inputs,
                                   std::span<const GraphPointer> regions);

// The results of such a node; `run` gives those of a region.
using RegionRunner = std::function<TensorList(const GraphPointer& region, const TensorList& inputs)>;
TensorList run_regions(const Node& node, std::span<const Operand> operands, const RegionRunner& run);

}  // namespace graph
}  // namespace phlox
