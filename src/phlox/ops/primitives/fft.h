// The primitive `fft`: discrete Fourier transforms of any length over any dimensions.
#pragma once

#include <span>

#include "phlox/core/tensor.h"

namespace phlox {

enum class FftKind : std::uint8_t {
  complex_to_complex,
  real_to_complex,  // elements 0 ... n / 2 of the last of the dimensions; the others are their conjugates
  complex_to_real,  // the reverse of that
};
std::span<const char* const> names_of(FftKind);

struct FftCall {
  const TensorImpl* input;
  Dims dims;  // not empty, in range, each once; none is empty
  FftKind kind;
  bool forward;        // exp(-2 pi i j k / n), else exp(+2 pi i j k / n); also for the real kinds
  double scale;        // the result is multiplied with it
  TensorImpl* output;  // row-major
};

// The transform of a tensor over `dims`. For real_to_complex the input is f32 or f64, else c64 or c128; for
// complex_to_real `length` is that of the last of the dimensions of the result, of which the input has elements
// 0 ... length / 2. The imaginary parts of element 0, and of element length / 2 of an even length, do not count.
Tensor apply_fft(const Tensor& input, const Dims& dims, FftKind kind, bool forward, double scale,
                 std::int64_t length = 0);

}  // namespace phlox
