// Philox 4x32-10 and what is made of its words, compiled once for each instruction set.
// Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011; Box, Muller 1958.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include "phlox/base/macros.h"
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/device/cpu/random_kernel.h"
#include "phlox/math/functions.h"

namespace phlox {
namespace PHLOX_ISA {
namespace {

using namespace math;

constexpr int group = 16;  // counters at a time

void philox_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter, std::int64_t blocks,
                  std::uint32_t* out) {
  for (std::int64_t b = 0; b < blocks; b += group) {
    alignas(64) std::uint32_t c0[group], c1[group], c2[group], c3[group];
    for (int i = 0; i < group; ++i) {
      const std::uint64_t c = counter + static_cast<std::uint64_t>(b + i);
      c0[i] = static_cast<std::uint32_t>(c);
      c1[i] = static_cast<std::uint32_t>(c >> 32);
      c2[i] = static_cast<std::uint32_t>(stream);
      c3[i] = static_cast<std::uint32_t>(stream >> 32);
    }
    std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < group; ++i) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[i], p1 = std::uint64_t{0xCD9E8D57u} * c2[i];
        const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
        const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
        c1[i] = static_cast<std::uint32_t>(p1);
        c3[i] = static_cast<std::uint32_t>(p0);
        c0[i] = n0;
        c2[i] = n2;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const int n = blocks - b < group ? static_cast<int>(blocks - b) : group;
    for (int i = 0; i < n; ++i) {
      std::uint32_t* block = out + 4 * (b + i);
      block[0] = c0[i];
      block[1] = c1[i];
      block[2] = c2[i];
      block[3] = c3[i];
    }
  }
}

constexpr int stage = 128;  // pairs at a time

// In (0, 1]: never zero, so that the logarithm is finite.
PHLOX_INLINE float open_unit(std::uint32_t word) { return static_cast<float>(word) * 0x1p-32f + 0x1p-33f; }
PHLOX_INLINE double open_unit(std::uint32_t low, std::uint32_t high) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32 | low) >> 11;
  return (static_cast<double>(static_cast<std::int64_t>(bits)) + 0.5) * 0x1p-53;
}

// Pairs of uniform numbers become pairs of normal ones.
template <class T>
PHLOX_INLINE void box_muller(const T* radius_from, const T* angle_from, int count, T* out) {
  using D = Native<T>;
  alignas(64) T first[stage], second[stage];
  for (int i = 0; i < count; i += D::lanes) {
    const D radius = sqrt(D(-2.0) * log(D::load(radius_from + i)));
    const D angle = D(6.283185307179586) * D::load(angle_from + i);
    (radius * cos(angle)).store(first + i);
    (radius * sin(angle)).store(second + i);
  }
  for (int i = 0; i < count; ++i) {
    out[2 * i] = first[i];
    out[2 * i + 1] = second[i];
  }
}

void normal_float(const std::uint32_t* words, std::int64_t count, float* out) {
  alignas(64) float a[stage], b[stage], both[2 * stage];
  for (std::int64_t done = 0; done < count; done += 2 * stage) {
    const int pairs = static_cast<int>(count - done < 2 * stage ? (count - done) / 2 : stage);
    for (int i = 0; i < pairs; ++i) {
      a[i] = open_unit(words[done + 2 * i]);
      b[i] = static_cast<float>(words[done + 2 * i + 1] >> 8) * 0x1p-24f;
    }
    for (int i = pairs; i < stage && i % Native<float>::lanes; ++i) a[i] = b[i] = 0.5f;
    box_muller(a, b, pairs, both);
    __builtin_memcpy(out + done, both, static_cast<std::size_t>(2 * pairs) * sizeof(float));
  }
}

void normal_double(const std::uint32_t* words, std::int64_t count, double* out) {
  alignas(64) double a[stage], b[stage], both[2 * stage];
  for (std::int64_t done = 0; done < count; done += 2 * stage) {
    const int pairs = static_cast<int>(count - done < 2 * stage ? (count - done) / 2 : stage);
    for (int i = 0; i < pairs; ++i) {
      const std::uint32_t* w = words + 2 * done + 4 * i;
      a[i] = open_unit(w[0], w[1]);
      b[i] = open_unit(w[2], w[3]);
    }
    for (int i = pairs; i < stage && i % Native<double>::lanes; ++i) a[i] = b[i] = 0.5;
    box_muller(a, b, pairs, both);
    __builtin_memcpy(out + done, both, static_cast<std::size_t>(2 * pairs) * sizeof(double));
  }
}

template <class T>
PHLOX_INLINE void exponential(const std::uint32_t* words, std::int64_t count, T* out) {
  using D = Native<T>;
  alignas(64) T a[stage], result[stage];
  for (std::int64_t done = 0; done < count; done += stage) {
    const int n = static_cast<int>(count - done < stage ? count - done : stage);
    for (int i = 0; i < n; ++i) {
      if constexpr (sizeof(T) == 4) a[i] = open_unit(words[done + i]);
      else a[i] = open_unit(words[2 * (done + i)], words[2 * (done + i) + 1]);
    }
    for (int i = n; i < stage && i % D::lanes; ++i) a[i] = T(0.5);
    for (int i = 0; i < n; i += D::lanes) (D(0.0) - log(D::load(a + i))).store(result + i);
    __builtin_memcpy(out + done, result, static_cast<std::size_t>(n) * sizeof(T));
  }
}
void exponential_float(const std::uint32_t* words, std::int64_t count, float* out) {
  exponential(words, count, out);
}
void exponential_double(const std::uint32_t* words, std::int64_t count, double* out) {
  exponential(words, count, out);
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)

constexpr cpu::RandomKernels random_kernels PHLOX_TABLE_ENTRY(phlox_random_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), philox_words,      normal_float, normal_double,
    exponential_float,          exponential_double};

}  // namespace
}  // namespace PHLOX_ISA
}  // namespace phlox
