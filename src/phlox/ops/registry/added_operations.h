// Operations that a program or an extension adds while it runs: found, called and captured as those of the library are.
//
//   add_operation({.name = "twice", .signature = "(Tensor input, float by = 2.0)", .doc = "More of it.",
//                  .function = [](std::span<const Value> a) -> Result { return mul(*a[0].tensor, a[1].floating); }});
//   call(*find_operation("twice"), ...);
//
// A name that is added again means the new operation from then on; graphs that name it follow. Nothing that was added is
// ever taken away, so what points to it stays valid. All functions here may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/ops/primitives/custom.h"
#include "phlox/ops/registry/operation.h"

namespace phlox {

struct NewOperation {
  // A word of letters, digits and underscores, that is not the name of an operation of the library.
  std::string name;
  // Parameters are Tensor, int, float, bool or str, with defaults as in Python: "(Tensor input, int width = 3)".
  std::string signature;
  std::string doc = {}, source = {};
  // Gets a value for each parameter, defaults included, of the kind that the signature says.
  std::function<Result(std::span<const Value> arguments)> function = {};
  ResultKind result = ResultKind::tensor;
  // For operations that are an expression of each element: the tensors come first, the scalars are floats.
  const PointwiseFunction* pointwise = nullptr;
};

// Throws ValueError for a name that is taken or a signature that cannot be read.
const Operation& add_operation(NewOperation operation);
// Adds a kernel as an operation: its tensors are the inputs, its other parameters, which are numbers, come behind them.
// Throws ValueError, and adds nothing, where the signature is another, or has not `inputs` tensors.
const Operation& add_kernel_operation(CustomKernel kernel, const std::string& signature,
                                      const std::string& doc, int results, std::optional<int> inputs = {});
// Null when none of this name was added.
const Operation* find_added_operation(std::string_view name);

// A pointwise function with an expression of its own and, derived from it, gradients of all orders. It is interpreted,
// in vector registers, until code is generated for it. `types` says which dtypes it takes. Throws ValueError where the
// expression is none.
const PointwiseFunction& add_pointwise_function(const std::string& name,
                                                const math::ExpressionProgram& program, int tensors,
                                                int scalars, PointwiseTraits traits);
// Null when none of this name was added.
const PointwiseFunction* find_added_pointwise_function(std::string_view name);

namespace detail {
// Reads the signature of an operation, as C++ declares it.
std::shared_ptr<const std::vector<Parameter>> parse_parameters(const Operation& operation);
// The parameters of an operation that was added, null for others.
const std::vector<Parameter>* added_parameters(const Operation& operation);
}  // namespace detail

}  // namespace phlox
