// Casts between all computable dtypes, compiled once for each instruction set.
#if defined(__GNUC__) && !defined(__clang__)
// At -O2 GCC vectorises only loops whose trip count it knows.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include <utility>

#include "phlox/base/macros.h"
#include "phlox/device/cpu/convert_kernel.h"
#include "phlox/device/cpu/instruction_set.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace phlox {
namespace PHLOX_ISA {
namespace {

// The element types as they lie in memory.
struct Bool {
  std::uint8_t value;
};
struct Half {
  std::uint16_t bits;
};
struct Bfloat {
  std::uint16_t bits;
};
template <class T>
struct Complex {
  T real, imaginary;
};

template <class T>
struct Traits {
  static constexpr bool floating = false, complex = false, narrow = false, boolean = false;
};
template <>
struct Traits<float> {
  static constexpr bool floating = true, complex = false, narrow = false, boolean = false;
};
template <>
struct Traits<double> {
  static constexpr bool floating = true, complex = false, narrow = false, boolean = false;
};
template <>
struct Traits<Half> {
  static constexpr bool floating = true, complex = false, narrow = true, boolean = false;
};
template <>
struct Traits<Bfloat> {
  static constexpr bool floating = true, complex = false, narrow = true, boolean = false;
};
template <>
struct Traits<Bool> {
  static constexpr bool floating = false, complex = false, narrow = false, boolean = true;
};
template <class T>
struct Traits<Complex<T>> {
  static constexpr bool floating = false, complex = true, narrow = false, boolean = false;
};

template <class A, class B>
inline constexpr bool same = false;
template <class A>
inline constexpr bool same<A, A> = true;

PHLOX_INLINE std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
PHLOX_INLINE float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

// Without branches, so that the loops become vector code.
PHLOX_INLINE float widen(Bfloat x) { return float_of(static_cast<std::uint32_t>(x.bits) << 16); }
PHLOX_INLINE float widen(Half x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(x.bits & 0x7fffu) << 13;
  // As a float with the wrong exponent; the product sets it right, subnormals included.
  const float finite = float_of(magnitude) * 0x1p112f;
  const std::uint32_t special = magnitude | 0x7f800000u | (magnitude > 0x0f800000u ? 0x400000u : 0u);
  const std::uint32_t bits = magnitude >= 0x0f800000u ? special : bits_of(finite);
  return float_of(bits | sign);
}

PHLOX_INLINE Bfloat narrow_to(Bfloat, float x) {
  const std::uint32_t wide = bits_of(x);
  const std::uint32_t rounded = (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16;  // ties to even
  const std::uint32_t quiet = (wide >> 16) | 0x40u;
  const bool nan = (wide & 0x7fffffffu) > 0x7f800000u;
  return {static_cast<std::uint16_t>(nan ? quiet : rounded)};
}
PHLOX_INLINE Half narrow_to(Half, float x) {
  const std::uint32_t wide = bits_of(x);
  const std::uint32_t sign = (wide >> 16) & 0x8000u;
  const std::uint32_t magnitude = wide & 0x7fffffffu;
  const std::uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  const std::uint32_t rebased = magnitude - 0x38000000u;
  const std::uint32_t normal = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
  // Below 2^-14, adding 0.5 makes the processor round at the last bit of a half.
  const std::uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
  std::uint32_t result = magnitude >= 0x38800000u ? normal : subnormal;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result;
  result = magnitude > 0x7f800000u ? nan : result;
  return {static_cast<std::uint16_t>(result | sign)};
}

// Rounds to a float whose last bit says whether anything was lost ("round to odd"), so that rounding that
// float to a half gives the half nearest to the double.
PHLOX_INLINE float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = nearest;
  const std::uint32_t bits = bits_of(nearest);
  const std::uint32_t larger = __builtin_fabs(back) > __builtin_fabs(x) ? 1u : 0u;
  const std::uint32_t odd = (bits - larger) | 1u;
  return float_of(back == x || x != x ? bits : odd);
}
// The double whose last bit does the same for a 64-bit integer.
template <class T>
PHLOX_INLINE double round_to_odd_double(T x) {
  if constexpr (sizeof(T) == 8) {
    const T odd = (x & ~static_cast<T>(0x7ff)) | static_cast<T>(0x800);
    constexpr T limit = static_cast<T>(std::int64_t{1} << 53);
    bool large = x >= limit;
    if constexpr (static_cast<T>(-1) < static_cast<T>(0))
      large = large || x <= static_cast<T>(-(std::int64_t{1} << 53));
    return static_cast<double>(large && (x & 0x7ff) ? odd : x);
  } else {
    return static_cast<double>(x);
  }
}

template <class Target, class Source>
PHLOX_INLINE Target float_to_integer(Source x) {
  constexpr bool is_signed = static_cast<Target>(-1) < static_cast<Target>(0);
  constexpr int value_bits = static_cast<int>(sizeof(Target)) * 8 - (is_signed ? 1 : 0);
  constexpr Target most = static_cast<Target>(is_signed ? (std::uint64_t{1} << (value_bits - 1)) - 1 +
                                                              (std::uint64_t{1} << (value_bits - 1))
                                                        : ~std::uint64_t{0});
  constexpr Target least = is_signed ? static_cast<Target>(-most - 1) : static_cast<Target>(0);
  constexpr int mantissa_bits = sizeof(Source) == 4 ? 24 : 53;
  // The largest float that is a Target.
  constexpr Source high =
      value_bits <= mantissa_bits
          ? static_cast<Source>(most)
          : static_cast<Source>(most - ((static_cast<Target>(1)
                                         << (value_bits > mantissa_bits ? value_bits - mantissa_bits : 0)) -
                                        1));
  constexpr Source low = static_cast<Source>(least);
  Source clamped = x > low ? x : low;  // NaN becomes `low`
  clamped = clamped < high ? clamped : high;
  Target result;
  if constexpr (sizeof(Target) < 4) result = static_cast<Target>(static_cast<std::int32_t>(clamped));
  else result = static_cast<Target>(clamped);
  if constexpr (value_bits > mantissa_bits) result = x > high ? most : result;
  return x == x ? result : static_cast<Target>(0);
}

template <class Target, class Source>
PHLOX_INLINE Target cast(Source x) {
  using S = Traits<Source>;
  using T = Traits<Target>;
  if constexpr (same<Target, Source>) {
    return x;
  } else if constexpr (S::complex) {
    if constexpr (T::complex)
      return {static_cast<decltype(Target::real)>(x.real), static_cast<decltype(Target::real)>(x.imaginary)};
    else if constexpr (T::boolean) return {static_cast<std::uint8_t>((x.real != 0) | (x.imaginary != 0))};
    else return cast<Target>(x.real);
  } else if constexpr (T::complex) {
    return {cast<decltype(Target::real)>(x), 0};
  } else if constexpr (S::boolean) {
    return cast<Target>(static_cast<std::uint8_t>(x.value != 0));
  } else if constexpr (S::narrow) {
    if constexpr (T::boolean) return {static_cast<std::uint8_t>(widen(x) != 0)};
    else return cast<Target>(widen(x));
  } else if constexpr (T::boolean) {
    return {static_cast<std::uint8_t>(x != 0)};
  } else if constexpr (T::narrow) {
    if constexpr (same<Source, float>) return narrow_to(Target{}, x);
    else if constexpr (S::floating) return narrow_to(Target{}, round_to_odd(x));
    else if constexpr (sizeof(Source) <= 2) return narrow_to(Target{}, static_cast<float>(x));
    else return narrow_to(Target{}, round_to_odd(round_to_odd_double(x)));
  } else if constexpr (S::floating && !T::floating) {
    return float_to_integer<Target>(x);
  } else {
    return static_cast<Target>(x);
  }
}

template <class Source, class Target>
PHLOX_INLINE void cast_vectors(const Source* __restrict, Target* __restrict, std::int64_t&, std::int64_t) {}

#if defined(__F16C__)
template <>
PHLOX_INLINE void cast_vectors(const float* __restrict source, Half* __restrict target, std::int64_t& i,
                               std::int64_t count) {
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT));
}
template <>
PHLOX_INLINE void cast_vectors(const Half* __restrict source, float* __restrict target, std::int64_t& i,
                               std::int64_t count) {
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(target + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i))));
}
#endif

template <class Source, class Target>
void run(const void* source, std::int64_t source_stride, void* target, std::int64_t target_stride,
         std::int64_t count) {
  if (source_stride == static_cast<std::int64_t>(sizeof(Source)) &&
      target_stride == static_cast<std::int64_t>(sizeof(Target))) {
    if constexpr (same<Source, Target>) {
      __builtin_memcpy(target, source, static_cast<std::size_t>(count) * sizeof(Source));
    } else {
      const Source* __restrict in = static_cast<const Source*>(source);
      Target* __restrict out = static_cast<Target*>(target);
      std::int64_t i = 0;
      cast_vectors(in, out, i, count);
      for (; i < count; ++i) out[i] = cast<Target>(in[i]);
    }
    return;
  }
  if (source_stride == 0 && target_stride == static_cast<std::int64_t>(sizeof(Target)) && count > 0) {
    const Target value = cast<Target>(*static_cast<const Source*>(source));
    Target* __restrict repeated = static_cast<Target*>(target);
    for (std::int64_t i = 0; i < count; ++i) repeated[i] = value;
    return;
  }
  const char* in = static_cast<const char*>(source);
  char* out = static_cast<char*>(target);
  for (std::int64_t i = 0; i < count; ++i, in += source_stride, out += target_stride)
    *reinterpret_cast<Target*>(out) = cast<Target>(*reinterpret_cast<const Source*>(in));
}

template <class... Types>
struct TypeList {
  template <class Source>
  static constexpr void row(cpu::ConvertRun* runs) {
    ((*runs++ = run<Source, Types>), ...);
  }
  static constexpr void table(cpu::ConvertRun (*runs)[computable_dtype_count]) { (row<Types>(*runs++), ...); }
};
// In the order of DType.
using AllTypes =
    TypeList<Bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int8_t, std::int16_t,
             std::int32_t, std::int64_t, Half, Bfloat, float, double, Complex<float>, Complex<double>>;

void stream_copy(const void* source, void* target, std::int64_t bytes) {
  std::int64_t done = 0;
#if defined(__AVX512F__)
  for (; done + 64 <= bytes; done += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(static_cast<char*>(target) + done),
                        _mm512_loadu_si512(static_cast<const char*>(source) + done));
#elif defined(__AVX__)
  for (; done + 32 <= bytes; done += 32)
    _mm256_stream_si256(
        reinterpret_cast<__m256i*>(static_cast<char*>(target) + done),
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(static_cast<const char*>(source) + done)));
#elif defined(__x86_64__)
  for (; done + 16 <= bytes; done += 16)
    _mm_stream_si128(
        reinterpret_cast<__m128i*>(static_cast<char*>(target) + done),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const char*>(source) + done)));
#endif
  __builtin_memcpy(static_cast<char*>(target) + done, static_cast<const char*>(source) + done,
                   static_cast<std::size_t>(bytes - done));
}

void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// Elements of one size, moved without regard to what they mean.
#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
template <class T>
constexpr int vector_lanes = vector_bytes / static_cast<int>(sizeof(T));
template <class T>
using Vector [[gnu::vector_size(vector_bytes)]] = T;

template <class V, int... i>
PHLOX_INLINE V interleave_low(V a, V b, std::integer_sequence<int, i...>) {
  constexpr int n = sizeof...(i);
  return __builtin_shufflevector(a, b, (i / 2 + (i % 2) * n)...);
}
template <class V, int... i>
PHLOX_INLINE V interleave_high(V a, V b, std::integer_sequence<int, i...>) {
  constexpr int n = sizeof...(i);
  return __builtin_shufflevector(a, b, (n / 2 + i / 2 + (i % 2) * n)...);
}

PHLOX_INLINE void store_past_caches(char* target, const void* value) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(target), _mm512_load_si512(value));
#elif defined(__AVX__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(target),
                      _mm256_load_si256(static_cast<const __m256i*>(value)));
#else
  __builtin_memcpy(target, value, vector_bytes);
#endif
}

// A square block in registers: interleaving the two halves of its rows, log2(n) times, transposes it.
template <class T, bool stream>
PHLOX_INLINE void transpose_block(const char* source, std::int64_t source_row, char* target,
                                  std::int64_t target_row) {
  constexpr int n = vector_lanes<T>;
  constexpr auto lanes = std::make_integer_sequence<int, n>{};
  Vector<T> rows[n];
  for (int k = 0; k < n; ++k) __builtin_memcpy(&rows[k], source + k * source_row, vector_bytes);
#pragma GCC unroll 4
  for (int stage = 1; stage < n; stage *= 2) {
    Vector<T> mixed[n];
#pragma GCC unroll 8
    for (int k = 0; k < n / 2; ++k) {
      mixed[2 * k] = interleave_low(rows[k], rows[k + n / 2], lanes);
      mixed[2 * k + 1] = interleave_high(rows[k], rows[k + n / 2], lanes);
    }
#pragma GCC unroll 16
    for (int k = 0; k < n; ++k) rows[k] = mixed[k];
  }
  for (int k = 0; k < n; ++k) {
    if constexpr (stream) store_past_caches(target + k * target_row, &rows[k]);
    else __builtin_memcpy(target + k * target_row, &rows[k], vector_bytes);
  }
}

template <class T>
void transpose(const char* source, std::int64_t source_row, char* target, std::int64_t target_row,
               std::int64_t rows, std::int64_t columns, bool stream) {
  constexpr auto bytes = static_cast<std::int64_t>(sizeof(T));
  const auto one_by_one = [&](std::int64_t r, std::int64_t c) __attribute__((always_inline)) {
    *reinterpret_cast<T*>(target + r * target_row + c * bytes) =
        *reinterpret_cast<const T*>(source + c * source_row + r * bytes);
  };
  std::int64_t r = 0;
  if constexpr (sizeof(T) == 4 || sizeof(T) == 8) {
    constexpr int n = vector_lanes<T>;
    for (; r + n <= rows; r += n) {
      std::int64_t c = 0;
      for (; c + n <= columns; c += n) {
        const char* from = source + c * source_row + r * bytes;
        char* to = target + r * target_row + c * bytes;
        if (stream) transpose_block<T, true>(from, source_row, to, target_row);
        else transpose_block<T, false>(from, source_row, to, target_row);
      }
      for (std::int64_t k = r; k < r + n; ++k)
        for (std::int64_t rest = c; rest < columns; ++rest) one_by_one(k, rest);
    }
  }
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) one_by_one(r, c);
}

struct Wide {
  std::uint64_t low, high;
};

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)

constexpr cpu::ConvertKernels make_kernels() {
  cpu::ConvertKernels kernels{};
  kernels.instruction_set = PHLOX_STRINGIFY(PHLOX_ISA);
  AllTypes::table(kernels.runs);
  kernels.stream_copy = stream_copy;
  kernels.stream_fence = stream_fence;
  kernels.transpose[0] = transpose<std::uint8_t>;
  kernels.transpose[1] = transpose<std::uint16_t>;
  kernels.transpose[2] = transpose<std::uint32_t>;
  kernels.transpose[3] = transpose<std::uint64_t>;
  kernels.transpose[4] = transpose<Wide>;
  return kernels;
}

constexpr cpu::ConvertKernels convert_kernels PHLOX_TABLE_ENTRY(phlox_convert_kernels) = make_kernels();

}  // namespace
}  // namespace PHLOX_ISA
}  // namespace phlox
