#include "phlox/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if !defined(PHLOX_STD_THREADS)
#include <omp.h>
#endif

#include "phlox/base/error.h"

namespace phlox {

namespace {

// --- how many threads

// Distinct cores among the processors that this process may run on.
int allowed_cores() {
  int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return processors;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    std::string siblings;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    // Without the file each processor counts as a core.
    if (!std::getline(file, siblings)) siblings = "cpu" + std::to_string(cpu);
    cores.insert(siblings);
  }
  if (!cores.empty()) return static_cast<int>(cores.size());
#endif
  return processors;
}

// Processors that the cgroup's quota is worth, rounded up; 0 without a quota.
int quota_processors() {
#if defined(__linux__)
  double quota = 0, period = 0;
  std::string word;
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file >> word >> period && word != "max")
    quota = std::atof(word.c_str());
  if (quota <= 0) {
    std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (!(quota_file >> quota && period_file >> period)) return 0;
  }
  if (quota > 0 && period > 0) return std::max(1, static_cast<int>(std::ceil(quota / period)));
#endif
  return 0;
}

int default_thread_count() {
  if (const char* text = std::getenv("PHLOX_NUM_THREADS"))
    if (int count = std::atoi(text); count > 0) return count;
  int count = allowed_cores();
  if (int quota = quota_processors(); quota > 0) count = std::min(count, quota);
  return std::max(count, 1);
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> setting{default_thread_count()};
  return setting;
}

// --- one team a process

std::atomic<bool> team_busy{false};
// Threads do not survive fork(), so a child stays serial.
std::atomic<bool> is_forked_child{false};

bool acquire_team() {
#if defined(__unix__) || defined(__APPLE__)
  [[maybe_unused]] static int registered =
      pthread_atfork(nullptr, nullptr, [] { is_forked_child.store(true, std::memory_order_relaxed); });
#endif
  if (is_forked_child.load(std::memory_order_relaxed)) return false;
  return !team_busy.load(std::memory_order_relaxed) && !team_busy.exchange(true, std::memory_order_acquire);
}

void release_team() { team_busy.store(false, std::memory_order_release); }

struct TeamRelease {
  ~TeamRelease() { release_team(); }
};

// One loop, cut into parts of equal size.
struct Loop {
  std::int64_t begin, end, part;
  detail::RangeBody body;
  void* context;
  std::atomic<bool> failed{false};
  std::exception_ptr error;

  void run_part(std::int64_t index) noexcept {
    std::int64_t first = begin + index * part;
    std::int64_t last = std::min(end, first + part);
    if (first >= last || failed.load(std::memory_order_relaxed)) return;
    try {
      body(context, first, last);
    } catch (...) {
      // The first one wins; the caller reads it after the team has joined.
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
};

#if defined(PHLOX_STD_THREADS)

// Threads that wait for a loop; the caller takes part as number 0. Never destroyed: its threads end with the process.
class ThreadPool {
 public:
  void run(Loop& loop, int parts) {
    {
      std::lock_guard lock(mutex_);
      while (static_cast<int>(workers_) < parts - 1) {
        std::thread([this, number = ++workers_, seen = round_] { work(number, seen); }).detach();
      }
      loop_ = &loop;
      parts_ = parts;
      pending_ = parts - 1;
      ++round_;
    }
    start_.notify_all();
    loop.run_part(0);
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return pending_ == 0; });
    loop_ = nullptr;
  }

 private:
  void work(int number, std::uint64_t seen) {
    std::unique_lock lock(mutex_);
    while (true) {
      start_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      if (number >= parts_) continue;
      Loop* loop = loop_;
      lock.unlock();
      loop->run_part(number);
      lock.lock();
      if (--pending_ == 0) finished_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable start_, finished_;
  Loop* loop_ = nullptr;
  int parts_ = 0, pending_ = 0, workers_ = 0;
  std::uint64_t round_ = 0;
};

void run_team(Loop& loop, int parts) {
  static ThreadPool& pool = *new ThreadPool;
  pool.run(loop, parts);
}

int openmp_threads() { return 1; }
void set_openmp_threads(int) {}

#else

void run_team(Loop& loop, int parts) {
#pragma omp parallel num_threads(parts)
  {
    // OpenMP may give fewer threads than asked for.
    int threads = omp_get_num_threads();
    for (int i = omp_get_thread_num(); i < parts; i += threads) loop.run_part(i);
  }
}

int openmp_threads() { return omp_get_max_threads(); }
void set_openmp_threads(int count) { omp_set_num_threads(count); }

#endif

}  // namespace

int thread_count() { return thread_setting().load(std::memory_order_relaxed); }

void set_thread_count(int count) {
  if (count < 1)
    fail<ValueError>(ErrorCode::invalid_value, "the number of threads must be at least 1, not {}", count)
        .raise();
  thread_setting().store(count, std::memory_order_relaxed);
}

Team::Team(int most)
    : threads_(1), previous_(openmp_threads()), owned_(most != 1 && thread_count() > 1 && acquire_team()) {
  if (owned_) threads_ = most > 0 ? std::min(most, thread_count()) : thread_count();
  set_openmp_threads(threads_);
}

Team::~Team() {
  set_openmp_threads(previous_);
  if (owned_) release_team();
}

namespace detail {

void run_parallel(std::int64_t begin, std::int64_t end, std::int64_t grain, std::int64_t alignment,
                  RangeBody body, void* context) {
  std::int64_t total = end - begin;
  grain = std::max<std::int64_t>(grain, 1);
  std::int64_t parts = std::min<std::int64_t>(thread_count(), (total + grain - 1) / grain);
  if (parts <= 1 || !acquire_team()) {
    body(context, begin, end);
    return;
  }
  TeamRelease release;
  std::int64_t part = (total + parts - 1) / parts;
  alignment = std::max<std::int64_t>(alignment, 1);
  part = (part + alignment - 1) / alignment * alignment;
  Loop loop{.begin = begin,
            .end = end,
            .part = part,
            .body = body,
            .context = context,
            .failed{},
            .error = nullptr};
  run_team(loop, static_cast<int>(parts));
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace detail

}  // namespace phlox
