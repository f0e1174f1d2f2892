// What a pointwise operation says about itself besides its body. Light: kernel files include it.
#pragma once

#include <cstdint>

namespace phlox {

struct KernelScalar;
class Tensor;

// The dtypes that a body is defined on. Integers given to a `floating` operation become the default dtype.
enum class PointwiseTypes : std::uint8_t {
  floating,  // f16, bf16, f32, f64
  numeric,   // and all integers
  any,       // and bool
  integral,  // integers and bool
  counting,  // floating and integers; bool is taken as int64
};

enum class AutocastClass : std::uint8_t { follow, lower_precision, full_precision, widest };

struct PointwiseTraits {
  const char* doc = "";
  const char* source = "";  // paper or standard
  PointwiseTypes types = PointwiseTypes::floating;
  double sample_low = -3, sample_high = 3;  // arguments for generated tests and pictures
  double other_low = -3, other_high = 3;    // of the second argument
  double tolerance_ulp = 2;                 // largest error of f32 and f64 results
  double gradient_tolerance = 1e-5;         // relative, against finite differences in f64
  // Defined for complex numbers by the same body, which is then analytic (or asks only for equality).
  bool complex = false;
  // What is not analytic: the function for a complex tensor, written with its parts. Implies `complex`.
  Tensor (*complex_form)(const Tensor& input) = nullptr;
  Tensor (*complex_form_of_two)(const Tensor& input, const Tensor& other) = nullptr;
  // Raises where the parameters beside the tensors make no sense.
  void (*check)(const char* operation, const KernelScalar* scalars) = nullptr;
  bool differentiable = true;
  int derivative_orders = 99;  // how often it can be differentiated
  AutocastClass autocast = AutocastClass::follow;
  const char* reference = "";        // NumPy or SciPy expression of x, y, z that tests compare with
  const char* alias = "";            // other names, separated by spaces
  const char* python_operator = "";  // "add" makes it the + of Python
  const char* overload_of = "";      // a name that in Python also means this one: maximum for max(x, y)
};

}  // namespace phlox
