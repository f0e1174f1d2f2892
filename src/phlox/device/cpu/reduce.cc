// Reductions on the CPU: brings any strides and dtypes before the kernels of reduce.kernel.cc. What is split among
// threads, and how, changes no bit: see reduction_order.h.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/convert.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/processor.h"
#include "phlox/device/cpu/reduce_kernel.h"

namespace phlox::cpu {

PHLOX_TABLE(ReduceKernels, phlox_reduce_kernels);

namespace {

constexpr std::int64_t parallel_elements = 32768;
constexpr std::int64_t short_reduction = 32;  // below, several results share a vector
constexpr std::int64_t rows_at_a_time = 64;
constexpr std::int64_t staged_elements = 1 << 16;  // of a block that has to be gathered first

const ReduceKernels& kernels() {
  static const ReduceKernels& best = best_of(PHLOX_TABLE_SPAN(phlox_reduce_kernels));
  return best;
}

struct Dim {
  std::int64_t size;
  std::int64_t input;  // strides in bytes
  std::int64_t output;
};

// Loops over some dimensions, the last one fastest.
struct Loop {
  Dim dims[max_rank + 1];
  int rank = 0;
  std::int64_t count = 1;

  // Joins a dimension with the last one where it runs on.
  void add(Dim dim) {
    count *= dim.size;
    if (dim.size == 1) return;
    if (rank > 0) {
      Dim& last = dims[rank - 1];
      if (last.input == dim.input * dim.size && last.output == dim.output * dim.size) {
        last = {last.size * dim.size, dim.input, dim.output};
        return;
      }
    }
    dims[rank++] = dim;
  }
  void offsets(std::int64_t index, std::int64_t& input, std::int64_t& output) const {
    for (int d = rank - 1; d >= 0; --d) {
      const std::int64_t i = index % dims[d].size;
      index /= dims[d].size;
      input += i * dims[d].input;
      output += i * dims[d].output;
    }
  }
};

class Reduction {
 public:
  explicit Reduction(const ReduceCall& call);
  // Whether neighbours in memory belong to blocks side by side; else run() may have to gather the elements of a block.
  bool has_blocks_side_by_side() const { return across_ >= 0; }
  void run();

 private:
  void choose_columns();
  void choose_blocks_side_by_side();
  void run_blocks_side_by_side();
  void row_addresses(const char* base, int from, std::int64_t first, std::int64_t rows,
                     const void** addresses) const;
  void run_blocks(std::int64_t tile, std::int64_t first, std::int64_t last, char* levels);
  void run_block(const char* base, std::int64_t block, std::int64_t columns, char* result);
  void gather_run(const char* base, std::int64_t first, std::int64_t count, char* target) const;
  void store(std::int64_t tile, const char* values) const;
  const char* tile_base(std::int64_t tile, std::int64_t& columns, std::int64_t& output) const;

  const ReduceFunctions& functions_;
  int bytes_;  // of an element that the kernels see
  ConvertRun load_;
  ConvertRun save_;
  ConvertRun copy_;
  const char* input_;
  char* output_;
  Loop kept_;                // without the columns
  Loop reduced_;             // in logical order
  Dim column_{1, 0, 0};      // results that are computed side by side
  std::int64_t width_ = 1;   // of them at a time
  bool direct_ = false;      // kernels can read the input where it lies
  bool whole_rows_ = false;  // each result is made of consecutive elements: columns are rows of memory
  int across_ = -1;          // the reduced dimension whose neighbours in memory belong to blocks side by side
  std::int64_t step_ = 1;    // its indices that make one block
};

Reduction::Reduction(const ReduceCall& call)
    : functions_(
          kernels().functions[static_cast<int>(call.kind)][static_cast<int>(reduce_type(call.compute))]),
      bytes_(element_size(call.compute)),
      input_(static_cast<const char*>(call.input->address())),
      output_(static_cast<char*>(call.output->address())) {
  DType from = call.input->dtype, to = call.output->dtype;
  std::vector<Dim> kept;
  const bool parts = is_complex(from) && call.compute != DType::bool_;
  if (parts) {  // a sum: real and imaginary parts by themselves
    from = info(from).real;
    to = info(to).real;
    kept.push_back({2, element_size(from), element_size(to)});
  }
  load_ = convert_run(from, call.compute);
  save_ = convert_run(call.compute, to);
  copy_ = convert_run(call.compute, call.compute);
  direct_ = from == call.compute;
  int k = 0;
  for (int d = 0; d < call.input->rank; ++d) {
    const std::int64_t size = call.input->sizes[d],
                       stride = call.input->strides[d] * element_size(call.input->dtype);
    if (call.reduced[d]) {
      reduced_.add({size, stride, 0});
      k += call.keepdim;
    } else {
      kept.push_back({size, stride, call.output->strides[k] * element_size(call.output->dtype)});
      ++k;
    }
  }
  // Results in the order in which their elements lie in memory.
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Dim& a, const Dim& b) { return std::abs(a.input) > std::abs(b.input); });
  for (const Dim& dim : kept) kept_.add(dim);
  choose_columns();
  choose_blocks_side_by_side();
}

void Reduction::choose_columns() {
  const std::int64_t along = reduced_.rank ? std::abs(reduced_.dims[reduced_.rank - 1].input) : 0;
  int best = -1;
  for (int d = 0; d < kept_.rank; ++d) {
    const std::int64_t stride = std::abs(kept_.dims[d].input);
    if (stride != 0 && (best < 0 || stride <= std::abs(kept_.dims[best].input))) best = d;
  }
  if (best < 0 && kept_.rank > 0) best = kept_.rank - 1;
  const bool across = best >= 0 && kept_.dims[best].input != 0 && std::abs(kept_.dims[best].input) < along;
  whole_rows_ = direct_ && !across && reduced_.rank == 1 && reduced_.dims[0].input == bytes_ &&
                reduced_.count >= reduction_lanes;
  if (best < 0 || (!across && !whole_rows_ && reduced_.count > short_reduction)) return;
  column_ = kept_.dims[best];
  std::copy(kept_.dims + best + 1, kept_.dims + kept_.rank, kept_.dims + best);
  --kept_.rank;
  kept_.count /= column_.size;
  if (whole_rows_) {
    width_ = std::min<std::int64_t>(rows_at_a_time, column_.size);
    return;
  }
  direct_ = direct_ && column_.input == bytes_;
  const std::int64_t rows = std::min<std::int64_t>(reduced_.count, reduction_block);
  width_ = direct_ ? reduce_columns : std::clamp<std::int64_t>(staged_elements / rows, 32, reduce_columns);
  width_ = std::min(width_, column_.size);
}

const char* Reduction::tile_base(std::int64_t tile, std::int64_t& columns, std::int64_t& output) const {
  const std::int64_t across = (column_.size + width_ - 1) / width_;
  const std::int64_t first = tile % across * width_;
  std::int64_t input = first * column_.input;
  output = first * column_.output;
  kept_.offsets(tile / across, input, output);
  columns = std::min(width_, column_.size - first);
  return input_ + input;
}

// Elements [first, first + count) of the one result, consecutive and cast.
void Reduction::gather_run(const char* base, std::int64_t first, std::int64_t count, char* target) const {
  const std::int64_t row = reduced_.rank ? reduced_.dims[reduced_.rank - 1].size : 1;
  const std::int64_t stride = reduced_.rank ? reduced_.dims[reduced_.rank - 1].input : 0;
  while (count > 0) {
    const std::int64_t n = std::min(count, row - first % row);
    std::int64_t offset = 0, unused = 0;
    reduced_.offsets(first, offset, unused);
    load_(base + offset, stride, target, bytes_, n);
    target += n * bytes_;
    first += n;
    count -= n;
  }
}

// Where elements [first, first + rows) of the reduced dimensions lie, without those before `from`.
void Reduction::row_addresses(const char* base, int from, std::int64_t first, std::int64_t rows,
                              const void** addresses) const {
  std::int64_t index[max_rank + 1] = {};
  const char* address = base;
  std::int64_t rest = first;
  for (int d = reduced_.rank - 1; d >= from; --d) {
    index[d] = rest % reduced_.dims[d].size;
    rest /= reduced_.dims[d].size;
    address += index[d] * reduced_.dims[d].input;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    addresses[r] = address;
    for (int d = reduced_.rank - 1; d >= from; --d) {
      address += reduced_.dims[d].input;
      if (++index[d] < reduced_.dims[d].size) break;
      address -= index[d] * reduced_.dims[d].input;
      index[d] = 0;
    }
  }
}

void Reduction::run_block(const char* base, std::int64_t block, std::int64_t columns, char* result) {
  const std::int64_t first = block * reduction_block;
  const std::int64_t rows = std::min<std::int64_t>(reduction_block, reduced_.count - first);
  if (column_.size == 1 && column_.input == 0) {
    const Dim row = reduced_.rank ? reduced_.dims[reduced_.rank - 1] : Dim{1, 0, 0};
    if (direct_ && row.input == bytes_ && first % row.size + rows <= row.size) {
      std::int64_t offset = 0, unused = 0;
      reduced_.offsets(first, offset, unused);
      functions_.whole_rows(base + offset, rows, 1, 0, result);
      return;
    }
    alignas(64) char staged[reduction_block * 8];
    gather_run(base, first, rows, staged);
    functions_.whole_rows(staged, rows, 1, 0, result);
    return;
  }
  const bool one_stride = reduced_.rank <= 1;
  const std::int64_t stride = reduced_.rank ? reduced_.dims[0].input : 0;
  if (direct_ && one_stride && stride == columns * bytes_) {
    functions_.dense_block(base + first * stride, rows, columns, result);
    return;
  }
  const void* addresses[reduction_block];
  row_addresses(base, 0, first, rows, addresses);
  if (direct_) {
    functions_.spread_block(addresses, rows, columns, result);
    return;
  }
  static thread_local std::vector<char> staged;
  staged.resize(static_cast<std::size_t>(rows * columns * bytes_));
  for (std::int64_t r = 0; r < rows; ++r)
    load_(addresses[r], column_.input, staged.data() + r * columns * bytes_, bytes_, columns);
  functions_.dense_block(staged.data(), rows, columns, result);
}

// Blocks [first, last) of a tile; `first` is a multiple of a power of two that is no less than their number. The
// result is the first row of `levels`.
void Reduction::run_blocks(std::int64_t tile, std::int64_t first, std::int64_t last, char* levels) {
  std::int64_t columns, output;
  const char* base = tile_base(tile, columns, output);
  if (whole_rows_) {
    const std::int64_t begin = first * reduction_block;
    functions_.whole_rows(base + begin * bytes_, std::min(last * reduction_block, reduced_.count) - begin,
                          columns, column_.input, levels);
    return;
  }
  const std::int64_t level_bytes = columns * bytes_;
  int depth = 0;
  for (std::int64_t block = first; block < last; ++block) {
    run_block(base, block, columns, levels + depth * level_bytes);
    for (std::int64_t b = block - first; b & 1; b >>= 1, --depth)
      functions_.combine(levels + (depth - 1) * level_bytes, levels + depth * level_bytes, columns);
    ++depth;
  }
  for (int d = depth - 2; d >= 0; --d)
    functions_.combine(levels + d * level_bytes, levels + (d + 1) * level_bytes, columns);
}

void Reduction::store(std::int64_t tile, const char* values) const {
  std::int64_t columns, output;
  tile_base(tile, columns, output);
  save_(values, bytes_, output_ + output, column_.output, columns);
}

// In transposed memory the elements of one block lie far apart, but neighbours in memory are at the same place of blocks
// side by side: these are computed like columns, where blocks begin at whole indices of that dimension.
void Reduction::choose_blocks_side_by_side() {
  constexpr std::int64_t worthwhile = 16, most_indices = 4;
  if (!direct_ || column_.size > 1 || reduced_.count == 0) return;
  std::int64_t inner = 1;
  for (int d = reduced_.rank - 1; d >= 0; inner *= reduced_.dims[d--].size) {
    const Dim& dim = reduced_.dims[d];
    if (dim.input != bytes_ || d == reduced_.rank - 1) continue;
    const std::int64_t indices = inner < reduction_block ? reduction_block / inner : 1;
    const bool begins_at_index = inner * indices % reduction_block == 0 && dim.size % indices == 0;
    if (!begins_at_index || indices > most_indices || dim.size < worthwhile * indices) return;
    across_ = d;
    step_ = indices;
    return;
  }
}

// With several indices to a block, few of them side by side are begun at each index, and those that begin between two
// blocks are dropped.
void Reduction::run_blocks_side_by_side() {
  const std::int64_t rows = reduced_.dims[across_].size, blocks = reduced_.count / reduction_block;
  std::int64_t inner = 1, outer = 1;
  for (int d = across_ + 1; d < reduced_.rank; ++d) inner *= reduced_.dims[d].size;
  for (int d = 0; d < across_; ++d) outer *= reduced_.dims[d].size;
  const std::int64_t deep = std::max<std::int64_t>(1, inner / reduction_block);  // blocks at one index
  const std::int64_t wide = rows / step_;                                        // blocks along the dimension
  const std::int64_t tile = (reduce_columns - 1) / step_ + 1, tiles = (wide + tile - 1) / tile;
  std::vector<char> partial(static_cast<std::size_t>(kept_.count * blocks * bytes_));
  const std::int64_t grain =
      std::max<std::int64_t>(1, parallel_elements / (reduction_block * std::min(tile, wide)));
  parallel_for(0, kept_.count * outer * deep * tiles, grain, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) char results[reduce_columns * 8];
    const void* addresses[reduction_block];
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % tiles * tile, level = i / tiles % deep, row = i / tiles / deep;
      std::int64_t offset = first * step_ * bytes_, unused = 0;
      kept_.offsets(row / outer, offset, unused);
      std::int64_t rest = row % outer;
      for (int d = across_ - 1; d >= 0; --d) {
        offset += rest % reduced_.dims[d].size * reduced_.dims[d].input;
        rest /= reduced_.dims[d].size;
      }
      const std::int64_t count = std::min(tile, wide - first);
      if (step_ > 1 && count * step_ >= reduction_lanes) {
        row_addresses(input_ + offset, across_ + 1, 0, reduction_block / step_, addresses);
        functions_.joined_columns(addresses, static_cast<int>(step_), count * step_, results);
      } else {
        row_addresses(input_ + offset, step_ > 1 ? across_ : across_ + 1, level * reduction_block,
                      reduction_block, addresses);
        functions_.spread_block(addresses, reduction_block, (count - 1) * step_ + 1, results);
      }
      char* target = partial.data() + ((row * wide + first) * deep + level) * bytes_;
      copy_(results, step_ * bytes_, target, deep * bytes_, count);
    }
  });
  for (std::int64_t k = 0; k < kept_.count; ++k) {
    char* values = partial.data() + k * blocks * bytes_;
    functions_.fold(values, blocks);
    std::int64_t unused = 0, output = 0;
    kept_.offsets(k, unused, output);
    save_(values, bytes_, output_ + output, bytes_, 1);
  }
}

void Reduction::run() {
  if (across_ >= 0) {
    run_blocks_side_by_side();
    return;
  }
  const std::int64_t tiles = kept_.count * ((column_.size + width_ - 1) / width_);
  const std::int64_t blocks = (reduced_.count + reduction_block - 1) / reduction_block;
  std::int64_t part = 1;  // blocks that one thread takes at a time: a power of two
  while (part < blocks) part *= 2;
  const std::int64_t wanted = 4 * thread_count();
  while (part > 1 && tiles * ((blocks + part - 1) / part) < wanted &&
         part * reduction_block * width_ > parallel_elements)
    part /= 2;
  const std::int64_t parts = (blocks + part - 1) / part;
  const std::int64_t row_bytes = width_ * bytes_;
  const std::int64_t grain = std::max<std::int64_t>(
      1, parallel_elements /
             std::max<std::int64_t>(1, std::min(part * reduction_block, reduced_.count) * width_));
  const auto level_bytes = static_cast<std::size_t>(reduce_levels * row_bytes);

  if (parts == 1) {
    parallel_for(0, tiles, grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<char> levels(level_bytes);
      for (std::int64_t tile = begin; tile < end; ++tile) {
        run_blocks(tile, 0, blocks, levels.data());
        store(tile, levels.data());
      }
    });
    return;
  }
  std::vector<char> partial(static_cast<std::size_t>(tiles * parts * row_bytes));
  parallel_for(0, tiles * parts, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<char> levels(level_bytes);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % parts * part;
      run_blocks(i / parts, first, std::min(first + part, blocks), levels.data());
      std::memcpy(partial.data() + i * row_bytes, levels.data(), static_cast<std::size_t>(row_bytes));
    }
  });
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    char* rows = partial.data() + tile * parts * row_bytes;
    for (std::int64_t step = 1; step < parts; step *= 2)
      for (std::int64_t p = 0; p + step < parts; p += 2 * step)
        functions_.combine(rows + p * row_bytes, rows + (p + step) * row_bytes, width_);
    store(tile, rows);
  }
}

// Whether elements that follow one another in the order of the reduction lie far apart in memory, which has no gaps.
bool lies_across(const TensorImpl& input) {
  int last = input.rank - 1;
  while (last >= 0 && input.sizes[last] == 1) --last;
  if (last < 0 || std::abs(input.strides[last]) == 1) return false;
  std::int64_t extent = 1;
  for (int d = 0; d < input.rank; ++d) extent += (input.sizes[d] - 1) * std::abs(input.strides[d]);
  return extent == input.count;
}

}  // namespace

void reduce(const ReduceCall& call) {
  Reduction reduction(call);
  // Copying in tiles first is faster than gathering.
  if (!reduction.has_blocks_side_by_side() && call.output->count == 1 && lies_across(*call.input)) {
    Shape shape;
    for (int d = 0; d < call.input->rank; ++d) shape.push_back(call.input->sizes[d]);
    const Tensor copy = make_tensor(shape, call.input->dtype, call.input->device);
    convert(*call.input, *copy.impl());
    ReduceCall ordered = call;
    ordered.input = copy.impl();
    Reduction(ordered).run();
    return;
  }
  reduction.run();
}

}  // namespace phlox::cpu
