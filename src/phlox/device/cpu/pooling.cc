#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/pooling_kernel.h"
#include "phlox/device/cpu/processor.h"

namespace phlox::cpu {

PHLOX_TABLE(PoolingKernels, phlox_pooling_kernels);

namespace {

const PoolingKernels& kernels() {
  static const PoolingKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_pooling_kernels));
  return best;
}

// Channels that one step of a loop takes together: many where they are neighbours in memory.
constexpr std::int64_t channel_block = 512;
constexpr std::int64_t grain_elements = 16384;

// The windows of all output positions: taps of position p are [starts[p], starts[p + 1]).
struct Windows {
  std::vector<std::int64_t> starts, taps;  // taps: offsets in the input's strides
  std::vector<std::int32_t> positions;     // row-major positions within the spatial dimensions
  std::vector<double> scales;              // of an average
  std::vector<std::int64_t> targets;       // offsets of the output positions in the output's strides
};

Windows find_windows(const TensorImpl& input, const TensorImpl& output, const PoolGeometry& g) {
  const int spatial = input.rank - 2, missing = 3 - spatial;
  std::vector<PoolGeometry::Window> windows[3];
  std::int64_t sizes[3], input_strides[3], output_strides[3];
  for (int d = 0; d < 3; ++d) {
    const int s = d - missing;
    sizes[d] = s < 0 ? 1 : input.sizes[2 + s];
    input_strides[d] = s < 0 ? 0 : input.strides[2 + s];
    output_strides[d] = s < 0 ? 0 : output.strides[2 + s];
    if (s < 0) windows[d].push_back({0, 1, 1, 1});
    else
      for (std::int64_t o = 0; o < output.sizes[2 + s]; ++o) windows[d].push_back(g.window(s, o, sizes[d]));
  }
  Windows result;
  result.starts.push_back(0);
  for (std::size_t a = 0; a < windows[0].size(); ++a)
    for (std::size_t b = 0; b < windows[1].size(); ++b)
      for (std::size_t c = 0; c < windows[2].size(); ++c) {
        const auto &x = windows[0][a], &y = windows[1][b], &z = windows[2][c];
        for (std::int64_t i = x.first; i < x.last; i += x.step)
          for (std::int64_t j = y.first; j < y.last; j += y.step)
            for (std::int64_t k = z.first; k < z.last; k += z.step) {
              result.taps.push_back(i * input_strides[0] + j * input_strides[1] + k * input_strides[2]);
              result.positions.push_back(static_cast<std::int32_t>((i * sizes[1] + j) * sizes[2] + k));
            }
        result.starts.push_back(static_cast<std::int64_t>(result.taps.size()));
        result.targets.push_back(static_cast<std::int64_t>(a) * output_strides[0] +
                                 static_cast<std::int64_t>(b) * output_strides[1] +
                                 static_cast<std::int64_t>(c) * output_strides[2]);
        const double divisor = g.divisor != 0 ? g.divisor : static_cast<double>(x.count * y.count * z.count);
        result.scales.push_back(1 / divisor);
      }
  return result;
}

bool channels_are_neighbours(const TensorImpl& a, const TensorImpl& b) {
  return (a.strides[1] == 1 && b.strides[1] == 1) || a.sizes[1] == 1;
}

// Calls body(n, first position, last position, first channel, channels) in parallel. Parts are single images and
// blocks of channels, and with `split_positions` ranges of output positions as well.
template <class Body>
void for_each_part(const TensorImpl& output, std::int64_t positions, bool split_positions, const Body& body) {
  const std::int64_t batch = output.sizes[0], channels = output.sizes[1];
  const std::int64_t blocks = (channels + channel_block - 1) / channel_block;
  const std::int64_t piece =
      split_positions
          ? std::clamp<std::int64_t>(grain_elements / std::min(channels, channel_block), 1, positions)
          : positions;
  const std::int64_t pieces = (positions + piece - 1) / piece;
  const std::int64_t work = std::max<std::int64_t>(piece * std::min(channels, channel_block), 1);
  parallel_for(0, batch * blocks * pieces, std::max<std::int64_t>(1, grain_elements / work),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t part = first; part < last; ++part) {
                   const std::int64_t p = part % pieces * piece, c = part / pieces % blocks * channel_block;
                   body(part / pieces / blocks, p, std::min(positions, p + piece), c,
                        std::min(channel_block, channels - c));
                 }
               });
}

template <class T>
bool exceeds(T x, T best) {
  if constexpr (std::is_floating_point_v<T>) return x > best || std::isnan(x);
  else return x > best;
}

// Of a window that lies in the padding alone, which a dilated kernel can do.
template <class T>
T lowest() {
  if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
  else return std::numeric_limits<T>::min();
}

template <class T>
void select(const MaxPoolCall& call) {
  const TensorImpl &input = *call.input, &output = *call.output, &indices = *call.indices;
  const Windows w = find_windows(input, output, *call.geometry);
  const T* const source = static_cast<const T*>(input.address());
  T* const values = static_cast<T*>(output.address());
  auto* const where = static_cast<std::int32_t*>(indices.address());
  const bool neighbours = channels_are_neighbours(input, output);
  for_each_part(output, static_cast<std::int64_t>(w.targets.size()), true,
                [&](std::int64_t n, std::int64_t first, std::int64_t last, std::int64_t channel,
                    std::int64_t channels) {
                  const T* const from = source + n * input.strides[0] + channel * input.strides[1];
                  const std::int64_t base = n * output.strides[0] + channel * output.strides[1];
                  if constexpr (std::is_same_v<T, float>) {
                    if (neighbours) {
                      for (std::int64_t p = first; p < last; ++p) {
                        const std::int64_t start = w.starts[p], to = base + w.targets[p];
                        if (start == w.starts[p + 1]) {
                          std::fill_n(values + to, channels, lowest<T>());
                          std::fill_n(where + to, channels, 0);
                          continue;
                        }
                        kernels().maximum(from, w.taps.data() + start, w.positions.data() + start,
                                          w.starts[p + 1] - start, values + to, where + to, channels);
                      }
                      return;
                    }
                  }
                  for (std::int64_t c = 0; c < channels; ++c) {
                    const T* const plane = from + c * input.strides[1];
                    for (std::int64_t p = first; p < last; ++p) {
                      const std::int64_t start = w.starts[p];
                      const bool empty = start == w.starts[p + 1];
                      T best = empty ? lowest<T>() : plane[w.taps[start]];
                      std::int32_t position = empty ? 0 : w.positions[start];
                      for (std::int64_t t = start + 1; t < w.starts[p + 1]; ++t) {
                        const T x = plane[w.taps[t]];
                        if (exceeds(x, best)) {
                          best = x;
                          position = w.positions[t];
                        }
                      }
                      const std::int64_t to = base + c * output.strides[1] + w.targets[p];
                      values[to] = best;
                      where[to] = position;
                    }
                  }
                });
}

// Offsets of all spatial positions, row-major, in a tensor's strides.
std::vector<std::int64_t> spatial_offsets(const TensorImpl& t) {
  std::vector<std::int64_t> offsets{0};
  for (int d = 2; d < t.rank; ++d) {
    std::vector<std::int64_t> next;
    next.reserve(offsets.size() * static_cast<std::size_t>(t.sizes[d]));
    for (std::int64_t offset : offsets)
      for (std::int64_t i = 0; i < t.sizes[d]; ++i) next.push_back(offset + i * t.strides[d]);
    offsets = std::move(next);
  }
  return offsets;
}

template <class T>
void move_selected(const MaxPoolCall& call) {
  const TensorImpl &input = *call.input, &output = *call.output, &indices = *call.indices;
  T* const inside = static_cast<T*>(input.address());
  T* const pooled = static_cast<T*>(output.address());
  const auto* const where = static_cast<const std::int32_t*>(indices.address());
  const std::vector<std::int64_t> from = spatial_offsets(input), to = spatial_offsets(output),
                                  at = spatial_offsets(indices);
  const bool scatter = call.task == MaxPoolTask::scatter;
  std::atomic<bool> outside = false;
  // Windows may overlap, so an image's positions are scattered by one thread.
  for_each_part(
      output, static_cast<std::int64_t>(to.size()), !scatter,
      [&](std::int64_t n, std::int64_t first, std::int64_t last, std::int64_t channel,
          std::int64_t channels) {
        const auto base = [&](const TensorImpl& t) { return n * t.strides[0] + channel * t.strides[1]; };
        const std::int64_t input_base = base(input), output_base = base(output), index_base = base(indices);
        const auto move = [&](std::int64_t p, std::int64_t c) {
          const auto place = static_cast<std::uint32_t>(where[index_base + c * indices.strides[1] + at[p]]);
          if (place >= from.size()) {
            outside.store(true, std::memory_order_relaxed);
            return;
          }
          T& a = inside[input_base + c * input.strides[1] + from[place]];
          T& b = pooled[output_base + c * output.strides[1] + to[p]];
          if (scatter) a = static_cast<T>(a + b);
          else b = a;
        };
        if (indices.strides[1] == 1) {
          for (std::int64_t p = first; p < last; ++p)
            for (std::int64_t c = 0; c < channels; ++c) move(p, c);
        } else {
          for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t p = first; p < last; ++p) move(p, c);
        }
      });
  if (outside.load())
    fail<IndexError>(ErrorCode::index_out_of_range, "max_pool: an index is out of range for {} places",
                     from.size())
        .raise();
}

template <class T>
void average(const AveragePoolCall& call) {
  const TensorImpl &input = *call.input, &output = *call.output;
  const Windows w = find_windows(input, output, *call.geometry);
  T* const inside = static_cast<T*>(input.address());
  T* const pooled = static_cast<T*>(output.address());
  const bool neighbours = channels_are_neighbours(input, output);
  for_each_part(
      output, static_cast<std::int64_t>(w.targets.size()), !call.transposed,
      [&](std::int64_t n, std::int64_t first, std::int64_t last, std::int64_t channel,
          std::int64_t channels) {
        T* const plane = inside + n * input.strides[0] + channel * input.strides[1];
        T* const result = pooled + n * output.strides[0] + channel * output.strides[1];
        if constexpr (std::is_same_v<T, float>) {
          if (neighbours) {
            for (std::int64_t p = first; p < last; ++p) {
              const std::int64_t start = w.starts[p], count = w.starts[p + 1] - start;
              const auto scale = static_cast<float>(w.scales[p]);
              if (call.transposed)
                kernels().spread(plane, w.taps.data() + start, count, scale, result + w.targets[p], channels);
              else kernels().sum(plane, w.taps.data() + start, count, scale, result + w.targets[p], channels);
            }
            return;
          }
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          T* const row = plane + c * input.strides[1];
          for (std::int64_t p = first; p < last; ++p) {
            T& value = result[c * output.strides[1] + w.targets[p]];
            const T scale = static_cast<T>(w.scales[p]);
            if (call.transposed) {
              const T part = value * scale;
              for (std::int64_t t = w.starts[p]; t < w.starts[p + 1]; ++t) row[w.taps[t]] += part;
            } else {
              T total(0);
              for (std::int64_t t = w.starts[p]; t < w.starts[p + 1]; ++t) total += row[w.taps[t]];
              value = total * scale;
            }
          }
        }
      });
}

bool is_half(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

// The same tensor in float32.
Tensor widened(const TensorImpl& t, bool with_values) {
  const Tensor self{Reference<TensorImpl>::share(const_cast<TensorImpl*>(&t))};
  Tensor result = make_tensor_like(self, self.shape(), DType::float32);
  if (with_values) convert(t, *result.impl());
  return result;
}

}  // namespace

void max_pool(const MaxPoolCall& call) {
  const DType dtype = call.input->dtype;
  const bool scatter = call.task == MaxPoolTask::scatter;
  if (is_half(dtype)) {
    const Tensor input = widened(*call.input, !scatter), output = widened(*call.output, scatter);
    max_pool({call.task, input.impl(), output.impl(), call.indices, call.geometry});
    return scatter ? convert(*input.impl(), *call.input) : convert(*output.impl(), *call.output);
  }
  if (scatter) fill(*call.input, Scalar(0));
  if (call.output->count == 0) return;
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      if (call.task == MaxPoolTask::select) select<T>(call);
      else move_selected<T>(call);
    } else {
      fail<DTypeError>(ErrorCode::wrong_dtype, "max_pool: takes real numbers, not {}", info(dtype).name)
          .raise();
    }
  });
}

void average_pool(const AveragePoolCall& call) {
  const DType dtype = call.input->dtype;
  if (is_half(dtype)) {
    const Tensor input = widened(*call.input, !call.transposed),
                 output = widened(*call.output, call.transposed);
    average_pool({call.transposed, input.impl(), output.impl(), call.geometry});
    return call.transposed ? convert(*input.impl(), *call.input) : convert(*output.impl(), *call.output);
  }
  if (call.transposed) fill(*call.input, Scalar(0));
  if (call.output->count == 0) return;
  if (dtype == DType::float32) return average<float>(call);
  if (dtype == DType::float64) return average<double>(call);
  fail<DTypeError>(ErrorCode::wrong_dtype, "avg_pool: takes floating numbers, not {}", info(dtype).name)
      .raise();
}

}  // namespace phlox::cpu
