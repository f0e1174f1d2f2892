// What fft.kernel.cc leaves in its table, once for each instruction set. Light: kernel files include it.
//
// A complex number is two numbers of the element type. A *vector element* holds the same element of several
// transforms that run side by side: the real parts of all lanes, then the imaginary parts.
#pragma once

#include <cstdint>

#include "phlox/base/registration.h"

namespace phlox::cpu {

// Butterflies over `radix` elements that lie count * stride apart.
struct FftPass {
  int radix;
  std::int64_t count;
  std::int64_t stride;
  const void* twiddles;  // [count, radix - 1] complex; unused when count is 1
  const void*
      roots;  // [radix] complex, the powers of exp(-2 pi i / radix); for radices without code of their own
};

// A complex transform on vector elements: passes, or Bluestein's convolution with passes of a larger length.
struct FftTables {
  std::int64_t length;
  std::int64_t inner;  // the length that the passes transform
  const FftPass* passes;
  int pass_count;
  const void* chirp;   // [length] complex, exp(-pi i k^2 / length); null without Bluestein
  const void* filter;  // [inner] complex, the transformed conjugate chirp over `inner`
};

// Where elements lie, in numbers of the element type from `base`.
struct FftSide {
  void* base;
  std::int64_t element;    // from one element to the next
  std::int64_t imaginary;  // from the real to the imaginary part
  std::int64_t lane;       // from one transform to the next
  bool is_complex;         // else there are no imaginary parts
};

enum class FftForm : std::uint8_t {
  complex,
  // Real numbers in pairs as one complex transform of half the length.
  real_to_complex,
  complex_to_real,
  // Odd lengths: complex ones with imaginary parts of zero.
  odd_real_to_complex,
  odd_complex_to_real,
};

struct FftLanes {
  const FftTables* tables;
  const void*
      real_twiddles;  // [length / 2 + 1] complex, exp(-pi i k / length); for the real forms of even length
  FftForm form;
  bool forward;
  double scale;
  FftSide input, output;
  int active;  // lanes in use
};

// One long transform of rows * columns elements as `columns` transforms of length `rows` and, with the twiddles
// between, `rows` transforms of length `columns` (Gentleman and Sande's four steps).
struct FftLong {
  const FftTables* column;  // of length `rows`
  const FftTables* row;     // of length `columns`
  std::int64_t rows, columns;
  // exp(-2 pi i j k / length) for lanes j is coarse[k / fine_count] * fine[k % fine_count], as vector elements for each
  // group of lanes.
  std::int64_t fine_count, coarse_count;
  const void* fine;
  const void* coarse;
};

struct FftFunctions {
  int lanes;
  // One group of transforms. `scratch`: 2 * (inner + 1) vector elements.
  void (*run_lanes)(const FftLanes& job, void* scratch);
  // Groups of columns of consecutive complex input, into vector elements [rows, groups of columns]. `swapped`: with
  // real and imaginary parts exchanged, which makes it a backward transform when the output is swapped too.
  void (*long_columns)(const FftLong& tables, const void* input, void* matrix, bool swapped,
                       std::int64_t first, std::int64_t last, void* scratch);
  // Groups of rows of that, into consecutive complex output.
  void (*long_rows)(const FftLong& tables, const void* matrix, void* output, bool swapped, double scale,
                    std::int64_t first, std::int64_t last, void* scratch);
  // output = a * b of complex numbers; `swapped`: with the parts of a exchanged before, or of the output after.
  void (*multiply)(const void* a, const void* b, void* output, std::int64_t count, bool swap_before,
                   bool swap_after, double scale);
  // The transform of a real sequence of length 2 h from that of its pairs, both consecutive, maybe in place; times
  // `scale`, and conjugated where asked for.
  void (*real_after)(const void* input, void* output, const void* twiddles, std::int64_t h, double scale,
                     bool conjugate);
  // The pairs' transform from that of the real sequence, with the parts exchanged.
  void (*real_before)(const void* input, void* output, const void* twiddles, std::int64_t h, bool conjugate);
};

struct FftKernels {
  const char* instruction_set;
  FftFunctions float32;
  FftFunctions float64;
};

}  // namespace phlox::cpu
