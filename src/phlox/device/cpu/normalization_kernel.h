// What normalization.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// The elements of one statistic: `count` runs of `length` consecutive elements, `stride` elements apart.
struct Runs {
  std::int64_t count;
  std::int64_t length;
  std::int64_t stride;
};

// What consecutive elements are normalised with: x̂ = (x - mean) * inverse, y = x̂ * weight + bias. Each pair is one
// number for all elements, or one for each. Pointers are to elements of the kernel's dtype.
struct NormalizationTerms {
  const void* mean;
  const void* inverse;
  const void* weight;
  const void* bias;
  bool statistics_vary;
  bool affine_varies;
};

struct NormalizationFunctions {
  // Mean, variance and 1 / sqrt(variance + eps) of one statistic.
  void (*moments)(const void* x, Runs runs, double eps, void* mean, void* variance, void* inverse);
  void (*inverse_deviation)(const void* variance, double eps, void* inverse, std::int64_t count);
  void (*apply)(const void* x, void* y, std::int64_t count, const NormalizationTerms& terms);
  // Sums over the elements of one statistic of h and h x̂, where h is the gradient, or gradient * weight where the
  // weight varies.
  void (*gradient_sums)(const void* x, const void* gradient, Runs runs, const NormalizationTerms& terms,
                        void* sum, void* product_sum);
  // (h - a - x̂ b) * inverse with h = gradient * weight; a and b vary as the statistics do.
  void (*input_gradient)(const void* x, const void* gradient, void* out, std::int64_t count,
                         const NormalizationTerms& terms, const void* a, const void* b);

  // Sums over up to reduction_block rows, `stride` elements apart, for each of up to reduce_columns columns: of x, or
  // of (x - mean)² where means are given.
  void (*column_sums)(const void* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                      const void* means, void* sums);
  // The same of gradient and gradient * x̂. Statistics are one for each column, or else one for each row.
  void (*column_gradient_sums)(const void* x, const void* gradient, std::int64_t rows, std::int64_t stride,
                               std::int64_t columns, const NormalizationTerms& terms, void* sums,
                               void* product_sums);
  // left[i] += right[i]
  void (*add)(void* left, const void* right, std::int64_t count);
};

struct NormalizationKernels {
  const char* instruction_set;
  NormalizationFunctions float32;
  NormalizationFunctions float64;
};

}  // namespace phlox::cpu
