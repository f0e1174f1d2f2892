#include "phlox/graph/folds.h"

#include <utility>

#include "phlox/graph/control_flow.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

TensorList fold(const Fold& function, const TensorList& inputs, TensorList init, bool reverse) {
  TensorList rows = inputs;
  if (init.empty()) {
    for (Tensor& tensor : rows) {
      const std::int64_t count = tensor.rank() > 0 ? tensor.size(0) : 0;
      if (count == 0)
        fail<ShapeError>(ErrorCode::empty_reduction, "fold: no row to begin with")
            .detail("input", describe(tensor))
            .raise();
      init.push_back(select(tensor, 0, reverse ? count - 1 : 0));
      tensor = narrow(tensor, 0, reverse ? 0 : 1, count - 1);
    }
  }
  return scan([&](const TensorList& total,
                  const TensorList& row) { return ScanResult{function(total, row), {}}; },
              std::move(init), rows, reverse)
      .carry;
}

// Halves the branches until one is left.
TensorList among(const Tensor& index, const std::vector<std::function<TensorList()>>& branches,
                 std::size_t low, std::size_t high) {
  if (high - low == 1) return branches[low]();
  const std::size_t middle = (low + high) / 2;
  return cond(
      lt(index, static_cast<std::int64_t>(middle)), [&] { return among(index, branches, low, middle); },
      [&] { return among(index, branches, middle, high); });
}

}  // namespace

TensorList switch_case(const Tensor& index, const std::vector<std::function<TensorList()>>& branches) {
  if (branches.empty()) fail<ValueError>(ErrorCode::invalid_value, "switch_case: there is no branch").raise();
  return among(index, branches, 0, branches.size());
}

TensorList foldl(const Fold& function, const TensorList& inputs, TensorList init) {
  return fold(function, inputs, std::move(init), false);
}
TensorList foldr(const Fold& function, const TensorList& inputs, TensorList init) {
  return fold(function, inputs, std::move(init), true);
}

TensorList associative_scan(const Combine& combine, TensorList inputs, std::int64_t dim, bool reverse) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int64_t size = inputs[i].size(dim);
    if (i > 0 && size != count)
      fail<ShapeError>(ErrorCode::sizes_differ, "associative_scan: tensors have the same size along dim")
          .detail("inputs[0]", describe(inputs[0]))
          .detail("input", describe(inputs[i]))
          .raise();
    count = size;
    if (reverse) inputs[i] = flip(inputs[i], DimList(dim));
  }
  for (std::int64_t step = 1; step < count; step *= 2) {
    TensorList early, late;
    for (const Tensor& tensor : inputs) {
      early.push_back(narrow(tensor, dim, 0, count - step));
      late.push_back(narrow(tensor, dim, step, count - step));
    }
    const TensorList joined = combine(early, late);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      inputs[i] = cat({narrow(inputs[i], dim, 0, step), joined.at(i)}, dim);
  }
  if (reverse)
    for (Tensor& tensor : inputs) tensor = flip(tensor, DimList(dim));
  return inputs;
}

}  // namespace phlox
