// The steps of reduction_order.h on vectors, for kernel files.
#pragma once

#include "phlox/device/cpu/instruction_set.h"
#include "phlox/device/cpu/reduce_kernel.h"
#include "phlox/math/functions.h"

namespace phlox {
namespace PHLOX_ISA {

using namespace cpu;

constexpr int lanes = reduction_lanes;

// Each function: how two results are combined, and how a result takes in an element, which is the same for most.
struct Sum {
  template <class D>
  PHLOX_INLINE static D combine(D a, D b) {
    return a + b;
  }
  template <class T>
  static constexpr T identity() {
    return T(0);
  }
};
struct SumOfSquares : Sum {
  template <class D>
  PHLOX_INLINE static D take(D sum, D element) {
    return sum + element * element;
  }
};
struct Product {
  template <class D>
  PHLOX_INLINE static D combine(D a, D b) {
    return a * b;
  }
  template <class T>
  static constexpr T identity() {
    return T(1);
  }
};
// The first NaN stays.
struct Minimum {
  template <class D>
  PHLOX_INLINE static D combine(D a, D b) {
    return select(b != b, b, extreme<false>(a, b));
  }
  template <class T>
  static constexpr T identity() {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(__builtin_inf());
    else
      return static_cast<T>(std::is_signed_v<T> ? ~std::uint64_t{0} >> (65 - 8 * sizeof(T))
                                                : ~std::uint64_t{0});
  }
};
struct Maximum {
  template <class D>
  PHLOX_INLINE static D combine(D a, D b) {
    return select(b != b, b, extreme<true>(a, b));
  }
  template <class T>
  static constexpr T identity() {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(-__builtin_inf());
    else
      return static_cast<T>(std::is_signed_v<T> ? std::uint64_t{1} << (8 * sizeof(T) - 1) : std::uint64_t{0});
  }
};

template <class Op, class D>
PHLOX_INLINE D take(D result, D element) {
  if constexpr (requires { Op::take(result, element); }) return Op::take(result, element);
  else return Op::combine(result, element);
}

// The vector for rows of T: no wider than the lanes of a block.
template <class T>
using Vector = math::Simd<T, (math::Native<T>::lanes < lanes ? math::Native<T>::lanes : lanes)>;

// The first `count` lanes from memory, fewer than there are; the others from `rest`.
template <class V, class T>
PHLOX_INLINE V load_part(const T* source, std::int64_t count, V rest) {
#if defined(__AVX512F__) && !defined(__clang__)
  const auto mask = static_cast<std::uint16_t>((1u << count) - 1);
  if constexpr (sizeof(V) == 64 && std::is_same_v<T, float>)
    return V(__builtin_ia32_loadups512_mask(source, rest.value, mask));
  else if constexpr (sizeof(V) == 64 && std::is_same_v<T, double>)
    return V(__builtin_ia32_loadupd512_mask(source, rest.value, static_cast<std::uint8_t>(mask)));
  else
#endif
  {
    alignas(64) T padded[V::lanes];
    rest.store(padded);
    __builtin_memcpy(padded, source, static_cast<std::size_t>(count) * sizeof(T));
    return V::load(padded);
  }
}
// Writes the first `count` lanes, fewer than there are.
template <class V, class T>
PHLOX_INLINE void store_part(V value, T* target, std::int64_t count) {
#if defined(__AVX512F__) && !defined(__clang__)
  const auto mask = static_cast<std::uint16_t>((1u << count) - 1);
  if constexpr (sizeof(V) == 64 && std::is_same_v<T, float>)
    return __builtin_ia32_storeups512_mask(target, value.value, mask);
  else if constexpr (sizeof(V) == 64 && std::is_same_v<T, double>)
    return __builtin_ia32_storeupd512_mask(target, value.value, static_cast<std::uint8_t>(mask));
  else
#endif
  {
    alignas(64) T all[V::lanes];
    value.store(all);
    __builtin_memcpy(target, all, static_cast<std::size_t>(count) * sizeof(T));
  }
}

// target[i] = step(target[i], sources[i]...). What is left over behind the last whole vector is computed, before anything
// is written, as part of a vector that begins earlier.
template <class T, class Step, class... Sources>
PHLOX_INLINE void update_row(std::int64_t count, const Step& step, T* target, const Sources*... sources) {
  using V = Vector<T>;
  if (count < V::lanes) {
    using S = math::Scalar<T>;
    for (std::int64_t i = 0; i < count; ++i) target[i] = step(S(target[i]), S(sources[i])...).value;
    return;
  }
  const std::int64_t last = count - V::lanes;
  const V end = step(V::load(target + last), V::load(sources + last)...);
  for (std::int64_t i = 0; i < last; i += V::lanes)
    step(V::load(target + i), V::load(sources + i)...).store(target + i);
  end.store(target + last);
}

// target[i] = combine(target[i], source[i])
template <class Op, class T>
PHLOX_INLINE void add_row(T* target, const T* source, std::int64_t count) {
  update_row(
      count, [](auto sum, auto x) __attribute__((always_inline)) { return Op::combine(sum, x); }, target,
      source);
}

// The same with elements.
template <class Op, class T>
PHLOX_INLINE void take_row(T* target, const T* source, std::int64_t count) {
  update_row(
      count, [](auto sum, auto x) __attribute__((always_inline)) { return take<Op>(sum, x); }, target,
      source);
}

// Four rows of elements that go to the same lane, in order: the accumulator passes through a register only once.
template <class Op, class T>
PHLOX_INLINE void take_four_rows(T* target, const T* a, const T* b, const T* c, const T* d,
                                 std::int64_t count) {
  update_row(
      count,
      [](auto sum, auto w, auto x, auto y, auto z)
          __attribute__((always_inline)) { return take<Op>(take<Op>(take<Op>(take<Op>(sum, w), x), y), z); },
      target, a, b, c, d);
}

template <class Op, class T>
PHLOX_INLINE void start_lanes(T* accumulators, std::int64_t count) {
  using V = Vector<T>;
  std::int64_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) V(Op::template identity<T>()).store(accumulators + i);
  for (; i < count; ++i) accumulators[i] = Op::template identity<T>();
}

// Folds lanes of `columns` elements each into the first; `used` of them hold elements.
template <class Op, class T>
PHLOX_INLINE void fold_lanes(T* accumulators, std::int64_t used, std::int64_t columns) {
  for (std::int64_t half = lanes / 2; half >= 1; half /= 2) {
    if (used <= half) continue;
    add_row<Op>(accumulators, accumulators + half * columns, (used - half) * columns);
    used = half;
  }
}

// Lane j with lane j + half, for half = N / 2, ..., 1, without leaving the registers. In small vectors all lanes move.
template <class Op, int half, class T, int N, int... i>
PHLOX_INLINE T fold_small_vector(math::Simd<T, N> v, std::integer_sequence<int, i...> all) {
  if constexpr (half == 0) return v.value[0];
  else
    return fold_small_vector<Op, half / 2>(
        Op::combine(v, math::Simd<T, N>(__builtin_shufflevector(v.value, v.value, ((i + half) % N)...))),
        all);
}
template <class Op, class T, int N, int... i>
PHLOX_INLINE T fold_vector(math::Simd<T, N> v, std::integer_sequence<int, i...>) {
  if constexpr (N * sizeof(T) > 16) {
    using Half = math::Simd<T, N / 2>;
    return fold_vector<Op>(Op::combine(Half(__builtin_shufflevector(v.value, v.value, i...)),
                                       Half(__builtin_shufflevector(v.value, v.value, (i + N / 2)...))),
                           std::make_integer_sequence<int, N / 4>{});
  } else {
    return fold_small_vector<Op, N / 2>(v, std::make_integer_sequence<int, N>{});
  }
}

// The lanes of one block, which fill some vectors.
template <class Op, class T, int N, int vectors>
PHLOX_INLINE T fold_vectors(math::Simd<T, N> (&sums)[vectors]) {
#pragma GCC unroll 4
  for (int half = vectors / 2; half >= 1; half /= 2) {
#pragma GCC unroll 8
    for (int k = 0; k < half; ++k) sums[k] = Op::combine(sums[k], sums[k + half]);
  }
  return fold_vector<Op>(sums[0], std::make_integer_sequence<int, N / 2>{});
}

// Whole blocks side by side, each with its lanes in registers: what one waits for, the other does.
template <class Op, int blocks, class T>
PHLOX_INLINE void blocks_in_registers(const T* source, T* results) {
  using V = Vector<T>;
  constexpr int vectors = lanes / V::lanes;
  V sums[blocks][vectors];
  for (int b = 0; b < blocks; ++b)
    for (int k = 0; k < vectors; ++k) sums[b][k] = V(Op::template identity<T>());
  for (std::int64_t i = 0; i < reduction_block; i += lanes) {
#pragma GCC unroll 4
    for (int b = 0; b < blocks; ++b) {
      // What comes after these blocks: the processor alone does not look far enough ahead.
      __builtin_prefetch(source + (b + blocks) * reduction_block + i);
#pragma GCC unroll 16
      for (int k = 0; k < vectors; ++k)
        sums[b][k] = take<Op>(sums[b][k], V::load(source + b * reduction_block + i + k * V::lanes));
    }
  }
  for (int b = 0; b < blocks; ++b) results[b] = fold_vectors<Op>(sums[b]);
}

// One block of any length up to reduction_block.
template <class Op, class T>
PHLOX_INLINE T block_in_registers(const T* source, std::int64_t count) {
  using V = Vector<T>;
  constexpr int vectors = lanes / V::lanes;
  V sums[vectors];
  for (int k = 0; k < vectors; ++k) sums[k] = V(Op::template identity<T>());
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
#pragma GCC unroll 16
    for (int k = 0; k < vectors; ++k) sums[k] = take<Op>(sums[k], V::load(source + i + k * V::lanes));
  }
  if (i < count) {  // filled up with the identity, which changes no lane
#pragma GCC unroll 16
    for (int k = 0; k < vectors; ++k) {
      const V none(Op::template identity<T>());
      const std::int64_t left = count - i - k * V::lanes;
      if (left <= 0) break;
      const T* from = source + i + k * V::lanes;
      sums[k] = take<Op>(sums[k], left < V::lanes ? load_part(from, left, none) : V::load(from));
    }
  }
  return fold_vectors<Op>(sums);
}

// Combines the results of blocks, pushed in order: in pairs of neighbours, and the results likewise.
template <class Op, class T>
class BlockTree {
 public:
  PHLOX_INLINE void push(T value) {
    for (std::int64_t b = blocks_++; b & 1; b >>= 1)
      value = Op::combine(math::Scalar<T>(levels_[--depth_]), math::Scalar<T>(value)).value;
    levels_[depth_++] = value;
  }
  PHLOX_INLINE T result() const {
    T value = levels_[depth_ - 1];
    for (int d = depth_ - 2; d >= 0; --d)
      value = Op::combine(math::Scalar<T>(levels_[d]), math::Scalar<T>(value)).value;
    return value;
  }

 private:
  T levels_[reduce_levels];
  int depth_ = 0;
  std::int64_t blocks_ = 0;
};

// All blocks of consecutive elements, combined to one result.
template <class Op, class T>
PHLOX_INLINE T reduce_whole(const T* source, std::int64_t count) {
  if (count <= reduction_block) return block_in_registers<Op>(source, count);
  BlockTree<Op, T> tree;
  constexpr int side_by_side = 2;
  std::int64_t i = 0;
  for (; i + side_by_side * reduction_block <= count; i += side_by_side * reduction_block) {
    T results[side_by_side];
    blocks_in_registers<Op, side_by_side>(source + i, results);
    for (T result : results) tree.push(result);
  }
  for (; i < count; i += reduction_block)
    tree.push(block_in_registers<Op>(source + i, count - i < reduction_block ? count - i : reduction_block));
  return tree.result();
}

}  // namespace PHLOX_ISA
}  // namespace phlox
