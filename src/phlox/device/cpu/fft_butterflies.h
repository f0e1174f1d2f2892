// Small transforms in registers and the passes made of them, for fft.kernel.cc. All are forward: exp(-2 pi i j k / n).
#pragma once

#include "phlox/device/cpu/fft_kernel.h"
#include "phlox/device/cpu/vector_registers.h"

namespace phlox {
namespace PHLOX_ISA {

// With the compiler's own negation, which it can make part of the instruction.
template <class V>
PHLOX_INLINE V negative(V a) {
  return V(-a.value);
}
template <class V>
PHLOX_INLINE V multiply_subtract(V a, V b, V c) {
  return multiply_add(a, b, negative(c));
}
template <class V>
PHLOX_INLINE V subtract_product(V c, V a, V b) {
  return multiply_add(negative(a), b, c);
}

template <class V>
struct ComplexLanes {
  V re, im;

  PHLOX_INLINE friend ComplexLanes operator+(ComplexLanes a, ComplexLanes b) {
    return {a.re + b.re, a.im + b.im};
  }
  PHLOX_INLINE friend ComplexLanes operator-(ComplexLanes a, ComplexLanes b) {
    return {a.re - b.re, a.im - b.im};
  }
  PHLOX_INLINE friend ComplexLanes operator*(ComplexLanes a, ComplexLanes b) {
    return {subtract_product(a.re * b.re, a.im, b.im), multiply_add(a.re, b.im, a.im * b.re)};
  }
};
// a + i b and a - i b
template <class V>
PHLOX_INLINE ComplexLanes<V> plus_i(ComplexLanes<V> a, ComplexLanes<V> b) {
  return {a.re - b.im, a.im + b.re};
}
template <class V>
PHLOX_INLINE ComplexLanes<V> minus_i(ComplexLanes<V> a, ComplexLanes<V> b) {
  return {a.re + b.im, a.im - b.re};
}

// Vector elements in memory.
template <class T>
inline constexpr std::int64_t element_size_of = 2 * math::Native<T>::lanes;

template <class T>
PHLOX_INLINE ComplexLanes<math::Native<T>> load_element(const T* source) {
  using V = math::Native<T>;
  return {V::load(source), V::load(source + V::lanes)};
}
template <class T>
PHLOX_INLINE void store_element(ComplexLanes<math::Native<T>> x, T* target) {
  x.re.store(target);
  x.im.store(target + math::Native<T>::lanes);
}
// The same complex number in all lanes.
template <class T>
PHLOX_INLINE ComplexLanes<math::Native<T>> broadcast(const T* pair) {
  using V = math::Native<T>;
  return {V(pair[0]), V(pair[1])};
}

// cos and sin of 2 pi j / radix for j = 1 ... radix / 2.
template <int radix>
struct Roots;
template <>
struct Roots<3> {
  static constexpr double cosine[] = {-0.5};
  static constexpr double sine[] = {0.86602540378443864676};
};
template <>
struct Roots<5> {
  static constexpr double cosine[] = {0.30901699437494742410, -0.80901699437494742410};
  static constexpr double sine[] = {0.95105651629515357212, 0.58778525229247312917};
};
template <>
struct Roots<7> {
  static constexpr double cosine[] = {0.62348980185873353053, -0.22252093395631440429,
                                      -0.90096886790241912624};
  static constexpr double sine[] = {0.78183148246802980871, 0.97492791218182360702, 0.43388373911755812048};
};

// Odd radices by their symmetry: sums and differences of opposite elements meet cosines and sines.
template <int radix, class V>
PHLOX_INLINE void butterfly_odd(ComplexLanes<V> (&a)[radix]) {
  using R = Roots<radix>;
  constexpr int half = radix / 2;
  ComplexLanes<V> sums[half], differences[half], total = a[0];
  const ComplexLanes<V> first = a[0];
  PHLOX_UNROLL for (int j = 0; j < half; ++j) {
    sums[j] = a[j + 1] + a[radix - 1 - j];
    differences[j] = a[j + 1] - a[radix - 1 - j];
    total = total + sums[j];
  }
  a[0] = total;
  PHLOX_UNROLL for (int k = 1; k <= half; ++k) {
    ComplexLanes<V> even = first, odd;
    PHLOX_UNROLL for (int j = 1; j <= half; ++j) {
      const int turn = j * k % radix;
      const V c(turn <= half ? R::cosine[turn - 1] : R::cosine[radix - turn - 1]);
      const V s(turn <= half ? R::sine[turn - 1] : -R::sine[radix - turn - 1]);
      even = {multiply_add(c, sums[j - 1].re, even.re), multiply_add(c, sums[j - 1].im, even.im)};
      if (j == 1) odd = {s * differences[0].re, s * differences[0].im};
      else
        odd = {multiply_add(s, differences[j - 1].re, odd.re),
               multiply_add(s, differences[j - 1].im, odd.im)};
    }
    a[k] = minus_i(even, odd);
    a[radix - k] = plus_i(even, odd);
  }
}

template <class V>
PHLOX_INLINE void butterfly_four(ComplexLanes<V>& a, ComplexLanes<V>& b, ComplexLanes<V>& c,
                                 ComplexLanes<V>& d) {
  const ComplexLanes<V> t0 = a + c, t1 = a - c, t2 = b + d, t3 = b - d;
  a = t0 + t2;
  c = t0 - t2;
  b = minus_i(t1, t3);
  d = plus_i(t1, t3);
}

template <int radix, class V>
PHLOX_INLINE void butterfly(ComplexLanes<V> (&a)[radix]) {
  using C = ComplexLanes<V>;
  if constexpr (radix == 2) {
    const C sum = a[0] + a[1];
    a[1] = a[0] - a[1];
    a[0] = sum;
  } else if constexpr (radix == 4) {
    butterfly_four(a[0], a[1], a[2], a[3]);
  } else if constexpr (radix == 8) {
    butterfly_four(a[0], a[2], a[4], a[6]);
    butterfly_four(a[1], a[3], a[5], a[7]);
    const V half_root(0.70710678118654752440);
    // The odd half times the powers of exp(-pi i / 4).
    const C b1 = {(a[3].re + a[3].im) * half_root, (a[3].im - a[3].re) * half_root};
    const C b3 = {(a[7].im - a[7].re) * half_root, negative((a[7].re + a[7].im) * half_root)};
    const C e0 = a[0], e1 = a[2], e2 = a[4], e3 = a[6], o0 = a[1], o2 = a[5];
    a[0] = e0 + o0, a[4] = e0 - o0;
    a[1] = e1 + b1, a[5] = e1 - b1;
    a[2] = minus_i(e2, o2), a[6] = plus_i(e2, o2);
    a[3] = e3 + b3, a[7] = e3 - b3;
  } else {
    butterfly_odd(a);
  }
}

// Stockham's pass by decimation in frequency: element q + stride * (p + count * k) of x for k = 0 ... radix - 1 gives
// element q + stride * (radix * p + k) of y.
template <int radix, bool twiddled, class T>
PHLOX_INLINE void pass_of(const cpu::FftPass& pass, const T* x, T* y) {
  using V = math::Native<T>;
  constexpr std::int64_t size = element_size_of<T>;
  const T* twiddles = static_cast<const T*>(pass.twiddles);
  const std::int64_t stride = pass.stride * size, far = pass.count * stride;
  for (std::int64_t p = 0; p < pass.count; ++p) {
    ComplexLanes<V> w[radix];
    if constexpr (twiddled)
      PHLOX_UNROLL for (int k = 1; k < radix; ++k) w[k] = broadcast(twiddles + 2 * (p * (radix - 1) + k - 1));
    const T* from = x + p * stride;
    T* to = y + p * radix * stride;
    for (std::int64_t q = 0; q < stride; q += size) {
      ComplexLanes<V> a[radix];
      PHLOX_UNROLL for (int k = 0; k < radix; ++k) a[k] = load_element(from + q + k * far);
      butterfly<radix>(a);
      store_element(a[0], to + q);
      PHLOX_UNROLL for (int k = 1; k < radix; ++k) {
        if constexpr (twiddled) store_element(a[k] * w[k], to + q + k * stride);
        else store_element(a[k], to + q + k * stride);
      }
    }
  }
}

// Any odd radix.
inline constexpr int largest_radix = 47;
template <class T>
void pass_of_any(const cpu::FftPass& pass, const T* x, T* y) {
  using V = math::Native<T>;
  using C = ComplexLanes<V>;
  constexpr std::int64_t size = element_size_of<T>;
  const T *twiddles = static_cast<const T*>(pass.twiddles), *roots = static_cast<const T*>(pass.roots);
  const int radix = pass.radix, half = radix / 2;
  const std::int64_t stride = pass.stride * size, far = pass.count * stride;
  C sums[largest_radix / 2], differences[largest_radix / 2];
  for (std::int64_t p = 0; p < pass.count; ++p) {
    for (std::int64_t q = 0; q < stride; q += size) {
      const T* from = x + p * stride + q;
      T* to = y + p * radix * stride + q;
      const C first = load_element(from);
      C total = first;
      for (int j = 0; j < half; ++j) {
        const C a = load_element(from + (j + 1) * far), b = load_element(from + (radix - 1 - j) * far);
        sums[j] = a + b;
        differences[j] = a - b;
        total = total + sums[j];
      }
      store_element(total, to);
      const auto finish = [&](C value, int k) __attribute__((always_inline)) {
        if (pass.count > 1) value = value * broadcast(twiddles + 2 * (p * (radix - 1) + k - 1));
        store_element(value, to + k * stride);
      };
      for (int k = 1; k <= half; ++k) {
        C even = first, odd = {V(0), V(0)};
        int turn = 0;
        for (int j = 0; j < half; ++j) {
          turn += k;
          if (turn >= radix) turn -= radix;
          const V c(roots[2 * turn]), s(-roots[2 * turn + 1]);
          even = {multiply_add(c, sums[j].re, even.re), multiply_add(c, sums[j].im, even.im)};
          odd = {multiply_add(s, differences[j].re, odd.re), multiply_add(s, differences[j].im, odd.im)};
        }
        finish(minus_i(even, odd), k);
        finish(plus_i(even, odd), radix - k);
      }
    }
  }
}

template <class T>
void run_pass(const cpu::FftPass& pass, const T* x, T* y) {
  const auto run = [&]<int radix>() __attribute__((always_inline)) {
    if (pass.count > 1) pass_of<radix, true>(pass, x, y);
    else pass_of<radix, false>(pass, x, y);
  };
  switch (pass.radix) {
    case 2: return run.template operator()<2>();
    case 3: return run.template operator()<3>();
    case 4: return run.template operator()<4>();
    case 5: return run.template operator()<5>();
    case 7: return run.template operator()<7>();
    case 8: return run.template operator()<8>();
    default: return pass_of_any(pass, x, y);
  }
}

// Transforms x, with y as the other buffer; returns which of them holds the result.
template <class T>
T* run_passes(const cpu::FftTables& tables, T* x, T* y) {
  for (int i = 0; i < tables.pass_count; ++i) {
    run_pass(tables.passes[i], x, y);
    T* other = x;
    x = y;
    y = other;
  }
  return x;
}

template <class T>
PHLOX_INLINE void swap_parts(T* element) {
  const ComplexLanes<math::Native<T>> a = load_element(element);
  store_element<T>({a.im, a.re}, element);
}

// The same for any length.
template <class T>
T* run_tables(const cpu::FftTables& tables, T* x, T* y) {
  if (!tables.chirp) return run_passes(tables, x, y);
  using V = math::Native<T>;
  constexpr std::int64_t size = element_size_of<T>;
  const T *chirp = static_cast<const T*>(tables.chirp), *filter = static_cast<const T*>(tables.filter);
  for (std::int64_t k = 0; k < tables.length; ++k)
    store_element(load_element(x + k * size) * broadcast(chirp + 2 * k), x + k * size);
  for (std::int64_t k = tables.length; k < tables.inner; ++k) store_element<T>({V(0), V(0)}, x + k * size);
  T* spectrum = run_passes(tables, x, y);
  for (std::int64_t k = 0; k < tables.inner; ++k) {
    const ComplexLanes<V> product = load_element(spectrum + k * size) * broadcast(filter + 2 * k);
    store_element<T>({product.im, product.re}, spectrum + k * size);
  }
  T* result = run_passes(tables, spectrum, spectrum == x ? y : x);
  for (std::int64_t k = 0; k < tables.length; ++k) {
    const ComplexLanes<V> value = load_element(result + k * size);
    store_element(ComplexLanes<V>{value.im, value.re} * broadcast(chirp + 2 * k), result + k * size);
  }
  return result;
}

}  // namespace PHLOX_ISA
}  // namespace phlox
