// vmap: a function of one sample as a function of a batch, without a loop.
//
//   auto norm = [](const phlox::Tensor& x) { return phlox::sqrt(phlox::sum(phlox::mul(x, x))); };
//   phlox::Tensor norms = phlox::vmap(norm)(phlox::randn({8, 3}));  // f32[8]
//
// The function sees each tensor with the shape of one sample and runs once; each primitive that it reaches does the
// work of the whole batch (ops/primitives/batching.h). The result is that of a loop over the samples whose results are
// stacked, with its gradients, inside of the function and around it. Calls nest.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

#include "phlox/core/gradient_node.h"
#include "phlox/core/tensor.h"

namespace phlox {

// What drawing random numbers means inside of vmap.
enum class Randomness : std::uint8_t {
  error,      // it is an error
  different,  // each sample draws its own numbers
  same,       // all samples draw the same numbers
};

// For each argument or result the dimension of the batch; none for one that all samples share. A single entry stands
// for all.
struct BatchDims : std::vector<OptionalDim> {
  using std::vector<OptionalDim>::vector;
  BatchDims() : BatchDims{0} {}
  BatchDims(int dim) : BatchDims{OptionalDim(dim)} {}
  BatchDims(OptionalDim dim) : BatchDims{{dim}} {}
  BatchDims(std::initializer_list<OptionalDim> dims) : std::vector<OptionalDim>(dims) {}
};

namespace autograd {

using ListFunction = std::function<TensorList(const TensorList&)>;

// The results of `function` for each sample of the arguments, stacked. `out_dims` is read after the function has run.
// Throws ValueError when no argument has a batch dimension or a result that differs between samples is to be shared,
// ShapeError when sizes of the batch differ or a dimension does not exist, NotSupportedError when the function writes
// in place into a tensor around it, and GraphError when it asks for values or for shapes that depend on them.
TensorList run_vmap(const ListFunction& function, const TensorList& arguments, const BatchDims& in_dims,
                    const BatchDims& out_dims, Randomness randomness = Randomness::error);

// Where the records of the function begin that such a call runs backwards; empty for other nodes.
std::span<const Edge> roots_of_vmap(const GradientNode& node);

}  // namespace autograd

// The function of a batch. `function` takes tensors, or one TensorList, and gives a Tensor or a TensorList. Errors come
// when it is called: see run_vmap().
template <class Function>
auto vmap(Function function, BatchDims in_dims = {}, BatchDims out_dims = {},
          Randomness randomness = Randomness::error) {
  return [=](const auto&... arguments) {
    TensorList list;
    (list.push_back(arguments), ...);
    const auto call = [&](const TensorList& samples) {
      return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return function(samples[i]...);
      }(std::make_index_sequence<sizeof...(arguments)>());
    };
    if constexpr (std::is_convertible_v<decltype(call(list)), Tensor>) {
      const auto as_list = [&](const TensorList& samples) { return TensorList{call(samples)}; };
      return autograd::run_vmap(as_list, list, in_dims, out_dims, randomness)[0];
    } else {
      return autograd::run_vmap(call, list, in_dims, out_dims, randomness);
    }
  };
}

}  // namespace phlox
