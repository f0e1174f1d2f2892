// Loops over rows and choices among several functions, written with those of graph/control_flow.h.
//
//   Tensor y = switch_case(index, {[&] { return TensorList{x}; }, [&] { return TensorList{x * 10}; }})[0];
//   Tensor product = foldl([](const TensorList& total, const TensorList& row) {
//     return TensorList{total[0] * row[0]};
//   }, {x})[0];
#pragma once

#include <functional>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

// What the branch of this number gives; an index outside, int64[], is moved to the nearest branch. Captured, all branches
// give as many tensors, of the same types. Gradients flow through. Throws ValueError where there is no branch.
TensorList switch_case(const Tensor& index, const std::vector<std::function<TensorList()>>& branches);

// Joins a total and a row.
using Fold = std::function<TensorList(const TensorList& total, const TensorList& row)>;
// total = function(total, row) for the rows of the inputs from the first to the last, or for foldr() from the last to the
// first; the last total. It begins with `init`, or where that is empty with the first row. Throws ShapeError where there
// is no row to begin with, or inputs differ in their numbers of rows.
TensorList foldl(const Fold& function, const TensorList& inputs, TensorList init = {});
TensorList foldr(const Fold& function, const TensorList& inputs, TensorList init = {});

// Joins many slices with those behind them at once, along the dimension.
using Combine = std::function<TensorList(const TensorList& early, const TensorList& late)>;
// Running results of an associative function along a dimension, from the first slice or in reverse, in log2(n) steps.
// Throws ShapeError where the inputs differ in the size of the dimension. Source: Hillis, Steele 1986.
TensorList associative_scan(const Combine& combine, TensorList inputs, std::int64_t dim = 0,
                            bool reverse = false);

}  // namespace phlox
