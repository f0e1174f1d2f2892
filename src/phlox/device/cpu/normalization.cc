// Normalisation on the CPU. A statistic whose elements lie in long runs is found and used while they are in the cache;
// statistics that lie side by side, as those of channels-last images do, are found block by block for many at once.
#include <algorithm>
#include <cstring>
#include <vector>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/normalization_kernel.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/reduce_kernel.h"
#include "phlox/device/cpu/rows.h"

namespace phlox::cpu {

PHLOX_TABLE(NormalizationKernels, phlox_normalization_kernels);

namespace {

constexpr std::int64_t parallel_elements = 16384;

const NormalizationFunctions& functions(DType dtype) {
  static const NormalizationKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_normalization_kernels));
  return dtype == DType::float64 ? best.float64 : best.float32;
}

// The elements of a vector: those of a tensor, or the neutral element as often as wanted.
class Values {
 public:
  Values(const TensorImpl* tensor, double neutral, std::int64_t count, DType dtype)
      : given_(tensor), bytes_(element_size(dtype)) {
    if (tensor) {
      base_ = static_cast<char*>(tensor->address());
      return;
    }
    neutral_.resize(static_cast<std::size_t>(count * bytes_));
    base_ = neutral_.data();
    for (std::int64_t i = 0; i < count; ++i) Scalar(neutral).store(dtype, at(i));
  }
  bool given() const { return given_; }
  char* at(std::int64_t i) const { return base_ + i * bytes_; }

 private:
  bool given_;
  std::int64_t bytes_;
  char* base_;
  std::vector<char> neutral_;
};

// One call, with what both directions need.
struct Normalization {
  explicit Normalization(const NormalizationLayout& l, const TensorImpl& input)
      : layout(l),
        dtype(input.dtype),
        bytes(element_size(dtype)),
        f(functions(dtype)),
        x(static_cast<const char*>(input.address())) {}

  const NormalizationLayout layout;
  const DType dtype;
  const std::int64_t bytes;
  const NormalizationFunctions& f;
  const char* x;

  bool side_by_side() const { return layout.inner == 1; }
  // Whether weights differ from one element to the next.
  bool affine_varies() const { return layout.run == 1; }
  double statistic_size() const { return static_cast<double>(layout.outer * layout.inner); }
  double get(const char* values, std::int64_t i) const {
    if (dtype == DType::float64) return reinterpret_cast<const double*>(values)[i];
    return static_cast<double>(reinterpret_cast<const float*>(values)[i]);
  }
  void set(char* values, std::int64_t i, double value) const {
    if (dtype == DType::float64) reinterpret_cast<double*>(values)[i] = value;
    else reinterpret_cast<float*>(values)[i] = static_cast<float>(value);
  }
  std::int64_t channel(std::int64_t kept, std::int64_t inner) const {
    return (kept * layout.inner + inner) / layout.run % layout.channels;
  }
  // Of element (outer, kept, inner).
  std::int64_t offset(std::int64_t outer, std::int64_t kept, std::int64_t inner) const {
    return ((outer * layout.kept + kept) * layout.inner + inner) * bytes;
  }
  Runs runs(std::int64_t length) const { return {layout.outer, length, layout.kept * layout.inner}; }

  template <class Body>
  void for_statistics(const Body& body) const {
    const std::int64_t grain = std::max<std::int64_t>(1, parallel_elements / (layout.outer * layout.inner));
    parallel_for(0, layout.kept, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) body(k);
    });
  }
  template <class Body>
  void for_matrix_rows(const Body& body) const {
    const std::int64_t grain = std::max<std::int64_t>(1, parallel_elements / layout.kept);
    parallel_for(0, layout.outer, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) body(row);
    });
  }
  // Calls body(offset, count, channel) for the pieces of statistic k in which one set of terms holds.
  template <class Body>
  void for_pieces(std::int64_t k, const Body& body) const {
    const std::int64_t length = affine_varies() ? layout.inner : layout.run;
    for (std::int64_t o = 0; o < layout.outer; ++o)
      for (std::int64_t i = 0; i < layout.inner; i += length) body(offset(o, k, i), length, channel(k, i));
  }
};

// The sums for all columns of a matrix, of one or two things, made of blocks of rows that threads share out.
// `block(row, rows, column, columns, sums, next)` makes those of one block; the second sums stand `next` bytes on.
template <class Block>
void sum_columns(const Normalization& n, std::int64_t rows, std::int64_t columns,
                 std::initializer_list<char*> results, const Block& block) {
  const auto sets = static_cast<std::int64_t>(results.size());
  const std::int64_t blocks = (rows + reduction_block - 1) / reduction_block;
  const std::int64_t tiles = (columns + reduce_columns - 1) / reduce_columns;
  const std::int64_t row_bytes = columns * n.bytes;
  std::vector<char> partial(static_cast<std::size_t>(blocks * sets * row_bytes));
  const std::int64_t block_elements =
      std::min<std::int64_t>(rows, reduction_block) * std::min<std::int64_t>(columns, reduce_columns);
  parallel_for(0, blocks * tiles, std::max<std::int64_t>(1, parallel_elements / block_elements),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t row = i / tiles * reduction_block, column = i % tiles * reduce_columns;
                   block(row, std::min<std::int64_t>(reduction_block, rows - row), column,
                         std::min<std::int64_t>(reduce_columns, columns - column),
                         partial.data() + i / tiles * sets * row_bytes + column * n.bytes, row_bytes);
                 }
               });
  for (std::int64_t step = 1; step < blocks; step *= 2)
    for (std::int64_t b = 0; b + step < blocks; b += 2 * step)
      n.f.add(partial.data() + b * sets * row_bytes, partial.data() + (b + step) * sets * row_bytes,
              sets * columns);
  const char* sums = partial.data();
  for (char* result : results) {
    std::memcpy(result, sums, static_cast<std::size_t>(row_bytes));
    sums += row_bytes;
  }
}

}  // namespace

void normalize(const NormalizationCall& call) {
  const Normalization n(call.layout, *call.input);
  const auto& [layout, dtype, bytes, f, x] = n;
  char* y = static_cast<char*>(call.output->address());
  char* mean = static_cast<char*>(call.mean->address());
  char* variance = static_cast<char*>(call.variance->address());
  char* inverse = static_cast<char*>(call.inverse->address());
  // x + -0 is x, also where x is -0.
  const Values weight(call.weight, 1, layout.channels, dtype), bias(call.bias, -0.0, layout.channels, dtype);
  const bool affine = weight.given() || bias.given();

  if (!n.side_by_side()) {
    n.for_statistics([&](std::int64_t k) {
      const std::int64_t own = k * bytes;
      f.moments(x + n.offset(0, k, 0), n.runs(layout.inner), call.eps, mean + own, variance + own,
                inverse + own);
      n.for_pieces(k, [&](std::int64_t at, std::int64_t count, std::int64_t channel) {
        f.apply(x + at, y + at, count,
                {mean + own, inverse + own, weight.at(channel), bias.at(channel), false,
                 affine && n.affine_varies()});
      });
    });
    return;
  }
  const std::int64_t columns = layout.kept;
  for (char* result : {mean, variance}) {
    const char* means = result == mean ? nullptr : mean;
    sum_columns(n, layout.outer, columns, {result},
                [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t width, char* sums,
                    std::int64_t) {
                  f.column_sums(x + (row * columns + column) * bytes, rows, columns, width,
                                means ? means + column * bytes : nullptr, sums);
                });
    for (std::int64_t c = 0; c < columns; ++c) n.set(result, c, n.get(result, c) / n.statistic_size());
  }
  f.inverse_deviation(variance, call.eps, inverse, columns);
  n.for_matrix_rows([&](std::int64_t row) {
    f.apply(x + row * columns * bytes, y + row * columns * bytes, columns,
            {mean, inverse, weight.at(0), bias.at(0), true, affine});
  });
}

void normalize_gradient(const NormalizationGradientCall& call) {
  const Normalization n(call.layout, *call.input);
  const auto& [layout, dtype, bytes, f, x] = n;
  const char* g = static_cast<const char*>(call.gradient->address());
  const char* mean = static_cast<const char*>(call.mean->address());
  const char* inverse = static_cast<const char*>(call.inverse->address());
  char* out = call.input_gradient ? static_cast<char*>(call.input_gradient->address()) : nullptr;
  const Values weight(call.weight, 1, layout.channels, dtype);
  const double size = n.statistic_size();
  const std::int64_t columns = n.side_by_side() ? layout.kept : layout.inner;
  // Sums of the gradient, and of the gradient times x̂: by channel in the end.
  std::vector<char> sums, products;
  const auto sum_matrix = [&](std::int64_t rows, bool statistics_vary) {
    sums.resize(static_cast<std::size_t>(columns * bytes));
    products.resize(sums.size());
    sum_columns(n, rows, columns, {sums.data(), products.data()},
                [&](std::int64_t row, std::int64_t count, std::int64_t column, std::int64_t width,
                    char* target, std::int64_t next) {
                  const std::int64_t at = (row * columns + column) * bytes,
                                     own = (statistics_vary ? column : row) * bytes;
                  f.column_gradient_sums(
                      x + at, g + at, count, columns, width,
                      {mean + own, inverse + own, nullptr, nullptr, statistics_vary, false}, target,
                      target + next);
                });
  };

  if (n.side_by_side()) {
    sum_matrix(layout.outer, true);
    if (out) {
      std::vector<char> shift(sums.size()), slope(sums.size());
      for (std::int64_t c = 0; c < columns; ++c) {
        const double w = n.get(weight.at(0), c);
        n.set(shift.data(), c, n.get(sums.data(), c) * w / size);
        n.set(slope.data(), c, n.get(products.data(), c) * w / size);
      }
      n.for_matrix_rows([&](std::int64_t row) {
        const std::int64_t at = row * columns * bytes;
        f.input_gradient(x + at, g + at, out + at, columns,
                         {mean, inverse, weight.at(0), nullptr, true, weight.given()}, shift.data(),
                         slope.data());
      });
    }
  } else {
    const std::int64_t pieces = n.affine_varies() ? 1 : layout.inner / layout.run;
    const std::int64_t length = layout.inner / pieces;
    std::vector<char> piece_sums(static_cast<std::size_t>(layout.kept * pieces * bytes)),
        piece_products(piece_sums.size());
    n.for_statistics([&](std::int64_t k) {
      NormalizationTerms terms{mean + k * bytes,
                               inverse + k * bytes,
                               nullptr,
                               nullptr,
                               false,
                               n.affine_varies() && weight.given()};
      double sum = 0, product = 0;
      for (std::int64_t j = 0; j < pieces; ++j) {
        const std::int64_t at = n.offset(0, k, j * length), i = k * pieces + j;
        terms.weight = weight.at(n.channel(k, j * length));
        f.gradient_sums(x + at, g + at, n.runs(length), terms, piece_sums.data() + i * bytes,
                        piece_products.data() + i * bytes);
        const double w = n.affine_varies() ? 1 : n.get(weight.at(n.channel(k, j * length)), 0);
        sum += n.get(piece_sums.data(), i) * w;
        product += n.get(piece_products.data(), i) * w;
      }
      if (!out) return;
      alignas(8) char shift[8], slope[8];
      n.set(shift, 0, sum / size);
      n.set(slope, 0, product / size);
      n.for_pieces(k, [&](std::int64_t at, std::int64_t count, std::int64_t channel) {
        terms.weight = weight.at(channel);
        f.input_gradient(x + at, g + at, out + at, count, terms, shift, slope);
      });
    });
    if (!call.weight_gradient && !call.bias_gradient) return;
    if (n.affine_varies()) {
      sum_matrix(layout.kept, false);
    } else {
      sums.assign(static_cast<std::size_t>(layout.channels * bytes), 0);
      products = sums;
      for (std::int64_t i = 0; i < layout.kept * pieces; ++i) {
        const std::int64_t channel = i % layout.channels;
        n.set(sums.data(), channel, n.get(sums.data(), channel) + n.get(piece_sums.data(), i));
        n.set(products.data(), channel, n.get(products.data(), channel) + n.get(piece_products.data(), i));
      }
    }
  }
  if (call.bias_gradient) std::memcpy(call.bias_gradient->address(), sums.data(), sums.size());
  if (call.weight_gradient) std::memcpy(call.weight_gradient->address(), products.data(), products.size());
}

}  // namespace phlox::cpu
