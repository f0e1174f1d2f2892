// The inner loops of pooling over channels, compiled once for each instruction set.
#include "phlox/device/cpu/pooling_kernel.h"

#include "phlox/base/macros.h"
#include "phlox/device/cpu/instruction_set.h"

namespace phlox {
namespace PHLOX_ISA {
namespace {

constexpr int lanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Integers = std::int32_t __attribute__((vector_size(64)));

template <class V, class T>
PHLOX_INLINE V load(const T* from, int count = lanes) {
  V v{};
  __builtin_memcpy(&v, from, count == lanes ? sizeof(V) : static_cast<std::size_t>(count) * sizeof(T));
  return v;
}
template <class V, class T>
PHLOX_INLINE void store(const V& v, T* to, int count = lanes) {
  __builtin_memcpy(to, &v, count == lanes ? sizeof(V) : static_cast<std::size_t>(count) * sizeof(T));
}

// Calls f(first channel, number of channels) for vectors, the last one perhaps shorter.
template <class F>
PHLOX_INLINE void for_vectors(std::int64_t channels, F&& f) {
  std::int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) f(c, lanes);
  if (c < channels) f(c, static_cast<int>(channels - c));
}

void maximum(const float* source, const std::int64_t* taps, const std::int32_t* positions,
             std::int64_t tap_count, float* values, std::int32_t* indices, std::int64_t channels) {
  for_vectors(channels, [&](std::int64_t c, int count) __attribute__((always_inline)) {
    Floats best = load<Floats>(source + taps[0] + c, count);
    Integers where = Integers{} + positions[0];
    for (std::int64_t t = 1; t < tap_count; ++t) {
      const Floats x = load<Floats>(source + taps[t] + c, count);
      const Integers better = (x > best) | (x != x);
      best = better ? x : best;
      where = better ? Integers{} + positions[t] : where;
    }
    store(best, values + c, count);
    store(where, indices + c, count);
  });
}

void sum(const float* source, const std::int64_t* taps, std::int64_t tap_count, float scale, float* values,
         std::int64_t channels) {
  for_vectors(channels, [&](std::int64_t c, int count) __attribute__((always_inline)) {
    Floats total{};
    for (std::int64_t t = 0; t < tap_count; ++t) total += load<Floats>(source + taps[t] + c, count);
    store(total * scale, values + c, count);
  });
}

void spread(float* target, const std::int64_t* taps, std::int64_t tap_count, float scale, const float* values,
            std::int64_t channels) {
  for_vectors(channels, [&](std::int64_t c, int count) __attribute__((always_inline)) {
    const Floats part = load<Floats>(values + c, count) * scale;
    for (std::int64_t t = 0; t < tap_count; ++t) {
      float* const place = target + taps[t] + c;
      store(load<Floats>(place, count) + part, place, count);
    }
  });
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)

constexpr cpu::PoolingKernels pooling_kernels PHLOX_TABLE_ENTRY(phlox_pooling_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), maximum, sum, spread};

}  // namespace
}  // namespace PHLOX_ISA
}  // namespace phlox
