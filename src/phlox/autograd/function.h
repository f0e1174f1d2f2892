// Operations with a gradient of one's own.
//
//   struct MyExp : autograd::Function<MyExp> {
//     static TensorList forward(autograd::Context& context, const TensorList& inputs) {
//       Tensor result = exp(inputs[0]);
//       context.save_for_backward({result});
//       return {result};
//     }
//     static Gradients backward(autograd::Context& context, const Gradients& gradients) {
//       return {gradients[0] * context.saved_tensors()[0]};
//     }
//   };
//   Tensor y = MyExp::apply({x})[0];
//
// forward() runs without recording. backward() is written with operations, so its own gradient exists too.
#pragma once

#include <any>
#include <functional>
#include <map>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "phlox/core/gradient_node.h"
#include "phlox/core/saved_tensor.h"
#include "phlox/core/tensor.h"

namespace phlox::autograd {

class FunctionNode;

// What forward() hands to backward().
class Context {
 public:
  // Keeps inputs, outputs or intermediate values. Call it in forward(), at most once.
  void save_for_backward(TensorList tensors) { to_save_ = std::move(tensors); }
  // The kept tensors, in backward(). Throws GradientError when one was modified in place (E0601) or freed (E0602).
  TensorList saved_tensors() const;
  // Inputs that forward() has changed in place and gives back as outputs.
  void mark_dirty(TensorList tensors) { dirty_ = std::move(tensors); }
  // Outputs that no gradient flows through, such as indices.
  void mark_non_differentiable(TensorList tensors) { non_differentiable_ = std::move(tensors); }
  // Whether backward() gets zeros in place of undefined gradients (default: true).
  void set_materialize_gradients(bool on) { materialize_ = on; }
  // True when backward() must give a gradient for input i.
  bool needs_input_gradient(std::size_t i) const { return i < needs_.size() && needs_[i]; }
  // Anything else that backward() needs.
  std::map<std::string, std::any> values;

 private:
  friend class FunctionNode;
  friend TensorList apply_function(const char*, const TensorList&, const std::function<TensorList(Context&)>&,
                                   std::function<Gradients(Context&, const Gradients&)>);
  TensorList to_save_;
  TensorList non_differentiable_;
  TensorList dirty_;
  std::vector<SavedTensor> saved_;
  std::vector<bool> needs_;
  bool materialize_ = true;
  GradientNode* node_ = nullptr;
};

// The same without a class, for bindings: runs `forward` and records `backward` under `name`, which must live as long
// as the program. `backward` gives one gradient for each input, of its shape; an undefined one stands for zero.
TensorList apply_function(const char* name, const TensorList& inputs,
                          const std::function<TensorList(Context&)>& forward,
                          std::function<Gradients(Context&, const Gradients&)> backward);

// Whether a node of the tape was recorded by one of these.
bool is_custom_function(const GradientNode& node);

// "MyExp" for struct MyExp, wherever it is declared. The text lives as long as the program.
const char* type_name(const std::type_info& type);

// Base of operations that bring forward() and backward(). Further arguments of apply() go to forward().
template <class Derived>
struct Function {
  template <class... Arguments>
  static TensorList apply(const TensorList& inputs, Arguments&&... arguments) {
    return apply_function(
        type_name(typeid(Derived)), inputs,
        [&](Context& context) {
          return Derived::forward(context, inputs, std::forward<Arguments>(arguments)...);
        },
        [](Context& context, const Gradients& gradients) { return Derived::backward(context, gradients); });
  }
};

}  // namespace phlox::autograd
