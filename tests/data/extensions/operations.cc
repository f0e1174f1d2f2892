// One operation of each kind, for tests/python/test_extension.py.
#include <phlox/extension/extension.h>
using namespace phlox::extension;

struct SoftLog : Unary<1> {
  static constexpr auto body(auto x, auto scale) {
    return select(x > 0.0, log1p(x * scale), -log1p(-x * scale));
  }
};
PHLOX_EXTENSION_POINTWISE(softlog, SoftLog, "(Tensor input, float scale = 1.0)", "Logarithm with a sign.")

Tensor rms(const Tensor& x, double epsilon) { return sqrt(call("mean", x * x, -1, true) + epsilon); }
PHLOX_EXTENSION_COMPOSITE(rms, "(Tensor input, float epsilon = 1e-6)", "Root of the mean square.")

struct WindowedSum {
  static Type type(const Type& x, std::int64_t width) { return {x.dtype, {x.size(0) - width + 1}}; }
  template <class T>
  static void run(Array<const T> x, std::int64_t width, Array<T> y) {
    for (std::int64_t i = 0; i < y.size(); ++i) {
      y[i] = 0;
      for (std::int64_t j = 0; j < width; ++j) y[i] += x[i + j];
    }
  }
  static Tensor gradient(const Tensor&, const Tensor&, const Tensor& g, std::int64_t width) {
    return call("windowed_sum", call("pad", g, Ints{width - 1, width - 1}), width);
  }
};
PHLOX_EXTENSION_KERNEL(windowed_sum, WindowedSum, "(Tensor input, int width = 3)", "Sums of neighbours.")

std::tuple<Tensor, Tensor> plus_minus(const Tensor& a, const Tensor& b) { return {a + b, a - b}; }
PHLOX_EXTENSION_COMPOSITE(plus_minus, "(Tensor input, Tensor other)", "Sum and difference.")

struct RowSums {
  static constexpr bool batched = true, integers = true;
  static Type type(const Type& x) {
    if (x.rank() == 0) throw std::invalid_argument("a number has no rows");
    return {x.dtype, {x.sizes.begin(), x.sizes.end() - 1}};
  }
  template <class T>
  static void run(Array<const T> x, Array<T> y) {
    const std::int64_t width = x.size(-1);
    parallel_for(y.size(), 16, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        y[i] = 0;
        for (std::int64_t j = 0; j < width; ++j) y[i] += x[i * width + j];
      }
    });
  }
};
PHLOX_EXTENSION_KERNEL(row_sums, RowSums, "(Tensor input)", "The sum of each row, without a gradient.")

struct TwoResults {
  static std::tuple<Type, Type> type(const Type& x, const Type&) { return {x, x}; }
  template <class T>
  static void run(Array<const T> x, Array<const T> y, Array<T> smaller, Array<T> larger) {
    for (std::int64_t i = 0; i < x.size(); ++i) {
      smaller[i] = x[i] < y[i] ? x[i] : y[i];
      larger[i] = x[i] < y[i] ? y[i] : x[i];
    }
  }
  static std::tuple<Tensor, Tensor> gradient(const Tensor& x, const Tensor& y, const Tensor&, const Tensor&,
                                             const Tensor& of_smaller, const Tensor& of_larger) {
    const Tensor first = call("lt", x, y);
    return {call("where", first, of_smaller, of_larger), call("where", first, of_larger, of_smaller)};
  }
};
PHLOX_EXTENSION_KERNEL(smaller_and_larger, TwoResults, "(Tensor input, Tensor other)", "Both, in order.")
