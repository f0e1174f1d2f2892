#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/allocator.h"
#include "phlox/core/tensor.h"

namespace phlox {
namespace {

TEST(AllocatorTest, BlocksAreAlignedAndDistinct) {
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (std::size_t bytes : {0u, 1u, 64u, 65u, 1024u, 1025u, 65536u, 65537u, 100000u, 3000000u}) {
    void* block = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
    std::memset(block, static_cast<int>(blocks.size()), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (std::size_t at = 0; at < blocks[i].second; at += 63)
      ASSERT_EQ(static_cast<unsigned char*>(blocks[i].first)[at], i);
  for (auto [block, bytes] : blocks) deallocate(block, bytes);
}

#if PHLOX_SMALL_BLOCKS
TEST(AllocatorTest, ReusesLargeBlocks) {
  empty_cache();
  void* first = allocate(5'000'000);
  MemoryStatistics before = memory_statistics();
  deallocate(first, 5'000'000);
  EXPECT_GE(memory_statistics().cached_bytes, 5'000'000);
  void* second = allocate(4'990'000);
  EXPECT_EQ(first, second);
  MemoryStatistics after = memory_statistics();
  EXPECT_EQ(after.cache_hits, before.cache_hits + 1);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
  deallocate(second, 4'990'000);
  empty_cache();
  EXPECT_EQ(memory_statistics().cached_bytes, 0);
}

TEST(AllocatorTest, BlocksMoveBetweenThreads) {
  // One thread allocates and another releases, again and again: the same memory must go round.
  std::vector<void*> seen;
  std::size_t fresh = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> blocks(200);
    std::thread([&] {
      for (void*& block : blocks) block = allocate(30000);
    }).join();
    std::thread([&] {
      for (void* block : blocks) deallocate(block, 30000);
    }).join();
    for (void* block : blocks)
      if (std::find(seen.begin(), seen.end(), block) == seen.end()) {
        seen.push_back(block);
        ++fresh;
      }
  }
  EXPECT_LE(fresh, 400u);
}

TEST(AllocatorTest, AListThatOnlyReceivesGivesBlocksBack) {
  // This thread releases what others allocate, more than its own list may hold.
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> blocks(100);
    std::thread([&] {
      for (void*& block : blocks) block = allocate(65536);
    }).join();
    for (void* block : blocks) deallocate(block, 65536);
    EXPECT_GE(detail::small_blocks.room[detail::small_class(65536)], 0);
  }
}
#endif

TEST(AllocatorTest, LimitGivesAnErrorThatListsTheLargest) {
  Tensor large = make_tensor({64, 3, 100, 100}, DType::float32);
  set_memory_limit(memory_statistics().allocated_bytes + (4 << 20));
  std::string text;
  try {
    make_tensor({5'000'000}, DType::float64);
    ADD_FAILURE() << "no error";
  } catch (const OutOfMemoryError& error) {
    EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
    text = error.what();
  }
  set_memory_limit(0);
  EXPECT_NE(text.find("[E0403] no memory for 38.1 MB"), std::string::npos) << text;
  EXPECT_NE(text.find("7.3 MB  f32[64,3,100,100]"), std::string::npos) << text;
  EXPECT_NO_THROW(make_tensor({1 << 22}, DType::float64));
}

TEST(AllocatorTest, PeakCountsTheMost) {
  reset_peak_memory();
  std::int64_t start = memory_statistics().peak_allocated_bytes;
  {
    Tensor x = make_tensor({1 << 20}, DType::float64);
  }
  EXPECT_GE(memory_statistics().peak_allocated_bytes, start + (8 << 20));
  reset_peak_memory();
  EXPECT_LT(memory_statistics().peak_allocated_bytes, start + (8 << 20));
}

}  // namespace
}  // namespace phlox
