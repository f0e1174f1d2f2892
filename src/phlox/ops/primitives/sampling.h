// The primitives `sample` and `gamma_gradient`: numbers of distributions that are drawn by trial and error, each with a
// sequence of random words of its own, so that element i depends on the generator's seed, its counter and i alone.
#pragma once

#include <span>

#include "phlox/core/random.h"
#include "phlox/core/tensor.h"

namespace phlox {

enum class SampleKind : std::uint8_t {
  gamma,     // shape parameter first; scale 1
  poisson,   // rate first
  binomial,  // number of trials first, probability second
};
inline std::span<const char* const> names_of(SampleKind) {
  static constexpr const char* names[] = {"gamma", "poisson", "binomial"};
  return names;
}

// What a device gets: row-major float64 tensors of one shape; `second` may be `first` where it is not used.
struct SampleCall {
  SampleKind kind;
  const TensorImpl* first;
  const TensorImpl* second;
  TensorImpl* target;
  GeneratorState state;
};

// Draws a number for each element of the parameters, which are f64 of one shape; parameters outside of their range give
// NaN. No gradients flow through.
Tensor apply_sample(SampleKind kind, const Tensor& first, const Tensor& second, Generator* generator);

// How a number drawn from the gamma distribution moves with the shape parameter while its rank stays: -dF/da / dF/dz.
// Both are f64 of one shape. Source: Figurnov, Mohamed, Mnih 2018, arXiv:1805.08498.
Tensor apply_gamma_gradient(const Tensor& shape_parameter, const Tensor& sample);

}  // namespace phlox
