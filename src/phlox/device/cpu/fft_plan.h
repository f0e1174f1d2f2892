// How transforms of a length are computed, and the tables for it. Plans are made once and kept in a bounded cache.
#pragma once

#include <memory>
#include <vector>

#include "phlox/core/dtype.h"
#include "phlox/device/cpu/fft_kernel.h"

namespace phlox::cpu {

// The kernels of this processor, for f32 or f64.
const FftFunctions& fft_functions(bool wide);

// Memory of one element type, 64-byte aligned.
class FftTable {
 public:
  FftTable() = default;
  FftTable(bool wide, std::int64_t numbers);
  void* data() const { return block_.get(); }
  std::int64_t bytes() const { return bytes_; }
  void set(std::int64_t position, long double value);

 private:
  bool wide_ = false;
  std::int64_t bytes_ = 0;
  std::shared_ptr<void> block_;
};

// For several transforms side by side.
struct FftLanesPlan {
  FftTables tables;
  std::vector<FftPass> passes;
  std::vector<FftTable> memory;
  double cost;  // of one vector of transforms
};

// For one transform, of all threads.
struct FftLongPlan {
  enum class Way {
    lanes,  // one lane of many
    four_steps,
    convolution  // Bluestein's, with a transform of length `inner`
  };
  Way way;
  std::int64_t length;
  FftLong steps;
  std::shared_ptr<const FftLanesPlan> column, row;
  std::int64_t inner;
  std::shared_ptr<const FftLongPlan> inner_plan;
  FftTable fine, coarse, chirp, filter;
  double cost;
};

std::shared_ptr<const FftLanesPlan> fft_lanes_plan(std::int64_t length, bool wide);
std::shared_ptr<const FftLongPlan> fft_long_plan(std::int64_t length, bool wide);
// exp(-pi i k / half) for k = 0 ... half / 2: what real sequences of length 2 half need.
std::shared_ptr<const FftTable> fft_real_twiddles(std::int64_t half, bool wide);

// One transform of consecutive complex numbers; `input` and `output` may be the same. Swapped sides have real and
// imaginary parts exchanged; both swapped make a backward transform.
void run_long_fft(const FftLongPlan& plan, bool wide, const void* input, void* output, bool swapped_input,
                  bool swapped_output, double scale);

}  // namespace phlox::cpu
