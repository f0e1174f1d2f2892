#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/parallel.h"
#include "phlox/core/random.h"

namespace phlox {
namespace {

class ParallelTest : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(4); }
  void TearDown() override { set_thread_count(before_); }
  int before_ = thread_count();
};

TEST_F(ParallelTest, CoversTheRangeOnce) {
  for (std::int64_t size : {0, 1, 7, 64, 1000, 1001}) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(size));
    parallel_for(
        0, size, 3,
        [&](std::int64_t first, std::int64_t last) {
          EXPECT_EQ(first % 8, 0);
          for (std::int64_t i = first; i < last; ++i) ++hits[static_cast<std::size_t>(i)];
        },
        8);
    for (const auto& hit : hits) ASSERT_EQ(hit, 1);
  }
}

TEST_F(ParallelTest, UsesSeveralThreads) {
  std::atomic<int> parts{0};
  parallel_for(0, 4000, 10, [&](std::int64_t, std::int64_t) { ++parts; });
  EXPECT_EQ(parts, 4);
}

TEST_F(ParallelTest, CarriesExceptionsOver) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(0, 100, 1,
                              [](std::int64_t first, std::int64_t last) {
                                if (first <= 60 && 60 < last) throw std::runtime_error("sixty");
                              }),
                 std::runtime_error);
  }
  std::atomic<int> sum{0};
  parallel_for(0, 100, 1,
               [&](std::int64_t first, std::int64_t last) { sum += static_cast<int>(last - first); });
  EXPECT_EQ(sum, 100);
}

TEST_F(ParallelTest, NestedCallsAreSerial) {
  std::atomic<int> inner_parts{0}, outer_parts{0};
  parallel_for(0, 4, 1, [&](std::int64_t first, std::int64_t last) {
    ++outer_parts;
    for (std::int64_t i = first; i < last; ++i)
      parallel_for(0, 100, 1, [&](std::int64_t, std::int64_t) { ++inner_parts; });
  });
  EXPECT_EQ(outer_parts, 4);
  EXPECT_EQ(inner_parts, 4);
}

TEST_F(ParallelTest, ASecondTeamIsSerial) {
  Team first;
  EXPECT_EQ(first.threads(), 4);
  int other = 0;
  std::thread([&] { other = Team().threads(); }).join();
  EXPECT_EQ(other, 1);
}

TEST_F(ParallelTest, ManyCallersGetRightAnswers) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        std::atomic<std::int64_t> sum{0};
        parallel_for(0, 1000, 10, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t i = first; i < last; ++i) sum += i;
        });
        if (sum != 499500) ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ParallelTest, AForkedChildWorksSerially) {
  parallel_for(0, 1000, 1, [](std::int64_t, std::int64_t) {});
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    int parts = 0;
    parallel_for(0, 1000, 1, [&](std::int64_t, std::int64_t) { ++parts; });
    _exit(parts == 1 && Team().threads() == 1 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(ParallelTest, CountMustBePositive) { EXPECT_THROW(set_thread_count(0), ValueError); }

// The known answers published with Random123 for philox4x32-10.
TEST(RandomTest, MatchesKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomTest, StatesAndForks) {
  Generator a(7), b(7);
  EXPECT_EQ(a.fork().state(), b.fork().state());
  EXPECT_EQ(a.state(), b.state());
  EXPECT_NE(a.fork().state().stream, b.state().stream);
  GeneratorState before = a.state();
  EXPECT_EQ(a.reserve(10).counter, before.counter);
  EXPECT_EQ(a.state().counter, before.counter + 10);
  a.set_state(before);
  EXPECT_EQ(a.state(), before);
  a.seed(7);
  EXPECT_EQ(a.state(), Generator(7).state());
}

}  // namespace
}  // namespace phlox
