// CPU memory. Blocks up to 64 KB come from thread-local lists by size class; larger ones from a process-wide cache
// binned at eighths of powers of two, because fresh pages cost several times a copy of the same size.
// With AddressSanitizer every block is a plain allocation of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "phlox/base/macros.h"

namespace phlox {

// 64-byte aligned. Throws OutOfMemoryError, which lists the largest living tensors. Zero bytes are allowed.
void* allocate(std::size_t bytes);
// `bytes` is what was asked for.
void deallocate(void* block, std::size_t bytes);

struct MemoryStatistics {
  std::int64_t allocated_bytes;       // in use now, in large blocks
  std::int64_t peak_allocated_bytes;  // the most since the start or the last reset
  std::int64_t cached_bytes;          // held for reuse
  std::int64_t allocation_count;
  std::int64_t cache_hits;
  std::int64_t limit_bytes;  // 0: no limit
};
MemoryStatistics memory_statistics();
void reset_peak_memory();
// Gives cached memory back to the system.
void empty_cache();
// At most this many bytes in large blocks, in use and cached; 0 lifts the limit.
void set_memory_limit(std::int64_t bytes);
// At most this many bytes are kept for reuse (default: a quarter of the machine's memory).
void set_cache_limit(std::int64_t bytes);

// Names a living large block for the list in an OutOfMemoryError, such as "f32[64,3,224,224]".
void label_block(void* block, std::size_t bytes, const std::string& label);

namespace detail {

inline constexpr std::size_t small_limit = 65536;
inline constexpr int small_class_count = 16 + 6;

struct FreeBlock {
  FreeBlock* next;
};
// `room` is how many more blocks a list takes before it gives half of them to the other threads. It starts at zero,
// so that the first use in a thread takes the slow way, which arranges for the lists to outlive the thread.
struct SmallBlocks {
  FreeBlock* first[small_class_count];
  int room[small_class_count];
};
extern PHLOX_THREAD_LOCAL SmallBlocks small_blocks;

// 64-byte steps up to 1 KB, then powers of two up to 64 KB.
inline int small_class(std::size_t bytes) {
  if (bytes <= 1024) return bytes ? static_cast<int>((bytes - 1) >> 6) : 0;
  return 16 + (64 - __builtin_clzll((bytes - 1) >> 10)) - 1;
}
inline std::size_t small_class_bytes(int c) {
  return c < 16 ? static_cast<std::size_t>(c + 1) * 64 : std::size_t{2048} << (c - 16);
}

void* refill_small(int size_class);
void release_small(void* block, int size_class);
void* allocate_large(std::size_t bytes);
void deallocate_large(void* block, std::size_t bytes);

}  // namespace detail

#if defined(__SANITIZE_ADDRESS__) || defined(PHLOX_PLAIN_MALLOC)
#define PHLOX_SMALL_BLOCKS 0
#else
#define PHLOX_SMALL_BLOCKS 1
#endif

inline void* allocate(std::size_t bytes) {
#if PHLOX_SMALL_BLOCKS
  if (bytes <= detail::small_limit) [[likely]] {
    int c = detail::small_class(bytes);
    if (detail::FreeBlock* block = detail::small_blocks.first[c]) [[likely]] {
      detail::small_blocks.first[c] = block->next;
      ++detail::small_blocks.room[c];
      return block;
    }
    return detail::refill_small(c);
  }
#endif
  return detail::allocate_large(bytes);
}

inline void deallocate(void* block, std::size_t bytes) {
#if PHLOX_SMALL_BLOCKS
  if (bytes <= detail::small_limit) [[likely]] {
    int c = detail::small_class(bytes);
    if (detail::small_blocks.room[c] == 0) [[unlikely]]
      return detail::release_small(block, c);
    --detail::small_blocks.room[c];
    auto* free_block = static_cast<detail::FreeBlock*>(block);
    free_block->next = detail::small_blocks.first[c];
    detail::small_blocks.first[c] = free_block;
    return;
  }
#endif
  detail::deallocate_large(block, bytes);
}

}  // namespace phlox
