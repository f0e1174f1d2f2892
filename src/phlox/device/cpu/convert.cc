#include "phlox/device/cpu/convert.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/few_bits.h"
#include "phlox/device/cpu/processor.h"

namespace phlox::cpu {

PHLOX_TABLE(ConvertKernels, phlox_convert_kernels);

namespace {

constexpr std::int64_t parallel_elements = 32768;
constexpr std::int64_t stage_bytes = 4096;
constexpr std::int64_t tile_bytes = 256;  // of a row of a tile

const ConvertKernels& kernels() {
  static const ConvertKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_convert_kernels));
  return best;
}

// The loop of a copy: dimensions in the order of the target's memory, merged where both sides allow; strides
// in bytes.
struct CopyPlan {
  const char* source;
  char* target;
  int rank = 0;
  std::int64_t sizes[max_rank];
  std::int64_t source_strides[max_rank];
  std::int64_t target_strides[max_rank];
};

// `source` may be null: then only the target counts.
CopyPlan plan_copy(const TensorImpl* source, const TensorImpl& target) {
  const std::int64_t source_bytes = source ? element_size(source->dtype) : 0;
  const std::int64_t target_bytes = element_size(target.dtype);
  CopyPlan plan;
  plan.source = source ? static_cast<const char*>(source->address()) : nullptr;
  plan.target = static_cast<char*>(target.address());
  struct Dim {
    std::int64_t size, source, target;
  } dims[max_rank];
  int rank = 0;
  for (int d = 0; d < target.rank; ++d) {
    if (target.sizes[d] == 1) continue;
    Dim dim{target.sizes[d], source ? source->strides[d] * source_bytes : 0,
            target.strides[d] * target_bytes};
    if (dim.target < 0) {  // walk the target upwards
      plan.target += dim.target * (dim.size - 1);
      plan.source += dim.source * (dim.size - 1);
      dim.target = -dim.target;
      dim.source = -dim.source;
    }
    dims[rank++] = dim;
  }
  std::stable_sort(dims, dims + rank, [](const Dim& a, const Dim& b) { return a.target > b.target; });
  for (int d = 0; d < rank; ++d) {
    if (plan.rank > 0) {
      const int last = plan.rank - 1;
      if (plan.target_strides[last] == dims[d].target * dims[d].size &&
          plan.source_strides[last] == dims[d].source * dims[d].size) {
        plan.sizes[last] *= dims[d].size;
        plan.source_strides[last] = dims[d].source;
        plan.target_strides[last] = dims[d].target;
        continue;
      }
    }
    plan.sizes[plan.rank] = dims[d].size;
    plan.source_strides[plan.rank] = dims[d].source;
    plan.target_strides[plan.rank] = dims[d].target;
    ++plan.rank;
  }
  if (plan.rank == 0) {
    plan.rank = 1;
    plan.sizes[0] = 1;
    plan.source_strides[0] = source_bytes;
    plan.target_strides[0] = target_bytes;
  }
  return plan;
}

// One row into consecutive memory that will not be read soon.
void stream_row(ConvertRun run, bool plain, const char* source, std::int64_t source_stride,
                std::int64_t source_bytes, char* target, std::int64_t target_bytes, std::int64_t count) {
  if (plain && source_stride == source_bytes) {
    stream_copy(source, target, count * target_bytes);
    return;
  }
  alignas(64) char stage[stage_bytes];
  const std::int64_t most = stage_bytes / target_bytes;
  while (count > 0) {
    const std::int64_t n = std::min(count, most);
    run(source, source_stride, stage, target_bytes, n);
    stream_copy(stage, target, n * target_bytes);
    source += n * source_stride;
    target += n * target_bytes;
    count -= n;
  }
}

// Rows [first, last) of elements in plan order, cut at row ends.
template <class Row>
void for_rows(const CopyPlan& plan, std::int64_t first, std::int64_t last, const Row& row) {
  std::int64_t index[max_rank];
  const char* source = plan.source;
  char* target = plan.target;
  std::int64_t rest = first;
  for (int d = plan.rank - 1; d >= 0; --d) {
    index[d] = rest % plan.sizes[d];
    rest /= plan.sizes[d];
    source += index[d] * plan.source_strides[d];
    target += index[d] * plan.target_strides[d];
  }
  const int inner = plan.rank - 1;
  while (first < last) {
    const std::int64_t n = std::min(plan.sizes[inner] - index[inner], last - first);
    row(source, target, n);
    first += n;
    source -= index[inner] * plan.source_strides[inner];
    target -= index[inner] * plan.target_strides[inner];
    index[inner] = 0;
    for (int d = inner - 1; d >= 0; --d) {
      source += plan.source_strides[d];
      target += plan.target_strides[d];
      if (++index[d] < plan.sizes[d]) break;
      source -= index[d] * plan.source_strides[d];
      target -= index[d] * plan.target_strides[d];
      index[d] = 0;
    }
  }
}

// The dimension along which the source is consecutive, when that is not the inner one of the target; else -1.
int transposed_dim(const CopyPlan& plan, std::int64_t source_bytes, std::int64_t target_bytes) {
  const int inner = plan.rank - 1;
  const std::int64_t stride = std::abs(plan.source_strides[inner]);
  if (stride <= source_bytes || plan.target_strides[inner] != target_bytes || plan.sizes[inner] < 8)
    return -1;
  for (int d = 0; d < inner; ++d)
    if (plan.source_strides[d] == source_bytes && plan.sizes[d] >= 8) return d;
  return -1;
}

Transpose transpose_of(std::int64_t bytes) {
  return kernels().transpose[std::countr_zero(static_cast<unsigned>(bytes))];
}

// Both sides are read and written in square tiles that fit the first cache.
void copy_transposed(const CopyPlan& plan, int row_dim, ConvertRun run, std::int64_t source_bytes,
                     std::int64_t target_bytes) {
  const int inner = plan.rank - 1;
  const std::int64_t tile = std::max<std::int64_t>(tile_bytes / std::max<std::int64_t>(target_bytes, 4), 16);
  const std::int64_t rows = plan.sizes[row_dim], columns = plan.sizes[inner];
  const std::int64_t row_tiles = (rows + tile - 1) / tile, column_tiles = (columns + tile - 1) / tile;
  std::int64_t outer = 1;
  for (int d = 0; d < inner; ++d)
    if (d != row_dim) outer *= plan.sizes[d];
  const Transpose transpose = transpose_of(target_bytes);
  bool lines = reinterpret_cast<std::uintptr_t>(plan.target) % 64 == 0;  // rows of tiles are whole lines
  for (int d = 0; d < inner; ++d) lines = lines && plan.target_strides[d] % 64 == 0;
  const bool stream = lines && plan.target_strides[row_dim] >= target_bytes * columns &&
                      outer * rows * columns * target_bytes >= streaming_threshold;
  const auto body = [&](std::int64_t first, std::int64_t last) {
    alignas(64) char stage[tile_bytes * tile_bytes / 4];  // the most for any size of element
    for (std::int64_t t = first; t < last; ++t) {
      const std::int64_t c0 = t % column_tiles * tile, r0 = t / column_tiles % row_tiles * tile;
      std::int64_t rest = t / column_tiles / row_tiles;
      const char* source = plan.source + r0 * source_bytes + c0 * plan.source_strides[inner];
      char* target = plan.target + r0 * plan.target_strides[row_dim] + c0 * target_bytes;
      for (int d = inner - 1; d >= 0; --d) {
        if (d == row_dim) continue;
        const std::int64_t i = rest % plan.sizes[d];
        rest /= plan.sizes[d];
        source += i * plan.source_strides[d];
        target += i * plan.target_strides[d];
      }
      const std::int64_t r = std::min(tile, rows - r0), c = std::min(tile, columns - c0);
      // By way of a tile of its own: rows of the source often lie at distances that share a place in the
      // cache.
      for (std::int64_t k = 0; k < c; ++k)
        run(source + k * plan.source_strides[inner], source_bytes, stage + k * tile * target_bytes,
            target_bytes, r);
      transpose(stage, tile * target_bytes, target, plan.target_strides[row_dim], r, c, stream);
    }
    if (stream) stream_fence();
  };
  parallel_for(0, outer * row_tiles * column_tiles,
               std::max<std::int64_t>(1, parallel_elements / (tile * tile)), body);
}

void require_computable(DType dtype, const char* name) {
  if (is_computable(dtype)) return;
  fail<DTypeError>(ErrorCode::wrong_dtype, "{}: {} cannot be converted here", name, info(dtype).name).raise();
}

// Kinds that can only be stored move as integers of their size.
DType storage_dtype(DType dtype) {
  if (is_computable(dtype)) return dtype;
  switch (element_size(dtype)) {
    case 1: return DType::uint8;
    case 2: return DType::uint16;
    case 4: return DType::uint32;
    case 8: return DType::uint64;
    default: return DType::complex128;
  }
}

}  // namespace

ConvertRun convert_run(DType from, DType to) {
  if (from == to) from = to = storage_dtype(from);
  if (!has_few_bits(from)) require_computable(from, "to");
  if (!has_few_bits(to)) require_computable(to, "to");
  if (has_few_bits(from) || has_few_bits(to)) return few_bits_run(kernels(), from, to);
  return kernels().runs[static_cast<int>(from)][static_cast<int>(to)];
}

void stream_copy(const char* source, char* target, std::int64_t bytes) {
  // Whole lines only: what comes before the first goes through the cache.
  const auto past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(target) & 63u);
  const std::int64_t head = past ? std::min(bytes, 64 - past) : 0;
  std::memcpy(target, source, static_cast<std::size_t>(head));
  kernels().stream_copy(source + head, target + head, bytes - head);
}
void stream_fence() { kernels().stream_fence(); }

void convert(const TensorImpl& source, TensorImpl& target) {
  const std::int64_t count = target.count;
  if (count == 0) return;
  const ConvertRun run = convert_run(source.dtype, target.dtype);
  const std::int64_t source_bytes = element_size(source.dtype), target_bytes = element_size(target.dtype);
  if (source.contiguous && target.contiguous && count <= parallel_elements) {
    run(source.address(), source_bytes, target.address(), target_bytes, count);
    return;
  }
  const CopyPlan plan = plan_copy(&source, target);
  const bool plain = source.dtype == target.dtype;
  const int inner = plan.rank - 1;
  const int row_dim = transposed_dim(plan, source_bytes, target_bytes);
  if (row_dim >= 0) {
    copy_transposed(plan, row_dim, run, source_bytes, target_bytes);
    return;
  }
  const std::int64_t source_stride = plan.source_strides[inner], target_stride = plan.target_strides[inner];
  // Streaming pays only when whole lines are written, and when the target is not read from the cache next.
  const bool stream = count * target_bytes >= streaming_threshold && target_stride == target_bytes &&
                      plan.sizes[inner] * target_bytes >= stage_bytes && source.storage != target.storage;
  parallel_for(
      0, count, parallel_elements,
      [&](std::int64_t first, std::int64_t last) {
        for_rows(plan, first, last, [&](const char* from, char* to, std::int64_t n) {
          if (stream) stream_row(run, plain, from, source_stride, source_bytes, to, target_bytes, n);
          else run(from, source_stride, to, target_stride, n);
        });
        if (stream) stream_fence();
      },
      64);
}

// One element of the dtype.
void store(const Scalar& value, DType dtype, void* target) {
  if (!has_few_bits(dtype)) return value.store(dtype, target);
  const DType wide = value.kind() <= Scalar::Kind::integer ? DType::int64 : DType::float64;
  alignas(8) char stage[8];
  value.store(wide, stage);
  convert_run(wide, dtype)(stage, 8, target, 1, 1);
}

void fill(TensorImpl& target, const Scalar& value) {
  const std::int64_t count = target.count;
  if (count == 0) return;
  if (!has_few_bits(target.dtype)) require_computable(target.dtype, "fill");
  const std::int64_t bytes = element_size(target.dtype);
  if (target.contiguous && count * bytes <= stage_bytes) {
    auto* out = static_cast<char*>(target.address());
    store(value, target.dtype, out);
    for (std::int64_t done = 1; done < count; done *= 2)
      std::memcpy(out + done * bytes, out, static_cast<std::size_t>(std::min(done, count - done) * bytes));
    return;
  }
  alignas(64) char pattern[stage_bytes];
  store(value, target.dtype, pattern);
  const ConvertRun run = convert_run(target.dtype, target.dtype);
  // A page of the value, so that the rest is copying.
  const std::int64_t repeats = std::min(stage_bytes / bytes, count);
  for (std::int64_t done = 1; done < repeats; done *= 2)
    std::memcpy(pattern + done * bytes, pattern,
                static_cast<std::size_t>(std::min(done, repeats - done) * bytes));
  const CopyPlan plan = plan_copy(nullptr, target);
  const std::int64_t stride = plan.target_strides[plan.rank - 1];
  const bool stream = count * bytes >= streaming_threshold && stride == bytes &&
                      plan.sizes[plan.rank - 1] * bytes >= stage_bytes;
  parallel_for(
      0, count, parallel_elements,
      [&](std::int64_t first, std::int64_t last) {
        for_rows(plan, first, last, [&](const char*, char* to, std::int64_t n) {
          if (stride != bytes) {
            run(pattern, 0, to, stride, n);
            return;
          }
          for (; n > 0; n -= repeats, to += repeats * bytes) {
            const std::int64_t part = std::min(n, repeats) * bytes;
            if (stream) stream_copy(pattern, to, part);
            else std::memcpy(to, pattern, static_cast<std::size_t>(part));
          }
        });
        if (stream) stream_fence();
      },
      64);
}

void arange(TensorImpl& target, const Scalar& start, const Scalar& step) {
  const bool integers = start.kind() <= Scalar::Kind::integer && step.kind() <= Scalar::Kind::integer;
  const DType dtype = integers ? DType::int64 : DType::float64;
  const ConvertRun run = convert_run(dtype, target.dtype);
  const std::int64_t bytes = element_size(target.dtype);
  parallel_for(0, target.count, parallel_elements, [&](std::int64_t first, std::int64_t last) {
    constexpr std::int64_t block = 512;
    union {
      std::int64_t integer[block];
      double floating[block];
    } stage;
    for (std::int64_t i = first; i < last; i += block) {
      const std::int64_t n = std::min(block, last - i);
      for (std::int64_t j = 0; j < n; ++j) {
        if (integers)
          stage.integer[j] =  // wraps around as integers do
              static_cast<std::int64_t>(static_cast<std::uint64_t>(start.integer()) +
                                        static_cast<std::uint64_t>(i + j) *
                                            static_cast<std::uint64_t>(step.integer()));
        else stage.floating[j] = start.real() + static_cast<double>(i + j) * step.real();
      }
      const std::int64_t stride = target.strides[0] * bytes;
      run(&stage, 8, static_cast<char*>(target.address()) + i * stride, stride, n);
    }
  });
}

}  // namespace phlox::cpu
