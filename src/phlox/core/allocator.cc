#include "phlox/core/allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <unistd.h>
#endif

#include "phlox/base/error.h"
#include "phlox/core/charged_bytes.h"
#include "phlox/core/give_back.h"

namespace phlox {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t smallest_label = std::size_t{1} << 20;

// --- memory from the system

void* system_allocate(std::size_t bytes) {
#if defined(__linux__) && PHLOX_SMALL_BLOCKS
  if (bytes >= huge_page) {
    // Map more than asked for, then cut both ends, so that the block begins at a huge page.
    std::size_t mapped = bytes + huge_page;
    void* map = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return nullptr;
    auto begin = reinterpret_cast<std::uintptr_t>(map);
    std::uintptr_t aligned = (begin + huge_page - 1) / huge_page * huge_page;
    if (aligned > begin) munmap(map, aligned - begin);
    std::uintptr_t end = aligned + bytes;
    if (begin + mapped > end) munmap(reinterpret_cast<void*>(end), begin + mapped - end);
    void* block = reinterpret_cast<void*>(aligned);
    madvise(block, bytes, MADV_HUGEPAGE);
    return block;
  }
#endif
  return ::operator new(bytes, std::align_val_t{alignment}, std::nothrow);
}

void system_release(void* block, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && PHLOX_SMALL_BLOCKS
  if (bytes >= huge_page) {
    munmap(block, bytes);
    return;
  }
#endif
  ::operator delete(block, std::align_val_t{alignment});
}

std::int64_t machine_memory() {
  std::int64_t bytes = std::int64_t{8} << 30;
#if defined(_SC_PHYS_PAGES)
  bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
#endif
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::int64_t limit;
    if (file >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

// --- large blocks

// Sizes go up in eighths of powers of two, so at most an eighth of a block is unused.
std::size_t round_large(std::size_t bytes) {
  std::size_t step = std::max<std::size_t>(std::bit_floor(bytes) >> 3, 4096);
  if (bytes > SIZE_MAX - step) return SIZE_MAX / step * step;
  return (bytes + step - 1) / step * step;
}

int bin_of(std::size_t rounded) {
  int exponent = std::bit_width(rounded) - 1;
  return exponent * 8 + static_cast<int>((rounded >> (exponent - 3)) & 7);
}

struct Living {
  std::size_t bytes;
  std::string label;
};

class LargeBlocks {
 public:
  void* allocate(std::size_t bytes) {
    std::size_t rounded = round_large(bytes);
    auto wanted = static_cast<std::int64_t>(std::min<std::size_t>(rounded, INT64_MAX));
    std::lock_guard lock(mutex_);
    void* block = take_cached(rounded);
    if (!block) {
      bool allowed = make_room(wanted);
      if (allowed) block = system_allocate(rounded);
      if (allowed && !block) {
        release_cached();
        block = system_allocate(rounded);
      }
      if (!block) throw_out_of_memory(bytes, allowed);
    }
    ++statistics_.allocation_count;
    statistics_.allocated_bytes += wanted;
    statistics_.peak_allocated_bytes =
        std::max(statistics_.peak_allocated_bytes, statistics_.allocated_bytes);
    return block;
  }

  void deallocate(void* block, std::size_t bytes, bool keep = true) {
    std::size_t rounded = round_large(bytes);
    auto size = static_cast<std::int64_t>(rounded);
    {
      std::lock_guard lock(mutex_);
      statistics_.allocated_bytes -= size;
      if (rounded >= smallest_label) living_.erase(block);
      if (PHLOX_SMALL_BLOCKS && keep && statistics_.cached_bytes + size <= cache_limit_) {
        bins_[bin_of(rounded)].push_back(block);
        statistics_.cached_bytes += size;
        return;
      }
    }
    system_release(block, rounded);
  }

  void empty() {
    std::lock_guard lock(mutex_);
    release_cached();
  }

  void label(void* block, std::size_t bytes, const std::string& text) {
    if (bytes < smallest_label) return;
    std::lock_guard lock(mutex_);
    living_[block] = {bytes, text};
  }

  MemoryStatistics statistics() {
    std::lock_guard lock(mutex_);
    return statistics_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    statistics_.peak_allocated_bytes = statistics_.allocated_bytes;
  }

  void set_limit(std::int64_t bytes) {
    std::lock_guard lock(mutex_);
    statistics_.limit_bytes = std::max<std::int64_t>(bytes, 0);
    if (over_limit(0)) release_cached();
  }

  void set_cache_limit(std::int64_t bytes) {
    std::lock_guard lock(mutex_);
    cache_limit_ = std::max<std::int64_t>(bytes, 0);
    if (statistics_.cached_bytes > cache_limit_) release_cached();
  }

  std::mutex& mutex() { return mutex_; }

 private:
  void* take_cached(std::size_t rounded) {
    std::vector<void*>& bin = bins_[bin_of(rounded)];
    if (bin.empty()) return nullptr;
    void* block = bin.back();
    bin.pop_back();
    statistics_.cached_bytes -= static_cast<std::int64_t>(rounded);
    ++statistics_.cache_hits;
    return block;
  }

  bool over_limit(std::int64_t more) const {
    if (statistics_.limit_bytes == 0) return false;
    return more > statistics_.limit_bytes - statistics_.allocated_bytes - statistics_.cached_bytes;
  }

  bool make_room(std::int64_t bytes) {
    if (!over_limit(bytes)) return true;
    release_cached();
    return !over_limit(bytes);
  }

  void release_cached() {
    for (int i = 0; i < bin_count; ++i) {
      if (bins_[i].empty()) continue;
      std::size_t bytes = static_cast<std::size_t>(8 + i % 8) << (i / 8 - 3);
      for (void* block : bins_[i]) system_release(block, bytes);
      bins_[i] = {};
    }
    statistics_.cached_bytes = 0;
  }

  [[noreturn]] void throw_out_of_memory(std::size_t asked, bool allowed) {
    auto error = fail<OutOfMemoryError>(
        ErrorCode::out_of_memory, "no memory for {}; {} are in use", readable_bytes(asked),
        readable_bytes(static_cast<std::size_t>(statistics_.allocated_bytes)));
    if (!allowed) error.detail("limit", readable_bytes(static_cast<std::size_t>(statistics_.limit_bytes)));
    std::vector<Living> largest;
    for (const auto& [block, living] : living_) largest.push_back(living);
    std::sort(largest.begin(), largest.end(),
              [](const Living& a, const Living& b) { return a.bytes > b.bytes; });
    if (largest.size() > 10) largest.resize(10);
    for (const Living& living : largest)
      error.detail("holds", fmt::format("{}  {}", readable_bytes(living.bytes), living.label));
    error.hint(allowed ? "smaller batches, or release some of the tensors above"
                       : "smaller batches, release some of the tensors above, or raise the limit of memory");
    error.raise();
  }

  static constexpr int bin_count = 64 * 8;
  std::mutex mutex_;
  std::vector<void*> bins_[bin_count];
  std::unordered_map<void*, Living> living_;
  MemoryStatistics statistics_{};
  std::int64_t cache_limit_ = machine_memory() / 4;
};

// Never destroyed: tensors with static lifetime may be released after it.
LargeBlocks& large_blocks();

// --- small blocks that no thread owns

using detail::FreeBlock;
using detail::small_class_bytes;
using detail::small_class_count;

struct Chain {
  FreeBlock* first;
  int count;
};

struct SharedChains {
  std::mutex mutex;
  std::vector<Chain> chains[small_class_count];
};

SharedChains& shared_chains();

#if defined(__unix__) || defined(__APPLE__)
// A child must not find a lock held by a thread that does not exist in it.
void lock_all() {
  large_blocks().mutex().lock();
  shared_chains().mutex.lock();
}
void unlock_all() {
  shared_chains().mutex.unlock();
  large_blocks().mutex().unlock();
}
#endif

struct Pools {
  LargeBlocks large;
  SharedChains shared;
};

Pools& pools() {
  static Pools& instance = *[] {
    auto* made = new Pools;
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(lock_all, unlock_all, unlock_all);
#endif
    return made;
  }();
  return instance;
}

LargeBlocks& large_blocks() { return pools().large; }
SharedChains& shared_chains() { return pools().shared; }

void share_chain(int size_class, Chain chain) {
  SharedChains& shared = shared_chains();
  std::lock_guard lock(shared.mutex);
  shared.chains[size_class].push_back(chain);
}

// A list holds at most about 2 MB of a class.
int list_limit(int size_class) {
  return std::max(32, static_cast<int>((std::size_t{2} << 20) / small_class_bytes(size_class)));
}

enum class ThreadState : std::uint8_t { fresh, active, ended };
PHLOX_THREAD_LOCAL ThreadState thread_state = ThreadState::fresh;

// Gives the lists of an ending thread to the others.
struct ThreadEnd {
  ~ThreadEnd() {
    thread_state = ThreadState::ended;
    for (int c = 0; c < small_class_count; ++c) {
      FreeBlock* first = detail::small_blocks.first[c];
      int count = list_limit(c) - detail::small_blocks.room[c];
      detail::small_blocks.first[c] = nullptr;
      detail::small_blocks.room[c] = 0;
      if (first) share_chain(c, {first, count});
    }
  }
};

void start_thread() {
  static thread_local ThreadEnd at_end;
  (void)at_end;
  thread_state = ThreadState::active;
  for (int c = 0; c < small_class_count; ++c) detail::small_blocks.room[c] = list_limit(c);
}

}  // namespace

namespace detail {

PHLOX_THREAD_LOCAL SmallBlocks small_blocks{};

PHLOX_NOINLINE void* refill_small(int size_class) {
  if (thread_state == ThreadState::fresh) start_thread();
  bool keeps_list = thread_state == ThreadState::active;
  Chain chain{nullptr, 0};
  {
    SharedChains& shared = shared_chains();
    std::lock_guard lock(shared.mutex);
    auto& chains = shared.chains[size_class];
    if (!chains.empty()) {
      chain = chains.back();
      chains.pop_back();
    }
  }
  if (!chain.first) {
    std::size_t bytes = small_class_bytes(size_class);
    int count = std::max(4, static_cast<int>(small_limit / bytes));
    auto* memory = static_cast<char*>(
        ::operator new(bytes* static_cast<std::size_t>(count), std::align_val_t{alignment}, std::nothrow));
    if (!memory) {
      empty_cache();
      count = 1;
      memory = static_cast<char*>(::operator new(bytes, std::align_val_t{alignment}, std::nothrow));
      if (!memory) fail<OutOfMemoryError>(ErrorCode::out_of_memory, "no memory for {} bytes", bytes).raise();
    }
    for (int i = count - 1; i >= 0; --i) {
      auto* block = reinterpret_cast<FreeBlock*>(memory + static_cast<std::size_t>(i) * bytes);
      block->next = chain.first;
      chain.first = block;
    }
    chain.count = count;
  }
  FreeBlock* block = chain.first;
  chain = {block->next, chain.count - 1};
  if (keeps_list) {
    // The list of this class is empty here, so the chain becomes the list.
    small_blocks.first[size_class] = chain.first;
    small_blocks.room[size_class] = std::max(0, list_limit(size_class) - chain.count);
  } else if (chain.first) {
    share_chain(size_class, chain);
  }
  return block;
}

PHLOX_NOINLINE void release_small(void* memory, int size_class) {
  if (thread_state == ThreadState::fresh) start_thread();
  auto* block = static_cast<FreeBlock*>(memory);
  if (thread_state == ThreadState::ended) {
    block->next = nullptr;
    share_chain(size_class, {block, 1});
    return;
  }
  if (small_blocks.room[size_class] == 0) {
    // The list is full: half of it goes to the threads that allocate.
    int half = list_limit(size_class) / 2;
    FreeBlock* first = small_blocks.first[size_class];
    FreeBlock* last = first;
    for (int i = 1; i < half; ++i) last = last->next;
    small_blocks.first[size_class] = last->next;
    last->next = nullptr;
    small_blocks.room[size_class] = half;
    share_chain(size_class, {first, half});
  }
  --small_blocks.room[size_class];
  block->next = small_blocks.first[size_class];
  small_blocks.first[size_class] = block;
}

void* allocate_large(std::size_t bytes) {
#if !PHLOX_SMALL_BLOCKS
  if (bytes <= small_limit) return ::operator new(bytes, std::align_val_t{alignment});
#endif
  return large_blocks().allocate(bytes);
}

void deallocate_large(void* block, std::size_t bytes) {
#if !PHLOX_SMALL_BLOCKS
  if (bytes <= small_limit) return ::operator delete(block, std::align_val_t{alignment});
#endif
  large_blocks().deallocate(block, bytes);
}

}  // namespace detail

void give_back(void* block, std::size_t bytes) {
  if (bytes <= detail::small_limit) return deallocate(block, bytes);
  large_blocks().deallocate(block, bytes, false);
}

std::size_t charged_bytes(std::size_t bytes) {
  return bytes <= detail::small_limit ? bytes : round_large(bytes);
}

std::string readable_bytes(std::size_t bytes) {
  static constexpr const char* units[] = {"bytes", "KB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 6; ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::size_t memory_limit() {
  const std::int64_t limit = memory_statistics().limit_bytes;
  return static_cast<std::size_t>(limit ? limit : machine_memory());
}

MemoryStatistics memory_statistics() { return large_blocks().statistics(); }
void reset_peak_memory() { large_blocks().reset_peak(); }
void empty_cache() { large_blocks().empty(); }
void set_memory_limit(std::int64_t bytes) { large_blocks().set_limit(bytes); }
void set_cache_limit(std::int64_t bytes) { large_blocks().set_cache_limit(bytes); }
void label_block(void* block, std::size_t bytes, const std::string& label) {
  large_blocks().label(block, bytes, label);
}

}  // namespace phlox
