// Random numbers: words of Philox counters, shared out among threads by counter.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include <algorithm>
#include <bit>
#include <cmath>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/convert.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/random_kernel.h"

namespace phlox::cpu {

PHLOX_TABLE(RandomKernels, phlox_random_kernels);

namespace {

constexpr std::int64_t block_group = 256;  // counters at a time: 4 KB of words
constexpr std::int64_t parallel_elements = 16384;

const RandomKernels& kernels() {
  static const RandomKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_random_kernels));
  return best;
}

// Calls body(words, first element, count) for groups of elements, `per_counter` of which share a counter.
template <class Body>
void for_groups(const GeneratorState& state, std::int64_t count, std::int64_t per_counter, const Body& body) {
  const std::int64_t elements = block_group * per_counter;
  const std::int64_t groups = (count + elements - 1) / elements;
  parallel_for(0, groups, std::max<std::int64_t>(1, parallel_elements / elements),
               [&](std::int64_t first, std::int64_t last) {
                 alignas(64) std::uint32_t words[4 * block_group];
                 for (std::int64_t g = first; g < last; ++g) {
                   const std::int64_t n = std::min(elements, count - g * elements);
                   const std::int64_t blocks = (n + per_counter - 1) / per_counter;
                   kernels().words(state.seed, state.stream,
                                   state.counter + static_cast<std::uint64_t>(g * block_group), blocks,
                                   words);
                   body(words, g * elements, n);
                 }
               });
}

// u * (high - low) + low, below high also where rounding would reach it.
template <class T>
T scaled(T u, T low, T width, T below) {
  const T x = u * width + low;
  return x < below ? x : below;
}

// The numbers of one group in float; `bits` of each are random.
void floats(const RandomCall& call, int bits, const std::uint32_t* words, std::int64_t n, float* out) {
  const auto first = static_cast<float>(call.first), second = static_cast<float>(call.second);
  const std::int64_t whole = (n + 3) / 4 * 4;
  switch (call.distribution) {
    case Distribution::normal:
      kernels().normal_float(words, whole, out);
      for (std::int64_t i = 0; i < n; ++i) out[i] = out[i] * second + first;
      break;
    case Distribution::exponential:
      kernels().exponential_float(words, n, out);
      for (std::int64_t i = 0; i < n; ++i) out[i] /= first;
      break;
    default: {
      const float step = std::ldexp(1.0f, -bits), width = second - first;
      const float below = second > first ? std::nextafter(second, first) : second;
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = scaled(static_cast<float>(words[i] >> (32 - bits)) * step, first, width, below);
    }
  }
}

void doubles(const RandomCall& call, const std::uint32_t* words, std::int64_t n, double* out) {
  const std::int64_t whole = (n + 1) / 2 * 2;
  switch (call.distribution) {
    case Distribution::normal:
      kernels().normal_double(words, whole, out);
      for (std::int64_t i = 0; i < n; ++i) out[i] = out[i] * call.second + call.first;
      break;
    case Distribution::exponential:
      kernels().exponential_double(words, n, out);
      for (std::int64_t i = 0; i < n; ++i) out[i] /= call.first;
      break;
    default: {
      const double width = call.second - call.first;
      const double below = call.second > call.first ? std::nextafter(call.second, call.first) : call.second;
      for (std::int64_t i = 0; i < n; ++i) {
        const std::uint64_t bits = (static_cast<std::uint64_t>(words[2 * i + 1]) << 32 | words[2 * i]) >> 11;
        out[i] =
            scaled(static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-53, call.first, width, below);
      }
    }
  }
}

// A word, or two, times the range: the upper half.
void integers(const RandomCall& call, bool wide, const std::uint32_t* words, std::int64_t n,
              std::int64_t* out) {
  if (!wide) {
    for (std::int64_t i = 0; i < n; ++i)
      out[i] = call.low + static_cast<std::int64_t>((words[i] * call.range) >> 32);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t word = static_cast<std::uint64_t>(words[2 * i + 1]) << 32 | words[2 * i];
    const std::uint64_t drawn =
        call.range == 0
            ? word
            : static_cast<std::uint64_t>((static_cast<unsigned __int128>(word) * call.range) >> 64);
    out[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(call.low) + drawn);
  }
}

}  // namespace

void random(const RandomCall& call, TensorImpl& target) {
  if (target.count == 0) return;
  auto* out = static_cast<char*>(target.address());
  const std::int64_t bytes = element_size(target.dtype);
  const bool wide = random_is_wide(call, target.dtype);
  if (call.distribution == Distribution::integers) {
    const ConvertRun run = convert_run(DType::int64, target.dtype);
    for_groups(call.state, target.count, wide ? 2 : 4,
               [&](const std::uint32_t* words, std::int64_t first, std::int64_t n) {
                 std::int64_t numbers[4 * block_group];
                 integers(call, wide, words, n, numbers);
                 run(numbers, 8, out + first * bytes, bytes, n);
               });
  } else if (wide) {
    for_groups(call.state, target.count, 2,
               [&](const std::uint32_t* words, std::int64_t first, std::int64_t n) {
                 double numbers[2 * block_group];
                 doubles(call, words, n, numbers);
                 std::copy_n(numbers, n, reinterpret_cast<double*>(out) + first);
               });
  } else {
    // As many bits as the dtype holds, so that rounding never reaches the upper bound of [0, 1).
    const int bits = target.dtype == DType::float16 ? 11 : target.dtype == DType::bfloat16 ? 8 : 24;
    const ConvertRun run = convert_run(DType::float32, target.dtype);
    for_groups(call.state, target.count, 4,
               [&](const std::uint32_t* words, std::int64_t first, std::int64_t n) {
                 float numbers[4 * block_group];
                 floats(call, bits, words, n, numbers);
                 run(numbers, 4, out + first * bytes, bytes, n);
               });
  }
}

void dropout(const TensorImpl& source, TensorImpl& target, double probability, const GeneratorState& state) {
  if (target.count == 0) return;
  const auto* in = static_cast<const char*>(source.address());
  auto* out = static_cast<char*>(target.address());
  const std::int64_t bytes = element_size(target.dtype);
  if (probability >= 1) {
    fill(target, 0);
    return;
  }
  const auto threshold = static_cast<std::uint32_t>(std::ldexp(probability, 32));
  const double scale = 1.0 / (1.0 - probability);
  if (target.dtype == DType::float64) {
    for_groups(state, target.count, 4, [&](const std::uint32_t* words, std::int64_t first, std::int64_t n) {
      const auto* from = reinterpret_cast<const double*>(in) + first;
      auto* to = reinterpret_cast<double*>(out) + first;
      for (std::int64_t i = 0; i < n; ++i) to[i] = words[i] >= threshold ? from[i] * scale : 0.0;
    });
    return;
  }
  const ConvertRun load = convert_run(source.dtype, DType::float32),
                   store = convert_run(DType::float32, target.dtype);
  const auto factor = static_cast<float>(scale);
  const bool plain = target.dtype == DType::float32;
  for_groups(state, target.count, 4, [&](const std::uint32_t* words, std::int64_t first, std::int64_t n) {
    float staged[4 * block_group];
    const float* from = plain ? reinterpret_cast<const float*>(in) + first : staged;
    float* to = plain ? reinterpret_cast<float*>(out) + first : staged;
    if (!plain) load(in + first * bytes, bytes, staged, 4, n);
    for (std::int64_t i = 0; i < n; ++i) {  // by bits: a branch on chance costs more than the rest
      const std::uint32_t kept = words[i] >= threshold ? ~0u : 0u;
      to[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(from[i] * factor) & kept);
    }
    if (!plain) store(staged, 4, out + first * bytes, bytes, n);
  });
}

}  // namespace phlox::cpu
