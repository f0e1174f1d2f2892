// The pointwise primitive: an expression applied to each element of broadcast inputs. Every pointwise operation,
// every gradient of one and every fused chain is a PointwiseFunction; those known at compile time carry kernels,
// others run through the expression interpreter with equal results.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/base/registration.h"
#include "phlox/core/tensor.h"
#include "phlox/math/derivation.h"
#include "phlox/ops/primitives/kernel_scalar.h"
#include "phlox/ops/registry/pointwise_traits.h"

namespace phlox {

inline KernelScalar kernel_scalar(const Scalar& value) { return {value.real(), value.integer()}; }

inline constexpr int max_pointwise_inputs = 6;
inline constexpr int max_pointwise_scalars = 4;

struct PointwiseFunction;

struct GradientRule {
  math::GradientForm form = math::GradientForm::none;
  unsigned saved = 0;  // bit i: input i; bit `tensors`: the result
  const PointwiseFunction* function = nullptr;
};

struct PointwiseFunction {
  const char* name;
  const math::ExpressionProgram* program;
  std::uint8_t tensors;
  std::uint8_t scalars;
  std::uint8_t masks;            // inputs that are truth values
  std::int8_t gradient_of = -1;  // k for the gradient of operation `name` with respect to input k
  const PointwiseFunction* origin = nullptr;  // whose gradient it is, where that is itself one
  const PointwiseTraits* traits;
  bool compiled = false;  // kernels of this name exist; what is derived at run time is interpreted
  // Known at compile time for operations; otherwise made on the first request.
  const GradientRule* rules = nullptr;

  mutable std::atomic<PointwiseKernel> kernels[computable_dtype_count] = {};
  mutable std::atomic<std::uint32_t> searched = 0;  // bit d: the tables were searched for dtype d
  mutable std::atomic<const GradientRule*> derived_rules = nullptr;

  bool predicate() const { return program->is_mask; }
  bool is_mask(int input) const { return masks >> input & 1u; }
};

// "tanh", "tanh.gradient0", "tanh.gradient0.gradient1": the name by which find_pointwise_function() knows it.
std::string full_name(const PointwiseFunction& function);
// Null when there is none.
const PointwiseFunction* find_pointwise_function(std::string_view full_name);

// Functions that are no gradients, by linking.
struct PointwiseEntry {
  const PointwiseFunction* function;
};
PHLOX_TABLE(PointwiseEntry, phlox_pointwise_functions);

// The gradient of `function` with respect to tensor input `k`.
const GradientRule& gradient_rule(const PointwiseFunction& function, int k);

// The kernel for a computing dtype (f32, f64, integers, uint8 for bool), or null: then the interpreter runs.
PointwiseKernel find_pointwise_kernel(const PointwiseFunction& function, DType dtype);

// Applies a function: broadcasts, promotes, allocates, runs and records. The one way in.
Tensor apply_pointwise(const PointwiseFunction& function, std::span<const Operand> inputs,
                       std::span<const KernelScalar> scalars = {});
// The same into an existing tensor, which keeps its dtype: in-place when it is also the first input.
// Throws ShapeError when the result does not have the target's shape, DTypeError when its kind does not fit.
const Tensor& apply_pointwise_into(const PointwiseFunction& function, std::span<const Operand> inputs,
                                   std::span<const KernelScalar> scalars, const Tensor& target,
                                   bool in_place);

struct PointwiseAttributes {
  const PointwiseFunction* function = nullptr;
  std::vector<Scalar> scalars;
  template <class Visitor>
  void visit(Visitor& v) {
    v("function", function), v("scalars", scalars);
  }
};

// What a device must do for this primitive.
struct PointwiseCall {
  const PointwiseFunction* function;
  int input_count;
  const TensorImpl* inputs[max_pointwise_inputs];  // null: the weak scalar below
  Scalar weak[max_pointwise_inputs];
  KernelScalar scalars[max_pointwise_scalars];
  DType compute;  // the promoted dtype
  TensorImpl* output;
};

}  // namespace phlox
