// Looking for NaN and infinities, compiled once for each instruction set: as fast as memory gives the elements.
#include "phlox/device/cpu/nonfinite_kernel.h"
#include "phlox/device/cpu/instruction_set.h"
#include "phlox/math/simd.h"

namespace phlox {
namespace PHLOX_ISA {

template <class V>
PHLOX_INLINE V multiplied_and_added(V a, V b, V c) {
#if defined(__FMA__) || defined(__AVX512F__)
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}

// Zero times a finite number is zero, and NaN otherwise; and NaN stays in a sum.
template <class T>
bool floating(const void* elements, std::int64_t count) {
  using V = math::Native<T>;
  const T* x = static_cast<const T*>(elements);
  const V zero(T(0));
  V a(T(0)), b(T(0)), c(T(0)), d(T(0));
  std::int64_t i = 0;
  for (; i + 4 * V::lanes <= count; i += 4 * V::lanes) {
    a = multiplied_and_added(V::load(x + i), zero, a);
    b = multiplied_and_added(V::load(x + i + V::lanes), zero, b);
    c = multiplied_and_added(V::load(x + i + 2 * V::lanes), zero, c);
    d = multiplied_and_added(V::load(x + i + 3 * V::lanes), zero, d);
  }
  alignas(64) T sums[V::lanes];
  ((a + b) + (c + d)).store(sums);
  T sum = 0;
  for (T lane : sums) sum += lane;
  for (; i < count; ++i) sum += x[i] * T(0);
  return sum != sum;
}

// All bits of the exponent are set.
template <std::uint16_t exponent>
bool sixteen_bits(const void* elements, std::int64_t count) {
  const auto* x = static_cast<const std::uint16_t*>(elements);
  constexpr std::int64_t block = 256;
  std::int64_t i = 0;
  for (; i + block <= count; i += block) {
    std::uint16_t found = 0;
    for (std::int64_t k = 0; k < block; ++k)
      found = static_cast<std::uint16_t>(found | ((x[i + k] & exponent) == exponent));
    if (found) return true;
  }
  for (; i < count; ++i)
    if ((x[i] & exponent) == exponent) return true;
  return false;
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr cpu::NonfiniteKernels entry PHLOX_TABLE_ENTRY(phlox_nonfinite_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), floating<float>, floating<double>, sixteen_bits<0x7c00>,
    sixteen_bits<0x7f80>};

}  // namespace PHLOX_ISA
}  // namespace phlox
