// All threads of Phlox pass through here. One team works at a time: a second caller, a nested call and a forked
// child run their loop serially. An exception in the body is rethrown in the caller after all parts have ended.
#pragma once

#include <cstdint>

namespace phlox {

// Threads used for one loop. Default: the smallest of the affinity mask, the cgroup quota and the physical cores,
// or PHLOX_NUM_THREADS.
int thread_count();
// At least 1. Throws ValueError.
void set_thread_count(int count);

// The right to use the team, for libraries that start OpenMP regions themselves:
//   Team team;                    // tells OpenMP to use team.threads() threads in this scope
//   primitive.execute(stream, arguments);
// Work too small for several threads says `Team team(1)`: the library then stays in the calling thread.
class Team {
 public:
  explicit Team(int most = 0);  // 0: as many as there are
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  // 1 where another team is at work.
  int threads() const { return threads_; }

 private:
  int threads_;
  int previous_;
  bool owned_;
};

namespace detail {
using RangeBody = void (*)(void* context, std::int64_t begin, std::int64_t end);
void run_parallel(std::int64_t begin, std::int64_t end, std::int64_t grain, std::int64_t alignment,
                  RangeBody body, void* context);
}  // namespace detail

// Calls body(first, last) on parts of [begin, end) that cover it once. Parts hold at least `grain` items where
// possible, and begin at multiples of `alignment` from `begin`. How it is cut must not change results.
template <class Body>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const Body& body,
                  std::int64_t alignment = 1) {
  if (end - begin <= grain) {
    if (begin < end) body(begin, end);
    return;
  }
  detail::run_parallel(
      begin, end, grain, alignment,
      [](void* context, std::int64_t first, std::int64_t last) {
        (*static_cast<const Body*>(context))(first, last);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace phlox
