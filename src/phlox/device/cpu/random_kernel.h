// What random.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// Philox counters from `counter` on make the words; results do not depend on the instruction set.
struct RandomKernels {
  const char* instruction_set;
  // 4 * blocks words.
  void (*words)(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter, std::int64_t blocks,
                std::uint32_t* out);
  // `count` standard normal numbers from as many words, a multiple of 4; two words make two numbers.
  void (*normal_float)(const std::uint32_t* words, std::int64_t count, float* out);
  // `count` standard normal numbers from twice as many words, a multiple of 4.
  void (*normal_double)(const std::uint32_t* words, std::int64_t count, double* out);
  // -log(u) of u in (0, 1], from one word or two.
  void (*exponential_float)(const std::uint32_t* words, std::int64_t count, float* out);
  void (*exponential_double)(const std::uint32_t* words, std::int64_t count, double* out);
};

}  // namespace phlox::cpu
