// Opens a file of pointwise bodies for its definitions: the registry entry, the function and its gradients.
// (The same file is compiled again for each instruction set behind device/cpu/pointwise_kernel.h.)
#pragma once

#include "phlox/math/derivation.h"
#include "phlox/ops/complex_forms.h"
#include "phlox/ops/parameter_checks.h"
#include "phlox/ops/functions.h"
#include "phlox/ops/registry/operation.h"
#include "phlox/ops/primitives/pointwise.h"

namespace phlox {
namespace definitions {

using namespace math;

template <class B, int k>
constexpr PointwiseFunction make_gradient_function(const char* name) {
  if constexpr (k >= B::tensors || !B::traits.differentiable) {
    return {};
  } else {
    constexpr const GradientProgram& gradient = gradient_of<B, k>;
    return {.name = name,
            .program = &gradient.program,
            .tensors = static_cast<std::uint8_t>(gradient.inputs),
            .scalars = B::scalars,
            .masks = static_cast<std::uint8_t>(gradient.masks),
            .gradient_of = k,
            .traits = &B::traits,
            .compiled = true};
  }
}

template <class B, int k>
constexpr GradientRule make_rule(const PointwiseFunction* function) {
  if constexpr (k >= B::tensors || !B::traits.differentiable) return {};
  else return {gradient_of<B, k>.form, gradient_of<B, k>.saved, function};
}

template <class B>
constexpr PointwiseFunction make_function(const char* name, const GradientRule* rules) {
  return {.name = name,
          .program = &expression_of<B>,
          .tensors = B::tensors,
          .scalars = B::scalars,
          .masks = B::masks,
          .traits = &B::traits,
          .compiled = true,
          .rules = rules};
}

}  // namespace definitions
}  // namespace phlox

#define PHLOX_BEGIN_POINTWISE \
  namespace phlox {           \
  namespace definitions {
#define PHLOX_END_POINTWISE \
  }                         \
  }
#define PHLOX_POINTWISE(operation_name, B, parameter_list)                                              \
  static constinit PointwiseFunction operation_name##_gradients[3] = {                                  \
      make_gradient_function<B, 0>(#operation_name), make_gradient_function<B, 1>(#operation_name),     \
      make_gradient_function<B, 2>(#operation_name)};                                                   \
  static constexpr GradientRule operation_name##_rules[3] = {                                           \
      make_rule<B, 0>(&operation_name##_gradients[0]), make_rule<B, 1>(&operation_name##_gradients[1]), \
      make_rule<B, 2>(&operation_name##_gradients[2])};                                                 \
  static constinit PointwiseFunction operation_name##_function =                                        \
      make_function<B>(#operation_name, operation_name##_rules);                                        \
  static constexpr PointwiseEntry operation_name##_pointwise PHLOX_TABLE_ENTRY(                         \
      phlox_pointwise_functions) = {&operation_name##_function};                                        \
  extern const PointwiseFunction& pointwise_##operation_name;                                           \
  const PointwiseFunction& pointwise_##operation_name = operation_name##_function;                      \
  static constexpr Operation operation_name##_entry PHLOX_TABLE_ENTRY(phlox_operations) = {             \
      #operation_name,                                                                                  \
      #parameter_list,                                                                                  \
      OperationTraits{},                                                                                \
      __FILE__,                                                                                         \
      &operation_name##_function,                                                                       \
      &B::traits,                                                                                       \
      ::phlox::detail::Boxed<decltype(::phlox::operation_name)>::call<::phlox::operation_name>,         \
      ::phlox::detail::Boxed<decltype(::phlox::operation_name)>::kinds,                                 \
      ::phlox::detail::Boxed<decltype(::phlox::operation_name)>::count,                                 \
      ::phlox::detail::Boxed<decltype(::phlox::operation_name)>::result};
