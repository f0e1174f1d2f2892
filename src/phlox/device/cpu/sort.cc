// Sorting on the CPU. Elements become unsigned keys whose order is the wanted one, so that one stable radix sort
// serves all dtypes and both directions; for few of many, the key with its position is selected instead.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include <algorithm>
#include <bit>
#include <cstring>

#include "phlox/device/cpu/device.h"
#include "phlox/device/cpu/rows.h"

namespace phlox::cpu {

namespace {

// --- keys ------------------------------------------------------------------------------------------------------

inline std::uint32_t key_of(float x) {
  if (x != x) return ~std::uint32_t{0};
  if (x == 0) x = 0;  // -0 equals 0
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
inline std::uint64_t key_of(double x) {
  if (x != x) return ~std::uint64_t{0};
  if (x == 0) x = 0;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  return bits >> 63 ? ~bits : bits | 0x8000000000000000ull;
}
inline std::uint64_t key_of(std::int64_t x) { return static_cast<std::uint64_t>(x) ^ 0x8000000000000000ull; }
inline std::uint64_t key_of(std::uint64_t x) { return x; }
inline std::uint32_t key_of(std::int32_t x) { return static_cast<std::uint32_t>(x) ^ 0x80000000u; }

template <class Key>
struct Item {
  Key key;
  Key index;
  bool operator<(const Item& other) const { return key != other.key ? key < other.key : index < other.index; }
};

// Least significant byte first; bytes that are the same everywhere are skipped.
template <class Key>
Item<Key>* radix_sort(Item<Key>* items, Item<Key>* other, std::int64_t count) {
  constexpr int bytes = sizeof(Key);
  Key differing = 0;
  for (std::int64_t i = 1; i < count; ++i) differing |= items[i].key ^ items[0].key;
  int shifts[bytes], used = 0;
  for (int b = 0; b < bytes; ++b)
    if (differing >> (8 * b) & 255) shifts[used++] = 8 * b;
  std::int64_t histogram[bytes][256] = {};
  if (used == bytes) {
    for (std::int64_t i = 0; i < count; ++i)
      for (int b = 0; b < bytes; ++b) ++histogram[b][items[i].key >> (8 * b) & 255];
  } else {
    for (std::int64_t i = 0; i < count; ++i)
      for (int k = 0; k < used; ++k) ++histogram[k][items[i].key >> shifts[k] & 255];
  }
  for (int k = 0; k < used; ++k) {
    std::int64_t* counts = histogram[k];
    std::int64_t start = 0;
    for (int digit = 0; digit < 256; ++digit) {
      const std::int64_t n = counts[digit];
      counts[digit] = start;
      start += n;
    }
    for (std::int64_t i = 0; i < count; ++i) other[counts[items[i].key >> shifts[k] & 255]++] = items[i];
    std::swap(items, other);
  }
  return items;
}

constexpr std::int64_t radix_from = 256;  // below, comparing is faster

// The items in order, the first `wanted` of them at least.
template <class Key>
Item<Key>* sort_items(Item<Key>* items, Item<Key>* other, std::int64_t count, std::int64_t wanted) {
  if (wanted * 4 < count) {
    std::nth_element(items, items + wanted, items + count);
    std::sort(items, items + wanted);
    return items;
  }
  if (count >= radix_from) return radix_sort(items, other, count);
  std::sort(items, items + count);
  return items;
}

// --- few of many

constexpr std::int64_t block_size = 64;

// Whether it pays to keep the best so far while reading, in place of moving everything.
bool is_few(std::int64_t wanted, std::int64_t count) {
  return wanted > 0 && wanted * 8 + 2 * block_size <= count;
}

// The first `wanted` items in order. Most blocks have nothing that is before the last of the best so far.
template <class T, class Key>
void select_few(const T* x, std::int64_t count, std::int64_t wanted, Key flip, Item<Key>* items) {
  std::int64_t kept = 0;
  bool is_full = false;
  Key last = 0;  // of the best, once there are enough of them: equal elements behind it come too late
  const auto keep_best = [&] {
    std::nth_element(items, items + wanted - 1, items + kept);
    kept = wanted;
    is_full = true;
    last = items[wanted - 1].key;
  };
  for (std::int64_t begin = 0; begin < count; begin += block_size) {
    const std::int64_t n = std::min(block_size, count - begin);
    Key keys[block_size];
    for (std::int64_t i = 0; i < n; ++i) keys[i] = static_cast<Key>(key_of(x[begin + i]) ^ flip);
    if (is_full) {
      Key any = 0;
      for (std::int64_t i = 0; i < n; ++i) any |= static_cast<Key>(keys[i] < last);
      if (!any) continue;
    }
    for (std::int64_t i = 0; i < n; ++i) {  // without a branch, which nobody could foretell
      items[kept] = {keys[i], static_cast<Key>(begin + i)};
      kept += !is_full | (keys[i] < last);
    }
    if (kept >= 2 * wanted) keep_best();
  }
  if (kept > wanted) keep_best();
  std::sort(items, items + wanted);
}

// Up to so many are kept in order while reading.
constexpr std::int64_t very_few = 16;

// The first `wanted` items in order, `wanted` up to very_few.
template <class T, class Key>
void insert_few(const T* x, std::int64_t count, std::int64_t wanted, Key flip, Item<Key>* items) {
  std::int64_t kept = 0;
  const auto insert = [&](Key key, std::int64_t index) {  // behind its equals
    std::int64_t to = kept < wanted ? kept++ : wanted - 1;
    for (; to > 0 && items[to - 1].key > key; --to) items[to] = items[to - 1];
    items[to] = {key, static_cast<Key>(index)};
  };
  const auto key_at = [&](std::int64_t i) { return static_cast<Key>(key_of(x[i]) ^ flip); };
  std::int64_t i = 0;
  for (; i < wanted; ++i) insert(key_at(i), i);
  constexpr int side_by_side = 16;
  for (; i + side_by_side <= count; i += side_by_side) {
    const Key last = items[wanted - 1].key;
    Key keys[side_by_side];
    Key any = 0;
    for (int k = 0; k < side_by_side; ++k) {
      keys[k] = key_at(i + k);
      any |= static_cast<Key>(keys[k] < last);
    }
    if (!any) continue;
    for (int k = 0; k < side_by_side; ++k)
      if (keys[k] < items[wanted - 1].key) insert(keys[k], i + k);
  }
  for (; i < count; ++i)
    if (key_at(i) < items[wanted - 1].key) insert(key_at(i), i);
}

template <class T, class Key>
void sort_rows(const SortCall& call, DType compute) {
  const RowsLast source(*call.input, call.dim, RowsLast::Use::read);
  RowsLast best(*call.values, call.dim, RowsLast::Use::write),
      places(*call.indices, call.dim, RowsLast::Use::write);
  const RowOperand input(source.impl(), source.dim(), compute), values(best.impl(), best.dim(), compute),
      indices(places.impl(), places.dim(), DType::int64);
  const std::int64_t count = input.length(), wanted = values.length();
  const auto bytes = static_cast<std::int64_t>(sizeof(T));
  const Key flip = call.descending ? ~Key{0} : Key{0};
  for_row_ranges(input.rows(), 20 * count, [&](std::int64_t first, std::int64_t last) {
    const Scratch scratch(count * bytes + wanted * (bytes + 8));
    const auto item_bytes = static_cast<std::int64_t>(sizeof(Item<Key>));
    const Scratch item_memory(2 * count * item_bytes);
    auto* const items = reinterpret_cast<Item<Key>*>(item_memory.at(0));
    auto* const other = reinterpret_cast<Item<Key>*>(item_memory.at(count * item_bytes));
    for (std::int64_t row = first; row < last; ++row) {
      const T* x = input.read(row, reinterpret_cast<T*>(scratch.at(wanted * 8)));
      T* y = values.target(row, reinterpret_cast<T*>(scratch.at(wanted * 8 + count * bytes)));
      auto* at = indices.target(row, reinterpret_cast<std::int64_t*>(scratch.at(0)));
      const Item<Key>* sorted = items;
      if (is_few(wanted, count)) {
        (wanted <= very_few ? insert_few<T, Key> : select_few<T, Key>)(x, count, wanted, flip, items);
      } else {
        for (std::int64_t i = 0; i < count; ++i)
          items[i] = {static_cast<Key>(key_of(x[i]) ^ flip), static_cast<Key>(i)};
        sorted = sort_items(items, other, count, wanted);
      }
      for (std::int64_t i = 0; i < wanted; ++i) {
        at[i] = static_cast<std::int64_t>(sorted[i].index);
        y[i] = x[at[i]];
      }
      values.write(row, y);
      indices.write(row, at);
    }
  });
  best.finish();
  places.finish();
}

}  // namespace

void sort(const SortCall& call) {
  const bool long_rows =
      RowOperand(*call.input, call.dim, call.input->dtype).length() > std::int64_t{0xffffffff};
  switch (call.input->dtype) {
    case DType::uint64: return sort_rows<std::uint64_t, std::uint64_t>(call, DType::uint64);
    case DType::int64:
    case DType::uint32: return sort_rows<std::int64_t, std::uint64_t>(call, DType::int64);
    case DType::float64: return sort_rows<double, std::uint64_t>(call, DType::float64);
    case DType::float16:
    case DType::bfloat16:
    case DType::float32:
      if (long_rows) return sort_rows<double, std::uint64_t>(call, DType::float64);
      return sort_rows<float, std::uint32_t>(call, DType::float32);
    default:
      if (long_rows) return sort_rows<std::int64_t, std::uint64_t>(call, DType::int64);
      return sort_rows<std::int32_t, std::uint32_t>(call, DType::int32);
  }
}

namespace {

template <class T>
void search_rows(const SearchCall& call) {
  const auto key = [](T x) { return key_of(x); };
  const T* sorted = static_cast<const T*>(call.sorted->address());
  const T* values = static_cast<const T*>(call.values->address());
  auto* output = static_cast<std::int64_t*>(call.output->address());
  const std::int64_t length = call.sorted->sizes[call.sorted->rank - 1];
  const bool shared = call.sorted->rank == 1;
  const std::int64_t per_row = call.values->rank ? call.values->sizes[call.values->rank - 1] : 1;
  parallel_for(0, call.values->count, 2048, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const T* row = shared ? sorted : sorted + i / per_row * length;
      const auto wanted = key_of(values[i]);
      const T* found =
          call.right ? std::upper_bound(row, row + length, wanted, [&](auto k, T x) { return k < key(x); })
                     : std::lower_bound(row, row + length, wanted, [&](T x, auto k) { return key(x) < k; });
      output[i] = found - row;
    }
  });
}

}  // namespace

void search(const SearchCall& call) {
  switch (call.sorted->dtype) {
    case DType::uint64: return search_rows<std::uint64_t>(call);
    case DType::int64: return search_rows<std::int64_t>(call);
    case DType::float64: return search_rows<double>(call);
    default: return search_rows<float>(call);
  }
}

}  // namespace phlox::cpu
