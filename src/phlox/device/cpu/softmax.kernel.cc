// Softmax and cross-entropy on rows that fit the cache, compiled once for each instruction set. The sums follow
// reduction_order.h, so the results are those of the definition with amax, exp, sum and div.
#include "phlox/device/cpu/row_kernels.h"
#include "phlox/device/cpu/softmax_kernel.h"

namespace phlox {
namespace PHLOX_ISA {

template <class T>
void softmax(const void* input, void* output, std::int64_t count) {
  using V = math::Native<T>;
  const T* x = static_cast<const T*>(input);
  T* y = static_cast<T*>(output);
  const V largest(reduce_whole<Maximum>(x, count));
  map_rows(y, count, [=](V v) __attribute__((always_inline)) { return exp(v - largest); }, x);
  const V total(reduce_whole<Sum>(y, count));
  map_rows(y, count, [=](V v) __attribute__((always_inline)) { return v / total; }, y);
}

// The exponentials are needed for their sum only: block by block, without a row of scratch.
template <class T>
void log_softmax_sum(const void* input, void* statistics, std::int64_t count) {
  using V = math::Native<T>;
  const T* x = static_cast<const T*>(input);
  const T largest = reduce_whole<Maximum>(x, count);
  const V shift(largest);
  BlockTree<Sum, T> tree;
  alignas(64) T exponentials[reduction_block];
  for (std::int64_t i = 0; i < count; i += reduction_block) {
    const std::int64_t n = count - i < reduction_block ? count - i : reduction_block;
    map_rows(exponentials, n, [=](V v) __attribute__((always_inline)) { return exp(v - shift); }, x + i);
    tree.push(block_in_registers<Sum>(exponentials, n));
  }
  static_cast<T*>(statistics)[0] = largest;
  static_cast<T*>(statistics)[1] = tree.result();
}

template <class T>
void log_softmax(const void* input, const void* statistics, void* output, std::int64_t count) {
  using V = math::Native<T>;
  const V largest(static_cast<const T*>(statistics)[0]), log_sum(static_cast<const T*>(statistics)[1]);
  map_rows(
      static_cast<T*>(output), count,
      [=](V v) __attribute__((always_inline)) { return (v - largest) - log_sum; },
      static_cast<const T*>(input));
}

template <class T>
void softmax_gradient(const void* result, const void* gradient, void* output, std::int64_t count) {
  using V = math::Native<T>;
  const T *y = static_cast<const T*>(result), *g = static_cast<const T*>(gradient);
  T* out = static_cast<T*>(output);
  map_rows(out, count, [](V a, V b) __attribute__((always_inline)) { return a * b; }, y, g);
  const V total(reduce_whole<Sum>(out, count));
  map_rows(out, count, [=](V a, V b) __attribute__((always_inline)) { return a * (b - total); }, y, g);
}

template <class T>
void log_softmax_gradient(const void* result, const void* gradient, void* output, std::int64_t count) {
  using V = math::Native<T>;
  const T *y = static_cast<const T*>(result), *g = static_cast<const T*>(gradient);
  const V total(reduce_whole<Sum>(g, count));
  map_rows(
      static_cast<T*>(output), count,
      [=](V a, V b) __attribute__((always_inline)) { return b - exp(a) * total; }, y, g);
}

template <class T>
void cross_entropy_sum(const void* input, void* scratch, void* statistics, std::int64_t count) {
  using V = math::Native<T>;
  const T* x = static_cast<const T*>(input);
  T* e = static_cast<T*>(scratch);
  const T largest = reduce_whole<Maximum>(x, count);
  const V shift(largest);
  map_rows(e, count, [=](V v) __attribute__((always_inline)) { return exp(v - shift); }, x);
  static_cast<T*>(statistics)[0] = largest;
  static_cast<T*>(statistics)[1] = reduce_whole<Sum>(e, count);
}

template <class T>
void logarithms(void* values, std::int64_t count) {
  using V = math::Native<T>;
  T* x = static_cast<T*>(values);
  map_rows(x, count, [](V v) __attribute__((always_inline)) { return log(v); }, x);
}

template <class T>
void cross_entropy(const void* input, const CrossEntropyRow& row, const void* weights, void* scratch,
                   const void* statistics, void* loss, std::int64_t count) {
  using V = math::Native<T>;
  const T *x = static_cast<const T*>(input), *w = static_cast<const T*>(weights);
  const T largest = static_cast<const T*>(statistics)[0], log_sum = static_cast<const T*>(statistics)[1];
  const T smoothing = static_cast<T>(row.smoothing);
  T value = -static_cast<T>(row.weight) * ((x[row.target] - largest) - log_sum) * (1 - smoothing);
  if (smoothing != 0) {
    T* e = static_cast<T*>(scratch);
    const V shift(largest), offset(log_sum);
    if (w)
      map_rows(
          e, count, [=](V v, V u) __attribute__((always_inline)) { return ((v - shift) - offset) * u; }, x,
          w);
    else map_rows(e, count, [=](V v) __attribute__((always_inline)) { return (v - shift) - offset; }, x);
    value -= reduce_whole<Sum>(e, count) * (smoothing / static_cast<T>(count));
  }
  *static_cast<T*>(loss) = value;
}

template <class T>
void cross_entropy_gradient(const void* input, const CrossEntropyRow& row, const void* weights,
                            const void* statistics, double gradient, void* output, std::int64_t count) {
  using V = math::Native<T>;
  const T *x = static_cast<const T*>(input), *w = static_cast<const T*>(weights);
  T* out = static_cast<T*>(output);
  const V shift(static_cast<const T*>(statistics)[0]), log_sum(static_cast<const T*>(statistics)[1]);
  const double each = row.smoothing / static_cast<double>(count);
  const V total(gradient * ((1 - row.smoothing) * row.weight + each * row.weight_sum)), part(gradient * each);
  if (each == 0) {
    map_rows(
        out, count, [=](V v) __attribute__((always_inline)) { return exp((v - shift) - log_sum) * total; },
        x);
  } else if (w) {
    map_rows(
        out, count,
        [=](V v, V u)
            __attribute__((always_inline)) { return exp((v - shift) - log_sum) * total - u * part; },
        x, w);
  } else {
    map_rows(
        out, count,
        [=](V v) __attribute__((always_inline)) { return exp((v - shift) - log_sum) * total - part; }, x);
  }
  out[row.target] -= static_cast<T>(gradient * (1 - row.smoothing) * row.weight);
}

template <class T>
constexpr SoftmaxFunctions softmax_functions() {
  return {softmax<T>,          log_softmax<T>,          log_softmax_sum<T>,
          softmax_gradient<T>, log_softmax_gradient<T>, cross_entropy_sum<T>,
          logarithms<T>,       cross_entropy<T>,        cross_entropy_gradient<T>};
}

#define PHLOX_STRINGIFY_(x) #x
#define PHLOX_STRINGIFY(x) PHLOX_STRINGIFY_(x)
static constexpr SoftmaxKernels entry PHLOX_TABLE_ENTRY(phlox_softmax_kernels) = {
    PHLOX_STRINGIFY(PHLOX_ISA), softmax_functions<float>(), softmax_functions<double>()};

}  // namespace PHLOX_ISA
}  // namespace phlox
