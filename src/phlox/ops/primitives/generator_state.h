// The state of a generator where a program runs: a number in the generator itself, or a value of the program that is
// being captured.
#pragma once

#include "phlox/core/random.h"
#include "phlox/core/tensor.h"

namespace phlox {

// An interpreter in which states of generators are values, i64[3].
class GeneratorStates {
 public:
  virtual ~GeneratorStates() = default;
  virtual Tensor generator_state(Generator& generator) = 0;
  virtual void set_generator_state(Generator& generator, const Tensor& state) = 0;
};

Tensor generator_state(Generator& generator);
void set_generator_state(Generator& generator, const Tensor& state);

}  // namespace phlox
