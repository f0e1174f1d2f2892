// Walks the tape backwards.
//
//   Tensor loss = model(x).mean();
//   autograd::backward({{loss}});                                   // adds into the grad() of all leaves
//   Gradients g = autograd::grad({{loss}}, {{w, b}});               // or returns the gradients asked for
//
// Both work on graphs of any depth without recursion, and on different graphs from several threads at once.
// Source: reverse-mode automatic differentiation, Griewank & Walther, Evaluating Derivatives, 2nd ed., chapter 3.
#pragma once

#include <optional>
#include <span>

#include "phlox/core/tensor.h"

namespace phlox::autograd {

// Adds the gradients of `outputs` into the grad() of every leaf they depend on.
//   gradients     one for each output, of its shape and dtype. An undefined one, or an empty list, stands for 1, which
//                 is allowed for outputs of one real element.
//   retain_graph  keeps what was saved, so that gradients can be computed again. Default: create_graph.
//   create_graph  records the computation of the gradients, so that they can be differentiated.
// Throws GradientError: an output without history (E0604), a missing gradient (E0605), one of the wrong shape or
// dtype (E0608), a graph that was freed (E0602), a saved tensor that was modified (E0601), a gradient that is not
// finite in anomaly mode (E0609).
void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients = {},
              std::optional<bool> retain_graph = {}, bool create_graph = false);

// The gradients of the sum of `outputs`, weighted with `output_gradients`, with respect to `inputs`; leaves are not
// touched. An input that the outputs do not depend on is an error (E0604), or gives an undefined tensor with
// `allow_unused`. The rest is as for backward().
Gradients grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
               std::span<const Tensor> output_gradients = {}, std::optional<bool> retain_graph = {},
               bool create_graph = false, bool allow_unused = false);

// The gradients along edges: of what `roots` lead to, weighted with `gradients`, with respect to `targets`. What lies
// behind a target is left alone, so that a target behind another gets only what comes to it directly. The graph is
// kept. Undefined where nothing comes. Hooks of a target that is `passed_on`, which meets its gradient again on the way
// beyond, are left for then.
Gradients grad_between(std::span<const Edge> roots, std::span<const Tensor> gradients,
                       std::span<const Edge> targets, const std::vector<bool>& passed_on);

// Whether gradients of `outputs` flow to anything but `leaves`.
bool depends_on_others(std::span<const Tensor> outputs, std::span<const Tensor> leaves);

}  // namespace phlox::autograd
