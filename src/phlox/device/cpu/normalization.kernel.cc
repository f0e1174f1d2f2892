// Normalisation by mean and variance, compiled once for each instruction set. Sums follow reduction_order.h.
#include "phlox/device/cpu/normalization_kernel.h"
#include "phlox/device/cpu/row_kernels.h"

namespace phlox {
namespace PHLOX_ISA {

template <class T>
PHLOX_INLINE T inverse_deviation_of(T variance, double eps) {
  return math::rsqrt(math::Scalar<T>(variance + static_cast<T>(eps))).value;
}

// The sum over all elements of what `map(offset, count, target)` makes of them, which is any number of values, each in
// a target of its own.
template <int sums, class T, class Map>
PHLOX_INLINE void sum_mapped(const Runs& runs, const Map& map, T* results) {
  alignas(64) T staged[sums][reduction_block];
  BlockTree<Sum, T> trees[sums];
  std::int64_t filled = 0;
  const auto flush = [&]() __attribute__((always_inline)) {
    for (int s = 0; s < sums; ++s) trees[s].push(block_in_registers<Sum>(staged[s], filled));
    filled = 0;
  };
  for (std::int64_t run = 0; run < runs.count; ++run) {
    for (std::int64_t i = 0; i < runs.length;) {
      const std::int64_t room = reduction_block - filled, rest = runs.length - i;
      const std::int64_t n = rest < room ? rest : room;
      T* targets[sums];
      for (int s = 0; s < sums; ++s) targets[s] = staged[s] + filled;
      map(run * runs.stride + i, n, targets);
      filled += n;
      i += n;
      if (filled == reduction_block) flush();
    }
  }
  if (filled > 0) flush();
  for (int s = 0; s < sums; ++s) results[s] = trees[s].result();
}

template <class T>
void moments(const void* input, Runs runs, double eps, void* mean_out, void* variance_out,
             void* inverse_out) {
  using V = math::Native<T>;
  const T* x = static_cast<const T*>(input);
  const T count = static_cast<T>(runs.count * runs.length);
  T sum;
  if (runs.count == 1) sum = reduce_whole<Sum>(x, runs.length);
  else
    sum_mapped<1>(
        runs,
        [=](std::int64_t at, std::int64_t n, T* const* targets) __attribute__((always_inline)) {
          __builtin_memcpy(targets[0], x + at, static_cast<std::size_t>(n) * sizeof(T));
        },
        &sum);
  const T mean = sum / count;
  const V center(mean);
  T squares;
  sum_mapped<1>(
      runs,
      [=](std::int64_t at, std::int64_t n, T* const* targets) __attribute__((always_inline)) {
        map_rows(
            targets[0], n, [=](V v) __attribute__((always_inline)) { return (v - center) * (v - center); },
            x + at);
      },
      &squares);
  *static_cast<T*>(mean_out) = mean;
  *static_cast<T*>(variance_out) = squares / count;
  *static_cast<T*>(inverse_out) = inverse_deviation_of(squares / count, eps);
}

template <class T>
void inverse_deviation(const void* variance, double eps, void* inverse, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    static_cast<T*>(inverse)[i] = inverse_deviation_of(static_cast<const T*>(variance)[i], eps);
}

// Calls body(v, load) on vectors, where load(pointer, varies) gives one term for each element; the last, partial
// vector runs on copies.
template <bool varies, class T>
struct Term {
  using V = math::Native<T>;
  const T* values;
  V all;
  PHLOX_INLINE explicit Term(const void* source)
      : values(static_cast<const T*>(source)), all(varies ? T(0) : *static_cast<const T*>(source)) {}
  PHLOX_INLINE V at(std::int64_t i) const {
    if constexpr (varies) return V::load(values + i);
    else return all;
  }
  // Elements i, i + 1, ... of which only `rest` exist.
  PHLOX_INLINE V tail(std::int64_t i, std::size_t rest) const {
    if constexpr (!varies) return all;
    alignas(64) T padded[V::lanes] = {};
    __builtin_memcpy(padded, values + i, rest * sizeof(T));
    return V::load(padded);
  }
};

// output[i] = f(terms of i...)
template <class T, class F, class... Terms>
PHLOX_INLINE void map_terms(T* output, std::int64_t count, const F& f, const Terms&... terms) {
  using V = math::Native<T>;
  std::int64_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) f(terms.at(i)...).store(output + i);
  if (i == count) return;
  const auto rest = static_cast<std::size_t>(count - i);
  alignas(64) T result[V::lanes];
  f(terms.tail(i, rest)...).store(result);
  __builtin_memcpy(output + i, result, rest * sizeof(T));
}

// Calls f with std::bool_constant-like types for whether statistics and weights vary.
template <bool value>
struct Flag {
  static constexpr bool varies = value;
};
template <class F>
PHLOX_INLINE void with_flags(const NormalizationTerms& terms, const F& f) {
  if (terms.statistics_vary)
    terms.affine_varies ? f(Flag<true>{}, Flag<true>{}) : f(Flag<true>{}, Flag<false>{});
  else terms.affine_varies ? f(Flag<false>{}, Flag<true>{}) : f(Flag<false>{}, Flag<false>{});
}

template <class T>
void apply(const void* x, void* y, std::int64_t count, const NormalizationTerms& terms) {
  using V = math::Native<T>;
  with_flags(terms, [&](auto statistics, auto affine) __attribute__((always_inline)) {
    using S = Term<decltype(statistics)::varies, T>;
    using A = Term<decltype(affine)::varies, T>;
    map_terms(
        static_cast<T*>(y), count,
        [](V v, V mean, V inverse, V weight, V bias)
            __attribute__((always_inline)) { return (v - mean) * inverse * weight + bias; },
        Term<true, T>(x), S(terms.mean), S(terms.inverse), A(terms.weight), A(terms.bias));
  });
}

template <class T>
void gradient_sums(const void* input, const void* gradient, Runs runs, const NormalizationTerms& terms,
                   void* sum, void* product_sum) {
  using V = math::Native<T>;
  const T *x = static_cast<const T*>(input), *g = static_cast<const T*>(gradient);
  const T* weight = static_cast<const T*>(terms.weight);
  const V mean(*static_cast<const T*>(terms.mean)), inverse(*static_cast<const T*>(terms.inverse));
  T sums[2];
  if (terms.affine_varies) {
    sum_mapped<2>(
        runs,
        [=](std::int64_t at, std::int64_t n, T* const* targets) __attribute__((always_inline)) {
          map_rows(
              targets[0], n, [](V a, V w) __attribute__((always_inline)) { return a * w; }, g + at,
              weight + at);
          map_rows(
              targets[1], n,
              [=](V h, V v) __attribute__((always_inline)) { return h * ((v - mean) * inverse); }, targets[0],
              x + at);
        },
        sums);
  } else {
    sum_mapped<2>(
        runs,
        [=](std::int64_t at, std::int64_t n, T* const* targets) __attribute__((always_inline)) {
          __builtin_memcpy(targets[0], g + at, static_cast<std::size_t>(n) * sizeof(T));
          map_rows(
              targets[1], n,
              [=](V h, V v) __attribute__((always_inline)) { return h * ((v - mean) * inverse); }, g + at,
              x + at);
        },
        sums);
  }
  *static_cast<T*>(sum) = sums[0];
  *static_cast<T*>(product_sum) = sums[1];
}

template <class T>
void input_gradient(const void* x, const void* gradient, void* out, std::int64_t count,
                    const NormalizationTerms& terms, const void* a, const void* b) {
  using V = math::Native<T>;
  with_flags(terms, [&](auto statistics, auto affine) __attribute__((always_inline)) {
    using S = Term<decltype(statistics)::varies, T>;
    using A = Term<decltype(affine)::varies, T>;
    map_terms(
        static_cast<T*>(out), count,
        [](V v, V g, V mean, V inverse, V weight, V shift, V slope) __attribute__((always_inline)) {
          return (g * weight - shift - (v - mean) * inverse * slope) * inverse;
        },
        Term<true, T>(x), Term<true, T>(gradient), S(terms.mean), S(terms.inverse), A(terms.weight), S(a),
        S(b));
  });
}

// accumulators[c] += map(term vectors of column c), for one row.
template <class T, class F, class... Terms>
PHLOX_INLINE void accumulate(T* accumulators, std::int64_t columns, const F& f, const Terms&... terms) {
  using V = math::Native<T>;
  std::int64_t c = 0;
  for (; c + V::lanes <= columns; c += V::lanes)
    (V::load(accumulators + c) + f(terms.at(c)...)).store(accumulators + c);
  if (c == columns) return;
  const auto rest = static_cast<std::size_t>(columns - c);
  alignas(64) T sum[V::lanes] = {};
  __builtin_memcpy(sum, accumulators + c, rest * sizeof(T));
  (V::load(sum) + f(terms.tail(c, rest)...)).store(sum);
  __builtin_memcpy(accumulators + c, sum, rest * sizeof(T));
}

template <class T>
void column_sums(const void* input, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                 const void* means, void* sums) {
  using V = math::Native<T>;
  alignas(64) T accumulators[lanes * reduce_columns];
  const std::int64_t used = rows < lanes ? rows : lanes;
  start_lanes<Sum>(accumulators, used * columns);
  const T* x = static_cast<const T*>(input);
  for (std::int64_t r = 0; r < rows; ++r) {
    T* lane = accumulators + r % lanes * columns;
    const Term<true, T> row(x + r * stride);
    if (means)
      accumulate(
          lane, columns, [](V v, V mean) __attribute__((always_inline)) { return (v - mean) * (v - mean); },
          row, Term<true, T>(means));
    else accumulate(lane, columns, [](V v) __attribute__((always_inline)) { return v; }, row);
  }
  fold_lanes<Sum>(accumulators, used, columns);
  __builtin_memcpy(sums, accumulators, static_cast<std::size_t>(columns) * sizeof(T));
}

template <class T>
void column_gradient_sums(const void* input, const void* gradient, std::int64_t rows, std::int64_t stride,
                          std::int64_t columns, const NormalizationTerms& terms, void* sums,
                          void* product_sums) {
  using V = math::Native<T>;
  alignas(64) T plain[lanes * reduce_columns];
  alignas(64) T products[lanes * reduce_columns];
  const std::int64_t used = rows < lanes ? rows : lanes;
  start_lanes<Sum>(plain, used * columns);
  start_lanes<Sum>(products, used * columns);
  const T *x = static_cast<const T*>(input), *g = static_cast<const T*>(gradient);
  const T *mean = static_cast<const T*>(terms.mean), *inverse = static_cast<const T*>(terms.inverse);
  const auto product = [](V a, V v, V center, V factor)
                           __attribute__((always_inline)) { return a * ((v - center) * factor); };
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t lane = r % lanes * columns;
    const Term<true, T> row(x + r * stride), slope(g + r * stride);
    accumulate(plain + lane, columns, [](V a) __attribute__((always_inline)) { return a; }, slope);
    if (terms.statistics_vary)
      accumulate(products + lane, columns, product, slope, row, Term<true, T>(mean), Term<true, T>(inverse));
    else
      accumulate(products + lane, columns, product, slope, row, Term<false, T>(mean + r),
                 Term<false, T>(inverse + r));
  }
  fold_lanes<Sum>(plain, used, columns);
  fold_lanes<Sum>(products, used, columns);
  __builtin_memcpy(sums, plain, static_cast<std::size_t>(columns) * sizeof(T));
  __builtin_memcpy(product_sums, products, static_cast<std::size_t>(columns) * sizeof(T));
}

template <class T>
void add(void* left, const void* right, std::int64_t count) {
  add_row<Sum>(static_cast<T*>(left), static_cast<const T*>(right), count);
}

template <class T>
constexpr NormalizationFunctions normalization_functions() {
  return {moments<T>,     inverse_deviation<T>,    apply<T>, gradient_sums<T>, input_gradient<T>,
          column_sums<T>, column_gradient_sums<T>, add<T>};
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr NormalizationKernels entry PHLOX_TABLE_ENTRY(phlox_normalization_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), normalization_functions<float>(), normalization_functions<double>()};

}  // namespace PHLOX_ISA
}  // namespace phlox
