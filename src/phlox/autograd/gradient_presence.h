// While a function is captured: which gradients are there only on some ways through its branches and loops. The graph has
// zeros on the others, where eagerly there is no gradient at all.
#pragma once

#include <unordered_map>
#include <utility>

#include "phlox/core/tensor.h"

namespace phlox::autograd {

class GradientPresence {
 public:
  struct When {
    Tensor condition = {};  // bool[]; undefined: always
    bool unknown = false;   // it depends on more than a condition here tells
    bool always() const { return !condition.defined() && !unknown; }
  };
  When of(const Tensor& gradient) const;
  void set(const Tensor& gradient, const When& when);
  bool empty() const { return whens_.empty(); }

  static When both(const When& a, const When& b);
  static When either(const When& a, const When& b);

  bool accumulating = false;  // backward() itself looks at the gradients of leaves

 private:
  std::unordered_map<const Storage*, std::pair<Tensor, When>> whens_;
};

// Of the capture in this thread; null outside of captures.
extern PHLOX_THREAD_LOCAL GradientPresence* gradient_presence;

}  // namespace phlox::autograd
