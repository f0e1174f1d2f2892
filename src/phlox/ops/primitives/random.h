// The primitives `random` and `dropout`. Element i, in row-major order, depends on the generator's seed, its
// counter and i alone.
#pragma once

#include <span>

#include "phlox/core/random.h"
#include "phlox/core/tensor.h"

namespace phlox {

enum class Distribution : std::uint8_t {
  uniform,      // first <= x < second
  normal,       // mean first, standard deviation second
  exponential,  // rate first
  integers,     // low ... low + range - 1; range 0 means all 2^64 values
};
inline std::span<const char* const> names_of(Distribution) {
  static constexpr const char* names[] = {"uniform", "normal", "exponential", "integers"};
  return names;
}

// What a device gets.
struct RandomCall {
  Distribution distribution;
  double first = 0, second = 1;
  std::int64_t low = 0;
  std::uint64_t range = 0;
  GeneratorState state{};
};

// The state of a generator as a tensor, i64[3]: seed, stream, counter. Captured programs compute with it.
Tensor state_tensor(const GeneratorState& state);
GeneratorState state_from(const Tensor& tensor);
// The state after `blocks` counters, four words each, have been drawn.
Tensor advance_state(const Tensor& state, std::int64_t blocks);

// True when an element takes two words of a counter, which has four, and not one.
bool random_is_wide(const RandomCall& call, DType dtype);

// A new row-major tensor; the state of the call is taken from the generator, or from the default one if null.
Tensor apply_random(const Shape& shape, DType dtype, Device device, RandomCall call, Generator* generator);

// Zeros each element with the given probability and divides the others by 1 - probability. The gradient draws
// the same elements again, so no mask is kept.
Tensor apply_dropout(const Tensor& input, double probability, Generator* generator);

}  // namespace phlox
