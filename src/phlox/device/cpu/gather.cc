// Reading and writing at places given by tensors of integers. Writes to one place happen in the order of the
// loop: threads share out either a dimension along which places differ, or the places themselves.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include <algorithm>
#include <atomic>
#include <complex>
#include <cstring>
#include <type_traits>

#include "phlox/core/parallel.h"
#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/indexing_kernel.h"
#include "phlox/device/cpu/processor.h"

namespace phlox::cpu {

PHLOX_TABLE(IndexingKernels, phlox_indexing_kernels);

namespace {

constexpr std::int64_t parallel_elements = 16384;

struct Wide {
  std::uint64_t low, high;
};

// Calls f<T>() with an unsigned type of the size of an element.
template <class F>
void visit_bytes(int bytes, const F& f) {
  switch (bytes) {
    case 1: return f.template operator()<std::uint8_t>();
    case 2: return f.template operator()<std::uint16_t>();
    case 4: return f.template operator()<std::uint32_t>();
    case 8: return f.template operator()<std::uint64_t>();
    default: return f.template operator()<Wide>();
  }
}

void move_dim(IndexedLoop& to, int d, const IndexedLoop& from, int source) {
  to.sizes[d] = from.sizes[source];
  to.data_strides[d] = from.data_strides[source];
  to.other_strides[d] = from.other_strides[source];
  for (int k = 0; k < from.index_count; ++k) to.indices[k].strides[d] = from.indices[k].strides[source];
}

// What a loop has besides its dimensions. Copying all of it would copy room for dimensions that few tensors have.
void copy_ends(const IndexedLoop& from, IndexedLoop& to) {
  to.index_count = from.index_count;
  to.dtype = from.dtype;
  to.data = from.data;
  to.other = from.other;
  to.count = from.count;
  for (int k = 0; k < from.index_count; ++k) {
    to.indices[k].values = from.indices[k].values;
    to.indices[k].bound = from.indices[k].bound;
    to.indices[k].step = from.indices[k].step;
  }
}

// Drops dimensions of size 1 and joins those that run on for every operand.
void simplify(const IndexedLoop& loop, IndexedLoop& plan) {
  copy_ends(loop, plan);
  for (int d = 0; d < loop.rank; ++d) {
    if (loop.sizes[d] == 1) continue;
    const int last = plan.rank - 1;
    bool joins = last >= 0 && plan.data_strides[last] == loop.data_strides[d] * loop.sizes[d] &&
                 plan.other_strides[last] == loop.other_strides[d] * loop.sizes[d];
    for (int k = 0; k < loop.index_count && joins; ++k)
      joins = plan.indices[k].strides[last] == loop.indices[k].strides[d] * loop.sizes[d];
    const int to = joins ? last : plan.rank++;
    plan.sizes[to] = joins ? plan.sizes[to] * loop.sizes[d] : loop.sizes[d];
    plan.data_strides[to] = loop.data_strides[d];
    plan.other_strides[to] = loop.other_strides[d];
    for (int k = 0; k < loop.index_count; ++k) plan.indices[k].strides[to] = loop.indices[k].strides[d];
  }
  if (plan.rank == 0) {
    plan.rank = 1;
    plan.sizes[0] = 1;
    plan.data_strides[0] = plan.other_strides[0] = 0;
    for (int k = 0; k < loop.index_count; ++k) plan.indices[k].strides[0] = 0;
  }
}

bool indexed_along(const IndexedLoop& loop, int d) {
  for (int k = 0; k < loop.index_count; ++k)
    if (loop.indices[k].strides[d] != 0) return true;
  return false;
}

// How far apart in memory neighbours along a dimension lie, counted no further than a cache line for each operand.
std::int64_t distance_along(const IndexedLoop& loop, int d) {
  const std::int64_t line = 64, bytes = element_size(loop.dtype);
  const auto apart = [&](std::int64_t stride, std::int64_t size) {
    return std::min(line, std::abs(stride) * size);
  };
  std::int64_t sum = apart(loop.data_strides[d], bytes) + apart(loop.other_strides[d], bytes);
  for (int k = 0; k < loop.index_count; ++k) {
    if (loop.indices[k].strides[d] == 0) continue;
    sum += apart(loop.indices[k].strides[d], 8);
    if (loop.data_strides[d] == 0) sum += apart(loop.indices[k].step, bytes);
  }
  return sum;
}

// Along such a dimension of the data places differ whatever the indices are, so it may change places with others.
bool is_free(const IndexedLoop& loop, int d) { return loop.data_strides[d] != 0; }

void swap_dims(IndexedLoop& loop, int a, int b) {
  std::swap(loop.sizes[a], loop.sizes[b]);
  std::swap(loop.data_strides[a], loop.data_strides[b]);
  std::swap(loop.other_strides[a], loop.other_strides[b]);
  for (int k = 0; k < loop.index_count; ++k)
    std::swap(loop.indices[k].strides[a], loop.indices[k].strides[b]);
}

// Brings dimensions whose neighbours lie close to each other inside of those where they lie far apart.
void order(IndexedLoop& plan) {
  std::int64_t distances[max_rank];
  for (int d = 0; d < plan.rank; ++d) distances[d] = distance_along(plan, d);
  for (int end = plan.rank - 1; end > 0; --end) {
    for (int d = 0; d < end; ++d) {
      if (distances[d] >= distances[d + 1] || (!is_free(plan, d) && !is_free(plan, d + 1))) continue;
      swap_dims(plan, d, d + 1);
      std::swap(distances[d], distances[d + 1]);
    }
  }
}

// Calls body with parts of the loop. Where the indices jump from line to line of much memory, and neighbours of the inner
// dimension share these lines, its elements are taken in strips: the lines of one strip stay in the cache.
template <class Body>
void for_strips(const IndexedLoop& loop, const Body& body) {
  constexpr std::int64_t strip = 64, line = 64, much = std::int64_t{1} << 20;
  const int inner = loop.rank - 1, outer = inner - 1;
  const std::int64_t bytes = element_size(loop.dtype);
  bool jumps = false;
  for (int k = 0; k < loop.index_count && inner > 0; ++k)
    jumps = jumps || (loop.indices[k].strides[outer] != 0 && loop.indices[k].strides[inner] != 0 &&
                      std::abs(loop.indices[k].step) * bytes >= line &&
                      loop.indices[k].bound * std::abs(loop.indices[k].step) * bytes >= much);
  if (!jumps || !is_free(loop, inner) || loop.rank == max_rank || loop.sizes[inner] < 2 * strip ||
      std::abs(loop.data_strides[inner]) * bytes >= line) {
    body(loop);
    return;
  }
  IndexedLoop strips = loop, rest = loop;
  strips.rank = loop.rank + 1;
  move_dim(strips, inner, loop, outer);
  move_dim(strips, inner + 1, loop, inner);
  move_dim(strips, outer, loop, inner);
  const std::int64_t whole = loop.sizes[inner] / strip;
  strips.sizes[outer] = whole;
  strips.sizes[inner + 1] = strip;
  strips.data_strides[outer] *= strip;
  strips.other_strides[outer] *= strip;
  for (int k = 0; k < loop.index_count; ++k) strips.indices[k].strides[outer] *= strip;
  strips.count = loop.count / loop.sizes[inner] * (whole * strip);
  body(strips);
  rest.sizes[inner] = loop.sizes[inner] - whole * strip;
  if (rest.sizes[inner] == 0) return;
  rest.count = loop.count - strips.count;
  rest.data += whole * strip * loop.data_strides[inner] * bytes;
  rest.other += whole * strip * loop.other_strides[inner] * bytes;
  for (int k = 0; k < loop.index_count; ++k)
    rest.indices[k].values += whole * strip * loop.indices[k].strides[inner];
  body(rest);
}

// A row: the inner dimension at one place of the outer ones.
struct Row {
  std::int64_t data;  // in elements
  std::int64_t other;
  std::int64_t indices[max_rank];  // for each tensor of them
};

// Negative indices count from the end.
PHLOX_INLINE std::int64_t from_front(std::int64_t i, std::int64_t bound) { return i + (i >> 63 & bound); }

// The offsets of the places along a row of a single index tensor.
struct RowPlaces {
  RowPlaces(const IndexedLoop& loop, const Row& row, int inner)
      : values(loop.indices[0].values + row.indices[0]),
        stride(loop.indices[0].strides[inner]),
        bound(loop.indices[0].bound),
        step(loop.indices[0].step) {}
  PHLOX_INLINE std::int64_t operator[](std::int64_t i) const {
    return from_front(values[i * stride], bound) * step;
  }
  // Places that follow one another, along consecutive elements: worth a loop of its own.
  bool simple() const { return stride == 1 && step == 1; }
  const std::int64_t* values;
  std::int64_t stride, bound, step;
};

std::int64_t place(const IndexedLoop& loop, const std::int64_t* positions, std::int64_t shift, int inner) {
  std::int64_t offset = 0;
  for (int k = 0; k < loop.index_count; ++k) {
    const IndexedLoop::Index& index = loop.indices[k];
    offset += from_front(index.values[positions[k] + shift * index.strides[inner]], index.bound) * index.step;
  }
  return offset;
}

// Calls row(Row, n) for elements [first, last) of the loop.
template <class Body>
void for_rows(const IndexedLoop& loop, std::int64_t first, std::int64_t last, const Body& body) {
  std::int64_t at[max_rank];
  Row row;
  row.data = row.other = 0;
  std::fill_n(row.indices, loop.index_count, 0);
  const auto move = [&](int d, std::int64_t steps) {
    row.data += steps * loop.data_strides[d];
    row.other += steps * loop.other_strides[d];
    for (int k = 0; k < loop.index_count; ++k) row.indices[k] += steps * loop.indices[k].strides[d];
  };
  std::int64_t rest = first;
  for (int d = loop.rank - 1; d >= 0; --d) {
    at[d] = rest % loop.sizes[d];
    rest /= loop.sizes[d];
    move(d, at[d]);
  }
  const int inner = loop.rank - 1;
  while (first < last) {
    const std::int64_t n = std::min(loop.sizes[inner] - at[inner], last - first);
    body(row, n);
    first += n;
    move(inner, -at[inner]);
    at[inner] = 0;
    for (int d = inner - 1; d >= 0; --d) {
      move(d, 1);
      if (++at[d] < loop.sizes[d]) break;
      move(d, -at[d]);
      at[d] = 0;
    }
  }
}

template <class T, class Store>
PHLOX_INLINE void update_row(T* target, std::int64_t target_stride, const T* source,
                             std::int64_t source_stride, std::int64_t n, const Store& store) {
  if (target_stride == 1 && source_stride == 1) {
    T* __restrict out = target;
    const T* __restrict in = source;
    for (std::int64_t i = 0; i < n; ++i) out[i] = store(out[i], in[i]);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i, target += target_stride, source += source_stride)
    *target = store(*target, *source);
}

template <class T>
void gather_as(const IndexedLoop& loop) {
  const int inner = loop.rank - 1;
  const bool by_element = indexed_along(loop, inner);
  const auto* data = reinterpret_cast<const T*>(loop.data);
  auto* other = reinterpret_cast<T*>(loop.other);
  const std::int64_t data_stride = loop.data_strides[inner], other_stride = loop.other_strides[inner];
  parallel_for(0, loop.count, parallel_elements, [&](std::int64_t first, std::int64_t last) {
    for_rows(loop, first, last, [&](const Row& row, std::int64_t n) {
      T* out = other + row.other;
      if (!by_element) {
        const T* in = data + row.data + place(loop, row.indices, 0, inner);
        if (data_stride == 1 && other_stride == 1)
          std::memcpy(out, in, static_cast<std::size_t>(n) * sizeof(T));
        else
          for (std::int64_t i = 0; i < n; ++i) out[i * other_stride] = in[i * data_stride];
      } else if (loop.index_count == 1) {
        const RowPlaces places(loop, row, inner);
        const T* in = data + row.data;
        if (places.simple() && other_stride == 1 && data_stride == 0) {
#pragma GCC unroll 8
          for (std::int64_t i = 0; i < n; ++i) out[i] = in[from_front(places.values[i], places.bound)];
        } else {
          for (std::int64_t i = 0; i < n; ++i) out[i * other_stride] = in[i * data_stride + places[i]];
        }
      } else {
        for (std::int64_t i = 0; i < n; ++i)
          out[i * other_stride] = data[row.data + i * data_stride + place(loop, row.indices, i, inner)];
      }
    });
  });
}

// Writes with `store(old, value)`. Places whose offset by indices lies outside of [low, high) are left to
// others.
template <class T, class Store>
void scatter_part(const IndexedLoop& loop, bool all, std::int64_t low, std::int64_t high,
                  const Store& store) {
  const int inner = loop.rank - 1;
  const bool by_element = indexed_along(loop, inner);
  auto* data = reinterpret_cast<T*>(loop.data);
  const auto* other = reinterpret_cast<const T*>(loop.other);
  const std::int64_t data_stride = loop.data_strides[inner], other_stride = loop.other_strides[inner];
  for_rows(loop, 0, loop.count, [&](const Row& row, std::int64_t n) {
    const T* in = other + row.other;
    if (!by_element) {
      const std::int64_t offset = place(loop, row.indices, 0, inner);
      if (all || (offset >= low && offset < high))
        update_row(data + row.data + offset, data_stride, in, other_stride, n, store);
      return;
    }
    if (all && loop.index_count == 1) {
      const RowPlaces places(loop, row, inner);
      T* target = data + row.data;
      if (places.simple() && other_stride == 1 && data_stride == 0) {
#pragma GCC unroll 8
        for (std::int64_t i = 0; i < n; ++i) {
          T& element = target[from_front(places.values[i], places.bound)];
          element = store(element, in[i]);
        }
        return;
      }
      for (std::int64_t i = 0; i < n; ++i) {
        T& element = target[i * data_stride + places[i]];
        element = store(element, in[i * other_stride]);
      }
      return;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t offset = place(loop, row.indices, i, inner);
      if (!all && (offset < low || offset >= high)) continue;
      T& target = data[row.data + i * data_stride + offset];
      target = store(target, in[i * other_stride]);
    }
  });
}

template <class T, class Store>
void scatter_with(const IndexedLoop& loop, const Store& store) {
  const int threads = loop.count < parallel_elements ? 1 : thread_count();
  if (threads == 1) {
    scatter_part<T>(loop, true, 0, 0, store);
    return;
  }
  int widest = -1;  // the dimension to share out: places differ along it
  for (int d = 0; d < loop.rank; ++d)
    if (loop.data_strides[d] != 0 && (widest < 0 || loop.sizes[d] > loop.sizes[widest])) widest = d;
  if (widest >= 0 && loop.sizes[widest] >= threads) {
    const std::int64_t grain = std::max<std::int64_t>(1, loop.sizes[widest] * parallel_elements / loop.count);
    parallel_for(0, loop.sizes[widest], grain, [&](std::int64_t first, std::int64_t last) {
      IndexedLoop part = loop;
      part.sizes[widest] = last - first;
      part.count = loop.count / loop.sizes[widest] * (last - first);
      part.data += first * loop.data_strides[widest] * static_cast<std::int64_t>(sizeof(T));
      part.other += first * loop.other_strides[widest] * static_cast<std::int64_t>(sizeof(T));
      for (int k = 0; k < loop.index_count; ++k)
        part.indices[k].values += first * loop.indices[k].strides[widest];
      scatter_part<T>(part, true, 0, 0, store);
    });
    return;
  }
  std::int64_t low = 0, high = 1;
  for (int k = 0; k < loop.index_count; ++k)
    (loop.indices[k].step < 0 ? low : high) += (loop.indices[k].bound - 1) * loop.indices[k].step;
  parallel_for(
      low, high, std::max<std::int64_t>(1, (high - low) / threads),
      [&](std::int64_t first, std::int64_t last) { scatter_part<T>(loop, false, first, last, store); });
}

template <class T>
void scatter_as(const IndexedLoop& loop, ScatterMode mode) {
  constexpr bool ordered = std::is_arithmetic_v<T>;
  // Halves are computed with in float.
  const auto compute = [](auto f) {
    return [f](T a, T b) {
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
        return T(f(static_cast<float>(a), static_cast<float>(b)));
      else return static_cast<T>(f(a, b));
    };
  };
  switch (mode) {
    case ScatterMode::add: scatter_with<T>(loop, compute([](auto a, auto b) { return a + b; })); break;
    case ScatterMode::multiply: scatter_with<T>(loop, compute([](auto a, auto b) { return a * b; })); break;
    case ScatterMode::minimum:
      if constexpr (ordered || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
        scatter_with<T>(loop, compute([](auto a, auto b) { return b < a || b != b ? b : a; }));
      break;
    case ScatterMode::maximum:
      if constexpr (ordered || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
        scatter_with<T>(loop, compute([](auto a, auto b) { return b > a || b != b ? b : a; }));
      break;
    case ScatterMode::assign: break;
  }
}

}  // namespace

void gather(const IndexedLoop& loop) {
  if (loop.count == 0) return;
  IndexedLoop plan;
  simplify(loop, plan);
  order(plan);
  for_strips(plan, [&](const IndexedLoop& part) {
    visit_bytes(element_size(loop.dtype), [&]<class T>() { gather_as<T>(part); });
  });
}

void scatter(const IndexedLoop& loop, ScatterMode mode) {
  if (loop.count == 0) return;
  IndexedLoop plan;
  simplify(loop, plan);
  order(plan);
  for_strips(plan, [&](const IndexedLoop& part) {
    if (mode == ScatterMode::assign)
      visit_bytes(element_size(loop.dtype),
                  [&]<class T>() { scatter_with<T>(part, [](T, T value) { return value; }); });
    else visit_dtype(loop.dtype, [&]<class T>() { scatter_as<T>(part, mode); });
  });
}

std::int64_t find_outside(const TensorImpl& indices, std::int64_t lowest, std::int64_t bound) {
  // Almost always none is outside: the first pass only asks whether.
  static const IndexingKernels& kernels = best_of(PHLOX_TABLE_SPAN(phlox_indexing_kernels));
  std::atomic<bool> any{false};
  const auto* values = static_cast<const std::int64_t*>(indices.address());
  parallel_for(0, indices.count, parallel_elements, [&](std::int64_t first, std::int64_t last) {
    if (kernels.any_outside(values + first, last - first, lowest, bound))
      any.store(true, std::memory_order_relaxed);
  });
  if (!any.load()) return -1;
  std::int64_t i = 0;
  while (values[i] >= lowest && values[i] < bound) ++i;
  return i;
}

std::int64_t count_nonzero(const TensorImpl& mask) {
  const auto* values = static_cast<const std::uint8_t*>(mask.address());
  std::atomic<std::int64_t> total{0};
  parallel_for(0, mask.count, 4 * parallel_elements, [&](std::int64_t first, std::int64_t last) {
    std::int64_t count = 0;
    for (std::int64_t i = first; i < last; ++i) count += values[i];
    total.fetch_add(count, std::memory_order_relaxed);
  });
  return total.load();
}

void nonzero(const TensorImpl& mask, TensorImpl& target) {
  constexpr std::int64_t block = 65536;
  const auto* values = static_cast<const std::uint8_t*>(mask.address());
  const std::int64_t blocks = (mask.count + block - 1) / block;
  std::vector<std::int64_t> starts(static_cast<std::size_t>(blocks) + 1, 0);
  parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      std::int64_t count = 0;
      for (std::int64_t i = b * block; i < std::min(mask.count, (b + 1) * block); ++i) count += values[i];
      starts[static_cast<std::size_t>(b) + 1] = count;
    }
  });
  for (std::size_t b = 1; b < starts.size(); ++b) starts[b] += starts[b - 1];
  const int rank = mask.rank;
  if (rank == 1) {  // the position itself, without a branch
    parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        auto* out = static_cast<std::int64_t*>(target.address()) + starts[static_cast<std::size_t>(b)];
        const std::int64_t end = std::min(mask.count, (b + 1) * block);
        for (std::int64_t i = b * block; i < end;) {
          std::int64_t found[257];
          std::int64_t n = 0;
          const std::int64_t stop = std::min(end, i + 256);
          for (; i < stop; ++i) {
            found[n] = i;
            n += values[i];
          }
          out = std::copy_n(found, n, out);
        }
      }
    });
    return;
  }
  parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      auto* out = static_cast<std::int64_t*>(target.address()) + starts[static_cast<std::size_t>(b)] * rank;
      for (std::int64_t i = b * block; i < std::min(mask.count, (b + 1) * block); ++i) {
        if (!values[i]) continue;
        std::int64_t rest = i;
        for (int d = rank - 1; d > 0; --d) {
          out[d] = rest % mask.sizes[d];
          rest /= mask.sizes[d];
        }
        if (rank > 0) out[0] = rest;
        out += rank;
      }
    }
  });
}

}  // namespace phlox::cpu
