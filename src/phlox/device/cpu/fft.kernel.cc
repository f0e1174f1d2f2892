// Fourier transforms on vectors, compiled once for each instruction set: several transforms side by side in the lanes,
// or the parts of one long transform.
#include "phlox/device/cpu/fft_butterflies.h"

namespace phlox {
namespace PHLOX_ISA {

using namespace cpu;

template <class V, std::size_t... lane>
PHLOX_INLINE ComplexLanes<V> separated(V low, V high, std::index_sequence<lane...>) {
  return {V(__builtin_shufflevector(low.value, high.value, (2 * static_cast<int>(lane))...)),
          V(__builtin_shufflevector(low.value, high.value, (2 * static_cast<int>(lane) + 1)...))};
}
// Consecutive complex numbers.
template <class T>
PHLOX_INLINE ComplexLanes<math::Native<T>> load_pairs(const T* source) {
  using V = math::Native<T>;
  return separated(V::load(source), V::load(source + V::lanes), std::make_index_sequence<V::lanes>());
}
template <class V, std::size_t... lane>
PHLOX_INLINE void store_joined(ComplexLanes<V> x, typename V::Element* target, std::index_sequence<lane...>) {
  constexpr int n = V::lanes;
  V(__builtin_shufflevector(x.re.value, x.im.value, (static_cast<int>(lane) / 2 + (lane % 2 ? n : 0))...))
      .store(target);
  V(__builtin_shufflevector(x.re.value, x.im.value,
                            (n / 2 + static_cast<int>(lane) / 2 + (lane % 2 ? n : 0))...))
      .store(target + n);
}
template <class T>
PHLOX_INLINE void store_pairs(ComplexLanes<math::Native<T>> x, T* target) {
  store_joined(x, target, std::make_index_sequence<math::Native<T>::lanes>());
}

// --- vector elements from memory and back

// A buffer with the real parts of elements at `re` and the imaginary parts at `im`; exchanged for backward transforms.
template <class T>
struct Parts {
  T* re;
  T* im;
  Parts(T* buffer, bool swapped)
      : re(buffer + (swapped ? math::Native<T>::lanes : 0)),
        im(buffer + (swapped ? 0 : math::Native<T>::lanes)) {}
};

template <class T>
void load_lanes(const FftSide& side, int active, std::int64_t count, T* buffer, bool swapped) {
  using V = math::Native<T>;
  constexpr int n = V::lanes;
  constexpr std::int64_t size = element_size_of<T>;
  const T* from = static_cast<const T*>(side.base);
  const Parts<T> to(buffer, swapped);
  if (active == n && side.lane == 2 && side.imaginary == 1 && side.is_complex) {
    for (std::int64_t k = 0; k < count; ++k) {
      const auto x = load_pairs(from + k * side.element);
      x.re.store(to.re + k * size);
      x.im.store(to.im + k * size);
    }
    return;
  }
  if (active == n && side.lane == 1) {
    for (std::int64_t k = 0; k < count; ++k) {
      V::load(from + k * side.element).store(to.re + k * size);
      (side.is_complex ? V::load(from + k * side.element + side.imaginary) : V(0)).store(to.im + k * size);
    }
    return;
  }
  std::int64_t k = 0;
  if (side.element == 2 && side.imaginary == 1 && side.is_complex) {
    for (; k + n <= count; k += n) {
      V re[n], im[n];
      for (int lane = 0; lane < n; ++lane) {
        // Lanes that are not in use repeat the last one, which costs nothing and cannot overflow more than that does.
        const auto x = load_pairs(from + (lane < active ? lane : active - 1) * side.lane + 2 * k);
        re[lane] = x.re;
        im[lane] = x.im;
      }
      transpose_lanes<1>(re);
      PHLOX_UNROLL for (int i = 0; i < n; ++i) re[i].store(to.re + (k + i) * size);
      transpose_lanes<1>(im);
      PHLOX_UNROLL for (int i = 0; i < n; ++i) im[i].store(to.im + (k + i) * size);
    }
  }
  for (; k < count; ++k) {
    for (int lane = 0; lane < n; ++lane) {
      const T* at = from + k * side.element + (lane < active ? lane : active - 1) * side.lane;
      to.re[k * size + lane] = at[0];
      to.im[k * size + lane] = side.is_complex ? at[side.imaginary] : T(0);
    }
  }
}

template <class T>
void store_lanes(const FftSide& side, int active, std::int64_t count, T* buffer, bool swapped, T re_scale,
                 T im_scale) {
  using V = math::Native<T>;
  constexpr int n = V::lanes;
  constexpr std::int64_t size = element_size_of<T>;
  T* target = static_cast<T*>(side.base);
  const Parts<T> from(buffer, swapped);
  const V re_factor(re_scale), im_factor(im_scale);
  const auto element = [&](std::int64_t k) __attribute__((always_inline)) {
    return ComplexLanes<V>{V::load(from.re + k * size) * re_factor, V::load(from.im + k * size) * im_factor};
  };
  if (active == n && side.lane == 2 && side.imaginary == 1 && side.is_complex) {
    for (std::int64_t k = 0; k < count; ++k) store_pairs(element(k), target + k * side.element);
    return;
  }
  if (active == n && side.lane == 1) {
    for (std::int64_t k = 0; k < count; ++k) {
      const auto x = element(k);
      x.re.store(target + k * side.element);
      if (side.is_complex) x.im.store(target + k * side.element + side.imaginary);
    }
    return;
  }
  std::int64_t k = 0;
  if (side.element == 2 && side.imaginary == 1 && side.is_complex) {
    for (; k + n <= count; k += n) {
      V re[n], im[n];
      PHLOX_UNROLL for (int i = 0; i < n; ++i) re[i] = V::load(from.re + (k + i) * size) * re_factor;
      transpose_lanes<1>(re);
      PHLOX_UNROLL for (int i = 0; i < n; ++i) im[i] = V::load(from.im + (k + i) * size) * im_factor;
      transpose_lanes<1>(im);
      for (int lane = 0; lane < active; ++lane)
        store_pairs<T>({re[lane], im[lane]}, target + lane * side.lane + 2 * k);
    }
  }
  for (; k < count; ++k) {
    for (int lane = 0; lane < active; ++lane) {
      T* at = target + k * side.element + lane * side.lane;
      at[0] = from.re[k * size + lane] * re_scale;
      if (side.is_complex) at[side.imaginary] = from.im[k * size + lane] * im_scale;
    }
  }
}

// --- real sequences

// From the transform z of the pairs of a real sequence, element k and its mirror h - k of twice the sequence's.
template <class V>
PHLOX_INLINE void combine_after(ComplexLanes<V>& a, ComplexLanes<V>& b, ComplexLanes<V> w) {
  const ComplexLanes<V> even = {a.re + b.re, a.im - b.im}, odd = {a.re - b.re, a.im + b.im};
  const ComplexLanes<V> turned = odd * w;
  a = {even.re + turned.im, even.im - turned.re};
  b = {even.re - turned.im, negative(even.im + turned.re)};
}
// The reverse, with the parts exchanged, since a backward transform follows.
template <class V>
PHLOX_INLINE void combine_before(ComplexLanes<V>& a, ComplexLanes<V>& b, ComplexLanes<V> w) {
  const ComplexLanes<V> even = {a.re + b.re, a.im - b.im}, odd = {a.re - b.re, a.im + b.im};
  const ComplexLanes<V> turned = odd * ComplexLanes<V>{w.re, negative(w.im)};
  a = {even.im + turned.re, even.re - turned.im};
  b = {turned.re - even.im, even.re + turned.im};
}

template <class T>
void real_after_lanes(T* z, std::int64_t h, const T* twiddles) {
  using V = math::Native<T>;
  constexpr std::int64_t size = element_size_of<T>;
  const auto first = load_element(z);
  store_element<T>({(first.re + first.im) * V(2), V(0)}, z);
  store_element<T>({(first.re - first.im) * V(2), V(0)}, z + h * size);
  for (std::int64_t k = 1; k <= h - k; ++k) {
    auto a = load_element(z + k * size), b = load_element(z + (h - k) * size);
    combine_after(a, b, broadcast(twiddles + 2 * k));
    store_element(b, z + (h - k) * size);
    store_element(a, z + k * size);
  }
}

template <class T>
void real_before_lanes(T* x, std::int64_t h, const T* twiddles, bool conjugate) {
  using V = math::Native<T>;
  constexpr std::int64_t size = element_size_of<T>;
  const auto first = load_element(x), last = load_element(x + h * size);
  store_element<T>({first.re - last.re, first.re + last.re}, x);
  const V sign(conjugate ? -1 : 1);
  for (std::int64_t k = 1; k <= h - k; ++k) {
    auto a = load_element(x + k * size), b = load_element(x + (h - k) * size);
    a.im = a.im * sign;
    b.im = b.im * sign;
    combine_before(a, b, broadcast(twiddles + 2 * k));
    store_element(b, x + (h - k) * size);
    store_element(a, x + k * size);
  }
}

template <class T>
void run_lanes(const FftLanes& job, void* scratch) {
  using V = math::Native<T>;
  constexpr std::int64_t size = element_size_of<T>;
  const FftTables& tables = *job.tables;
  const std::int64_t n = tables.length, half = n / 2;
  T *x = static_cast<T*>(scratch), *y = x + (tables.inner + 1) * size;
  const T* twiddles = static_cast<const T*>(job.real_twiddles);
  const T scale = static_cast<T>(job.scale);
  switch (job.form) {
    case FftForm::complex:
      load_lanes(job.input, job.active, n, x, !job.forward);
      x = run_tables(tables, x, y);
      return store_lanes(job.output, job.active, n, x, !job.forward, scale, scale);
    case FftForm::real_to_complex:
      load_lanes(job.input, job.active, n, x, false);
      x = run_tables(tables, x, y);
      real_after_lanes(x, n, twiddles);
      return store_lanes(job.output, job.active, n + 1, x, false, scale / 2,
                         job.forward ? scale / 2 : -scale / 2);
    case FftForm::complex_to_real:
      load_lanes(job.input, job.active, n + 1, x, false);
      real_before_lanes(x, n, twiddles, job.forward);
      x = run_tables(tables, x, y);
      return store_lanes(job.output, job.active, n, x, true, scale, scale);
    case FftForm::odd_real_to_complex:
      load_lanes(job.input, job.active, n, x, false);
      x = run_tables(tables, x, y);
      for (int lane = 0; lane < V::lanes; ++lane) x[V::lanes + lane] = 0;  // not -0, nor what rounding left
      return store_lanes(job.output, job.active, half + 1, x, false, scale, job.forward ? scale : -scale);
    case FftForm::odd_complex_to_real:
      // The second half mirrors the first; the sign of the imaginary parts is that of a forward transform.
      load_lanes(job.input, job.active, half + 1, x, false);
      store_element<T>({load_element(x).re, V(0)}, x);
      for (std::int64_t k = 1; k <= half; ++k) {
        const ComplexLanes<V> a = load_element(x + k * size), b = {a.re, negative(a.im)};
        store_element(job.forward ? a : b, x + k * size);
        store_element(job.forward ? b : a, x + (n - k) * size);
      }
      // Of the conjugate the forward transform is real, and is the backward transform of the sequence; with `forward`
      // the sequence itself is transformed.
      x = run_tables(tables, x, y);
      return store_lanes(job.output, job.active, n, x, false, scale, scale);
  }
}

// --- one long transform

template <class T>
void long_columns(const FftLong& tables, const void* input, void* matrix, bool swapped, std::int64_t first,
                  std::int64_t last, void* scratch) {
  using V = math::Native<T>;
  constexpr int n = V::lanes;
  constexpr std::int64_t size = element_size_of<T>;
  const std::int64_t groups = (tables.columns + n - 1) / n;
  const T *fine = static_cast<const T*>(tables.fine), *coarse = static_cast<const T*>(tables.coarse);
  for (std::int64_t group = first; group < last; ++group) {
    T *x = static_cast<T*>(scratch), *y = x + (tables.column->inner + 1) * size;
    T* from = static_cast<T*>(const_cast<void*>(input)) + 2 * n * group;
    const std::int64_t rest = tables.columns - group * n;
    load_lanes<T>({from, 2 * tables.columns, 1, 2, true}, static_cast<int>(rest < n ? rest : n), tables.rows,
                  x, swapped);
    x = run_tables(*tables.column, x, y);
    T* to = static_cast<T*>(matrix) + group * size;
    const T* fine_of_group = fine + group * tables.fine_count * size;
    for (std::int64_t block = 0; block < tables.coarse_count; ++block) {
      const std::int64_t begin = block * tables.fine_count, left = tables.rows - begin;
      const std::int64_t count = left < tables.fine_count ? left : tables.fine_count;
      if (block == 0) {
        for (std::int64_t k = 0; k < count; ++k)
          store_element(load_element(x + k * size) * load_element(fine_of_group + k * size),
                        to + k * groups * size);
        continue;
      }
      const auto outer = load_element(coarse + (group * tables.coarse_count + block) * size);
      for (std::int64_t k = 0; k < count; ++k) {
        const auto w = outer * load_element(fine_of_group + k * size);
        store_element(load_element(x + (begin + k) * size) * w, to + (begin + k) * groups * size);
      }
    }
  }
}

template <class T>
void long_rows(const FftLong& tables, const void* matrix, void* output, bool swapped, double scale,
               std::int64_t first, std::int64_t last, void* scratch) {
  using V = math::Native<T>;
  constexpr int n = V::lanes;
  constexpr std::int64_t size = element_size_of<T>;
  const std::int64_t groups = (tables.columns + n - 1) / n;
  const T* source = static_cast<const T*>(matrix);
  for (std::int64_t block = first; block < last; ++block) {
    T *x = static_cast<T*>(scratch), *y = x + (tables.row->inner + 1) * size;
    const std::int64_t rest = tables.rows - block * n;
    const int active = static_cast<int>(rest < n ? rest : n);
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t left = tables.columns - group * n;
      const int count = static_cast<int>(left < n ? left : n);
      for (int part = 0; part < 2; ++part) {
        V rows[n];
        for (int row = 0; row < n; ++row)
          rows[row] = V::load(
              source + ((block * n + (row < active ? row : active - 1)) * groups + group) * size + part * n);
        transpose_lanes<1>(rows);
        for (int i = 0; i < count; ++i) rows[i].store(x + (group * n + i) * size + part * n);
      }
    }
    x = run_tables(*tables.row, x, y);
    store_lanes<T>({static_cast<T*>(output) + 2 * block * n, 2 * tables.rows, 1, 2, true}, active,
                   tables.columns, x, swapped, static_cast<T>(scale), static_cast<T>(scale));
  }
}

// --- consecutive complex numbers

template <class T>
void multiply(const void* a, const void* b, void* output, std::int64_t count, bool swap_before,
              bool swap_after, double scale) {
  using V = math::Native<T>;
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b);
  T* out = static_cast<T*>(output);
  const V factor(scale);
  std::int64_t k = 0;
  for (; k + V::lanes <= count; k += V::lanes) {
    ComplexLanes<V> x = load_pairs(p + 2 * k);
    if (swap_before) x = {x.im, x.re};
    x = x * load_pairs(q + 2 * k);
    if (swap_after) x = {x.im, x.re};
    store_pairs<T>({x.re * factor, x.im * factor}, out + 2 * k);
  }
  for (; k < count; ++k) {
    const T xr = p[2 * k + swap_before], xi = p[2 * k + !swap_before];
    const T re = xr * q[2 * k] - xi * q[2 * k + 1], im = xr * q[2 * k + 1] + xi * q[2 * k];
    out[2 * k + swap_after] = re * static_cast<T>(scale);
    out[2 * k + !swap_after] = im * static_cast<T>(scale);
  }
}

template <class V, std::size_t... lane>
PHLOX_INLINE V reversed(V x, std::index_sequence<lane...>) {
  return V(__builtin_shufflevector(x.value, x.value, (V::lanes - 1 - static_cast<int>(lane))...));
}
template <class V>
PHLOX_INLINE ComplexLanes<V> reversed(ComplexLanes<V> x) {
  constexpr auto lanes = std::make_index_sequence<V::lanes>();
  return {reversed(x.re, lanes), reversed(x.im, lanes)};
}

// Calls combine(a, b, w) for elements k and h - k, k = 1 ... h / 2, as long as whole vectors of both do not meet; the
// rest one by one, in the first lane.
template <class T, class Combine>
PHLOX_INLINE void combine_mirrored(const T* in, T* out, const T* twiddles, std::int64_t h,
                                   const Combine& combine) {
  using V = math::Native<T>;
  using C = ComplexLanes<V>;
  constexpr int n = V::lanes;
  std::int64_t k = 1;
  for (; k + n - 1 < h - k - n + 1; k += n) {
    C a = load_pairs(in + 2 * k), b = reversed(load_pairs(in + 2 * (h - k - n + 1)));
    combine(a, b, load_pairs(twiddles + 2 * k));
    store_pairs<T>(a, out + 2 * k);
    store_pairs<T>(reversed(b), out + 2 * (h - k - n + 1));
  }
  for (; k <= h - k; ++k) {
    C a = broadcast(in + 2 * k), b = broadcast(in + 2 * (h - k));
    combine(a, b, broadcast(twiddles + 2 * k));
    out[2 * (h - k)] = b.re.value[0], out[2 * (h - k) + 1] = b.im.value[0];
    out[2 * k] = a.re.value[0], out[2 * k + 1] = a.im.value[0];
  }
}

template <class T>
void real_after(const void* input, void* output, const void* twiddles, std::int64_t h, double scale,
                bool conjugate) {
  using V = math::Native<T>;
  const T* in = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  const T re = in[0], im = in[1];
  const V factor(scale / 2), im_factor(conjugate ? -scale / 2 : scale / 2);
  combine_mirrored(in, out, static_cast<const T*>(twiddles), h,
                   [&](ComplexLanes<V>& a, ComplexLanes<V>& b, ComplexLanes<V> w)
                       __attribute__((always_inline)) {
                         combine_after(a, b, w);
                         a = {a.re * factor, a.im * im_factor};
                         b = {b.re * factor, b.im * im_factor};
                       });
  out[0] = (re + im) * static_cast<T>(scale), out[1] = 0;
  out[2 * h] = (re - im) * static_cast<T>(scale), out[2 * h + 1] = 0;
}

template <class T>
void real_before(const void* input, void* output, const void* twiddles, std::int64_t h, bool conjugate) {
  using V = math::Native<T>;
  const T* in = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  const T first = in[0], last = in[2 * h];
  const V sign(conjugate ? -1 : 1);
  combine_mirrored(in, out, static_cast<const T*>(twiddles), h,
                   [&](ComplexLanes<V>& a, ComplexLanes<V>& b, ComplexLanes<V> w)
                       __attribute__((always_inline)) {
                         a.im = a.im * sign;
                         b.im = b.im * sign;
                         combine_before(a, b, w);
                       });
  out[0] = first - last, out[1] = first + last;
}

template <class T>
constexpr FftFunctions fft_functions() {
  return {math::Native<T>::lanes, run_lanes<T>,  long_columns<T>, long_rows<T>, multiply<T>,
          real_after<T>,          real_before<T>};
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr FftKernels entry PHLOX_TABLE_ENTRY(phlox_fft_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), fft_functions<float>(), fft_functions<double>()};

}  // namespace PHLOX_ISA
}  // namespace phlox
