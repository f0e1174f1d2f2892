// Fourier transforms from C++, and the plans that they are made of.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "finite_differences.h"
#include "phlox/core/tensor.h"
#include "phlox/ops/functions.h"

namespace phlox {
namespace {

using testing::check_gradients;
using testing::random_doubles;

using Complexes = std::vector<std::complex<double>>;

// The sum that defines it.
Complexes by_definition(const Complexes& x) {
  const std::size_t n = x.size();
  Complexes result(n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t j = 0; j < n; ++j)
      result[k] +=
          x[j] * std::polar(1.0, -2 * M_PI * static_cast<double>(j * k % n) / static_cast<double>(n));
  return result;
}

Tensor random_complex(const Shape& shape, unsigned seed = 1) {
  return complex(random_doubles(shape, seed), random_doubles(shape, seed + 1));
}

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item<double>(); }

// More lengths than the cache keeps plans for.
TEST(Fft, IsTheSumThatDefinesIt) {
  for (std::int64_t n = 1; n <= 300; ++n) {
    const Tensor x = random_complex({n}, static_cast<unsigned>(n));
    const Complexes expected = by_definition(x.to_vector<std::complex<double>>());
    const Tensor wanted = from_values<std::complex<double>>(expected, {n});
    EXPECT_LT(largest_difference(fft_fft(x), wanted), 1e-13 * static_cast<double>(n)) << n;
    // The same transform in a full vector of others.
    const Tensor many = fft_fft(expand(unsqueeze(x, 0), {16, n}).clone());
    EXPECT_LT(largest_difference(many, expand(unsqueeze(wanted, 0), {16, n})), 1e-13 * static_cast<double>(n))
        << n;
  }
}

TEST(Fft, GoesThereAndBack) {
  for (const Shape& shape : {Shape{3, 5, 8}, Shape{2, 64, 7}, Shape{1, 17, 53}, Shape{40, 2, 1000}}) {
    const Tensor z = random_complex(shape), x = random_doubles(shape);
    EXPECT_LT(largest_difference(fft_ifftn(fft_fftn(z)), z), 1e-12);
    EXPECT_LT(largest_difference(fft_irfftn(fft_rfftn(x), OptionalDims(DimList(shape))), x), 1e-12);
    EXPECT_LT(largest_difference(fft_hfft(fft_ihfft(x), x.size(-1)), x), 1e-12);
  }
}

TEST(Fft, HasGradients) {
  check_gradients([](const TensorList& x) { return view_as_real(fft_fft(complex(x[0], x[1]), 7, 0)); },
                  {random_doubles({6, 2}), random_doubles({6, 2}, 3)});
  check_gradients([](const TensorList& x) { return view_as_real(fft_rfftn(x[0])); },
                  {random_doubles({3, 5})});
  check_gradients([](const TensorList& x) { return fft_irfft2(complex(x[0], x[1]), OptionalDims({4, 6})); },
                  {random_doubles({4, 4}), random_doubles({4, 4}, 3)});
  check_gradients([](const TensorList& x) { return fft_hfft(complex(x[0], x[1]), 5); },
                  {random_doubles({2, 3}), random_doubles({2, 3}, 3)});
}

TEST(Fft, RefusesLengthsThatDoNotExist) {
  EXPECT_THROW(fft_fft(ones({4}), 0), ValueError);
  EXPECT_THROW(fft_rfft(ones({2, 0})), ValueError);
  EXPECT_THROW(fft_rfft(random_complex({4})), DTypeError);
  EXPECT_THROW(fft_fft2(ones({4})), ShapeError);
}

TEST(Stft, IsUndoneByIstft) {
  const Tensor x = random_doubles({2, 96});
  const Tensor window = windows_hann(16, false, DType::float64);
  EXPECT_LT(largest_difference(istft(stft(x, 16, 4, {}, window), 16, 4, {}, window), x), 1e-12);
}

}  // namespace
}  // namespace phlox
