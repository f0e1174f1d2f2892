// Random numbers: Philox 4x32-10 (Salmon et al., SC 2011). Element i of a request is a function of the generator's
// seed, its counter and i alone, so results do not depend on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>

namespace phlox {

// Four 32-bit words for one counter.
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter);

// Where a generator stands; it says all that follows.
struct GeneratorState {
  std::uint64_t seed;     // what it was made with
  std::uint64_t stream;   // which of the sequences of that seed
  std::uint64_t counter;  // how far it has come, in blocks of four words
  friend bool operator==(const GeneratorState&, const GeneratorState&) = default;
};

// A source of random numbers. It may be used by several threads; which of them draws first is theirs to settle.
class Generator {
 public:
  // Equal seeds give equal numbers.
  explicit Generator(std::uint64_t seed = 0) : state_{seed, 0, 0} {}
  // One that goes on with the same numbers.
  Generator(const Generator& other) : state_(other.state()) {}

  // Begins anew with a seed.
  void seed(std::uint64_t seed);
  // The seed it was made with, or begun anew.
  std::uint64_t initial_seed() const { return state().seed; }
  // Where it stands, to go on from there later.
  GeneratorState state() const;
  // Goes on from there.
  void set_state(const GeneratorState& state);
  // Reserves `blocks` counters (four words each) and returns the state to draw them from.
  GeneratorState reserve(std::uint64_t blocks);
  // A generator with a stream of its own; forks of equal generators are equal.
  Generator fork();

 private:
  mutable std::mutex mutex_;
  GeneratorState state_;
};

// The generator that operations use when none is given.
Generator& default_generator();
// Begins the default generator anew.
void manual_seed(std::uint64_t seed);

}  // namespace phlox
