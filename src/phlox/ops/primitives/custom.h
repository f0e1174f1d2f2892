// Kernels that a program or an extension adds. All of them are one primitive, `custom`, which names the kernel, so that
// graphs hold them, print them and read them back:
//
//   %1: f32[10] = custom(%x, kernel="windowed_sum", numbers=[3])
//
// A graph that is loaded needs the kernel to be there when it runs.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "phlox/core/tensor.h"

namespace phlox {

struct CustomType {
  DType dtype = DType::float32;
  Shape shape;
};

// All functions may be called from any thread, and throw what callers shall see.
struct CustomKernel {
  std::string name;  // a word
  // Dtypes and shapes of the results; throws for inputs that the kernel does not take.
  std::function<std::vector<CustomType>(std::span<const CustomType> inputs, std::span<const Scalar> numbers)>
      types;
  // Computes the results into memory that is there. Everything lies row-major; no gradients are recorded.
  std::function<void(std::span<const Tensor> inputs, std::span<const Scalar> numbers,
                     std::span<const Tensor> results)>
      run;
  // Gradients of the inputs from those of the results, by operations, so that it has gradients itself; an undefined
  // tensor is zero. Without it the results have no gradients.
  std::function<TensorList(const TensorList& inputs, const TensorList& results, const TensorList& gradients,
                           std::span<const Scalar> numbers)>
      gradient;
  // Leading dimensions of all inputs are a batch, so that vmap() calls it once; else once for each sample.
  bool batched = false;
};

// A name that is added again means the new kernel from then on. The old one stays for those that run it.
const CustomKernel& add_custom_kernel(CustomKernel kernel);
// Null when there is none.
const CustomKernel* find_custom_kernel(std::string_view name);
// Throws StateError when there is none.
TensorList apply_custom(const std::string& kernel, const TensorList& inputs, std::span<const Scalar> numbers);

}  // namespace phlox
